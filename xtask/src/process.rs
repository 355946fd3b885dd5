//! Starting other programs, with standard output kept for the command that owns it.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// A cargo of the same toolchain as the one that runs xtask, in the workspace root.
///
/// `cargo run` describes the xtask package to its child in variables; they are taken out again, so that build scripts
/// see what they would see in a plain `cargo build` and nothing is built twice.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    for (name, _) in env::vars_os() {
        if describes_the_running_package(&name) {
            command.env_remove(name);
        }
    }
    command
}

fn describes_the_running_package(name: &OsString) -> bool {
    name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
}

/// True on a build server: nothing is asked, and Cargo.lock must be up to date.
pub(crate) fn in_ci() -> bool {
    env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false" && value != "0")
}

/// Runs a command to its end; a failure names it and its exit status.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let shown = show(command);
    let status = command.status().with_context(|| format!("cannot start `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` failed ({status}); what it printed is above");
    }
    Ok(())
}

/// A handle on standard error, for a child whose standard output must not mix with ours.
pub(crate) fn stderr_handle() -> anyhow::Result<Stdio> {
    let handle = io::stderr()
        .as_fd()
        .try_clone_to_owned()
        .context("cannot share standard error with a child process")?;
    Ok(Stdio::from(handle))
}

/// The command as a person would type it.
pub(crate) fn show(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let mut words = vec![name.to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|arg| arg.to_string_lossy().into_owned()));
    words.join(" ")
}
