//! Packs what the page of the API description is made of, so that the program carries it as browsers take it: the page must work
//! where nothing else can be reached.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::error::Error;
use std::fs::File;
use std::io::{Cursor, copy};
use std::path::{Path, PathBuf};
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

/// The files that the page asks for; the archive has many more.
const FILES: [&str; 2] = ["swagger-ui-bundle.js", "swagger-ui.css"];

fn main() {
    if let Err(error) = pack() {
        panic!("the files of the API description cannot be packed: {error}");
    }
}

fn pack() -> Result<(), Box<dyn Error>> {
    let out = std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?;
    let out = PathBuf::from(out);
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    for index in 0..archive.len() {
        let mut file = archive.by_index(index)?;
        let path = file.enclosed_name().ok_or("a name that leads out")?;
        if let Some(name) = wanted(&path) {
            let packed = File::create(out.join(format!("{name}.gz")))?;
            let mut packer = GzEncoder::new(packed, Compression::best());
            copy(&mut file, &mut packer)?;
            packer.finish()?;
        }
    }
    Ok(())
}

/// Returns a wanted file's name, if a path in the archive is one's.
fn wanted(path: &Path) -> Option<&'static str> {
    let is_at = |name: &&str| path.ends_with(Path::new("dist").join(name));
    let mut found = FILES.into_iter().filter(is_at);
    // The archive has further flavours, each with a folder of this name; theirs lie deeper.
    found.next().filter(|_| path.components().count() == 3)
}
