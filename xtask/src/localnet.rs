//! `cargo xtask localnet`: set-up, a release build, then this process becomes `acumen localnet`.
//!
//! Invariant: standard output carries only what `acumen localnet` prints, and Ctrl-C and the exit code are its own,
//! because it replaces this process and is not a child of it.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use anyhow::{anyhow, bail};

use crate::command::SetupOptions;
use crate::{process, setup, workspace};

/// Builds and becomes `acumen localnet ARGS…`; returns only if that failed.
pub(crate) fn run(root: &Path, args: &[String]) -> anyhow::Result<()> {
    setup::run(root, &SetupOptions::default())?;
    eprintln!("localnet: building the release binary (minutes the first time)");
    let mut build = process::cargo(root);
    build.args(["build", "--release", "--package", "acumen-cli"]);
    if process::in_ci() {
        build.arg("--locked");
    }
    process::run(build.stdout(process::stderr_handle()?))?;

    let binary = workspace::load(root)?.target.join("release/acumen");
    if !binary.is_file() {
        bail!(
            "cargo built no {}; unset CARGO_BUILD_TARGET, or build and start `acumen localnet` by hand",
            binary.display()
        );
    }
    let error = Command::new(&binary).arg("localnet").args(args).exec();
    Err(anyhow!(error).context(format!("cannot start {}", binary.display())))
}
