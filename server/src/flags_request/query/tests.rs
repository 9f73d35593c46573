use super::*;

#[test]
fn parameters_are_read_by_either_name() {
    let base = FlagsQuery::default();
    let cases = [
        ("", base),
        (
            "v=2",
            FlagsQuery {
                version: Some(2),
                ..base
            },
        ),
        (
            "version=3",
            FlagsQuery {
                version: Some(3),
                ..base
            },
        ),
        (
            "version=3&v=2",
            FlagsQuery {
                version: Some(2),
                ..base
            },
        ),
        (
            "v=&version=3",
            FlagsQuery {
                version: Some(3),
                ..base
            },
        ),
        (
            "v=2&v=4",
            FlagsQuery {
                version: Some(2),
                ..base
            },
        ),
        (
            "v=%32",
            FlagsQuery {
                version: Some(2),
                ..base
            },
        ),
        (
            "%76=2",
            FlagsQuery {
                version: Some(2),
                ..base
            },
        ),
        (
            "config=false&config=true",
            FlagsQuery {
                config: Some(false),
                ..base
            },
        ),
        (
            "compression=gzip",
            FlagsQuery {
                compression: Compression::Gzip,
                ..base
            },
        ),
        (
            "compression=gzip-js",
            FlagsQuery {
                compression: Compression::Gzip,
                ..base
            },
        ),
        (
            "compression=base64",
            FlagsQuery {
                compression: Compression::Base64,
                ..base
            },
        ),
        ("compression=", base),
        (
            "compression=GZIP",
            FlagsQuery {
                compression: Compression::Unknown,
                ..base
            },
        ),
        (
            "only_evaluate_survey_feature_flags=true",
            FlagsQuery {
                surveys_only: true,
                ..base
            },
        ),
        (
            "detailed_analysis",
            FlagsQuery {
                detailed_analysis: true,
                ..base
            },
        ),
        (
            "only_use_override_person_properties=1",
            FlagsQuery {
                overrides_only: true,
                ..base
            },
        ),
        ("ver=1.2&_=123x&ip=1&beacon=1&retry_count=2&&=&x", base),
    ];
    for (query, expected) in cases {
        assert_eq!(FlagsQuery::parse(query), expected, "{query}");
    }
}

#[test]
fn versions_are_numbers_or_one() {
    for (value, expected) in [
        ("0", 0),
        ("-5", -5),
        ("x", 1),
        ("2.0", 1),
        ("-", 1),
        ("99999999999999999999", i64::MAX),
        ("-99999999999999999999", 1),
    ] {
        let query = format!("v={value}");
        assert_eq!(FlagsQuery::parse(&query).version, Some(expected), "{value}");
    }
}

#[test]
fn booleans_are_true_unless_denied() {
    for (value, expected) in [
        ("config", true),
        ("config=", true),
        ("config=true", true),
        ("config=1", true),
        ("config=YES", true),
        ("config=on", true),
        ("config=maybe", true),
        ("config=false", false),
        ("config=False", false),
        ("config=0", false),
        ("config=no", false),
        ("config=OFF", false),
    ] {
        assert_eq!(FlagsQuery::parse(value).config, Some(expected), "{value}");
    }
}

#[test]
fn the_shape_follows_from_path_and_version() {
    use Endpoint::{Decide, Flags};
    use Shape::{D1, D2, V1, V2, V4};
    let cases = [
        // path, query, shape, shape of the minimal answer, config members
        (Flags, "", V2, V1, true),
        (Flags, "v=", V2, V1, true),
        (Flags, "config=true", V1, V1, true),
        (Flags, "config=false", V1, V1, false),
        (Flags, "v=-1", V1, V1, false),
        (Flags, "v=0", V1, V1, false),
        (Flags, "v=1", V1, V1, false),
        (Flags, "v=x", V1, V1, false),
        (Flags, "v=2", V2, V2, false),
        (Flags, "v=2&config", V2, V2, true),
        (Flags, "v=3", V2, V2, false),
        (Flags, "v=4", V4, V4, false),
        (Flags, "v=99", V4, V4, false),
        (Decide, "", D1, D1, true),
        (Decide, "config=0", D1, D1, false),
        (Decide, "v=1", D1, D1, true),
        (Decide, "v=x", D1, D1, true),
        (Decide, "v=2", D2, D2, true),
        (Decide, "v=3", V1, V1, true),
        (Decide, "v=3&config=false", V1, V1, false),
        (Decide, "v=4", V2, V2, true),
        (Decide, "v=9", V2, V2, true),
    ];
    for (endpoint, text, shape, minimal, config) in cases {
        let query = FlagsQuery::parse(text);
        assert_eq!(query.shape(endpoint), shape, "{endpoint:?} {text}");
        assert_eq!(
            query.minimal_shape(endpoint),
            minimal,
            "{endpoint:?} {text}"
        );
        assert_eq!(query.wants_config(endpoint), config, "{endpoint:?} {text}");
    }
}
