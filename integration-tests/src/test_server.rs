//! A running server with a database of its own.

use crate::database::{Database, Kind};
use crate::deadline::eventually;
use crate::http::{Connection, Request, Response};
use crate::program::command;
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

/// Says how a server is started. Whatever is not said has a default that suits a test.
pub struct ServerBuilder {
    database: Option<Arc<Database>>,
    command: Command,
    directory: tempfile::TempDir,
}

impl ServerBuilder {
    /// Loads this project file at the start.
    pub fn project(self, file: &Value) -> Self {
        self.project_text(&file.to_string())
    }

    /// Loads a project file with this text at the start.
    pub fn project_text(mut self, text: &str) -> Self {
        let path = self.directory.path().join("project.json");
        std::fs::write(&path, text).expect("the file is written");
        self.command.arg("--project").arg(path);
        self
    }

    /// Adds an option to the command line.
    pub fn arg(mut self, arg: &str) -> Self {
        self.command.arg(arg);
        self
    }

    /// Adds several options.
    pub fn args(mut self, args: &[&str]) -> Self {
        self.command.args(args);
        self
    }

    /// Adds an environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Starts the server and returns once it serves flags.
    pub fn start(self) -> TestServer {
        let server = self.spawn();
        eventually("readiness", || {
            assert!(server.is_running(), "it stopped:\n{}", server.log());
            (server.get("/_readiness").status == 200).then_some(())
        });
        server
    }

    /// Starts the server and returns once it listens.
    pub fn spawn(mut self) -> TestServer {
        let mut child = self
            .command
            .args(["--listen", "127.0.0.1:0", "--log-format", "json"])
            .current_dir(self.directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let log = Arc::new(Mutex::new(String::new()));
        capture(&mut child, &log);
        let mut server = TestServer {
            child: Mutex::new(child),
            address: String::new(),
            log,
            database: self.database,
            directory: self.directory,
        };
        server.address = eventually("the server to listen", || {
            let found = listening_address(&server.log());
            assert!(
                found.is_some() || server.is_running(),
                "it stopped:\n{}",
                server.log()
            );
            found
        });
        server
    }
}

/// A server in a process of its own; it dies with this value.
pub struct TestServer {
    child: Mutex<Child>,
    address: String,
    log: Arc<Mutex<String>>,
    database: Option<Arc<Database>>,
    directory: tempfile::TempDir,
}

impl TestServer {
    /// Prepares a server on a fresh, empty database.
    pub fn on(kind: Kind) -> ServerBuilder {
        Self::with(&Arc::new(Database::new(kind)))
    }

    /// Prepares a server on a database that others may use as well.
    pub fn with(database: &Arc<Database>) -> ServerBuilder {
        let mut builder = Self::bare();
        builder.command.args(["--database-url", database.url()]);
        builder.database = Some(Arc::clone(database));
        builder
    }

    /// Prepares the proxy of `burgee shadow`; it is started with [`ServerBuilder::spawn`].
    pub fn shadow() -> ServerBuilder {
        Self::running("shadow")
    }

    /// Prepares a server in an empty directory that is told nothing about databases.
    pub fn bare() -> ServerBuilder {
        Self::running("serve")
    }

    fn running(name: &str) -> ServerBuilder {
        let mut command = command();
        command.arg(name);
        // Debug builds on a busy machine are slow; a test that is about waiting sets its own limits.
        command.env("BURGEE_POOL_ACQUIRE_TIMEOUT_MS", "5000");
        command.env("BURGEE_QUERY_TIMEOUT_MS", "5000");
        command.env("BURGEE_REQUEST_TIMEOUT_MS", "20000");
        ServerBuilder {
            database: None,
            command,
            directory: tempfile::tempdir().expect("a temporary directory"),
        }
    }

    /// Returns `host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns the database it was given.
    pub fn database(&self) -> &Arc<Database> {
        self.database.as_ref().expect("it was given one")
    }

