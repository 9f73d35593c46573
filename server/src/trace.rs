//! Which trace a request belongs to (W3C Trace Context), and what is told of it to an OTLP endpoint, if there is one.
//!
//! Without an endpoint a request costs one look for a header. With one, only sampled requests are written down; the rest
//! happens on a thread of its own.

mod context;
mod export;
mod metrics;
mod span;

pub use context::TraceContext;
pub use export::{TraceConfig, TraceError, Tracer};
pub use span::{Answered, ServerSpan, SpanNotes};
