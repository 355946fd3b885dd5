//! Where proofs lie until they are settled: in memory, and beside the chain's data as `equivocation-HEIGHT-ROUND-KEY.hex`
//! (SCALE, hex), so that a restart loses none and anybody may carry one elsewhere.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use acumen_protocol::codec::{Encode as _, decode_all};
use acumen_protocol::{Equivocation, Hash, Keypair};
use rand::TryRngCore as _;
use tokio::sync::Notify;

use crate::error::NodeError;

/// Proofs that lie on the desk at a time: two for each validator that there can be.
const MAX_WAITING: usize = 200;

const PREFIX: &str = "equivocation-";

/// The desk.
#[derive(Debug)]
pub(crate) struct Desk {
    dir: PathBuf,
    waiting: Mutex<Vec<Equivocation>>,
    news: Notify,
}

impl Desk {
    /// With the proofs that lie in `dir`. A file that holds none is left alone.
    pub(crate) fn open(dir: &Path, genesis: &Hash) -> Self {
        let files = std::fs::read_dir(dir).into_iter().flatten().flatten();
        let names = files.filter(|file| {
            let name = file.file_name().to_string_lossy().into_owned();
            name.starts_with(PREFIX) && name.ends_with(".hex")
        });
        let proofs = names.filter_map(|file| read(&file.path(), genesis));
        let waiting = Mutex::new(proofs.take(MAX_WAITING).collect());
        Self { dir: dir.to_owned(), waiting, news: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Equivocation>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path(&self, proof: &Equivocation) -> PathBuf {
        let (height, round, offender) = (proof.height(), proof.round(), proof.offender());
        self.dir.join(format!("{PREFIX}{height}-{round}-{offender}.hex"))
    }

    /// Takes a proof; one against each key is enough.
    pub(crate) fn put(&self, proof: Equivocation) {
        let mut waiting = self.lock();
        let known = waiting.iter().any(|other| other.offender() == proof.offender());
        if known || waiting.len() >= MAX_WAITING {
            return;
        }
        let path = self.path(&proof);
        match std::fs::write(&path, hex::encode(proof.encode())) {
            Ok(()) => tracing::warn!(path = %path.display(), "the proof of an equivocation is kept"),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "the proof of an equivocation is not kept");
            }
        }
        waiting.push(proof);
        drop(waiting);
        self.news.notify_one();
    }

    /// What is not settled.
    pub(crate) fn waiting(&self) -> Vec<Equivocation> {
        self.lock().clone()
    }

    /// Returns when something was put here since the last time.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }

    /// Takes a proof off; its file stays under another name, for people.
    pub(crate) fn settle(&self, proof: &Equivocation) {
        self.lock().retain(|other| other != proof);
        let path = self.path(proof);
        if let Err(error) = std::fs::rename(&path, path.with_extension("hex.settled")) {
            tracing::warn!(path = %path.display(), %error, "the file of a settled proof keeps its name");
        }
    }
}

fn read(path: &Path, genesis: &Hash) -> Option<Equivocation> {
    let text = std::fs::read_to_string(path).ok()?;
    let digits = text.trim();
    let bytes = hex::decode(digits.strip_prefix("0x").unwrap_or(digits)).ok();
    let proof = bytes.and_then(|bytes| decode_all::<Equivocation>("evidence", &bytes).ok());
    let proof = proof.filter(|proof| proof.verify(genesis).is_ok());
    if proof.is_none() {
        tracing::warn!(path = %path.display(), "this file proves nothing on this chain and is ignored");
    }
    proof
}

/// The account that reports and gets the reward: 64 hex digits, the seed of an sr25519 key. If there is no file, makes one
/// that only its owner can read.
pub(crate) fn load_or_create_account(path: &Path) -> Result<Keypair, NodeError> {
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let mut seed = [0; 32];
            let digits = text.trim();
            hex::decode_to_slice(digits.strip_prefix("0x").unwrap_or(digits), &mut seed)
                .map_err(|_| NodeError::Key { path: path.to_owned() })?;
            Ok(Keypair::from_seed(&seed))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => create_account(path),
        Err(error) => Err(failed(path, &error)),
    }
}

fn create_account(path: &Path) -> Result<Keypair, NodeError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut seed = [0; 32];
    rand::rngs::OsRng.try_fill_bytes(&mut seed).map_err(|error| failed(path, &error))?;
    let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = opened.map_err(|error| failed(path, &error))?;
    writeln!(file, "{}", hex::encode(seed))
        .and_then(|()| file.sync_all())
        .map_err(|error| failed(path, &error))?;
    Ok(Keypair::from_seed(&seed))
}

fn failed(path: &Path, error: &dyn std::fmt::Display) -> NodeError {
    NodeError::File { what: "account for reports", path: path.to_owned(), reason: error.to_string() }
}

#[cfg(test)]
mod tests;
