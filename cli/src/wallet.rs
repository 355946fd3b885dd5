//! Wallet folders as Bittensor lays them out: `<path>/<name>/{coldkey, coldkeypub.txt, hotkeys/<hotkey>,
//! hotkeys/<hotkey>pub.txt}`. Secret files are created with mode 0600 and never overwritten without being told.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use acumen_protocol::keyfile::{self, StoredKey};
use acumen_protocol::{AccountId, Keypair};
use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde::Deserialize;

use crate::prompt;

/// Which wallet: Bittensor's options.
#[derive(Args, Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WalletOptions {
    /// Folder of all wallets [default: ~/.acumen/wallets]
    #[arg(
        id = "wallet.path",
        long = "wallet.path",
        global = true,
        value_name = "DIR",
        env = "ACUMEN_WALLET_PATH"
    )]
    pub(crate) path: Option<PathBuf>,
    /// Name of the wallet (its coldkey)
    #[arg(
        id = "wallet.name",
        long = "wallet.name",
        global = true,
        value_name = "NAME",
        default_value = "default",
        env = "ACUMEN_WALLET_NAME"
    )]
    pub(crate) name: String,
    /// Name of the hotkey in the wallet
    #[arg(
        id = "wallet.hotkey",
        long = "wallet.hotkey",
        global = true,
        value_name = "NAME",
        default_value = "default",
        env = "ACUMEN_WALLET_HOTKEY"
    )]
    pub(crate) hotkey: String,
}

impl Default for WalletOptions {
    fn default() -> Self {
        Self { path: None, name: "default".to_owned(), hotkey: "default".to_owned() }
    }
}

/// Which of a wallet's two keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Role {
    /// Owns funds.
    Coldkey,
    /// Signs work.
    Hotkey,
}

/// One wallet on disk.
#[derive(Clone, Debug)]
pub(crate) struct Wallet {
    folder: PathBuf,
    hotkey: String,
}

impl WalletOptions {
    /// The wallet that the options name; refuses names that would leave the folder.
    pub(crate) fn open(&self) -> Result<Wallet> {
        for name in [&self.name, &self.hotkey] {
            if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']) {
                bail!(
                    "`{name}` is no name of a wallet or hotkey: it names a folder or file, without / and not beginning with a dot"
                );
            }
        }
        Ok(Wallet { folder: self.root()?.join(&self.name), hotkey: self.hotkey.clone() })
    }

    /// The folder of all wallets.
    pub(crate) fn root(&self) -> Result<PathBuf> {
        match &self.path {
            Some(path) => Ok(expand_home(path)),
            None => Ok(home()?.join(".acumen/wallets")),
        }
    }
}

fn home() -> Result<PathBuf> {
    std::env::home_dir().context("no home directory: say where the wallets are with --wallet.path")
}

