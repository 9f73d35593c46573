use super::*;
use actix_web::http::header::HeaderValue;
use burgee_actors::{Budget, Config, Metrics};
use burgee_schema::PoolConfig;
use prometheus_client::registry::Registry;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);
const READ_FLAGS: &str = "feature_flag:read or feature_flag:write";

fn headers(authorization: Option<&'static str>, api_key: Option<&'static str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [(AUTHORIZATION, authorization), (API_KEY, api_key)] {
        if let Some(value) = value {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    headers
}

#[test]
fn bearer_credentials_are_read() {
    for (value, expected) in [
        (None, None),
        (Some(""), None),
        (Some("Bearer"), None),
        (Some("Bearer "), None),
        (Some("Bearer   "), None),
        (Some("Basic phs_a"), None),
        (Some("phs_a"), None),
        (Some("Bearer phs_a"), Some(Presented("phs_a"))),
        (Some("bearer phs_a"), Some(Presented("phs_a"))),
        (Some("Bearer   phs_a  "), Some(Presented("phs_a"))),
        (Some("Bearer phx_a"), Some(Presented("phx_a"))),
        (Some("Bearer PHS_a"), Some(Presented("PHS_a"))),
        (Some("Bearer a b"), Some(Presented("a b"))),
    ] {
        let headers = headers(value, None);
        assert!(Presented::bearer(&headers) == expected, "{value:?}");
    }
}

#[test]
fn an_api_key_counts_where_there_is_no_bearer() {
    for (authorization, api_key, expected) in [
        (None, None, None),
        (None, Some(" "), None),
        (None, Some("phs_a"), Some(Presented("phs_a"))),
        (None, Some("phc_a"), Some(Presented("phc_a"))),
        (
            Some("Bearer phx_b"),
            Some("phc_a"),
            Some(Presented("phx_b")),
        ),
        (Some("Basic phx_b"), Some("phc_a"), Some(Presented("phc_a"))),
    ] {
        let headers = headers(authorization, api_key);
        let read = Presented::bearer_or_api_key(&headers);
        assert!(read == expected, "{authorization:?} {api_key:?}");
        assert!(Presented::bearer(&headers).is_none_or(|key| Some(key) == expected));
    }
}

#[test]
fn what_is_presented_is_not_shown() {
    let shown = format!("{:?}", Presented("phs_a"));
    assert!(!shown.contains("ph"), "{shown}");
}

#[test]
fn scopes_allow_what_they_name() {
    use Action::{Read, Write};
    use Resource::{Cohorts, Flags};
    for (json, resource, action, wanted) in [
        (r#"["*"]"#, Flags, Write, None),
        (r#"["feature_flag:read"]"#, Flags, Read, None),
        (r#"["feature_flag:write"]"#, Flags, Read, None),
        (
            r#"["cohort:read", "feature_flag:write"]"#,
            Flags,
            Write,
            None,
        ),
        (
            r#"["feature_flag:read"]"#,
            Flags,
            Write,
            Some("feature_flag:write"),
        ),
        (
            r#"["feature_flag:write"]"#,
            Cohorts,
            Write,
            Some("cohort:write"),
        ),
        (r#"["cohort:write"]"#, Flags, Read, Some(READ_FLAGS)),
        (
            r#"["feature_flag:*", "Feature_Flag:read"]"#,
            Flags,
            Read,
            Some(READ_FLAGS),
        ),
        ("[]", Flags, Read, Some(READ_FLAGS)),
        ("not JSON", Flags, Read, Some(READ_FLAGS)),
        (r#""*""#, Flags, Read, Some(READ_FLAGS)),
    ] {
        let expected = wanted.map_or(Ok(()), |wanted| {
            Err(CredentialError::MissingScope { wanted })
        });
        let allowed = Scopes::parse(json).require(resource, action);
        assert_eq!(allowed, expected, "{json} {resource:?} {action:?}");
    }
}

#[test]
fn a_key_counts_in_its_own_project() {
    let (here, elsewhere) = (ProjectId(1), ProjectId(2));
    let secret = Key::Secret { project: here };
    let personal = Key::Personal(PersonalKey {
        project: here,
        label: "ci".into(),
        scopes: Scopes::parse(r#"["feature_flag:write"]"#),
    });
    let flags = Resource::Flags;
    for (key, project, action, expected) in [
        (&secret, here, Action::Read, Ok(())),
        (
            &secret,
            here,
            Action::Write,
            Err(CredentialError::UnknownPersonal),
        ),
        (
            &secret,
            elsewhere,
            Action::Read,
            Err(CredentialError::UnknownSecret),
        ),
        (&personal, here, Action::Write, Ok(())),
        (
            &personal,
            elsewhere,
            Action::Read,
            Err(CredentialError::UnknownPersonal),
        ),
    ] {
        assert_eq!(key.require(project, flags, action), expected, "{key:?}");
    }
}

/// Keys in a database of their own, and the actors that hear of their changes.
struct World {
    store: Store,
    system: System,
    credentials: Credentials,
    _directory: TempDir,
}

impl World {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", directory.path().join("test.db").display());
        let patient = PoolConfig {
            acquire_timeout: PATIENCE,
            query_timeout: PATIENCE,
            ..PoolConfig::default()
        };
        let store = Store::open(&url, patient).await.unwrap();
        store.migrate().await.unwrap();
        let text = r#"{"projects": [
            {"id": 1, "name": "One", "token": "phc_one", "secret_tokens": ["phs_one"],
             "personal_keys": [{"label": "ci", "key": "phx_one", "scopes": ["feature_flag:read"]}]},
            {"id": 2, "name": "Two", "token": "phx_two"}
        ]}"#;
        apply(&store, text, false).await;
        let metrics = Metrics::register(&mut Registry::default(), store.clone());
        let config = Config {
            budget: Budget::for_cpus(1),
            evaluator_capacity: 8,
            loader_capacity: 8,
            poll: PATIENCE,
            large_above: Duration::from_micros(150),
            standing_limit: None,
            events: burgee_actors::EventsConfig::default(),
            evaluators_at_workers: false,
            cohort_cache_bytes: 1 << 20,
        };
        let system = System::start(&config, store.clone(), metrics)
            .await
            .unwrap();
        Self {
            credentials: Credentials::new(store.clone(), &system),
            store,
            system,
            _directory: directory,
        }
    }

    async fn key(&self, presented: Presented<'_>) -> Result<Arc<Key>, CredentialError> {
        let deadline = Instant::now() + PATIENCE;
        self.credentials.key(Some(presented), deadline).await
    }

    async fn caller(&self, presented: Presented<'_>) -> Result<Caller, CredentialError> {
        let deadline = Instant::now() + PATIENCE;
        let asked = self
            .credentials
            .caller(&self.system, Some(presented), deadline);
        asked.await
    }
}

async fn apply(store: &Store, text: &str, prune: bool) {
    let options = crate::project_file::ApplyOptions {
        file: "test.json".into(),
        prune,
        lenient: false,
        dry_run: false,
        now: chrono::Utc::now(),
    };
    crate::project_file::apply(store, text, &options)
        .await
        .unwrap();
}

#[actix_web::test]
async fn keys_are_found_and_nothing_else_is() {
    let world = World::start().await;
    let secret = world.key(Presented("phs_one")).await.unwrap();
    assert_eq!(
        *secret,
        Key::Secret {
            project: ProjectId(1)
        }
    );
    let personal = world.key(Presented("phx_one")).await.unwrap();
    let Key::Personal(personal) = &*personal else {
        panic!("{personal:?}");
    };
    assert_eq!((personal.project, &*personal.label), (ProjectId(1), "ci"));
    let fingerprint = of_presented("phs_one");
    for (presented, expected) in [
        (Presented("phs_two"), CredentialError::UnknownSecret),
        (Presented("phx_two"), CredentialError::UnknownPersonal),
        (Presented("phc_one"), CredentialError::UnknownPersonal),
        // Whoever read an export is not let in with it.
        (Presented(&fingerprint), CredentialError::UnknownPersonal),
    ] {
        assert_eq!(world.key(presented).await, Err(expected));
    }
    let deadline = Instant::now() + PATIENCE;
    let nothing = world.credentials.key(None, deadline).await;
    assert_eq!(nothing, Err(CredentialError::Missing));
    world.system.stop();
}

#[actix_web::test]
async fn a_token_will_do_where_evaluations_are_asked_for() {
    let world = World::start().await;
    for (presented, project) in [("phc_one", 1), ("phx_two", 2)] {
        match world.caller(Presented(presented)).await.unwrap() {
            Caller::Token(found) => assert_eq!(found.id, ProjectId(project)),
            Caller::Key(key) => panic!("{key:?}"),
        }
    }
    for presented in [Presented("phs_one"), Presented("phx_one")] {
        match world.caller(presented).await.unwrap() {
            Caller::Key(key) => assert_eq!(key.project(), ProjectId(1)),
            Caller::Token(found) => panic!("{found:?}"),
        }
    }
    for (presented, expected) in [
        (Presented("nobody"), CredentialError::UnknownPersonal),
        (Presented("phx_nobody"), CredentialError::UnknownPersonal),
        (Presented("phs_nobody"), CredentialError::UnknownSecret),
    ] {
        assert_eq!(world.caller(presented).await.unwrap_err(), expected);
    }
    world.system.stop();
}

#[actix_web::test]
async fn a_revoked_key_is_forgotten_when_the_change_is_heard_of() {
    let mut world = World::start().await;
    // So long that nothing but the change can end what is remembered.
    world.credentials.cache = Cache::new(10, 100 * PATIENCE);
    let secret = Presented("phs_one");
    assert!(world.key(secret).await.is_ok());
    let other = r#"{"projects": [
        {"id": 1, "name": "One", "token": "phc_one", "secret_tokens": ["phs_other"]}
    ]}"#;
    apply(&world.store, other, true).await;
    let give_up = Instant::now() + PATIENCE;
    while world.key(secret).await.is_ok() {
        assert!(Instant::now() < give_up, "the change was never heard of");
        tokio::task::yield_now().await;
    }
    assert_eq!(world.key(secret).await, Err(CredentialError::UnknownSecret));
    assert!(world.key(Presented("phs_other")).await.is_ok());
    world.system.stop();
}

#[actix_web::test]
async fn a_key_that_cannot_be_checked_is_not_called_wrong() {
    let world = World::start().await;
    // No table to look it up in: whatever is wrong with the database, it is not the key.
    world.store.revert_migrations().await.unwrap();
    let asked = world.key(Presented("phs_one")).await;
    assert_eq!(asked, Err(CredentialError::NotChecked));
    let late = Instant::now();
    let asked = world.credentials.key(Some(Presented("phx_one")), late);
    assert!(matches!(
        asked.await,
        Err(CredentialError::TimedOut | CredentialError::NotChecked)
    ));
    world.system.stop();
}

#[test]
fn digests_are_compared_whole() {
    for (a, b, expected) in [
        ("sha256:aa", "sha256:aa", true),
        ("sha256:aa", "sha256:ab", false),
        ("sha256:aa", "sha256:a", false),
        ("", "sha256:a", false),
    ] {
        assert_eq!(is_same(a, b), expected, "{a} {b}");
    }
}
