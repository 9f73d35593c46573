//! Embedded migrations are part of this crate: a new folder must rebuild it.

fn main() {
    let mut out = std::io::stdout();
    let line = b"cargo::rerun-if-changed=../migrations\n";
    if let Err(error) = std::io::Write::write_all(&mut out, line) {
        panic!("cannot speak to cargo: {error}");
    }
}
