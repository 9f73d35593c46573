//! Databases for tests: a SQLite file, or a database in a Postgres server that this process starts and ends itself.
//!
//! A server lives in a temporary directory. Beside it stands a guard, a small shell process that waits for the end of
//! its input, which comes when this process lets go of it or dies in whatever way; then it ends the server and removes
//! the directory. So nothing is left behind, also not by a test that was killed.

use anyhow::{Context, Result, bail, ensure};
use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

const READY_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// Ends the server of the directory `$1` when the input ends.
const GUARD: &str = r#"
trap '' INT TERM HUP
cat >/dev/null
pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ]; then
    kill -CONT $(cat "/proc/$pid/task/$pid/children") "$pid" 2>/dev/null
    kill -QUIT "$pid" 2>/dev/null
    tries=0
    while [ $tries -lt 50 ] && [ -e "$1/data/postmaster.pid" ] && kill -0 "$pid" 2>/dev/null; do
        sleep 0.1
        tries=$((tries + 1))
    done
fi
rm -rf "$1"
"#;

/// A database of a test's own, gone when dropped.
pub struct TestDatabase {
    url: String,
    server: Option<Arc<Server>>,
    _directory: Option<tempfile::TempDir>,
}

impl TestDatabase {
    /// Makes a place for a SQLite file.
    pub fn sqlite() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let url = format!("sqlite://{}", directory.path().join("test.db").display());
        Ok(Self {
            url,
            server: None,
            _directory: Some(directory),
        })
    }

    /// Makes a database in the server that all tests of this process share.
    pub fn postgres() -> Result<Self> {
        static SHARED: OnceLock<std::result::Result<Arc<Server>, String>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| {
            Server::start()
                .map(Arc::new)
                .map_err(|error| format!("{error:#}"))
        });
        match shared {
            Ok(server) => Self::in_server(Arc::clone(server)),
            Err(error) => bail!("no Postgres for the tests: {error}"),
        }
    }

    /// Makes a database in a server of its own, which a test may stop.
    pub fn private_postgres() -> Result<Self> {
        Self::in_server(Arc::new(Server::start()?))
    }

    /// Makes a database in a server of its own with settings (`name=value`) that go before those of tests.
    pub fn tuned_postgres(settings: &[&str]) -> Result<Self> {
        Self::in_server(Arc::new(Server::start_with(settings)?))
    }

    /// Makes a database in a server of its own that takes connections by TLS as well, and shows this certificate (PEM).
    pub fn tls_postgres(certificate: &str, key: &str) -> Result<Self> {
        let settings = [
            "ssl=on",
            "ssl_cert_file=../server.crt",
            "ssl_key_file=../server.key",
        ];
        let files = [("server.crt", certificate), ("server.key", key)];
        Self::in_server(Arc::new(Server::start_beside(&settings, &files)?))
    }

    fn in_server(server: Arc<Server>) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        server.query("postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(Self {
            url: server.url(&name),
            server: Some(server),
            _directory: None,
        })
    }

    /// Returns its URL, as `--database-url` takes it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the server it lives in; `None` for SQLite.
    pub fn server(&self) -> Option<&Server> {
        self.server.as_deref()
    }

    /// Runs SQL behind the store's back; returns what it prints, columns separated by `|`.
    pub fn query(&self, sql: &str) -> Result<String> {
        let server = self
            .server()
            .context("only Postgres can be asked from outside")?;
        let name = self.url.rsplit('/').next().unwrap_or_default();
        server.query(name, sql)
    }
}

/// A running Postgres server.
pub struct Server {
    programs: PathBuf,
    directory: PathBuf,
    port: u16,
    settings: Vec<String>,
    user: Option<User>,
    process: Mutex<Option<Child>>,
    guard: Mutex<Option<Child>>,
}

/// Whom the server runs as when this process is root, whom Postgres refuses.
struct User {
    name: &'static str,
    id: u32,
    group: u32,
}

impl Server {
    /// Finds Postgres, makes a cluster and starts it.
    pub fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// The same with settings (`name=value`) that go before its own.
    pub fn start_with(settings: &[&str]) -> Result<Self> {
        Self::start_beside(settings, &[])
    }

    /// The same beside files that only the server can read.
    fn start_beside(settings: &[&str], files: &[(&str, &str)]) -> Result<Self> {
        let server = Self::prepare(settings)?;
        server.make_cluster()?;
        for (name, text) in files {
            server.write(name, text)?;
        }
        server.resume()?;
        Ok(server)
    }

