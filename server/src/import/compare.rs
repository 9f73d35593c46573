//! Comparisons that several products know, as rules that hold for exactly the same values.
//!
//! Text operators here do not tell `A` from `a`; patterns do. So a text with letters that have a case becomes a pattern.

use super::rule::Rule;
use super::value::{number, text};
use crate::project_file::list;

/// Where in a property a text is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// It is the whole.
    Whole,
    /// It begins so.
    Start,
    /// It ends so.
    End,
    /// It is anywhere.
    Inside,
}

/// Returns that a property is one of the texts, or has one as its part.
pub(crate) fn texts(key: &str, values: &[&str], part: Part, any_case: bool) -> Rule {
    if values.is_empty() {
        return Rule::Never;
    }
    // Whole texts are compared with all letters lowered.
    if part == Part::Whole && (any_case || !values.iter().any(|value| is_cased(value))) {
        return match values {
            [one] => Rule::is(key, "exact", text(one)),
            _ => Rule::is(key, "exact", list(values.iter().map(|v| text(v)))),
        };
    }
    Rule::is(key, "regex", text(&pattern(values, part, any_case)))
}

fn pattern(values: &[&str], part: Part, any_case: bool) -> String {
    let escaped: Vec<String> = values.iter().map(|value| escape(value)).collect();
    let any = match escaped.as_slice() {
        [one] => one.clone(),
        _ => format!("(?:{})", escaped.join("|")),
    };
    let case = if any_case { "(?i)" } else { "" };
    let start = if matches!(part, Part::Whole | Part::Start) {
        "^"
    } else {
        ""
    };
    let end = if matches!(part, Part::Whole | Part::End) {
        "$"
    } else {
        ""
    };
    format!("{case}{start}{any}{end}")
}

/// Returns a pattern that finds a text as it is.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Returns whether a text has letters that differ by case.
fn is_cased(text: &str) -> bool {
    text.chars()
        .any(|c| c.is_lowercase() || c.is_uppercase() || c.to_lowercase().ne([c]))
}

/// Returns that a property is a number, whichever way it is written: the texts of 5 and 5.0 differ.
pub(crate) fn equals_number(key: &str, value: f64) -> Rule {
    Rule::is(key, "between", list([number(value), number(value)]))
}

/// Returns that a property is a version, compared as Semantic Versioning says: build metadata does not count, which it does in
/// the operators here. `None` for a version or an operator that cannot be read.
pub(crate) fn version(key: &str, operator: &str, version: &str) -> Option<Rule> {
    let version = Version::read(version)?;
    let from = |low: String| Rule::is(key, "semver_gte", text(&low));
    let below = |high: String| Rule::is(key, "semver_lt", text(&high));
    let (major, minor) = (version.numbers.0, version.numbers.1);
    let same = || Rule::All(vec![from(version.text()), below(version.after())]);
    Some(match operator {
        "=" => same(),
        // The versions before and after, so that what is no version at all stays outside.
        "!=" => Rule::Any(vec![below(version.text()), from(version.after())]),
        "<" => below(version.text()),
        "<=" => below(version.after()),
        ">" => from(version.after()),
        ">=" => from(version.text()),
        "^" => Rule::All(vec![
            from(lowest(major, 0)),
            below(lowest(major.checked_add(1)?, 0)),
        ]),
        "~" => Rule::All(vec![
            from(lowest(major, minor)),
            below(lowest(major, minor.checked_add(1)?)),
        ]),
        _ => return None,
    })
}

/// Returns the first of all versions that begin so: its lowest pre-release.
fn lowest(major: u64, minor: u64) -> String {
    format!("{major}.{minor}.0-0")
}

struct Version<'a> {
    numbers: (u64, u64, u64),
    pre_release: Option<&'a str>,
}

impl<'a> Version<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let text = text.split('+').next()?;
        let (core, pre_release) = match text.split_once('-') {
            Some((core, pre_release)) => (core, Some(pre_release)),
            None => (text, None),
        };
        let mut numbers = core.split('.').map(|part| part.parse().ok());
        let mut next = || numbers.next().unwrap_or(Some(0));
        let read = Self {
            numbers: (next()?, next()?, next()?),
            pre_release,
        };
        let is_short = core.split('.').count() < 3;
        let fits = numbers.next().is_none() && !(is_short && pre_release.is_some());
        fits.then_some(read)
    }

    fn core(&self) -> String {
        let (major, minor, patch) = self.numbers;
        format!("{major}.{minor}.{patch}")
    }

    fn text(&self) -> String {
        match self.pre_release {
            Some(pre_release) => format!("{}-{pre_release}", self.core()),
            None => self.core(),
        }
    }

    /// Returns the next version in order, behind all builds of this one.
    fn after(&self) -> String {
        let (major, minor, patch) = self.numbers;
        match self.pre_release {
            Some(pre_release) => format!("{}-{pre_release}.0", self.core()),
            None => format!("{major}.{minor}.{}-0", patch.saturating_add(1)),
        }
    }
}

/// Returns that a property is an address in a network of IPv4, such as `10.0.0.0/9` or `10.0.0.1`; `None` for anything else.
pub(crate) fn network(key: &str, network: &str) -> Option<Rule> {
    let (address, bits) = match network.split_once('/') {
        Some((address, bits)) => (address, bits.parse().ok().filter(|bits| *bits <= 32)?),
        None => (network, 32_u32),
    };
    let octets = address.parse::<std::net::Ipv4Addr>().ok()?.octets();
    let mut left = bits;
    let parts = octets.map(|octet| {
        let own = left.min(8);
        left -= own;
        octet_pattern(octet, own)
    });
    let pattern = format!("^{}$", parts.join(r"\."));
    Some(Rule::is(key, "regex", text(&pattern)))
}

/// Returns the pattern of an octet whose first bits are given.
fn octet_pattern(octet: u8, bits: u32) -> String {
    // Eight free bits are any octet, as it is written without leading zeros.
    let free = 8_u32.saturating_sub(bits);
    let size = 1_u16.checked_shl(free).unwrap_or(1);
    if size == 256 {
        return "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])".to_owned();
    }
    let first = u16::from(octet) / size * size;
    let all: Vec<String> = (first..first + size).map(|o| o.to_string()).collect();
    match all.as_slice() {
        [one] => one.clone(),
        all => format!("(?:{})", all.join("|")),
    }
}

#[cfg(test)]
mod tests;
