//! How many questions read the disk at the same time. Consensus writes its votes and executes blocks on the same pool of
//! threads: whatever clients ask, those never wait behind more than a few reads.

use std::sync::Arc;

use tokio::sync::{Semaphore, TryAcquireError};
use tonic::Status;

/// Questions that wait for their turn. At some milliseconds each, the last one waits about as long as a client does.
const WAITING: usize = 1_024;

/// Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Workers {
    /// Those that may be here, at work or waiting.
    places: Arc<Semaphore>,
    /// Those that may be at work.
    turns: Arc<Semaphore>,
}

impl Workers {
    /// Two for each core: one computes while another one reads.
    pub(super) fn new() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::with(cores.saturating_mul(2), WAITING)
    }

    fn with(turns: usize, waiting: usize) -> Self {
        let places = Arc::new(Semaphore::new(turns.saturating_add(waiting)));
        Self { places, turns: Arc::new(Semaphore::new(turns)) }
    }

    /// Runs `work` off the async threads when it is its turn. Whoever goes away while waiting leaves its place.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Status> + Send + 'static,
    ) -> Result<T, Status> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|error| match error {
            TryAcquireError::NoPermits => Status::resource_exhausted(
                "too many questions at once: ask again in a moment, or another node",
            ),
            TryAcquireError::Closed => Status::unavailable("the node is stopping"),
        })?;
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let turn = turn.map_err(|_| Status::unavailable("the node is stopping"))?;
        // Work that has begun ends, also for a client that has gone: it keeps its turn until then.
        let done = tokio::task::spawn_blocking(move || {
            let _until_done = (place, turn);
            work()
        });
        done.await.map_err(|error| Status::internal(format!("a task of the node broke: {error}")))?
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tonic::Code;

    use super::*;

    /// Asks for work that ends when the sender is dropped.
    fn ask(workers: &Workers) -> (mpsc::Sender<()>, tokio::task::JoinHandle<Result<(), Status>>) {
        let (sender, receiver) = mpsc::channel::<()>();
        let workers = workers.clone();
        let work = move || {
            let _ended = receiver.recv();
            Ok(())
        };
        (sender, tokio::spawn(async move { workers.run(work).await }))
    }

    #[tokio::test]
    async fn so_many_work_so_many_wait_and_the_rest_is_told_to_come_back() {
        let workers = Workers::with(2, 1);
        let asked: Vec<_> = (0..3).map(|_| ask(&workers)).collect();
        while workers.places.available_permits() > 0 || workers.turns.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let refused = workers.run(|| Ok(())).await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        for (sender, task) in asked {
            drop(sender);
            task.await.unwrap().unwrap();
        }
        workers.run(|| Ok(())).await.unwrap();
    }

    #[tokio::test]
    async fn who_goes_away_leaves_its_place_and_what_has_begun_keeps_its_turn() {
        let workers = Workers::with(1, 1);
        let (end, working) = ask(&workers);
        while workers.turns.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let (_waits, waiting) = ask(&workers);
        while workers.places.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        working.abort();
        assert!(working.await.unwrap_err().is_cancelled());
        assert_eq!((workers.places.available_permits(), workers.turns.available_permits()), (1, 0));
        drop(end);
        workers.run(|| Ok(())).await.unwrap();
    }
}
