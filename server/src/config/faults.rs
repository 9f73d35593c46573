//! Reading typed settings from texts, gathering what is wrong with them.

use super::DatabaseUrl;
use super::layers::{Given, Origin, Setting};
use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// All bad settings of a command line and its environment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError(pub Vec<String>);

impl Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

/// What is wrong so far. Each reader returns a usable value even after a fault, so that reading goes on.
#[derive(Debug, Default)]
pub(super) struct Faults {
    found: Vec<String>,
    /// Of settings from a file, by option: where they stand.
    places: BTreeMap<String, String>,
}

impl Faults {
    /// Begins with what is wrong with the settings file, and knows which settings come from it.
    pub(super) fn of(given: &Given) -> Self {
        let from_file = |setting: &Setting| match &setting.origin {
            Origin::File { file, line } => {
                Some((setting.option(), format!("{file}:{line}: {}", setting.key)))
            }
            _ => None,
        };
        Self {
            found: given.faults.clone(),
            places: given.settings.iter().filter_map(from_file).collect(),
        }
    }

    pub(super) fn add(&mut self, option: &str, message: impl Display) {
        let fault = match self.places.get(option) {
            Some(place) => format!("{place}: {message}"),
            None => {
                let variable = option.to_uppercase().replace('-', "_");
                format!("--{option} (BURGEE_{variable}): {message}")
            }
        };
        self.found.push(fault);
    }

    /// Returns how many there are, so that a rule between two settings is asked only of good ones.
    pub(super) fn count(&self) -> usize {
        self.found.len()
    }

    pub(super) fn finish<T>(self, value: T) -> Result<T, ConfigError> {
        if self.found.is_empty() {
            Ok(value)
        } else {
            Err(ConfigError(self.found))
        }
    }

    pub(super) fn number<T>(&mut self, option: &str, raw: &str, range: RangeInclusive<T>) -> T
    where
        T: FromStr + PartialOrd + Display + Copy,
    {
        match raw.trim().parse() {
            Ok(number) if range.contains(&number) => number,
            _ => {
                let (low, high) = (range.start(), range.end());
                self.add(
                    option,
                    format!("expected a number from {low} to {high}, found {raw:?}"),
                );
                *low
            }
        }
    }

    /// Reads a number, or `auto` for the derived one.
    pub(super) fn auto(&mut self, option: &str, raw: &str, derived: usize) -> usize {
        if raw == "auto" {
            derived
        } else {
            self.number(option, raw, 1..=65_536)
        }
    }

    pub(super) fn millis(&mut self, option: &str, raw: &str) -> Duration {
        Duration::from_millis(self.number(option, raw, 1..=86_400_000))
    }

    pub(super) fn seconds(&mut self, option: &str, raw: &str, least: u64) -> Duration {
        Duration::from_secs(self.number(option, raw, least..=31_536_000))
    }

    pub(super) fn switch(&mut self, option: &str, raw: &str) -> bool {
        match raw.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => true,
            "false" | "0" | "no" | "off" | "" => false,
            _ => {
                self.add(option, format!("expected true or false, found {raw:?}"));
                false
            }
        }
    }

    pub(super) fn address(&mut self, option: &str, raw: &str) -> SocketAddr {
        raw.trim().parse().unwrap_or_else(|_| {
            let message = format!("expected an address such as 127.0.0.1:8080, found {raw:?}");
            self.add(option, message);
            SocketAddr::from(([127, 0, 0, 1], 0))
        })
    }

    pub(super) fn database_url(&mut self, raw: &str) -> DatabaseUrl {
        let schemes = ["sqlite://", "postgres://", "postgresql://"];
        if !schemes.iter().any(|scheme| raw.starts_with(scheme)) {
            // The text is not repeated: it may hold a password.
            self.add(
                "database-url",
                "expected sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE",
            );
        }
        DatabaseUrl(raw.to_owned())
    }

    /// Reads one of a few words.
    pub(super) fn word<T: Copy>(
        &mut self,
        option: &str,
        raw: &str,
        words: &[(&str, T)],
        or: T,
    ) -> T {
        let found = words.iter().find(|(word, _)| *word == raw.trim());
        match found {
            Some((_, value)) => *value,
            None => {
                let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
                self.add(
                    option,
                    format!("expected one of {}, found {raw:?}", known.join(", ")),
                );
                or
            }
        }
    }
}
