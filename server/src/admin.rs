//! The admin API without HTTP and without a database: what is written and read, the rules it keeps, pages and filters of
//! lists (chapter 9).
//!
//! Everything here is a function of its arguments. The bodies of requests are read member by member, so that each fault
//! names the member to blame; JSON that people keep (`filters`) stays the text it was, but for what the rules change in it.

pub mod activity;
pub mod cohort;
mod cohort_filters;
pub mod csv;
mod definitions;
pub mod filters;
pub mod flag;
pub mod list;
pub mod members;
pub mod openapi;
pub mod page;
pub mod person;
pub mod project;

pub use definitions::Definitions;
pub use members::Members;

use chrono::{DateTime, SecondsFormat};
use serde_json::value::RawValue;

/// Returns a stored moment as RFC 3339 in UTC.
fn time(microseconds: Option<i64>) -> Option<String> {
    let moment = DateTime::from_timestamp_micros(microseconds?)?;
    Some(moment.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// Returns a stored JSON text as it is; what is none, which only an older program can have written, as null.
fn raw(text: String) -> Box<RawValue> {
    RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
