//! What one method of one path takes and answers.

use super::fault::Fault;
use super::schemas;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{
    HttpMethod, Operation as Described, OperationBuilder, Parameter, ParameterBuilder, ParameterIn,
};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{Content, ContentBuilder, Ref, RefOr, Required, Schema};

/// Schemas by name.
pub(super) type Schemas = Vec<(String, RefOr<Schema>)>;

/// The groups in which operations are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tag {
    Flags,
    OpenFeature,
    Definitions,
    Browser,
    Events,
    Admin,
    Operations,
}

impl Tag {
    pub(super) const ALL: [Self; 7] = [
        Self::Flags,
        Self::OpenFeature,
        Self::Definitions,
        Self::Browser,
        Self::Events,
        Self::Admin,
        Self::Operations,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Flags => "flags",
            Self::OpenFeature => "openfeature",
            Self::Definitions => "definitions",
            Self::Browser => "browser",
            Self::Events => "events",
            Self::Admin => "admin",
            Self::Operations => "operations",
        }
    }

    pub(super) const fn about(self) -> &'static str {
        match self {
            Self::Flags => "Flags evaluated for a person and its groups.",
            Self::OpenFeature => {
                "The same in the words of the OpenFeature Remote Evaluation Protocol, version 0.3."
            }
            Self::Definitions => {
                "What servers need that evaluate flags themselves, and payloads of remote configuration."
            }
            Self::Browser => "What posthog-js asks for besides flags.",
            Self::Events => {
                "Events that change persons, groups and counters; all others are dropped."
            }
            Self::Admin => {
                "Flags, cohorts, persons and projects for people and their scripts. The same answers under `/api/environments`."
            }
            Self::Operations => "For those who run the server.",
        }
    }
}

/// How a request says who it is from. A project's token in a body is described there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credential {
    Key,
    PersonalKey,
    ProjectToken,
    ApiKey,
    TokenInQuery,
}

impl Credential {
    pub(super) const ALL: [Self; 5] = [
        Self::Key,
        Self::PersonalKey,
        Self::ProjectToken,
        Self::ApiKey,
        Self::TokenInQuery,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::PersonalKey => "personal_key",
            Self::ProjectToken => "project_token",
            Self::ApiKey => "api_key",
            Self::TokenInQuery => "token_in_query",
        }
    }

    pub(super) const fn about(self) -> &'static str {
        match self {
            Self::Key => {
                "A project's secret key (`phs_…`), or a personal key (`phx_…`) whose scopes allow it."
            }
            Self::PersonalKey => "A personal key (`phx_…`) whose scopes allow it.",
            Self::ProjectToken => "A project's public token (`phc_…`).",
            Self::ApiKey => "A project's public token, its secret key, or a personal key.",
            Self::TokenInQuery => "A project's public token, where a browser can set no header.",
        }
    }
}

/// One method of one path.
pub(crate) struct Operation {
    method: HttpMethod,
    described: OperationBuilder,
    body: Option<RequestBodyBuilder>,
    answers: BTreeMap<u16, Answer>,
    schemas: Schemas,
}

/// What is known of the answers with one status.
#[derive(Default)]
struct Answer {
    about: Vec<String>,
    headers: BTreeMap<&'static str, &'static str>,
    content: BTreeMap<String, Content>,
}

impl Operation {
    pub(crate) fn get(id: impl Into<String>, tag: Tag) -> Self {
        Self::new(HttpMethod::Get, id, tag)
    }

    pub(crate) fn post(id: impl Into<String>, tag: Tag) -> Self {
        Self::new(HttpMethod::Post, id, tag)
    }

    pub(crate) fn new(method: HttpMethod, id: impl Into<String>, tag: Tag) -> Self {
        Self {
            method,
            described: OperationBuilder::new()
                .operation_id(Some(id))
                .tag(tag.name()),
            body: None,
            answers: BTreeMap::new(),
            schemas: Schemas::new(),
        }
    }

    /// Says in a line, and then at length, what it does.
    pub(crate) fn about(mut self, summary: &str, description: &str) -> Self {
        self.described = self.described.summary(Some(summary));
        self.described = self.described.description(Some(description));
        self
    }

    /// Requires one of these credentials.
    pub(crate) fn secured(mut self, by: &[Credential]) -> Self {
        for credential in by {
            let none: [&str; 0] = [];
            let requirement = SecurityRequirement::new(credential.name(), none);
            self.described = self.described.security(requirement);
        }
        self
    }

    pub(crate) fn parameters(mut self, parameters: impl IntoIterator<Item = Parameter>) -> Self {
        for parameter in parameters {
            self.described = self.described.parameter(parameter);
        }
        self
    }

    /// Takes a body with this schema under any of these content types.
    pub(crate) fn takes<T: ToSchema>(mut self, types: &[&str], example: &Value) -> Self {
        let schema = self.refer::<T>();
        for content_type in types {
            self = self.takes_also(content_type, schema.clone(), example.clone());
        }
        self
    }

    /// Takes a body of one more content type.
    pub(crate) fn takes_also(
        mut self,
        content_type: &str,
        schema: impl Into<RefOr<Schema>>,
        example: Value,
    ) -> Self {
        let content = ContentBuilder::new()
            .schema(Some(schema))
            .example(Some(example));
        let body = self
            .body
            .unwrap_or_else(|| RequestBodyBuilder::new().required(Some(Required::True)));
        self.body = Some(body.content(content_type, content.build()));
        self
    }

