//! What a Postgres says of itself.

use super::SchemaFacts;
use crate::StoreError;
use crate::database_url::Target;
use crate::migrate;
use futures_util::StreamExt as _;
use futures_util::stream::poll_fn;
use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio_postgres::{AsyncMessage, Client, SimpleQueryMessage};

/// Questions of which the time is taken.
const ROUND_TRIPS: usize = 9;
/// A channel that nobody else listens to.
const CHANNEL: &str = "burgee_doctor";

/// Notifications that may wait to be looked at; further ones are not ours.
const HEARD: usize = 64;

/// A Postgres server, seen over one connection.
#[derive(Debug, Clone)]
pub struct PostgresFacts {
    /// How long connecting took.
    pub connected_in: Duration,
    /// How long each of a few questions took.
    pub round_trips: Vec<Duration>,
    /// Whether those were answered by different sessions, as behind a proxy that pools transactions.
    pub sessions_change: bool,
    /// The major version.
    pub version: u32,
    /// How many connections this user may have at most, together with all others.
    pub max_connections: u32,
    /// How many of them are in use by others.
    pub in_use: u32,
    /// How far the server's clock is ahead of ours, in microseconds.
    pub clock_ahead_us: i64,
    /// How wrong that may be, in microseconds.
    pub clock_error_us: i64,
    /// Whether it refuses to write, as a standby does.
    pub is_read_only: bool,
    /// What has run on it.
    pub schema: SchemaFacts,
}

/// Asks a server.
pub async fn look_at_postgres(url: &str) -> Result<PostgresFacts, StoreError> {
    let began = Instant::now();
    let (client, _) = connect(url).await?;
    let connected_in = began.elapsed();
    let mut round_trips = Vec::new();
    let mut sessions = BTreeSet::new();
    for _ in 0..ROUND_TRIPS {
        let began = Instant::now();
        sessions.insert(text(&client, "SELECT pg_backend_pid()").await?);
        round_trips.push(began.elapsed());
    }
    let (clock_ahead_us, clock_error_us) = clock(&client).await?;
    let version: u32 = number(&client, "SHOW server_version_num").await?;
    let is_read_only = text(&client, "SHOW transaction_read_only").await? == "on";
    Ok(PostgresFacts {
        connected_in,
        round_trips,
        sessions_change: sessions.len() > 1,
        version: version / 10_000,
        max_connections: number(&client, MAX_CONNECTIONS).await?,
        in_use: number(&client, IN_USE).await?,
        clock_ahead_us,
        clock_error_us,
        is_read_only,
        schema: schema(&client).await?,
    })
}

/// Those that ordinary users get, of the server, of this user and of this database: the smallest counts. A negative limit is
/// none.
const MAX_CONNECTIONS: &str = "SELECT min(least) FROM (
    SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true), '0')::int AS least
    UNION ALL SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user AND rolconnlimit >= 0
    UNION ALL SELECT datconnlimit FROM pg_database WHERE datname = current_database() AND datconnlimit >= 0
) AS limits";

/// Everybody may read this one. This connection is not counted.
const IN_USE: &str = "SELECT greatest(coalesce(sum(numbackends), 1) - 1, 0) FROM pg_stat_database";

/// Returns how far the server's clock is ahead, and half the time it took to ask.
async fn clock(client: &Client) -> Result<(i64, i64), StoreError> {
    let micros = || {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        i64::try_from(since.unwrap_or_default().as_micros()).unwrap_or(i64::MAX)
    };
    let before = micros();
    let sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint";
    let theirs: i64 = number(client, sql).await?;
    let error = (micros() - before) / 2;
    Ok((theirs - (before + error), error))
}

async fn schema(client: &Client) -> Result<SchemaFacts, StoreError> {
    let table = "SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL";
    let mut applied = BTreeSet::new();
    if text(client, table).await? == "t" {
        let versions = rows(client, "SELECT version FROM __diesel_schema_migrations").await?;
        applied.extend(versions);
    }
    Ok(SchemaFacts::compare(
        migrate::known_to_postgres()?,
        &applied,
    ))
}

/// Returns how long a notification takes from one session to another; `None` when it does not arrive within the limit.
pub async fn notification_trip(url: &str, limit: Duration) -> Result<Option<Duration>, StoreError> {
    let (listener, mut heard) = connect(url).await?;
    let (teller, _) = connect(url).await?;
    run(&listener, &format!("LISTEN {CHANNEL}")).await?;
    let began = Instant::now();
    // Several may be at it at the same time.
    let word = format!("{}-{:?}", std::process::id(), began);
    let word: String = word.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    run(&teller, &format!("NOTIFY {CHANNEL}, '{word}'")).await?;
    let arrives = async {
        while let Some(told) = heard.recv().await {
            if told == word {
                return Some(began.elapsed());
            }
        }
        None
    };
    Ok(tokio::time::timeout(limit, arrives).await.unwrap_or(None))
}

/// Connects; what is heard on channels comes out of the receiver. The session ends with the client.
async fn connect(url: &str) -> Result<(Client, mpsc::Receiver<String>), StoreError> {
    let Target::Postgres(server) = Target::parse(url)? else {
        return Err(StoreError::Config(
            "the URL is not that of a Postgres".to_owned(),
        ));
    };
    let connected = server.config.connect(server.tls).await;
    let (client, mut connection) =
        connected.map_err(|error| StoreError::Unavailable(Box::new(error)))?;
    let (tell, heard) = mpsc::channel(HEARD);
    tokio::spawn(async move {
        let mut messages = poll_fn(move |context| connection.poll_message(context));
        while let Some(Ok(message)) = messages.next().await {
            if let AsyncMessage::Notification(notification) = message {
                let _ = tell.try_send(notification.payload().to_owned());
            }
        }
    });
    Ok((client, heard))
}

async fn run(client: &Client, sql: &str) -> Result<(), StoreError> {
    client.batch_execute(sql).await.map_err(failed)
}

/// Returns the first column of all rows, without prepared statements: proxies may not know them.
async fn rows(client: &Client, sql: &str) -> Result<Vec<String>, StoreError> {
    let messages = client.simple_query(sql).await.map_err(failed)?;
    let first = |message| match message {
        SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
        _ => None,
    };
    Ok(messages.into_iter().filter_map(first).collect())
}

async fn text(client: &Client, sql: &str) -> Result<String, StoreError> {
    let mut rows = rows(client, sql).await?.into_iter();
    rows.next()
        .ok_or_else(|| StoreError::Query("an answer without rows".into()))
}

async fn number<T: std::str::FromStr>(client: &Client, sql: &str) -> Result<T, StoreError> {
    let text = text(client, sql).await?;
    text.parse()
        .map_err(|_not_a_number| StoreError::Query(format!("not a number: {text}").into()))
}

fn failed(error: tokio_postgres::Error) -> StoreError {
    if error.is_closed() {
        StoreError::Unavailable(Box::new(error))
    } else {
        StoreError::Query(Box::new(error))
    }
}
