use super::*;

fn streams(most: usize, most_per_project: usize) -> (Arc<Streams>, Registry) {
    let mut registry = Registry::default();
    let config = StreamConfig {
        most,
        most_per_project,
        heartbeat: Duration::from_secs(15),
    };
    (Arc::new(Streams::new(config, &mut registry)), registry)
}

const ONE: ProjectId = ProjectId(1);
const TWO: ProjectId = ProjectId(2);

fn shown(registry: &Registry) -> Vec<String> {
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, registry).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

#[test]
fn places_are_counted_by_project_and_in_total() {
    let (streams, registry) = streams(3, 2);
    let first = streams.enter(ONE).unwrap();
    let _second = streams.enter(ONE).unwrap();
    assert_eq!(streams.enter(ONE).unwrap_err(), StreamRefusal::Project);
    let _third = streams.enter(TWO).unwrap();
    assert_eq!(streams.enter(TWO).unwrap_err(), StreamRefusal::Total);
    drop(first);
    let _fourth = streams.enter(TWO).unwrap();
    let shown = shown(&registry);
    for line in [
        "burgee_streams_open 3",
        "burgee_streams_refused_total{limit=\"project\"} 1",
        "burgee_streams_refused_total{limit=\"total\"} 1",
        "burgee_streams_cut_off_total 0",
    ] {
        assert!(
            shown.iter().any(|shown| shown == line),
            "{line} in {shown:?}"
        );
    }
}

#[test]
fn nothing_is_kept_of_those_who_left() {
    let (streams, _) = streams(3, 2);
    drop(streams.enter(ONE).unwrap());
    let open = streams.open();
    assert_eq!((open.total, open.by_project.len()), (0, 0));
}

#[test]
fn zero_switches_streams_off() {
    for (most, most_per_project, expected) in [(0, 1, false), (1, 0, false), (1, 1, true)] {
        let (streams, _) = streams(most, most_per_project);
        assert_eq!(streams.are_on(), expected);
        assert_eq!(streams.enter(ONE).is_ok(), expected);
    }
}

#[test]
fn none_is_opened_once_the_server_stops() {
    let (streams, _) = streams(3, 2);
    streams.stop();
    assert_eq!(streams.enter(ONE).unwrap_err(), StreamRefusal::Stopping);
}

#[test]
fn whoever_leaves_its_queue_full_is_cut_off() {
    let (streams, registry) = streams(3, 2);
    let place = streams.enter(ONE).unwrap();
    let (queue, mut frames) = mpsc::channel(ROOM);
    let listener = Listener { queue, place };
    for _ in 0..ROOM {
        assert!(listener.push(HEARTBEAT));
    }
    assert!(!listener.push(HEARTBEAT));
    assert_eq!(frames.try_recv().unwrap(), HEARTBEAT);
    assert!(listener.push(HEARTBEAT), "there is room again");
    drop(frames);
    assert!(!listener.push(HEARTBEAT), "nobody is there");
    drop(listener);
    let shown = shown(&registry);
    assert!(
        shown.contains(&"burgee_streams_cut_off_total 1".to_owned()),
        "{shown:?}"
    );
    assert!(
        shown.contains(&"burgee_streams_open 0".to_owned()),
        "{shown:?}"
    );
}

mod wire {
    //! Over real sockets, with the actors that publish definitions.

    use super::*;
    use actix_web::{App, HttpServer, web};
    use burgee_actors::{Budget, Config, Metrics, System};
    use burgee_schema::{PoolConfig, Store};
    use std::future::{Ready, ready};
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::time::timeout;

    const PATIENCE: Duration = Duration::from_secs(60);

    async fn system(directory: &tempfile::TempDir) -> System {
        let url = format!("sqlite://{}", directory.path().join("test.db").display());
        let store = Store::open(&url, PoolConfig::default()).await.unwrap();
        store.migrate().await.unwrap();
        let options = crate::project_file::ApplyOptions {
            file: "test.json".into(),
            prune: false,
            lenient: false,
            dry_run: false,
            now: chrono::Utc::now(),
        };
        let text = r#"{"projects": [{"id": 1, "name": "One", "token": "phc_one"}]}"#;
        crate::project_file::apply(&store, text, &options)
            .await
            .unwrap();
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
        let system = System::start(&config, store, metrics).await.unwrap();
        let deadline = std::time::Instant::now() + PATIENCE;
        let project = system.project("phc_one", deadline).await.unwrap();
        assert_eq!(project.unwrap().id, ONE);
        system
    }

    /// Always something new, and much of it: no buffer holds it for long.
    fn flood() -> impl Fn(Arc<ProjectSnapshot>) -> Ready<Option<Told>> {
        let told = AtomicU32::new(0);
        move |_| {
            let id = told.fetch_add(1, Ordering::Relaxed).to_string();
            let data = "x".repeat(64 * 1024);
            ready(Some(Told { id, data }))
        }
    }

    #[actix_web::test]
    async fn whoever_reads_nothing_is_cut_off() {
        let directory = tempfile::tempdir().unwrap();
        let system = system(&directory).await;
        let mut registry = Registry::default();
        let config = StreamConfig {
            heartbeat: Duration::from_millis(1),
            ..StreamConfig::default()
        };
        let streams = Arc::new(Streams::new(config, &mut registry));
        let (followed, entered) = (system.clone(), Arc::clone(&streams));
        let server = HttpServer::new(move || {
            let (system, streams) = (followed.clone(), Arc::clone(&entered));
            App::new().route(
                "/",
                web::get().to(move || {
                    let place = streams.enter(ONE).unwrap();
                    let follow = system.follow(ONE).unwrap();
                    async move { place.listen(follow, None, flood()) }
                }),
            )
        });
        let server = server
            .workers(1)
            .disable_signals()
            .bind("127.0.0.1:0")
            .unwrap();
        let address = server.addrs()[0];
        let server = server.run();
        let handle = server.handle();
        rt::spawn(server);
        let mut client = TcpStream::connect(address).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        client.write_all(request).await.unwrap();
        let cut_off = async {
            let expected = ["burgee_streams_cut_off_total 1", "burgee_streams_open 0"];
            loop {
                let shown = shown(&registry);
                if expected
                    .iter()
                    .all(|line| shown.iter().any(|shown| shown == line))
                {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, cut_off).await.expect("it is cut off");
        // What was queued until then is still there, and then the stream ends as it should.
        let mut received = Vec::new();
        let reading = client.read_to_end(&mut received);
        timeout(PATIENCE, reading).await.unwrap().unwrap();
        assert!(received.ends_with(b"\r\n0\r\n\r\n"));
        handle.stop(true).await;
        system.stop();
    }
}