fn expand_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), home()) {
        (Ok(rest), Ok(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

impl Wallet {
    /// Where the key lies.
    pub(crate) fn path(&self, role: Role) -> PathBuf {
        match role {
            Role::Coldkey => self.folder.join("coldkey"),
            Role::Hotkey => self.folder.join("hotkeys").join(&self.hotkey),
        }
    }

    fn public_path(&self, role: Role) -> PathBuf {
        match role {
            Role::Coldkey => self.folder.join("coldkeypub.txt"),
            Role::Hotkey => self.folder.join("hotkeys").join(format!("{}pub.txt", self.hotkey)),
        }
    }

    /// The address, from the public file if there is one; no password is needed then.
    pub(crate) fn address(&self, role: Role) -> Result<AccountId> {
        for path in [self.public_path(role), self.path(role)] {
            match fs::read(&path) {
                Ok(bytes) => {
                    return keyfile::read_address(&bytes).with_context(|| path.display().to_string());
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
            }
        }
        Err(self.missing(role))
    }

    /// The key with its secret; asks for the password if the file is encrypted.
    pub(crate) fn load(&self, role: Role) -> Result<StoredKey> {
        let path = self.path(role);
        let shown = path.display().to_string();
        let bytes = match fs::read(&path) {
            Ok(bytes) => zeroize::Zeroizing::new(bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(self.missing(role)),
            Err(error) => return Err(error).with_context(|| format!("cannot read {shown}")),
        };
        let password = keyfile::is_encrypted(&bytes).then(|| prompt::password(&shown)).transpose()?;
        StoredKey::open(&bytes, password.as_ref().map(|password| password.as_str())).context(shown)
    }

    /// The key pair alone.
    pub(crate) fn keypair(&self, role: Role) -> Result<Keypair> {
        Ok(self.load(role)?.keypair().clone())
    }

    fn missing(&self, role: Role) -> anyhow::Error {
        let path = self.path(role);
        anyhow::anyhow!(
            "there is no key at {}: make one with `acumen keys new`, or say which wallet you mean with \
             --wallet.path, --wallet.name and --wallet.hotkey",
            path.display()
        )
    }

    /// Writes a key and its public half, encrypted if there is a password.
    pub(crate) fn save(
        &self,
        role: Role,
        key: &StoredKey,
        password: Option<&str>,
        overwrite: bool,
    ) -> Result<()> {
        let secret = match password {
            Some(password) => zeroize::Zeroizing::new(key.to_encrypted(password, rand::random())?),
            None => key.to_json(),
        };
        write(&self.path(role), &secret, 0o600, overwrite)?;
        // The public half follows from the secret: an old one is stale by now.
        write(&self.public_path(role), &keyfile::public_json(&key.keypair().account()), 0o644, true)
    }

    /// Names of the hotkeys that lie in the wallet, sorted.
    pub(crate) fn hotkeys(&self) -> Result<Vec<String>> {
        let names = names_in(&self.folder.join("hotkeys"))?;
        Ok(names.into_iter().filter(|name| !name.ends_with("pub.txt")).collect())
    }
}

/// Names in a folder, sorted; none if there is no such folder.
pub(crate) fn names_in(folder: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", folder.display())),
    };
    let mut names = entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<Vec<_>, std::io::Error>>()?;
    names.sort();
    Ok(names)
}

/// Writes a file durably: a crash leaves the old content or the new, never half of it.
pub(crate) fn write(path: &Path, bytes: &[u8], mode: u32, overwrite: bool) -> Result<()> {
    if path.exists() && !overwrite {
        bail!("{} exists: nothing was written (say --overwrite to replace it for good)", path.display());
    }
    let folder = path.parent().context("a keyfile lies in a folder")?;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("cannot create {}", folder.display()))?;
    let part = path.with_extension("part");
    let attempt = || -> std::io::Result<()> {
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)?;
        fs::File::open(folder)?.sync_all()
    };
    attempt().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wallet(folder: &Path) -> Wallet {
        WalletOptions { path: Some(folder.to_owned()), ..WalletOptions::default() }.open().unwrap()
    }

    #[test]
    fn keys_are_saved_once_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let wallet = wallet(folder.path());
        let key = StoredKey::from_seed([3; 32]);
        wallet.save(Role::Hotkey, &key, None, false).unwrap();
        assert_eq!(wallet.address(Role::Hotkey).unwrap(), key.keypair().account());
        assert_eq!(wallet.keypair(Role::Hotkey).unwrap().account(), key.keypair().account());
        assert_eq!(wallet.hotkeys().unwrap(), ["default"]);
        let other = StoredKey::from_seed([4; 32]);
        let refused = wallet.save(Role::Hotkey, &other, None, false).unwrap_err().to_string();
        assert!(refused.contains("--overwrite"), "{refused}");
        assert_eq!(wallet.keypair(Role::Hotkey).unwrap().account(), key.keypair().account());
        let missing = wallet.address(Role::Coldkey).unwrap_err().to_string();
        assert!(missing.contains("acumen keys new"), "{missing}");
    }

    #[test]
    fn secret_files_are_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let wallet = wallet(folder.path());
        wallet.save(Role::Coldkey, &StoredKey::from_seed([3; 32]), None, false).unwrap();
        let mode = fs::metadata(wallet.path(Role::Coldkey)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn names_stay_in_the_folder() {
        for name in ["..", "a/b", ""] {
            let options = WalletOptions { name: name.to_owned(), ..WalletOptions::default() };
            assert!(options.open().is_err(), "{name}");
        }
    }
}
