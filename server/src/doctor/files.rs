//! Addresses and directories.

use super::Finding;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

/// What came of trying to listen.
#[derive(Debug)]
pub(super) enum Port {
    Free,
    /// A Burgee answers there.
    Ours,
    Refused(io::Error),
}

/// Says whether a server can listen on an address; `option` names it.
pub(super) fn judge_port(
    check: &'static str,
    option: &str,
    address: SocketAddr,
    port: &Port,
) -> Finding {
    match port {
        Port::Free => Finding::ok(check, format!("{address} is free")),
        Port::Ours => {
            let fix = "nothing, if this is about that one; else stop it, or choose another address";
            Finding::warn(check, format!("a Burgee listens on {address} already"), fix)
        }
        Port::Refused(error) => {
            let fix = match error.kind() {
                io::ErrorKind::AddrInUse => {
                    format!("stop what listens there, or choose another {option}")
                }
                io::ErrorKind::PermissionDenied => format!("choose a port above 1023 in {option}"),
                _ => format!("choose an address of this machine in {option}, such as 0.0.0.0"),
            };
            Finding::fail(
                check,
                format!("{address} cannot be listened on: {error}"),
                fix,
            )
        }
    }
}

/// Says whether definitions can be kept in a directory.
pub(super) fn judge_snapshots(directory: &Path, tried: &io::Result<()>) -> Finding {
    let (check, shown) = ("snapshot directory", directory.display());
    match tried {
        Ok(()) => Finding::ok(check, format!("{shown} can be written")),
        Err(error) => {
            let fix = "mount a volume that this user may write, and name a directory on it in --snapshot-dir (BURGEE_SNAPSHOT_DIR)";
            Finding::fail(check, format!("{shown} cannot be written: {error}"), fix)
        }
    }
}

/// Says whether files can be served from a directory.
pub(super) fn judge_static(directory: &Path, read: &io::Result<()>) -> Finding {
    let (check, shown) = ("static directory", directory.display());
    match read {
        Ok(()) => Finding::ok(check, format!("{shown} can be read")),
        Err(error) => {
            let fix =
                "name a directory that this user may read in --static-dir (BURGEE_STATIC_DIR)";
            Finding::fail(check, format!("{shown} cannot be read: {error}"), fix)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;
    use crate::doctor::testing::expect;

    #[test]
    fn ports() {
        let judge = |port: &Port| {
            let address = "127.0.0.1:80".parse().unwrap();
            judge_port("port", "--listen", address, port)
        };
        let refused = |kind: io::ErrorKind| Port::Refused(kind.into());
        expect(&judge(&Port::Free), State::Ok, &["127.0.0.1:80"]);
        expect(&judge(&Port::Ours), State::Warn, &["a Burgee"]);
        expect(
            &judge(&refused(io::ErrorKind::AddrInUse)),
            State::Fail,
            &["stop", "--listen"],
        );
        expect(
            &judge(&refused(io::ErrorKind::PermissionDenied)),
            State::Fail,
            &["1023"],
        );
        expect(
            &judge(&refused(io::ErrorKind::AddrNotAvailable)),
            State::Fail,
            &["0.0.0.0"],
        );
    }

    #[test]
    fn directories() {
        let here = Path::new("/data");
        let denied = || Err(io::ErrorKind::PermissionDenied.into());
        expect(&judge_snapshots(here, &Ok(())), State::Ok, &["/data"]);
        expect(
            &judge_snapshots(here, &denied()),
            State::Fail,
            &["/data", "BURGEE_SNAPSHOT_DIR"],
        );
        expect(&judge_static(here, &Ok(())), State::Ok, &["/data"]);
        expect(
            &judge_static(here, &denied()),
            State::Fail,
            &["BURGEE_STATIC_DIR"],
        );
    }
}
