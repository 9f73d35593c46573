//! The baselines' way to a stored person: a connection from a pool, one query.

use anyhow::{Result, anyhow};
use burgee_evaluation::subject::{StoredPerson, StoredState};
use chrono::DateTime;
use diesel::prelude::*;
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod, bb8::Pool,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// As many as Burgee has.
const CONNECTIONS: u32 = 10;
/// Bounds of the histogram of waits: 5 µs, and twice as much each time.
const BOUNDS: u32 = 24;
const SMALLEST: Duration = Duration::from_micros(5);

diesel::table! {
    persons (id) {
        id -> BigInt,
        properties -> Text,
        created_at_microseconds -> BigInt,
    }
}

diesel::table! {
    person_distinct_ids (project_id, distinct_id) {
        project_id -> BigInt,
        distinct_id -> Text,
        person_id -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(persons, person_distinct_ids);

/// The pool, and how long its users waited.
pub(super) struct People {
    pool: Pool<AsyncPgConnection>,
    waits: Vec<AtomicU64>,
}

impl People {
    /// Opens all connections.
    pub(super) async fn connect(url: &str) -> Result<Self> {
        let mut config = ManagerConfig::default();
        config.recycling_method = RecyclingMethod::Fast;
        let manager = AsyncDieselConnectionManager::new_with_config(url, config);
        let pool = Pool::builder()
            .max_size(CONNECTIONS)
            .min_idle(CONNECTIONS)
            .test_on_check_out(false)
            .build(manager)
            .await?;
        Ok(Self {
            pool,
            waits: (0..BOUNDS).map(|_| AtomicU64::new(0)).collect(),
        })
    }

    /// Reads the person of a distinct id.
    pub(super) async fn look_up(&self, project: i64, distinct_id: &str) -> Result<StoredState> {
        let asked = Instant::now();
        let pooled = self.pool.get().await;
        self.count(asked.elapsed());
        let mut connection = pooled.map_err(|error| anyhow!("no connection: {error}"))?;
        let found: Option<(String, i64)> = persons::table
            .inner_join(
                person_distinct_ids::table.on(person_distinct_ids::person_id.eq(persons::id)),
            )
            .filter(person_distinct_ids::project_id.eq(project))
            .filter(person_distinct_ids::distinct_id.eq(distinct_id))
            .select((persons::properties, persons::created_at_microseconds))
            .get_result(&mut connection)
            .await
            .optional()?;
        // The connection is of use to others while the text is read.
        drop(connection);
        let person = found.map(|(properties, created)| {
            anyhow::Ok(StoredPerson {
                properties: serde_json::from_str(&properties)?,
                created_at: DateTime::from_timestamp_micros(created).unwrap_or_default(),
                static_cohorts: Default::default(),
            })
        });
        Ok(StoredState {
            person: person.transpose()?,
            ..StoredState::default()
        })
    }

    fn count(&self, wait: Duration) {
        let mut bound = SMALLEST;
        for (place, bucket) in self.waits.iter().enumerate() {
            if wait <= bound || place + 1 == self.waits.len() {
                bucket.fetch_add(1, Ordering::Relaxed);
                return;
            }
            bound *= 2;
        }
    }

    /// Returns the histogram of waits for a connection as Prometheus reads it.
    pub(super) fn acquire_waits(&self) -> String {
        let mut text = String::new();
        let (mut bound, mut sum) = (SMALLEST, 0);
        for bucket in &self.waits {
            sum += bucket.load(Ordering::Relaxed);
            let seconds = bound.as_secs_f64();
            let _ = writeln!(
                text,
                "baseline_pool_acquire_seconds_bucket{{le=\"{seconds}\"}} {sum}"
            );
            bound *= 2;
        }
        let _ = writeln!(
            text,
            "baseline_pool_acquire_seconds_bucket{{le=\"+Inf\"}} {sum}"
        );
        text
    }
}
