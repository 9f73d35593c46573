//! Memory and file descriptors: what the settings allow themselves against what there is.

use super::Finding;
use crate::config::ServeConfig;
use burgee_actors::Durability;

const MEMORY: &str = "memory";
const DESCRIPTORS: &str = "file descriptors";

/// What a server takes that holds nothing yet, in bytes: program, threads, buffers, a few thousand flags.
const BASE: u64 = 96 << 20;
/// Descriptors of everything but connections: listeners, event loops, log, snapshots.
const OTHERS: u64 = 64;
/// With fewer connections than this nobody can be served sensibly.
const FEWEST: u64 = 128;

/// Says whether what may be filled fits, of `available` bytes; `None` when that is not known.
pub(super) fn judge_memory(config: &ServeConfig, available: Option<u64>) -> Finding {
    let cohorts = bytes(config.cohort_cache_bytes);
    let events = match config.events.durability {
        Durability::Off => 0,
        _ => bytes(config.events.queue_bytes),
    };
    let wanted = BASE + cohorts + events;
    let needs = format!(
        "up to about {} MiB ({} for cohorts, {} for events)",
        mib(wanted),
        mib(cohorts),
        mib(events)
    );
    let Some(available) = available else {
        return Finding::skip(MEMORY, format!("{needs}; how much there is cannot be read"));
    };
    let found = format!("{needs} of {} MiB", mib(available));
    let fix = format!(
        "allow {} MiB, or lower --cohort-cache-bytes (BURGEE_COHORT_CACHE_BYTES) or --event-queue-bytes",
        mib(wanted + wanted / 4)
    );
    if wanted > available {
        Finding::fail(MEMORY, found, fix)
    } else if wanted > available / 5 * 4 {
        Finding::warn(MEMORY, found, fix)
    } else {
        Finding::ok(MEMORY, found)
    }
}

/// Says whether as many connections may be open as the settings allow. A server raises the soft limit to the hard one, so
/// that is the one that counts.
pub(super) fn judge_descriptors(config: &ServeConfig, hard_limit: Option<u64>) -> Finding {
    let workers = u64::try_from(config.budget.http_workers).unwrap_or(u64::MAX);
    let connections = workers.saturating_mul(bytes(config.max_connections));
    let database = u64::from(config.pool.max_size) + super::postgres::beside_pool(config);
    let wanted = connections.saturating_add(database + OTHERS);
    let needs =
        format!("{wanted} for {connections} connections of clients and {database} of the database");
    let Some(limit) = hard_limit else {
        return Finding::ok(DESCRIPTORS, format!("{needs}; no limit"));
    };
    let found = format!("{needs}, of at most {limit}");
    let room = limit.saturating_sub(database + OTHERS);
    if wanted <= limit {
        return Finding::ok(DESCRIPTORS, found);
    }
    if room < FEWEST {
        let fix = format!("raise the limit (ulimit -n, LimitNOFILE) to at least {wanted}");
        return Finding::fail(DESCRIPTORS, found, fix);
    }
    let each = room / workers.max(1);
    let fix = format!(
        "raise the limit (ulimit -n, LimitNOFILE) to {wanted}, or set --max-connections (BURGEE_MAX_CONNECTIONS) to {each}"
    );
    Finding::warn(DESCRIPTORS, found, fix)
}

fn bytes(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn mib(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;
    use crate::doctor::testing::{expect, settings};

    #[test]
    fn memory() {
        let usual = settings(&[]);
        let lean = settings(&["--cohort-cache-bytes=0", "--events=off"]);
        let all = 96 + 256 + 64;
        expect(
            &judge_memory(&usual, Some(4 << 30)),
            State::Ok,
            &["416 MiB", "4096 MiB"],
        );
        expect(
            &judge_memory(&usual, Some((all + 10) << 20)),
            State::Warn,
            &["allow 520 MiB"],
        );
        let short = judge_memory(&usual, Some(128 << 20));
        expect(
            &short,
            State::Fail,
            &["128 MiB", "BURGEE_COHORT_CACHE_BYTES"],
        );
        expect(
            &judge_memory(&lean, Some(128 << 20)),
            State::Ok,
            &["96 MiB"],
        );
        expect(&judge_memory(&usual, None), State::Skip, &["416"]);
    }

    #[test]
    fn descriptors() {
        let config = settings(&[
            "--http-workers=2",
            "--max-connections=1000",
            "--pool-size=10",
        ]);
        let wanted = 2_000 + 20 + 64;
        expect(&judge_descriptors(&config, None), State::Ok, &["no limit"]);
        expect(
            &judge_descriptors(&config, Some(wanted)),
            State::Ok,
            &["2084"],
        );
        let few = judge_descriptors(&config, Some(1024));
        expect(
            &few,
            State::Warn,
            &["1024", "2084", "BURGEE_MAX_CONNECTIONS) to 470"],
        );
        expect(
            &judge_descriptors(&config, Some(64)),
            State::Fail,
            &["64", "ulimit -n"],
        );
    }
}
