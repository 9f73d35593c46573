//! One number of CPUs to every thread count.

/// How many threads of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// HTTP workers: I/O only.
    pub http_workers: usize,
    /// Evaluators of small requests.
    pub evaluators: usize,
    /// Evaluators of large requests.
    pub large_evaluators: usize,
    /// Threads that large evaluations run on.
    pub cpu_threads: usize,
    /// Threads of the runtime that database connections live on.
    pub database_threads: usize,
}

impl Budget {
    /// Derives the counts. Measured on 2 CPUs; 8 and 32 follow the same reasoning: more than half of the CPUs for
    /// requests that are small, the rest for those that are not.
    pub fn of(cpus: usize) -> Self {
        let cpus = cpus.max(1);
        Self {
            http_workers: match cpus {
                1 => 1,
                more => 2 + (more - 2) / 3,
            },
            evaluators: (cpus / 8).max(1),
            large_evaluators: (cpus / 16).max(1),
            cpu_threads: (cpus * 7 / 16).max(1),
            database_threads: (cpus / 16).max(1),
        }
    }

    /// Derives the counts from the CPUs this process may use, container limits included.
    pub fn detect() -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }
}
