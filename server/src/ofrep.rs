//! The OpenFeature Remote Evaluation Protocol, version 0.3 (chapter 8): what its requests mean and how its answers are written.
//!
//! Pure: text in, values out, and back. It knows neither sockets nor how a flag is decided; an evaluation context becomes the
//! same [`crate::flags_request::FlagsRequest`] that `/flags` works with.

pub mod answer;
pub mod context;
pub mod fault;
pub mod openapi;

pub(crate) use answer::Record;
pub use answer::{Endpoint, EventStream, FlagSet, write_all, write_one};
pub use context::{Asked, ContextFault};
pub use fault::OfrepError;
pub(crate) use fault::Told;
