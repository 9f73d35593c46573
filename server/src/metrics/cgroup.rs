//! How much CPU time the container may use, and how often it had to wait for more: version 2 of control groups, else
//! version 1. Elsewhere there is nothing to tell.

use std::fs;
use std::path::{Path, PathBuf};

/// The files of the process's control group.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CpuLimits {
    /// Version 2, with its folder.
    Two(PathBuf),
    /// Version 1, with the folder of its CPU controller.
    One(PathBuf),
    /// None was found.
    Nowhere,
}

/// What became of the limit so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Throttling {
    pub(super) periods: f64,
    pub(super) throttled: f64,
    pub(super) seconds: f64,
}

impl CpuLimits {
    /// Finds the group of this process.
    pub(super) fn find() -> Self {
        let membership = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        Self::below(Path::new("/sys/fs/cgroup"), &membership)
    }

    /// `membership` has lines `NUMBER:CONTROLLERS:PATH`. In a container the path is often that of the host, and the
    /// container's own group is mounted at the root.
    pub(crate) fn below(root: &Path, membership: &str) -> Self {
        let lines = || membership.lines().map(|line| line.splitn(3, ':'));
        let path = |is: fn(&str, &str) -> bool| {
            lines().find_map(|mut line| {
                let (number, controllers) = (line.next()?, line.next()?);
                let path = line.next()?.trim_start_matches('/');
                is(number, controllers).then_some(path)
            })
        };
        let existing = |folder: &Path, path: &str| {
            let places = [folder.join(path), folder.to_owned()];
            places
                .into_iter()
                .find(|place| place.join("cpu.stat").is_file())
        };
        let one = path(|_, controllers| controllers.split(',').any(|name| name == "cpu"));
        if let Some(path) = one {
            let names = ["cpu", "cpu,cpuacct", "cpuacct,cpu"];
            let mut found = names
                .iter()
                .filter_map(|name| existing(&root.join(name), path));
            if let Some(place) = found.next() {
                return Self::One(place);
            }
        }
        let two = path(|number, controllers| number == "0" && controllers.is_empty());
        match existing(root, two.unwrap_or_default()) {
            Some(place) => Self::Two(place),
            None => Self::Nowhere,
        }
    }

    /// Returns how many cores the group may use; `None` when that is not limited.
    pub(crate) fn quota(&self) -> Option<f64> {
        let (quota, period): (f64, f64) = match self {
            Self::Two(place) => {
                let text = read(place, "cpu.max")?;
                let (quota, period) = text.trim().split_once(' ')?;
                (quota.parse().ok()?, period.parse().ok()?)
            }
            Self::One(place) => (
                read(place, "cpu.cfs_quota_us")?.trim().parse().ok()?,
                read(place, "cpu.cfs_period_us")?.trim().parse().ok()?,
            ),
            Self::Nowhere => return None,
        };
        // Version 1 says -1 for no limit.
        (quota > 0.0 && period > 0.0).then(|| quota / period)
    }

    /// Returns how often and how long the group had to wait.
    pub(super) fn throttling(&self) -> Option<Throttling> {
        let (place, name, per_second) = match self {
            Self::Two(place) => (place, "throttled_usec", 1e6),
            Self::One(place) => (place, "throttled_time", 1e9),
            Self::Nowhere => return None,
        };
        let text = read(place, "cpu.stat")?;
        let number = |wanted: &str| -> Option<f64> {
            let mut lines = text.lines().filter_map(|line| line.split_once(' '));
            let (_, value) = lines.find(|(name, _)| *name == wanted)?;
            value.trim().parse().ok()
        };
        Some(Throttling {
            periods: number("nr_periods")?,
            throttled: number("nr_throttled")?,
            seconds: number(name)? / per_second,
        })
    }
}

fn read(place: &Path, name: &str) -> Option<String> {
    fs::read_to_string(place.join(name)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(root: &Path, files: &[(&str, &str)]) {
        for (name, text) in files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    #[test]
    fn version_2() {
        let root = tempfile::tempdir().unwrap();
        let stat = "usage_usec 5\nnr_periods 10\nnr_throttled 4\nthrottled_usec 1500000\n";
        put(
            root.path(),
            &[("cpu.stat", "usage_usec 5\n"), ("cpu.max", "max 100000\n")],
        );
        let at_root = CpuLimits::below(root.path(), "0::/not/here\n");
        assert_eq!(at_root, CpuLimits::Two(root.path().to_owned()));
        assert_eq!((at_root.quota(), at_root.throttling()), (None, None));
        put(
            root.path(),
            &[("a/b/cpu.stat", stat), ("a/b/cpu.max", "150000 100000\n")],
        );
        let limits = CpuLimits::below(root.path(), "0::/a/b\n");
        assert_eq!(limits.quota(), Some(1.5));
        let expected = Throttling {
            periods: 10.0,
            throttled: 4.0,
            seconds: 1.5,
        };
        assert_eq!(limits.throttling(), Some(expected));
    }

    #[test]
    fn version_1() {
        let root = tempfile::tempdir().unwrap();
        let membership = "7:memory:/x\n4:cpu,cpuacct:/docker/abc\n0::/\n";
        let stat = "nr_periods 10\nnr_throttled 4\nthrottled_time 2500000000\n";
        put(
            root.path(),
            &[
                ("cpu,cpuacct/cpu.stat", stat),
                ("cpu,cpuacct/cpu.cfs_quota_us", "-1\n"),
                ("cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
            ],
        );
        let limits = CpuLimits::below(root.path(), membership);
        assert_eq!(limits, CpuLimits::One(root.path().join("cpu,cpuacct")));
        assert_eq!(limits.quota(), None);
        assert_eq!(limits.throttling().unwrap().seconds, 2.5);
        put(root.path(), &[("cpu,cpuacct/cpu.cfs_quota_us", "50000\n")]);
        assert_eq!(limits.quota(), Some(0.5));
    }

    #[test]
    fn nothing_and_nonsense() {
        let root = tempfile::tempdir().unwrap();
        for membership in ["", "0::/\n", "x\n", "::\n"] {
            let limits = CpuLimits::below(root.path(), membership);
            assert_eq!(limits, CpuLimits::Nowhere, "{membership}");
            assert_eq!((limits.quota(), limits.throttling()), (None, None));
        }
    }
}
