//! The link `.libtorch` in the checkout, at which `.cargo/config.toml` points LIBTORCH.
//!
//! Invariant: it is replaced by a rename, so a build that runs meanwhile always finds a libtorch. Only a link is ever
//! replaced, never a folder.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process;

use anyhow::{Context, bail};

/// Its name in the checkout.
pub(super) const NAME: &str = ".libtorch";

/// Makes the link point at `libtorch`.
pub(super) fn point(root: &Path, libtorch: &Path) -> anyhow::Result<()> {
    let link = root.join(NAME);
    if fs::read_link(&link).is_ok_and(|target| target == libtorch) {
        return Ok(());
    }
    if fs::symlink_metadata(&link).is_ok_and(|metadata| !metadata.is_symlink()) {
        bail!("{} is not a link; remove it, or move it elsewhere and set LIBTORCH to it", link.display());
    }
    let fresh = root.join(format!("{NAME}.{}", process::id()));
    let replace = || -> std::io::Result<()> {
        symlink(libtorch, &fresh)?;
        fs::rename(&fresh, &link)
    };
    replace().with_context(|| format!("cannot link {} to {}", link.display(), libtorch.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_is_made_and_moved() {
        let root = tempfile::tempdir().unwrap();
        for target in ["/a", "/b", "/b"] {
            point(root.path(), Path::new(target)).unwrap();
            assert_eq!(fs::read_link(root.path().join(NAME)).unwrap(), Path::new(target));
        }
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "no temporary link stays");
    }

    #[test]
    fn a_folder_is_never_replaced() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join(NAME)).unwrap();
        let error = point(root.path(), Path::new("/a")).unwrap_err().to_string();
        assert!(error.contains("not a link"), "{error}");
        assert!(root.path().join(NAME).is_dir());
    }
}
