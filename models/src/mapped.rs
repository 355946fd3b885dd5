//! A file mapped into memory: the one unsafe call of this crate.
//!
//! Weights are read through the page cache, so a model costs no second copy of its file and replicas on one machine
//! share the pages. Invariant: a [`Mapped`] is read-only and as long as its file was when it was opened.

#![allow(unsafe_code)]

use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use crate::{ModelError, files};

/// See the module.
#[derive(Debug)]
pub(crate) struct Mapped {
    path: PathBuf,
    map: Mmap,
}

impl Mapped {
    /// Maps a file of at most `limit` bytes.
    pub(crate) fn open(path: &Path, limit: u64) -> Result<Self, ModelError> {
        files::length(path)?;
        let file = File::open(path).map_err(|error| files::io(path, &error))?;
        let bytes = file.metadata().map_err(|error| files::io(path, &error))?.len();
        if bytes > limit {
            return Err(ModelError::TooLarge { path: path.into(), bytes, limit });
        }
        // SAFETY: the map is private to this value and never written. Whoever truncates the file under a running
        // process ends that process with SIGBUS, as with every mapped library; model files are replaced by renaming.
        let map = unsafe { Mmap::map(&file) }.map_err(|error| files::io(path, &error))?;
        Ok(Self { path: path.into(), map })
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}
