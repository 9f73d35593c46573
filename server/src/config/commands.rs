//! The command line: every command and its options.

use super::faults::{ConfigError, Faults};
use super::{DatabaseUrl, DoctorArgs, ReplayOptions, ServeOptions, ShadowOptions};
use crate::import::Source;
use crate::project_file::{Format, is_scope};
use burgee_schema::PoolConfig;
use clap::builder::BoolishValueParser;
use std::path::PathBuf;
use std::time::Duration;

/// Evaluates feature flags for PostHog SDKs and OpenFeature, from SQLite or Postgres.
///
/// `burgee serve --demo` starts a server with an example project. Every option can also be given as an environment
/// variable: BURGEE_ and the option's name in capitals, with _ for -. Those of `serve` can stand in a file as well.
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "burgee", version, propagate_version = true)]
pub struct Cli {
    /// A file with settings: TOML, the long option names as keys. Flags and variables go before it
    #[arg(long, global = true, env = "BURGEE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// A command.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Command {
    /// Serve flag evaluations over HTTP
    ///
    /// Answers health checks and /metrics at once, runs pending migrations, applies the project file if one is given, and
    /// then answers /flags, /decide and the rest until it is told to stop (SIGTERM or Ctrl-C); running requests end first. A
    /// second signal ends it at once. SIGHUP reads the settings file again.
    #[command(after_help = "Examples:
  burgee serve --demo
  burgee serve --project flags.yaml --watch
  burgee serve --listen 0.0.0.0:8080 --database-url postgres://burgee:secret@db/burgee")]
    Serve(Box<ServeOptions>),
    /// Bring the database to what a project file says
    ///
    /// Objects are matched by what names them: projects by id or token, flags by key, cohorts by id or name, persons by any
    /// of their distinct ids, groups by type and key. Everything happens in one transaction, or nothing does. Prints a line
    /// for each object and a total. Versions of flags are counted by the database; those in a file are ignored. Exits with 2 and every problem when the file is bad, with 1 when the database fails.
    #[command(after_help = "Examples:
  burgee apply -f flags.yaml --dry-run
  burgee apply -f flags.yaml --prune --database-url postgres://burgee:secret@db/burgee
  burgee export | burgee apply -f - --database-url sqlite://copy.db")]
    Apply(ApplyArgs),
    /// Write what is stored as a project file
    ///
    /// The output is the same for the same content, and `burgee apply` takes it. Secret tokens and personal keys are written
    /// as fingerprints, which apply accepts unchanged.
    #[command(after_help = "Examples:
  burgee export > all.yaml
  burgee export --project 1 --format json")]
    Export(ExportArgs),
    /// Turn the flags of another product into a project file
    ///
    /// Reads what PostHog's API lists, a flagd definition file or an export of Unleash, and writes a project file that
    /// `burgee apply` takes. Says on standard error what is left out because it cannot be expressed, and what will answer
    /// differently; nothing is changed silently. Exits with 2 when anything is left out, unless --lenient is given; the
    /// file is written all the same. docs/import.md tells what becomes of what.
    #[command(after_help = "Examples:
  burgee import --from posthog flags-page-1.json flags-page-2.json cohorts.json --token phc_shop --output shop.yaml
  burgee import --from flagd flags.flagd.json --token phc_shop | burgee apply -f -
  burgee import --from unleash export.json segments.json --environment production --token phc_shop
  burgee import --from posthog dump.json --project-id 1 --lenient")]
    Import(ImportArgs),
    /// Validate a project file without changing anything
    ///
    /// Names every problem with file, line, column and path: unknown fields and operators, wrong types, broken patterns,
    /// variants above 100 percent, circles of dependencies, references to flags and cohorts that do not exist. Exits with 2
    /// if there is any. Without a database the file must be complete in itself.
    #[command(after_help = "Examples:
  burgee check -f flags.yaml
  burgee check -f flags.yaml --database-url sqlite://burgee.db")]
    Check(CheckArgs),
    /// Run or list database migrations
    #[command(after_help = "Examples:
  burgee migrate
  burgee migrate --status")]
    Migrate(MigrateArgs),
    /// Check whether a server with these settings would get on here: machine, files, database
    ///
    /// Takes the settings of `burgee serve`, from the same options and variables. Looks at the settings themselves, threads
    /// against CPU limits, memory, file descriptors, addresses, directories, and the database: whether it answers and how
    /// fast, version, clock, migrations, connections, notifications. Changes nothing. Prints what it found and what to do;
    /// exits with 1 when something fails, and with --strict when there is anything to complain of.
    #[command(after_help = "Examples:
  burgee doctor
  burgee doctor --database-url postgres://burgee:secret@db/burgee --replicas 3
  burgee doctor --json --strict")]
    Doctor(Box<DoctorArgs>),
    /// Ask a running server whether it is ready; exit with 0 if so, else with 1
    #[command(after_help = "Example:
  burgee healthcheck --url http://127.0.0.1:8080/_readiness
  burgee healthcheck --url https://127.0.0.1:8080/_readiness --insecure")]
    Healthcheck(HealthcheckArgs),
    /// Stand in front of another service and move its projects to Burgee, share by share
    ///
    /// A proxy. Requests for flags of projects whose share is below --percent are answered by Burgee, those of all other projects,
    /// and every other path, by the upstream. When one fails, the other is asked. With --compare both are asked, and differences
    /// are counted by flag and reason: GET /report on --metrics-listen, and printed at the stop. docs/migrating.md tells the whole way.
    #[command(after_help = "Examples:
  burgee shadow --upstream https://flags.example.com --burgee http://127.0.0.1:8080 --compare
  burgee shadow --upstream http://old:8000 --burgee http://burgee:8080 --listen 0.0.0.0:8081 --percent 12.5 --mirror-events
  curl -X PUT -d 25 http://127.0.0.1:9091/percent")]
    Shadow(Box<ShadowOptions>),
    /// Send recorded requests for flags to two servers and tell the differences
    ///
    /// Reads lines of JSON as `burgee shadow --record` writes them, or documents with a list `requests`. Exits with 0 when all
    /// answers agree, with 1 when some differ, with 2 when it could not run.
    #[command(after_help = "Example:
  burgee replay requests.jsonl --a https://flags.example.com --b http://127.0.0.1:8080 --rate 50")]
    Replay(Box<ReplayOptions>),
    /// Make secret tokens and personal keys
    Token(TokenArgs),
    /// Print the description of the HTTP API (OpenAPI 3.1, JSON)
    ///
    /// The same that a server answers at /openapi.json; /docs shows it as a page.
    #[command(
        name = "openapi",
        after_help = "Example:
  burgee openapi > openapi.json"
    )]
    OpenApi,
    /// Print the settings that `serve` would have, and where each comes from
    ///
    /// Takes the options of `serve`. The output is a settings file; passwords are left out. Exits with 2 and every problem when
    /// a setting is bad.
    #[command(after_help = "Examples:
  burgee config
  burgee config --config burgee.toml --json
  burgee config --pool-size 20 > burgee.toml")]
    Config(Box<ConfigArgs>),
}

