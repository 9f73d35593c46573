//! `burgee token new`: makes a key, stores its fingerprint, prints it once.

use super::{CliError, open};
use crate::config::{TokenAction, TokenArgs, TokenKind, TokenNewArgs};
use burgee_schema::WriteTransaction;
use burgee_schema::models::{PersonalKeyRow, SecretTokenRow};
use burgee_schema::store::fingerprint;
use rand::TryRng;
use rand::rngs::SysRng;
use std::io::Write;

/// How many random characters follow the prefix: 43 of 62 carry 256 bits.
const LENGTH: usize = 43;
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

pub(super) async fn run(
    args: &TokenArgs,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<u8, CliError> {
    let TokenAction::New(args) = &args.action;
    let url = args.database.resolve()?;
    if args.kind == TokenKind::Secret && (args.label.is_some() || !args.scopes.is_empty()) {
        return Err(CliError::Refused(
            "a secret token has neither a label nor scopes; they belong to --kind personal"
                .to_owned(),
        ));
    }
    let store = open(&url, false).await?;
    let key = new_key(args.kind)?;
    let mut transaction = store.begin_write().await?;
    let projects = transaction.projects().await?;
    if !projects.iter().any(|p| p.id == args.project) {
        transaction.roll_back().await?;
        let message = format!("there is no project {}", args.project);
        return Err(CliError::Refused(message));
    }
    let stored = match args.kind {
        TokenKind::Secret => {
            let row = SecretTokenRow {
                project_id: args.project,
                fingerprint: fingerprint(&key),
            };
            transaction.put_secret_token(&row).await?;
            format!("a secret token of project {}", args.project)
        }
        TokenKind::Personal => {
            let row = personal_key(&mut transaction, args, &key).await?;
            transaction.put_personal_key(&row).await?;
            format!(
                "the personal key `{}` of project {} with the scopes {}",
                row.label, row.project_id, row.scopes
            )
        }
    };
    transaction.commit().await?;
    writeln!(err, "made {stored}; it is shown only once")?;
    writeln!(out, "{key}")?;
    Ok(0)
}

async fn personal_key(
    transaction: &mut WriteTransaction,
    args: &TokenNewArgs,
    key: &str,
) -> Result<PersonalKeyRow, CliError> {
    let stored = transaction.personal_keys(args.project).await?;
    let is_used = |label: &str| stored.iter().any(|k| k.label == label);
    let label = match &args.label {
        Some(label) if label.is_empty() || is_used(label) => {
            let message = format!("the label {label:?} is empty or already used");
            return Err(CliError::Refused(message));
        }
        Some(label) => label.clone(),
        None => (1..=stored.len() + 1)
            .map(|n| format!("key-{n}"))
            .find(|label| !is_used(label))
            .unwrap_or_default(),
    };
    let scopes = match args.scopes.is_empty() {
        true => vec!["feature_flag:read".to_owned()],
        false => args.scopes.clone(),
    };
    Ok(PersonalKeyRow {
        project_id: args.project,
        label,
        fingerprint: fingerprint(key),
        scopes: serde_json::Value::from(scopes).to_string(),
    })
}

/// Makes a key from the randomness of the operating system.
pub(crate) fn new_key(kind: TokenKind) -> Result<String, CliError> {
    let mut key = match kind {
        TokenKind::Secret => "phs_",
        TokenKind::Personal => "phx_",
    }
    .to_owned();
    let end = key.len() + LENGTH;
    let mut bytes = [0; 64];
    while key.len() < end {
        SysRng.try_fill_bytes(&mut bytes).map_err(|error| {
            CliError::Refused(format!("the operating system has no randomness: {error}"))
        })?;
        // Bytes beyond a multiple of 62 are thrown away: taking them would favour the first letters.
        let letters = (bytes.iter().filter(|byte| **byte < 248))
            .filter_map(|byte| ALPHABET.get(usize::from(byte % 62)));
        for letter in letters.take(end - key.len()) {
            key.push(char::from(*letter));
        }
    }
    Ok(key)
}
