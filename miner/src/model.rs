//! The place of the model: empty while it loads, then its replica, then empty again.

use std::sync::{Arc, PoisonError, RwLock};

use acumen_models::{Load, Replica};

use crate::refusal::Refusal;

/// Holds the replica.
#[derive(Debug, Default)]
pub(crate) struct ModelSlot(RwLock<Option<Arc<Replica>>>);

impl ModelSlot {
    /// Puts the loaded model in place.
    pub(crate) fn fill(&self, replica: Replica) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(replica));
    }

    /// Takes it away. Whoever drops the last reference waits for the model's thread.
    pub(crate) fn empty(&self) -> Option<Arc<Replica>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The model, if it can answer now.
    pub(crate) fn ready(&self) -> Result<Arc<Replica>, Refusal> {
        self.get().filter(|replica| replica.is_ready()).ok_or(Refusal::Loading)
    }

    /// The model, be it ready or not.
    pub(crate) fn get(&self) -> Option<Arc<Replica>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How busy it is.
    pub(crate) fn load(&self) -> Load {
        self.get().map(|replica| replica.load()).unwrap_or_default()
    }
}
