//! Where another server is: a URL with nothing in it but scheme, host, port and path.

use hyper::Uri;
use std::fmt;
use std::str::FromStr;

/// The URL of a server, to whose path those of requests are added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerUrl {
    scheme: &'static str,
    authority: String,
    /// Empty, or with a slash in front and none behind.
    path: String,
}

/// The text is no URL of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a URL such as https://flags.example.com or http://127.0.0.1:8080/path")]
pub struct NotAPeerUrl;

impl FromStr for PeerUrl {
    type Err = NotAPeerUrl;

    fn from_str(text: &str) -> Result<Self, NotAPeerUrl> {
        let text = text.trim();
        let uri: Uri = text.parse().map_err(|_not_a_uri| NotAPeerUrl)?;
        let scheme = match uri.scheme_str() {
            Some("http") => "http",
            Some("https") => "https",
            _ => return Err(NotAPeerUrl),
        };
        let authority = uri.authority().ok_or(NotAPeerUrl)?;
        // A password in a URL would be told in logs; a query belongs to requests. A fragment is dropped while it is read.
        let is_plain = !authority.as_str().contains('@') && !text.contains(['?', '#']);
        if !is_plain || authority.host().is_empty() {
            return Err(NotAPeerUrl);
        }
        Ok(Self {
            scheme,
            authority: authority.as_str().to_owned(),
            path: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

impl PeerUrl {
    /// Returns a stand-in for one that cannot be read: nothing listens there.
    pub(crate) fn nowhere() -> Self {
        Self {
            scheme: "http",
            authority: "127.0.0.1:0".to_owned(),
            path: String::new(),
        }
    }

    /// Returns whether it is asked over TLS.
    pub fn is_https(&self) -> bool {
        self.scheme == "https"
    }

    /// Returns the URL of a request, `target` being its path and query; `None` when the target cannot be part of a URL.
    pub fn join(&self, target: &str) -> Option<Uri> {
        let target = if target == "*" { "/" } else { target };
        let path = format!("{}{target}", self.path);
        Uri::builder()
            .scheme(self.scheme)
            .authority(self.authority.as_str())
            .path_and_query(path)
            .build()
            .ok()
    }
}

impl fmt::Display for PeerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_joined() {
        for (url, target, expected) in [
            ("http://a", "/flags?v=2", "http://a/flags?v=2"),
            ("http://a/", "/flags", "http://a/flags"),
            ("https://a:8443/ph/", "/flags/", "https://a:8443/ph/flags/"),
            ("http://[::1]:80", "//e/?x=%2F", "http://[::1]:80//e/?x=%2F"),
            ("http://a", "*", "http://a/"),
        ] {
            let parsed: PeerUrl = url.parse().unwrap();
            assert_eq!(parsed.join(target).unwrap().to_string(), expected);
            assert_eq!(parsed.is_https(), url.starts_with("https"));
            assert_eq!(parsed.to_string().parse(), Ok(parsed));
        }
        for wrong in [
            "",
            "a",
            "/a",
            "ftp://a",
            "http://",
            "http://user:secret@a",
            "http://a/?q",
            "http://a#b",
        ] {
            assert_eq!(wrong.parse::<PeerUrl>(), Err(NotAPeerUrl), "{wrong}");
        }
    }
}
