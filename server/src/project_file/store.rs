//! Between the store and the plan: reads what a plan needs, and does what it says, inside one transaction.

use super::plan::{Step, Stored, StoredProject, Write};
use super::shape::{ProjectEntry, ProjectFile};
use burgee_schema::models::{FullPerson, ProjectRow};
use burgee_schema::{StoreError, WriteTransaction};
use std::collections::BTreeMap;

/// How many distinct ids or persons one question carries.
const PAGE: usize = 500;

/// Reads what is stored, as far as the file needs it.
pub(super) async fn load(
    transaction: &mut WriteTransaction,
    file: &ProjectFile,
    prune: bool,
) -> Result<Stored, StoreError> {
    let mut stored = Stored {
        projects: Vec::new(),
        largest: transaction.largest_ids().await?,
    };
    for project in transaction.projects().await? {
        let entry = file.projects.iter().find(|e| names(e, &project));
        stored
            .projects
            .push(load_project(transaction, project, entry, prune).await?);
    }
    Ok(stored)
}

fn names(entry: &ProjectEntry, project: &ProjectRow) -> bool {
    entry.id.as_ref().is_some_and(|id| id.value == project.id)
        || (entry.token.as_ref()).is_some_and(|token| token.value == project.token)
}

async fn load_project(
    transaction: &mut WriteTransaction,
    project: ProjectRow,
    entry: Option<&ProjectEntry>,
    prune: bool,
) -> Result<StoredProject, StoreError> {
    let id = project.id;
    Ok(StoredProject {
        group_types: transaction.group_types(id).await?,
        flags: transaction.flags(id).await?,
        cohorts: transaction.cohorts(id).await?,
        groups: match entry {
            Some(_) => transaction.groups(id).await?,
            None => Vec::new(),
        },
        secret_tokens: transaction.secret_tokens(id).await?,
        personal_keys: transaction.personal_keys(id).await?,
        persons: match entry {
            Some(_) if prune => all_persons(transaction, id).await?,
            Some(entry) => named_persons(transaction, id, entry).await?,
            None => Vec::new(),
        },
        project,
    })
}

async fn all_persons(
    transaction: &mut WriteTransaction,
    project: i64,
) -> Result<Vec<FullPerson>, StoreError> {
    let mut persons = Vec::new();
    let mut after = 0;
    loop {
        let page = transaction
            .persons_after(project, after, i64::try_from(PAGE).unwrap_or(i64::MAX))
            .await?;
        let Some(last) = page.last() else {
            return Ok(persons);
        };
        after = last.person.id;
        persons.extend(page);
    }
}

async fn named_persons(
    transaction: &mut WriteTransaction,
    project: i64,
    entry: &ProjectEntry,
) -> Result<Vec<FullPerson>, StoreError> {
    let ids: Vec<String> = (entry.persons.iter())
        .flat_map(|p| &p.distinct_ids)
        .map(|id| id.value.clone())
        .collect();
    let mut persons = BTreeMap::new();
    for page in ids.chunks(PAGE) {
        for person in transaction.persons_of(project, page).await? {
            persons.insert(person.person.id, person);
        }
    }
    Ok(persons.into_values().collect())
}

/// Does what the steps say, in their order.
pub(super) async fn write(
    transaction: &mut WriteTransaction,
    steps: impl IntoIterator<Item = Step>,
) -> Result<(), StoreError> {
    for write in steps.into_iter().filter_map(|step| step.write) {
        match write {
            Write::Project(row) => transaction.put_project(&row).await?,
            Write::GroupType(row) => transaction.put_group_type(&row).await?,
            Write::Flag(row) => transaction.put_flag(&row).await?,
            Write::DeleteFlag(project, id) => transaction.delete_flag(project, id).await?,
            Write::Cohort(row) => transaction.put_cohort(&row).await?,
            Write::DeleteCohort(project, id) => transaction.delete_cohort(project, id).await?,
            Write::InsertPerson(person) => {
                transaction.insert_person(&person).await?;
            }
            Write::ReplacePerson(person) => transaction.replace_person(&person).await?,
            Write::DeletePerson(project, id) => transaction.delete_person(project, id).await?,
            Write::Group(row) => transaction.put_group(&row).await?,
            Write::DeleteGroup(project, index, key) => {
                transaction.delete_group(project, index, &key).await?;
            }
            Write::SecretToken(row) => transaction.put_secret_token(&row).await?,
            Write::DeleteSecretToken(project, print) => {
                transaction.delete_secret_token(project, &print).await?;
            }
            Write::PersonalKey(row) => transaction.put_personal_key(&row).await?,
            Write::DeletePersonalKey(project, label) => {
                transaction.delete_personal_key(project, &label).await?;
            }
        }
    }
    Ok(())
}
