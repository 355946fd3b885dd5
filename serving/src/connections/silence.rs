//! The time since something came or could be sent.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// Ends when nothing moved for `limit`.
#[derive(Debug)]
pub(super) struct Silence {
    limit: Duration,
    heard: Instant,
    /// At the earliest end; moved on when it comes rather than at each sound, of which there are many.
    alarm: Pin<Box<Sleep>>,
}

impl Silence {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, heard: Instant::now(), alarm: Box::pin(tokio::time::sleep(limit)) }
    }

    pub(super) fn broken(&mut self) {
        self.heard = Instant::now();
    }

    /// Ready when it has lasted too long.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.alarm.as_mut().poll(context));
            let end = self.heard + self.limit;
            if end <= Instant::now() {
                return Poll::Ready(());
            }
            self.alarm.as_mut().reset(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    /// The clock stands until everybody waits, then jumps to the next alarm.
    #[tokio::test(start_paused = true)]
    async fn it_ends_so_long_after_the_last_sound() {
        let limit = Duration::from_secs(60);
        let mut silence = Silence::new(limit);
        let begun = Instant::now();
        for _ in 0..3 {
            let waited = tokio::time::timeout(limit * 2 / 3, poll_fn(|context| silence.poll(context))).await;
            assert!(waited.is_err(), "after {:?}", begun.elapsed());
            silence.broken();
        }
        poll_fn(|context| silence.poll(context)).await;
        assert_eq!(begun.elapsed().as_secs(), 180);
    }
}
