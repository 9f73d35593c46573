//! Flags of other products as a project file: what they say in Burgee's words, and notes on what cannot be said.
//!
//! Pure: trees of values in, text and notes out. Each product has its module; they share the rules that become conditions.
//! Whatever a product's module makes is checked like any project file, so that what is written can be applied.

mod compare;
mod flagd;
mod note;
mod plan;
mod posthog;
mod rule;
mod unleash;
mod value;

pub use note::{Note, NoteKind};

use crate::project_file::{
    self, ApplyOptions, Emitter, Format, Node, Problem, Problems, Value, list, object,
};
use chrono::{DateTime, Utc};
use note::Notes;
use std::collections::BTreeMap;
use std::io;
use value::{integer, text};

/// Where files come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Source {
    /// The pages of PostHog's public API: feature_flags, cohorts, groups_types
    Posthog,
    /// Flag definition files of flagd
    Flagd,
    /// Exports of Unleash: of its features, or of its whole state
    Unleash,
}

/// How to import.
#[derive(Debug, Clone)]
pub struct ImportOptions {
    /// Where the files come from.
    pub from: Source,
    /// How the project file is written.
    pub format: Format,
    /// The project's public token.
    pub token: Option<String>,
    /// The project's id.
    pub project_id: Option<i64>,
    /// The project's name.
    pub project_name: Option<String>,
    /// The environment whose settings are taken, of a product that has several.
    pub environment: Option<String>,
    /// The first id of flags and cohorts that have none in the files but need one.
    pub first_id: i64,
    /// What time it is: a rule about the time may be settled for good.
    pub now: DateTime<Utc>,
}

/// A project file, and what is to be said about it.
#[derive(Debug)]
pub struct Outcome {
    /// The project file.
    pub text: String,
    /// What was left out, and what will answer differently.
    pub notes: Vec<Note>,
    /// How many flags are in the file.
    pub flags: usize,
    /// How many cohorts are in the file.
    pub cohorts: usize,
}

impl Outcome {
    /// Counts the notes of a kind.
    pub fn count(&self, kind: NoteKind) -> usize {
        self.notes.iter().filter(|note| note.kind == kind).count()
    }
}

/// A flag or a cohort of the project file.
#[derive(Debug)]
pub(crate) struct Definition {
    /// What notes call it: `flag new-checkout`.
    pub(crate) subject: String,
    /// What stands in the file.
    pub(crate) value: Value,
}

/// What a product's files hold, in Burgee's words.
#[derive(Debug, Default)]
pub(crate) struct Imported {
    pub(crate) group_types: Vec<String>,
    pub(crate) property_matching_version: Option<i64>,
    pub(crate) flags: Vec<Definition>,
    pub(crate) cohorts: Vec<Definition>,
    pub(crate) notes: Notes,
}

/// Turns files into a project file. `Err` is a project whose own settings are wrong; a flag or cohort that is wrong is left
/// out with a note.
pub(crate) fn import(files: &[Node], options: &ImportOptions) -> Result<Outcome, Problems> {
    if options.environment.is_some() && options.from != Source::Unleash {
        return Err(wrong_environment("only Unleash has environments"));
    }
    let mut imported = match options.from {
        Source::Posthog => posthog::convert(files),
        Source::Flagd => flagd::convert(files, options),
        Source::Unleash => unleash::convert(files, options)?,
    };
    let text = loop {
        let text = write(&imported, options);
        match project_file::check(&text, &check_options(options.format)) {
            Ok(_) => break text,
            Err(problems) => imported.leave_out(problems)?,
        }
    };
    Ok(Outcome {
        text,
        flags: imported.flags.len(),
        cohorts: imported.cohorts.len(),
        notes: imported.notes.into_sorted(),
    })
}

/// Refuses a choice of an environment.
pub(crate) fn wrong_environment(message: &str) -> Problems {
    Problems {
        file: "import".to_owned(),
        problems: vec![Problem {
            place: None,
            path: "--environment".to_owned(),
            message: message.to_owned(),
        }],
    }
}

