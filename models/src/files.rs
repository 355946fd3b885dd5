//! Reading and writing model files: bounded, whole or not at all, with the path in every error.

use std::io::Write;
use std::path::Path;

use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest as _};

use crate::ModelError;

/// Largest file that is read into memory whole, whatever the options allow to be mapped.
const HELD_BYTES: u64 = 16 << 30;

/// blake2b-256.
pub(crate) struct Digest;

impl Digest {
    pub(crate) fn of(bytes: &[u8]) -> [u8; 32] {
        Blake2b::<U32>::digest(bytes).into()
    }
}

pub(crate) fn corrupt(path: &Path, reason: impl Into<String>) -> ModelError {
    ModelError::Corrupt { path: path.into(), reason: reason.into() }
}

pub(crate) fn io(path: &Path, error: &std::io::Error) -> ModelError {
    ModelError::Io { path: path.into(), reason: error.to_string() }
}

/// Length of a file. A pipe or a device is refused before it is opened, which could wait for ever.
pub(crate) fn length(path: &Path) -> Result<u64, ModelError> {
    let metadata = std::fs::metadata(path).map_err(|error| io(path, &error))?;
    if !metadata.is_file() {
        let reason = if metadata.is_dir() { "is a folder, expected a file" } else { "is not a regular file" };
        return Err(ModelError::Io { path: path.into(), reason: reason.into() });
    }
    Ok(metadata.len())
}

/// The whole file, if it has at most `limit` bytes.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, ModelError> {
    let (bytes, limit) = (length(path)?, limit.min(HELD_BYTES));
    if bytes > limit {
        return Err(ModelError::TooLarge { path: path.into(), bytes, limit });
    }
    std::fs::read(path).map_err(|error| io(path, &error))
}

/// Replaces the file by these bytes; a crash or a full disk leaves the old file as it was.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), ModelError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let result = std::fs::File::create(&part)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .and_then(|()| std::fs::rename(&part, path));
    result.map_err(|error| {
        // Half a file is of no use; that it cannot be removed either adds nothing to the error.
        let _ = std::fs::remove_file(&part);
        io(path, &error)
    })
}
