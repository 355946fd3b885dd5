//! Texts in folders: one document per file, in the order of their names.

use std::path::Path;

use crate::{ModelError, files};

/// Most documents and most bytes of one that a folder may have: bounds on what a wrong path can cost.
const MAX_DOCUMENTS: usize = 4096;
const MAX_DOCUMENT_BYTES: u64 = 1 << 22;

/// The `.txt` files of a folder.
///
/// # Errors
/// A folder or file that cannot be read, that is too large, or a folder without a document.
pub fn documents(folder: &Path) -> Result<Vec<Vec<u8>>, ModelError> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| files::io(folder, &error))? {
        let path = entry.map_err(|error| files::io(folder, &error))?.path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            paths.push(path);
        }
    }
    if paths.is_empty() || paths.len() > MAX_DOCUMENTS {
        let reason = format!("{} .txt files; between 1 and {MAX_DOCUMENTS} are expected", paths.len());
        return Err(files::corrupt(folder, reason));
    }
    paths.sort();
    paths.iter().map(|path| files::read(path, MAX_DOCUMENT_BYTES)).collect()
}
