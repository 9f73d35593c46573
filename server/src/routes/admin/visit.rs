//! One request to the admin API: who asks, for which project, until when, and that it is its turn.

use super::super::passage::header;
use crate::admin::Definitions;
use crate::admin::page::{Page, PageQuery};
use crate::admin_access::Turn;
use crate::body::{self, percent};
use crate::credential::{Action, Key, PersonalKey, Presented, Resource};
use crate::error::{AdminError, ApiError, Invalid};
use crate::state::AppState;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_LENGTH, HOST, HeaderName};
use actix_web::{HttpRequest, HttpResponse, web};
use burgee_evaluation::ProjectId;
use burgee_schema::models::ProjectRow;
use burgee_schema::{Store, StoreError, WriteTransaction};
use serde::Serialize;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;
use tokio::time::timeout_at;

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// A request that may be answered.
pub(super) struct Visit<'a> {
    state: &'a AppState,
    request: &'a HttpRequest,
    key: Arc<Key>,
    /// The project.
    pub(super) project: i64,
    /// When an answer is worthless.
    pub(super) deadline: Instant,
    _turn: Turn<'a>,
}

impl<'a> Visit<'a> {
    /// Checks the key and its scopes, then the project, and waits for its turn.
    pub(super) async fn enter(
        state: &'a AppState,
        request: &'a HttpRequest,
        resource: Resource,
        action: Action,
    ) -> Result<Self, AdminError> {
        let deadline = Instant::now() + state.admin.config.timeout;
        let (key, project) = admit(state, request, resource, action, deadline).await?;
        let turn = state.admin.turn(deadline).await;
        Ok(Self {
            state,
            request,
            key,
            project,
            deadline,
            _turn: turn.ok_or_else(AdminError::busy)?,
        })
    }

    /// The same for an upload, which has more time, and a place among the uploads.
    pub(super) async fn enter_upload(
        state: &'a AppState,
        request: &'a HttpRequest,
        resource: Resource,
        action: Action,
    ) -> Result<Self, AdminError> {
        let deadline = Instant::now() + state.admin.config.upload_timeout;
        let (key, project) = admit(state, request, resource, action, deadline).await?;
        Ok(Self {
            state,
            request,
            key,
            project,
            deadline,
            _turn: state.admin.upload().ok_or_else(AdminError::busy)?,
        })
    }

    /// Returns everything that is stored.
    pub(super) fn store(&self) -> &Store {
        &self.state.admin.store
    }

    /// Returns how large an upload may be, in bytes.
    pub(super) fn upload_limit(&self) -> usize {
        self.state.admin.config.upload_limit
    }

    /// Returns the label of the key.
    pub(super) fn author(&self) -> &str {
        personal(&self.key).map_or("", |key| &key.label)
    }

    /// Returns the project.
    pub(super) async fn project_row(&self) -> Result<ProjectRow, AdminError> {
        let row = self
            .within(self.store().admin_project(self.project))
            .await?;
        row.ok_or(AdminError::NOT_FOUND)
    }

