//! `burgee config`: the settings that are in force, and where each comes from. No secret is printed.

use super::{BAD_INPUT, CliError};
use crate::config::{ConfigArgs, Given, Origin};
use serde_json::{Value, json};
use std::io::Write;

pub(super) fn run(
    args: &ConfigArgs,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<u8, CliError> {
    let given = args.serve.given();
    if args.json {
        writeln!(out, "{:#}", as_json(given))?;
    } else {
        write!(out, "{}", as_toml(given))?;
    }
    match args.serve.resolve() {
        Ok(_) => Ok(0),
        Err(error) => {
            CliError::Config(error).explain(err)?;
            Ok(BAD_INPUT)
        }
    }
}

/// Writes a settings file; what is not set stands in it as a comment.
fn as_toml(given: &Given) -> String {
    let mut lines = match &given.file {
        Some(file) => format!("# settings file: {file}\n"),
        None => "# no settings file\n".to_owned(),
    };
    for setting in &given.settings {
        let key = &setting.key;
        lines.push_str(&match setting.shown_as_toml() {
            Some(value) => format!("{key} = {value} # {}\n", setting.origin),
            None => format!("# {key} is not set\n"),
        });
    }
    lines
}

fn as_json(given: &Given) -> Value {
    let settings = given.settings.iter().map(|setting| {
        let mut object = json!({
            "key": setting.key,
            "variable": setting.variable,
            "value": setting.shown(),
            "source": setting.origin.word(),
        });
        match &setting.origin {
            Origin::Environment(variable) => object["variable"] = json!(variable),
            Origin::File { file, line } => {
                object["file"] = json!(file);
                object["line"] = json!(line);
            }
            Origin::Flag | Origin::Default => {}
        }
        object
    });
    Value::Array(settings.collect())
}
