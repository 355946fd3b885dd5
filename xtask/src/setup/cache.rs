//! The per-user cache: where it is, one set-up at a time in it, and whether the disk has room.
//!
//! Invariant: everything here lies under one folder of one file system, so that moving a finished piece into place is
//! a rename. Sizes are bytes.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use anyhow::{Context, bail};

use super::{pins, say};

/// The largest moment: the wheels (0.54 GB), a copy of the one that pip is just finishing (0.53 GB) and what is unpacked
/// (0.5 GB).
const NEEDED_BYTES: u64 = 1_600_000_000;

/// How the names of unfinished folders begin; the process follows.
const PARTIAL: &str = "partial-";
const INCOMING: &str = "incoming-";

/// The folders that set-up works in.
#[derive(Debug)]
pub(super) struct Cache {
    /// What is unpacked, under its final name.
    pub(super) libtorch: PathBuf,
    /// What is being unpacked, by this process.
    pub(super) partial: PathBuf,
    /// Wheels that have arrived whole.
    pub(super) wheels: PathBuf,
    /// The wheel that is on its way, to this process.
    pub(super) incoming: PathBuf,
    base: PathBuf,
}

impl Cache {
    /// Follows the XDG base directory specification: a relative `XDG_CACHE_HOME` is ignored.
    pub(super) fn locate(xdg: Option<OsString>, home: Option<OsString>) -> anyhow::Result<Self> {
        let xdg = xdg.map(PathBuf::from).filter(|path| path.is_absolute());
        let home = home.map(PathBuf::from).filter(|path| path.is_absolute());
        let Some(caches) = xdg.or_else(|| home.map(|home| home.join(".cache"))) else {
            bail!("neither XDG_CACHE_HOME nor HOME is an absolute path: set one, libtorch is kept below it");
        };
        let base = caches.join("acumen");
        let name = format!("libtorch-{}-{}", pins::LIBTORCH_VERSION, std::env::consts::ARCH);
        Ok(Self {
            // Named by process: a child that outlives a killed set-up must not write into the next one's folder.
            partial: base.join(format!("{PARTIAL}{}", process::id())),
            incoming: base.join(format!("{INCOMING}{}", process::id())),
            libtorch: base.join(name),
            wheels: base.join("wheels"),
            base,
        })
    }

    /// The folder that everything lies under.
    pub(super) fn base(&self) -> &Path {
        &self.base
    }

    /// Keeps every other set-up of this user out until the file returned is dropped.
    pub(super) fn lock(&self) -> anyhow::Result<File> {
        create_folder(&self.base)?;
        let path = self.base.join("setup.lock");
        let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => say("another set-up is running: waiting for it"),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        Ok(file)
    }

    /// Removes what interrupted set-ups have left half done; whole wheels stay. To be called under the lock.
    ///
    /// Not being able to is no reason to stop: a child of a killed set-up may still be writing there, and the next
    /// call removes it.
    pub(super) fn clear_leftovers(&self) -> anyhow::Result<()> {
        let context = || format!("cannot list {}", self.base.display());
        for entry in fs::read_dir(&self.base).with_context(context)? {
            let entry = entry.with_context(context)?;
            let name = entry.file_name();
            let unfinished =
                [PARTIAL, INCOMING].iter().any(|prefix| name.to_string_lossy().starts_with(prefix));
            if unfinished && let Err(error) = remove_folder(&entry.path()) {
                say(&format!("{error:#}; leaving it for the next time"));
            }
        }
        Ok(())
    }

    /// Removes the wheels, which nothing needs once libtorch is assembled.
    pub(super) fn remove_wheels(&self) -> anyhow::Result<()> {
        remove_folder(&self.incoming)?;
        remove_folder(&self.wheels)
    }

    /// Refuses to begin what the disk cannot hold.
    pub(super) fn require_space(&self) -> anyhow::Result<()> {
        let output = Command::new("df")
            .args(["-Pk", "--"])
            .arg(&self.base)
            .output()
            .context("cannot start `df`, which says how much disk is free")?;
        let free = free_bytes(&String::from_utf8_lossy(&output.stdout))?;
        require_enough(&self.base, free, NEEDED_BYTES.saturating_sub(self.present_wheel_bytes()))
    }

