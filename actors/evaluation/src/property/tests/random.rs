//! What must hold for every operator, filter value and property.

use super::*;
use proptest::prelude::*;

/// Texts that come near to meaning something to some operator.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,12}",
        "[-+]?[0-9]{0,5}[.]?[0-9]{0,4}(e[-+]?[0-9]{1,3})?",
        "v?[0-9]{1,3}([.][0-9*x]{1,3}){0,3}([-+][0-9a-z.]{0,6})?",
        "-?[0-9]{1,5}[hdwmy]",
        "[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}([.][0-9]{0,12})?)?)?(Z|[-+][0-9]{2}:[0-9]{2})?",
        "[a(|)*+?\\[\\]{,3}^$.\\\\1=!<]{0,16}",
        "(?i)(true|false|null|nan|inf|-infinity)",
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (-1e11..1e11_f64).prop_map(Value::from),
        text().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(".{0,3}", inner, 0..3)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn operator() -> impl Strategy<Value = Operator> {
    prop::sample::select(Operator::all())
}

fn any_moment() -> impl Strategy<Value = Moment> {
    (
        -5_000_000_000_i64..5_000_000_000,
        prop::sample::select(&chrono_tz::TZ_VARIANTS[..]),
        any::<bool>(),
    )
        .prop_map(|(seconds, zone, explicit)| Moment {
            now: DateTime::from_timestamp(seconds, 0).unwrap(),
            zone,
            matching: MatchingVersion::from_number(explicit.then_some(2)),
        })
}

/// The pairs whose answers are opposite for a present property, errors aside.
const OPPOSITES: &[(Operator, Operator)] = &[
    (Operator::Exact, Operator::IsNot),
    (Operator::IsSet, Operator::IsNotSet),
    (Operator::Icontains, Operator::NotIcontains),
    (Operator::StartsWith, Operator::NotStartsWith),
    (Operator::EndsWith, Operator::NotEndsWith),
    (Operator::IcontainsMulti, Operator::NotIcontainsMulti),
    (Operator::Regex, Operator::NotRegex),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn answers_never_panic_and_are_stable(operator in operator(), filter in value(), property in prop::option::of(value()), moment in any_moment()) {
        let test = Test::compile(operator, Some(&filter));
        let first = test.matches(property.as_ref(), Completeness::Complete, &moment);
        prop_assert_eq!(test.matches(property.as_ref(), Completeness::Complete, &moment), first);
        let partial = test.matches(property.as_ref(), Completeness::Partial, &moment);
        prop_assert_eq!(partial, if property.is_some() { first } else { Err(FilterError) });
        // A fault that is reported never lets a present property through.
        if test.fault().is_some() && property.is_some() {
            prop_assert_ne!(first, Ok(true));
        }
    }

    #[test]
    fn opposites_are_opposite(pair in prop::sample::select(OPPOSITES), filter in value().prop_filter("null never matches", |filter| !filter.is_null()), property in value(), moment in any_moment()) {
        let ask = |operator| Test::compile(operator, Some(&filter)).matches(Some(&property), Completeness::Complete, &moment);
        prop_assert_eq!(ask(pair.0), ask(pair.1).map(|answer| !answer));
    }

    #[test]
    fn a_property_equals_itself_unless_it_is_a_list(property in value().prop_filter("neither null nor a list", |value| !value.is_null() && !value.is_array()), moment in any_moment()) {
        let test = Test::compile(Operator::Exact, Some(&property));
        prop_assert_eq!(test.matches(Some(&property), Completeness::Complete, &moment), Ok(true));
    }

    #[test]
    fn containing_agrees_with_lowered_texts(needle in "[a-cA-CüÜ]{0,3}", text in "[a-cA-CüÜ]{0,12}") {
        let (low, text_low) = (needle.to_ascii_lowercase(), text.to_ascii_lowercase());
        for (operator, expected) in [
            (Operator::Icontains, text_low.contains(&low)),
            (Operator::StartsWith, text_low.starts_with(&low)),
            (Operator::EndsWith, text_low.ends_with(&low)),
        ] {
            let test = Test::compile(operator, Some(&Value::from(needle.as_str())));
            let found = test.matches(Some(&Value::from(text.as_str())), Completeness::Complete, &moment());
            prop_assert_eq!(found, Ok(expected), "{}", operator.name());
        }
    }
}
