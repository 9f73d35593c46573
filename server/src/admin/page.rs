//! Pages of lists: `limit` and `offset`, and the addresses of the neighbours.

use serde::Serialize;
use utoipa::ToSchema;

/// How many entries a page has that says nothing about it.
const DEFAULT_LIMIT: i64 = 100;
/// How many it has at most.
const MAX_LIMIT: i64 = 1_000;
/// How far in a list may be begun: what is beyond is empty anyway.
const MAX_OFFSET: i64 = 1 << 40;

/// Which part of a list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageQuery {
    /// How many entries, from 1 to 1,000.
    pub limit: i64,
    /// How many entries to leave out at the beginning.
    pub offset: i64,
}

impl PageQuery {
    /// Reads the parameters `limit` (100 if absent or no positive number) and `offset`.
    pub fn read<'a>(parameter: impl Fn(&str) -> Option<std::borrow::Cow<'a, str>>) -> Self {
        let number = |name: &str| parameter(name).and_then(|text| text.trim().parse::<i64>().ok());
        let limit = number("limit").filter(|limit| *limit > 0);
        Self {
            limit: limit.unwrap_or(DEFAULT_LIMIT).min(MAX_LIMIT),
            offset: number("offset").unwrap_or(0).clamp(0, MAX_OFFSET),
        }
    }

    /// Takes this part of a whole list.
    pub fn cut<T>(self, all: Vec<T>) -> Vec<T> {
        let size = |number: i64| usize::try_from(number).unwrap_or(usize::MAX);
        all.into_iter()
            .skip(size(self.offset))
            .take(size(self.limit))
            .collect()
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Page<T> {
    /// How many entries the whole list has.
    pub count: i64,
    /// The address of the next part; null behind the last.
    #[schema(required)]
    pub next: Option<String>,
    /// The address of the part before; null before the first.
    #[schema(required)]
    pub previous: Option<String>,
    /// The entries.
    pub results: Vec<T>,
}

impl<T> Page<T> {
    /// Builds a page. `address` is where it was asked for, absolute and without a query; `query` is the query as it was.
    pub fn new(count: i64, results: Vec<T>, asked: PageQuery, address: &str, query: &str) -> Self {
        let PageQuery { limit, offset } = asked;
        let at = |offset: i64| format!("{address}?{}", with_offset(query, limit, offset));
        let end = offset.saturating_add(limit);
        Self {
            count,
            next: (end < count).then(|| at(end)),
            previous: (offset > 0).then(|| at(offset.saturating_sub(limit).max(0))),
            results,
        }
    }
}

/// Returns a query with another place in the list, everything else as it was.
fn with_offset(query: &str, limit: i64, offset: i64) -> String {
    let mut parts = vec![format!("limit={limit}")];
    if offset > 0 {
        parts.push(format!("offset={offset}"));
    }
    let is_kept = |part: &&str| {
        let name = part.split('=').next().unwrap_or_default();
        !part.is_empty() && !matches!(name, "limit" | "offset")
    };
    parts.extend(query.split('&').filter(is_kept).map(str::to_owned));
    parts.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::borrow::Cow;

    fn read(limit: Option<&'static str>, offset: Option<&'static str>) -> PageQuery {
        PageQuery::read(|name| match name {
            "limit" => limit.map(Cow::Borrowed),
            _ => offset.map(Cow::Borrowed),
        })
    }

    #[test]
    fn parameters_are_bounded() {
        for (limit, offset, expected) in [
            (None, None, (100, 0)),
            (Some("2"), Some("4"), (2, 4)),
            (Some("0"), Some("-4"), (100, 0)),
            (Some("x"), Some("y"), (100, 0)),
            (Some("5000"), None, (1_000, 0)),
        ] {
            let found = read(limit, offset);
            assert_eq!((found.limit, found.offset), expected);
        }
    }

    #[test]
    fn a_part_of_a_list_is_cut_out() {
        let cut = |limit, offset| PageQuery { limit, offset }.cut(vec![1, 2, 3]);
        assert_eq!(cut(2, 0), [1, 2]);
        assert_eq!(cut(2, 2), [3]);
        assert_eq!(cut(2, 9), [0; 0]);
    }

    #[test]
    fn neighbours_keep_the_rest_of_the_query() {
        let page = |limit, offset, query: &str| {
            let page = Page::<i32>::new(
                5,
                vec![],
                PageQuery { limit, offset },
                "https://a/b/",
                query,
            );
            (
                page.next.unwrap_or_default(),
                page.previous.unwrap_or_default(),
            )
        };
        let none = String::new;
        assert_eq!(page(5, 0, ""), (none(), none()));
        assert_eq!(
            page(2, 0, "limit=2&search=a%20b"),
            (
                "https://a/b/?limit=2&offset=2&search=a%20b".to_owned(),
                none()
            )
        );
        assert_eq!(
            page(2, 2, "offset=2&active=true&limit=2"),
            (
                "https://a/b/?limit=2&offset=4&active=true".to_owned(),
                "https://a/b/?limit=2&active=true".to_owned()
            )
        );
        assert_eq!(page(2, 4, "").0, none());
    }
}
