//! The definitions of a project as SDKs read them that evaluate flags themselves (http-api chapter 4): one document, made from
//! the stored rows alone, so that every instance makes the same.
//!
//! Made when somebody first asks after a change, on the CPU pool, once however many wait; then it replaces the rows it was made
//! from. It knows nothing of HTTP.

mod cohorts;
mod document;
mod flags;
mod json;
mod spelling;

#[cfg(test)]
mod tests;

pub use document::{Coding, Document, tag_of};

use crate::cpu_pool::CpuPool;
use burgee_evaluation::{Definitions, MatchingVersion};
use burgee_schema::models::DefinitionRows;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use json::{Object, text};
use prometheus_client::metrics::counter::Counter;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A project's document, or what it will be made from.
pub(crate) struct LocalDefinitions {
    rows: Mutex<Option<DefinitionRows>>,
    /// Shared, so that the work goes on when the first who asked has gone.
    document: OnceLock<Shared<BoxFuture<'static, Option<Arc<Document>>>>>,
    cpu: CpuPool,
    /// Counts the documents that are made.
    made: Counter,
}

impl LocalDefinitions {
    pub(crate) fn new(rows: DefinitionRows, cpu: CpuPool, made: Counter) -> Self {
        Self {
            rows: Mutex::new(Some(rows)),
            document: OnceLock::new(),
            cpu,
            made,
        }
    }

    /// Returns the document; `None` when it cannot be made. `definitions` are those that the same rows were compiled to.
    pub(crate) async fn document(&self, definitions: &Arc<Definitions>) -> Option<Arc<Document>> {
        let begin = || self.begin(Arc::clone(definitions)).boxed().shared();
        self.document.get_or_init(begin).clone().await
    }

    fn begin(
        &self,
        definitions: Arc<Definitions>,
    ) -> impl Future<Output = Option<Arc<Document>>> + Send + 'static {
        let rows = self
            .rows
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let (cpu, counter) = (self.cpu.clone(), self.made.clone());
        async move {
            let rows = rows?;
            counter.inc();
            let packing = cpu.clone();
            let made = cpu.run(move || {
                let body = write(&rows, &definitions);
                body.map(|body| Document::new(body, packing))
            });
            match made.await? {
                Ok(document) => Some(Arc::new(document)),
                Err(error) => {
                    tracing::error!(%error, "the definitions for local evaluation cannot be written");
                    None
                }
            }
        }
    }
}

impl fmt::Debug for LocalDefinitions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalDefinitions").finish_non_exhaustive()
    }
}

/// Writes the whole document.
fn write(rows: &DefinitionRows, definitions: &Definitions) -> serde_json::Result<Vec<u8>> {
    let mut body = Vec::new();
    let mut cohorts = BTreeSet::new();
    let mut document = Object::open(&mut body);
    let flags = flags::Writer::new(rows, definitions);
    flags.write_all(document.name("flags")?, &mut cohorts)?;
    let mut types = Object::open(document.name("group_type_mapping")?);
    for row in &rows.group_types {
        let index = row.group_type_index.to_string();
        text(types.name(&index)?, &row.name)?;
    }
    types.close();
    cohorts::write_all(document.name("cohorts")?, &rows.cohorts, cohorts)?;
    // Absent is the older rule.
    let matching = MatchingVersion::from_number(rows.project.property_matching_version);
    if matching == MatchingVersion::Explicit {
        document.raw("property_matching_version", "2")?;
    }
    document.close();
    Ok(body)
}
