//! Just enough of PromQL to find the metrics that an expression names.

/// Words that are neither functions, which stand before a parenthesis, nor metrics.
const KEYWORDS: [&str; 8] = [
    "and", "or", "unless", "bool", "offset", "inf", "nan", "atan2",
];
/// Words before a list of labels in parentheses.
const LABEL_LISTS: [&str; 6] = [
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
];

/// Returns the names of all metrics in an expression, sorted, each once.
pub(super) fn metric_names(expression: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        rest = match first {
            '{' => after(rest, '}'),
            '[' => after(rest, ']'),
            '"' => after(&rest[1..], '"'),
            c if c.is_ascii_digit() => rest.trim_start_matches(|c: char| is_part(c) || c == '.'),
            c if is_part(c) => {
                let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
                let (word, tail) = rest.split_at(end);
                let is_called = tail.trim_start().starts_with('(');
                if LABEL_LISTS.contains(&word) {
                    if is_called { after(tail, ')') } else { tail }
                } else {
                    if !is_called && !KEYWORDS.contains(&word) && !is_before_by(tail) {
                        names.push(word.to_owned());
                    }
                    tail
                }
            }
            c => &rest[c.len_utf8()..],
        };
    }
    names.sort();
    names.dedup();
    names
}

fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// `sum by (a) (…)`: the aggregation stands before a list of labels, not before a parenthesis.
fn is_before_by(tail: &str) -> bool {
    let next = tail.trim_start();
    ["by ", "by(", "without ", "without("]
        .iter()
        .any(|word| next.starts_with(word))
}

/// Returns what stands behind the next `end` that is in no quotes.
fn after(text: &str, end: char) -> &str {
    let mut is_quoted = false;
    for (index, c) in text.char_indices() {
        if c == end && !is_quoted {
            return &text[index + c.len_utf8()..];
        }
        if c == '"' {
            is_quoted = !is_quoted;
        }
    }
    ""
}

#[test]
fn names_are_found() {
    for (expression, expected) in [
        ("up", "up"),
        ("up == 0 and on (job) x:y", "up x:y"),
        (
            r#"rate(a_total{b="c}d",e=~"f"}[5m]) / clamp_min(g, 1e3)"#,
            "a_total g",
        ),
        (
            "sum by (le, h) (rate(i_bucket[$__rate_interval])) or 0 * j offset 5m",
            "i_bucket j",
        ),
        ("histogram_quantile(0.99, sum(k) by (le)) > bool 1.5", "k"),
        ("a * on (b) group_left (c) d", "a d"),
        ("a * on (b) group_left d", "a d"),
        (r#"count(ALERTS{x="y"}) or vector(0)"#, "ALERTS"),
        ("time() - 60", ""),
    ] {
        assert_eq!(metric_names(expression).join(" "), expected, "{expression}");
    }
}
