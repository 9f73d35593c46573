//! Numbers and ranges (sections 4.6 and 4.7).

use super::*;

#[test]
fn numbers() {
    check(
        &moment(),
        cases! {
            gt 9, 10 => yes;
            gt 9, 9 => no;
            gt "9", "10" => yes;
            gt "10", "9" => no;
            gte 9, 9.0 => yes;
            gte 9, 8.999 => no;
            lt 9, "8.999" => yes;
            lt 9, 9 => no;
            lte 9, "9.0" => yes;
            lte 9, 10 => no;
            gt (-1), 0 => yes;
            gt "+1", "1.5" => yes;
            gt "5.", 6 => yes;
            gt ".5", "0.6" => yes;
            gt "1e3", 1001 => yes;
            gt "1E-3", "0.01" => yes;
            gt 0, "inf" => yes;
            gt 0, "+Infinity" => yes;
            lt 0, "-INF" => yes;
            gt 0, "nan" => no;
            lte 0, "NaN" => no;
            gt "nan", 1 => no;
            lte "-nan", 1 => no;
            gt 9007199254740992i64, 9007199254740993i64 => no;
            gt 18446744073709551614u64, 1e300 => yes;
            gt 5, absent => no;
            gt "x", absent => no;
            gt 5, "" => error;
            gt 5, " 6" => error;
            gt 5, "6 " => error;
            gt 5, "1,000" => error;
            gt 5, "0x10" => error;
            gt 5, "6px" => error;
            gt 5, "." => error;
            gt 5, "e5" => error;
            gt 5, "1_000" => error;
            gt 5, "٧" => error;
            gt 5, true => error;
            gt 5, null => error;
            gt 5, [6] => error;
            gt 5, {} => error;
            lt "five", 1 => error;
            lt true, 1 => error;
            lt [5], 1 => error;
        },
    );
}

#[test]
fn ranges() {
    check(
        &moment(),
        cases! {
            between [1, 5], 1 => yes;
            between [1, 5], 5.0 => yes;
            between [1, 5], "3" => yes;
            between [1, 5], 5.0001 => no;
            between [1, 5], "0.9" => no;
            between ["1", 5], 3 => yes;
            between [3, 3], 3 => yes;
            between ["-inf", "inf"], 1e300 => yes;
            between [1, 5], absent => no;
            between [1, 5], null => no;
            between [1, 5], "three" => no;
            between [1, 5], true => no;
            between [1, 5], [3] => no;
            between [1, 5], "nan" => no;
            not_between [1, 5], 1 => no;
            not_between [1, 5], 5 => no;
            not_between [1, 5], 6 => yes;
            not_between [1, 5], "0" => yes;
            not_between [1, 5], absent => yes;
            not_between [1, 5], null => yes;
            not_between [1, 5], "three" => yes;
            not_between [1, 5], false => yes;
            not_between [1, 5], {} => yes;
            not_between [1, 5], "NaN" => no;
            between [5, 1], 3 => error;
            between [1], 1 => error;
            between [1, 2, 3], 1 => error;
            between [], 1 => error;
            between "1,5", 3 => error;
            between 3, 3 => error;
            between {"0": 1, "1": 5}, 3 => error;
            between [1, "x"], 1 => error;
            between [1, null], 1 => error;
            between [1, "nan"], 1 => error;
            between ["nan", "nan"], 1 => error;
            not_between [5, 1], 9 => error;
            not_between [5, 1], absent => error;
            not_between [5, 1], null => error;
            not_between "x", absent => error;
        },
    );
}
