//! The checkpoints that the binary carries, so that a localnet needs no files but itself.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// A checkpoint that the binary carries.
pub(crate) struct Shipped {
    pub(crate) name: &'static str,
    file: &'static str,
    bytes: &'static [u8],
}

macro_rules! shipped {
    ($name:literal, $file:literal) => {
        Shipped {
            name: $name,
            file: $file,
            bytes: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/checkpoints/", $file)),
        }
    };
}

/// The default miners, each with weights of its own: a copy would be a clone and earn nothing.
pub(crate) const ALL: [Shipped; 5] = [
    shipped!("gpt-large", "gpt-large.safetensors"),
    shipped!("gpt-traced", "gpt-traced.pt"),
    shipped!("gpt-medium", "gpt-medium.safetensors"),
    shipped!("gpt-small", "gpt-small.safetensors"),
    shipped!("ngram", "bytes.ngram"),
];

/// The shipped model of that name.
pub(crate) fn find(model: &Path) -> Option<&'static Shipped> {
    ALL.iter().find(|shipped| model == Path::new(shipped.name))
}

/// The model's file; a shipped one is written to `folder` first.
pub(crate) fn materialize(model: &Path, folder: &Path) -> Result<PathBuf> {
    let Some(shipped) = find(model) else { return Ok(model.to_owned()) };
    let path = folder.join(shipped.file);
    if fs::read(&path).is_ok_and(|bytes| bytes == shipped.bytes) {
        return Ok(path);
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    fs::write(&path, shipped.bytes).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}
