use super::{Load, PersonLoader};
use crate::courier::Reply;
use crate::mailbox::Mailbox;
use crate::metrics::Metrics;
use crate::tests::store;
use actix::Actor;
use burgee_schema::models::Lookup;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn load(
    distinct_id: &str,
    deadline: Instant,
) -> (Load, tokio::sync::oneshot::Receiver<super::Answer>) {
    let (reply, answer) = Reply::channel(None);
    let lookup = Lookup {
        project_id: 1,
        distinct_id: distinct_id.into(),
        state: true,
        ..Lookup::default()
    };
    (
        Load {
            lookup,
            deadline,
            posted_at: Instant::now(),
            reply,
        },
        answer,
    )
}

#[actix::test]
async fn what_waits_at_the_same_moment_is_one_batch() {
    let (store, _directory) = store().await;
    let mut registry = Registry::default();
    let metrics = Arc::new(Metrics::register(&mut registry, store.clone()));
    let actor = PersonLoader::new(store, 256, Arc::default(), Arc::clone(&metrics));
    let loader = Mailbox::new(actor.start(), metrics.mailbox("person_loader", 0, 256));
    loader.ready().await;

    // The actor lives on this thread: it cannot run before all of these are posted.
    let soon = Instant::now() + Duration::from_secs(60);
    let mut answers = Vec::new();
    for n in 0..100 {
        let (message, answer) = load(&format!("id-{n}"), soon);
        loader.post(message).unwrap();
        answers.push(answer);
    }
    let (late, late_answer) = load("late", Instant::now());
    loader.post(late).unwrap();
    let (gone, _) = load("gone", soon);
    loader.post(gone).unwrap();

    for answer in answers {
        assert_eq!(answer.await.unwrap().unwrap().person, None);
    }
    assert!(late_answer.await.is_err());
    assert_eq!(metrics.lookups_late.get(), 2);
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    assert!(
        text.contains("burgee_loader_batch_size_count 1\n"),
        "{text}"
    );
    assert!(
        text.contains("burgee_loader_batch_size_sum 100.0\n"),
        "{text}"
    );
}
