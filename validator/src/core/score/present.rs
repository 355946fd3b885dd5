//! The report of a scored epoch.

use acumen_protocol::weights::Weights;

use super::answers::Answers;
use super::{Candidate, Memory, Round, Verdict};
use crate::core::plan::{Question, Source};
use crate::core::reference::Reference;
use crate::core::report::{EpochReport, Evidence, MinerReport};

pub(super) fn report(
    round: &Round<'_>,
    answers: &Answers,
    verdict: &Verdict,
    memory: &Memory,
    weights: &Weights,
) -> EpochReport {
    let steps = answers.matrix.steps();
    let collective = memory.pool.collective();
    let miner = |at: usize| miner(round, answers, verdict, memory, weights, at);
    EpochReport {
        epoch: round.epoch.get(),
        track: round.track.get(),
        validator: round.validator,
        scored_bytes: steps,
        questions: round
            .questions
            .iter()
            .map(|question| evidence(question, round.reference, steps))
            .collect(),
        miners: (0..round.candidates.len()).map(miner).collect(),
        collective_bits_per_byte: collective.bits_per_byte(),
        held_out_bytes: collective.bytes,
        generator_entropy: generator_entropy(round.questions),
    }
}

fn miner(
    round: &Round<'_>,
    answers: &Answers,
    verdict: &Verdict,
    memory: &Memory,
    weights: &Weights,
    at: usize,
) -> MinerReport {
    let Candidate { uid, hotkey, model, sheet, .. } = &round.candidates[at];
    let standing = verdict.standings[at];
    let row = answers.present.iter().position(|&present| present == at).map(|row| &answers.matrix.rows[row]);
    let loss = |probs: &[f64]| -probs.iter().map(|prob| prob.ln()).sum::<f64>() / probs.len().max(1) as f64;
    let weight = weights.entries().iter().find(|(other, _)| other == uid).map_or(0, |(_, weight)| *weight);
    let faults = sheet.as_ref().map(|sheet| sheet.refused().iter());
    let faults = faults.into_iter().flatten().map(|(kind, count)| (kind.name().to_owned(), *count));
    MinerReport {
        uid: uid.get(),
        hotkey: *hotkey,
        model: model.clone(),
        asked: sheet.is_some(),
        answered: sheet.as_ref().map_or(0, |sheet| sheet.answered() as u64),
        availability: verdict.availability[at],
        nats_per_byte: loss(row.unwrap_or(&answers.matrix.reference)),
        own_gain: standing.map_or(0.0, |standing| standing.gain),
        own_gain_low: standing.map_or(0.0, |standing| standing.low),
        own_gain_high: standing.map_or(0.0, |standing| standing.high),
        marginal: standing.map_or(0.0, |standing| standing.marginal),
        effective_bytes: standing.map_or(0.0, |standing| standing.effective_bytes),
        reward: verdict.rewards[at],
        weight,
        pool_weight: memory.pool.weight(hotkey),
        cluster: round.candidates[verdict.senior[at]].uid.get(),
        held_out_bits_per_byte: memory.pool.miner(hotkey).bits_per_byte(),
        faults: faults.collect(),
        fault: sheet.as_ref().and_then(|sheet| sheet.newest()).map(str::to_owned),
    }
}

fn evidence(question: &Question, reference: &Reference, steps: usize) -> Evidence {
    let scored = question.truth.iter().take(steps);
    let loss = scored.map(|&byte| -reference.prob(byte).ln()).sum::<f64>() / steps.max(1) as f64;
    Evidence { digest: question.digest().to_string(), source: question.source.clone(), reference: loss }
}

/// Mean over the generated documents; all have as many scored bytes.
fn generator_entropy(questions: &[Question]) -> f64 {
    let known = questions.iter().filter_map(|question| match &question.source {
        Source::Generated { entropy, .. } => *entropy,
        Source::HeldOut(_) => None,
    });
    let (sum, count) = known.fold((0.0, 0usize), |(sum, count), entropy| (sum + entropy, count + 1));
    if count == 0 { 0.0 } else { sum / count as f64 }
}
