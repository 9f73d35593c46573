//! One CPU number → every thread count. No pool may believe that it owns the machine.

use std::thread::available_parallelism;

/// How many threads each part gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Threads that parse and answer HTTP.
    pub http_workers: usize,
    /// Evaluators of small work, each on a thread of its own, evaluating inline.
    pub small_evaluators: usize,
    /// Evaluators of large work, which hand it to rayon.
    pub large_evaluators: usize,
    /// Threads of the shared rayon pool.
    pub rayon: usize,
    /// Threads that database connections live on.
    pub database: usize,
}

impl Budget {
    /// Divides `cpus` cores. The rule reproduces what was measured at 2 cores (2/1/1/1/1) and is extrapolated above:
    /// 8 cores give 4/1/1/3/1 and 32 give 12/4/2/14/2. The sum exceeds the cores a little, because HTTP and database
    /// threads wait more than they work.
    pub fn for_cpus(cpus: usize) -> Self {
        let cpus = cpus.max(1);
        Self {
            http_workers: if cpus == 1 { 1 } else { 2 + (cpus - 2) / 3 },
            small_evaluators: (cpus / 8).max(1),
            large_evaluators: (cpus / 16).max(1),
            rayon: (cpus * 7 / 16).max(1),
            database: (cpus / 16).max(1),
        }
    }

    /// Divides the cores this process may use: the cgroup quota where there is one, else the machine's.
    pub fn detect() -> Self {
        Self::for_cpus(available_parallelism().map_or(1, usize::from))
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;

    #[test]
    fn divides_as_measured() {
        let row = |cpus| {
            let b = Budget::for_cpus(cpus);
            (
                b.http_workers,
                b.small_evaluators,
                b.large_evaluators,
                b.rayon,
                b.database,
            )
        };
        assert_eq!(row(0), (1, 1, 1, 1, 1));
        assert_eq!(row(1), (1, 1, 1, 1, 1));
        assert_eq!(row(2), (2, 1, 1, 1, 1));
        assert_eq!(row(8), (4, 1, 1, 3, 1));
        assert_eq!(row(32), (12, 4, 2, 14, 2));
    }
}
