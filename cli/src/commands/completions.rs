//! `acumen completions`: what a shell needs to complete commands and options.

use anyhow::Result;
use clap_complete::Shell;

use crate::output;

/// Prints a completion script.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Whose
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script. It is built in memory first: clap's generator panics where a pipe has closed.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::args::command(), "acumen", &mut script);
    output::line(String::from_utf8_lossy(&script).trim_end())
}
