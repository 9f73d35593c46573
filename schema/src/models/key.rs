//! Secret tokens and personal keys. Only their digests are stored.

use crate::StoreError;
use crate::connection::{Connection, on_both};
use crate::tables::{personal_keys, secret_tokens};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

type Result<T> = std::result::Result<T, StoreError>;

/// A hashed secret token of a project.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = secret_tokens)]
pub struct SecretTokenRow {
    /// Its project.
    pub project_id: i64,
    /// `sha256:` and 64 hexadecimal digits: the fingerprint that exports show.
    pub fingerprint: String,
}

/// A hashed personal key.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = personal_keys)]
pub struct PersonalKeyRow {
    /// The project it was made for.
    pub project_id: i64,
    /// What it is for; unique within the project.
    pub label: String,
    /// As in [`SecretTokenRow`].
    pub fingerprint: String,
    /// JSON list of texts.
    pub scopes: String,
}

pub(crate) async fn secret_token(
    connection: &mut Connection,
    fingerprint: &str,
) -> Result<Option<SecretTokenRow>> {
    on_both!(connection, async {
        secret_tokens::table
            .find(fingerprint)
            .select(SecretTokenRow::as_select())
            .first(connection)
            .await
            .optional()
    })
}

pub(crate) async fn personal_key(
    connection: &mut Connection,
    fingerprint: &str,
) -> Result<Option<PersonalKeyRow>> {
    on_both!(connection, async {
        personal_keys::table
            .filter(personal_keys::fingerprint.eq(fingerprint))
            .select(PersonalKeyRow::as_select())
            .first(connection)
            .await
            .optional()
    })
}

pub(crate) async fn secret_tokens_of_project(
    connection: &mut Connection,
    project_id: i64,
) -> Result<Vec<SecretTokenRow>> {
    on_both!(
        connection,
        secret_tokens::table
            .filter(secret_tokens::project_id.eq(project_id))
            .order(secret_tokens::fingerprint)
            .select(SecretTokenRow::as_select())
            .load(connection)
    )
}

pub(crate) async fn personal_keys_of_project(
    connection: &mut Connection,
    project_id: i64,
) -> Result<Vec<PersonalKeyRow>> {
    let mut rows: Vec<PersonalKeyRow> = on_both!(
        connection,
        personal_keys::table
            .filter(personal_keys::project_id.eq(project_id))
            .select(PersonalKeyRow::as_select())
            .load(connection)
    )?;
    // Not by the database: Postgres sorts texts by its own locale, and exports would differ.
    rows.sort_unstable_by(|a, b| a.label.cmp(&b.label));
    Ok(rows)
}

/// Adds a secret token. The project's own may be there already; another project's may not.
pub(crate) async fn put_secret_token(
    connection: &mut Connection,
    row: &SecretTokenRow,
) -> Result<()> {
    if secret_token(connection, &row.fingerprint).await?.as_ref() == Some(row) {
        return Ok(());
    }
    on_both!(
        connection,
        diesel::insert_into(secret_tokens::table)
            .values(row)
            .execute(connection)
    )
    .map(drop)
}

/// Removes a secret token; returns whether there was one.
pub(crate) async fn delete_secret_token(
    connection: &mut Connection,
    project_id: i64,
    fingerprint: &str,
) -> Result<bool> {
    let deleted = on_both!(
        connection,
        diesel::delete(
            secret_tokens::table
                .find(fingerprint)
                .filter(secret_tokens::project_id.eq(project_id))
        )
        .execute(connection)
    )?;
    Ok(deleted > 0)
}

/// Adds a personal key, or replaces the one with its label.
pub(crate) async fn put_personal_key(
    connection: &mut Connection,
    row: &PersonalKeyRow,
) -> Result<()> {
    on_both!(
        connection,
        diesel::insert_into(personal_keys::table)
            .values(row)
            .on_conflict((personal_keys::project_id, personal_keys::label))
            .do_update()
            .set((
                personal_keys::fingerprint.eq(&row.fingerprint),
                personal_keys::scopes.eq(&row.scopes),
            ))
            .execute(connection)
    )
    .map(drop)
}

/// Removes a personal key; returns whether there was one.
pub(crate) async fn delete_personal_key(
    connection: &mut Connection,
    project_id: i64,
    label: &str,
) -> Result<bool> {
    let deleted = on_both!(
        connection,
        diesel::delete(personal_keys::table.find((project_id, label))).execute(connection)
    )?;
    Ok(deleted > 0)
}
