//! What the database said about keys, for a short time: at most so many, one question per key however many wait for it.
//!
//! Kept by the digest of a key, never by the key. Knows neither the database nor what is kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

/// Digest → what is known. Nothing is kept of a question that failed.
pub(super) struct Cache<T> {
    entries: Mutex<HashMap<Box<str>, Entry<T>>>,
    most: usize,
    remembered_for: Duration,
}

struct Entry<T> {
    made_at: Instant,
    revision: u64,
    answer: Answer<T>,
}

/// Empty until one of those who wait for it has asked; `None` in it says that there is no such key.
type Answer<T> = Arc<OnceCell<Option<Arc<T>>>>;

impl<T> Entry<T> {
    fn is_current(&self, revision: u64, now: Instant, remembered_for: Duration) -> bool {
        self.revision == revision && now.duration_since(self.made_at) < remembered_for
    }

    fn is_of_a_key(&self) -> bool {
        matches!(self.answer.get(), Some(Some(_)))
    }
}

impl<T> Cache<T> {
    pub(super) fn new(most: usize, remembered_for: Duration) -> Self {
        Self {
            entries: Mutex::default(),
            most,
            remembered_for,
        }
    }

    /// Returns what is known since this revision, or asks. When the asker goes away the next one in line asks instead.
    pub(super) async fn get<E>(
        &self,
        digest: &str,
        revision: u64,
        question: impl Future<Output = Result<Option<T>, E>>,
    ) -> Result<Option<Arc<T>>, E> {
        let answer = self.answer(digest, revision, Instant::now());
        let asked = async { Ok(question.await?.map(Arc::new)) };
        answer.get_or_try_init(|| asked).await.cloned()
    }

    fn answer(&self, digest: &str, revision: u64, now: Instant) -> Answer<T> {
        // Held for a look-up, never while anybody waits.
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(digest)
            && entry.is_current(revision, now, self.remembered_for)
        {
            return Arc::clone(&entry.answer);
        }
        if entries.len() >= self.most {
            self.make_room(&mut entries, revision, now);
        }
        let answer = Answer::default();
        let entry = Entry {
            made_at: now,
            revision,
            answer: Arc::clone(&answer),
        };
        entries.insert(digest.into(), entry);
        answer
    }

    /// Drops what is over, then what is no key: those who try keys out must not cost the others theirs.
    fn make_room(&self, entries: &mut HashMap<Box<str>, Entry<T>>, revision: u64, now: Instant) {
        entries.retain(|_, entry| entry.is_current(revision, now, self.remembered_for));
        if entries.len() >= self.most {
            entries.retain(|_, entry| entry.is_of_a_key());
        }
        if entries.len() >= self.most {
            entries.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cache;
    use std::cell::Cell;
    use std::time::{Duration, Instant};

    const LONG: Duration = Duration::from_secs(3600);

    /// Counts the questions that reach the database, which knows one key.
    #[derive(Default)]
    struct Database {
        asked: Cell<usize>,
    }

    impl Database {
        async fn ask(&self, digest: &str) -> Result<Option<u8>, &'static str> {
            self.asked.set(self.asked.get() + 1);
            match digest {
                "away" => Err("away"),
                digest => Ok(digest.starts_with("known").then_some(7)),
            }
        }
    }

    async fn get(
        cache: &Cache<u8>,
        database: &Database,
        digest: &str,
        revision: u64,
    ) -> Result<Option<u8>, &'static str> {
        let found = cache.get(digest, revision, database.ask(digest)).await;
        found.map(|key| key.map(|key| *key))
    }

    #[tokio::test]
    async fn a_key_is_asked_for_once_in_each_revision() {
        let (cache, database) = (Cache::new(10, LONG), Database::default());
        for (digest, revision, expected, asked) in [
            ("known", 1, Some(7), 1),
            ("known", 1, Some(7), 1),
            ("nobody", 1, None, 2),
            ("nobody", 1, None, 2),
            ("known", 2, Some(7), 3),
            ("known", 2, Some(7), 3),
        ] {
            let found = get(&cache, &database, digest, revision).await;
            assert_eq!(
                (found, database.asked.get()),
                (Ok(expected), asked),
                "{digest} {revision}"
            );
        }
    }

    #[tokio::test]
    async fn a_failure_is_not_remembered() {
        let (cache, database) = (Cache::new(10, LONG), Database::default());
        for asked in 1..=3 {
            assert_eq!(get(&cache, &database, "away", 1).await, Err("away"));
            assert_eq!(database.asked.get(), asked);
        }
    }

    #[tokio::test]
    async fn an_answer_counts_for_its_time() {
        let (cache, database) = (Cache::new(10, LONG), Database::default());
        get(&cache, &database, "known", 1).await.unwrap();
        let now = Instant::now();
        let is_known = |at| cache.answer("known", 1, at).get().is_some();
        assert!(is_known(now + LONG / 2));
        assert!(!is_known(now + LONG));
    }

    #[tokio::test]
    async fn those_who_wait_share_one_question() {
        let (cache, database) = (Cache::new(10, LONG), Database::default());
        let slow = async {
            tokio::task::yield_now().await;
            database.ask("known").await
        };
        let first = cache.get("known", 1, slow);
        let second = cache.get("known", 1, database.ask("known"));
        let (first, second) = tokio::join!(first, second);
        assert_eq!((first, second), (Ok(Some(7.into())), Ok(Some(7.into()))));
        assert_eq!(database.asked.get(), 1);
    }

    #[tokio::test]
    async fn unknown_keys_do_not_push_known_ones_out() {
        let (cache, database) = (Cache::new(8, LONG), Database::default());
        for known in ["known-1", "known-2"] {
            get(&cache, &database, known, 1).await.unwrap();
        }
        for number in 0..100 {
            let digest = format!("nobody-{number}");
            assert_eq!(get(&cache, &database, &digest, 1).await, Ok(None));
            assert!(cache.entries.lock().unwrap().len() <= 8);
        }
        let asked = database.asked.get();
        for known in ["known-1", "known-2"] {
            assert_eq!(get(&cache, &database, known, 1).await, Ok(Some(7)));
        }
        assert_eq!(database.asked.get(), asked);
    }
}
