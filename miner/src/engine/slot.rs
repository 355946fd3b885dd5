//! The place of the engine: empty while a model loads for the first time, then the one that new requests get.

use std::sync::{Arc, PoisonError, RwLock};

use acumen_models::Load;

use super::Engine;
use crate::refusal::Refusal;

/// Holds the engine.
#[derive(Debug, Default)]
pub(crate) struct EngineSlot(RwLock<Option<Arc<Engine>>>);

impl EngineSlot {
    /// Puts an engine in place and returns the one before.
    pub(crate) fn fill(&self, engine: Arc<Engine>) -> Option<Arc<Engine>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner).replace(engine)
    }

    /// Takes the engine away.
    pub(crate) fn empty(&self) -> Option<Arc<Engine>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The engine, if it can answer now.
    pub(crate) fn ready(&self) -> Result<Arc<Engine>, Refusal> {
        self.get().filter(|engine| engine.is_ready()).ok_or(Refusal::Loading)
    }

    /// The engine, be it ready or not.
    pub(crate) fn get(&self) -> Option<Arc<Engine>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How busy it is.
    pub(crate) fn load(&self) -> Load {
        self.get().map(|engine| engine.load()).unwrap_or_default()
    }
}
