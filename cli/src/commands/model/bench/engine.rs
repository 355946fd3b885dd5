//! Our own engine under measurement, and the memory that bounds it.

use std::path::Path;
use std::time::Instant;

use acumen_models::{Dtype, LanguageModel, LoadOptions, ModelError, Session, Token, load};
use anyhow::Result;

use super::{Plan, What};

/// Bytes that the memory's speed is measured over: far more than caches hold.
const SWEEP_BYTES: usize = 512 << 20;

/// A model in one number format.
pub(super) struct Engine {
    model: Box<dyn LanguageModel>,
    dtype: Dtype,
    plan: Plan,
    /// Prompts that have been read: none is read twice, because a prefix that is known costs nothing.
    prompts: usize,
}

impl Engine {
    pub(super) fn load(path: &Path, dtype: Dtype, plan: &Plan) -> Result<Self> {
        let most = plan.batches.iter().copied().max().unwrap_or(1).max(2);
        let options = LoadOptions {
            threads: Some(plan.threads),
            dtype,
            // Room for every sequence and for the prompts that the prefix cache keeps.
            cache_tokens: Some(((plan.prompt + plan.steps + 2) * most * 2).next_power_of_two().max(1024)),
            ..LoadOptions::default()
        };
        let mut engine = Self { model: load(path, &options)?, dtype, plan: plan.clone(), prompts: 0 };
        // Kernels, allocator and page cache are warm before anything counts.
        engine.prefill()?;
        engine.decode(2, 2)?;
        Ok(engine)
    }

    pub(super) fn dtype(&self) -> Dtype {
        self.dtype
    }

    pub(super) fn step_bytes(&self) -> Option<usize> {
        self.model.step_bytes()
    }

    pub(super) fn measure(&mut self, what: What, _round: usize) -> Result<f64> {
        match what {
            What::Prefill => self.prefill(),
            What::Decode(batch) => self.decode(batch, self.plan.steps),
        }
    }

    /// A prompt that begins as no other does.
    fn next_prompt(&mut self) -> Vec<Token> {
        self.prompts += 1;
        let vocab = self.model.info().vocab as usize;
        let token = |index: usize| (self.prompts * 7919 + index * 104_729 + 13) % vocab;
        (0..self.plan.prompt).map(|index| Token::try_from(token(index)).unwrap_or(0)).collect()
    }

    fn prefill(&mut self) -> Result<f64> {
        let prompt = self.next_prompt();
        let start = Instant::now();
        drop(self.model.open(&[prompt])?);
        Ok(self.plan.prompt as f64 / start.elapsed().as_secs_f64())
    }

    fn decode(&mut self, batch: usize, steps: usize) -> Result<f64> {
        let prompts: Vec<_> = (0..batch).map(|_| self.next_prompt()).collect();
        let sessions = prompts.into_iter().map(|prompt| self.model.begin(&[prompt]));
        let mut sessions = sessions.collect::<Result<Vec<Box<dyn Session>>, _>>()?;
        settle(self.model.as_ref(), &mut sessions)?;
        let start = Instant::now();
        for _ in 0..steps {
            for session in &mut sessions {
                let next = session.take().first().map_or(0, |row| likeliest(row));
                session.begin(&[next])?;
            }
            settle(self.model.as_ref(), &mut sessions)?;
        }
        Ok((batch * steps) as f64 / start.elapsed().as_secs_f64())
    }
}

fn likeliest(row: &[f32]) -> Token {
    let best = row.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    best.and_then(|(id, _)| Token::try_from(id).ok()).unwrap_or(0)
}

/// Steps until every session has its predictions.
fn settle(model: &dyn LanguageModel, sessions: &mut [Box<dyn Session>]) -> Result<(), ModelError> {
    loop {
        let mut ready = true;
        for session in sessions.iter_mut() {
            ready &= session.poll()?;
        }
        if ready {
            return Ok(());
        }
        model.step()?;
    }
}

/// Bytes per second that the threads read from memory together: the best of a few sweeps over a large buffer.
pub(super) fn bandwidth(threads: usize) -> f64 {
    // Written once, so that every page is there.
    let buffer: Vec<u64> = (0..SWEEP_BYTES as u64 / 8).collect();
    let share = buffer.len().div_ceil(threads);
    let sweep = || {
        let start = Instant::now();
        std::thread::scope(|scope| {
            for part in buffer.chunks(share) {
                scope.spawn(move || std::hint::black_box(sum(part)));
            }
        });
        SWEEP_BYTES as f64 / start.elapsed().as_secs_f64()
    };
    (0..5).map(|_| sweep()).fold(0.0, f64::max)
}

/// Eight sums side by side, so that reading and not adding takes the time.
fn sum(part: &[u64]) -> u64 {
    let mut sums = [0u64; 8];
    for chunk in part.chunks_exact(8) {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum = sum.wrapping_add(*value);
        }
    }
    sums.iter().fold(0, |all, one| all.wrapping_add(*one))
}
