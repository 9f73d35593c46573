//! The published vectors of section 2.4, the edges of 2.1 and 2.2, and what must hold for every identifier.

use super::*;
use proptest::prelude::*;

/// Prefix, identifier, salt, the 15 hexadecimal digits, the hash to 16 places.
#[rustfmt::skip] // a line a case
const VECTORS: &[(&str, &str, &str, u64, f64)] = &[
    ("new-nav.", "maria", "", 0x39fb97a126e7133, 0.226495243877164),
    ("new-nav.", "Maria", "", 0x0a920b60ac75689, 0.0412909613628095),
    ("new-nav.", "maria ", "", 0xc103c5d657c4129, 0.7539638183877886),
    ("new-nav.", "1042", "", 0x921f800a46d91a7, 0.5707931542482111),
    ("new-nav.", "0190c0de-7e57-7abc-8def-0123456789ab", "", 0x83a5dc1ffb9ea19, 0.5142495706637598),
    ("new-nav.", "ana@example.test", "", 0x98cbc138d0c5f72, 0.5968590511045234),
    ("new-nav.", "🦉", "", 0xe31adeb85df6945, 0.8871287536730627),
    ("checkout v2.", "maria", "", 0x29b7972eb24e6dc, 0.1629576195721769),
    ("a.b.", "c", "", 0x62322b00c8c084c, 0.3835780026354332),
    ("a.", "b.c", "", 0x62322b00c8c084c, 0.3835780026354332),
    ("farbe-grün.", "j\u{fc}rgen", "", 0xca13412c8ae3f39, 0.7893563016649663),
    ("farbe-grün.", "ju\u{308}rgen", "", 0x1d0e65e06bc600b, 0.1135009453680809),
    ("旗.", "李雷", "", 0xaac75e3aa19ba89, 0.6671046155112054),
    ("org-price.", "globex", "", 0x76f948fccc7088e, 0.4647412888702452),
    ("price-test.", "maria", "variant", 0xc1b4984aec02adf, 0.7566619093813738),
    ("price-test.", "otto", "variant", 0x114a839050ba65b, 0.0675432422001251),
    ("price-test.", "1042", "variant", 0x592836d3ea222ca, 0.3482698695535268),
    ("farbe-grün.", "j\u{fc}rgen", "variant", 0x63c6946f9a5b658, 0.3897488377063901),
    ("org-price.", "globex", "variant", 0x37f98e7a61fcb04, 0.2186516808305778),
    ("holdout-", "maria", "", 0x0fb270b94ee1ac1, 0.0613165333187513),
    ("holdout-", "otto", "", 0xc351d7b4f4ab95d, 0.7629675690447314),
    ("holdout-", "globex", "", 0x3a3a7e3c6638987, 0.2274550340136748),
    ("holdout-", "", "", 0xed48336e9056a92, 0.9268829483920294),
];

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-15
}

#[test]
fn published_digits_and_hashes() {
    for &(prefix, identifier, salt, digits, expected) in VECTORS {
        let parts = [prefix, identifier, salt].map(str::as_bytes);
        assert_eq!(
            short_digest(parts),
            Some(long_digest(parts)),
            "{prefix}{identifier}{salt}"
        );
        assert_eq!(
            long_digest(parts) >> 4,
            digits,
            "{prefix}{identifier}{salt}"
        );
        let found = hash([prefix, identifier, salt]);
        assert!(
            close(found, expected),
            "{prefix}{identifier}{salt}: {found}"
        );
    }
}

#[test]
fn the_public_functions_compose_prefix_and_salt() {
    let price_test = HashPrefix::of_flag("price-test");
    assert!(close(price_test.variant("maria"), 0.7566619093813738));
    assert!(close(
        HashPrefix::of_flag("a.b").rollout("c"),
        HashPrefix::of_flag("a").rollout("b.c")
    ));
    assert!(close(holdout("otto"), 0.7629675690447314));
}

#[test]
fn worked_examples() {
    for (key, identifier, expected) in [
        ("new-nav", "maria", 0.226495),
        ("new-nav", "otto", 0.160450),
        ("price-test", "maria", 0.630838),
        ("price-test", "otto", 0.704203),
        ("price-test", "1042", 0.226660),
        ("org-price", "globex", 0.464741),
    ] {
        let found = HashPrefix::of_flag(key).rollout(identifier);
        assert!(
            (found - expected).abs() < 1e-6,
            "{key} {identifier}: {found}"
        );
    }
    assert!((holdout("1042") - 0.219305).abs() < 1e-6);
}

