//! Tells an OTLP endpoint of sampled requests: a bounded queue, and a thread that empties it in batches. No I/O thread ever waits
//! for either.

use super::metrics::TraceMetrics;
use super::span::Answered;
use super::{ServerSpan, TraceContext};
use crate::outgoing::{self, Target};
use burgee_schema::{Roots, Trust, chain};
use opentelemetry::KeyValue;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::EnvResourceDetector;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use prometheus_client::registry::Registry;
use rustls::ClientConfig;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Spans that may wait; further ones are dropped and counted.
const QUEUE: usize = 2048;
/// Spans that are sent at once.
const BATCH: usize = 512;
/// How long the first of a batch waits for others.
const GATHER: Duration = Duration::from_secs(1);
/// How long one batch may take, further attempts included.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Where traces go, and how many.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceConfig {
    /// The whole URL.
    pub endpoint: String,
    /// Which part of the requests that no caller has decided about is kept, 0 to 1.
    pub ratio: f64,
    /// As what this server is shown.
    pub service_name: String,
}

/// Traces cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The URL, or the certificates for it.
    #[error("the OTLP endpoint cannot be used")]
    Endpoint(#[from] io::Error),
    /// What the exporter says.
    #[error("traces cannot be exported")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
}

enum Message {
    Span(Box<SpanData>),
    Finish,
}

/// Decides which requests are told, and tells them. Shared by all HTTP workers.
pub struct Tracer {
    ratio: f64,
    queue: SyncSender<Message>,
    metrics: TraceMetrics,
    is_ending: Arc<AtomicBool>,
    ended: Mutex<Receiver<()>>,
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer").finish_non_exhaustive()
    }
}

impl Tracer {
    /// Starts the thread, and registers what it counts. Nothing is sent yet.
    pub fn start(config: &TraceConfig, registry: &mut Registry) -> Result<Self, TraceError> {
        let exporter = exporter(config)?;
        let metrics = TraceMetrics::register(registry);
        let (queue, waiting) = sync_channel(QUEUE);
        let (end, ended) = sync_channel(1);
        let is_ending = Arc::new(AtomicBool::new(false));
        let postman = Postman {
            waiting,
            exporter,
            metrics: metrics.clone(),
            is_ending: Arc::clone(&is_ending),
            is_failing: false,
        };
        let thread = std::thread::Builder::new().name("traces".to_owned());
        thread.spawn(move || {
            postman.run();
            // Nobody may be waiting any more.
            let _ = end.send(());
        })?;
        Ok(Self {
            ratio: config.ratio,
            queue,
            metrics,
            is_ending,
            ended: Mutex::new(ended),
        })
    }

    /// Begins the span of a request that is kept: as its caller decided, or by chance.
    pub fn begin(&self, parent: Option<TraceContext>) -> Option<ServerSpan> {
        let is_kept = match parent {
            Some(parent) => parent.is_sampled,
            None => rand::random::<f64>() < self.ratio,
        };
        is_kept.then(|| ServerSpan::begin(parent))
    }

    /// Ends a span and puts it into the queue. Never waits.
    pub fn end(&self, span: ServerSpan, answered: &Answered<'_>) {
        let span = Message::Span(Box::new(span.end(answered)));
        self.metrics.waiting.inc();
        match self.queue.try_send(span) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.metrics.waiting.dec();
                self.metrics.dropped.inc();
            }
        }
    }

    /// Sends what waits, and returns when that is done or the time is over.
    pub fn finish(&self, patience: Duration) {
        self.is_ending.store(true, Ordering::Release);
        // With a full queue there is no need to wake anybody.
        let _ = self.queue.try_send(Message::Finish);
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(patience) {
            let waiting = self.metrics.waiting.get();
            tracing::warn!(waiting, "some traces were not exported in time");
        }
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        self.is_ending.store(true, Ordering::Release);
    }
}

/// The thread.
struct Postman {
    waiting: Receiver<Message>,
    exporter: SpanExporter,
    metrics: TraceMetrics,
    is_ending: Arc<AtomicBool>,
    /// Whether the last batch could not be sent.
    is_failing: bool,
}

impl Postman {
    fn run(mut self) {
        let runtime = match tokio::runtime::Builder::new_current_thread().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                tracing::error!(%error, "traces cannot be exported");
                return;
            }
        };
        loop {
            let batch = self.gather();
            if !batch.is_empty() {
                let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
                let sent = runtime.block_on(self.exporter.export(batch));
                self.note(count, sent.err().as_ref());
            } else if self.is_ending.load(Ordering::Acquire) {
                return;
            }
        }
    }

    /// Waits for a first span and a moment longer for others. Empty when it is told to come to an end and nothing waits.
    fn gather(&self) -> Vec<SpanData> {
        let mut batch = Vec::new();
        let mut deadline = None;
        while batch.len() < BATCH {
            let is_ending = self.is_ending.load(Ordering::Acquire);
            let next = match deadline {
                _ if is_ending => self.waiting.try_recv().ok(),
                None => self.waiting.recv().ok(),
                Some(deadline) => {
                    let left = Instant::saturating_duration_since(&deadline, Instant::now());
                    self.waiting.recv_timeout(left).ok()
                }
            };
            match next {
                Some(Message::Span(span)) => {
                    self.metrics.waiting.dec();
                    batch.push(*span);
                    deadline = deadline.or_else(|| Some(Instant::now() + GATHER));
                }
                // What was put in front of it is there already.
                Some(Message::Finish) => {}
                None => break,
            }
        }
        batch
    }

    fn note(&mut self, count: u64, error: Option<&opentelemetry_sdk::error::OTelSdkError>) {
        match error {
            None => {
                self.metrics.exported.inc_by(count);
            }
            Some(error) => {
                self.metrics.failed.inc_by(count);
                // Once, until it works again: a collector that is away is no reason to fill the log.
                if !self.is_failing {
                    tracing::warn!(error = chain(error), "traces cannot be exported");
                }
            }
        }
        self.is_failing = error.is_some();
    }
}

fn exporter(config: &TraceConfig) -> Result<SpanExporter, TraceError> {
    let target = Target::parse(&config.endpoint)?;
    let tls = target.client_config(&Trust::Host(Roots::System))?;
    let mut exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(Client { tls })
        .with_endpoint(&config.endpoint)
        .with_protocol(Protocol::HttpBinary)
        .with_timeout(TIMEOUT)
        .build()?;
    // What the environment says of this instance, in OTEL_RESOURCE_ATTRIBUTES, comes on top.
    let resource = Resource::builder_empty()
        .with_detector(Box::new(EnvResourceDetector::new()))
        .with_service_name(config.service_name.clone())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    exporter.set_resource(&resource);
    Ok(exporter)
}

/// How the exporter talks to the endpoint: it blocks, on the thread that is there for it.
struct Client {
    tls: Option<Arc<ClientConfig>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    fn send(&self, request: &Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let target = Target::parse(&request.uri().to_string())?;
        let mut headers = String::new();
        for (name, value) in request.headers() {
            headers.push_str(&format!("{name}: {}\r\n", value.to_str()?));
        }
        let wanted = outgoing::Request {
            method: request.method().as_str(),
            headers: &headers,
            body: request.body(),
        };
        let status = outgoing::ask(&target, self.tls.as_ref(), wanted, TIMEOUT)?;
        Ok(Response::builder().status(status).body(Bytes::new())?)
    }
}

impl HttpClient for Client {
    fn send_bytes<'client, 'sending>(
        &'client self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'sending>>
    where
        'client: 'sending,
    {
        Box::pin(async move { self.send(&request) })
    }
}

#[cfg(test)]
mod tests;
