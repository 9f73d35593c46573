//! What a path is to the proxy, and how it is asked for behind it.

use crate::routes::Route;
use actix_web::http::Uri;

/// The paths on which Burgee learns of persons and groups.
const EVENTS: [Route; 7] = [
    Route::Batch,
    Route::Events,
    Route::EventsV0,
    Route::Capture,
    Route::Track,
    Route::Engage,
    Route::EventsV1,
];

/// What a path is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathKind {
    /// `/flags`.
    Flags,
    /// `/decide`.
    Decide,
    /// Events that a mirror copies.
    Events,
    /// Anything else.
    Other,
}

impl PathKind {
    /// Returns its name in labels.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Flags => "flags",
            Self::Decide => "decide",
            Self::Events => "events",
            Self::Other => "other",
        }
    }

    /// Returns what a path is for; slashes are read as Burgee reads them.
    fn of(path: &str) -> Self {
        let inner = path.trim_matches('/');
        let is = |route: Route| route.label().trim_matches('/') == inner;
        if is(Route::Flags) {
            Self::Flags
        } else if is(Route::Decide) {
            Self::Decide
        } else if EVENTS.into_iter().any(is) {
            Self::Events
        } else {
            Self::Other
        }
    }
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// What it is for.
    pub(super) kind: PathKind,
    /// Path and query without the base path, otherwise as they came.
    pub(super) text: String,
}

impl Target {
    /// Reads a request's URI.
    pub(super) fn of(uri: &Uri, base_path: &str) -> Self {
        let path = uri.path();
        let path = match path.strip_prefix(base_path) {
            Some("") => "/",
            Some(inner) if inner.starts_with('/') => inner,
            _ => path,
        };
        let text = match uri.query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        };
        Self {
            kind: PathKind::of(path),
            text,
        }
    }
}

/// Returns whether a path with its query is one of those that answer flags.
pub(crate) fn is_flags_path(target: &str) -> bool {
    let path = target.split('?').next().unwrap_or_default();
    matches!(PathKind::of(path), PathKind::Flags | PathKind::Decide)
}
