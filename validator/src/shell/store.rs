//! What must survive `kill -9`: the secret seed, and one state file with scores and commitments together.
//!
//! A file is replaced by writing a neighbour, syncing it, renaming it and syncing the folder, so a reader sees the old
//! state or the new one. Invariant: a commitment, with its salt and the scores behind it, is on disk before it is sent to
//! the chain; an attempt is on disk before its first question is asked.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use acumen_protocol::weights::Weights;
use acumen_protocol::{Epoch, Hash, Uid};
use rand::TryRngCore as _;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::core::hotkey::Hotkey;
use crate::core::rhythm::Progress;
use crate::core::score::Memory;
use crate::core::windows::Recent;

const ADVICE: &str = "`data_dir` must be writable and its disk not full";
const RESTORE: &str = "restore it from a backup, or move it away to begin without scores";

/// Weights on their way to the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Commitment {
    pub(crate) epoch: u64,
    /// (uid, weight), by uid.
    weights: Vec<(u16, u16)>,
    /// Secret until the reveal; `0x…`.
    salt: String,
    pub(crate) committed: bool,
    pub(crate) revealed: bool,
}

impl Commitment {
    pub(crate) fn new(epoch: Epoch, weights: &Weights, salt: [u8; 32]) -> Self {
        let weights = weights.entries().iter().map(|(uid, weight)| (uid.get(), *weight)).collect();
        let salt = Hash(salt).to_string();
        Self { epoch: epoch.get(), weights, salt, committed: false, revealed: false }
    }

    /// The row and the salt; `None` if the file was edited into nonsense.
    pub(crate) fn opening(&self) -> Option<(Weights, [u8; 32])> {
        let entries = self.weights.iter().map(|(uid, weight)| (Uid::new(*uid), *weight)).collect();
        Some((Weights::new(entries).ok()?, self.salt.parse::<Hash>().ok()?.0))
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress { epoch: Epoch::new(self.epoch), committed: self.committed, revealed: self.revealed }
    }
}

/// Everything that is remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    /// Of this file's form.
    version: u32,
    pub(crate) hotkey: Hotkey,
    pub(crate) genesis: String,
    /// Epoch of the newest attempt, and how many were begun in it.
    pub(crate) attempt: (u64, u32),
    /// The newest epoch that is done, scored or not.
    pub(crate) evaluated: Option<u64>,
    pub(crate) commitments: Vec<Commitment>,
    pub(crate) recent: Recent,
    pub(crate) memory: Memory,
}

const VERSION: u32 = 1;

/// The data folder of one validator, locked for this process.
#[derive(Debug)]
pub(crate) struct Store {
    folder: PathBuf,
    secret: [u8; 32],
    _lock: File,
}

impl Store {
    /// Opens or makes the folder and its secret.
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        fs::create_dir_all(folder.join("reports")).map_err(|source| failed(folder, source))?;
        let path = folder.join("lock");
        let lock = OpenOptions::new().create(true).write(true).truncate(false).open(&path);
        let lock = lock.map_err(|source| failed(&path, source))?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => Error::Locked { folder: folder.to_owned() },
            fs::TryLockError::Error(source) => failed(&path, source),
        })?;
        let secret = secret(&folder.join("secret"))?;
        Ok(Self { folder: folder.to_owned(), secret, _lock: lock })
    }

    pub(crate) fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    pub(crate) fn reports(&self) -> PathBuf {
        self.folder.join("reports")
    }

    /// The state of `hotkey` on the chain of `genesis`; a fresh one if there is none yet.
    pub(crate) fn load(&self, hotkey: Hotkey, genesis: Hash) -> Result<State, Error> {
        let path = self.folder.join("state.json");
        let fresh = State {
            version: VERSION,
            hotkey,
            genesis: genesis.to_string(),
            attempt: (0, 0),
            evaluated: None,
            commitments: Vec::new(),
            recent: Recent::default(),
            memory: Memory::default(),
        };
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(fresh),
            Err(source) => return Err(failed(&path, source)),
        };
        let damaged = |reason: String| Error::Damaged { path: path.clone(), reason, advice: RESTORE };
        let state: State = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if state.version != VERSION {
            return Err(damaged(format!("its version is {}, this program writes {VERSION}", state.version)));
        }
        if state.hotkey != hotkey {
            let (found, expected) = (state.hotkey.to_string(), hotkey.to_string());
            return Err(Error::OtherOwner { folder: self.folder.clone(), what: "hotkey", found, expected });
        }
        let found = state.genesis.parse().map_err(|error| damaged(format!("{error}")))?;
        if found != genesis {
            return Err(Error::other_chain(self.folder.clone(), found, genesis));
        }
        Ok(state)
    }

    /// Replaces the state durably.
    pub(crate) fn save(&self, state: &State) -> Result<(), Error> {
        let path = self.folder.join("state.json");
        let bytes = serde_json::to_vec(state);
        let bytes = bytes.map_err(|error| failed(&path, io::Error::other(error)))?;
        replace(&path, &bytes, 0o600)
    }
}

/// 32 bytes from the operating system, made once.
fn secret(path: &Path) -> Result<[u8; 32], Error> {
    match fs::read_to_string(path) {
        Ok(text) => text.trim().parse::<Hash>().map(|hash| hash.0).map_err(|_| Error::Damaged {
            path: path.to_owned(),
            reason: "expected 0x and 64 hex digits".to_owned(),
            advice: "restore it from a backup, or remove it to draw a new one",
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let secret = random()?;
            replace(path, Hash(secret).to_string().as_bytes(), 0o600)?;
            Ok(secret)
        }
        Err(source) => Err(failed(path, source)),
    }
}

/// 32 random bytes.
pub(crate) fn random() -> Result<[u8; 32], Error> {
    let mut bytes = [0; 32];
    let drawn = rand::rngs::OsRng.try_fill_bytes(&mut bytes);
    drawn.map_err(|error| Error::Randomness(error.to_string()))?;
    Ok(bytes)
}

/// Writes `path` so that a crash leaves the old content or the new one.
pub(crate) fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    let neighbour = path.with_extension("new");
    let write = || -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options.create(true).write(true).truncate(true).mode(mode).open(&neighbour)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&neighbour, path)?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
    };
    write().map_err(|source| failed(path, source))
}

fn failed(path: &Path, source: io::Error) -> Error {
    Error::File { path: path.to_owned(), source, advice: ADVICE }
}

#[cfg(test)]
mod tests;
