//! Whether calls into a model come back.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Calls into one model.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Calls whose callers wait.
    waiting: AtomicUsize,
    /// Calls whose callers have gone since the last answer: the model may still be at them.
    left: AtomicUsize,
    answers: AtomicU64,
}

/// One call; dropped unanswered, its caller has gone.
#[derive(Debug)]
pub(crate) struct Running<'a> {
    progress: &'a Progress,
    answered: bool,
}

impl Progress {
    pub(super) fn begin(&self) -> Running<'_> {
        self.waiting.fetch_add(1, Ordering::AcqRel);
        Running { progress: self, answered: false }
    }

    /// Answers so far.
    pub(crate) fn answers(&self) -> u64 {
        self.answers.load(Ordering::Acquire)
    }

    /// Whether somebody waits for an answer.
    pub(crate) fn is_awaited(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    /// Whether the model may be at a call that nobody waits for any more.
    pub(crate) fn is_suspect(&self) -> bool {
        self.left.load(Ordering::Acquire) > 0
    }
}

impl Running<'_> {
    pub(super) fn answered(mut self) {
        self.answered = true;
        self.progress.left.store(0, Ordering::Release);
        self.progress.answers.fetch_add(1, Ordering::AcqRel);
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.progress.waiting.fetch_sub(1, Ordering::AcqRel);
        if !self.answered {
            self.progress.left.fetch_add(1, Ordering::AcqRel);
        }
    }
}