    /// Makes its directory and everything around it, but no cluster.
    fn prepare(settings: &[&str]) -> Result<Self> {
        let programs = find_programs()?;
        let user = unprivileged_user()?;
        let directory = tempfile::Builder::new()
            .prefix("burgee-postgres-")
            .tempdir()?
            .keep();
        let guard = start_guard(&directory)?;
        if let Some(user) = &user {
            chown(&directory, Some(user.id), Some(user.group))?;
        }
        Ok(Self {
            programs,
            directory,
            port: free_port()?,
            settings: settings.iter().map(|&it| it.to_owned()).collect(),
            user,
            process: Mutex::new(None),
            guard: Mutex::new(Some(guard)),
        })
    }

    /// Makes a streaming replica of another server and starts it.
    pub fn following(primary: &Server) -> Result<Self> {
        let server = Self::prepare(&[])?;
        let output = server
            .command("pg_basebackup")
            .args([
                "--username=burgee",
                "--host=127.0.0.1",
                "--write-recovery-conf",
            ])
            .args(["--wal-method=stream", "--checkpoint=fast", "--no-sync"])
            .arg(format!("--port={}", primary.port))
            .arg("--pgdata")
            .arg(server.directory.join("data"))
            .output()
            .context("pg_basebackup cannot be started")?;
        ensure!(
            output.status.success(),
            "pg_basebackup: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        server.resume()?;
        Ok(server)
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.directory.join(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        if let Some(user) = &self.user {
            chown(&path, Some(user.id), Some(user.group))?;
        }
        Ok(())
    }

    /// Returns the URL of a database in it.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://burgee@127.0.0.1:{}/{database}", self.port)
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Returns where a program of its installation is, such as `pgbench`.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// Ends the server at once, as a crash would: connections break. [`Server::resume`] starts it again.
    pub fn stop(&self) -> Result<()> {
        let mut process = lock(&self.process);
        let Some(child) = process.as_mut() else {
            return Ok(());
        };
        signal("QUIT", &[child.id()])?;
        let deadline = Instant::now() + STOP_LIMIT;
        while child.try_wait()?.is_none() {
            ensure!(Instant::now() < deadline, "Postgres does not stop");
            pause();
        }
        *process = None;
        Ok(())
    }

    /// Starts the server on the port it had, and waits until it answers.
    pub fn resume(&self) -> Result<()> {
        let mut process = lock(&self.process);
        if process.is_some() {
            return Ok(());
        }
        let log = fs::File::create(self.directory.join("log"))?;
        let child = self
            .command("postgres")
            .arg("-D")
            .arg(self.directory.join("data"))
            .arg("-k")
            .arg(&self.directory)
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args([
                "-c",
                "fsync=off",
                "-c",
                "full_page_writes=off",
                "-c",
                "max_connections=200",
            ])
            .args(["-c", "shared_buffers=32MB", "-c", "autovacuum=off"])
            // The last one of a name counts.
            .args(self.settings.iter().flat_map(|setting| ["-c", setting]))
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("postgres cannot be started")?;
        let child = process.insert(child);
        let deadline = Instant::now() + READY_LIMIT;
        while !self.is_ready(child.id()) {
            if child.try_wait()?.is_some() || Instant::now() > deadline {
                let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
                bail!("postgres did not come up: {log}");
            }
            pause();
        }
        Ok(())
    }

    /// Returns what it has logged since it was started last.
    pub fn log(&self) -> Result<String> {
        Ok(fs::read_to_string(self.directory.join("log"))?)
    }

    /// Returns a client that a thread of its own may use.
    pub fn client(&self) -> Client {
        Client {
            program: self.programs.join("psql"),
        }
    }

    /// Stops the server and every backend where they stand, until the answer is dropped.
    pub fn freeze(&self) -> Result<Frozen> {
        let postmaster = lock(&self.process)
            .as_ref()
            .map(Child::id)
            .context("the server is not running")?;
        // First the one that could start more.
        signal("STOP", &[postmaster])?;
        let mut processes = vec![postmaster];
        let children =
            fs::read_to_string(format!("/proc/{postmaster}/task/{postmaster}/children"))?;
        processes.extend(
            children
                .split_whitespace()
                .filter_map(|id| id.parse::<u32>().ok()),
        );
        let frozen = Frozen { processes };
        signal("STOP", &frozen.processes)?;
        Ok(frozen)
    }

    /// Runs SQL in a database.
    pub fn query(&self, database: &str, sql: &str) -> Result<String> {
        self.client().query(&self.url(database), sql)
    }

    fn make_cluster(&self) -> Result<()> {
        let output = self
            .command("initdb")
            .args([
                "--username=burgee",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C",
                "--no-sync",
                "-D",
            ])
            .arg(self.directory.join("data"))
            .stdin(Stdio::null())
            .output()
            .context("initdb cannot be started")?;
        ensure!(
            output.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    /// A program of Postgres, run as somebody it accepts. `setpriv` becomes the program, so its id is the program's.
    fn command(&self, program: &str) -> Command {
        let path = self.programs.join(program);
        let mut command = match &self.user {
            None => Command::new(path),
            Some(user) => {
                let mut command = Command::new("setpriv");
                command
                    .arg(format!("--reuid={}", user.name))
                    .arg(format!("--regid={}", user.group))
                    .arg("--clear-groups")
                    .arg(path);
                command
            }
        };
        command
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .env("LC_ALL", "C");
        command
    }

    /// The last line of its pid file tells how far it is.
    fn is_ready(&self, id: u32) -> bool {
        let status =
            fs::read_to_string(self.directory.join("data/postmaster.pid")).unwrap_or_default();
        let mut lines = status.lines();
        lines.next() == Some(id.to_string().as_str())
            && lines.next_back().is_some_and(|line| line.trim() == "ready")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The guard does what fails here.
        let _stopped = self.stop();
        if let Some(mut guard) = lock(&self.guard).take() {
            drop(guard.stdin.take());
            let _ended = guard.wait();
        }
    }
}

/// Asks databases by their URL.
pub struct Client {
    program: PathBuf,
}

impl Client {
    /// Runs SQL; returns what it prints, columns separated by `|`.
    pub fn query(&self, url: &str, sql: &str) -> Result<String> {
        let output = Command::new(&self.program)
            .args([
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-c",
                sql,
                url,
            ])
            .env_remove("PGOPTIONS")
            .stdin(Stdio::null())
            .output()
            .context("psql cannot be started")?;
        ensure!(
            output.status.success(),
            "psql: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
    }
}

/// A server that stands still.
pub struct Frozen {
    processes: Vec<u32>,
}

impl Drop for Frozen {
    fn drop(&mut self) {
        let _continued = signal("CONT", &self.processes);
    }
}

fn start_guard(directory: &Path) -> Result<Child> {
    Command::new("sh")
        .args(["-c", GUARD, "guard"])
        .arg(directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Not in the terminal's group: Ctrl-C must not end it before its work.
        .process_group(0)
        .spawn()
        .context("sh cannot be started")
}

fn find_programs() -> Result<PathBuf> {
    let mut candidates = Vec::new();
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        candidates.push(PathBuf::from(
            String::from_utf8_lossy(&output.stdout).trim(),
        ));
    }
    if let Ok(versions) = fs::read_dir("/usr/lib/postgresql") {
        candidates.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    if let Some(path) = std::env::var_os("PATH") {
        candidates.extend(std::env::split_paths(&path));
    }
    let complete = |folder: &PathBuf| {
        ["initdb", "postgres", "psql"]
            .iter()
            .all(|name| folder.join(name).is_file())
    };
    candidates.into_iter().find(complete).context(
        "initdb, postgres and psql were not found: install PostgreSQL 13 to 17 (Debian: apt-get install postgresql)",
    )
}

fn unprivileged_user() -> Result<Option<User>> {
    if fs::metadata("/proc/self")?.uid() != 0 {
        return Ok(None);
    }
    let accounts = fs::read_to_string("/etc/passwd")?;
    for name in ["postgres", "nobody"] {
        for line in accounts.lines() {
            let mut fields = line.split(':');
            if fields.next() == Some(name)
                && let (Some(id), Some(group)) = (fields.nth(1), fields.next())
            {
                return Ok(Some(User {
                    name,
                    id: id.parse()?,
                    group: group.parse()?,
                }));
            }
        }
    }
    bail!("Postgres does not run as root, and there is neither a user postgres nor nobody")
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

fn signal(name: &str, processes: &[u32]) -> Result<()> {
    // The shell's own, because not every system has it as a program.
    let mut child = Command::new("sh")
        .args(["-c", "kill \"$@\"", "kill"])
        .arg(format!("-{name}"))
        .args(processes.iter().map(u32::to_string))
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut message = String::new();
    if let Some(mut stderr) = child.stderr.take() {
        stderr.read_to_string(&mut message)?;
    }
    ensure!(child.wait()?.success(), "kill -{name}: {message}");
    Ok(())
}

/// A moment between two looks at something that has no event to wait for.
fn pause() {
    std::thread::park_timeout(Duration::from_millis(20));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
