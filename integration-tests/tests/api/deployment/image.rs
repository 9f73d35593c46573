//! The container image: its root folder is laid out by the script that the `Dockerfile` uses, and Burgee is run in it, as
//! the image's user, on a root file system that cannot be written to. No container engine takes part.

use super::daemon::{Daemon, free_port};
use super::{repository, repository_file};
use burgee_integration_tests::deadline::eventually;
use burgee_integration_tests::http::{Connection, Request};
use burgee_integration_tests::program_path;
use serde_json::json;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Output};

/// The user of the image, as the script and the `Dockerfile` have it.
const USER: &str = "65532:65532";

/// What may be in the image beside the program: libraries, and a few files.
const REST_BYTES: u64 = 5_000_000;

/// Makes the folder's mounts, and becomes the image's user in it. Root file system read-only, the volume a file system of
/// its own.
const ENTER: &str = r#"
set -e
root=$1 user=$2
shift 2
mount --bind "$root" "$root"
mount -t tmpfs -o mode=777 tmpfs "$root/var/lib/burgee"
mount --bind /proc "$root/proc"
mount -o remount,bind,ro "$root"
exec chroot --userspec="$user" "$root" "$@"
"#;

fn assembled() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let root = folder.path().join("image");
    let output = Command::new(repository("deploy/image/assemble.sh"))
        .arg(program_path())
        .arg(&root)
        .output()
        .expect("the script runs");
    assert!(output.status.success(), "{output:?}");
    // Where the engine mounts what the kernel tells.
    std::fs::create_dir(root.join("proc")).expect("a folder");
    std::fs::set_permissions(
        folder.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .expect("our folder");
    folder
}

/// A command that runs in the image with mounts of its own; whoever is not root becomes it in a namespace, and then the
/// image's user is root's.
fn inside(root: &Path) -> Command {
    let is_root = std::fs::metadata("/proc/self").expect("/proc").uid() == 0;
    let mut command = Command::new("unshare");
    command.arg("--mount");
    if !is_root {
        command.args(["--user", "--map-root-user"]);
    }
    let user = if is_root { USER } else { "0:0" };
    command
        .args(["--", "sh", "-c", ENTER, "enter"])
        .arg(root)
        .arg(user);
    command.env_clear();
    for (name, value) in image_environment() {
        command.env(name, value);
    }
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

/// The `ENV` of the `Dockerfile`.
fn image_environment() -> Vec<(String, String)> {
    let text = repository_file("Dockerfile").replace("\\\n", " ");
    let line = text.lines().find_map(|line| line.strip_prefix("ENV "));
    let pairs = line.expect("an ENV").split_whitespace();
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').expect("NAME=VALUE");
            (name.to_owned(), value.to_owned())
        })
        .collect()
}

fn run(root: &Path, arguments: &[&str]) -> Output {
    inside(root)
        .arg("/usr/local/bin/burgee")
        .args(arguments)
        .output()
        .expect("unshare is part of every system")
}

#[test]
fn it_serves_on_a_read_only_root_as_nobody_special() {
    let folder = assembled();
    let root = folder.path().join("image");
    let version = run(&root, &["--version"]);
    assert!(version.status.success(), "{version:?}");

    let port = free_port();
    let mut command = inside(&root);
    command.args(["/usr/local/bin/burgee", "serve", "--demo"]);
    command.args(["--database-url", "sqlite:///var/lib/burgee/burgee.db"]);
    command.args(["--snapshot-dir", "/var/lib/burgee/snapshot"]);
    command.env("BURGEE_LISTEN", format!("127.0.0.1:{port}"));
    let mut server = Daemon::start("burgee", &mut command, folder.path());
    // As the image's health check, from inside.
    let url = format!("http://127.0.0.1:{port}/_readiness");
    eventually("the health check to pass", || {
        server.assert_running();
        run(&root, &["healthcheck", "--url", &url])
            .status
            .success()
            .then_some(())
    });
    let asked =
        Request::post("/flags?v=2").json(&json!({"token": "phc_local_dev", "distinct_id": "ada"}));
    let answer = Connection::open(&format!("127.0.0.1:{port}")).exchange(&asked);
    assert_eq!(answer.status, 200, "{}", answer.text());
    // Nothing can be written beside the volume.
    let elsewhere = run(&root, &["migrate", "--database-url", "sqlite:///burgee.db"]);
    assert!(!elsewhere.status.success(), "{elsewhere:?}");
}

/// The parts whose size does not depend on how the program was built. The program itself, built for release and stripped as
/// the script does, was 29 MB when this was written.
#[test]
fn it_holds_little_beside_the_program() {
    let folder = assembled();
    let mut files = Vec::new();
    collect(&folder.path().join("image"), &mut files);
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert!(
        names.contains(&"burgee") && names.contains(&"libc.so.6"),
        "{names:?}"
    );
    assert!(!names.contains(&"sh"), "{names:?}");
    let rest: u64 = files
        .iter()
        .filter(|(name, _)| name != "burgee")
        .map(|(_, bytes)| bytes)
        .sum();
    assert!(rest < REST_BYTES, "{rest} bytes: {files:?}");
}

fn collect(folder: &Path, files: &mut Vec<(String, u64)>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let metadata = entry.metadata().expect("it exists");
        if metadata.is_dir() {
            collect(&entry.path(), files);
        } else {
            files.push((
                entry.file_name().to_string_lossy().into_owned(),
                metadata.len(),
            ));
        }
    }
}

#[test]
fn the_dockerfile_says_the_same() {
    let dockerfile = repository_file("Dockerfile");
    let last_stage = dockerfile.rsplit("\nFROM ").next().expect("a stage");
    for line in [
        "scratch",
        "COPY --from=build /image /",
        &format!("USER {USER}"),
        "VOLUME /var/lib/burgee",
        r#"ENTRYPOINT ["burgee"]"#,
    ] {
        assert!(
            last_stage.lines().any(|other| other == line),
            "{line} in {last_stage}"
        );
    }
    assert!(
        last_stage.contains(r#"CMD ["burgee", "healthcheck", "#),
        "{last_stage}"
    );
    // Dependencies are a layer before our sources are there.
    let (before, after) = dockerfile
        .split_once("cargo chef cook")
        .expect("a layer of dependencies");
    assert!(
        !before.rsplit("FROM ").next().unwrap().contains("COPY . ."),
        "{before}"
    );
    assert!(
        after.contains("COPY . .")
            && after.contains("deploy/image/assemble.sh target/release/burgee /image")
    );
    for line in dockerfile
        .lines()
        .filter(|line| line.starts_with("FROM rust:"))
    {
        let version = line.split([':', '-']).nth(1).expect("a tag");
        assert_eq!(version.split('.').count(), 3, "pinned: {line}");
    }
    let ignored = repository_file(".dockerignore");
    for name in ["target", ".git", ".env"] {
        assert!(ignored.lines().any(|line| line == name), "{name}");
    }
    assert!(
        !ignored
            .lines()
            .any(|line| line == "deploy" || line == "deploy/image")
    );
}
