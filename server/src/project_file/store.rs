//! Between the store and the plan: reads what a plan needs, and does what it says, inside one transaction.

use super::plan::{Step, Stored, StoredProject, Write};
use super::shape::{ProjectEntry, ProjectFile};
use burgee_schema::models::{FullPerson, GroupRow, ProjectRow};
use burgee_schema::{StoreError, WriteTransaction};
use std::collections::{BTreeMap, HashMap};

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
        flag_owners: HashMap::new(),
        cohort_owners: HashMap::new(),
        largest: transaction.largest_ids().await?,
    };
    let flags = file.projects.iter().flat_map(|p| &p.flags);
    let ids: Vec<i32> = flags.filter_map(|f| Some(f.id.as_ref()?.value)).collect();
    for page in ids.chunks(PAGE) {
        stored
            .flag_owners
            .extend(transaction.flag_owners(page).await?);
    }
    let cohorts = file.projects.iter().flat_map(|p| &p.cohorts);
    let ids: Vec<i64> = cohorts.filter_map(|c| Some(c.id.as_ref()?.value)).collect();
    for page in ids.chunks(PAGE) {
        stored
            .cohort_owners
            .extend(transaction.cohort_owners(page).await?);
    }
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
    let mut stored = StoredProject {
        project,
        group_types: Vec::new(),
        flags: Vec::new(),
        cohorts: Vec::new(),
        groups: Vec::new(),
        secret_tokens: transaction.secret_tokens(id).await?,
        personal_keys: transaction.personal_keys(id).await?,
        persons: Vec::new(),
    };
    if let Some(entry) = entry {
        stored.group_types = transaction.group_types(id).await?;
        stored.flags = transaction.flags(id).await?;
        stored.cohorts = transaction.cohorts(id).await?;
        stored.groups = transaction.groups(id).await?;
        stored.persons = match prune {
            true => all_persons(transaction, id).await?,
            false => named_persons(transaction, id, entry).await?,
        };
    }
    Ok(stored)
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

/// Does what the steps say, in their order; new persons and groups that follow each other go together.
pub(super) async fn write(
    transaction: &mut WriteTransaction,
    steps: impl IntoIterator<Item = Step>,
) -> Result<(), StoreError> {
    let mut persons = Vec::new();
    let mut groups = Vec::new();
    for write in steps.into_iter().filter_map(|step| step.write) {
        match write {
            Write::InsertPerson(person) => persons.push(person),
            Write::Group(group) => groups.push(group),
            other => {
                flush(transaction, &mut persons, &mut groups, 1).await?;
                write_one(transaction, other).await?;
            }
        }
        flush(transaction, &mut persons, &mut groups, PAGE).await?;
    }
    flush(transaction, &mut persons, &mut groups, 1).await
}

/// Writes what has gathered once it is at least `least`.
async fn flush(
    transaction: &mut WriteTransaction,
    persons: &mut Vec<FullPerson>,
    groups: &mut Vec<GroupRow>,
    least: usize,
) -> Result<(), StoreError> {
    if persons.len() >= least {
        transaction.insert_persons(persons).await?;
        persons.clear();
    }
    if groups.len() >= least {
        transaction.put_groups(groups).await?;
        groups.clear();
    }
    Ok(())
}

async fn write_one(transaction: &mut WriteTransaction, write: Write) -> Result<(), StoreError> {
    match write {
        Write::Project(row) => transaction.put_project(&row).await,
        Write::GroupType(row) => transaction.put_group_type(&row).await,
        Write::Flag(row) => transaction.put_flag(&row).await,
        Write::DeleteFlag(project, id) => transaction.delete_flag(project, id).await,
        Write::Cohort(row) => transaction.put_cohort(&row).await,
        Write::DeleteCohort(project, id) => transaction.delete_cohort(project, id).await,
        Write::InsertPerson(person) => transaction.insert_person(&person).await.map(|_| ()),
        Write::ReplacePerson(person) => transaction.replace_person(&person).await,
        Write::DeletePerson(project, id) => transaction.delete_person(project, id).await,
        Write::Group(row) => transaction.put_group(&row).await,
        Write::DeleteGroup(project, index, key) => {
            transaction.delete_group(project, index, &key).await
        }
        Write::SecretToken(row) => transaction.put_secret_token(&row).await,
        Write::DeleteSecretToken(project, print) => {
            transaction.delete_secret_token(project, &print).await
        }
        Write::PersonalKey(row) => transaction.put_personal_key(&row).await,
        Write::DeletePersonalKey(project, label) => {
            transaction.delete_personal_key(project, &label).await
        }
    }
}
