//! Servers under measurement: Burgee and the baselines, each a child process that ends with this one.

use crate::bench::Bench;
use crate::load::wire::{exchange, get};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// For tests, which run debug builds on busy machines.
const PATIENT: [&str; 3] = [
    "--request-timeout-ms=20000",
    "--query-timeout-ms=5000",
    "--pool-acquire-timeout-ms=5000",
];

const START_LIMIT: Duration = Duration::from_secs(60);

/// Kills the process `$1` when the input ends without a word: when the bench was killed itself.
const GUARD: &str = "trap '' INT TERM HUP; read -r word || kill -KILL \"$1\"";

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    guard: Child,
    guarded: Option<ChildStdin>,
    log: tempfile::TempDir,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

/// The baselines, as subcommands of this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Baseline {
    Naive,
    Inline,
}

impl Server {
    /// Starts Burgee as it comes, and waits until it serves flags.
    pub(crate) fn burgee(bench: &Bench, database_url: &str) -> Result<Self> {
        let mut command = Command::new(beside("burgee")?);
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--log-format", "json"])
            .args(["--database-url", database_url])
            .args(bench.pace.pick(&[][..], &[], &PATIENT));
        let server = Self::start(command)?;
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Starts a baseline on the same flags and the same database.
    pub(crate) fn baseline(kind: Baseline, database_url: &str, project: &Path) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg(match kind {
                Baseline::Naive => "serve-naive",
                Baseline::Inline => "serve-inline",
            })
            .args(["--database-url", database_url])
            .arg("--project")
            .arg(project);
        Self::start(command)
    }

    /// Starts a server that answers these bytes to everything.
    pub(crate) fn bare(answer: &Path) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve-bare").arg("--answer").arg(answer);
        Self::start(command)
    }

    fn start(mut command: Command) -> Result<Self> {
        let log = tempfile::tempdir()?;
        let out = File::create(log.path().join("log"))?;
        let child = command
            .env_clear()
            .envs(std::env::vars_os().filter(|(name, _)| is_setting(name)))
            .current_dir(log.path())
            .stdin(Stdio::null())
            .stderr(out.try_clone()?)
            .stdout(out)
            .spawn()
            .with_context(|| format!("{} cannot be started", command.get_program().display()))?;
        let mut guard = Command::new("/bin/sh")
            .args(["-c", GUARD, "guard", &child.id().to_string()])
            .stdin(Stdio::piped())
            // Not in the terminal's group: Ctrl-C must not end it before its work.
            .process_group(0)
            .spawn()
            .context("sh cannot be started")?;
        let mut server = Self {
            child,
            guarded: guard.stdin.take(),
            guard,
            log,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        server.address = server.wait_until_listening()?;
        Ok(server)
    }

    /// Returns its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns what it has written.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log.path().join("log")).unwrap_or_default()
    }

    fn wait_until_listening(&mut self) -> Result<SocketAddr> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let log = self.log();
            if let Some(address) = log.lines().find_map(listening) {
                return Ok(address.parse()?);
            }
            if self.child.try_wait()?.is_some() || Instant::now() > deadline {
                bail!("the server did not come up:\n{log}");
            }
            pause();
        }
    }

    fn wait_until_ready(&self) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let asked = exchange(self.address, &get("/_readiness"), Duration::from_secs(1));
            if asked.is_ok_and(|(status, _)| status == 200) {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "the server is not ready:\n{}",
                self.log()
            );
            pause();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(mut guarded) = self.guarded.take() {
            let _ = guarded.write_all(b"gone\n");
        }
        let _ = self.guard.wait();
    }
}

/// Returns whether a variable is a setting of Burgee. Those are passed on, so that other settings can be measured.
fn is_setting(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b"BURGEE_")
}

/// Finds the line that says "listening", and the address in it.
fn listening(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    let fields = line.get("fields").unwrap_or(&line);
    if fields.get("message")? != "listening" {
        return None;
    }
    Some(fields.get("address")?.as_str()?.to_owned())
}

/// Returns the program that was built beside this one.
pub(crate) fn beside(name: &str) -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    ensure!(
        path.exists(),
        "{} is missing: build it with `cargo build --release --workspace`",
        path.display()
    );
    Ok(path)
}

#[expect(
    clippy::disallowed_methods,
    reason = "between two looks at another process there is nothing to wait for"
)]
pub(crate) fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}