    /// Says of the body what its schema does not.
    pub(crate) fn body_about(mut self, about: &str) -> Self {
        self.body = self.body.map(|body| body.description(Some(about)));
        self
    }

    /// Answers with JSON of this schema.
    pub(crate) fn answers<T: ToSchema>(mut self, status: u16, about: &str, example: Value) -> Self {
        let schema = self.refer::<T>();
        self.answers_with(status, about, "application/json", schema, example)
    }

    /// Answers with a generic type of others, whose name does not tell what it holds: its schema stands where it is used.
    pub(crate) fn answers_generic<T: ToSchema, Of: ToSchema>(
        mut self,
        status: u16,
        about: &str,
        example: Value,
    ) -> Self {
        self.refer::<Of>();
        self.answers_with(status, about, "application/json", T::schema(), example)
    }

    /// Answers with a text of some type.
    pub(crate) fn answers_text(
        self,
        status: u16,
        about: &str,
        content_type: &str,
        example: &str,
    ) -> Self {
        self.answers_with(status, about, content_type, schemas::text(), example.into())
    }

    fn answers_with(
        mut self,
        status: u16,
        about: &str,
        content_type: &str,
        schema: impl Into<RefOr<Schema>>,
        example: Value,
    ) -> Self {
        let content = ContentBuilder::new()
            .schema(Some(schema))
            .example(Some(example));
        let answer = self.answers.entry(status).or_default();
        answer.about.push(about.to_owned());
        answer
            .content
            .insert(content_type.to_owned(), content.build());
        self
    }

    /// Answers without a body.
    pub(crate) fn answers_nothing(mut self, status: u16, about: &str) -> Self {
        let answer = self.answers.entry(status).or_default();
        answer.about.push(about.to_owned());
        self
    }

    /// Answers of this status have this header.
    pub(crate) fn with_header(
        mut self,
        status: u16,
        name: &'static str,
        about: &'static str,
    ) -> Self {
        let answer = self.answers.entry(status).or_default();
        answer.headers.insert(name, about);
        self
    }

    /// May answer with these errors; those with a body of JSON have this schema.
    pub(crate) fn fails<T: ToSchema>(mut self, faults: impl IntoIterator<Item = Fault>) -> Self {
        let schema = self.refer::<T>();
        for fault in faults {
            let answer = self.answers.entry(fault.status).or_default();
            answer.about.push(fault.about.clone());
            if fault.has_retry_after {
                answer
                    .headers
                    .insert("Retry-After", "When to try again, in seconds.");
            }
            let schema = match fault.content_type.as_str() {
                "application/json" => schema.clone(),
                _ => schemas::text().into(),
            };
            let content = answer.content.entry(fault.content_type);
            let content = content.or_insert_with(|| Content::new(Some(schema)));
            let example = ExampleBuilder::new()
                .summary(fault.about)
                .value(Some(fault.body));
            content
                .examples
                .insert(fault.name.to_owned(), example.into());
        }
        self
    }

    /// Names a schema, and sees to it that the document has it.
    fn refer<T: ToSchema>(&mut self) -> RefOr<Schema> {
        T::schemas(&mut self.schemas);
        self.schemas.push((T::name().into_owned(), T::schema()));
        Ref::from_schema_name(T::name()).into()
    }

    pub(super) fn finish(self) -> (HttpMethod, Described, Schemas) {
        let mut described = self.described;
        described = described.request_body(self.body.map(|body| body.build()));
        for (status, answer) in self.answers {
            described = described.response(status.to_string(), answer.build());
        }
        (self.method, described.build(), self.schemas)
    }
}

impl Answer {
    fn build(self) -> Response {
        let mut response = ResponseBuilder::new().description(sentence(&self.about));
        for (content_type, content) in self.content {
            response = response.content(content_type, content);
        }
        for (name, about) in self.headers {
            let header = HeaderBuilder::new().schema(Some(schemas::text()));
            response = response.header(name, header.description(Some(about)).build());
        }
        response.build()
    }
}

/// Puts what is said of one status into a line, each thing once.
fn sentence(parts: &[String]) -> String {
    let mut seen: Vec<&str> = Vec::new();
    for part in parts {
        if !seen.contains(&part.as_str()) {
            seen.push(part);
        }
    }
    seen.join("; ")
}

/// A parameter of the query.
pub(crate) fn query(name: &str, schema: impl Into<RefOr<Schema>>, about: &str) -> Parameter {
    parameter(ParameterIn::Query, name, schema, about).build()
}

/// A parameter of the query without which nothing can be done.
pub(crate) fn needed_query(
    name: &str,
    schema: impl Into<RefOr<Schema>>,
    about: &str,
    example: &str,
) -> Parameter {
    let parameter = parameter(ParameterIn::Query, name, schema, about);
    let parameter = parameter.required(Required::True);
    parameter.example(Some(example.into())).build()
}

/// A header of the request.
pub(crate) fn header(name: &str, schema: impl Into<RefOr<Schema>>, about: &str) -> Parameter {
    parameter(ParameterIn::Header, name, schema, about).build()
}

/// A part of the path.
pub(crate) fn path(name: &str, about: &str, example: &str) -> Parameter {
    let parameter = parameter(ParameterIn::Path, name, schemas::filled(), about);
    let parameter = parameter.required(Required::True);
    parameter.example(Some(example.into())).build()
}

fn parameter(
    place: ParameterIn,
    name: &str,
    schema: impl Into<RefOr<Schema>>,
    about: &str,
) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(Required::False)
        .schema(Some(schema))
        .description(Some(about))
}
