//! Running `burgee` as a person at a shell would.

use crate::deadline::eventually;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::JoinHandle;

/// What a command left behind.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// All it wrote to its standard output.
    pub stdout: String,
    /// All it wrote to its standard error.
    pub stderr: String,
}

impl Finished {
    /// Asserts the exit code, showing what was printed when it is another one.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(
            self.code,
            Some(code),
            "stdout:\n{}\nstderr:\n{}",
            self.stdout,
            self.stderr
        );
        self
    }
}

/// Returns the program that was built beside this test.
pub fn program_path() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    let path = test
        .ancestors()
        .nth(2)
        .expect("tests are in target/PROFILE/deps")
        .join("burgee");
    assert!(
        path.exists(),
        "{} is missing: run `cargo build --workspace --bins` first",
        path.display()
    );
    path
}

/// Returns a command for the program that sees nothing of the environment of the tests.
pub(crate) fn command() -> Command {
    let mut command = Command::new(program_path());
    command.env_clear().stdin(Stdio::null());
    command
}

/// Runs `burgee` with these arguments to its end.
pub fn burgee(args: &[&str]) -> Finished {
    finish(command().args(args))
}

/// Runs `burgee` in an environment of just these variables.
pub fn burgee_with(variables: &[(&str, &str)], args: &[&str]) -> Finished {
    finish(command().envs(variables.iter().copied()).args(args))
}

/// Runs `burgee` in a working directory of its own.
pub fn burgee_in(directory: &Path, args: &[&str]) -> Finished {
    finish(command().args(args).current_dir(directory))
}

/// Runs `burgee` from a shell that has run this first, such as `ulimit -n 64`.
pub fn burgee_under(first: &str, args: &[&str]) -> Finished {
    let mut command = Command::new("/bin/sh");
    command
        .env_clear()
        .stdin(Stdio::null())
        .args(["-c", &format!("{first} && exec \"$0\" \"$@\"")])
        .arg(program_path())
        .args(args);
    finish(&mut command)
}

fn finish(command: &mut Command) -> Finished {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let stdout = collect(child.stdout.take().expect("it was piped"));
    let stderr = collect(child.stderr.take().expect("it was piped"));
    let status = eventually("the end of a command", || {
        child.try_wait().expect("it is our child")
    });
    Finished {
        code: status.code(),
        stdout: stdout.join().expect("reading does not panic"),
        stderr: stderr.join().expect("reading does not panic"),
    }
}

/// Reads a pipe beside the caller, so that a full pipe never stops the program.
pub(crate) fn collect(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = pipe.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    })
}

/// Sends a signal to one process; one that is gone is no fault. The shell has it built in, even where `kill` is no program.
pub(crate) fn signal(id: u32, name: &str) {
    let status = Command::new("/bin/sh")
        .args(["-c", "kill -\"$0\" \"$1\"", name, &id.to_string()])
        .stderr(Stdio::null())
        .status();
    status.expect("a shell is part of every system");
}
