//! The one rayon pool, behind futures. Its callers bound what they have in flight; nothing is queued without a slot.

use burgee_evaluation::Join;
use rayon::{ThreadPool, ThreadPoolBuildError, ThreadPoolBuilder};
use std::sync::Arc;
use tokio::sync::oneshot;

/// How nice the pool's threads are: a third of the weight of other threads.
const NICE: i32 = 5;

/// A handle to the shared pool; cheap to clone.
#[derive(Clone, Debug)]
pub struct CpuPool {
    threads: Arc<ThreadPool>,
}

impl CpuPool {
    /// Starts the pool with a fixed number of threads.
    pub fn new(threads: usize) -> Result<Self, ThreadPoolBuildError> {
        let threads = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("cpu-{index}"))
            .start_handler(|_| yield_to_io())
            // Without a handler a panic inside `spawn` would abort the process. The job's own reply channel tells its waiter.
            .panic_handler(|_| tracing::error!("a CPU job panicked"))
            .build()?;
        Ok(Self {
            threads: Arc::new(threads),
        })
    }

    /// Returns whether a job could use another thread beside its own.
    pub(crate) fn has_more_than_one(&self) -> bool {
        self.threads.current_num_threads() > 1
    }

    /// Queues a job, first in first out.
    pub(crate) fn spawn(&self, job: impl FnOnce() + Send + 'static) {
        self.threads.spawn_fifo(job);
    }

    /// Runs a job and returns its result; `None` when it panicked.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (reply, result) = oneshot::channel();
        self.spawn(move || {
            // The waiter may be gone; then nobody wants the result.
            let _ = reply.send(job());
        });
        result.await.ok()
    }
}

/// Lends a job of the pool the pool's other threads, if they are idle; else the job does both pieces itself.
#[derive(Debug)]
pub(crate) struct WithinPool;

impl Join for WithinPool {
    fn join<A: Send, B: Send>(
        &self,
        left: impl FnOnce() -> A + Send,
        right: impl FnOnce() -> B + Send,
    ) -> (A, B) {
        rayon::join(left, right)
    }
}

/// Lowers the priority of a thread of the pool, so that when all cores are busy, large work does not hold up those who read and
/// answer; it still gets its part.
fn yield_to_io() {
    let thread = Some(rustix::thread::gettid());
    if let Err(error) = rustix::process::setpriority_process(thread, NICE) {
        tracing::debug!(%error, "a thread of the CPU pool keeps its priority");
    }
}

#[cfg(test)]
mod tests {
    use super::CpuPool;

    #[tokio::test]
    async fn a_panicking_job_hurts_itself_alone() {
        let pool = CpuPool::new(1).unwrap();
        assert_eq!(pool.run(|| -> u8 { panic!("planned") }).await, None);
        assert_eq!(pool.run(|| 7).await, Some(7));
    }
}