/// Which database.
#[derive(Debug, Clone, clap::Args)]
pub struct DatabaseArgs {
    /// Where everything is stored: sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE
    #[arg(
        long,
        env = "BURGEE_DATABASE_URL",
        default_value = "sqlite://burgee.db",
        value_name = "URL",
        hide_env_values = true
    )]
    database_url: String,
}

impl DatabaseArgs {
    /// Types the setting.
    pub fn resolve(&self) -> Result<DatabaseUrl, ConfigError> {
        resolve_url(&self.database_url)
    }
}

fn resolve_url(raw: &str) -> Result<DatabaseUrl, ConfigError> {
    let mut faults = Faults::default();
    let url = faults.database_url(raw);
    faults.finish(url)
}

/// Returns the pool of a command that runs alone: few connections, and patience.
pub(crate) fn command_pool() -> PoolConfig {
    PoolConfig {
        max_size: 2,
        min_idle: 0,
        acquire_timeout: Duration::from_secs(10),
        query_timeout: Duration::from_secs(30),
        write_timeout: Duration::from_secs(300),
        ..PoolConfig::default()
    }
}

/// The options of `burgee apply`.
#[derive(Debug, Clone, clap::Args)]
pub struct ApplyArgs {
    /// The project file, YAML or JSON; - reads standard input
    #[arg(short, long, env = "BURGEE_FILE", value_name = "FILE")]
    pub file: PathBuf,
    /// Remove what the file does not name, in the projects it names; credentials only where the file lists credentials
    #[arg(long, env = "BURGEE_PRUNE", value_parser = BoolishValueParser::new())]
    pub prune: bool,
    /// Print the difference and change nothing
    #[arg(long, env = "BURGEE_DRY_RUN", value_parser = BoolishValueParser::new())]
    pub dry_run: bool,
    /// Store flags and cohorts that `burgee check` would refuse, with a warning for each
    #[arg(long, env = "BURGEE_LENIENT", value_parser = BoolishValueParser::new())]
    pub lenient: bool,
    /// Refuse when migrations are pending, instead of running them
    #[arg(long, env = "BURGEE_NO_MIGRATE", value_parser = BoolishValueParser::new())]
    pub no_migrate: bool,
    /// Which database.
    #[command(flatten)]
    pub database: DatabaseArgs,
}

