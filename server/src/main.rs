//! The `burgee` program: reads the command line, runs a command, exits with its code.

use burgee::cli;
use burgee::config::Cli;
use clap::Parser;
use std::io;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut out = io::stdout();
    let mut err = io::stderr();
    ExitCode::from(cli::run(Cli::parse().command, &mut out, &mut err))
}
