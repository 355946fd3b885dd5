//! The marker of a finished libtorch folder: its recipe, and size and digest of every file.
//!
//! Invariant: it is written last. A folder without it, with a file that is gone or has another size, or made by another
//! recipe, is not complete. Sizes are bytes.

use std::fs;
use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use super::digest;

/// Its name inside the folder.
const NAME: &str = "complete.json";

/// One file of the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Relative to the folder.
    pub(super) path: String,
    pub(super) bytes: u64,
    /// In lower-case hexadecimal.
    pub(super) sha256: String,
}

/// What a folder is worth.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Everything the marker names is there.
    Complete,
    /// There is no such folder.
    Absent,
    /// Something is there, but not a whole libtorch of this recipe; says why.
    Damaged(String),
}

/// Writes the marker and syncs it.
pub(super) fn write(folder: &Path, recipe: &str, files: &[Entry]) -> anyhow::Result<()> {
    let files: Vec<Value> = files
        .iter()
        .map(|entry| json!({ "path": entry.path, "bytes": entry.bytes, "sha256": entry.sha256 }))
        .collect();
    let marker = json!({ "recipe": recipe, "files": files });
    let path = folder.join(NAME);
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&path)?;
        writeln!(file, "{marker}")?;
        file.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Compares a folder with its marker; with `verify`, the content of every file too, not only its size.
pub(super) fn inspect(folder: &Path, recipe: &str, verify: bool) -> anyhow::Result<State> {
    if !folder.exists() {
        return Ok(State::Absent);
    }
    let text = match fs::read_to_string(folder.join(NAME)) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(State::Damaged("it was not finished".to_owned()));
        }
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read the marker in {}", folder.display()));
        }
    };
    let Ok(marker) = serde_json::from_str::<Value>(&text) else {
        return Ok(State::Damaged("its marker is not readable".to_owned()));
    };
    if marker.get("recipe").and_then(Value::as_str) != Some(recipe) {
        return Ok(State::Damaged("it was made of other wheels".to_owned()));
    }
    let Ok(files) = parse_entries(marker.get("files").unwrap_or(&Value::Null)) else {
        return Ok(State::Damaged("its marker is not readable".to_owned()));
    };
    Ok(files.iter().find_map(|entry| damage(folder, entry, verify)).map_or(State::Complete, State::Damaged))
}

/// What is wrong with one file, if anything.
fn damage(folder: &Path, entry: &Entry, verify: bool) -> Option<String> {
    let path = folder.join(&entry.path);
    match fs::metadata(&path) {
        Err(_) => return Some(format!("{} is gone", entry.path)),
        Ok(metadata) if metadata.len() != entry.bytes => {
            return Some(format!("{} has {} bytes instead of {}", entry.path, metadata.len(), entry.bytes));
        }
        Ok(_) => {}
    }
    if !verify {
        return None;
    }
    digest::require(&path, &entry.sha256).err().map(|error| error.to_string())
}

/// Reads a JSON list of files.
pub(super) fn parse_entries(list: &Value) -> anyhow::Result<Vec<Entry>> {
    list.as_array().context("a list of files was expected")?.iter().map(parse_entry).collect()
}

fn parse_entry(value: &Value) -> anyhow::Result<Entry> {
    let text = |key: &str| {
        value
            .get(key)
            .and_then(Value::as_str)
            .map(str::to_owned)
            .with_context(|| format!("a file without `{key}`: {value}"))
    };
    let bytes = value
        .get("bytes")
        .and_then(Value::as_u64)
        .with_context(|| format!("a file without `bytes`: {value}"))?;
    Ok(Entry { path: text("path")?, bytes, sha256: text("sha256")? })
}

#[cfg(test)]
mod tests;
