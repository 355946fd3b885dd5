//! The checkpoints that the binary carries, so that a localnet needs no files but itself.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// A checkpoint that the binary carries.
pub(crate) struct Shipped {
    pub(crate) name: &'static str,
    /// Its files; the first one is the model's.
    files: &'static [(&'static str, &'static [u8])],
}

macro_rules! shipped {
    ($name:literal, $($file:literal),+) => {
        Shipped {
            name: $name,
            files: &[$(
                ($file, include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/checkpoints/", $file))),
            )+],
        }
    };
}

/// The default miners, each with weights of its own: a copy would be a clone and earn nothing.
pub(crate) const ALL: [Shipped; 5] = [
    shipped!("gpt-large", "gpt-large.safetensors"),
    shipped!("gpt-traced", "gpt-traced.pt", "gpt-traced.json"),
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
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for (file, bytes) in shipped.files {
        let path = folder.join(file);
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    let (file, _) = shipped.files.first().context("a shipped model has a file")?;
    Ok(folder.join(file))
}
