//! The files of the page, embedded: nothing is built, nothing is fetched from elsewhere.
//!
//! They are reached below a tag made from their content, so that browsers may keep them for good.

use burgee_schema::fingerprint::of_presented;
use bytes::Bytes;

/// A file, and what it is.
#[derive(Debug)]
pub struct Asset {
    name: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// Its content.
    pub content: &'static [u8],
}

macro_rules! asset {
    ($name:literal, $file:literal, $content_type:literal) => {
        Asset {
            name: $name,
            content_type: $content_type,
            content: include_bytes!(concat!("assets/", $file)),
        }
    };
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! script {
    ($name:literal, $file:literal) => {
        Asset {
            name: $name,
            content_type: SCRIPT,
            content: include_bytes!(concat!("assets/", $file)),
        }
    };
}

static ASSETS: [Asset; 13] = [
    script!("console.js", "console.js"),
    script!("stream.js", "stream.js"),
    script!("page.js", "page.js"),
    script!("panels.js", "panels.js"),
    script!("tables.js", "tables.js"),
    script!("chart.js", "chart.js"),
    script!("summary.js", "summary.js"),
    script!("format.js", "format.js"),
    script!("uPlot.iife.min.js", "uplot/uPlot.iife.min.js"),
    asset!(
        "uPlot.min.css",
        "uplot/uPlot.min.css",
        "text/css; charset=utf-8"
    ),
    asset!(
        "uPlot.LICENSE.txt",
        "uplot/LICENSE",
        "text/plain; charset=utf-8"
    ),
    asset!("console.css", "console.css", "text/css; charset=utf-8"),
    asset!("icon.svg", "icon.svg", "image/svg+xml"),
];

const PAGE: &str = include_str!("assets/index.html");
/// Stands in the page where the folder of the assets is.
const PLACE: &str = "{{assets}}";

/// The page, and under which tag its files are.
#[derive(Debug)]
pub struct Assets {
    /// Changes with the content of any file, the page's included.
    pub tag: String,
    below: Bytes,
    beside: Bytes,
}

impl Assets {
    /// Prepares the page.
    pub fn new() -> Self {
        let files = ASSETS.iter().map(|asset| asset.content);
        let digests = files.chain([PAGE.as_bytes()]).map(digest);
        let tag = digest(digests.collect::<String>().as_bytes());
        // As much as tells one build from another.
        let tag: String = tag.chars().take(16).collect();
        let page = |folder: &str| Bytes::from(PAGE.replace(PLACE, folder));
        Self {
            below: page(&format!("console/assets/{tag}")),
            beside: page(&format!("assets/{tag}")),
            tag,
        }
    }

    /// Returns the page as it is at a path: its links are relative, since a proxy may have put anything before it.
    pub fn page(&self, path: &str) -> Bytes {
        if path.ends_with('/') {
            self.beside.clone()
        } else {
            self.below.clone()
        }
    }

    /// Returns a file.
    pub fn file(name: &str) -> Option<&'static Asset> {
        ASSETS.iter().find(|asset| asset.name == name)
    }
}

impl Default for Assets {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns a SHA-256 in hexadecimal. All files are text.
fn digest(content: &[u8]) -> String {
    let text = String::from_utf8_lossy(content);
    let digest = of_presented(&text);
    digest.trim_start_matches("sha256:").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_others_is_unchanged() {
        let noted = include_str!("assets/uplot/README.md");
        for name in ["uPlot.iife.min.js", "uPlot.min.css"] {
            let line = format!("{}  {name}", digest(Assets::file(name).unwrap().content));
            assert!(noted.contains(&line), "{line}");
        }
        let licence = Assets::file("uPlot.LICENSE.txt").unwrap().content;
        assert!(licence.starts_with(b"The MIT License (MIT)"));
    }

    #[test]
    fn the_page_names_only_files_that_exist() {
        let assets = Assets::new();
        for (path, folder) in [
            ("/console", format!("console/assets/{}/", assets.tag)),
            ("/console/", format!("assets/{}/", assets.tag)),
        ] {
            let page = assets.page(path);
            let page = std::str::from_utf8(&page).unwrap();
            assert!(!page.contains("{{"), "{page}");
            let link = format!("\"{folder}");
            let links = page.split(&link).skip(1);
            let names: Vec<_> = links.filter_map(|rest| rest.split('"').next()).collect();
            assert!(names.len() >= 5, "{names:?}");
            for name in names {
                assert!(Assets::file(name).is_some(), "{name}");
            }
        }
        assert!(Assets::file("nothing.js").is_none());
    }

    #[test]
    fn scripts_import_only_files_that_exist() {
        let mut imports = 0;
        for asset in ASSETS.iter().filter(|asset| asset.content_type == SCRIPT) {
            let text = std::str::from_utf8(asset.content).unwrap();
            for rest in text.split(" from './").skip(1) {
                let name = rest.split('\'').next().unwrap();
                assert!(Assets::file(name).is_some(), "{}: {name}", asset.name);
                imports += 1;
            }
        }
        assert!(imports >= 5, "{imports}");
    }
}
