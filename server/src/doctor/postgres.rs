//! What a Postgres has to offer against what servers will ask of it.

use super::Finding;
use crate::config::ServeConfig;
use burgee_schema::diagnosis::{PostgresFacts, SchemaFacts};
use std::time::Duration;

pub(super) const DATABASE: &str = "database";
pub(super) const VERSION: &str = "database version";
pub(super) const LATENCY: &str = "database latency";
pub(super) const CLOCK: &str = "clock";
pub(super) const MIGRATIONS: &str = "migrations";
pub(super) const CONNECTIONS: &str = "database connections";
pub(super) const NOTIFICATIONS: &str = "notifications";

/// What cannot be said without a database.
pub(super) const DEPENDENT: [&str; 6] = [
    VERSION,
    LATENCY,
    CLOCK,
    MIGRATIONS,
    CONNECTIONS,
    NOTIFICATIONS,
];

/// The versions that are tested.
const VERSIONS: std::ops::RangeInclusive<u32> = 13..=17;
/// A question should not take longer.
const SLOW: Duration = Duration::from_millis(10);
/// Clocks that differ by more are reported, and by much more are a fault, in microseconds.
const CLOCK_OFF: i64 = 2_000_000;
const CLOCK_WRONG: i64 = 60_000_000;

/// Says what is to be said of a server that answers.
pub(super) fn judge(facts: &PostgresFacts, config: &ServeConfig, replicas: u32) -> Vec<Finding> {
    vec![
        reached(facts),
        version(facts.version),
        latency(&facts.round_trips, config.pool.query_timeout),
        clock(facts.clock_ahead_us, facts.clock_error_us),
        migrations(&facts.schema, config.migrate),
        connections(facts, config, replicas),
    ]
}

fn reached(facts: &PostgresFacts) -> Finding {
    let took = facts.connected_in.as_millis();
    if facts.is_read_only {
        let found = "it answers, but refuses to write";
        let fix = "point --database-url at the primary, and see that default_transaction_read_only is off";
        return Finding::fail(DATABASE, found, fix);
    }
    Finding::ok(
        DATABASE,
        format!("connected in {took} ms, and it can be written"),
    )
}

/// Says why there is no connection, and where to look.
pub(super) fn unreachable(cause: &str, target: &str) -> Finding {
    let hints = [
        (
            "password authentication failed",
            "correct user and password in --database-url",
        ),
        (
            "pg_hba.conf",
            "allow this host, user and database in the server's pg_hba.conf",
        ),
        (
            "does not exist",
            "correct --database-url, or create what it names (CREATE DATABASE, CREATE ROLE)",
        ),
        (
            "too many clients",
            "raise max_connections, or close connections of others",
        ),
        (
            "remaining connection slots",
            "raise max_connections, or close connections of others",
        ),
        (
            "Connection refused",
            "start Postgres there, and check host and port of --database-url; in a container localhost is the container itself",
        ),
        (
            "lookup address",
            "correct the host name in --database-url, or the name service",
        ),
        (
            "in time",
            "check host, port and firewalls between here and there",
        ),
    ];
    let hint = hints.iter().find(|(word, _)| cause.contains(word));
    let fix = hint.map_or("check --database-url (BURGEE_DATABASE_URL)", |(_, fix)| fix);
    Finding::fail(DATABASE, format!("{target}: {cause}"), fix)
}

fn version(version: u32) -> Finding {
    let found = format!("PostgreSQL {version}");
    let (oldest, newest) = (VERSIONS.start(), VERSIONS.end());
    if version < *oldest {
        let fix = format!("use PostgreSQL {oldest} to {newest}");
        Finding::fail(VERSION, found, fix)
    } else if version > *newest {
        let fix = format!("{oldest} to {newest} are tested; watch the log, or use one of them");
        Finding::warn(VERSION, found, fix)
    } else {
        Finding::ok(VERSION, found)
    }
}

/// Half of the questions take longer than the median.
pub(super) fn latency(round_trips: &[Duration], query_timeout: Duration) -> Finding {
    let mut sorted = round_trips.to_vec();
    sorted.sort_unstable();
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    let micros = median.as_micros();
    let (whole, hundredths) = (micros / 1_000, micros % 1_000 / 10);
    let found = format!("a question takes {whole}.{hundredths:02} ms");
    if median * 2 > query_timeout {
        let fix = format!(
            "bring the database nearer, or raise --query-timeout-ms (now {})",
            query_timeout.as_millis()
        );
        Finding::fail(LATENCY, found, fix)
    } else if median > SLOW {
        let fix =
            "bring the database nearer: every request for stored data waits for it at least twice";
        Finding::warn(LATENCY, found, fix)
    } else {
        Finding::ok(LATENCY, found)
    }
}

