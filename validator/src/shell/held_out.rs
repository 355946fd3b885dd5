//! The held-out texts, read once at the start.

use std::path::Path;

use crate::Error;
use crate::core::windows::Text;

/// Most bytes read: questions need far less, and a folder given by mistake must not fill the memory.
const MAX_BYTES: u64 = 256 << 20;

/// Every `*.txt` of `folder` with at least `needed` bytes, by name.
///
/// # Errors
/// [`Error::File`] if the folder or a file cannot be read, [`Error::NoHeldOut`] if nothing can be asked.
pub(crate) fn load(folder: &Path, needed: usize) -> Result<Vec<Text>, Error> {
    const ADVICE: &str = "`held_out` must be a folder of text files that this user can read";
    let failed = |path: &Path, source| Error::File { path: path.to_owned(), source, advice: ADVICE };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|source| failed(folder, source))? {
        let path = entry.map_err(|source| failed(folder, source))?.path();
        if path.extension().is_some_and(|extension| extension == "txt") && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    let (mut texts, mut total) = (Vec::new(), 0);
    for path in paths {
        let size = path.metadata().map_err(|source| failed(&path, source))?.len();
        if size < needed as u64 {
            tracing::warn!(file = %path.display(), "shorter than one document, not used");
            continue;
        }
        if total + size > MAX_BYTES {
            tracing::warn!(file = %path.display(), limit = MAX_BYTES, "beyond the limit of all texts, not used");
            continue;
        }
        total += size;
        let bytes = std::fs::read(&path).map_err(|source| failed(&path, source))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        texts.push(Text { name, bytes });
    }
    if texts.is_empty() {
        return Err(Error::NoHeldOut { folder: folder.to_owned(), needed });
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_by_name_and_short_ones_left_out() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(load(folder.path(), 8), Err(Error::NoHeldOut { needed: 8, .. })));
        for (name, text) in [
            ("b.txt", "long enough"),
            ("a.txt", "also long enough"),
            ("c.txt", "short"),
            ("d.md", "not a text"),
        ] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let names: Vec<String> = load(folder.path(), 8).unwrap().into_iter().map(|text| text.name).collect();
        assert_eq!(names, ["a.txt", "b.txt"]);
        assert!(matches!(load(&folder.path().join("none"), 8), Err(Error::File { .. })));
    }
}
