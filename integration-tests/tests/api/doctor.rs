//! `burgee doctor` on healthy ground, and on ground with one fault at a time: each is named, with what to do about it.

use burgee_integration_tests::postgres::TestDatabase;
use burgee_integration_tests::proxy::Proxy;
use burgee_integration_tests::{Database, Finished, Kind, TestServer, burgee, burgee_under};
use serde_json::Value;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

on_both_databases!(
    healthy_ground_is_all_ok,
    a_pending_migration_is_named,
    a_newer_database_is_named,
    a_running_server_is_told_from_a_taken_port,
);

/// What an examination says unless it says otherwise: any port that is free, and what fits wherever this runs.
const USUAL: [(&str, &str); 4] = [
    ("--listen", "127.0.0.1:0"),
    ("--cpus", "1"),
    ("--max-connections", "64"),
    ("--cohort-cache-bytes", "1048576"),
];

fn line<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    let mut line = vec!["doctor"];
    for (option, value) in USUAL {
        let is_it = |argument: &&str| argument.split('=').next() == Some(option);
        if !arguments.iter().any(is_it) {
            line.extend([option, value]);
        }
    }
    line.extend(arguments);
    line
}

fn examine(arguments: &[&str]) -> Finished {
    burgee(&line(&[&["--json"], arguments].concat()))
}

fn on(url: &str, arguments: &[&str]) -> Finished {
    examine(&[&["--database-url", url], arguments].concat())
}

/// A database with its migrations.
fn prepared(kind: Kind) -> Database {
    let database = Database::new(kind);
    burgee(&["migrate", "--database-url", database.url()]).expect_code(0);
    database
}

fn checks(finished: &Finished) -> Vec<Value> {
    let report: Value = serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}\n{}", finished.stdout, finished.stderr));
    report["checks"].as_array().unwrap().clone()
}

/// Exactly one check is not well; it is this one, says these words, and says what to do.
#[track_caller]
fn expect_fault(finished: &Finished, state: &str, check: &str, words: &[&str]) {
    let checks = checks(finished);
    let bad: Vec<&Value> = checks
        .iter()
        .filter(|it| it["state"] == "warn" || it["state"] == "fail")
        .collect();
    let names: Vec<_> = bad.iter().map(|it| it["check"].clone()).collect();
    assert_eq!(names, [check], "{}", finished.stdout);
    expect_named(finished, state, check, words);
    let code = i32::from(state == "fail");
    assert_eq!(finished.code, Some(code), "{}", finished.stdout);
}

/// This check is not well, says these words, and says what to do.
#[track_caller]
fn expect_named(finished: &Finished, state: &str, check: &str, words: &[&str]) {
    let checks = checks(finished);
    let found = checks.iter().find(|it| it["check"] == check);
    let found = found.unwrap_or_else(|| panic!("{check} in {}", finished.stdout));
    assert_eq!(found["state"], state, "{found}");
    assert!(
        found["fix"].as_str().is_some_and(|fix| !fix.is_empty()),
        "{found}"
    );
    let text = format!("{} {}", found["found"], found["fix"]);
    for word in words {
        assert!(text.contains(word), "{word} in {text}");
    }
}

fn healthy_ground_is_all_ok(kind: Kind) {
    let database = prepared(kind);
    let folder = tempfile::tempdir().unwrap();
    let snapshots = folder.path().join("snapshots");
    let arguments = [
        "--strict",
        "--database-url",
        database.url(),
        "--snapshot-dir",
        snapshots.to_str().unwrap(),
        "--static-dir",
        folder.path().to_str().unwrap(),
    ];
    let finished = examine(&arguments).expect_code(0);
    for check in checks(&finished) {
        assert_eq!(check["state"], "ok", "{check}");
    }
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        0,
        "nothing is left behind"
    );
    // The same as a table.
    let table = burgee(&line(&arguments)).expect_code(0).stdout;
    let names: Vec<Value> = checks(&finished)
        .iter()
        .map(|it| it["check"].clone())
        .collect();
    assert!(names.len() >= 9, "{names:?}");
    for name in names {
        let name = name.as_str().unwrap();
        assert!(
            table
                .lines()
                .any(|line| line.starts_with(name) && line.contains(" ok ")),
            "{table}"
        );
    }
    assert!(
        table.contains(", 0 to look at, 0 failed, 0 skipped"),
        "{table}"
    );
}

#[test]
fn all_bad_settings_are_named() {
    let finished = examine(&[
        "--pool-size=many",
        "--request-timeout-ms=soon",
        "--database-url=mysql://h/d",
    ]);
    let words = ["--pool-size", "--request-timeout-ms", "--database-url"];
    expect_fault(&finished, "fail", "configuration", &words);
}

#[test]
fn a_port_without_a_database_is_named() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!("postgres://burgee:secret@{closed}/burgee");
    let finished = on(&url, &[]);
    expect_fault(
        &finished,
        "fail",
        "database",
        &["Connection refused", "start Postgres", &closed.to_string()],
    );
    assert!(!finished.stdout.contains("secret"));
    let skipped = checks(&finished)
        .iter()
        .filter(|it| it["state"] == "skip")
        .count();
    assert!(skipped >= 5, "{}", finished.stdout);
}

