//! Applies a project file again whenever it changes. A bad one is reported, and changes nothing.

use super::apply;
use crate::cli::{self, CliError};
use burgee_actors::System;
use burgee_evaluation::ProjectId;
use burgee_schema::{Store, chain};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How often the file is looked at.
const INTERVAL: Duration = Duration::from_millis(500);

/// Runs for ever.
pub(super) async fn watch(path: PathBuf, store: Store, system: System, lenient: bool) -> ! {
    let mut seen = stamp(&path);
    let mut ticks = tokio::time::interval(INTERVAL);
    loop {
        ticks.tick().await;
        let now = stamp(&path);
        if now == seen {
            continue;
        }
        seen = now;
        match reapply(&path, &store, &system, lenient).await {
            Ok(()) => {}
            Err(error) => tracing::error!(
                error = chain(&error),
                file = %path.display(),
                "the changed project file is not applied; what was there before keeps serving"
            ),
        }
    }
}

/// Returns what tells one state of a file from another; `None` while it is missing.
fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

async fn reapply(
    path: &Path,
    store: &Store,
    system: &System,
    lenient: bool,
) -> Result<(), CliError> {
    let (file, text) = cli::read_file(path)?;
    apply(store, &file, &text, lenient).await?;
    let projects = store.projects().await?;
    system
        .refresh(
            projects
                .iter()
                .map(|project| ProjectId(project.id))
                .collect(),
        )
        .await;
    Ok(())
}
