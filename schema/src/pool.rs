//! The connection pool's settings; the pool itself is private.

use std::time::Duration;

/// How many connections, and how long anything waits for one.
#[derive(Debug, Clone)]
pub struct PoolConfig {
    /// The largest number of connections.
    pub max_size: u32,
    /// Idle connections kept warm.
    pub min_idle: u32,
    /// How long a request waits for a connection. 50 ms by default.
    pub acquire_timeout: Duration,
    /// How long a statement of the read path may run. 100 ms by default.
    pub query_timeout: Duration,
    /// How long a statement of a write transaction, a migration or an export may run.
    pub write_timeout: Duration,
    /// Connections idle for longer are closed, down to `min_idle`.
    pub idle_timeout: Duration,
    /// Connections older than this are replaced.
    pub max_lifetime: Duration,
    /// Threads of the runtime that the connections live on.
    pub threads: usize,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            max_size: 10,
            min_idle: 2,
            acquire_timeout: Duration::from_millis(50),
            query_timeout: Duration::from_millis(100),
            write_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(300),
            max_lifetime: Duration::from_secs(1800),
            threads: 1,
        }
    }
}

/// The pool's state at one moment, for gauges.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PoolStatus {
    /// Open connections.
    pub connections: u32,
    /// Of them, idle ones.
    pub idle: u32,
    /// Callers waiting for one.
    pub waiting: u32,
}