#[test]
fn identifiers_of_200_characters_hash_alike_whatever_follows() {
    let prefix = HashPrefix::of_flag("new-nav");
    for more in [0, 1, 57, 10_000] {
        let identifier = "x".repeat(200 + more);
        let found = prefix.rollout(cut_identifier(&identifier));
        assert!(close(found, 0.2967057774492989), "{more}: {found}");
    }
    assert!(!close(prefix.rollout(&"x".repeat(201)), 0.2967057774492989));
}

#[test]
fn the_empty_identifier_is_not_hashed_except_for_holdouts() {
    let prefix = HashPrefix::of_flag("new-nav");
    assert_eq!(prefix.rollout("").to_bits(), 0.0_f64.to_bits());
    assert_eq!(prefix.variant("").to_bits(), 0.0_f64.to_bits());
    assert!(in_rollout(0.0, || prefix.rollout("")));
    assert_eq!(
        choose_variant(&[0.0, 0.0, 1.0, 99.0], prefix.variant("")),
        Some(2)
    );
    assert!(close(holdout(""), 0.9268829483920294));
}

#[test]
fn identifiers_are_cut_by_bytes_measured_and_characters_kept() {
    /// A character, how often it stands in the identifier, how many are left.
    const CUTS: &[(&str, usize, usize)] = &[
        ("x", 0, 0),
        ("x", 200, 200),
        ("x", 201, 200),
        ("ü", 100, 100),
        ("ü", 150, 150),
        ("ü", 200, 200),
        ("ü", 250, 200),
        ("🦉", 51, 51),
        ("🦉", 1_000, 200),
    ];
    for &(character, given, left) in CUTS {
        let cut = character.repeat(left);
        assert_eq!(
            cut_identifier(&character.repeat(given)),
            cut,
            "{given} × {character}"
        );
    }
}

#[test]
fn rollout_edges() {
    /// Percentage, hash, inside.
    const EDGES: &[(f64, f64, bool)] = &[
        (0.0, 0.0, true),
        (-0.0, 0.0, true),
        (0.0, f64::MIN_POSITIVE, false),
        (50.0, 0.5, true),
        (50.0, 0.5000000000000001, false),
        (99.9, 0.9990000000000001, true),
        (99.9, 0.9990000000000002, false),
        (99.99999999999999, 1.0, false),
        (33.3, 0.33299999999999996, true),
        (f64::NAN, 0.0, false),
    ];
    for &(percentage, hash, inside) in EDGES {
        assert_eq!(
            in_rollout(percentage, || hash),
            inside,
            "{percentage} {hash}"
        );
    }
}

#[test]
fn percentages_that_decide_alone_do_not_hash() {
    for (percentage, inside) in [
        (100.0, true),
        (101.0, true),
        (f64::INFINITY, true),
        (-1.0, false),
        (f64::NEG_INFINITY, false),
    ] {
        let hashed = std::cell::Cell::new(false);
        let found = in_rollout(percentage, || {
            hashed.set(true);
            0.5
        });
        assert_eq!((found, hashed.get()), (inside, false), "{percentage}");
    }
}

#[test]
fn variants_are_walked_in_order() {
    const PRICE_TEST: &[f64] = &[34.0, 33.0, 33.0];
    /// Shares, hash, index.
    const CHOICES: &[(&[f64], f64, Option<usize>)] = &[
        (PRICE_TEST, 0.7566619093813738, Some(2)),
        (PRICE_TEST, 0.0675432422001251, Some(0)),
        (PRICE_TEST, 0.3482698695535268, Some(1)),
        (&[10.0, 10.0], 0.2186516808305778, None),
        (&[10.0, 10.0], 0.2, None),
        (&[10.0, 10.0], 0.1, Some(1)),
        (&[0.0, 100.0], 0.0, Some(1)),
        (&[100.0, 0.0], 0.9999999999999999, Some(0)),
        (&[100.0], 1.0, None),
        (&[150.0, 50.0], 1.0, Some(0)),
        (&[80.0, 80.0, 80.0], 0.99, Some(1)),
        (&[50.0, -20.0, 40.0], 0.45, Some(0)),
        (&[50.0, -20.0, 40.0], 0.6, Some(2)),
        (&[], 0.0, None),
        (&[0.0, 0.0], 0.0, None),
        // The doubles add up to 0.9999999999999999: nothing catches the hashes behind it.
        (&[1.01, 10.02, 88.97], 0.9999999999999998, Some(2)),
        (&[1.01, 10.02, 88.97], 0.9999999999999999, None),
    ];
    for &(shares, hash, index) in CHOICES {
        assert_eq!(choose_variant(shares, hash), index, "{shares:?} {hash}");
    }
}

