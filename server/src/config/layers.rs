//! Reads the command line together with the environment and the settings file: a flag goes before a variable, a variable before the
//! file, the file before the default.
//!
//! There is one list of settings, the options of `serve`: what a file says becomes the default of its option, and is read, checked and
//! shown like any other value.

use super::commands::{Cli, Command};
use super::faults::ConfigError;
use super::file::{self, Entry, Kind};
use super::{DatabaseUrl, ServeOptions};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, CommandFactory, FromArgMatches};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::io::Read;
use std::path::Path;

/// The largest settings file, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// Variables that other programs know as well, for settings whose own variable is not set.
const SHARED_VARIABLES: [(&str, &str); 4] = [
    ("otlp_endpoint", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
    ("otlp_endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT"),
    ("otlp_sample_ratio", "OTEL_TRACES_SAMPLER_ARG"),
    ("otlp_service_name", "OTEL_SERVICE_NAME"),
];

/// Why a command line cannot be followed.
#[derive(Debug)]
pub enum ParseError {
    /// It is wrong, or asks for help; `clap` knows what to print.
    Usage(clap::Error),
    /// The settings file is wrong.
    File(ConfigError),
}

impl From<clap::Error> for ParseError {
    fn from(error: clap::Error) -> Self {
        Self::Usage(error)
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Flag,
    /// A variable of the environment, by its name.
    Environment(String),
    /// A line of the settings file.
    File {
        /// Its name.
        file: String,
        /// From 1.
        line: usize,
    },
    /// Nobody has said anything.
    Default,
}

impl Origin {
    /// Returns the kind of place in a word.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Environment(_) => "environment",
            Self::File { .. } => "file",
            Self::Default => "default",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag | Self::Default => f.write_str(self.word()),
            Self::Environment(variable) => write!(f, "environment {variable}"),
            Self::File { file, line } => write!(f, "file {file}:{line}"),
        }
    }
}

/// One setting of the server as it is in force. Its `Debug` hides secrets.
#[derive(Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its name in a settings file, such as `pool_size`.
    pub key: String,
    /// Its variable.
    pub variable: String,
    /// Where its value comes from.
    pub origin: Origin,
    value: Option<String>,
    is_secret: bool,
    kind: Kind,
}

impl Setting {
    /// Returns its option without the dashes in front.
    pub fn option(&self) -> String {
        self.key.replace('_', "-")
    }

    /// Returns its value without what is secret in it; `None` when it has none.
    pub fn shown(&self) -> Option<String> {
        let value = self.value.as_ref()?;
        Some(match self.is_secret {
            true if value.contains("://") => DatabaseUrl(value.clone()).to_string(),
            true => "(hidden)".to_owned(),
            false => value.clone(),
        })
    }

    /// Returns its value as TOML, without what is secret in it.
    pub fn shown_as_toml(&self) -> Option<String> {
        let text = self.shown()?;
        let is_plain = match self.kind {
            Kind::Number => text.parse::<f64>().is_ok_and(f64::is_finite),
            Kind::Switch => matches!(text.as_str(), "true" | "false"),
            Kind::Text | Kind::List => false,
        };
        Some(if is_plain { text } else { quoted(&text) })
    }