#[test]
fn a_database_that_never_answers_is_named() {
    // It accepts, and that is all.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://burgee@{}/burgee", silent.local_addr().unwrap());
    let finished = on(&url, &["--check-timeout-ms=300"]);
    expect_fault(
        &finished,
        "fail",
        "database",
        &["no answer in time", "firewalls"],
    );
}

#[test]
fn a_wrong_url_is_named() {
    let database = Database::new(Kind::Postgres);
    let (server, _) = database.url().rsplit_once('/').unwrap();
    let finished = on(&format!("{server}/nowhere"), &[]);
    expect_fault(
        &finished,
        "fail",
        "database",
        &["nowhere", "does not exist", "CREATE DATABASE"],
    );
}

/// Undoes the newest migration in the list of those that have run, or adds one from the future.
fn tamper(database: &Database, kind: Kind, sql: &str) {
    match kind {
        Kind::Postgres => drop(database.query(sql)),
        Kind::Sqlite => {
            use diesel::connection::SimpleConnection as _;
            use diesel::{Connection as _, SqliteConnection};
            let path = database.url().strip_prefix("sqlite://").unwrap();
            let mut connection = SqliteConnection::establish(path).unwrap();
            connection.batch_execute(sql).unwrap();
        }
    }
}

fn a_pending_migration_is_named(kind: Kind) {
    let database = prepared(kind);
    let newest = "DELETE FROM __diesel_schema_migrations WHERE version = (SELECT max(version) FROM __diesel_schema_migrations)";
    tamper(&database, kind, newest);
    expect_fault(
        &on(database.url(), &[]),
        "warn",
        "migrations",
        &["1 pending", "burgee migrate"],
    );
    let finished = on(database.url(), &["--no-migrate"]);
    expect_fault(
        &finished,
        "fail",
        "migrations",
        &["1 pending", "burgee migrate"],
    );
    // To look is not to touch.
    burgee(&["migrate", "--status", "--database-url", database.url()]).expect_code(1);
}

fn a_newer_database_is_named(kind: Kind) {
    let database = prepared(kind);
    let later = "INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000000')";
    tamper(&database, kind, later);
    expect_fault(
        &on(database.url(), &[]),
        "warn",
        "migrations",
        &["newer", "29990101000000"],
    );
    on(database.url(), &["--strict"]).expect_code(1);
}

#[test]
fn too_few_connections_are_named() {
    let database = TestDatabase::tuned_postgres(&["max_connections=20"]).unwrap();
    burgee(&["migrate", "--database-url", database.url()]).expect_code(0);
    let finished = on(database.url(), &["--replicas=3", "--pool-size=10"]);
    let words = ["3 x 20", "of 17", "max_connections", "BURGEE_POOL_SIZE"];
    expect_fault(&finished, "fail", "database connections", &words);
}

#[test]
fn a_database_that_refuses_to_write_is_named() {
    let database = prepared(Kind::Postgres);
    let name = database.url().rsplit('/').next().unwrap();
    database.query(&format!(
        "ALTER DATABASE {name} SET default_transaction_read_only = on"
    ));
    let finished = on(database.url(), &[]);
    expect_fault(
        &finished,
        "fail",
        "database",
        &["refuses to write", "primary"],
    );
}

/// The database believes that it is an hour later.
#[test]
fn a_wrong_clock_is_named() {
    let database = prepared(Kind::Postgres);
    let name = database.url().rsplit('/').next().unwrap();
    database.query(&format!(
        "CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
            'SELECT pg_catalog.clock_timestamp() + interval ''1 hour''';
        ALTER DATABASE {name} SET search_path = public, pg_catalog"
    ));
    let finished = on(database.url(), &[]);
    expect_fault(&finished, "fail", "clock", &["s ahead of", "NTP"]);
}

#[test]
fn a_distant_database_is_named() {
    let database = prepared(Kind::Postgres);
    let proxy = Proxy::slow(database.server().address(), Duration::from_millis(120));
    let finished = on(&proxy.url(database.url()), &[]);
    expect_fault(
        &finished,
        "fail",
        "database latency",
        &["a question takes", "nearer"],
    );
}

/// A proxy that pools transactions leaves notifications with a session that nobody listens to.
#[test]
fn a_channel_that_is_cut_is_named() {
    let database = prepared(Kind::Postgres);
    let proxy = Proxy::deaf(database.server().address());
    let finished = on(&proxy.url(database.url()), &["--check-timeout-ms=3000"]);
    expect_fault(
        &finished,
        "warn",
        "notifications",
        &["does not arrive", "polling", "sessions"],
    );
}

#[test]
fn a_taken_port_is_named() {
    let database = prepared(Kind::Sqlite);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let finished = on(
        database.url(),
        &["--listen", &address, "--check-timeout-ms=300"],
    );
    expect_fault(&finished, "fail", "port", &[&address, "in use", "--listen"]);
}

