//! Many look-ups at once.

use crate::fixture::*;
use burgee_integration_tests::postgres::TestDatabase;
use burgee_schema::models::*;
use burgee_schema::{PoolConfig, Store};

on_both!(
    nothing_is_asked_for_nothing,
    what_is_wanted_is_found_and_nothing_else,
    a_thousand_look_ups_are_answered_in_order,
    memberships_are_read_for_those_who_want_them,
    unknown_and_impossible_keys_find_nothing,
);

fn lookup(distinct_id: &str) -> Lookup {
    Lookup {
        project_id: 1,
        distinct_id: distinct_id.to_owned(),
        state: true,
        memberships: true,
        ..Lookup::default()
    }
}

async fn nothing_is_asked_for_nothing(database: TestDatabase) {
    let store = store_with_project(&database).await;
    assert_eq!(store.look_up(&[]).await.unwrap(), []);
    let nothing = Lookup {
        state: false,
        ..lookup("a")
    };
    assert_eq!(store.look_up(&[nothing]).await.unwrap(), [Found::default()]);
}

fn overrides(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(flag, hash)| ((*flag).to_owned(), (*hash).to_owned()))
        .collect()
}

/// Ada (a1, a2) is in cohorts 3 and 5 and has two hash keys, Bob (b) has nothing, project 2 has its own a1.
async fn people(database: &TestDatabase) -> (Store, FoundPerson, FoundPerson) {
    let store = store_with_project(database).await;
    let mut ada = FullPerson {
        static_cohorts: vec![3, 5],
        hash_key_overrides: overrides(&[("g", "h2"), ("f", "h1")]),
        ..person(&["a1", "a2"])
    };
    ada.person.properties = r#"{"n": 5.0}"#.to_owned();
    let mut stranger = person(&["a1"]);
    stranger.person.project_id = 2;
    let mut ids = Vec::new();
    write(&store, async |write| {
        write.put_project(&project(2)).await.unwrap();
        write.put_cohort(&cohort(3)).await.unwrap();
        write.put_cohort(&cohort(5)).await.unwrap();
        ids = write
            .insert_persons(&[ada, person(&["b"]), stranger])
            .await
            .unwrap();
        write
            .put_groups(&[group(0, "acme", "{}"), group(1, "acme", r#"{"i": 1}"#)])
            .await
            .unwrap();
        write
            .put_group(&GroupRow {
                project_id: 2,
                ..group(0, "globex", "{}")
            })
            .await
            .unwrap();
    })
    .await;
    let found = |id, properties: &str, static_cohorts| FoundPerson {
        id,
        properties: properties.to_owned(),
        created_at: moment(),
        static_cohorts,
    };
    (
        store,
        found(ids[0], r#"{"n": 5.0}"#, vec![3, 5]),
        found(ids[1], "{}", vec![]),
    )
}

async fn what_is_wanted_is_found_and_nothing_else(database: TestDatabase) {
    let (store, ada, bob) = people(&database).await;
    let of_ada = Some(overrides(&[("f", "h1"), ("g", "h2")]));
    let hash_keys = |id: &str, anonymous: Option<&str>| Lookup {
        state: false,
        hash_keys: true,
        anonymous_id: anonymous.map(str::to_owned),
        ..lookup(id)
    };
    let keys = |of_distinct_id, of_anonymous_id| Found {
        hash_keys: FoundHashKeys {
            of_distinct_id,
            of_anonymous_id,
        },
        ..Found::default()
    };
    let person = |person: &FoundPerson| Found {
        person: Some(person.clone()),
        ..Found::default()
    };
    let groups = vec![
        (1, "acme".to_owned()),
        (0, "globex".to_owned()),
        (0, "acme".to_owned()),
    ];
    let found_groups = vec![(1, r#"{"i": 1}"#.to_owned()), (0, "{}".to_owned())];
    let cases = [
        (lookup("a1"), person(&ada)),
        (lookup("a2"), person(&ada)),
        (lookup("b"), person(&bob)),
        (lookup("c"), Found::default()),
        (
            Lookup {
                groups: groups.clone(),
                ..lookup("c")
            },
            Found {
                groups: found_groups,
                ..Found::default()
            },
        ),
        (
            Lookup {
                groups,
                state: false,
                ..lookup("a1")
            },
            Found::default(),
        ),
        (hash_keys("a1", None), keys(of_ada.clone(), None)),
        (hash_keys("b", None), keys(Some(vec![]), None)),
        (hash_keys("c", None), keys(None, None)),
        (
            hash_keys("b", Some("a2")),
            keys(Some(vec![]), of_ada.clone()),
        ),
        (
            hash_keys("a1", Some("a2")),
            keys(of_ada.clone(), of_ada.clone()),
        ),
        (hash_keys("a1", Some("c")), keys(of_ada.clone(), None)),
        (
            Lookup {
                anonymous_id: Some("a1".to_owned()),
                ..lookup("c")
            },
            Found::default(),
        ),
        (
            Lookup {
                project_id: 3,
                hash_keys: true,
                ..lookup("a1")
            },
            Found::default(),
        ),
    ];
    for (lookup, found) in &cases {
        let answer = store.look_up(std::slice::from_ref(lookup)).await.unwrap();
        assert_eq!(answer.as_slice(), std::slice::from_ref(found), "{lookup:?}");
    }
    let (lookups, all): (Vec<_>, Vec<_>) = cases.into_iter().unzip();
    assert_eq!(store.look_up(&lookups).await.unwrap(), all);
    let other_project = Lookup {
        project_id: 2,
        ..lookup("a1")
    };
    let stranger = store
        .look_up(&[other_project])
        .await
        .unwrap()
        .remove(0)
        .person
        .unwrap();
    assert!(stranger.id != ada.id && stranger.static_cohorts.is_empty());
}

async fn a_thousand_look_ups_are_answered_in_order(database: TestDatabase) {
    let store = store_with_project(&database).await;
    let names: Vec<String> = (0..300).map(|number| format!("user-{number}")).collect();
    let mut ids = Vec::new();
    write(&store, async |write| {
        let people: Vec<FullPerson> = names.iter().map(|name| person(&[name])).collect();
        ids = write.insert_persons(&people).await.unwrap();
    })
    .await;
    // Every person several times, and every fourth look-up for nobody.
    let wanted: Vec<usize> = (0..1_000).map(|number| number * 7 % 400).collect();
    let lookups: Vec<Lookup> = wanted
        .iter()
        .map(|number| Lookup {
            hash_keys: true,
            ..lookup(&format!("user-{number}"))
        })
        .collect();
    let found = store.look_up(&lookups).await.unwrap();
    let expected: Vec<Option<i64>> = wanted
        .iter()
        .map(|number| ids.get(*number).copied())
        .collect();
    let found_ids: Vec<Option<i64>> = found
        .iter()
        .map(|found| found.person.as_ref().map(|person| person.id))
        .collect();
    assert_eq!(found_ids, expected);
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.hash_keys.of_distinct_id, expected.map(|_| Vec::new()));
    }
}

async fn memberships_are_read_for_those_who_want_them(database: TestDatabase) {
    let (store, ada, _) = people(&database).await;
    let without = |id: &str| Lookup {
        memberships: false,
        ..lookup(id)
    };
    let lookups = [without("a1"), lookup("a1"), without("b"), lookup("a2")];
    let found = store.look_up(&lookups).await.unwrap();
    let cohorts: Vec<Vec<i64>> = found
        .into_iter()
        .map(|found| found.person.unwrap().static_cohorts)
        .collect();
    assert_eq!(cohorts, [vec![], vec![3, 5], vec![], vec![3, 5]]);
    assert_eq!(ada.static_cohorts, [3, 5]);
    // Nobody wants any: not even asked for.
    let found = store.look_up(&[without("a1")]).await.unwrap();
    assert_eq!(found[0].person.as_ref().unwrap().id, ada.id);
    assert_eq!(found[0].person.as_ref().unwrap().static_cohorts, [0; 0]);
}

async fn unknown_and_impossible_keys_find_nothing(database: TestDatabase) {
    let (store, ada, _) = people(&database).await;
    // Postgres refuses a whole statement for one of these texts: the neighbours must not notice.
    let odd = [
        "\0",
        "a1\0",
        "",
        "'; DROP TABLE persons; --",
        "{\"a\"}",
        "\\",
        "\u{1F600}",
        "a1 ",
    ];
    for text in odd {
        let strange = Lookup {
            hash_keys: true,
            anonymous_id: Some(text.to_owned()),
            groups: vec![(0, text.to_owned()), (9, "acme".to_owned())],
            ..lookup(text)
        };
        let found = store.look_up(&[strange, lookup("a1")]).await.unwrap();
        assert_eq!(found[0], Found::default(), "{text:?}");
        assert_eq!(found[1].person.as_ref(), Some(&ada), "{text:?}");
    }
}

#[tokio::test]
async fn postgres_prepares_one_statement_for_any_number() {
    let database = TestDatabase::private_postgres().unwrap();
    people(&database).await;
    // One connection, so that it is the one that prepared.
    let config = PoolConfig {
        max_size: 1,
        ..patient()
    };
    let store = Store::open(database.url(), config).await.unwrap();
    let server = database.server().unwrap();
    server
        .query("postgres", "ALTER SYSTEM SET log_statement = 'all'")
        .unwrap();
    server.query("postgres", "SELECT pg_reload_conf()").unwrap();
    // The setting reaches the store's connection some time between two of its statements.
    soon(async {
        while !server.log().unwrap().contains("SELECT max(") {
            store.latest_sequence().await.unwrap();
        }
    })
    .await;
    let mut statements = Vec::new();
    for count in [1, 10, 1_000] {
        let lookups: Vec<Lookup> = (0..count)
            .map(|number| Lookup {
                hash_keys: true,
                groups: vec![(0, format!("group-{number}"))],
                ..lookup(&format!("user-{number}"))
            })
            .collect();
        let before = server.log().unwrap().len();
        store.look_up(&lookups).await.unwrap();
        let log = server.log().unwrap();
        let executed: Vec<String> = log[before..]
            .lines()
            .filter_map(|line| line.split_once(" execute ")?.1.split_once(':'))
            .map(|(name, _)| name.to_owned())
            .collect();
        statements.push(executed);
    }
    assert_eq!(
        statements[0].len(),
        4,
        "{statements:?} {}",
        server.log().unwrap()
    );
    // The names of the prepared statements: the same ones each time.
    assert_eq!(statements[0], statements[1]);
    assert_eq!(statements[0], statements[2]);
    assert!(
        statements[0].iter().all(|name| name != "<unnamed>"),
        "{statements:?}"
    );
}
