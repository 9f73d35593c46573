//! The last known definitions on disk, so that a replica can start while the database is away.
//!
//! A file a project holds the stored rows, not what was compiled from them. The files are written beside the request path
//! and only ever replaced whole. They hold public tokens and no secrets, and only their owner can read them.

mod format;
mod writer;

#[cfg(test)]
mod tests;

use burgee_evaluation::ProjectId;
use burgee_schema::store::fingerprint;
pub(crate) use format::Rows;
use format::{Bad, Header};
use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;
pub(crate) use writer::Writer;

/// The largest file of one project, and of all together, in bytes. What is larger is left out, with a warning.
const MAX_FILE: u64 = 64 << 20;
const MAX_TOTAL: u64 = 1 << 30;
/// Holds the moment at which all files were last known to be current.
const STAMP: &str = "synchronised.json";

/// A directory of snapshots. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Snapshots(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    directory: PathBuf,
    /// Tells one database from another; a snapshot of another one is foreign.
    database: String,
    changed: Mutex<HashSet<ProjectId>>,
    news: Notify,
}

/// What was found on disk.
#[derive(Debug)]
pub(crate) struct Saved {
    pub(crate) projects: Vec<Rows>,
    /// How long ago it was last known to be current.
    pub(crate) age: Duration,
}

impl Snapshots {
    /// Opens a directory, and makes it when it is missing. `database` names the database without any secret.
    pub fn open(directory: &Path, database: &str) -> io::Result<Self> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
        let snapshots = Self(Arc::new(Inner {
            directory: directory.to_owned(),
            database: fingerprint(database),
            changed: Mutex::default(),
            news: Notify::new(),
        }));
        snapshots.remove_leftovers()?;
        // Fails here and now when the directory cannot be written.
        snapshots.write("probe", b"")?;
        fs::remove_file(directory.join("probe"))?;
        Ok(snapshots)
    }

    /// Removes what a process that died had not yet moved to its place.
    fn remove_leftovers(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.0.directory)? {
            let entry = entry?;
            let name = entry.file_name();
            let is_ours = |name: &str| name.starts_with(".project-") || name.starts_with(".synch");
            if name.to_str().is_some_and(is_ours) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Returns whether there is a snapshot to start from. Reads the beginning of a file, so it may block.
    pub fn is_usable(&self) -> bool {
        let files = self.files().unwrap_or_default();
        files.iter().any(|(path, project)| {
            let mut first = String::new();
            let read = File::open(path).and_then(|file| BufReader::new(file).read_line(&mut first));
            read.is_ok() && Header::read(&first, &self.0.database, *project).is_ok()
        })
    }

    /// Notes that a project was read, changed or deleted; it is written soon.
    pub(crate) fn changed(&self, project: ProjectId) {
        self.dirty().insert(project);
        self.0.news.notify_one();
    }

    /// Reads every project. A file that cannot be used is named in the log and left alone. Blocks.
    pub(crate) fn read_all(&self) -> Saved {
        let mut projects = Vec::new();
        let mut total = 0;
        let mut newest = None;
        let files = self.files().unwrap_or_else(|error| {
            let directory = self.0.directory.display();
            tracing::error!(%directory, %error, "the snapshot directory cannot be read");
            Vec::new()
        });
        for (path, project) in files {
            match self.read(&path, project, MAX_TOTAL - total) {
                Ok((rows, length, modified)) => {
                    total += length;
                    newest = newest.max(Some(modified));
                    projects.push(rows);
                }
                Err(error) => {
                    let file = path.display();
                    tracing::warn!(%file, %error, "a snapshot cannot be used; it is ignored");
                }
            }
        }
        let current_at = self.stamp().or(newest).unwrap_or(UNIX_EPOCH);
        let age = SystemTime::now().duration_since(current_at);
        Saved {
            projects,
            age: age.unwrap_or_default(),
        }
    }

    fn read(
        &self,
        path: &Path,
        project: ProjectId,
        room: u64,
    ) -> Result<(Rows, u64, SystemTime), Bad> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.len() > MAX_FILE.min(room) {
            return Err(Bad::TooLarge);
        }
        let rows = format::read(BufReader::new(file), &self.0.database, project)?;
        Ok((rows, metadata.len(), metadata.modified()?))
    }

    /// Returns the files of projects; whatever else lies there is none of ours.
    fn files(&self) -> io::Result<Vec<(PathBuf, ProjectId)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.0.directory)? {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            if let Some(project) = name.and_then(project_of) {
                files.push((path, project));
            }
        }
        files.sort_unstable_by_key(|(_, project)| *project);
        Ok(files)
    }

    fn path(&self, project: ProjectId) -> PathBuf {
        self.0
            .directory
            .join(format!("project-{}.jsonl", project.0))
    }

    /// Writes a file beside its place, and moves it there: nobody ever sees half of it.
    fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let process = std::process::id();
        let beside = self.0.directory.join(format!(".{name}.{process}"));
        // Left by a process that had this id and died.
        let _absent = fs::remove_file(&beside);
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&beside)
            .and_then(|mut file| {
                file.write_all(content)?;
                file.sync_all()
            })
            .and_then(|()| fs::rename(&beside, self.0.directory.join(name)));
        if written.is_err() {
            let _ = fs::remove_file(&beside);
        }
        written
    }

    fn stamp(&self) -> Option<SystemTime> {
        let text = fs::read_to_string(self.0.directory.join(STAMP)).ok()?;
        format::read_stamp(&text, &self.0.database)
    }

    fn dirty(&self) -> MutexGuard<'_, HashSet<ProjectId>> {
        let changed = &self.0.changed;
        changed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn project_of(name: &str) -> Option<ProjectId> {
    let id = name.strip_prefix("project-")?.strip_suffix(".jsonl")?;
    id.parse().ok().map(ProjectId)
}
