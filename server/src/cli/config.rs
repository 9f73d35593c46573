//! `burgee config`: the settings that are in force, and where each comes from. No secret is printed.

use super::{BAD_INPUT, CliError};
use crate::config::{ConfigArgs, Given, Origin, Setting};
use std::io::Write;

pub(super) fn run(
    args: &ConfigArgs,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<u8, CliError> {
    let given = args.serve.given();
    if args.json {
        let shown: Vec<_> = given.settings.iter().map(Shown::of).collect();
        serde_json::to_writer_pretty(&mut *out, &shown).map_err(std::io::Error::from)?;
        writeln!(out)?;
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

/// A setting as `--json` prints it.
#[derive(serde::Serialize)]
struct Shown<'a> {
    key: &'a str,
    variable: &'a str,
    value: Option<String>,
    source: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
}

impl<'a> Shown<'a> {
    fn of(setting: &'a Setting) -> Self {
        let (file, line) = match &setting.origin {
            Origin::File { file, line } => (Some(file.as_str()), Some(*line)),
            _ => (None, None),
        };
        Self {
            key: &setting.key,
            variable: match &setting.origin {
                Origin::Environment(variable) => variable,
                _ => &setting.variable,
            },
            value: setting.shown(),
            source: setting.origin.word(),
            file,
            line,
        }
    }
}
