use super::{MOST_WRITTEN, News};
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn what_was_written_is_forgotten_when_the_replica_has_it() {
    let now = Instant::now();
    let mut news = News::default();
    news.note(1, now);
    news.note(2, now + SECOND);
    news.become_fresh(now);
    assert_eq!(news.written.keys().collect::<Vec<_>>(), [&2]);
    // Written again meanwhile: the later moment counts.
    news.note(2, now + SECOND * 3);
    news.become_fresh(now + SECOND * 2);
    assert!(news.written.contains_key(&2));
    news.become_fresh(now + SECOND * 3);
    assert!(news.written.is_empty());
}

#[test]
fn too_much_to_remember_is_everything() {
    let now = Instant::now();
    let mut news = News::default();
    news.become_fresh(now);
    for id in 0..u64::try_from(MOST_WRITTEN).unwrap() {
        news.note(id, now + SECOND);
    }
    assert!(news.includes(news.all_written_at));
    news.note(7, now + SECOND * 2);
    assert_eq!(news.written.len(), MOST_WRITTEN, "it is known already");
    news.note(u64::MAX, now + SECOND * 3);
    assert_eq!(news.written.len(), 1);
    assert!(!news.includes(news.all_written_at));
    news.become_fresh(now + SECOND * 3);
    assert!(news.includes(news.all_written_at) && news.written.is_empty());
}

#[test]
fn near_is_a_question_of_time() {
    let now = Instant::now();
    let mut news = News::default();
    assert!(!news.is_near(SECOND, now), "nothing is known yet");
    assert!(!news.includes(Some(now)) && news.includes(None));
    news.become_fresh(now);
    for (later, expected) in [(0, true), (1, true), (2, false)] {
        assert_eq!(
            news.is_near(SECOND, now + SECOND * later),
            expected,
            "{later}"
        );
    }
}
