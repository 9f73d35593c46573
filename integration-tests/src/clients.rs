//! Running the programs of `clients/`: real SDKs that say themselves what they found wrong.

use crate::program::{Finished, collect};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A client program to be run, with what is on the path and nothing else of the environment of the tests.
pub struct ClientProgram(Command);

impl ClientProgram {
    /// A program for the private Python environment.
    pub fn python(script: &str) -> Self {
        let mut program = Self::new(&here(".venv/bin/python"));
        program.0.env("PYTHONDONTWRITEBYTECODE", "1");
        program.arg(
            here("clients")
                .join(script)
                .to_str()
                .expect("a path of ours"),
        )
    }

    /// Lines of Python, for the same environment.
    pub fn python_lines(lines: &str) -> Self {
        Self::new(&here(".venv/bin/python")).arg("-c").arg(lines)
    }

    /// The program that checks a server against its own OpenAPI document; it has a Python environment to itself.
    pub fn openapi() -> Self {
        let mut program = Self::new(&here(".venv-openapi/bin/python"));
        program.0.env("PYTHONDONTWRITEBYTECODE", "1");
        let script = here("clients/openapi/check.py");
        program.arg(script.to_str().expect("a path of ours"))
    }

    /// A program for Node.js, with the packages of `clients/js`.
    pub fn node(script: &str) -> Self {
        assert_installed(&here("clients/js/node_modules"));
        let script = here("clients/js").join(script);
        Self::new(Path::new("node")).arg(script.to_str().expect("a path of ours"))
    }

    /// A program of `clients/rust`.
    pub fn rust(name: &str) -> Self {
        Self::new(&here("../target/clients/debug").join(name))
    }

    fn new(program: &Path) -> Self {
        if program.is_absolute() {
            assert_installed(program);
        }
        let mut command = Command::new(program);
        command.env_clear().stdin(Stdio::null());
        for kept in ["PATH", "HOME"] {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
        Self(command)
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: &str) -> Self {
        self.0.arg(argument);
        self
    }

    /// Runs it to its end, which the program itself sees to; hands each line to `told` as it comes.
    #[track_caller]
    pub fn run(mut self, mut told: impl FnMut(&str)) -> Finished {
        let mut child = self
            .0
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{:?} cannot be started: {error}", self.0));
        let stderr = collect(child.stderr.take().expect("it was piped"));
        let mut stdout = String::new();
        for line in BufReader::new(child.stdout.take().expect("it was piped")).lines() {
            let line = line.expect("it writes text");
            told(&line);
            stdout.push_str(&line);
            stdout.push('\n');
        }
        Finished {
            code: child.wait().expect("it is our child").code(),
            stdout,
            stderr: stderr.join().expect("reading does not panic"),
        }
    }

    /// Runs it like [`Self::run`]. It has to leave with 0, after so many checks.
    #[track_caller]
    pub fn expect_checks(self, least: usize, told: impl FnMut(&str)) {
        let finished = self.run(told).expect_code(0);
        let last = finished.stdout.lines().last().unwrap_or_default();
        let passed = last.strip_suffix(" checks passed, 0 failed");
        let passed: usize = passed.and_then(|count| count.parse().ok()).unwrap_or(0);
        assert!(
            passed >= least,
            "{least} checks were expected: {finished:?}"
        );
    }
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[track_caller]
fn assert_installed(path: &Path) {
    assert!(
        path.exists(),
        "{} is missing: ./integration-tests/run installs the clients",
        path.display()
    );
}