    /// Returns whether it says the same, wherever it comes from.
    pub fn says_the_same(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.shown().unwrap_or_default();
        write!(f, "{} = {value:?} ({})", self.key, self.origin)
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// What a command line and its surroundings said, so that it can be shown and read again.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// Every setting of the server, in the order of `--help`.
    pub settings: Vec<Setting>,
    /// What is wrong with the settings file.
    pub(super) faults: Vec<String>,
    /// The command line itself.
    pub line: Vec<OsString>,
    /// The settings file.
    pub file: Option<String>,
}

/// Reads a command line, whose first word is the program's name, in the environment of this process.
pub fn parse(line: impl IntoIterator<Item = OsString>) -> Result<Cli, ParseError> {
    parse_with(line.into_iter().collect(), |name| std::env::var_os(name))
}

/// The same, with the variables that other programs know as well from elsewhere.
pub(super) fn parse_with(
    line: Vec<OsString>,
    shared: impl Fn(&str) -> Option<OsString>,
) -> Result<Cli, ParseError> {
    let mut command = Cli::command();
    let matches = command.try_get_matches_from_mut(&line)?;
    let path = Cli::from_arg_matches(&matches)?.config;
    let mut layer = Layer::read(path.as_deref());
    layer.add_shared(shared);
    let matches = match layer.values.is_empty() {
        true => matches,
        false => layer.offer(Cli::command()).try_get_matches_from(&line)?,
    };
    let mut cli = Cli::from_arg_matches(&matches)?;
    let options = match &mut cli.command {
        Command::Serve(options) => options,
        Command::Config(args) => &mut args.serve,
        Command::Doctor(args) => &mut args.serve,
        _ if layer.faults.is_empty() => return Ok(cli),
        _ => return Err(ParseError::File(ConfigError(layer.faults))),
    };
    let settings = matches.subcommand().map(|(_, used)| layer.settings(used));
    options.given = Given {
        settings: settings.unwrap_or_default(),
        faults: layer.faults,
        line,
        file: layer.file,
    };
    Ok(cli)
}

/// Returns the options of the server that are settings.
pub(super) fn options() -> Vec<Arg> {
    let command = ServeOptions::augment_args(clap::Command::new("serve"));
    let options = command.get_arguments();
    let is_setting = |it: &&Arg| it.get_long().is_some() && it.get_env().is_some();
    options.filter(is_setting).cloned().collect()
}

pub(super) fn key(option: &Arg) -> String {
    option.get_long().unwrap_or_default().replace('-', "_")
}

fn kind(option: &Arg) -> Kind {
    let names = option.get_value_names().unwrap_or_default();
    names.first().map_or(Kind::Text, |name| Kind::of(name))
}

fn variable(option: &Arg) -> String {
    let variable = option.get_env().unwrap_or_default();
    variable.to_string_lossy().into_owned()
}

/// What goes before the defaults and behind the variables of the options.
#[derive(Debug, Default)]
struct Layer {
    file: Option<String>,
    /// By key: where it comes from, and its text.
    values: BTreeMap<String, (Origin, String)>,
    faults: Vec<String>,
}

impl Layer {
    fn read(path: Option<&Path>) -> Self {
        let Some(path) = path else {
            return Self::default();
        };
        let file = path.display().to_string();
        let text = match read_text(path) {
            Ok(text) => text,
            Err(error) => {
                let fault = format!("--config (BURGEE_CONFIG): {file} cannot be read: {error}");
                return Self {
                    file: Some(file),
                    faults: vec![fault],
                    ..Self::default()
                };
            }
        };
        let known = options().iter().map(|it| (key(it), kind(it))).collect();
        let (entries, faults) = file::read(&file, &text, &known);
        let from_file = |(key, Entry { line, text })| {
            let file = file.clone();
            (key, (Origin::File { file, line }, text))
        };
        Self {
            values: entries.into_iter().map(from_file).collect(),
            faults,
            file: Some(file),
        }
    }

    fn add_shared(&mut self, variables: impl Fn(&str) -> Option<OsString>) {
        for (key, variable) in SHARED_VARIABLES.iter().rev() {
            let text = variables(variable).and_then(|text| text.into_string().ok());
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                let origin = Origin::Environment((*variable).to_owned());
                self.values.insert((*key).to_owned(), (origin, text));
            }
        }
    }

    /// Makes what is said here the defaults of all commands' options. Another command's option is the same setting when it has
    /// the same variable.
    fn offer(&self, command: clap::Command) -> clap::Command {
        let named = options()
            .iter()
            .filter_map(|it| Some((variable(it), self.values.get(&key(it))?.1.clone())))
            .collect();
        offer(command, &named)
    }

    fn settings(&self, used: &ArgMatches) -> Vec<Setting> {
        options()
            .iter()
            .map(|option| {
                let (key, id) = (key(option), option.get_id().as_str());
                let raw = used.try_get_raw(id).ok().flatten();
                let value = raw.and_then(|mut values| values.next());
                Setting {
                    origin: self.origin(used.value_source(id), &key, option),
                    variable: variable(option),
                    value: value.map(|value| value.to_string_lossy().into_owned()),
                    is_secret: option.is_hide_env_values_set(),
                    kind: kind(option),
                    key,
                }
            })
            .collect()
    }

    fn origin(&self, source: Option<ValueSource>, key: &str, option: &Arg) -> Origin {
        match source {
            Some(ValueSource::CommandLine) => Origin::Flag,
            Some(ValueSource::EnvVariable) => Origin::Environment(variable(option)),
            _ => self
                .values
                .get(key)
                .map_or(Origin::Default, |(origin, _)| origin.clone()),
        }
    }
}

fn offer(mut command: clap::Command, values: &BTreeMap<String, String>) -> clap::Command {
    let names = command.get_subcommands().map(|it| it.get_name().to_owned());
    for name in names.collect::<Vec<_>>() {
        command = command.mut_subcommand(name, |inner| offer(inner, values));
    }
    command.mut_args(|option| match values.get(&variable(&option)) {
        Some(text) => option.default_value(OsString::from(text)),
        None => option,
    })
}

fn read_text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    file.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    match u64::try_from(text.len()) {
        Ok(bytes) if bytes <= MAX_BYTES => Ok(text),
        _ => Err(std::io::Error::other("it is larger than 1 MiB")),
    }
}

#[cfg(test)]
mod tests;
