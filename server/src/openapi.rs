//! The OpenAPI document of everything that answers over HTTP: put together once from what the routes say of themselves, and served
//! as bytes.
//!
//! What a route takes and answers stands beside its handler (`routes::describe`); the examples of errors are the errors
//! themselves, written by the code that answers with them. Here is only what all of them share.

mod fault;
mod operation;
pub mod schemas;
#[cfg(test)]
mod tests;

pub(crate) use fault::Fault;
pub(crate) use operation::{Credential, Operation, Tag, header, needed_query, path, query};

use crate::routes;
use burgee_actors::tag_of;
use bytes::Bytes;
use utoipa::openapi::path::{PathItem, PathsBuilder};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    ComponentsBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, ServerBuilder,
};

const TITLE: &str = "Burgee";

const ABOUT: &str = "Evaluates feature flags for the SDKs of PostHog and for the OpenFeature remote evaluation protocol.

Every path also answers with a slash at its end, and none redirects. Where GET is described, HEAD answers the same without a \
body, unless the path is a stream; OPTIONS names the methods of a path, and any other method is answered with 405 and `Allow`. A path that is \
not listed here is answered with 404, a head that is too large with 431. Every answer may be read from other origins, and has the id \
of its request in `X-Request-Id`.

A project's public token is no secret and stands in the body, in the path or in the query. Secret keys and personal keys are \
sent as `Authorization: Bearer`.";

/// The document, ready to be sent.
#[derive(Debug, Clone)]
pub struct Document {
    body: Bytes,
    tag: Box<str>,
}

impl Document {
    /// Writes it for a server under this (normal) base path.
    pub fn new(base_path: &str) -> serde_json::Result<Self> {
        let body: Bytes = describe(base_path).to_json()?.into();
        Ok(Self {
            tag: tag_of(&body),
            body,
        })
    }

    /// Returns its bytes; they are shared.
    pub fn body(&self) -> Bytes {
        self.body.clone()
    }

    /// Returns the tag of its content, without quotes.
    pub fn tag(&self) -> &str {
        &self.tag
    }
}

/// Returns the document for a server under this (normal) base path.
pub fn describe(base_path: &str) -> OpenApi {
    let mut components = ComponentsBuilder::new();
    for it in Credential::ALL {
        components = components.security_scheme(it.name(), scheme(it));
    }
    let mut paths = PathsBuilder::new();
    for route in routes::described() {
        for operation in routes::describe(route) {
            let (method, described, schemas) = operation.finish();
            components = components.schemas_from_iter(schemas);
            paths = paths.path(route.template(), PathItem::new(method, described));
        }
    }
    let tags = Tag::ALL.map(|tag| {
        let described = TagBuilder::new().name(tag.name());
        described.description(Some(tag.about())).build()
    });
    let info = InfoBuilder::new()
        .title(TITLE)
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(
            LicenseBuilder::new()
                .name(env!("CARGO_PKG_LICENSE"))
                .identifier(Some(env!("CARGO_PKG_LICENSE")))
                .build(),
        ));
    let url = if base_path.is_empty() { "/" } else { base_path };
    OpenApiBuilder::new()
        .info(info.build())
        .servers(Some([ServerBuilder::new().url(url).build()]))
        .paths(paths)
        .components(Some(components.build()))
        .tags(Some(tags))
        .build()
}

fn scheme(credential: Credential) -> SecurityScheme {
    let bearer = || {
        let http = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
        SecurityScheme::Http(http.description(Some(credential.about())).build())
    };
    let named = |name| ApiKeyValue::with_description(name, credential.about());
    match credential {
        Credential::Key | Credential::PersonalKey | Credential::ProjectToken => bearer(),
        Credential::ApiKey => SecurityScheme::ApiKey(ApiKey::Header(named("X-API-Key"))),
        Credential::TokenInQuery => SecurityScheme::ApiKey(ApiKey::Query(named("token"))),
    }
}
