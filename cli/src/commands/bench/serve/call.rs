//! One request, and what was seen of it.

use std::time::{Duration, Instant};

use acumen_miner_client::{ClientError, MinerClient};
use acumen_proto::inference::{Distribution, Generate, Prompt};
use futures::future::try_join_all;

use super::options::{Call, Load};

/// What was seen of one request. Times count from when it was due.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Sample {
    pub(super) outcome: Outcome,
    /// To the first token, or to the whole answer of a unary call.
    pub(super) first: Duration,
    /// Between tokens.
    pub(super) gaps: Vec<Duration>,
    /// To the end.
    pub(super) whole: Duration,
    /// Tokens generated, or distributions received.
    pub(super) tokens: u64,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Outcome {
    /// With its answer.
    #[default]
    Good,
    /// RESOURCE_EXHAUSTED: the miner says that it is busy.
    Refused,
    /// Anything else.
    Failed,
}

/// Runs request number `index`, which was due at `due`.
pub(super) async fn run(
    load: &Load,
    clients: &[MinerClient],
    index: u64,
    due: Instant,
) -> (Sample, Option<ClientError>) {
    let mut sample = Sample::default();
    let done = ask(load, clients, index, due, &mut sample).await;
    sample.whole = due.elapsed();
    match done {
        Ok(()) => (sample, None),
        Err(error) => {
            let busy = matches!(&error, ClientError::Refused { code: tonic::Code::ResourceExhausted, .. });
            sample.outcome = if busy { Outcome::Refused } else { Outcome::Failed };
            (sample, Some(error))
        }
    }
}

async fn ask(
    load: &Load,
    clients: &[MinerClient],
    index: u64,
    due: Instant,
    sample: &mut Sample,
) -> Result<(), ClientError> {
    let client = &clients[usize::try_from(index).unwrap_or(0) % clients.len()];
    match load.call {
        Call::Tokenize => {
            let ids = client.tokenize(text(load, index)).await?;
            (sample.first, sample.tokens) = (due.elapsed(), ids.len() as u64);
        }
        Call::Generate => generate(load, client, index, due, sample).await?,
        Call::Predict => predict(load, client, index, due, sample).await?,
        Call::FanOut => {
            let contexts = contexts(load, index);
            let asked = clients.iter().map(|client| client.open(contexts.clone(), top_k(load)));
            let answers = try_join_all(asked).await?;
            (sample.first, sample.tokens) = (due.elapsed(), answers.len() as u64);
        }
    }
    Ok(())
}

async fn generate(
    load: &Load,
    client: &MinerClient,
    index: u64,
    due: Instant,
    sample: &mut Sample,
) -> Result<(), ClientError> {
    let wanted = Generate {
        prompt: Prompt::Tokens(contexts(load, index).remove(0)),
        max_tokens: load.output_tokens,
        temperature: 1.0,
        top_p: 1.0,
        seed: load.seed.wrapping_add(index),
        stop_ids: Vec::new(),
        top_k: top_k(load),
    };
    let mut generation = client.generate(wanted).await?;
    let mut last = None;
    while generation.next().await?.is_some() {
        mark(sample, &mut last, due, 1);
    }
    Ok(())
}

async fn predict(
    load: &Load,
    client: &MinerClient,
    index: u64,
    due: Instant,
    sample: &mut Sample,
) -> Result<(), ClientError> {
    let (mut session, mut answer) = client.open(contexts(load, index), top_k(load)).await?;
    let mut last = None;
    mark(sample, &mut last, due, answer.len() as u64);
    for _ in 1..load.output_tokens {
        answer = session.step(answer.iter().map(likeliest).collect()).await?;
        mark(sample, &mut last, due, answer.len() as u64);
    }
    Ok(())
}

/// Notes the arrival of so many tokens.
fn mark(sample: &mut Sample, last: &mut Option<Instant>, due: Instant, tokens: u64) {
    let now = Instant::now();
    match last.replace(now) {
        None => sample.first = now.duration_since(due),
        Some(before) => sample.gaps.push(now.duration_since(before)),
    }
    sample.tokens += tokens;
}

pub(super) fn likeliest(distribution: &Distribution) -> u32 {
    let best = distribution.ids.iter().zip(&distribution.logprobs).max_by(|a, b| a.1.total_cmp(b.1));
    best.map_or(0, |(id, _)| *id)
}

pub(super) fn top_k(load: &Load) -> Option<u32> {
    (load.top_k > 0).then_some(load.top_k)
}

/// Words of printable ASCII, other ones for each request: no cache of prefixes can help by accident.
fn text(load: &Load, index: u64) -> String {
    let mut state = load.seed ^ index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let letter = |_| {
        // The generator of splitmix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        match (mixed ^ (mixed >> 31)) % 32 {
            letter @ 0..26 => char::from(b'a' + u8::try_from(letter).unwrap_or(0)),
            _ => ' ',
        }
    };
    (0..load.prompt_tokens).map(letter).collect()
}

pub(super) fn contexts(load: &Load, index: u64) -> Vec<Vec<u32>> {
    let documents = load.documents as u64;
    (0..documents)
        .map(|document| text(load, index * documents + document).bytes().map(u32::from).collect())
        .collect()
}
