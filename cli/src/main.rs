//! `acumen`, the one binary: every role and every tool of the subnet.
//!
//! Exit codes: 0 ok, 1 failed, 2 wrong usage. Errors go to stderr and say what to do; `--json` prints one object, or
//! one per line for streams, on stdout.

mod args;
mod commands;
mod config;
mod localnet;
mod output;
mod prompt;
mod runtime;
mod shipped;
mod wallet;

use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    match commands::run(args::parse()) {
        Ok(code) => code,
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) if error.is::<args::Usage>() => {
            let _ = writeln!(std::io::stderr(), "error: {}", output::explain(&error));
            ExitCode::from(args::USAGE)
        }
        Err(error) => {
            // `eprintln!` would panic where standard error is a file on a full disk.
            let _ = writeln!(std::io::stderr(), "error: {}", output::explain(&error));
            ExitCode::FAILURE
        }
    }
}
