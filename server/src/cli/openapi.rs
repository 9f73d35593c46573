//! `burgee openapi`: the description of the HTTP interface, for those who make clients from it.

use super::CliError;
use std::io::{self, Write};

pub(super) fn run(out: &mut impl Write) -> Result<u8, CliError> {
    let document = crate::openapi::describe("").to_pretty_json();
    writeln!(out, "{}", document.map_err(io::Error::from)?)?;
    Ok(0)
}
