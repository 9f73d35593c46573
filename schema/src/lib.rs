//! What Burgee stores, and every question it asks its databases.
//!
//! Two databases stand behind one set of functions: SQLite (the embedded default) and Postgres (13 to 17).
//! This crate knows nothing of evaluation: it returns rows, and JSON as the text that was stored.
//!
//! [`Store`] is the way in for reading and for the writes of the request path, [`WriteTransaction`] for everything
//! else that changes, [`ChangeFeed`] for hearing of it; `admin` has the questions that only people ask. Inside, a question takes a connection from the pool, runs on
//! the store's own threads, and is written once: `tables` and `models` for plain ones, `batch`, `look_up` and `event_write` for
//! those that carry many keys. `connection` chooses the database; `pool` bounds the wait;
//! [`observer`] hears how long things took.

pub mod admin;
pub mod change_feed;
pub mod diagnosis;
pub mod error;
pub mod fingerprint;
pub mod models;
pub mod observer;
pub mod pool;
pub mod store;
pub mod trust;
pub mod write;

mod batch;
mod connection;
mod database_url;
mod event_write;
mod look_up;
mod migrate;
mod replica;
mod runtime;
mod tables;

pub use change_feed::{ChangeFeed, Synchronised};
pub use error::{StoreError, chain};
pub use observer::{QueryKind, StoreObserver};
pub use pool::{PoolConfig, ReplicaConfig};
pub use replica::ReplicaStatus;
pub use store::{ADMIN_CONNECTIONS, Store};
pub use trust::{Roots, Trust, TrustError};
pub use write::WriteTransaction;
