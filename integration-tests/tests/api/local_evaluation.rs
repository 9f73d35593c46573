//! The server against the Python SDK's own evaluator, on random flags and persons. What is made is told in `clients/random_flags.py`,
//! with what evaluation.md, section 10, leaves out.

use burgee_integration_tests::clients::ClientProgram;
use burgee_integration_tests::{Kind, TestServer};

/// Compares so many pairs of a flag and a person. An even seed compares texts by the default rules, an odd one by the explicit ones.
fn agree(kind: Kind, seed: u32, flags: usize, pairs: usize) {
    let (seed, flags) = (seed.to_string(), flags.to_string());
    let program = || ClientProgram::python("posthog_local.py");
    let make = program().arg("make").arg(&seed).arg(&flags);
    let file = make.run(|_| {}).expect_code(0).stdout;
    // Lenient: shares that miss 100 percent are made on purpose.
    let server = TestServer::on(kind).arg("--lenient").project_text(&file);
    let server = server.start();
    program()
        .arg("compare")
        .arg(&seed)
        .arg(&pairs.to_string())
        .arg(&format!("http://{}", server.address()))
        .expect_checks(pairs, |_| {});
}

#[test]
fn ten_thousand_random_pairs_agree() {
    agree(Kind::Sqlite, 20_261_124, 500, 5_000);
    agree(Kind::Sqlite, 20_261_125, 500, 5_000);
}

#[test]
fn random_pairs_agree_on_postgres() {
    agree(Kind::Postgres, 4, 200, 1_000);
    agree(Kind::Postgres, 5, 200, 1_000);
}

#[test]
fn the_differences_are_those_that_are_told() {
    let program = || ClientProgram::python("posthog_differences.py");
    let file = program().arg("make").run(|_| {}).expect_code(0).stdout;
    let server = TestServer::on(Kind::Sqlite).project_text(&file).start();
    let url = format!("http://{}", server.address());
    program().arg("compare").arg(&url).expect_checks(12, |_| {});
}
