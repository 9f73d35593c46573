//! Which flags a request asks for (section 9).

use crate::Definitions;

/// Where the request comes from, as far as flags care (section 9.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RequestRuntime {
    /// Every flag.
    All,
    /// Flags for servers, and flags for all.
    Server,
    /// Flags for clients, and flags for all.
    Client,
    /// Only flags for all.
    #[default]
    Unknown,
}

/// The headers that tell the runtime. Each `bool` says whether the header is present.
#[derive(Debug, Clone, Copy, Default)]
pub struct RuntimeHints<'a> {
    /// The `User-Agent`, if any.
    pub user_agent: Option<&'a str>,
    /// Whether any of `Origin`, `Referer`, `Sec-Fetch-Mode`, `Sec-Fetch-Site` is present.
    pub browser_header: bool,
}

impl RequestRuntime {
    /// Finds the runtime from the request's field and its headers, by the rules of section 9.2.
    pub fn detect(_field: Option<&str>, _hints: RuntimeHints<'_>) -> Self {
        todo!()
    }
}

/// What a request asks for.
#[derive(Debug, Clone, Default)]
pub struct Selector {
    /// `only_evaluate_survey_feature_flags`.
    pub surveys_only: bool,
    /// The request's runtime.
    pub runtime: RequestRuntime,
    /// `evaluation_contexts`; empty means no filter.
    pub contexts: Vec<String>,
    /// `flag_keys`; `None` means all flags, an empty list none.
    pub keys: Option<Vec<String>>,
}

/// The flags chosen by a [`Selector`] from one set of [`Definitions`]; good only for those definitions.
#[derive(Debug, Clone)]
pub struct Selection {
    // filled in by its implementation
}

impl Definitions {
    /// Chooses the flags a request asks for, and those they depend on.
    pub fn select(&self, _selector: &Selector) -> Selection {
        todo!()
    }
}

impl Selection {
    /// Returns whether nothing is left to evaluate and nothing to report.
    pub fn is_empty(&self) -> bool {
        todo!()
    }

    /// Returns how many flags will be evaluated.
    pub fn len(&self) -> usize {
        todo!()
    }
}
