//! Miners of known quality for the tests: real byte models of different strength over real questions.
//!
//! A simulated miner mixes what the true process would say with its own errors: p ∝ exp(strength · s(byte) + bias), where
//! s favours the realised byte and the bias is the miner's own, fixed by its identity and the context. Copies share the
//! identity. What is scored is always computed by the code under test from these distributions.

use acumen_scoring_value::encompass::{EncompassRule, LEAST_ADDED, MIN_TOKENS};

use acumen_protocol::{AccountId, Epoch, Hash, Height, TrackId, Uid};

use super::hotkey::Hotkey;
use super::plan::{Asker, Question, Size, plan};
use super::reference::Reference;
use super::score::{Candidate, Memory, Outcome, Round, Rules, ScoreError, score};
use super::sheet::{Claim, Fault, Kind, Sheet};
use super::windows::{Recent, Text};

pub(crate) const RULES: Rules = Rules {
    alpha: 0.5,
    tau: 0.1,
    half_life_bytes: 8_192.0,
    encompass: EncompassRule { least_added: LEAST_ADDED, min_tokens: MIN_TOKENS },
};
pub(crate) const SIZE: Size = Size { documents: 16, context_bytes: 96, scored_bytes: 32 };

/// What a miner does in one epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Mood {
    Answers,
    /// Every distribution sums to 1.2.
    Overclaims,
    /// Every log-probability is NaN.
    Nan,
    /// No connection.
    Dead,
    /// The stream ends after so many steps.
    Stops(usize),
    NotAsked,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Miner {
    pub(crate) uid: u16,
    /// Copies share it.
    pub(crate) identity: u64,
    /// How much it knows.
    pub(crate) strength: f64,
    pub(crate) registered_at: u64,
    pub(crate) mood: Mood,
    /// Noise on every logit, fresh at each position: the disguise of a copy.
    pub(crate) disguise: f64,
}

impl Miner {
    pub(crate) fn new(uid: u16, strength: f64) -> Self {
        let identity = u64::from(uid);
        Self { uid, identity, strength, registered_at: u64::from(uid), mood: Mood::Answers, disguise: 0.0 }
    }

    pub(crate) fn hotkey(&self) -> Hotkey {
        Hotkey(AccountId([self.uid as u8 + 1; 32]))
    }

    fn logprobs(&self, question: &Question, step: usize) -> Vec<f32> {
        let prefix = (&question.context, &question.truth[..step]);
        // Knowledge is common (the text's own difficulty) and private (the miner's luck at this place).
        let common = unit(&Hash::of_encoded(&("difficulty", prefix)).0, 0);
        let own = Hash::of_encoded(&("luck", self.identity, prefix)).0;
        let reach = self.strength * (0.3 + 1.4 * common) * (0.4 + 1.2 * unit(&own, 1));
        let mask = Hash::of_encoded(&("disguise", self.uid, prefix)).0;
        let raw: Vec<f64> = (0..256usize)
            .map(|byte| {
                let bias =
                    2.0 * unit(&own, byte % 32) + 1.5 * f64::from(byte % 7 == self.identity as usize % 7);
                let noise = self.disguise * (2.0 * unit(&mask, byte % 32) - 1.0);
                bias + noise + if byte == usize::from(question.truth[step]) { reach } else { 0.0 }
            })
            .collect();
        let total: f64 = raw.iter().map(|x| x.exp()).sum();
        raw.iter().map(|x| (x - total.ln()) as f32).collect()
    }

    fn sheet(&self, questions: &[Question]) -> Option<Sheet> {
        let mut sheet = Sheet::new(questions.len(), SIZE.scored_bytes);
        let compared: Vec<bool> = questions.iter().map(Question::is_held_out).collect();
        let ids: Vec<u32> = (0..256).collect();
        let steps = match self.mood {
            Mood::NotAsked => return None,
            Mood::Dead => 0,
            Mood::Stops(steps) => steps,
            _ => SIZE.scored_bytes,
        };
        for step in 0..steps {
            let mut rows: Vec<Vec<f32>> = questions.iter().map(|q| self.logprobs(q, step)).collect();
            for logprob in rows.iter_mut().flatten() {
                match self.mood {
                    Mood::Overclaims => *logprob += 1.2f32.ln(),
                    Mood::Nan => *logprob = f32::NAN,
                    _ => {}
                }
            }
            let claims: Vec<Claim<'_>> =
                rows.iter().map(|logprobs| Claim { ids: &ids, logprobs, tail: 0.0 }).collect();
            let truths: Vec<u8> = questions.iter().map(|question| question.truth[step]).collect();
            sheet.record(&claims, &truths, &compared);
        }
        if steps < SIZE.scored_bytes {
            sheet.end(Fault { kind: Kind::Unreachable, reason: "connection refused".to_owned() });
        }
        Some(sheet)
    }
}

/// 0 to 1 from two bytes of a digest.
fn unit(digest: &[u8; 32], at: usize) -> f64 {
    f64::from(u16::from_le_bytes([digest[at % 32], digest[(at + 1) % 32]])) / 65_535.0
}

/// A subnet with one validator.
#[derive(Debug, Default)]
pub(crate) struct Subnet {
    pub(crate) memory: Memory,
    pub(crate) epoch: u64,
}

impl Subnet {
    pub(crate) fn epoch(&mut self, miners: &[Miner]) -> Result<Outcome, ScoreError> {
        self.epoch_by(miners, &RULES)
    }

    pub(crate) fn epoch_by(&mut self, miners: &[Miner], rules: &Rules) -> Result<Outcome, ScoreError> {
        self.epoch += 1;
        let text = include_bytes!("simulation.rs").to_vec();
        let texts = [Text { name: "simulation.rs".to_owned(), bytes: text }];
        let validator = AccountId([200; 32]);
        let asker = Asker {
            secret: &[9; 32],
            hotkey: validator,
            track: TrackId::ZERO,
            epoch: Epoch::new(self.epoch),
            attempt: 0,
        };
        let questions = plan(&asker, SIZE, &texts, &Recent::default());
        let reference = Reference::of(&texts[0].bytes);
        let candidate = |miner: &Miner| Candidate {
            uid: Uid::new(miner.uid),
            hotkey: miner.hotkey(),
            registered_at: Height::new(miner.registered_at),
            model: format!("strength {}", miner.strength),
            sheet: miner.sheet(&questions),
        };
        let round = Round {
            epoch: Epoch::new(self.epoch),
            track: TrackId::ZERO,
            validator: Hotkey(validator),
            questions: &questions,
            reference: &reference,
            candidates: miners.iter().map(candidate).collect(),
        };
        score(&mut self.memory, round, rules)
    }
}