    /// Returns its working directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Writes the project file anew, at once: a watcher never sees half of it.
    pub fn replace_project(&self, text: &str) {
        let next = self.directory().join("next.json");
        std::fs::write(&next, text).expect("the file is written");
        std::fs::rename(next, self.directory().join("project.json")).expect("the file is moved");
    }

    /// Returns everything it has written so far, log lines and the rest.
    pub fn log(&self) -> String {
        self.log.lock().expect("no reader panics").clone()
    }

    /// Returns whether the process lives.
    pub fn is_running(&self) -> bool {
        let mut child = self.child.lock().expect("no user panics");
        child.try_wait().expect("it is our child").is_none()
    }

    /// Opens a connection.
    pub fn connect(&self) -> Connection {
        Connection::open(&self.address)
    }

    /// Sends a request on a fresh connection.
    pub fn send(&self, request: &Request) -> Response {
        self.connect().exchange(request)
    }

    /// Sends a GET.
    pub fn get(&self, path: &str) -> Response {
        self.send(&Request::get(path))
    }

    /// Posts JSON.
    pub fn post(&self, path: &str, body: &Value) -> Response {
        self.send(&Request::post(path).json(body))
    }

    /// Asks for flags in the given version and returns the answer, which must be a 200.
    #[track_caller]
    pub fn flags(&self, version: u8, body: &Value) -> Value {
        let answer = self.post(&format!("/flags?v={version}"), body);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    /// Asks it to stop (SIGTERM) and waits; it must leave with exit code 0.
    #[track_caller]
    pub fn stop(self) {
        self.terminate();
        self.expect_clean_exit();
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends a signal by its name, such as `HUP`.
    pub fn signal(&self, name: &str) {
        let id = self.child.lock().expect("no user panics").id();
        crate::program::signal(id, name);
    }

    /// Waits for a line of the log, an object, that a test of its fields accepts.
    #[track_caller]
    pub fn wait_for_line(&self, what: &str, accepts: impl Fn(&Value) -> bool) -> Value {
        eventually(what, || {
            let log = self.log();
            let lines = log
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok());
            lines.into_iter().find(&accepts)
        })
    }

    /// Waits for its end.
    pub fn wait(&self) -> ExitStatus {
        eventually("the server to stop", || {
            let mut child = self.child.lock().expect("no user panics");
            child.try_wait().expect("it is our child")
        })
    }

    /// Waits for its end; the exit code must be 0.
    #[track_caller]
    pub fn expect_clean_exit(&self) {
        let status = self.wait();
        assert_eq!(status.code(), Some(0), "log:\n{}", self.log());
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // A test that failed may have poisoned the lock; the process must go all the same.
        let child = match self.child.get_mut() {
            Ok(child) => child,
            Err(poisoned) => poisoned.into_inner(),
        };
        let _ = child.kill();
        let _ = child.wait();
        if std::thread::panicking() {
            let log = self.log.lock().map(|log| log.clone()).unwrap_or_default();
            eprintln!("--- the server's log\n{log}---");
        }
    }
}

/// Copies what the process writes into `log`, a line at a time.
fn capture(child: &mut Child, log: &Arc<Mutex<String>>) {
    fn copy(pipe: impl std::io::Read + Send + 'static, log: Arc<Mutex<String>>) {
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n') {
                let Ok(line) = line else { return };
                let Ok(mut log) = log.lock() else { return };
                log.push_str(&String::from_utf8_lossy(&line));
                log.push('\n');
            }
        });
    }
    copy(child.stdout.take().expect("it was piped"), Arc::clone(log));
    copy(child.stderr.take().expect("it was piped"), Arc::clone(log));
}

/// Finds the line that says "listening", and the address in it.
fn listening_address(log: &str) -> Option<String> {
    log.lines().find_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        let fields = line.get("fields").unwrap_or(&line);
        if fields.get("message")? != "listening" {
            return None;
        }
        Some(fields.get("address")?.as_str()?.to_owned())
    })
}
