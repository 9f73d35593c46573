//! Semantic versions (section 4.8).

use super::*;

#[test]
fn comparisons() {
    check(
        &moment(),
        cases! {
            semver_eq "1.2.3", "1.2.3" => yes;
            semver_eq "1.2.3", "v1.2.3" => yes;
            semver_eq "v1.2", "1.2.0 " => yes;
            semver_eq "1.2", "v 1.2" => yes;
            semver_eq "1.2", "\t1.2\n" => yes;
            semver_eq "1.2", 1.2 => yes;
            semver_eq 2, "2" => yes;
            semver_eq 2, 2 => yes;
            semver_eq "2", 2.0 => yes;
            semver_eq "1.2.3", "01.002.3" => yes;
            semver_eq "0.0.0", "000" => yes;
            semver_eq "1.0.0-rc.1", "1-rc.1" => yes;
            semver_eq "1.0.0+5", "1+5" => yes;
            semver_eq "1.2.3", "1.2.3+b1" => no;
            semver_neq "1.2.3", "1.2.3+b1" => yes;
            semver_gt "1.2.3", "1.2.3+b1" => yes;
            semver_lt "1.2.3+b1", "1.2.3" => yes;
            semver_gt "1.2.3+b1", "1.2.3+b2" => yes;
            semver_gt "1.9.0", "1.10.0" => yes;
            semver_gt "1.0.0-rc.1", "1.0.0" => yes;
            semver_gt "1.0.0-alpha", "1.0.0-alpha.1" => yes;
            semver_gt "1.0.0-alpha.1", "1.0.0-alpha.beta" => yes;
            semver_gt "1.0.0-beta.2", "1.0.0-beta.11" => yes;
            semver_gte "1.2.3", "1.2.3" => yes;
            semver_gte "1.2.3", "1.2.2" => no;
            semver_lt "2.0.0", "2.0.0-rc1" => yes;
            semver_lte "2.0.0", "2.0.0" => yes;
            semver_lte "2.0.0", "2.0.1" => no;
            semver_neq "1.2.3", "1.2.4" => yes;
            semver_neq "1.2.3", "1.2.3" => no;
            // Unreadable properties: no, whatever the operator.
            semver_eq "1.2.3", " v1.2.3" => no;
            semver_neq "1.2.3", " v1.2" => no;
            semver_neq "1.2.3", "V1.2" => no;
            semver_neq "1.2.3", "vv1.2" => no;
            semver_neq "1.2.3", "1.2.3.4" => no;
            semver_neq "1.2.3", "" => no;
            semver_neq "1.2.3", "v" => no;
            semver_neq "1.2.3", "latest" => no;
            semver_neq "1.2.3", "1..3" => no;
            semver_neq "1.2.3", "1." => no;
            semver_neq "1.2.3", "1.2.x" => no;
            semver_neq "1.2.3", "1.2.3-" => no;
            semver_neq "1.2.3", "1.2.3+" => no;
            semver_neq "1.2.3", "1.2.3-rc..1" => no;
            semver_neq "1.2.3", "1.2.3-rc.01" => no;
            semver_neq "1.2.3", "1.2.3-rc_1" => no;
            semver_neq "1.2.3", (-1) => no;
            semver_neq "1.2.3", 1e300 => no;
            semver_neq "1.2.3", "99999999999999999999.0.0" => no;
            semver_neq "1.2.3", absent => no;
            semver_neq "1.2.3", null => no;
            semver_neq "1.2.3", true => no;
            semver_neq "1.2.3", ["1.2.4"] => no;
            // Unreadable filter values.
            semver_neq "latest", "1.2.3" => error;
            semver_eq "", "1.2.3" => error;
            semver_eq true, "1.2.3" => error;
            semver_eq ["1.2.3"], "1.2.3" => error;
            semver_eq "latest", absent => no;
        },
    );
}

#[test]
fn ranges() {
    check(
        &moment(),
        cases! {
            semver_tilde "1.2.3", "1.2.3" => yes;
            semver_tilde "1.2.3", "1.2.99" => yes;
            semver_tilde "1.2.3", "1.2.2" => no;
            semver_tilde "1.2.3", "1.3.0" => no;
            semver_tilde "1.2", "1.2.0" => yes;
            semver_tilde "1.2", "1.3.0" => no;
            semver_tilde "1", "1.0.9" => yes;
            semver_tilde "1", "1.1.0" => no;
            semver_tilde "v01.2", "1.2.5" => yes;
            semver_tilde 1.2, "1.2.5" => yes;
            semver_tilde "1.3.0-beta.2", "1.3.0-beta.10" => yes;
            semver_tilde "1.3.0-beta.2", "1.3.0-beta.1" => no;
            semver_tilde "1.3.0-beta.2", "1.3.1-beta.2" => no;
            semver_tilde "1.3.0-beta.2", "1.3.0" => yes;
            semver_tilde "1.2.3", "1.2.3+b1" => yes;
            semver_tilde "1.2.3+b1", "1.2.3" => yes;
            semver_tilde "x", "1.2.3" => error;
            semver_tilde "1.*", "1.2.3" => error;
            semver_tilde ">1", "1.2.3" => error;
            semver_tilde "1.2.3.4", "1.2.3" => error;
            semver_tilde true, "1.2.3" => error;
            semver_caret "1.2.3", "1.9.0" => yes;
            semver_caret "1.2.3", "2.0.0" => no;
            semver_caret "1.2.3", "1.2.2" => no;
            semver_caret "1.2.3", "1.3.0-beta" => no;
            semver_caret "0.2.3", "0.2.9" => yes;
            semver_caret "0.2.3", "0.3.0" => no;
            semver_caret "0.0.3", "0.0.3" => yes;
            semver_caret "0.0.3", "0.0.4" => no;
            semver_caret "0", "0.0.0" => yes;
            semver_caret "0", "0.0.1" => no;
            semver_caret "", "0.0.1" => error;
            semver_wildcard "1.*", "1.0.0" => yes;
            semver_wildcard "1.*", "1.99.5" => yes;
            semver_wildcard "1.*", "2.0.0" => no;
            semver_wildcard "1.*", "1.3.0-beta" => no;
            semver_wildcard "1.*", "1.3.0+b1" => yes;
            semver_wildcard "1.*.*", "1.7.3" => yes;
            semver_wildcard "1.*.*", "2.0.0" => no;
            semver_wildcard "1.2.*", "1.2.9" => yes;
            semver_wildcard "1.2.*", "1.3.0" => no;
            semver_wildcard "v01.02.*", "1.2.9" => yes;
            semver_wildcard "*", "7.8.9" => yes;
            semver_wildcard "*", "7.8.9-rc1" => no;
            semver_wildcard "*", "nothing" => no;
            semver_wildcard "*", absent => no;
            semver_wildcard "1.2", "1.9.0" => yes;
            semver_wildcard "1.2", "1.1.9" => no;
            semver_wildcard 1, "1.9.0" => yes;
            semver_wildcard "1.*.3", "1.2.3" => error;
            semver_wildcard "*.*", "1.2.3" => error;
            semver_wildcard "a.*", "1.2.3" => error;
            semver_wildcard "", "1.2.3" => error;
            semver_wildcard "x.*", absent => no;
        },
    );
}
