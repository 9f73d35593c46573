//! Which of several places a setting is taken from. Variables of the options themselves are tested with real processes.

use super::*;
use crate::config::ServeConfig;

struct Desk {
    directory: tempfile::TempDir,
}

impl Desk {
    fn with(text: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("b.toml"), text).unwrap();
        Self { directory }
    }

    fn file(&self) -> String {
        self.directory.path().join("b.toml").display().to_string()
    }

    fn parse(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Result<Cli, ParseError> {
        let file = self.file();
        let line = ["burgee"].iter().chain(arguments).copied();
        let line = line.chain(["--config", &file]).map(OsString::from);
        parse_with(line.collect(), |name| {
            let known = variables.iter().find(|(known, _)| *known == name);
            known.map(|(_, value)| OsString::from(value))
        })
    }

    fn serve(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Box<ServeOptions> {
        let line: Vec<&str> = ["serve"].iter().chain(arguments).copied().collect();
        match self.parse(&line, variables).unwrap().command {
            Command::Serve(options) => options,
            other => panic!("{other:?}"),
        }
    }

    /// Returns the faults, with the file's folder left out.
    fn faults(&self, arguments: &[&str]) -> Vec<String> {
        let error = self.serve(arguments, &[]).resolve().unwrap_err();
        let folder = format!("{}/", self.directory.path().display());
        error.0.iter().map(|it| it.replace(&folder, "")).collect()
    }
}

fn setting<'a>(options: &'a ServeOptions, key: &str) -> &'a Setting {
    let mut settings = options.given().settings.iter();
    settings.find(|it| it.key == key).unwrap()
}

fn resolved(desk: &Desk, arguments: &[&str]) -> ServeConfig {
    desk.serve(arguments, &[]).resolve().unwrap()
}

#[test]
fn a_file_gives_every_kind_of_setting() {
    let desk = Desk::with(
        "listen = '127.0.0.1:9999'
         [database]
         pool-size = 20
         project = 'f.yaml'
         watch = true
         [limits]
         trusted_proxies = ['10.0.0.0/8', '::1']
         rate_limit_token_per_s = 5
         [log]
         log_format = 'json'",
    );
    let config = resolved(&desk, &[]);
    assert_eq!(config.listen.port(), 9999);
    assert_eq!(config.pool.max_size, 20);
    assert!(config.watch && config.project.is_some());
    assert_eq!(config.trusted_proxies.len(), 2);
    assert_eq!(config.rate_limits.token.unwrap().per_second.get(), 5);
    assert_eq!(config.log.format, crate::config::LogFormat::Json);
    assert_eq!(config.pool.min_idle, 2, "the default of what it leaves out");
}

#[test]
fn a_flag_goes_before_the_file() {
    let desk = Desk::with("pool_size = 20\npool_min_idle = 3");
    let options = desk.serve(&["--pool-size", "30"], &[]);
    assert_eq!(setting(&options, "pool_size").origin, Origin::Flag);
    let file = Origin::File {
        file: desk.file(),
        line: 2,
    };
    assert_eq!(setting(&options, "pool_min_idle").origin, file);
    assert_eq!(setting(&options, "listen").origin, Origin::Default);
    assert_eq!(options.resolve().unwrap().pool.max_size, 30);
}

#[test]
fn a_shared_variable_goes_before_the_file_and_behind_a_flag() {
    let desk = Desk::with("otlp_endpoint = 'http://file:4318'");
    let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://base:4318");
    let own = (
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "http://own:4318/v1/traces",
    );
    type Variables = [(&'static str, &'static str)];
    let cases: [(&[&str], &Variables, &str); 4] = [
        (&[], &[], "http://file:4318"),
        (&[], &[base], "http://base:4318"),
        (&[], &[base, own], "http://own:4318/v1/traces"),
        (
            &["--otlp-endpoint", "http://flag:1"],
            &[base],
            "http://flag:1",
        ),
    ];
    for (arguments, variables, expected) in cases {
        let options = desk.serve(arguments, variables);
        let shown = setting(&options, "otlp_endpoint").shown();
        assert_eq!(shown.as_deref(), Some(expected), "{variables:?}");
    }
    let origin = setting(&desk.serve(&[], &[base]), "otlp_endpoint")
        .origin
        .clone();
    assert_eq!(
        origin.to_string(),
        "environment OTEL_EXPORTER_OTLP_ENDPOINT"
    );
}

