//! The threads that connections live on. A connection's I/O belongs to the runtime that made it, and the workers of an
//! HTTP server are busy, single-threaded and may stop: connections live here instead, as long as the store does.

use crate::StoreError;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

/// A runtime that may be dropped anywhere, also by one of its own tasks.
pub(crate) struct DatabaseRuntime {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl DatabaseRuntime {
    pub(crate) fn start(threads: usize, blocking_threads: usize) -> Result<Self, StoreError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(threads)
            .max_blocking_threads(blocking_threads)
            .thread_name("burgee-database")
            .enable_all()
            .build()
            .map_err(|error| {
                StoreError::Config(format!("the database threads cannot be started: {error}"))
            })?;
        Ok(Self {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        })
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Starts a task here; the answer can be waited for wherever the caller is. A caller that goes away stops nothing: the
    /// task is bounded by its own deadlines, and a statement cut off halfway would cost the connection. The task, which may
    /// be large, is no part of what the caller holds while it waits.
    pub(crate) fn run<T, F>(
        &self,
        task: F,
    ) -> impl Future<Output = Result<T, StoreError>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.handle.spawn(async move {
            // Nobody may be waiting any more.
            let _unwanted = reply.send(task.await);
        });
        async move { answer.await.unwrap_or_else(|_| Err(lost())) }
    }
}

impl Drop for DatabaseRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The error of a task that ended without an answer: it panicked, or the store is being dropped.
pub(crate) fn lost() -> StoreError {
    StoreError::Query("the database task ended without an answer".into())
}
