//! Following a project's definitions.

use super::*;
use crate::Revision;

/// Changes the one flag so that its content was never there before.
async fn change(store: &Store, version: i64) {
    let changed = FlagRow {
        version,
        ..flag(1, "a", NOBODY)
    };
    write(store, async |t| t.put_flag(&changed).await.unwrap()).await;
}

#[actix::test]
async fn whoever_follows_sees_the_newest_state() {
    let (store, _directory) = seeded().await;
    let system = start(&store).await;
    assert!(system.follow(ProjectId(7)).is_none());
    let mut first = system.follow(ProjectId(1)).unwrap();
    let before = first.borrow_and_update().revision;
    for version in 2..5 {
        change(&store, version).await;
        system.refresh(vec![ProjectId(1)]).await;
    }
    // However many changes there were: the last one is what is seen.
    first.changed().await.unwrap();
    let newest = Arc::clone(&first.borrow_and_update());
    let published = system.project("token", deadline()).await.unwrap().unwrap();
    assert_eq!(newest.revision, published.revision);
    assert_ne!(newest.revision.content, before.content);
    let second = system.follow(ProjectId(1)).unwrap();
    assert_eq!(second.borrow().revision, published.revision);
    // Nobody follows, there is a change, and somebody follows again.
    drop((first, second));
    change(&store, 5).await;
    system.refresh(vec![ProjectId(1)]).await;
    let published = system.project("token", deadline()).await.unwrap().unwrap();
    let again = system.follow(ProjectId(1)).unwrap();
    assert_eq!(again.borrow().revision, published.revision);
    assert_ne!(again.borrow().revision.content, newest.revision.content);
    system.stop();
}

#[actix::test]
async fn reading_the_same_again_is_the_same_content() {
    let (store, _directory) = seeded().await;
    let system = start(&store).await;
    let mut follow = system.follow(ProjectId(1)).unwrap();
    let before = follow.borrow_and_update().revision;
    system.refresh(vec![ProjectId(1)]).await;
    follow.changed().await.unwrap();
    assert_eq!(follow.borrow().revision.content, before.content);
    system.stop();
}

#[actix::test]
async fn a_revision_that_another_instance_has_is_waited_for() {
    let (store, _directory) = seeded().await;
    let system = start(&store).await;
    let project = system.project("token", deadline()).await.unwrap().unwrap();
    let has = project.revision;
    // What there is, or was before: no wait.
    for asked in [has, "0.0".parse().unwrap()] {
        let reached = system.reached(Arc::clone(&project), asked, Instant::now());
        assert_eq!(reached.await.revision, has, "{asked}");
    }
    // What never comes: no longer than the deadline.
    let never: Revision = format!("0.{}", i64::MAX).parse().unwrap();
    let soon = Instant::now() + Duration::from_millis(20);
    let reached = system.reached(Arc::clone(&project), never, soon).await;
    assert_eq!(reached.revision, has);
    // What comes in time.
    let written = has.to_string();
    let sequence: i64 = written.split_once('.').unwrap().1.parse().unwrap();
    let next: Revision = format!("0.{}", sequence + 1).parse().unwrap();
    let changing = async {
        change(&store, 2).await;
        system.refresh(vec![ProjectId(1)]).await;
    };
    let (reached, ()) = futures_util::join!(system.reached(project, next, deadline()), changing);
    assert!(reached.revision.is_at_least(next));
    assert_ne!(reached.revision.content, has.content);
    system.stop();
}