#[test]
fn all_faults_are_told_together_with_their_places() {
    let desk = Desk::with("pool_sise = 5\nkeep_alive_s = true\npool_size = 'many'");
    assert_eq!(
        desk.faults(&["--listen", "here"]),
        [
            "b.toml:1: pool_sise: no such setting; the nearest that is known is pool_size",
            "b.toml:2: keep_alive_s: expected a number, found a boolean",
            "--listen (BURGEE_LISTEN): expected an address such as 127.0.0.1:8080, found \"here\"",
            "b.toml:3: pool_size: expected a number from 1 to 10000, found \"many\"",
        ]
    );
}

#[test]
fn a_missing_file_is_a_fault() {
    let desk = Desk::with("");
    std::fs::remove_file(desk.file()).unwrap();
    let faults = desk.faults(&[]);
    assert!(
        faults[0].starts_with("--config (BURGEE_CONFIG): b.toml cannot be read: ")
            && faults.len() == 1,
        "{faults:?}"
    );
}

#[test]
fn other_commands_take_what_they_share_and_refuse_a_bad_file() {
    let desk =
        Desk::with("database_url = 'sqlite://shared.db'\nproject = 'f.yaml'\nlenient = true");
    let cli = desk.parse(&["apply", "-f", "x.yaml"], &[]).unwrap();
    match cli.command {
        Command::Apply(args) => {
            assert_eq!(
                args.database.resolve().unwrap().expose(),
                "sqlite://shared.db"
            );
            assert!(args.lenient && !args.prune);
        }
        other => panic!("{other:?}"),
    }
    // Its option of this name is a number, with a variable of its own.
    match desk.parse(&["export"], &[]).unwrap().command {
        Command::Export(args) => assert_eq!(args.project, None),
        other => panic!("{other:?}"),
    }
    let line = ["token", "new", "--project", "1", "--kind", "secret"];
    match desk.parse(&line, &[]).unwrap().command {
        Command::Token(args) => {
            let crate::config::TokenAction::New(args) = args.action;
            assert_eq!(
                args.database.resolve().unwrap().expose(),
                "sqlite://shared.db"
            );
        }
        other => panic!("{other:?}"),
    }
    let bad = Desk::with("lisen = 'x'");
    match bad.parse(&["migrate"], &[]) {
        Err(ParseError::File(error)) => assert!(error.0[0].contains("nearest"), "{error}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_doctor_looks_at_the_file_as_the_server_would() {
    let bad = Desk::with("lisen = 'x'\npool_size = 'many'");
    match bad.parse(&["doctor"], &[]).unwrap().command {
        Command::Doctor(args) => assert_eq!(args.serve.resolve().unwrap_err().0.len(), 2),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_secret_is_not_shown() {
    let desk = Desk::with("database_url = 'postgres://u:hunter2@h/d?password=hunter2'");
    let options = desk.serve(&[], &[]);
    let url = setting(&options, "database_url");
    assert_eq!(url.shown().as_deref(), Some("postgres://u@h/d"));
    assert!(!format!("{url:?}").contains("hunter2"));
    assert_eq!(url.shown_as_toml().as_deref(), Some("\"postgres://u@h/d\""));
}

#[test]
fn what_is_shown_is_a_settings_file_again() {
    let desk = Desk::with("log_level = 'info,\"a\\\\b'\npool_size = 7\ndemo = true");
    let known: BTreeMap<String, Kind> = options().iter().map(|it| (key(it), kind(it))).collect();
    let given = desk.serve(&[], &[]).given().clone();
    for setting in &given.settings {
        let Some(value) = setting.shown_as_toml() else {
            continue;
        };
        let (entries, faults) = file::read("x", &format!("{} = {value}", setting.key), &known);
        assert_eq!(faults, Vec::<String>::new(), "{setting:?}");
        assert_eq!(
            entries.get(&setting.key).map(|it| &it.text),
            setting.value.as_ref()
        );
    }
}

#[test]
fn names_and_identifiers_agree() {
    for option in options() {
        assert_eq!(
            option.get_id().as_str(),
            key(&option),
            "a file's key names the option"
        );
        assert_eq!(
            variable(&option),
            format!("BURGEE_{}", key(&option).to_uppercase())
        );
    }
}
