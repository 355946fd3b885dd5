//! What a stream holds from admission to its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tonic::Status;

use crate::refusal::Refusal;
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

    /// Hands an answer to the transport, and says whether the client is still there. One that is not taken in time ends the
    /// stream.
    pub(crate) async fn hand_on<T: Send>(
        &self,
        answer: T,
        outgoing: &Sender<Result<T, Status>>,
    ) -> Result<bool, Refusal> {
        let patience = Duration::from_millis(self.shared.limits.idle_timeout_ms);
        self.slot.set_idle(true);
        let sent = tokio::select! {
            // What has been computed is handed on even if the stream has to leave.
            biased;
            sent = outgoing.send_timeout(Ok(answer), patience) => sent,
            () = self.shared.kill.cancelled() => return Err(Refusal::Draining),
            refusal = self.slot.has_to_leave() => return Err(refusal),
        };
        match sent {
            Ok(()) => Ok(true),
            Err(SendTimeoutError::Timeout(_)) => Err(Refusal::Unread(patience)),
            Err(SendTimeoutError::Closed(_)) => Ok(false),
        }
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
