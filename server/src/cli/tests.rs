//! Whole commands on SQLite: output and exit codes.

use super::*;
use crate::config::{Cli, TokenKind};
use clap::Parser;
use std::fs;

struct Desk {
    directory: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.directory.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// Runs a command with this desk's database: exit code, output, errors.
    fn run(&self, arguments: &[&str]) -> (u8, String, String) {
        let url = format!("sqlite://{}", self.directory.path().join("b.db").display());
        let line = ["burgee"].iter().chain(arguments).copied();
        let line = line.chain(["--database-url", &url]);
        let command = Cli::try_parse_from(line).unwrap().command;
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let code = run(command, &mut out, &mut err);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (code, text(out), text(err))
    }
}

const FILE: &str = "projects:
- id: 1
  token: t
  flags:
  - { id: 1, key: a, filters: { groups: [{}] } }
";

#[test]
fn apply_prints_lines_and_a_total() {
    let desk = Desk::new();
    let file = desk.file("f.yaml", FILE);
    let (code, out, err) = desk.run(&["apply", "-f", &file, "--dry-run"]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(
        out,
        "created   project 1 Project 1\ncreated   flag a (project 1)\n2 created, 0 changed, 0 unchanged, 0 removed (dry run, nothing was written)\n"
    );
    assert_eq!(
        err,
        format!(
            "warning: {file}:5:5: projects[0].flags[0]: the flag `a` has no `active`, which means false\n"
        )
    );
    let (_, out, _) = desk.run(&["apply", "-f", &file]);
    assert!(
        out.ends_with("2 created, 0 changed, 0 unchanged, 0 removed\n"),
        "{out}"
    );
    let (_, out, _) = desk.run(&["apply", "-f", &file]);
    assert_eq!(
        out,
        "unchanged project 1 Project 1\nunchanged flag a (project 1)\n0 created, 0 changed, 2 unchanged, 0 removed\n"
    );
    let less = desk.file("less.yaml", "projects: [{ id: 1 }]");
    let (_, out, _) = desk.run(&["apply", "--prune", "-f", &less]);
    assert_eq!(
        out,
        "unchanged project 1 Project 1\nremoved   flag a (project 1)\n0 created, 0 changed, 1 unchanged, 1 removed\n"
    );
}

#[test]
fn a_bad_file_exits_with_2_and_every_problem() {
    let desk = Desk::new();
    let file = desk.file(
        "f.yaml",
        &FILE.replace("token", "tokn").replace(
            "{}",
            "{ properties: [{ key: a, type: person, operator: like }] }",
        ),
    );
    for command in ["apply", "check"] {
        let (code, out, err) = desk.run(&[command, "-f", &file]);
        // The check against a database needs one that is migrated; `apply` did that.
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        assert_eq!(err.lines().count(), 3, "{err}");
        assert!(err.contains(
            ":3:3: projects[0]: unknown field `tokn`, the nearest known field is `token`"
        ));
        assert!(err.contains("unknown operator"));
    }
    let (code, _, err) = desk.run(&["apply", "-f", "/nowhere/f.yaml"]);
    assert_eq!(code, 2);
    assert!(err.starts_with("/nowhere/f.yaml cannot be read: "), "{err}");
}

#[test]
fn check_without_a_database() {
    let desk = Desk::new();
    let file = desk.file("f.yaml", FILE);
    let command = Cli::try_parse_from(["burgee", "check", "-f", &file])
        .unwrap()
        .command;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    assert_eq!(run(command, &mut out, &mut err), 0);
    assert_eq!(String::from_utf8(out).unwrap(), format!("{file} is fine\n"));
    assert!(String::from_utf8(err).unwrap().starts_with("warning: "));
}

#[test]
fn migrations_come_first() {
    let desk = Desk::new();
    let (code, out, _) = desk.run(&["migrate", "--status"]);
    assert_eq!(code, 1);
    assert!(
        out.lines().all(|l| l.starts_with("pending ")) && !out.is_empty(),
        "{out}"
    );
    let (code, _, err) = desk.run(&["export"]);
    assert_eq!(code, 1);
    assert_eq!(
        err,
        "the database has pending migrations; run `burgee migrate` first\n"
    );
    let (code, ran, _) = desk.run(&["migrate"]);
    assert_eq!(code, 0);
    assert!(ran.lines().all(|l| l.starts_with("ran     ")), "{ran}");
    let (code, status, _) = desk.run(&["migrate", "--status"]);
    assert_eq!((code, status), (0, ran));
    let (code, out, _) = desk.run(&["migrate"]);
    assert_eq!(
        (code, out.as_str()),
        (0, "nothing to do, all migrations have run\n")
    );
    let (code, out, _) = desk.run(&["export"]);
    assert_eq!((code, out.as_str()), (0, "projects: []\n"));
}

#[test]
fn tokens_are_shown_once_and_stored_as_fingerprints() {
    let desk = Desk::new();
    let file = desk.file("f.yaml", FILE);
    desk.run(&["apply", "-f", &file]);
    let (code, out, err) = desk.run(&["token", "new", "--project", "1", "--kind", "secret"]);
    assert_eq!(code, 0, "{err}");
    let secret = out.trim_end().to_owned();
    assert!(secret.starts_with("phs_"));
    let (code, out, err) = desk.run(&[
        "token",
        "new",
        "--project",
        "1",
        "--kind",
        "personal",
        "--scopes",
        "feature_flag:write,cohort:read",
    ]);
    assert_eq!(code, 0);
    assert!(
        err.contains("`key-1`") && err.contains("[\"feature_flag:write\",\"cohort:read\"]"),
        "{err}"
    );
    let personal = out.trim_end().to_owned();
    assert!(personal.starts_with("phx_"));
    let (_, out, _) = desk.run(&["export"]);
    assert!(!out.contains(&secret) && !out.contains(&personal));
    for key in [&secret, &personal] {
        let print = burgee_schema::store::fingerprint(key);
        assert!(out.contains(&print), "{out}");
    }
    let (_, _, err) = desk.run(&["token", "new", "--project", "1", "--kind", "personal"]);
    assert!(
        err.contains("`key-2`") && err.contains("[\"feature_flag:read\"]"),
        "{err}"
    );
    for arguments in [
        &["--project", "9", "--kind", "secret"][..],
        &["--project", "1", "--kind", "secret", "--label", "x"],
        &["--project", "1", "--kind", "personal", "--label", "key-1"],
    ] {
        let line: Vec<_> = ["token", "new"].iter().chain(arguments).copied().collect();
        let (code, out, err) = desk.run(&line);
        assert_eq!((code, out.as_str()), (1, ""), "{err}");
    }
}

#[test]
fn keys_are_long_and_all_different() {
    for (kind, prefix) in [(TokenKind::Secret, "phs_"), (TokenKind::Personal, "phx_")] {
        let keys: Vec<String> = (0..50).map(|_| token::new_key(kind).unwrap()).collect();
        for key in &keys {
            let random = key.strip_prefix(prefix).unwrap();
            assert!(
                random.len() >= 32 && random.chars().all(|c| c.is_ascii_alphanumeric()),
                "{key}"
            );
        }
        let different: std::collections::HashSet<_> = keys.iter().collect();
        assert_eq!(different.len(), keys.len());
        // Every letter has its chance: 50 keys of 43 letters miss one of 62 about once in 10^13 runs.
        let letters: std::collections::HashSet<_> =
            keys.iter().flat_map(|k| k[4..].chars()).collect();
        assert_eq!(letters.len(), 62);
    }
}
