//! `burgee migrate`: runs or lists migrations.

use super::{CliError, FAILED};
use crate::config::{MigrateArgs, command_pool};
use burgee_schema::Store;
use std::io::Write;

pub(super) async fn run(args: &MigrateArgs, out: &mut impl Write) -> Result<u8, CliError> {
    let url = args.database.resolve()?;
    let store = Store::open(url.expose(), command_pool()).await?;
    if !args.status {
        let ran = store.migrate().await?;
        for name in &ran {
            writeln!(out, "ran     {name}")?;
        }
        if ran.is_empty() {
            writeln!(out, "nothing to do, all migrations have run")?;
        }
        return Ok(0);
    }
    let migrations = store.migrations().await?;
    for migration in &migrations {
        let state = if migration.applied {
            "ran    "
        } else {
            "pending"
        };
        writeln!(out, "{state} {}", migration.name)?;
    }
    let all_ran = migrations.iter().all(|m| m.applied);
    Ok(if all_ran { 0 } else { FAILED })
}