fn clock(ahead_us: i64, error_us: i64) -> Finding {
    // Only what is certain counts.
    let off = (ahead_us.abs() - error_us).max(0);
    let direction = if ahead_us < 0 { "behind" } else { "ahead of" };
    let found = format!(
        "the database's clock is {}.{:03} s {direction} this one",
        off / 1_000_000,
        off % 1_000_000 / 1_000
    );
    let fix = "synchronise both clocks (NTP): events, persons and changes carry times of either";
    if off > CLOCK_WRONG {
        Finding::fail(CLOCK, found, fix)
    } else if off > CLOCK_OFF {
        Finding::warn(CLOCK, found, fix)
    } else {
        Finding::ok(CLOCK, "the same as the database's, as far as can be told")
    }
}

pub(super) fn migrations(schema: &SchemaFacts, runs_them: bool) -> Finding {
    let (pending, unknown) = (&schema.pending, &schema.unknown);
    if !pending.is_empty() {
        let found = format!(
            "{} pending, from {} on",
            pending.len(),
            pending.first().map_or("", String::as_str)
        );
        return if runs_them {
            let fix = "nothing, if `burgee serve` may run them when it starts; else run `burgee migrate` before";
            Finding::warn(MIGRATIONS, found, fix)
        } else {
            Finding::fail(
                MIGRATIONS,
                found,
                "run `burgee migrate`: --no-migrate keeps the server from it",
            )
        };
    }
    if !unknown.is_empty() {
        let found = format!(
            "the database is newer than this program: it knows nothing of {}",
            unknown.join(", ")
        );
        return Finding::warn(MIGRATIONS, found, "use the newer program that ran them");
    }
    Finding::ok(MIGRATIONS, "all have run")
}

/// Returns how many connections a server holds beside its pool at most: for events, for changes, and for the admin API.
pub(super) fn beside_pool(config: &ServeConfig) -> u64 {
    let admin = u64::try_from(config.admin.most_connections()).unwrap_or(u64::MAX);
    admin.saturating_add(2)
}

fn connections(facts: &PostgresFacts, config: &ServeConfig, replicas: u32) -> Finding {
    let beside = beside_pool(config);
    let each = u64::from(config.pool.max_size) + beside;
    let wanted = each * u64::from(replicas);
    let most = u64::from(facts.max_connections);
    let free = most.saturating_sub(u64::from(facts.in_use));
    let found = format!(
        "{replicas} x {each} wanted ({} of the pool and {beside} beside it) of {most}, {free} free now",
        config.pool.max_size
    );
    let fits = (most / u64::from(replicas.max(1))).saturating_sub(beside);
    let fix = format!(
        "raise max_connections to {} or more, or set --pool-size (BURGEE_POOL_SIZE) to {} or less",
        (wanted + each) * 5 / 4,
        fits.max(1)
    );
    if wanted > most {
        Finding::fail(CONNECTIONS, found, fix)
    } else if wanted + each > most || wanted > free {
        let found =
            format!("{found}: a rolling restart, with one more server for a while, may not fit");
        Finding::warn(CONNECTIONS, found, fix)
    } else {
        Finding::ok(CONNECTIONS, found)
    }
}

/// `trip` is `None` when what was told did not arrive.
pub(super) fn notifications(
    sessions_change: bool,
    trip: Option<Duration>,
    poll: Duration,
) -> Finding {
    let fix = format!(
        "give Burgee a connection without a proxy, or with one that pools sessions: until then changes are seen by polling, each {} s",
        poll.as_secs()
    );
    if sessions_change {
        let found = "a proxy that pools transactions is in between: questions of one connection are answered by different sessions";
        return Finding::warn(NOTIFICATIONS, found, fix);
    }
    match trip {
        Some(trip) => Finding::ok(
            NOTIFICATIONS,
            format!("arrive after {} ms", trip.as_millis()),
        ),
        None => {
            let found =
                "what is told does not arrive: is a proxy that pools transactions in between?";
            Finding::warn(NOTIFICATIONS, found, fix)
        }
    }
}

#[cfg(test)]
mod tests;
