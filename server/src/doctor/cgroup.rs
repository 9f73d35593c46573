//! What the container may use, from the files of its control groups: version 2, else version 1.

use crate::metrics::cgroup::CpuLimits;
use std::fs;
use std::path::Path;
use std::str::FromStr;

/// The limits of a container; `None` where there is none.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Container {
    /// How many cores it may use.
    pub(super) cpu_quota: Option<f64>,
    /// How many cores it was promised, as its share of the machine tells.
    pub(super) cpu_request: Option<f64>,
    /// How much memory it may use, in bytes.
    pub(super) memory: Option<u64>,
}

/// The share of a group that nobody gave one, in both versions.
const USUAL_SHARES: f64 = 1024.0;
const USUAL_WEIGHT: f64 = 100.0;

impl Container {
    /// Reads the limits below `root`, which is `/` but for tests.
    pub(super) fn read(root: &Path) -> Self {
        let membership = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
        let mount = root.join("sys/fs/cgroup");
        let cpu = CpuLimits::below(&mount, &membership);
        Self {
            cpu_quota: cpu.quota(),
            cpu_request: request(&cpu),
            memory: match &cpu {
                CpuLimits::Two(place) => number(place, "memory.max"),
                _ => memory_of_version_1(&mount, &membership),
            },
        }
    }
}

fn request(cpu: &CpuLimits) -> Option<f64> {
    let shares = match cpu {
        CpuLimits::Two(place) => {
            let weight = number::<f64>(place, "cpu.weight").filter(|it| *it != USUAL_WEIGHT)?;
            // As container engines map shares to weights.
            (weight - 1.0) * 262_142.0 / 9_999.0 + 2.0
        }
        CpuLimits::One(place) => {
            number::<f64>(place, "cpu.shares").filter(|it| *it != USUAL_SHARES)?
        }
        CpuLimits::Nowhere => return None,
    };
    Some(shares / USUAL_SHARES)
}

/// In a container the path is often that of the host, and the container's own group is mounted at the root.
fn memory_of_version_1(mount: &Path, membership: &str) -> Option<u64> {
    let folder = mount.join("memory");
    let own = membership.lines().find_map(|line| {
        let (_, path) = line.split_once(":memory:")?;
        Some(folder.join(path.trim_start_matches('/')))
    });
    let limit = |place: &Path| number(place, "memory.limit_in_bytes");
    let bytes: u64 = own.and_then(|own| limit(&own)).or_else(|| limit(&folder))?;
    // No limit is the largest number of pages.
    (bytes < 1 << 60).then_some(bytes)
}

/// Returns what a file holds; `None` when it is missing, or says `max`.
fn number<T: FromStr>(place: &Path, name: &str) -> Option<T> {
    let text = fs::read_to_string(place.join(name)).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::testing::tree;

    #[test]
    fn version_2() {
        let root = tree(&[
            ("proc/self/cgroup", "0::/kubepods/pod1\n"),
            ("sys/fs/cgroup/cpu.stat", "\n"),
            ("sys/fs/cgroup/cpu.max", "150000 100000\n"),
            ("sys/fs/cgroup/cpu.weight", "20\n"),
            ("sys/fs/cgroup/memory.max", "536870912\n"),
        ]);
        let found = Container::read(root.path());
        assert_eq!(
            (found.cpu_quota, found.memory),
            (Some(1.5), Some(512 << 20))
        );
        let request = found.cpu_request.unwrap();
        assert!((0.48..0.5).contains(&request), "{request}");
    }

    #[test]
    fn version_2_without_limits() {
        let root = tree(&[
            ("proc/self/cgroup", "0::/a\n"),
            ("sys/fs/cgroup/a/cpu.stat", "\n"),
            ("sys/fs/cgroup/a/cpu.max", "max 100000\n"),
            ("sys/fs/cgroup/a/cpu.weight", "100\n"),
            ("sys/fs/cgroup/a/memory.max", "max\n"),
        ]);
        assert_eq!(Container::read(root.path()), Container::default());
    }

    #[test]
    fn version_1() {
        let root = tree(&[
            ("proc/self/cgroup", "7:memory:/x\n4:cpu,cpuacct:/x\n0::/\n"),
            ("sys/fs/cgroup/cpu,cpuacct/x/cpu.stat", "\n"),
            ("sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us", "50000\n"),
            ("sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us", "100000\n"),
            ("sys/fs/cgroup/cpu,cpuacct/x/cpu.shares", "256\n"),
            (
                "sys/fs/cgroup/memory/memory.limit_in_bytes",
                "9223372036854771712\n",
            ),
        ]);
        let expected = Container {
            cpu_quota: Some(0.5),
            cpu_request: Some(0.25),
            memory: None,
        };
        assert_eq!(Container::read(root.path()), expected);
    }

    #[test]
    fn no_container_at_all() {
        let root = tree(&[]);
        assert_eq!(Container::read(root.path()), Container::default());
    }
}
