//! What a stream holds from admission to its end.

use std::sync::Arc;
use std::time::Instant;

use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::service::Shared;
use crate::slots::Slot;

/// What a stream holds from admission to its end, and how it ended.
#[derive(Debug)]
pub(crate) struct Guard {
    shared: Arc<Shared>,
    started: Instant,
    finished: &'static str,
    slot: Slot,
    /// Held for its drop.
    _tracked: TaskTrackerToken,
}

impl Guard {
    pub(crate) const fn new(
        shared: Arc<Shared>,
        slot: Slot,
        tracked: TaskTrackerToken,
        started: Instant,
    ) -> Self {
        // Unless somebody says otherwise, the client has gone away.
        Self { shared, started, finished: "abort", slot, _tracked: tracked }
    }

    /// What all requests share.
    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Its room.
    pub(crate) const fn slot(&self) -> &Slot {
        &self.slot
    }

    /// Notes how the stream ends.
    pub(crate) const fn end(&mut self, finished: &'static str) {
        self.finished = finished;
    }

    /// Notes that the stream ends with an error of ours or a fault of the client's.
    pub(crate) const fn fail(&mut self) {
        self.finished = "error";
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.shared.metrics.whole.observe(self.started.elapsed().as_secs_f64());
        self.shared.metrics.finish(self.finished);
    }
}
