//! Which project a request with a key is about (sections 4.1 and 6): its token in the query or in a header, the path's id, or
//! that of the key itself.

#[cfg(test)]
mod tests;

use crate::body::percent;
use crate::credential::{Key, Presented};
use crate::error::ApiError;
use crate::state::AppState;
use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;
use burgee_actors::ProjectSnapshot;
use burgee_evaluation::ProjectId;
use std::sync::Arc;
use std::time::Instant;

/// By which SDKs name the project that put no token into the query.
const TOKEN_HEADER: HeaderName = HeaderName::from_static("x-posthog-project-api-key");

/// A key, and the project that the request names beside it.
pub(super) struct Keyed {
    pub(super) key: Arc<Key>,
    named: Named,
    deadline: Instant,
}

enum Named {
    Project(Arc<ProjectSnapshot>),
    Id(ProjectId),
    /// Nothing: the key says it.
    Nothing,
}

impl Keyed {
    /// Checks the token, if there is one, and the key. Whether they belong together is not checked yet.
    pub(super) async fn enter(
        state: &AppState,
        request: &HttpRequest,
        deadline: Instant,
    ) -> Result<Self, ApiError> {
        let named = match token(request) {
            Some(token) => {
                let project = state.system.project(&token, deadline).await?;
                Named::Project(project.ok_or(ApiError::UnknownToken)?)
            }
            None => path_id(request).map_or(Named::Nothing, Named::Id),
        };
        let presented = Presented::bearer(request.headers());
        Ok(Self {
            key: state.credentials.key(presented, deadline).await?,
            named,
            deadline,
        })
    }

    /// Returns the id of the project that is asked for.
    pub(super) fn project_id(&self) -> ProjectId {
        match &self.named {
            Named::Project(project) => project.id,
            Named::Id(id) => *id,
            Named::Nothing => self.key.project(),
        }
    }

    /// Returns the project that is asked for. To be called once it is known that the key is one of its own.
    pub(super) async fn project(self, state: &AppState) -> Result<Arc<ProjectSnapshot>, ApiError> {
        let id = self.project_id();
        if let Named::Project(project) = self.named {
            return Ok(project);
        }
        // There is such a project, or the key would not be: it could not be read.
        let project = state.system.project_by_id(id, self.deadline).await?;
        project.ok_or(ApiError::Unavailable)
    }
}

/// Returns the token in the query, or else in the header; an empty one counts as absent.
fn token(request: &HttpRequest) -> Option<String> {
    let in_query = parameter(request.query_string(), &["token", "api_key"]);
    in_query.or_else(|| {
        let header = request.headers().get(&TOKEN_HEADER)?.to_str().ok()?;
        Some(header.trim().to_owned()).filter(|token| !token.is_empty())
    })
}

/// Returns the first of these parameters that is not empty.
fn parameter(query: &str, names: &[&str]) -> Option<String> {
    let value = |name: &&str| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let mut values = pairs.filter_map(|(other, value)| (other == *name).then_some(value));
        values.find(|value| !value.is_empty())
    };
    let value = names.iter().find_map(value)?.replace('+', " ");
    let decoded = percent::decode(value.as_bytes());
    Some(String::from_utf8_lossy(&decoded).into_owned())
}

/// Returns the path's project, if it is a number.
fn path_id(request: &HttpRequest) -> Option<ProjectId> {
    let id = request.match_info().get("project")?.parse().ok()?;
    Some(ProjectId(id))
}
