//! What the kernel says of this process and its container, read when metrics are asked for. The names that begin with
//! `process_` are those that every Prometheus client has.

use super::cgroup::CpuLimits;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The kernel counts CPU time for `/proc` in hundredths of a second on every architecture that Burgee runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// Panics anywhere in the process; the hook is the process's, so the counter is too.
static PANICS: AtomicU64 = AtomicU64::new(0);

/// Counts panics from now on, whoever catches them. What was done about a panic before is still done.
pub fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.fetch_add(1, Ordering::Relaxed);
            before(panic);
        }));
    });
}

/// Registers what is known of the process.
pub(super) fn register(registry: &mut Registry) {
    registry.register(
        "burgee_build",
        "The program",
        Info::new([("version", env!("CARGO_PKG_VERSION"))]),
    );
    let started = SystemTime::now().duration_since(UNIX_EPOCH);
    registry.register_collector(Box::new(ProcessCollector {
        proc: PathBuf::from("/proc/self"),
        started: started.unwrap_or_default().as_secs_f64(),
    }));
    registry.register_collector(Box::new(CgroupCollector(CpuLimits::find())));
}

#[derive(Debug)]
struct ProcessCollector {
    proc: PathBuf,
    started: f64,
}

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let e = &mut encoder;
        let text = |name: &str| fs::read_to_string(self.proc.join(name)).unwrap_or_default();
        if let Some(seconds) = cpu_seconds(&text("stat")) {
            let help = "CPU time spent, in user mode and in the kernel";
            counter(e, "process_cpu", help, Some(&Unit::Seconds), seconds)?;
        }
        let status = text("status");
        for (name, help, field) in [
            ("process_resident_memory", "Memory in use", "VmRSS:"),
            ("process_virtual_memory", "Address space in use", "VmSize:"),
        ] {
            if let Some(kibibytes) = number_after(&status, field) {
                gauge(e, name, help, Some(&Unit::Bytes), kibibytes * 1024.0)?;
            }
        }
        if let Some(threads) = number_after(&status, "Threads:") {
            gauge(e, "process_threads", "Threads", None, threads)?;
        }
        if let Ok(open) = fs::read_dir(self.proc.join("fd")) {
            // One of them is the directory that is being read.
            let open = open.count().saturating_sub(1);
            let open = f64::from(u32::try_from(open).unwrap_or(u32::MAX));
            gauge(e, "process_open_fds", "Open file descriptors", None, open)?;
        }
        if let Some(most) = number_after(&text("limits"), "Max open files") {
            let help = "File descriptors that may be open";
            gauge(e, "process_max_fds", help, None, most)?;
        }
        let help = "Unix time at which the process started";
        gauge(
            e,
            "process_start_time",
            help,
            Some(&Unit::Seconds),
            self.started,
        )?;
        let panics = ConstCounter::new(PANICS.load(Ordering::Relaxed));
        let help = "Panics anywhere in the process, caught or not";
        panics.encode(e.encode_descriptor("burgee_panics", help, None, panics.metric_type())?)
    }
}

#[derive(Debug)]
struct CgroupCollector(CpuLimits);

impl Collector for CgroupCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let e = &mut encoder;
        if let Some(cores) = self.0.quota() {
            let help = "Cores that the container may use";
            gauge(e, "burgee_cpu_quota_cores", help, None, cores)?;
        }
        let Some(throttling) = self.0.throttling() else {
            return Ok(());
        };
        let help = "Periods in which the container's CPU time was limited";
        counter(e, "burgee_cpu_periods", help, None, throttling.periods)?;
        let help = "Periods in which the container had to wait because its CPU time was used up";
        counter(
            e,
            "burgee_cpu_throttled_periods",
            help,
            None,
            throttling.throttled,
        )?;
        let help = "Time the container had to wait because its CPU time was used up";
        let unit = Some(&Unit::Seconds);
        counter(e, "burgee_cpu_throttled", help, unit, throttling.seconds)
    }
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: f64,
) -> fmt::Result {
    let gauge = ConstGauge::new(value);
    gauge.encode(encoder.encode_descriptor(name, help, unit, gauge.metric_type())?)
}

fn counter(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: f64,
) -> fmt::Result {
    let counter = ConstCounter::new(value);
    counter.encode(encoder.encode_descriptor(name, help, unit, counter.metric_type())?)
}

/// Returns the CPU time in `/proc/self/stat`. The program's name stands in it too, and may hold anything.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut ticks = fields.split_ascii_whitespace().skip(11);
    let user: f64 = ticks.next()?.parse().ok()?;
    let system: f64 = ticks.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

/// Returns the first number behind the name at the beginning of a line.
fn number_after(text: &str, name: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;

    #[test]
    fn the_kernels_texts_are_read() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 9 8 7 6 250 50 0 0 20 0 4 0 123 456 78";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(cpu_seconds("7 (a"), None);
        let status = "Name:\tVmRSS: 1 kB\nVmSize:\t  20 kB\nVmRSS:\t 12 kB\nThreads:\t4\n";
        assert_eq!(number_after(status, "VmRSS:"), Some(12.0));
        assert_eq!(number_after(status, "VmSwap:"), None);
        let limits =
            "Limit   Soft   Hard   Units\nMax open files            1024                 4096\n";
        assert_eq!(number_after(limits, "Max open files"), Some(1024.0));
        let unlimited = "Max open files            unlimited            unlimited\n";
        assert_eq!(number_after(unlimited, "Max open files"), None);
    }

    #[test]
    fn this_process_has_its_series() {
        let mut registry = Registry::default();
        register(&mut registry);
        count_panics();
        count_panics();
        assert!(std::thread::spawn(|| panic!("planned")).join().is_err());
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let value = |name: &str| -> f64 {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let line = line.unwrap_or_else(|| panic!("{name}\n{text}"));
            line.trim().parse().unwrap()
        };
        for name in [
            "process_cpu_seconds_total ",
            "process_resident_memory_bytes ",
            "process_virtual_memory_bytes ",
            "process_threads ",
            "process_open_fds ",
            "process_start_time_seconds ",
            "burgee_panics_total ",
        ] {
            assert!(value(name) >= 0.0, "{name}");
        }
        assert!(value("process_resident_memory_bytes ") > 100_000.0);
        assert!(value("burgee_panics_total ") >= 1.0);
        let build = format!(
            "burgee_build_info{{version=\"{}\"}} 1",
            env!("CARGO_PKG_VERSION")
        );
        assert!(text.lines().any(|line| line == build), "{text}");
    }
}
