//! Used nonces: those of the window in memory, and on disk a *mark* that no accepted nonce has passed.
//!
//! A nonce is accepted only below the mark, and the mark moves in steps of seconds, so that the disk's flush is paid
//! once per step and not once per request. After a crash everything below the mark counts as used: at most
//! [`STEP_NS`] and the window's two seconds ahead, in which the miner is not ready ([`NonceStore::opens_at`]). A clean
//! end writes how far it really came, and the next start begins there.
//!
//! Invariants: `Ok(true)` is said at most once for a (sender, nonce), over any number of restarts and kills; a nonce is
//! forgotten only when it lies below the *floor*, and below the floor everything counts as used. Floor and mark never
//! fall: a clock that steps back brings no forgotten nonce back to life.

use std::path::Path;
use std::sync::Arc;

use acumen_protocol::AccountId;
use acumen_protocol::limits::AUTH_WINDOW_AHEAD_NS;

use crate::Error;

mod disk;
mod window;

use disk::Disk;
use window::{Verdict, Window};

/// How far the mark moves ahead of what may be accepted now.
const STEP_NS: u64 = 2_000_000_000;

/// The store; dropping it closes the file, so that the next process can open it at once.
#[derive(Debug)]
pub(crate) struct NonceStore {
    nonces: Nonces,
    disk: Disk,
    opens_at: u64,
}

/// A way to the store, cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Nonces {
    window: Arc<Window>,
    marks: disk::Marks,
}

impl NonceStore {
    /// Opens or creates the store in `dir`.
    pub(crate) fn open(dir: &Path) -> Result<Self, Error> {
        let (disk, mark) = Disk::open(dir)?;
        let nonces = Nonces { window: Arc::new(Window::new(mark)), marks: disk.marks() };
        Ok(Self { nonces, disk, opens_at: mark })
    }

    pub(crate) fn handle(&self) -> Nonces {
        self.nonces.clone()
    }

    /// The time in nanoseconds before which every nonce counts as used.
    pub(crate) const fn opens_at(&self) -> u64 {
        self.opens_at
    }
}

impl Drop for NonceStore {
    fn drop(&mut self) {
        let reached = self.nonces.window.close();
        self.disk.close(reached);
    }
}

impl Nonces {
    /// Marks (`sender`, `nonce`) as used; `Ok(false)` if it was used before. `now` (ns) lets the store forget what is
    /// out of the window. Waits for the disk only where the mark has to move.
    pub(crate) async fn insert(&self, sender: &AccountId, nonce: u64, now: u64) -> Result<bool, String> {
        let target = nonce.max(now).saturating_add(AUTH_WINDOW_AHEAD_NS).saturating_add(STEP_NS);
        loop {
            match self.window.insert(sender, nonce, now)? {
                Verdict::Known(fresh) => {
                    if self.window.wants(now.saturating_add(AUTH_WINDOW_AHEAD_NS + STEP_NS / 2)) {
                        self.marks.ask(&self.window, target);
                    }
                    return Ok(fresh);
                }
                Verdict::BeyondMark => self.marks.reach(&self.window, target).await?,
            }
        }
    }
}

#[cfg(test)]
mod tests;
