//! SHA-256 of files, and what to say when it is not the expected one.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, bail};
use sha2::{Digest as _, Sha256};

/// How much is read at once: large enough that system calls do not show, small enough for any machine.
const CHUNK_BYTES: usize = 1 << 20;

/// The SHA-256 of a file in lower-case hexadecimal.
pub(super) fn of_file(path: &Path) -> anyhow::Result<String> {
    let mut file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = file.read(&mut chunk).with_context(|| format!("cannot read {}", path.display()))?;
        if read == 0 {
            break;
        }
        hasher.update(&chunk[..read]);
    }
    let mut hex = String::with_capacity(64);
    for byte in hasher.finalize() {
        write!(hex, "{byte:02x}").context("cannot format a digest")?;
    }
    Ok(hex)
}

/// Refuses a file whose digest is not `expected`.
pub(super) fn require(path: &Path, expected: &str) -> anyhow::Result<()> {
    let found = of_file(path)?;
    if found != expected {
        bail!("{} has the wrong SHA-256\n  expected {expected}\n  found    {found}", path.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of `abc`: FIPS 180-4, example 1.
    const OF_ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn a_right_digest_passes_and_a_wrong_one_names_both() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wheel");
        std::fs::write(&path, "abc").unwrap();
        require(&path, OF_ABC).unwrap();

        std::fs::write(&path, "abd").unwrap();
        let error = require(&path, OF_ABC).unwrap_err().to_string();
        let found = of_file(&path).unwrap();
        assert!(error.contains(OF_ABC) && error.contains(&found) && found != OF_ABC, "{error}");
    }

    #[test]
    fn files_longer_than_a_chunk_are_read_to_their_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wheel");
        std::fs::write(&path, vec![7; CHUNK_BYTES + 1]).unwrap();
        let longer = of_file(&path).unwrap();
        std::fs::write(&path, vec![7; CHUNK_BYTES]).unwrap();
        assert_ne!(longer, of_file(&path).unwrap());
    }
}
