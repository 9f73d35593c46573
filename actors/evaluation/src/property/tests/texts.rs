//! Text operators and patterns (sections 4.4 and 4.5).

use super::*;
use std::iter::repeat_n;

#[test]
fn text_operators() {
    check(
        &moment(),
        cases! {
            icontains "CORP", "maria@Corp.test" => yes;
            icontains "corp.test!", "maria@corp.test" => no;
            icontains "", "" => yes;
            icontains "", "x" => yes;
            icontains "a", "" => no;
            icontains "longer than it", "short" => no;
            icontains "ü", "GRÜN" => no;
            icontains "grÜn", "GRÜN" => yes;
            icontains "\u{308}", "u\u{308}" => yes;
            icontains 5, 1.5 => yes;
            icontains "UL", null => yes;
            icontains "rue", true => yes;
            icontains ["a"], ["A"] => yes;
            icontains ["a"], "a" => no;
            icontains "\"K\":1", {"k": 1} => yes;
            not_icontains "corp", "maria@Corp.test" => no;
            not_icontains "corp", "maria" => yes;
            starts_with "MARIA", "maria@corp.test" => yes;
            starts_with "aria", "maria" => no;
            starts_with "", "maria" => yes;
            starts_with "maria@", "maria" => no;
            starts_with "Ü", "über" => no;
            not_starts_with "m", "Maria" => no;
            not_starts_with "a", "Maria" => yes;
            ends_with "TEST", "maria@corp.test" => yes;
            ends_with "tes", "test" => no;
            ends_with "", "test" => yes;
            ends_with "atest", "test" => no;
            ends_with "0", 5.0 => yes;
            not_ends_with "st", "TEST" => no;
            not_ends_with "s", "TEST" => yes;
            icontains_multi ["x", "B"], "abc" => yes;
            icontains_multi ["x", "y"], "abc" => no;
            icontains_multi [], "abc" => no;
            icontains_multi [""], "abc" => yes;
            icontains_multi "B", "abc" => yes;
            icontains_multi 5, 1.5 => yes;
            icontains_multi [["b"], null], ["B"] => yes;
            icontains_multi [null, true], null => yes;
            not_icontains_multi [], "abc" => yes;
            not_icontains_multi [], null => yes;
            not_icontains_multi [], absent => yes;
            not_icontains_multi ["B"], "abc" => no;
        },
    );
}

#[test]
fn long_texts_are_searched_the_same_way() {
    let long: String = repeat_n("Aa", 100_000).chain(["NEEDLE ü"]).collect();
    let property = Value::from(long);
    for (operator, filter, expected) in [
        ("icontains", "needle", true),
        ("icontains", "neédle", false),
        ("icontains", "NEEDLE Ü", false),
        ("icontains", "", true),
        ("starts_with", "AAAA", true),
        ("ends_with", "needle ü", true),
        ("icontains_multi", "needle", true),
        ("not_icontains_multi", "needle", false),
    ] {
        let test = test(operator, &Value::from(filter));
        let found = test.matches(Some(&property), Completeness::Complete, &moment());
        assert_eq!(found, Ok(expected), "{operator} {filter}");
    }
}

