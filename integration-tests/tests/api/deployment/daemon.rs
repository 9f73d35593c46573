//! A process that a test starts and that ends with it.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A process in the background; its output goes to a file.
pub(super) struct Daemon {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts a command; what it writes goes to a file of that name in `folder`.
    pub(super) fn start(name: &str, command: &mut Command, folder: &Path) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log).expect("a log file");
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a file has copies"))
            .stderr(file)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{name} cannot be started: {error} (./integration-tests/run installs what is missing)")
            });
        Self {
            name: name.to_owned(),
            child,
            log,
        }
    }

    /// Fails with its output when the process is gone.
    #[track_caller]
    pub(super) fn assert_running(&mut self) {
        let ended = self.child.try_wait().expect("it is our child");
        assert!(
            ended.is_none(),
            "{} ended with {ended:?}:\n{}",
            self.name,
            self.log()
        );
    }

    /// Returns what it has written.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {}\n{}---", self.name, self.log());
        }
    }
}

/// Returns a port that nobody listens on.
pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("it is bound").port()
}