/// The options of `burgee export`.
#[derive(Debug, Clone, clap::Args)]
pub struct ExportArgs {
    /// Only this project
    #[arg(long, env = "BURGEE_PROJECT_ID", value_name = "ID")]
    pub project: Option<i64>,
    /// How to write it
    #[arg(long, env = "BURGEE_FORMAT", value_enum, default_value = "yaml")]
    pub format: Format,
    /// Which database.
    #[command(flatten)]
    pub database: DatabaseArgs,
}

/// The options of `burgee import`.
#[derive(Debug, Clone, clap::Args)]
pub struct ImportArgs {
    /// Which product the files come from
    #[arg(long, env = "BURGEE_FROM", value_enum)]
    pub from: Source,
    /// The files, JSON or YAML; - reads standard input
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Where to write the project file; - is standard output
    #[arg(
        short,
        long,
        env = "BURGEE_OUTPUT",
        default_value = "-",
        value_name = "FILE"
    )]
    pub output: PathBuf,
    /// How to write it
    #[arg(long, env = "BURGEE_FORMAT", value_enum, default_value = "yaml")]
    pub format: Format,
    /// The public token of the project; a project that is not stored yet needs one
    #[arg(
        long,
        env = "BURGEE_TOKEN",
        value_name = "TOKEN",
        required_unless_present = "project_id"
    )]
    pub token: Option<String>,
    /// The id of the project
    #[arg(long, env = "BURGEE_PROJECT_ID", value_name = "ID")]
    pub project_id: Option<i64>,
    /// The name of the project
    #[arg(long, env = "BURGEE_PROJECT_NAME", value_name = "NAME")]
    pub project_name: Option<String>,
    /// The environment to take from Unleash's export; needed when the files have several
    #[arg(long, env = "BURGEE_ENVIRONMENT", value_name = "NAME")]
    pub environment: Option<String>,
    /// The first id of flags and cohorts that have none in the files but need one; not for posthog
    #[arg(
        long,
        env = "BURGEE_FIRST_ID",
        default_value_t = 1_000_001,
        value_name = "ID"
    )]
    pub first_id: i32,
    /// Exit with 0 although something is left out
    #[arg(long, env = "BURGEE_LENIENT", value_parser = BoolishValueParser::new())]
    pub lenient: bool,
}

/// The options of `burgee check`.
#[derive(Debug, Clone, clap::Args)]
pub struct CheckArgs {
    /// The project file, YAML or JSON; - reads standard input
    #[arg(short, long, env = "BURGEE_FILE", value_name = "FILE")]
    pub file: PathBuf,
    /// Also check against what this database holds: references, ids, persons
    #[arg(
        long,
        env = "BURGEE_DATABASE_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    database_url: Option<String>,
}

