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

use clap::Parser as _;

fn main() -> ExitCode {
    let args = args::Acumen::parse();
    match commands::run(args) {
        Ok(code) => code,
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // `eprintln!` would panic where standard error is a file on a full disk.
            let _ = writeln!(std::io::stderr(), "error: {}", output::explain(&error));
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    /// clap's own check: no two arguments clash.
    #[test]
    fn the_command_line_is_consistent() {
        super::args::Acumen::command().debug_assert();
    }
}
