//! What the network must know of the chain: who is registered on it.

use std::fmt;
use std::sync::Arc;

use acumen_protocol::AccountId;

type Question = dyn Fn(&AccountId) -> bool + Send + Sync;

/// Says which hotkeys are registered. Asked for each record of a miner that is worth a check, on a thread that may block: it
/// may read the disk.
#[derive(Clone)]
pub struct Registry(Arc<Question>);

impl Registry {
    /// Asks `question`.
    pub fn new(question: impl Fn(&AccountId) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(question))
    }

    /// Is `hotkey` registered?
    #[must_use]
    pub fn knows(&self, hotkey: &AccountId) -> bool {
        (self.0)(hotkey)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Registry")
    }
}
