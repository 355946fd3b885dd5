//! What the server adds to a step of the model: the same documents through the miner and through the bare model, in turn.
//!
//! The bare model runs on a thread of its own, without queue, server or signature; each step of it is followed by the same
//! step through the miner, so that whatever else the machine does meets both alike. The median of the differences is what a
//! step costs more.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use acumen_miner_client::MinerClient;
use acumen_models::{LanguageModel, Session, Token};
use anyhow::{Context as _, Result, anyhow, bail};
use serde::Serialize;

use super::call;
use super::options::{Call, Load, Target};
use super::report::Times;
use super::target::model;

/// What was seen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Overhead {
    steps: usize,
    /// Milliseconds of a step of the bare model.
    engine_ms: Times,
    /// Milliseconds of the same step through the miner.
    served_ms: Times,
    /// Milliseconds that the miner adds, step by step.
    added_ms: Times,
}

impl std::fmt::Display for Overhead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} steps, each once without a server and once through it", self.steps)?;
        write!(f, "milliseconds        mean       p50       p95       p99")?;
        let rows = [("engine", self.engine_ms), ("served", self.served_ms), ("added", self.added_ms)];
        for (name, Times { mean, p50, p95, p99 }) in rows {
            write!(f, "\n{name:<14} {mean:>9.3} {p50:>9.3} {p95:>9.3} {p99:>9.3}")?;
        }
        Ok(())
    }
}

/// Refuses what cannot be compared.
pub(super) fn check(target: &Target, load: &Load) -> Result<()> {
    if target.model.is_none() || target.miners != 1 || load.call != Call::Predict {
        bail!("--overhead compares one miner with its model: give --model and --call predict");
    }
    Ok(())
}

/// Runs `load.requests` documents of `load.output_tokens` steps, one after the other.
pub(super) async fn measure(target: &Target, load: &Load, client: &MinerClient) -> Result<Overhead> {
    let bare = Bare::start(target)?;
    let (mut engine, mut served) = (Vec::new(), Vec::new());
    for index in 0..(load.warm_up + load.requests) as u64 {
        let contexts = call::contexts(load, index);
        bare.ask(Ask::Open(contexts.clone()))?;
        let (mut session, mut answer) = client.open(contexts, call::top_k(load)).await?;
        for _ in 1..load.output_tokens {
            let tokens: Vec<Token> = answer.iter().map(call::likeliest).collect();
            let alone = bare.ask(Ask::Step(tokens.clone()))?;
            let started = Instant::now();
            answer = session.step(tokens).await?;
            if index >= load.warm_up as u64 {
                engine.push(alone);
                served.push(started.elapsed());
            }
        }
    }
    let added = served.iter().zip(&engine).map(|(served, alone)| served.saturating_sub(*alone)).collect();
    let steps = served.len();
    let times = |values| Times::of(values).context("give --output-tokens of 2 or more: no step was measured");
    Ok(Overhead { steps, engine_ms: times(engine)?, served_ms: times(served)?, added_ms: times(added)? })
}

enum Ask {
    Open(Vec<Vec<Token>>),
    Step(Vec<Token>),
}

type Answer = Result<Duration, String>;

/// The model on its thread. Dropping it ends the thread.
struct Bare {
    asks: Sender<Ask>,
    answers: Receiver<Answer>,
}

impl Bare {
    fn start(target: &Target) -> Result<Self> {
        let config = model(target);
        let (asks, waiting) = channel();
        let (answered, answers) = channel();
        std::thread::Builder::new().name("bare-model".to_owned()).spawn(move || {
            match acumen_models::load(&config.path, &config.load_options()) {
                Ok(model) => serve(model.as_ref(), &waiting, &answered),
                // Who asked has gone if this fails.
                Err(error) => drop(answered.send(Err(error.to_string()))),
            }
        })?;
        Ok(Self { asks, answers })
    }

    /// Waits for the model, blocking: nothing else has to run meanwhile.
    fn ask(&self, ask: Ask) -> Result<Duration> {
        // If the thread has ended, its last answer says why.
        let _ = self.asks.send(ask);
        let answer = tokio::task::block_in_place(|| self.answers.recv());
        answer.context("the model's thread has ended")?.map_err(|reason| anyhow!(reason))
    }
}

fn serve(model: &dyn LanguageModel, asks: &Receiver<Ask>, answers: &Sender<Answer>) {
    let mut session: Option<Box<dyn Session>> = None;
    while let Ok(ask) = asks.recv() {
        let started = Instant::now();
        let done = match ask {
            Ask::Open(contexts) => model.open(&contexts).map(|opened| session = Some(opened)),
            Ask::Step(tokens) => session.as_mut().map_or(Ok(()), |session| session.advance(&tokens)),
        };
        let took = done.map(|()| started.elapsed()).map_err(|error| error.to_string());
        if answers.send(took).is_err() {
            return;
        }
    }
}
