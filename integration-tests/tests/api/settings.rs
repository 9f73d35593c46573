//! Settings by flags, variables and a file, and the command that shows them.

use burgee_integration_tests::{burgee_with, program_path};
use serde_json::Value;
use std::path::Path;

struct Desk(tempfile::TempDir);

impl Desk {
    fn with(text: &str) -> Self {
        assert!(program_path().exists());
        let desk = Self(tempfile::tempdir().unwrap());
        std::fs::write(desk.path(), text).unwrap();
        desk
    }

    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("burgee.toml")
    }
}

fn name(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn setting<'a>(all: &'a Value, key: &str) -> &'a Value {
    let mut all = all.as_array().unwrap().iter();
    all.find(|it| it["key"] == key).unwrap()
}

const PASSWORD: &str = "hunter2";

#[test]
fn every_setting_has_its_value_and_its_source() {
    let desk = Desk::with("pool_size = 20\npool_min_idle = 4\nlisten = '127.0.0.1:1'\n");
    let path = desk.path();
    let variables = [
        ("BURGEE_CONFIG", name(&path)),
        ("BURGEE_POOL_MIN_IDLE", "3"),
        ("BURGEE_LISTEN", "127.0.0.1:2"),
        ("BURGEE_DATABASE_URL", "postgres://u:hunter2@h/d"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318"),
    ];
    let line = ["config", "--json", "--listen", "127.0.0.1:3"];
    let shown = burgee_with(&variables, &line).expect_code(0);
    assert!(!shown.stdout.contains(PASSWORD), "{}", shown.stdout);
    let all: Value = serde_json::from_str(&shown.stdout).unwrap();
    for (key, value, source) in [
        ("listen", "127.0.0.1:3", "flag"),
        ("pool_min_idle", "3", "environment"),
        ("database_url", "postgres://u@h/d", "environment"),
        ("otlp_endpoint", "http://collector:4318", "environment"),
        ("pool_size", "20", "file"),
        ("keep_alive_s", "75", "default"),
    ] {
        let setting = setting(&all, key);
        assert_eq!(
            (&setting["value"], &setting["source"]),
            (&value.into(), &source.into()),
            "{key}"
        );
    }
    assert_eq!(setting(&all, "pool_size")["line"], 1);
    assert_eq!(
        setting(&all, "otlp_endpoint")["variable"],
        "OTEL_EXPORTER_OTLP_ENDPOINT"
    );
    assert!(setting(&all, "project")["value"].is_null());
}

#[test]
fn what_is_printed_is_a_settings_file() {
    let desk = Desk::with("pool_size = 20\n");
    let path = desk.path();
    let line = [
        "config",
        "--config",
        name(&path),
        "--base-path",
        "/ph",
        "--demo",
    ];
    let first = burgee_with(&[], &line).expect_code(0).stdout;
    assert!(
        first.contains(&format!("pool_size = 20 # file {}:1\n", name(&path))),
        "{first}"
    );
    assert!(first.contains("base_path = \"/ph\" # flag\n"), "{first}");
    assert!(first.contains("# project is not set\n"), "{first}");
    let copy = Desk::with(&first);
    let path = copy.path();
    let second = burgee_with(&[], &["config", "--config", name(&path)]).expect_code(0);
    let values = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| line.split(" # ").next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(values(&second.stdout), values(&first));
}

#[test]
fn all_bad_settings_are_told_at_once() {
    let desk = Desk::with("pool_sise = 5\n[log]\nlog_format = 'xml'\nwatch = 3\n");
    let path = desk.path();
    let file = name(&path);
    let variables = [("BURGEE_POOL_SIZE", "many")];
    let expected = format!(
        "{file}:1: pool_sise: no such setting; the nearest that is known is pool_size\n\
         {file}:4: watch: expected true or false, found an integer\n\
         --listen (BURGEE_LISTEN): expected an address such as 127.0.0.1:8080, found \"here\"\n\
         --pool-size (BURGEE_POOL_SIZE): expected a number from 1 to 10000, found \"many\"\n\
         {file}:3: log_format: expected one of auto, text, json, found \"xml\"\n"
    );
    for command in ["serve", "config"] {
        let line = [command, "--config", file, "--listen", "here"];
        let refused = burgee_with(&variables, &line).expect_code(2);
        assert_eq!(refused.stderr, expected, "{command}");
    }
    let refused = burgee_with(&[], &["migrate", "--config", file]).expect_code(2);
    assert!(
        refused.stderr.contains("no such setting"),
        "{}",
        refused.stderr
    );
}

#[test]
fn half_a_certificate_is_refused() {
    let refused = burgee_with(&[], &["serve", "--tls-cert", "cert.pem"]).expect_code(2);
    assert_eq!(
        refused.stderr,
        "--tls-cert (BURGEE_TLS_CERT): needs --tls-key as well\n"
    );
    let refused = burgee_with(&[], &["serve", "--tls-key", "key.pem"]).expect_code(2);
    assert_eq!(
        refused.stderr,
        "--tls-key (BURGEE_TLS_KEY): needs --tls-cert as well\n"
    );
}