impl CheckArgs {
    /// Types the setting.
    pub fn resolve(&self) -> Result<Option<DatabaseUrl>, ConfigError> {
        self.database_url.as_deref().map(resolve_url).transpose()
    }
}

/// The options of `burgee migrate`.
#[derive(Debug, Clone, clap::Args)]
pub struct MigrateArgs {
    /// List the migrations and run none; exit with 1 if any is pending
    #[arg(long, env = "BURGEE_STATUS", value_parser = BoolishValueParser::new())]
    pub status: bool,
    /// Which database.
    #[command(flatten)]
    pub database: DatabaseArgs,
}

/// The options of `burgee healthcheck`.
#[derive(Debug, Clone, clap::Args)]
pub struct HealthcheckArgs {
    /// What to ask, by http or https
    #[arg(
        long,
        env = "BURGEE_URL",
        default_value = "http://127.0.0.1:8080/_readiness",
        value_name = "URL"
    )]
    pub url: String,
    /// How long to wait for the answer, in milliseconds
    #[arg(
        long,
        env = "BURGEE_TIMEOUT_MS",
        default_value_t = 2000,
        value_name = "MS"
    )]
    pub timeout_ms: u64,
    /// Believe certificates from these authorities, PEM, instead of those that the system trusts
    #[arg(long, env = "BURGEE_CA", value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Believe any certificate: right for asking the server that runs beside this command
    #[arg(long, env = "BURGEE_INSECURE", value_parser = BoolishValueParser::new())]
    pub insecure: bool,
}

/// The options of `burgee config`.
#[derive(Debug, Clone, clap::Args)]
pub struct ConfigArgs {
    /// Print JSON: an object for each setting
    #[arg(long, env = "BURGEE_JSON", value_parser = BoolishValueParser::new())]
    pub json: bool,
    /// The settings.
    #[command(flatten)]
    pub serve: ServeOptions,
}

/// The options of `burgee token`.
#[derive(Debug, Clone, clap::Args)]
pub struct TokenArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: TokenAction,
}

/// What to do with keys.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum TokenAction {
    /// Make a key, store its fingerprint, and print it once
    ///
    /// The key itself is stored nowhere: what is not copied now is lost.
    #[command(after_help = "Examples:
  burgee token new --project 1 --kind secret
  burgee token new --project 1 --kind personal --scopes feature_flag:read,cohort:write --label ci")]
    New(TokenNewArgs),
}

/// Which kind of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum TokenKind {
    /// A project secret key, phs_…: definitions for local evaluation, OFREP
    Secret,
    /// A personal key, phx_…: all of that and the admin API, as its scopes allow
    Personal,
}

/// The options of `burgee token new`.
#[derive(Debug, Clone, clap::Args)]
pub struct TokenNewArgs {
    /// The id of the project
    #[arg(long, env = "BURGEE_PROJECT_ID", value_name = "ID")]
    pub project: i64,
    /// Which kind of key
    #[arg(long, env = "BURGEE_KIND", value_enum)]
    pub kind: TokenKind,
    /// What a personal key may do, separated by commas: feature_flag:read, cohort:write …, or * for everything
    #[arg(long, env = "BURGEE_SCOPES", value_delimiter = ',', value_parser = scope, value_name = "SCOPES")]
    pub scopes: Vec<String>,
    /// What a personal key is for; unique within the project, made up when missing
    #[arg(long, env = "BURGEE_LABEL", value_name = "TEXT")]
    pub label: Option<String>,
    /// Which database.
    #[command(flatten)]
    pub database: DatabaseArgs,
}

fn scope(text: &str) -> Result<String, String> {
    if is_scope(text) {
        Ok(text.to_owned())
    } else {
        Err("expected `*`, or an object and an action such as feature_flag:read".to_owned())
    }
}