    fn present_wheel_bytes(&self) -> u64 {
        pins::WHEELS
            .iter()
            .filter_map(|wheel| fs::metadata(self.wheels.join(wheel.file)).ok())
            .map(|metadata| metadata.len())
            .sum()
    }
}

fn require_enough(folder: &Path, free: u64, needed: u64) -> anyhow::Result<()> {
    let gigabytes = |bytes: u64| bytes as f64 / 1e9;
    if free < needed {
        bail!(
            "{} has {:.1} GB free, libtorch needs {:.1} GB while it is fetched and 0.5 GB afterwards; free some, or set \
             XDG_CACHE_HOME to a folder on a larger disk",
            folder.display(),
            gigabytes(free),
            gigabytes(needed)
        );
    }
    say(&format!("{:.1} GB of disk needed, {:.1} GB free", gigabytes(needed), gigabytes(free)));
    Ok(())
}

/// Reads the POSIX output of `df -Pk`: the fourth column of the second line is the free space in KiB.
fn free_bytes(df: &str) -> anyhow::Result<u64> {
    let kibibytes: u64 = df
        .lines()
        .nth(1)
        .and_then(|line| line.split_whitespace().nth(3))
        .and_then(|field| field.parse().ok())
        .with_context(|| format!("`df -Pk` printed something unexpected: {df:?}"))?;
    Ok(kibibytes.saturating_mul(1024))
}

/// Creates a folder and those above it.
pub(super) fn create_folder(path: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))
}

/// Removes a folder with all that is in it; one that is not there is fine.
pub(super) fn remove_folder(path: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(xdg: Option<&str>, home: Option<&str>) -> anyhow::Result<PathBuf> {
        Cache::locate(xdg.map(OsString::from), home.map(OsString::from)).map(|cache| cache.base)
    }

    #[test]
    fn the_cache_lies_where_xdg_says() {
        assert_eq!(base(Some("/c"), Some("/h")).unwrap(), Path::new("/c/acumen"));
        assert_eq!(base(None, Some("/h")).unwrap(), Path::new("/h/.cache/acumen"));
        assert_eq!(base(Some("relative"), Some("/h")).unwrap(), Path::new("/h/.cache/acumen"));
        assert!(base(None, None).unwrap_err().to_string().contains("set one"));
    }

    #[test]
    fn free_space_is_read_from_df() {
        let df = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda 1000 400 600 40% /\n";
        assert_eq!(free_bytes(df).unwrap(), 600 * 1024);
        assert!(free_bytes("").is_err());
    }

    #[test]
    fn too_small_a_disk_is_refused_with_what_to_do() {
        assert!(require_enough(Path::new("/c"), 1_600_000_000, 1_600_000_000).is_ok());
        let error = require_enough(Path::new("/c"), 1_500_000_000, 1_600_000_000).unwrap_err().to_string();
        assert!(error.contains("1.5 GB free") && error.contains("XDG_CACHE_HOME"), "{error}");
    }

    #[test]
    fn whole_wheels_survive_an_interrupted_set_up() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::locate(Some(folder.path().into()), None).unwrap();
        let others = [cache.base.join("partial-1"), cache.base.join("incoming-1")];
        for path in others.iter().chain([&cache.partial, &cache.incoming, &cache.wheels, &cache.libtorch]) {
            create_folder(path).unwrap();
        }
        cache.clear_leftovers().unwrap();
        assert!(cache.wheels.exists() && cache.libtorch.exists());
        assert_eq!(fs::read_dir(&cache.base).unwrap().count(), 2);
    }

    #[test]
    fn a_second_set_up_cannot_take_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::locate(Some(folder.path().into()), None).unwrap();
        let held = cache.lock().unwrap();
        let other = File::open(cache.base.join("setup.lock")).unwrap();
        assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
        drop(held);
        other.try_lock().unwrap();
    }
}
