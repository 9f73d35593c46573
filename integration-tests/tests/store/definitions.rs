//! Projects, flags, cohorts, group types and keys.

use crate::fixture::*;
use burgee_integration_tests::postgres::TestDatabase;
use burgee_schema::models::*;
use burgee_schema::write::LargestIds;

on_both!(
    a_projects_definitions_come_back_as_they_were_written,
    what_is_put_again_replaces_and_counts_versions,
    what_is_deleted_is_gone_but_its_id_is_not,
    other_projects_are_out_of_reach,
    keys_are_found_by_fingerprint,
    number_texts_survive,
    definitions_are_one_snapshot,
);

async fn a_projects_definitions_come_back_as_they_were_written(database: TestDatabase) {
    let store = store(&database).await;
    let full_project = ProjectRow {
        timezone: Some("Europe/Berlin".to_owned()),
        property_matching_version: Some(2),
        ..project(1)
    };
    let full_flag = FlagRow {
        name: Some("Größe".to_owned()),
        filters: r#"{"groups": [{"rollout_percentage": 5.0}]}"#.to_owned(),
        active: false,
        archived: true,
        ensure_experience_continuity: true,
        evaluation_runtime: Some("server".to_owned()),
        evaluation_contexts: Some(r#"["docs"]"#.to_owned()),
        bucketing_identifier: Some("device_id".to_owned()),
        has_experiment: true,
        is_remote_configuration: true,
        ..flag(7, "a b")
    };
    let full_cohort = CohortRow {
        is_static: false,
        filters: Some(r#"{"properties": {}}"#.to_owned()),
        groups: Some("[]".to_owned()),
        cohort_type: Some("realtime".to_owned()),
        condition_type: Some("AND".to_owned()),
        ..cohort(9)
    };
    let company = GroupTypeRow {
        project_id: 1,
        group_type_index: 1,
        name: "company".to_owned(),
    };
    let organization = GroupTypeRow {
        project_id: 1,
        group_type_index: 0,
        name: "organization".to_owned(),
    };
    write(&store, async |write| {
        write.put_project(&full_project).await.unwrap();
        write.put_project(&project(2)).await.unwrap();
        write.put_flag(&full_flag).await.unwrap();
        write.put_flag(&flag(3, "Z")).await.unwrap();
        write
            .put_flag(&FlagRow {
                project_id: 2,
                ..flag(4, "Z")
            })
            .await
            .unwrap();
        write.put_cohort(&full_cohort).await.unwrap();
        write.put_cohort(&cohort(5)).await.unwrap();
        write.put_group_type(&company).await.unwrap();
        write.put_group_type(&organization).await.unwrap();
    })
    .await;

    let rows = store.definitions(1).await.unwrap().unwrap();
    assert_eq!(rows.project, full_project);
    assert_eq!(rows.flags, [flag(3, "Z"), full_flag.clone()]);
    assert_eq!(rows.cohorts, [cohort(5), full_cohort.clone()]);
    assert_eq!(rows.group_types, [organization.clone(), company.clone()]);
    assert_eq!(rows.sequence, store.latest_sequence().await.unwrap());
    assert!(store.definitions(3).await.unwrap().is_none());
    assert_eq!(
        store.projects().await.unwrap(),
        [full_project.clone(), project(2)]
    );
    assert_eq!(
        store.project_by_token("token-2").await.unwrap(),
        Some(project(2))
    );
    assert_eq!(store.project_by_token("token-3").await.unwrap(), None);
    assert_eq!(store.project_by_token("token-2\0").await.unwrap(), None);

    write(&store, async |write| {
        assert_eq!(write.projects().await.unwrap(), [full_project, project(2)]);
        assert_eq!(write.flags(1).await.unwrap(), [flag(3, "Z"), full_flag]);
        assert_eq!(write.cohorts(1).await.unwrap(), [cohort(5), full_cohort]);
        assert_eq!(write.group_types(1).await.unwrap(), [organization, company]);
        assert_eq!(
            write.largest_ids().await.unwrap(),
            LargestIds {
                flag: 7,
                cohort: 9,
                project: 2
            }
        );
    })
    .await;
}

async fn what_is_put_again_replaces_and_counts_versions(database: TestDatabase) {
    let store = store_with_project(&database).await;
    for round in 1..=3 {
        let new_flag = FlagRow {
            version: 99,
            name: Some(round.to_string()),
            ..flag(1, &format!("flag-{round}"))
        };
        let new_cohort = CohortRow {
            name: (round < 3).then(|| round.to_string()),
            ..cohort(1)
        };
        let new_project = ProjectRow {
            token: format!("token-{round}"),
            timezone: None,
            ..project(1)
        };
        let new_type = GroupTypeRow {
            project_id: 1,
            group_type_index: 2,
            name: format!("type-{round}"),
        };
        write(&store, async |write| {
            write.put_project(&new_project).await.unwrap();
            write.put_flag(&new_flag).await.unwrap();
            write.put_cohort(&new_cohort).await.unwrap();
            write.put_group_type(&new_type).await.unwrap();
        })
        .await;
        let rows = store.definitions(1).await.unwrap().unwrap();
        assert_eq!(
            rows.flags,
            [FlagRow {
                version: round,
                ..new_flag
            }]
        );
        assert_eq!(rows.cohorts, [new_cohort]);
        assert_eq!(rows.project, new_project);
        assert_eq!(rows.group_types, [new_type]);
    }
}

async fn what_is_deleted_is_gone_but_its_id_is_not(database: TestDatabase) {
    let store = store_with_project(&database).await;
    write(&store, async |write| {
        write.put_flag(&flag(1, "a")).await.unwrap();
        write.put_cohort(&cohort(1)).await.unwrap();
        let member = FullPerson {
            static_cohorts: vec![1],
            ..person(&["ada"])
        };
        write.insert_person(&member).await.unwrap();
    })
    .await;
    write(&store, async |write| {
        write.delete_flag(1, 1).await.unwrap();
        write.delete_cohort(1, 1).await.unwrap();
        // The key is free again.
        write.put_flag(&flag(2, "a")).await.unwrap();
    })
    .await;
    let rows = store.definitions(1).await.unwrap().unwrap();
    assert_eq!(rows.flags, [flag(2, "a")]);
    assert_eq!(rows.cohorts, []);
    write(&store, async |write| {
        let people = write.persons_of(1, &["ada".to_owned()]).await.unwrap();
        assert_eq!(people[0].static_cohorts, [0; 0]);
        let ids = write.largest_ids().await.unwrap();
        assert_eq!((ids.flag, ids.cohort), (2, 1));
    })
    .await;
    let before = store.latest_sequence().await.unwrap();
    write(&store, async |write| {
        write.delete_flag(1, 1).await.unwrap();
        write.delete_cohort(1, 1).await.unwrap();
    })
    .await;
    assert_eq!(
        store.latest_sequence().await.unwrap(),
        before,
        "nothing changed"
    );
    // Two of one key are refused, and so is a deleted flag's id for another project.
    for bad in [
        flag(3, "a"),
        FlagRow {
            project_id: 2,
            ..flag(1, "b")
        },
    ] {
        let mut write = store.begin_write().await.unwrap();
        write.put_project(&project(2)).await.unwrap();
        write.put_flag(&bad).await.unwrap_err();
        write.roll_back().await.unwrap();
    }
}

async fn other_projects_are_out_of_reach(database: TestDatabase) {
    let store = store_with_project(&database).await;
    write(&store, async |write| {
        write.put_project(&project(2)).await.unwrap();
        write.put_flag(&flag(1, "a")).await.unwrap();
        write.put_cohort(&cohort(1)).await.unwrap();
        let id = write.insert_person(&person(&["ada"])).await.unwrap();
        write.put_group(&group(0, "acme", "{}")).await.unwrap();
        // The wrong project names nothing.
        write.delete_flag(2, 1).await.unwrap();
        write.delete_cohort(2, 1).await.unwrap();
        write.delete_person(2, id).await.unwrap();
        write.delete_group(2, 0, "acme").await.unwrap();
        assert_eq!(write.persons_of(2, &["ada".to_owned()]).await.unwrap(), []);
        assert_eq!(write.persons_after(2, 0, 10).await.unwrap(), []);
        assert_eq!(write.groups(2).await.unwrap(), []);
    })
    .await;
    let rows = store.definitions(1).await.unwrap().unwrap();
    assert_eq!((rows.flags.len(), rows.cohorts.len()), (1, 1));
    write(&store, async |write| {
        assert_eq!(write.persons_after(1, 0, 10).await.unwrap().len(), 1);
        assert_eq!(write.groups(1).await.unwrap().len(), 1);
    })
    .await;
    // A person cannot be a member of another tenant's cohort.
    let mut write = store.begin_write().await.unwrap();
    let mut stranger = FullPerson {
        static_cohorts: vec![1],
        ..person(&["bob"])
    };
    stranger.person.project_id = 2;
    write.insert_person(&stranger).await.unwrap_err();
}

async fn keys_are_found_by_fingerprint(database: TestDatabase) {
    let store = store_with_project(&database).await;
    let token = SecretTokenRow {
        project_id: 1,
        fingerprint: burgee_schema::store::fingerprint("phs_1"),
    };
    let key = PersonalKeyRow {
        project_id: 1,
        label: "dev".to_owned(),
        fingerprint: burgee_schema::store::fingerprint("phx_1"),
        scopes: r#"["*"]"#.to_owned(),
    };
    write(&store, async |write| {
        write.put_secret_token(&token).await.unwrap();
        write.put_secret_token(&token).await.unwrap();
        write.put_personal_key(&key).await.unwrap();
        assert_eq!(
            write.secret_tokens(1).await.unwrap(),
            std::slice::from_ref(&token)
        );
        assert_eq!(
            write.personal_keys(1).await.unwrap(),
            std::slice::from_ref(&key)
        );
    })
    .await;
    assert_eq!(
        store.secret_token(&token.fingerprint).await.unwrap(),
        Some(token.clone())
    );
    // A secret belongs to one project.
    let stolen = SecretTokenRow {
        project_id: 2,
        ..token.clone()
    };
    let mut thief = store.begin_write().await.unwrap();
    thief.put_project(&project(2)).await.unwrap();
    thief.put_secret_token(&stolen).await.unwrap_err();
    drop(thief);
    assert_eq!(store.secret_token(&key.fingerprint).await.unwrap(), None);
    assert_eq!(
        store.personal_key(&key.fingerprint).await.unwrap(),
        Some(key.clone())
    );
    assert_eq!(store.personal_key("\0").await.unwrap(), None);

    let renewed = PersonalKeyRow {
        fingerprint: burgee_schema::store::fingerprint("phx_2"),
        ..key.clone()
    };
    write(&store, async |write| {
        write.put_personal_key(&renewed).await.unwrap();
        write
            .delete_secret_token(1, &token.fingerprint)
            .await
            .unwrap();
    })
    .await;
    assert_eq!(store.personal_key(&key.fingerprint).await.unwrap(), None);
    assert_eq!(
        store.personal_key(&renewed.fingerprint).await.unwrap(),
        Some(renewed)
    );
    assert_eq!(store.secret_token(&token.fingerprint).await.unwrap(), None);
    write(&store, async |write| {
        write.delete_personal_key(1, "dev").await.unwrap();
        assert_eq!(write.personal_keys(1).await.unwrap(), []);
    })
    .await;
}

async fn number_texts_survive(database: TestDatabase) {
    let store = store_with_project(&database).await;
    let texts = [
        "5",
        "5.0",
        "5.00",
        "1e400",
        "-1E-400",
        "1e2",
        "100000000000000000000000000000000001",
        "0.1000000000000000055511151231257827",
        "-0",
        "-0.0",
        r#""\u0000""#,
        r#""é\ud83d\ude00""#,
        r#"{"b":1,"a":2,"b":3}"#,
        " [ 1 , 2 ]\n",
    ];
    for text in texts {
        let json = format!(r#"{{"v": {text}}}"#);
        let owner = FullPerson {
            person: PersonRow {
                properties: json.clone(),
                ..person(&[]).person
            },
            ..person(&["ada"])
        };
        write(&store, async |write| {
            write
                .put_flag(&FlagRow {
                    filters: json.clone(),
                    ..flag(1, "f")
                })
                .await
                .unwrap();
            write
                .put_cohort(&CohortRow {
                    filters: Some(json.clone()),
                    groups: Some(json.clone()),
                    ..cohort(1)
                })
                .await
                .unwrap();
            write.put_group(&group(0, "acme", &json)).await.unwrap();
            let id = write.insert_person(&owner).await.unwrap();
            assert_eq!(
                write.persons_after(1, id - 1, 1).await.unwrap()[0]
                    .person
                    .properties,
                json
            );
        })
        .await;
        let rows = store.definitions(1).await.unwrap().unwrap();
        assert_eq!(rows.flags[0].filters, json);
        assert_eq!(rows.cohorts[0].filters.as_ref(), Some(&json));
        assert_eq!(rows.cohorts[0].groups.as_ref(), Some(&json));
        let lookup = Lookup {
            project_id: 1,
            distinct_id: "ada".to_owned(),
            state: true,
            groups: vec![(0, "acme".to_owned())],
            ..Lookup::default()
        };
        let found = store.look_up(&[lookup]).await.unwrap().remove(0);
        let found_person = found.person.unwrap();
        assert_eq!(found_person.properties, json);
        assert_eq!(found.groups, [(0, json)]);
        write(&store, async |write| {
            write.delete_person(1, found_person.id).await.unwrap()
        })
        .await;
    }
}

/// Each write adds one flag and one change, so the two counts never part.
async fn definitions_are_one_snapshot(database: TestDatabase) {
    const FLAGS: i32 = 40;
    let store = store_with_project(&database).await;
    let start = store.latest_sequence().await.unwrap();
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            for id in 1..=FLAGS {
                write(&store, async |write| {
                    write
                        .put_flag(&flag(id, &format!("flag-{id}")))
                        .await
                        .unwrap();
                })
                .await;
            }
        }
    });
    soon(async {
        loop {
            let rows = store.definitions(1).await.unwrap().unwrap();
            let news = store.changes_after(start, 1_000).await.unwrap();
            let told = news
                .iter()
                .filter(|change| change.sequence <= rows.sequence)
                .count();
            assert_eq!(rows.flags.len(), told);
            if told == usize::try_from(FLAGS).unwrap() {
                break;
            }
        }
    })
    .await;
    soon(writer).await.unwrap();
}
