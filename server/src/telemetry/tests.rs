//! Which form log lines take.

use super::*;

#[test]
fn a_terminal_reads_text_and_a_machine_json() {
    for (format, terminal, json) in [
        (LogFormat::Auto, true, false),
        (LogFormat::Auto, false, true),
        (LogFormat::Text, false, false),
        (LogFormat::Json, true, true),
    ] {
        assert_eq!(is_json(format, terminal), json, "{format:?} {terminal}");
    }
}
