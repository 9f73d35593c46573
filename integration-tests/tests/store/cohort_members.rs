//! Members of static cohorts: read in pages, read again one by one, and told of in `changes`.

use crate::fixture::*;
use burgee_integration_tests::postgres::TestDatabase;
use burgee_schema::models::*;
use burgee_schema::{Store, WriteTransaction};

on_both!(
    a_cohort_is_read_in_pages,
    single_memberships_are_read_again,
    changes_name_the_persons,
    many_persons_are_not_named,
);

fn member(distinct_id: &str, cohorts: &[i64]) -> FullPerson {
    FullPerson {
        static_cohorts: cohorts.to_vec(),
        ..person(&[distinct_id])
    }
}

/// Cohorts 3 and 5; `people` are inserted in one transaction.
async fn store_with(database: &TestDatabase, people: &[FullPerson]) -> (Store, Vec<i64>) {
    let store = store_with_project(database).await;
    let mut ids = Vec::new();
    write(&store, async |write| {
        write.put_cohort(&cohort(3)).await.unwrap();
        write.put_cohort(&cohort(5)).await.unwrap();
        ids = write.insert_persons(people).await.unwrap();
    })
    .await;
    (store, ids)
}

async fn a_cohort_is_read_in_pages(database: TestDatabase) {
    let people: Vec<FullPerson> = (0..25)
        .map(|n| member(&format!("u{n}"), if n % 2 == 0 { &[3, 5] } else { &[5] }))
        .collect();
    let (store, ids) = store_with(&database, &people).await;
    let expected: Vec<i64> = ids.iter().copied().step_by(2).collect();
    let (mut seen, mut sizes, mut after) = (Vec::new(), Vec::new(), i64::MIN);
    loop {
        let page = store.cohort_members_after(1, 3, after, 5).await.unwrap();
        sizes.push(page.len());
        let Some(last) = page.last() else { break };
        after = *last;
        seen.extend(page);
    }
    assert_eq!((seen, sizes), (expected, vec![5, 5, 3, 0]));
    for (project, cohort) in [(2, 3), (1, 99)] {
        let page = store.cohort_members_after(project, cohort, 0, 5).await;
        assert_eq!(page.unwrap(), [0; 0]);
    }
}

async fn single_memberships_are_read_again(database: TestDatabase) {
    let people = [member("a", &[3, 5]), member("b", &[5]), member("c", &[])];
    let (store, ids) = store_with(&database, &people).await;
    let pair = |cohort_id, person: usize| Membership {
        cohort_id,
        person_id: ids[person],
    };
    let asked = [pair(3, 0), pair(3, 1), pair(5, 1), pair(5, 2), pair(9, 0)];
    let mut found = store.existing_memberships(&asked).await.unwrap();
    found.sort();
    assert_eq!(found, [pair(3, 0), pair(5, 1)]);
    assert_eq!(store.existing_memberships(&[]).await.unwrap(), []);
}

/// What a transaction tells of memberships, in order.
async fn told(store: &Store, work: impl AsyncFnOnce(&mut WriteTransaction)) -> Vec<ChangedMembers> {
    let before = store.latest_sequence().await.unwrap();
    write(store, work).await;
    let changes = store.changes_after(before, 1_000).await.unwrap();
    changes.iter().filter_map(ChangeRow::members).collect()
}

async fn changes_name_the_persons(database: TestDatabase) {
    let people = [member("a", &[3, 5]), member("b", &[5]), member("c", &[])];
    let (store, ids) = store_with(&database, &people).await;
    let of = |cohort_id, people: &[usize]| ChangedMembers::Persons {
        cohort_id,
        person_ids: people.iter().map(|n| ids[*n]).collect(),
    };
    let replaced = |n: usize, cohorts: &[i64]| {
        let mut whole = member(&format!("new-{n}"), cohorts);
        whole.person.id = ids[n];
        whole
    };
    let left_and_came = told(&store, async |write| {
        write.replace_person(&replaced(1, &[3])).await.unwrap();
        write.replace_person(&replaced(0, &[3])).await.unwrap();
    });
    assert_eq!(left_and_came.await, [of(5, &[0, 1]), of(3, &[0, 1])]);
    let gone = told(&store, async |write| {
        write.delete_person(1, ids[0]).await.unwrap();
        write.delete_person(1, ids[2]).await.unwrap();
        write.delete_person(2, ids[1]).await.unwrap();
    });
    assert_eq!(gone.await, [of(3, &[0])]);
    assert_eq!(
        store.cohort_members_after(1, 3, 0, 9).await.unwrap(),
        [ids[1]]
    );
    let emptied = told(&store, async |write| {
        write.replace_person(&replaced(1, &[])).await.unwrap();
        write.delete_cohort(1, 3).await.unwrap();
    });
    assert_eq!(emptied.await, [ChangedMembers::Cohort(3)]);
}

async fn many_persons_are_not_named(database: TestDatabase) {
    let (store, _) = store_with(&database, &[]).await;
    for (count, named) in [(1_000, Some(1_000)), (1_001, None)] {
        let people: Vec<FullPerson> = (0..count)
            .map(|n| member(&format!("{count}-{n}"), &[5]))
            .collect();
        let told = told(&store, async |write| {
            write.insert_persons(&people).await.unwrap();
        });
        let told: Vec<Option<usize>> = told
            .await
            .into_iter()
            .map(|change| match change {
                ChangedMembers::Persons {
                    cohort_id: 5,
                    person_ids,
                } => Some(person_ids.len()),
                ChangedMembers::Cohort(5) => None,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(told, [named]);
    }
}