#[test]
fn variants_share_the_population() {
    const SHARES: &[f64] = &[50.0, 25.0, 20.0, 5.0];
    const PEOPLE: u32 = 100_000;
    let prefix = HashPrefix::of_flag("split");
    let mut counts = [0_u32; 4];
    for person in 0..PEOPLE {
        if let Some(index) = choose_variant(SHARES, prefix.variant(&format!("user-{person}"))) {
            counts[index] += 1;
        }
    }
    assert_eq!(counts.iter().sum::<u32>(), PEOPLE);
    for (count, share) in counts.iter().zip(SHARES) {
        let probability = share / 100.0;
        let deviation = (f64::from(PEOPLE) * probability * (1.0 - probability)).sqrt();
        let off = (f64::from(*count) - f64::from(PEOPLE) * probability).abs();
        assert!(off < 4.0 * deviation, "{share} %: {count}");
    }
}

#[test]
fn rollout_and_variant_are_independent() {
    const PEOPLE: u32 = 100_000;
    let prefix = HashPrefix::of_flag("split");
    let both = (0..PEOPLE)
        .map(|person| format!("user-{person}"))
        .filter(|id| prefix.rollout(id) <= 0.5 && prefix.variant(id) < 0.5)
        .count();
    // A quarter, give or take four standard deviations of 137.
    assert!((24_450..25_550).contains(&both), "{both}");
}

/// Lengths around the edges of one and two padded blocks, and anything else up to five blocks.
fn length() -> impl Strategy<Value = usize> {
    prop_oneof![50..70_usize, 110..130_usize, 0..320_usize]
}

proptest! {
    #[test]
    fn short_texts_hash_as_the_library_does(text in length().prop_flat_map(|n| prop::collection::vec(any::<u8>(), n)), cuts in any::<[prop::sample::Index; 2]>()) {
        let mut cuts = cuts.map(|cut| cut.index(text.len() + 1));
        cuts.sort_unstable();
        let parts = [&text[..cuts[0]], &text[cuts[0]..cuts[1]], &text[cuts[1]..]];
        let expected = u64::from_be_bytes(Sha1::digest(&text)[..8].try_into().unwrap());
        prop_assert_eq!(long_digest(parts), expected);
        prop_assert_eq!(short_digest(parts), (text.len() <= SHORT).then_some(expected));
    }

    #[test]
    fn hashes_are_stable_and_in_range(key in ".{0,80}", identifier in ".{0,80}") {
        let prefix = HashPrefix::of_flag(&key);
        for found in [prefix.rollout(&identifier), prefix.variant(&identifier), holdout(&identifier)] {
            prop_assert!((0.0..=1.0).contains(&found));
        }
        prop_assert_eq!(prefix.rollout(&identifier), HashPrefix::of_flag(&key).rollout(&identifier));
        prop_assert_eq!(prefix.variant(&identifier), HashPrefix::of_flag(&key).variant(&identifier));
    }

    #[test]
    fn a_wider_rollout_keeps_everybody(identifier in ".{0,40}", a in -10.0..120.0_f64, b in -10.0..120.0_f64) {
        let hash = HashPrefix::of_flag("wider").rollout(&identifier);
        let (narrow, wide) = if a < b { (a, b) } else { (b, a) };
        prop_assert!(!in_rollout(narrow, || hash) || in_rollout(wide, || hash));
    }

    #[test]
    fn a_cut_identifier_is_a_prefix_and_stays_cut(identifier in "\\PC{0,300}") {
        let cut = cut_identifier(&identifier);
        prop_assert!(identifier.starts_with(cut));
        prop_assert_eq!(cut.len() < identifier.len(), identifier.len() > 200 && identifier.chars().count() > 200);
        prop_assert_eq!(cut_identifier(cut), cut);
    }
}
