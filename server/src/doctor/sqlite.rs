//! A SQLite file: whether it can be written, what it lies on, and how much room there is.

use super::Finding;
use super::postgres;
use crate::config::ServeConfig;
use burgee_schema::diagnosis::{SqliteFacts, WriteLock};

const DATABASE: &str = postgres::DATABASE;
const JOURNAL: &str = "database journal";
const FILE_SYSTEM: &str = "file system";
const DISK: &str = "free disk";
const REPLICAS: &str = "replicas";

/// Below this much room writing is about to fail, and below that one should know, in bytes.
const LEAST_ROOM: u64 = 64 << 20;
const LITTLE_ROOM: u64 = 1 << 30;

/// File systems that are somebody else's: locks and shared memory do not work across machines.
const REMOTE: [&str; 14] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb",
    "smb3",
    "smbfs",
    "9p",
    "ceph",
    "glusterfs",
    "lustre",
    "gpfs",
    "fuse.sshfs",
    "fuse.s3fs",
    "fuse.gcsfuse",
];

/// Where the file lies, or will.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ground {
    /// What keeps the file, or one beside it, from being written.
    pub(super) unwritable: Option<String>,
    /// The kind of file system, as the kernel calls it.
    pub(super) file_system: Option<String>,
    /// Bytes that may still be written.
    pub(super) room: Option<u64>,
}

/// Says what is to be said of the file before it is opened.
pub(super) fn judge_ground(ground: &Ground, replicas: u32) -> Vec<Finding> {
    let mut findings = vec![
        file_system(ground.file_system.as_deref()),
        room(ground.room),
    ];
    if replicas > 1 {
        let found = format!("{replicas} servers would each have a file of their own");
        let fix = "use Postgres, or one server";
        findings.push(Finding::fail(REPLICAS, found, fix));
    }
    findings
}

/// Says whether the file can be written, as far as can be told without opening it.
pub(super) fn unwritable(file: &str, why: &str) -> Finding {
    let found = format!("{file} cannot be written: {why}");
    let fix = "mount a volume that this user may write, and name a file on it in --database-url (BURGEE_DATABASE_URL)";
    Finding::fail(DATABASE, found, fix)
}

/// Says what is to be said of a file that is not there yet.
pub(super) fn judge_missing(file: &str, config: &ServeConfig) -> Vec<Finding> {
    let made = format!("{file} is not there yet; the server makes it");
    let pending = if config.migrate {
        Finding::ok(postgres::MIGRATIONS, "run when the file is made")
    } else {
        let found = "none has run, and the file is not there";
        Finding::fail(
            postgres::MIGRATIONS,
            found,
            "run `burgee migrate`: --no-migrate keeps the server from it",
        )
    };
    vec![Finding::ok(DATABASE, made), pending]
}

/// Says what is to be said of a file that could be opened.
pub(super) fn judge(file: &str, facts: &SqliteFacts, config: &ServeConfig) -> Vec<Finding> {
    let database = match facts.write_lock {
        WriteLock::Free => Finding::ok(DATABASE, format!("{file} can be written")),
        WriteLock::Taken => {
            let fix = "see who has it open (lsof, fuser); a server that runs is fine";
            Finding::warn(DATABASE, format!("somebody else is writing {file}"), fix)
        }
        WriteLock::ReadOnly => unwritable(file, "it is read-only"),
    };
    let journal = match facts.journal_mode.as_str() {
        "wal" => Finding::ok(JOURNAL, "write-ahead log"),
        // An empty file is switched when it is first used.
        other if !facts.schema.pending.is_empty() => Finding::ok(
            JOURNAL,
            format!("{other}; the server switches it to the write-ahead log"),
        ),
        other => {
            let found = format!("{other}: readers wait for writers until the server switches it");
            let fix = "start the server, or run `PRAGMA journal_mode = WAL` while nobody has the file open";
            Finding::warn(JOURNAL, found, fix)
        }
    };
    vec![
        database,
        journal,
        postgres::latency(&facts.round_trips, config.pool.query_timeout),
        postgres::migrations(&facts.schema, config.migrate),
    ]
}