    /// Waits for an answer of the database, no longer than there is time.
    pub(super) async fn within<T>(
        &self,
        question: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, AdminError> {
        match timeout_at(self.deadline.into(), question).await {
            Ok(answer) => Ok(answer?),
            Err(_elapsed) => Err(AdminError::Other(ApiError::TimedOut)),
        }
    }

    /// Reads the body as a text.
    pub(super) async fn text(&self, payload: web::Payload) -> Result<String, AdminError> {
        let edge = &self.state.edge;
        let declared = header(self.request.headers(), &CONTENT_LENGTH);
        let declared = declared.and_then(|text| text.parse().ok());
        let read = body::read(payload, declared, &edge.config.body).await;
        let bytes = read.inspect_err(|error| edge.metrics.body_failed(error))?;
        let text = String::from_utf8(bytes.to_vec());
        text.map_err(|error| Invalid::parse(error.utf8_error()).into())
    }

    /// Reads an id of the path; a text that is none names nothing.
    pub(super) fn id<T: std::str::FromStr>(&self) -> Result<T, AdminError> {
        let text = self.request.match_info().get("id");
        let id = text.and_then(|text| text.parse().ok());
        id.ok_or(AdminError::NOT_FOUND)
    }

    /// Returns a part of the path as a text.
    pub(super) fn id_text(&self) -> &str {
        self.request.match_info().get("id").unwrap_or_default()
    }

    /// Returns a parameter of the query, the first if there are several. `+` is a blank there.
    pub(super) fn parameter(&self, name: &str) -> Option<Cow<'_, str>> {
        let pairs = self.request.query_string().split('&');
        let mut pairs = pairs.filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(found, _)| *found == name)?;
        let value = value.replace('+', " ");
        let decoded = percent::decode(value.as_bytes()).into_owned();
        String::from_utf8(decoded).ok().map(Cow::Owned)
    }

    /// Reads which part of a list is asked for.
    pub(super) fn page(&self) -> PageQuery {
        PageQuery::read(|name| self.parameter(name))
    }

    /// Answers with a part of a list.
    pub(super) fn paged<T: Serialize>(&self, count: i64, results: Vec<T>) -> HttpResponse {
        let query = self.request.query_string();
        let page = Page::new(count, results, self.page(), &self.address(), query);
        answer(StatusCode::OK, &page)
    }

    /// Returns where this was asked for, absolute: under the public address, or else under that of the request.
    fn address(&self) -> String {
        let config = &self.state.edge.config;
        let path = self.request.path();
        if let Some(url) = &config.public_url {
            return format!("{url}{path}");
        }
        let headers = self.request.headers();
        let is_https = header(headers, &FORWARDED_PROTO).is_some_and(|it| it == "https");
        let scheme = if is_https { "https" } else { "http" };
        let host = header(headers, &HOST).unwrap_or("localhost");
        format!("{scheme}://{host}{}{path}", config.base_path)
    }

    /// Begins to write, for the holder of the key.
    pub(super) async fn begin(&self) -> Result<WriteTransaction, AdminError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let store = self.store();
        self.within(async {
            let mut transaction = store.begin_write_within(left).await?;
            transaction.sign(self.author()).await?;
            Ok(transaction)
        })
        .await
    }

    /// Reads the project's definitions inside a transaction.
    pub(super) async fn definitions(
        &self,
        transaction: &mut WriteTransaction,
    ) -> Result<Definitions, AdminError> {
        let project = self.project;
        self.within(async {
            Ok(Definitions {
                flags: transaction.flags(project).await?,
                cohorts: transaction.cohorts(project).await?,
                group_types: transaction.group_types(project).await?,
            })
        })
        .await
    }

    /// Commits, and has this instance serve what was written before anybody is told.
    pub(super) async fn commit(&self, transaction: WriteTransaction) -> Result<(), AdminError> {
        self.within(transaction.commit()).await?;
        let refresh = self.state.system.refresh(vec![ProjectId(self.project)]);
        // In time or not: what is committed is heard of as any change is.
        drop(timeout_at(self.deadline.into(), refresh).await);
        Ok(())
    }
}

/// Finds the key and the project, and checks that they belong together.
async fn admit(
    state: &AppState,
    request: &HttpRequest,
    resource: Resource,
    action: Action,
    deadline: Instant,
) -> Result<(Arc<Key>, i64), AdminError> {
    let presented = Presented::bearer(request.headers());
    let key = state.credentials.key(presented, deadline).await?;
    // A project's secret key opens other doors.
    let Some(own) = personal(&key) else {
        return Err(AdminError::Other(ApiError::InvalidPersonalKey));
    };
    let project = match request.match_info().get("project") {
        None | Some("@current") => own.project,
        Some(id) => ProjectId(id.parse().map_err(|_no_number| AdminError::NOT_FOUND)?),
    };
    // That there is such a project is for nobody else to know.
    if project != own.project {
        return Err(AdminError::NOT_FOUND);
    }
    own.scopes.require(resource, action)?;
    Ok((key, project.0))
}

fn personal(key: &Key) -> Option<&PersonalKey> {
    match key {
        Key::Personal(key) => Some(key),
        Key::Secret { .. } => None,
    }
}

/// Does what takes a while, beside the threads that serve.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AdminError> + Send + 'static,
) -> Result<T, AdminError> {
    match web::block(work).await {
        Ok(done) => done,
        Err(error) => {
            tracing::error!(%error, "a request to the admin API could not be worked on");
            Err(AdminError::Other(ApiError::Internal))
        }
    }
}

/// Returns an answer that no cache keeps.
pub(super) fn answer(status: StatusCode, body: &impl Serialize) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((CACHE_CONTROL, "no-store"))
        .json(body)
}
