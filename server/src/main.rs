//! The `burgee` program: reads the command line, runs a command, exits with its code.

use burgee::cli;
use std::io;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut out = io::stdout();
    let mut err = io::stderr();
    ExitCode::from(cli::main(std::env::args_os(), &mut out, &mut err))
}