/// Says why a file cannot be used.
pub(super) fn unusable(file: &str, cause: &str) -> Finding {
    let fix = "name another file, or restore this one: it may be damaged, or not a database";
    Finding::fail(DATABASE, format!("{file}: {cause}"), fix)
}

fn file_system(kind: Option<&str>) -> Finding {
    match kind {
        None => Finding::skip(FILE_SYSTEM, "what the file lies on cannot be told"),
        Some(kind) if REMOTE.contains(&kind) => {
            let found =
                format!("{kind}: SQLite's locks and shared memory do not work over a network");
            Finding::fail(
                FILE_SYSTEM,
                found,
                "put the file on a local disk, or use Postgres",
            )
        }
        Some(kind) => Finding::ok(FILE_SYSTEM, kind),
    }
}

fn room(room: Option<u64>) -> Finding {
    let Some(bytes) = room else {
        return Finding::skip(DISK, "how much room there is cannot be told");
    };
    let found = format!("{} MiB", bytes >> 20);
    let fix = "make room, or put the file on a larger disk: a full one stops every write";
    if bytes < LEAST_ROOM {
        Finding::fail(DISK, found, fix)
    } else if bytes < LITTLE_ROOM {
        Finding::warn(DISK, found, fix)
    } else {
        Finding::ok(DISK, found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;
    use crate::doctor::testing::{expect, settings};
    use burgee_schema::diagnosis::SchemaFacts;
    use std::time::Duration;

    fn facts() -> SqliteFacts {
        SqliteFacts {
            journal_mode: "wal".to_owned(),
            write_lock: WriteLock::Free,
            round_trips: vec![Duration::from_micros(20)],
            schema: SchemaFacts::default(),
        }
    }

    #[test]
    fn a_healthy_file() {
        for finding in judge("burgee.db", &facts(), &settings(&[])) {
            expect(&finding, State::Ok, &[]);
        }
        for finding in judge_missing("burgee.db", &settings(&[])) {
            expect(&finding, State::Ok, &[]);
        }
    }

    #[test]
    fn locks_and_journals() {
        let database = |write_lock| {
            let facts = SqliteFacts {
                write_lock,
                ..facts()
            };
            judge("b.db", &facts, &settings(&[])).remove(0)
        };
        expect(
            &database(WriteLock::Taken),
            State::Warn,
            &["somebody else", "b.db"],
        );
        expect(
            &database(WriteLock::ReadOnly),
            State::Fail,
            &["read-only", "volume"],
        );
        let old = SqliteFacts {
            journal_mode: "delete".to_owned(),
            ..facts()
        };
        expect(
            &judge("b.db", &old, &settings(&[]))[1],
            State::Warn,
            &["delete", "WAL"],
        );
        let missing = judge_missing("b.db", &settings(&["--no-migrate"]));
        expect(&missing[1], State::Fail, &["burgee migrate"]);
        expect(
            &unusable("b.db", "file is not a database"),
            State::Fail,
            &["not a database"],
        );
        expect(
            &unwritable("/a/b.db", "Not a directory"),
            State::Fail,
            &["/a/b.db", "Not a directory"],
        );
    }

    #[test]
    fn ground() {
        let ground = |kind: &str, room| Ground {
            unwritable: None,
            file_system: Some(kind.to_owned()),
            room: Some(room),
        };
        let judge = |kind, room, replicas| judge_ground(&ground(kind, room), replicas);
        let good = judge("ext4", 10 << 30, 1);
        assert_eq!(good.len(), 2);
        for finding in &good {
            expect(finding, State::Ok, &[]);
        }
        for kind in ["nfs4", "cifs", "fuse.sshfs"] {
            expect(
                &judge(kind, 10 << 30, 1)[0],
                State::Fail,
                &[kind, "Postgres"],
            );
        }
        expect(&judge("ext4", 500 << 20, 1)[1], State::Warn, &["500 MiB"]);
        expect(&judge("ext4", 1 << 20, 1)[1], State::Fail, &["1 MiB"]);
        expect(
            &judge("ext4", 10 << 30, 3)[2],
            State::Fail,
            &["3 servers", "Postgres"],
        );
    }
}