fn a_running_server_is_told_from_a_taken_port(kind: Kind) {
    let server = TestServer::on(kind).start();
    let finished = on(server.database().url(), &["--listen", server.address()]);
    expect_fault(&finished, "warn", "port", &["a Burgee listens"]);
    server.stop();
}

/// Below a file there is no directory, not even for root.
#[test]
fn directories_that_cannot_be_used_are_named() {
    let database = prepared(Kind::Sqlite);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let below = file.join("below");
    let below = below.to_str().unwrap();
    let finished = on(database.url(), &["--snapshot-dir", below]);
    expect_fault(
        &finished,
        "fail",
        "snapshot directory",
        &[below, "BURGEE_SNAPSHOT_DIR"],
    );
    let finished = on(database.url(), &["--static-dir", below]);
    expect_fault(
        &finished,
        "fail",
        "static directory",
        &[below, "BURGEE_STATIC_DIR"],
    );
    let finished = on(&format!("sqlite://{below}/burgee.db"), &[]);
    expect_fault(
        &finished,
        "fail",
        "database",
        &["below/burgee.db", "cannot be written", "volume"],
    );
}

#[test]
fn a_file_that_is_no_database_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.db");
    fs::write(&file, "these are notes and no database. ".repeat(100)).unwrap();
    let finished = on(&format!("sqlite://{}", file.display()), &[]);
    expect_fault(
        &finished,
        "fail",
        "database",
        &["notes.db", "not a database"],
    );
}

#[test]
fn a_limit_on_open_files_is_named() {
    let database = prepared(Kind::Sqlite);
    let examine = |limit: &str| {
        let arguments = [
            "--json",
            "--max-connections=8192",
            "--database-url",
            database.url(),
        ];
        burgee_under(limit, &line(&arguments))
    };
    let finished = examine("ulimit -n 64");
    expect_fault(
        &finished,
        "fail",
        "file descriptors",
        &["at most 64", "ulimit -n"],
    );
    let finished = examine("ulimit -n 1024");
    expect_fault(
        &finished,
        "warn",
        "file descriptors",
        &["at most 1024", "BURGEE_MAX_CONNECTIONS"],
    );
}

/// A machine with these control groups: real ones cannot be made everywhere.
fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let group = [
        ("proc/self/cgroup", "0::/\n"),
        ("proc/meminfo", "MemTotal: 16777216 kB\n"),
        ("sys/fs/cgroup/cpu.stat", "usage_usec 1\n"),
    ];
    for (name, text) in group.iter().chain(files) {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

fn in_container(database: &Database, root: &Path, arguments: &[&str]) -> Finished {
    let root = ["--system-root", root.to_str().unwrap()];
    on(database.url(), &[&root, arguments].concat())
}

#[test]
fn a_cpu_limit_below_the_plan_is_named() {
    let database = prepared(Kind::Sqlite);
    let one = machine(&[("sys/fs/cgroup/cpu.max", "100000 100000\n")]);
    let finished = in_container(&database, one.path(), &["--cpus=4"]);
    expect_named(
        &finished,
        "fail",
        "threads",
        &["CPU limit of 1 ", "BURGEE_CPUS) to 1"],
    );
    assert_eq!(finished.code, Some(1));
    let half = machine(&[("sys/fs/cgroup/cpu.max", "150000 100000\n")]);
    let finished = in_container(&database, half.path(), &[]);
    expect_named(&finished, "warn", "threads", &["1.5 cores", "to 2"]);
    let promised = machine(&[("sys/fs/cgroup/cpu.weight", "20\n")]);
    let finished = in_container(&database, promised.path(), &["--cpus=16"]);
    expect_named(
        &finished,
        "warn",
        "threads",
        &["CPU request of about 0.5", "BURGEE_CPUS) to 1"],
    );
}

#[test]
fn a_memory_limit_below_the_caches_is_named() {
    let database = prepared(Kind::Sqlite);
    let small = machine(&[("sys/fs/cgroup/memory.max", "134217728\n")]);
    let finished = in_container(&database, small.path(), &["--cohort-cache-bytes=268435456"]);
    expect_named(
        &finished,
        "fail",
        "memory",
        &["of 128 MiB", "BURGEE_COHORT_CACHE_BYTES"],
    );
    assert_eq!(finished.code, Some(1));
}

#[test]
fn a_file_on_another_machine_is_named() {
    let database = prepared(Kind::Sqlite);
    let path = database.url().strip_prefix("sqlite://").unwrap();
    let folder = Path::new(path).parent().unwrap().canonicalize().unwrap();
    let mounts = format!(
        "disk / ext4 rw 0 0\nserver:/export {} nfs4 rw 0 0\n",
        folder.display()
    );
    let root = machine(&[("proc/self/mounts", &mounts)]);
    let finished = in_container(&database, root.path(), &[]);
    expect_fault(&finished, "fail", "file system", &["nfs4", "Postgres"]);
    // Each of several servers would have a file of its own.
    let finished = on(database.url(), &["--replicas=2"]);
    expect_fault(&finished, "fail", "replicas", &["2 servers", "Postgres"]);
}
