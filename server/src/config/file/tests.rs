//! Settings files: what is taken, and what is said of the rest.

use super::*;

fn known() -> BTreeMap<String, Kind> {
    [
        ("listen", Kind::Text),
        ("pool_size", Kind::Number),
        ("pool_min_idle", Kind::Number),
        ("otlp_sample_ratio", Kind::Number),
        ("watch", Kind::Switch),
        ("trusted_proxies", Kind::List),
    ]
    .map(|(key, kind)| (key.to_owned(), kind))
    .into()
}

fn taken(text: &str) -> Vec<String> {
    let (entries, faults) = read("b.toml", text, &known());
    assert_eq!(faults, Vec::<String>::new(), "{text}");
    entries
        .into_iter()
        .map(|(key, entry)| format!("{}: {key} = {}", entry.line, entry.text))
        .collect()
}

#[test]
fn settings_are_taken_with_their_lines() {
    let cases: [(&str, &[&str]); 8] = [
        ("", &[]),
        ("# nothing\n\n", &[]),
        ("pool_size = 20", &["1: pool_size = 20"]),
        ("pool-size = '20'", &["1: pool_size = 20"]),
        ("\npool_size = 1_000 # many", &["2: pool_size = 1000"]),
        (
            "pool_size = 0x10\nwatch = true",
            &["1: pool_size = 16", "2: watch = true"],
        ),
        (
            "[anything]\nlisten = \"[::1]:80\"\n[other]\notlp-sample-ratio = 0.25",
            &["2: listen = [::1]:80", "4: otlp_sample_ratio = 0.25"],
        ),
        (
            "trusted_proxies = [\n '10.0.0.0/8',\n '::1',\n]",
            &["1: trusted_proxies = 10.0.0.0/8,::1"],
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(taken(text), expected, "{text}");
    }
}

#[test]
fn faults_name_file_line_key_and_the_nearest() {
    let cases: [(&str, &[&str]); 10] = [
        (
            "\npool_sise = 3",
            &["b.toml:2: pool_sise: no such setting; the nearest that is known is pool_size"],
        ),
        ("zzz = 3", &["b.toml:1: zzz: no such setting"]),
        (
            "pool_size = true",
            &["b.toml:1: pool_size: expected a number, found a boolean"],
        ),
        (
            "listen = 8080\nwatch = 1",
            &[
                "b.toml:1: listen: expected a text in quotes, found an integer",
                "b.toml:2: watch: expected true or false, found an integer",
            ],
        ),
        (
            "trusted_proxies = [1]",
            &["b.toml:1: trusted_proxies: expected a list of texts, found an array"],
        ),
        (
            "[listen]\nport = 1",
            &["b.toml:1: listen: expected a text in quotes, found a table"],
        ),
        ("[a.b]\nwatch = true", &["b.toml:1: b: no such setting"]),
        (
            "watch = true\n[a]\nwatch = true",
            &["b.toml:3: watch: set before, in line 1"],
        ),
        ("watch = true\nwatch = true", &["b.toml:2: duplicate key"]),
        (
            "a = 1\nwatch =\nb = 2",
            &["b.toml:2: string values must be quoted, expected literal string"],
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(read("b.toml", text, &known()).1, expected, "{text}");
    }
}