#[test]
fn patterns() {
    check(
        &moment(),
        cases! {
            regex "b", "abc" => yes;
            regex "B", "abc" => no;
            regex "(?i)B", "abc" => yes;
            regex "^b$", "a\nb\nc" => no;
            regex "(?m)^b$", "a\nb\nc" => yes;
            regex "a$", "a\n" => no;
            regex "a$", "a" => yes;
            regex "a.b", "a\nb" => no;
            regex "(?s)a.b", "a\nb" => yes;
            regex "^\\w+$", "grün" => yes;
            regex "^\\d$", "٣" => yes;
            regex "\\p{Greek}", "λ" => yes;
            regex "(?i)Ü", "ü" => yes;
            regex "\\bcat\\b", "a cat!" => yes;
            regex "\\bcat\\b", "concat" => no;
            regex "", "" => yes;
            regex 5, 1.5 => yes;
            regex "^5\\.0$", 5.0 => yes;
            regex "^null$", null => yes;
            regex "^\\[1,", [1, 2] => yes;
            regex [1, 2], "1" => yes;
            regex "(?x) a b # blanks do not count", "ab" => yes;
            regex "a{,2}b", "aab" => yes;
            not_regex "b", "abc" => no;
            not_regex "x", "abc" => yes;
            not_regex "x", absent => yes;
            regex "x", absent => no;
            // Look-around and back-references.
            regex "^(?!admin)", "admin@x" => no;
            regex "^(?!admin)", "user@x" => yes;
            regex "(?<=@)corp", "a@corp" => yes;
            regex "(?<=@)corp", "a-corp" => no;
            regex "(?<!@)corp", "a-corp" => yes;
            regex "foo(?=bar)", "foobar" => yes;
            regex "(a|b)\\1", "abba" => yes;
            regex "^(a|b)\\1$", "ab" => no;
            regex "(?<q>['\"]).*\\k<q>", "say 'x'" => yes;
            not_regex "(?=b)", "abc" => no;
            not_regex "(?=x)", "abc" => yes;
            // The same dialect in the engine that backtracks.
            regex "(?=a)a$", "a\n" => no;
            regex "(?=a)a\\z", "a" => yes;
            regex "(?=a)a.b", "a\nb" => no;
            regex "(?=A)a", "a" => no;
            regex "(?i)(?=A)a", "a" => yes;
            regex "(?m)(?=b)^b$", "a\nb\nc" => yes;
            regex "^(?=.)\\w+$", "grün" => yes;
            regex "^(?=.)\\d$", "٣" => yes;
            // Possessive quantifiers give nothing back.
            regex "^a++a", "aa" => no;
            regex "^a*+a", "aa" => no;
            regex "^a?+a", "a" => no;
            regex "^a++b", "aab" => yes;
            regex "^(?>a+)a", "aa" => no;
            regex "^[*+]+$", "*+" => yes;
            regex "^\\++$", "++" => yes;
            // Broken patterns.
            regex "[", "[" => error;
            regex "(", absent => no;
            regex "a{2,1}", "aa" => error;
            regex "(?=a)(a{2,1})", "aa" => error;
            regex "(?=a)[{]2,1}a", "{2,1}a" => no;
            regex "(?=.)\\{2,1}a", "{2,1}a" => yes;
            regex "*", "*" => error;
            regex "\\p{Nope}", "a" => error;
            regex "(a)\\2", "aa" => error;
            not_regex "(?<n", "a" => error;
            not_regex "(?<n", absent => yes;
        },
    );
}

#[test]
fn a_search_of_too_many_steps_is_an_error() {
    let text = Value::from("a".repeat(200));
    for operator in ["regex", "not_regex"] {
        let test = test(operator, &json!("^(a|a?)+\\1(?=b)"));
        let found = test.matches(Some(&text), Completeness::Complete, &moment());
        assert_eq!(found, Err(FilterError), "{operator}");
        let few = test.matches(Some(&json!("aab")), Completeness::Complete, &moment());
        assert_eq!(few, Ok(operator == "regex"));
        assert_eq!(test.fault(), None);
    }
}

#[test]
fn patterns_that_compile_too_large_are_broken() {
    for pattern in [
        r"((\w{1000}){1000}){1000}",
        r"(?=x)((\w{1000}){1000}){1000}",
        r"a++(\w{1000}){1000}",
        &"(?=a)".repeat(60_000),
        &"(".repeat(100_000),
        &format!("{}a{}", "(".repeat(5_000), ")".repeat(5_000)),
        &format!("(?=a){}a{}", "(".repeat(5_000), ")".repeat(5_000)),
    ] {
        let filter = Value::from(pattern);
        let test = test("not_regex", &filter);
        let shown = &pattern[..pattern.len().min(40)];
        assert!(test.fault().is_some(), "{shown}");
        let found = test.matches(Some(&json!("x")), Completeness::Complete, &moment());
        assert_eq!(found, Err(FilterError), "{shown}");
        let absent = test.matches(None, Completeness::Complete, &moment());
        assert_eq!(absent, Ok(true), "{shown}");
    }
}