fn check_options(format: Format) -> ApplyOptions {
    let ending = match format {
        Format::Yaml => "yaml",
        Format::Json => "json",
    };
    ApplyOptions {
        file: format!("import.{ending}"),
        prune: false,
        lenient: false,
        dry_run: true,
        now: DateTime::UNIX_EPOCH,
    }
}

impl Imported {
    /// Takes out what a check complains of. References to it are the next check's complaints.
    fn leave_out(&mut self, problems: Problems) -> Result<(), Problems> {
        let mut faulty: BTreeMap<(&str, usize), Vec<&Problem>> = BTreeMap::new();
        for problem in &problems.problems {
            if let Some(at) = definition_at(&problem.path) {
                faulty.entry(at).or_default().push(problem);
            }
        }
        let before = self.flags.len() + self.cohorts.len();
        // From the end, so that the numbers of those before stay what they are.
        for ((name, index), found) in faulty.into_iter().rev() {
            let definitions = match name {
                "flags" => &mut self.flags,
                _ => &mut self.cohorts,
            };
            if index >= definitions.len() {
                continue;
            }
            let definition = definitions.remove(index);
            let reasons: Vec<String> = found.into_iter().map(reason).collect();
            self.notes.left_out(&definition.subject, reasons.join("; "));
        }
        match self.flags.len() + self.cohorts.len() < before {
            true => Ok(()),
            false => Err(problems),
        }
    }
}

/// Finds the definition of a path such as `projects[0].flags[3].filters`.
fn definition_at(path: &str) -> Option<(&'static str, usize)> {
    let rest = path.strip_prefix("projects[0].")?;
    let (name, rest) = rest.split_once('[')?;
    let name = ["flags", "cohorts"].into_iter().find(|n| *n == name)?;
    Some((name, rest.split_once(']')?.0.parse().ok()?))
}

/// Says what is wrong with a definition, with the path inside it.
fn reason(problem: &Problem) -> String {
    let inner = problem.path.splitn(3, '.').nth(2);
    match inner {
        Some(inner) => format!("{inner}: {}", problem.message),
        None => problem.message.clone(),
    }
}

fn write(imported: &Imported, options: &ImportOptions) -> String {
    let mut out = Vec::new();
    // Writing to memory does not fail, and what is written is text.
    let _ = emit(imported, options, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

fn emit(imported: &Imported, options: &ImportOptions, out: &mut Vec<u8>) -> io::Result<()> {
    let mut emitter = Emitter::new(out, options.format);
    emitter.begin()?;
    emitter.begin_project(0, &head(imported, options))?;
    for (name, definitions) in [("flags", &imported.flags), ("cohorts", &imported.cohorts)] {
        for (index, definition) in definitions.iter().enumerate() {
            emitter.item(name, index, &definition.value)?;
        }
        emitter.end_list(name, definitions.len())?;
    }
    emitter.end_project()?;
    emitter.end(1)
}

fn head(imported: &Imported, options: &ImportOptions) -> Vec<(&'static str, Value)> {
    let mut members = Vec::new();
    if let Some(id) = options.project_id {
        members.push(("id", integer(id)));
    }
    if let Some(name) = &options.project_name {
        members.push(("name", text(name)));
    }
    // The emitter needs a first member.
    match &options.token {
        Some(token) => members.push(("token", text(token))),
        None if members.is_empty() => members.push(("token", Value::Null)),
        None => {}
    }
    if !imported.group_types.is_empty() {
        let types = imported.group_types.iter().map(|name| text(name));
        members.push(("group_types", list(types)));
    }
    if let Some(version) = imported.property_matching_version {
        members.push(("property_matching_version", integer(version)));
    }
    members
}

/// Returns a flag as it stands in the file.
pub(crate) fn flag(key: &str, members: Vec<(&str, Value)>) -> Definition {
    let mut all = vec![("key", text(key))];
    all.extend(members);
    Definition {
        subject: format!("flag {key}"),
        value: object(all),
    }
}

#[cfg(test)]
mod tests;
