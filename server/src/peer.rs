//! Another HTTP server that is asked: its URL, a pool of connections kept alive, a deadline for every wait.
//!
//! HTTP/1.1 over TCP or TLS. Redirects are answers like any other, and nothing is sent that the caller did not say.

mod url;

pub use url::{NotAPeerUrl, PeerUrl};

use burgee_schema::{Roots, Trust, TrustError};
use bytes::{Bytes, BytesMut};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::{HeaderMap, Method, Request, Response, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A body on its way out.
pub type Outgoing = UnsyncBoxBody<Bytes, io::Error>;

/// How connections to peers are made and kept.
#[derive(Debug, Clone, Copy)]
pub struct PoolLimits {
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long an idle connection is kept.
    pub idle_timeout: Duration,
    /// How many idle connections to one peer are kept.
    pub most_idle: usize,
}

/// Why a peer gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerFailure {
    /// No connection could be made.
    #[error("no connection could be made: {0}")]
    Connect(String),
    /// It took too long.
    #[error("it did not answer in time")]
    TimedOut,
    /// The connection broke, or what came is not HTTP.
    #[error("the exchange broke off: {0}")]
    Broken(String),
    /// The answer is longer than anyone waits for.
    #[error("the answer is longer than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
}

impl PeerFailure {
    /// Returns the word under which it is counted.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::TimedOut => "timed_out",
            Self::Broken(_) => "broken",
            Self::TooLarge { .. } => "too_large",
        }
    }
}

/// A request to a peer, whole: it can be sent more than once.
#[derive(Debug, Clone)]
pub struct Question {
    /// The method.
    pub method: Method,
    /// Path and query as they go behind the peer's own path.
    pub target: String,
    /// The headers, without those of a connection.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// An answer, whole.
#[derive(Debug, Clone)]
pub struct Exchanged {
    /// The status.
    pub status: u16,
    /// The headers as they came.
    pub headers: HeaderMap,
    /// The body as it came, encodings left alone.
    pub body: Bytes,
}

/// What connections are made with; the certificates of those who may vouch are read once.
#[derive(Debug, Clone)]
pub struct Connector {
    https: HttpsConnector<HttpConnector>,
    limits: PoolLimits,
}

impl Connector {
    /// Makes one. Only where a URL is https are those read who may vouch for it.
    pub fn new(urls: &[&PeerUrl], roots: Roots, limits: PoolLimits) -> Result<Self, TrustError> {
        let mut http = HttpConnector::new();
        http.set_connect_timeout(Some(limits.connect_timeout));
        http.set_nodelay(true);
        http.enforce_http(false);
        let tls = if urls.iter().any(|url| url.is_https()) {
            Trust::Host(roots).client_config()?
        } else {
            nobody()?
        };
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        Ok(Self { https, limits })
    }
}

/// Returns settings for TLS that believe nobody, for where it is not spoken.
fn nobody() -> Result<ClientConfig, TrustError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions()?;
    let roots = rustls::RootCertStore::empty();
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// One peer, with the connections of one thread: they live on the runtime that made them.
#[derive(Debug, Clone)]
pub struct Peer {
    url: PeerUrl,
    client: Client<HttpsConnector<HttpConnector>, Outgoing>,
}

impl Peer {
    /// Makes one. Nothing is connected yet.
    pub fn new(url: PeerUrl, connector: &Connector) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(connector.limits.idle_timeout)
            .pool_max_idle_per_host(connector.limits.most_idle)
            .build(connector.https.clone());
        Self { url, client }
    }

    /// Returns where it is.
    pub fn url(&self) -> &PeerUrl {
        &self.url
    }

    /// Asks, and reads the whole answer, all of it before the deadline.
    pub async fn exchange(
        &self,
        question: &Question,
        deadline: Instant,
        limit: usize,
    ) -> Result<Exchanged, PeerFailure> {
        let body = Full::new(question.body.clone()).map_err(|never| match never {});
        let begun = self.begin(
            question.method.clone(),
            &question.target,
            question.headers.clone(),
            body.boxed_unsync(),
            deadline,
        );
        let (parts, body) = begun.await?.into_parts();
        let read = tokio::time::timeout_at(deadline, collect(body, limit));
        let body = read.await.unwrap_or(Err(PeerFailure::TimedOut))?;
        Ok(Exchanged {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        })
    }

    /// Asks, and returns once the head of the answer is there; that must be before the deadline.
    pub async fn begin(
        &self,
        method: Method,
        target: &str,
        headers: HeaderMap,
        body: Outgoing,
        deadline: Instant,
    ) -> Result<Response<Incoming>, PeerFailure> {
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = self.uri(target)?;
        *request.headers_mut() = headers;
        match tokio::time::timeout_at(deadline, self.client.request(request)).await {
            Err(_elapsed) => Err(PeerFailure::TimedOut),
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) if error.is_connect() => {
                Err(PeerFailure::Connect(burgee_schema::chain(&error)))
            }
            Ok(Err(error)) => Err(PeerFailure::Broken(burgee_schema::chain(&error))),
        }
    }

    fn uri(&self, target: &str) -> Result<Uri, PeerFailure> {
        let joined = self.url.join(target);
        joined.ok_or_else(|| PeerFailure::Broken("the path cannot be asked for".to_owned()))
    }
}

async fn collect(mut body: Incoming, limit: usize) -> Result<Bytes, PeerFailure> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| PeerFailure::Broken(burgee_schema::chain(&error)))?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if whole.len() + data.len() > limit {
            return Err(PeerFailure::TooLarge { limit });
        }
        // Most answers are one piece, and are then not copied.
        if whole.is_empty() && body.is_end_stream() {
            return Ok(data);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}
