//! The rim: asks kernel, files, network and database, each with a deadline, and has the answers judged.

use super::cgroup::Container;
use super::cpu::{self, CpuFacts};
use super::files::{self, Port};
use super::sqlite::{self, Ground};
use super::{Examination, Finding, memory, postgres, system};
use crate::config::ServeConfig;
use burgee_schema::diagnosis::{self, Place, look_at_postgres, look_at_sqlite, notification_trip};
use burgee_schema::{StoreError, chain};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// What is said of something that did not answer.
const TOO_LATE: &str = "no answer in time";

/// Threads, memory, descriptors.
pub(super) fn machine(config: &ServeConfig, how: &Examination) -> Vec<Finding> {
    let container = Container::read(&how.root);
    let facts = CpuFacts {
        cores: available_parallelism().map_or(1, usize::from),
        container,
        plan: config.budget,
    };
    let memory_limit = container.memory.or_else(|| system::memory(&how.root));
    vec![
        cpu::judge(&facts),
        memory::judge_memory(config, memory_limit),
        memory::judge_descriptors(config, system::descriptor_limit(&how.root)),
    ]
}

/// Addresses and directories.
pub(super) async fn places(config: &ServeConfig, how: &Examination) -> Vec<Finding> {
    let mut findings = Vec::new();
    let port = try_port(config.listen, how.limit).await;
    let option = "--listen (BURGEE_LISTEN)";
    findings.push(files::judge_port("port", option, config.listen, &port));
    if let Some(address) = config.metrics_listen {
        let port = try_port(address, how.limit).await;
        let option = "--metrics-listen (BURGEE_METRICS_LISTEN)";
        findings.push(files::judge_port("metrics port", option, address, &port));
    }
    if let Some(directory) = &config.snapshot_dir {
        let path = directory.clone();
        let tried = on_disk(how.limit, move || system::try_folder(&path)).await;
        findings.push(files::judge_snapshots(directory, &tried));
    }
    if let Some(directory) = &config.static_dir {
        let path = directory.clone();
        let read = on_disk(how.limit, move || std::fs::read_dir(path).map(drop)).await;
        findings.push(files::judge_static(directory, &read));
    }
    findings
}

/// Whichever database it is.
pub(super) async fn database(config: &ServeConfig, how: &Examination) -> Vec<Finding> {
    match diagnosis::place(config.database_url.expose()) {
        Ok(Place::Postgres) => in_postgres(config, how).await,
        Ok(Place::Sqlite(path)) => in_sqlite(config, how, path).await,
        Err(error) => {
            let fix = "correct --database-url (BURGEE_DATABASE_URL)";
            vec![Finding::fail(postgres::DATABASE, chain(&error), fix)]
        }
    }
}

async fn in_postgres(config: &ServeConfig, how: &Examination) -> Vec<Finding> {
    let url = config.database_url.expose();
    let looked = timeout(how.limit, look_at_postgres(url)).await;
    let looked = looked.unwrap_or_else(|_| Err(StoreError::Unavailable(TOO_LATE.into())));
    let facts = match looked {
        Ok(facts) => facts,
        Err(error) => {
            let mut findings = vec![postgres::unreachable(
                &chain(&error),
                &config.database_url.to_string(),
            )];
            let skipped = postgres::DEPENDENT.iter();
            findings
                .extend(skipped.map(|check| Finding::skip(check, "the database cannot be asked")));
            return findings;
        }
    };
    let mut findings = postgres::judge(&facts, config, how.replicas);
    // Half the time for the way there, so that what is lost is told from what is slow.
    let trip = timeout(how.limit, notification_trip(url, how.limit / 2)).await;
    findings.push(match trip {
        Ok(Ok(trip)) => postgres::notifications(facts.sessions_change, trip, config.poll_interval),
        Ok(Err(error)) => Finding::skip(postgres::NOTIFICATIONS, chain(&error)),
        Err(_) => postgres::notifications(facts.sessions_change, None, config.poll_interval),
    });
    findings
}

async fn in_sqlite(config: &ServeConfig, how: &Examination, path: PathBuf) -> Vec<Finding> {
    let file = path.display().to_string();
    let (root, at) = (how.root.clone(), path.clone());
    let ground = on_disk(how.limit, move || Ok(ground(&root, &at))).await;
    let ground = match ground {
        Ok(ground) => ground,
        Err(error) => return vec![sqlite::unwritable(&file, &error.to_string())],
    };
    let mut findings = match &ground.unwritable {
        Some(why) => vec![sqlite::unwritable(&file, why)],
        None if !path.exists() => sqlite::judge_missing(&file, config),
        None => {
            let patience = how.limit / 2;
            let looked = spawn_blocking(move || look_at_sqlite(&path, patience));
            match timeout(how.limit, looked).await {
                Ok(Ok(Ok(facts))) => sqlite::judge(&file, &facts, config),
                Ok(Ok(Err(error))) => vec![sqlite::unusable(&file, &chain(&error))],
                Ok(Err(error)) => vec![sqlite::unusable(&file, &error.to_string())],
                Err(_) => vec![sqlite::unusable(&file, TOO_LATE)],
            }
        }
    };
    findings.extend(sqlite::judge_ground(&ground, how.replicas));
    findings
}

fn ground(root: &Path, path: &Path) -> Ground {
    Ground {
        unwritable: system::try_file(path).err().map(|error| error.to_string()),
        file_system: system::file_system(root, path),
        room: system::room(path),
    }
}

/// Does something with files on a thread that may wait for a disk that does not answer.
async fn on_disk<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match timeout(limit, spawn_blocking(work)).await {
        Ok(done) => done.unwrap_or_else(|gone| Err(io::Error::other(gone))),
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, TOO_LATE)),
    }
}

async fn try_port(address: SocketAddr, limit: Duration) -> Port {
    match TcpListener::bind(address).await {
        Ok(_listener) => Port::Free,
        Err(_) if matches!(timeout(limit, is_burgee(address)).await, Ok(Ok(true))) => Port::Ours,
        Err(error) => Port::Refused(error),
    }
}

async fn is_burgee(address: SocketAddr) -> io::Result<bool> {
    let mut stream = TcpStream::connect(address).await?;
    let request = "GET /_liveness HTTP/1.1\r\nHost: burgee\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer).await?;
    Ok(answer.starts_with(b"HTTP/1.1 200 ") && answer.ends_with(b"alive"))
}
