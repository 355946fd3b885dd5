//! The text encoder beside the model: one vector for a text, on an OS thread of its own.
//!
//! Invariants: the encoder is loaded, run and dropped on one thread; at most [`QUEUE`] calls wait; one whose caller has gone
//! is not run; a panic fails the call that met it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use acumen_models::encoder::Encoder as Model;
use acumen_models::{LoadOptions, ModelError, ReplicaError};
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

/// Calls that may wait.
const QUEUE: usize = 64;

/// What a caller is told to wait who meets a full queue.
const RETRY_AFTER_MS: u64 = 100;

/// The table `[encoder]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderConfig {
    /// Hugging Face folder of a BERT encoder, with its tokenizer.
    pub path: PathBuf,
    /// Threads inside one operation of libtorch.
    #[serde(default = "one")]
    pub threads: usize,
}

const fn one() -> usize {
    1
}

/// Vectors, and the tokens that were read for them.
pub(crate) type Embedded = (Vec<Vec<f32>>, usize);

type Answer = Result<Embedded, ReplicaError>;
type Job = (Vec<String>, oneshot::Sender<Answer>);

/// An encoder on its thread. Dropping it ends the thread after what it is at.
#[derive(Debug)]
pub(crate) struct Encoder(SyncSender<Job>);

impl Encoder {
    /// Loads the encoder; waits until it has loaded.
    pub(crate) async fn load(config: &EncoderConfig) -> Result<Self, ModelError> {
        let (jobs, waiting) = sync_channel(QUEUE);
        let (started, loaded) = oneshot::channel();
        let config = config.clone();
        std::thread::Builder::new()
            .name("acumen-encoder".to_owned())
            .spawn(move || {
                let options = LoadOptions { threads: Some(config.threads), ..LoadOptions::default() };
                match Model::load(&config.path, &options) {
                    Ok(model) => {
                        // Who waited may have gone; then there are no calls either.
                        let _ = started.send(Ok(()));
                        serve(&model, &waiting);
                    }
                    Err(error) => drop(started.send(Err(error))),
                }
            })
            .map_err(|error| ModelError::Engine(format!("cannot start a thread: {error}")))?;
        loaded.await.map_err(|_| ModelError::Panicked("the encoder's thread ended".to_owned()))??;
        Ok(Self(jobs))
    }

    /// One vector per text, and how many tokens were read. Dropping the future withdraws the call if it has not run yet.
    pub(crate) async fn embed(&self, texts: Vec<String>) -> Answer {
        let (reply, answer) = oneshot::channel();
        self.0.try_send((texts, reply)).map_err(|error| match error {
            TrySendError::Full(_) => ReplicaError::Overloaded { retry_after_ms: RETRY_AFTER_MS },
            TrySendError::Disconnected(_) => ReplicaError::Dead,
        })?;
        answer.await.map_err(|_| ReplicaError::Dead)?
    }
}

fn serve(model: &Model, jobs: &Receiver<Job>) {
    while let Ok((texts, reply)) = jobs.recv() {
        if reply.is_closed() {
            continue;
        }
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let answer = catch_unwind(AssertUnwindSafe(|| embed(model, &texts)))
            .unwrap_or_else(|_| Err(ModelError::Panicked("in the encoder; it goes on".to_owned())));
        // The caller may have gone meanwhile.
        let _ = reply.send(answer.map_err(ReplicaError::from));
    }
}

fn embed(model: &Model, texts: &[&str]) -> Result<Embedded, ModelError> {
    let tokens = model.tokens(texts)?;
    let read = tokens.iter().map(Vec::len).sum();
    Ok((model.embed(&tokens)?, read))
}
