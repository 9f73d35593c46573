//! What the kernel says of the machine, below a root that is `/` but for tests.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Returns how many descriptors this process may allow itself; `None` for any number.
pub(super) fn descriptor_limit(root: &Path) -> Option<u64> {
    let limits = fs::read_to_string(root.join("proc/self/limits")).ok()?;
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))?;
    // Soft, hard, unit.
    line.split_ascii_whitespace().nth(4)?.parse().ok()
}

/// Returns how much memory the machine has, in bytes.
pub(super) fn memory(root: &Path) -> Option<u64> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024)
}

/// Returns the kind of the file system that a path lies on.
pub(super) fn file_system(root: &Path, path: &Path) -> Option<String> {
    let mounts = fs::read_to_string(root.join("proc/self/mounts")).ok()?;
    let path = nearest(path);
    let path = path.canonicalize().ok()?;
    let mut best: Option<(usize, &str)> = None;
    for line in mounts.lines() {
        let mut fields = line.split(' ').skip(1);
        let (Some(place), Some(kind)) = (fields.next(), fields.next()) else {
            continue;
        };
        // Blanks are written as octal numbers.
        let place = place.replace("\\040", " ");
        // Of two at the same place the later one is on top.
        if path.starts_with(&place) && best.is_none_or(|(length, _)| place.len() >= length) {
            best = Some((place.len(), kind));
        }
    }
    best.map(|(_, kind)| kind.to_owned())
}

/// Returns how many bytes may still be written where a path lies.
pub(super) fn room(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(&*nearest(path)).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Tries to write a file in a folder, or in the nearest one there is, and removes it again.
pub(super) fn try_folder(folder: &Path) -> io::Result<()> {
    let nearest = nearest(folder);
    let file = nearest.join(format!(".burgee-doctor-{}", std::process::id()));
    fs::write(&file, b"burgee doctor")?;
    fs::remove_file(&file)
}

/// Tries to write to a file that may be there already, and to its folder, without changing it.
pub(super) fn try_file(file: &Path) -> io::Result<()> {
    let folder = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    // SQLite makes files, but no folders.
    fs::read_dir(folder)?;
    if file.exists() {
        fs::OpenOptions::new().append(true).open(file)?;
    }
    try_folder(folder)
}

/// Returns the nearest part of a path that exists.
fn nearest(path: &Path) -> PathBuf {
    let mut ancestors = path.ancestors().filter(|it| it.exists());
    let found = ancestors.next().filter(|it| !it.as_os_str().is_empty());
    found.unwrap_or(Path::new(".")).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::testing::tree;

    #[test]
    fn the_kernels_texts() {
        let limits = "Limit   Soft   Hard   Units\nMax open files            1024                 4096                 files\n";
        let root = tree(&[
            ("proc/self/limits", limits),
            ("proc/meminfo", "MemTotal:        2048 kB\nMemFree: 1 kB\n"),
        ]);
        assert_eq!(descriptor_limit(root.path()), Some(4096));
        assert_eq!(memory(root.path()), Some(2 << 20));
        assert_eq!(
            (
                descriptor_limit(Path::new("/nowhere")),
                memory(Path::new("/nowhere"))
            ),
            (None, None)
        );
    }

    #[test]
    fn the_nearest_mount_counts() {
        let root = tree(&[("data/burgee.db", "")]);
        let at = root.path().canonicalize().unwrap();
        let mounts = format!(
            "disk / ext4 rw 0 0\nserver:/x {}/data nfs4 rw 0 0\nx {}/dat tmpfs rw 0 0\n",
            at.display(),
            at.display()
        );
        fs::create_dir_all(root.path().join("proc/self")).unwrap();
        fs::write(root.path().join("proc/self/mounts"), mounts).unwrap();
        let kind = |path: &str| file_system(root.path(), &root.path().join(path));
        assert_eq!(kind("data/burgee.db").as_deref(), Some("nfs4"));
        assert_eq!(kind("data/new/burgee.db").as_deref(), Some("nfs4"));
        assert_eq!(kind("other.db").as_deref(), Some("ext4"));
    }

    #[test]
    fn what_can_be_written() {
        let root = tree(&[("file", "text")]);
        let at = |path: &str| root.path().join(path);
        try_folder(&at("new/deeper")).unwrap();
        assert!(try_folder(&at("file/deeper")).is_err());
        try_file(&at("file")).unwrap();
        try_file(&at("new.db")).unwrap();
        assert!(try_file(&at("file/new.db")).is_err());
        assert!(try_file(&at("nowhere/new.db")).is_err());
        assert_eq!(fs::read_to_string(at("file")).unwrap(), "text");
        assert_eq!(
            fs::read_dir(root.path()).unwrap().count(),
            1,
            "nothing is left"
        );
        assert!(room(&at("new/deeper")).unwrap() > 0);
    }
}
