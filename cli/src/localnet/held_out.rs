//! The texts that validators of a localnet ask about. No shipped model was trained on them; a public subnet's
//! validators bring texts of their own, which nobody else has.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

const TEXTS: &[(&str, &[u8])] = &include!(concat!(env!("OUT_DIR"), "/held_out.rs"));

/// Writes the texts into `folder`.
pub(crate) fn write(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for (name, bytes) in TEXTS {
        let path = folder.join(name);
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
