//! Files that hold a certificate, and files that do not.

use super::*;
use std::fs;

struct Desk {
    directory: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let desk = Self { directory };
        desk.renew();
        desk
    }

    fn files(&self) -> TlsFiles {
        TlsFiles {
            certificate: self.directory.path().join("cert.pem"),
            key: self.directory.path().join("key.pem"),
        }
    }

    fn renew(&self) {
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(self.files().certificate, pair.cert.pem()).unwrap();
        fs::write(self.files().key, pair.signing_key.serialize_pem()).unwrap();
    }
}

#[test]
fn a_pair_is_read_and_read_again() {
    let desk = Desk::new();
    let shown = Arc::new(Certificates::load(&desk.files()).unwrap());
    shown.server_config().unwrap();
    let before = shown.shown.load_full();
    assert!(!shown.reload(&desk.files()).unwrap(), "it is the same");
    desk.renew();
    assert!(shown.reload(&desk.files()).unwrap());
    assert_ne!(shown.shown.load().cert, before.cert);
}

#[test]
fn a_bad_pair_changes_nothing_and_is_named() {
    let desk = Desk::new();
    let shown = Certificates::load(&desk.files()).unwrap();
    let before = shown.shown.load_full();
    let files = desk.files();
    let good_key = fs::read(&files.key).unwrap();
    desk.renew();
    fs::write(&files.key, good_key).unwrap();
    let error = shown.reload(&files).unwrap_err();
    assert!(matches!(error, TlsError::Pair(_)), "{error}");
    fs::write(&files.certificate, "nothing").unwrap();
    let error = shown.reload(&files).unwrap_err().to_string();
    assert!(
        error.contains("cert.pem cannot be used: there is no certificate in it"),
        "{error}"
    );
    fs::remove_file(&files.key).unwrap();
    desk.renew();
    fs::write(&files.key, "nothing").unwrap();
    let error = shown.reload(&files).unwrap_err().to_string();
    assert!(error.contains("key.pem cannot be used: "), "{error}");
    assert_eq!(shown.shown.load().cert, before.cert);
}

#[test]
fn a_changed_file_is_noticed() {
    let desk = Desk::new();
    let files = desk.files();
    let before = files.stamp();
    assert_eq!(files.stamp(), before);
    let later = SystemTime::now() + std::time::Duration::from_secs(5);
    let key = fs::File::options().write(true).open(&files.key).unwrap();
    key.set_modified(later).unwrap();
    assert_ne!(files.stamp(), before);
    fs::remove_file(&files.certificate).unwrap();
    assert_eq!(files.stamp()[0], None);
}
