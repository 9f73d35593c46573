//! What Burgee stores, and every question it asks its databases.
//!
//! Two databases stand behind one set of functions: SQLite (the embedded default) and Postgres (13 to 17).
//! This crate knows nothing of evaluation: it returns rows, and JSON as the text that was stored.

pub mod change_feed;
pub mod error;
pub mod models;
pub mod pool;
pub mod store;
pub mod write;

pub use change_feed::ChangeFeed;
pub use error::StoreError;
pub use pool::PoolConfig;
pub use store::Store;
pub use write::WriteTransaction;
