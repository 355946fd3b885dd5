//! A simulated validator's judgement, by the code of the real one: who is whose copy, by distance and by what it adds; own
//! gain and marginal value, paired over epochs; the composite reward; one integer row.
//!
//! What differs from a real validator: every miner answers in full or not at all, all positions count as held out, and
//! copies are looked for only now and then (`world.recheck_epochs`). A miner that does not answer earns nothing in that
//! epoch and keeps its record.

use acumen_protocol::weights::{Weights, WeightsError};
use acumen_protocol::{AccountId, Height, Uid};
use acumen_scoring_value::cluster::ClusterError;
use acumen_scoring_value::encompass::EncompassRule;
use acumen_scoring_value::game::GameError;
use acumen_validator::core::clusters::{Measured, Near};
use acumen_validator::core::copies::{Member, rewards, seniors};
use acumen_validator::core::history::History;
use acumen_validator::core::hotkey::Hotkey;
use acumen_validator::core::matrix::{Matrix, Seat};
use acumen_validator::core::positions::{Positions, Window};
use acumen_validator::core::weights::integer;

use crate::World;
use crate::answer::Answer;

/// A registered miner's answer.
#[derive(Debug)]
pub(crate) struct Candidate {
    /// Its slot.
    pub(crate) uid: Uid,
    /// Its hotkey.
    pub(crate) hotkey: AccountId,
    /// Block of its registration.
    pub(crate) registered_at: u64,
    /// What it answered.
    pub(crate) answer: Answer,
}

/// Why answers cannot be judged: a fault of the simulation.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum JudgeError {
    /// The answers make no game.
    #[error(transparent)]
    Game(#[from] GameError),
    /// The answers cannot be compared.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The scores make no row.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

/// What one validator remembers.
#[derive(Debug)]
pub(crate) struct Judge {
    world: World,
    near: Near,
    window: Window,
    history: History,
    /// Those that were compared last, when, and who is paid in place of each.
    copies: Option<(Vec<Member>, u64, Vec<usize>)>,
}

impl Judge {
    /// Nothing is known yet.
    pub(crate) fn new(world: &World) -> Self {
        Self {
            world: *world,
            near: Near::default(),
            window: Window::default(),
            history: History::default(),
            copies: None,
        }
    }

    /// Judges an epoch's answers, in order of uid; the row to commit to.
    pub(crate) fn judge(&mut self, epoch: u64, candidates: &[Candidate]) -> Result<Weights, JudgeError> {
        if candidates.is_empty() {
            return Ok(Weights::default());
        }
        let members: Vec<Member> = candidates.iter().map(Candidate::member).collect();
        let miners: Vec<Hotkey> = members.iter().map(|member| member.hotkey).collect();
        let senior = self.seniors(epoch, &members, candidates)?;
        let matrix = self.matrix(&miners, candidates);
        let seat = |(at, &senior): (usize, &usize)| Seat { cluster: senior as u64, senior: senior == at };
        let seats: Vec<Seat> = senior.iter().enumerate().map(seat).collect();
        self.history.push(matrix.block(epoch, &seats)?);
        self.window.push(positions(&matrix));
        let half_life = self.world.half_life_epochs * self.world.tokens() as f64;
        let values = self.history.values(&miners, half_life);
        let rewards = rewards(&members, &senior, &values, self.world.alpha);
        let uids = candidates.iter().map(|candidate| candidate.uid);
        Ok(integer(&uids.zip(rewards).collect::<Vec<_>>())?)
    }

    /// Index of the miner that is paid in place of each candidate, as it was found last if that still serves.
    fn seniors(
        &mut self,
        epoch: u64,
        members: &[Member],
        candidates: &[Candidate],
    ) -> Result<Vec<usize>, ClusterError> {
        let serves = |(known, at, _): &&(Vec<Member>, u64, Vec<usize>)| {
            known == members && epoch < at.saturating_add(self.world.recheck_epochs)
        };
        if let Some((_, _, senior)) = self.copies.as_ref().filter(serves) {
            return Ok(senior.clone());
        }
        let miners = members.iter().map(|member| member.hotkey).collect();
        let outcomes = self.world.outcomes;
        let dist = |at: usize, position: usize| {
            let dists: &[f64] = &candidates[at].answer.dists;
            Some(dists[position * outcomes..(position + 1) * outcomes].to_vec())
        };
        let measured = Measured::of(miners, self.world.tokens(), dist)?;
        let links = self.near.observe(&measured, self.world.tau);
        let rule = EncompassRule { least_added: self.world.least_added, ..EncompassRule::default() };
        let senior = seniors(members, &links, &self.window, &rule);
        self.copies = Some((members.to_vec(), epoch, senior.clone()));
        Ok(senior)
    }

    /// The answers against a reference that knows nothing.
    fn matrix(&self, miners: &[Hotkey], candidates: &[Candidate]) -> Matrix {
        Matrix {
            miners: miners.to_vec(),
            rows: candidates.iter().map(|candidate| candidate.answer.probs.clone()).collect(),
            reference: vec![1.0 / self.world.outcomes as f64; self.world.tokens()],
            documents: self.world.documents,
        }
    }
}

impl Candidate {
    fn member(&self) -> Member {
        Member {
            uid: self.uid,
            hotkey: Hotkey(self.hotkey),
            registered_at: Height::new(self.registered_at),
            silent: false,
        }
    }
}

fn positions(matrix: &Matrix) -> Positions {
    let narrow = |row: &Vec<f64>| row.iter().map(|&prob| Some(prob as f32)).collect();
    Positions {
        reference: matrix.reference.iter().map(|&prob| prob as f32).collect(),
        miners: matrix.miners.iter().copied().zip(matrix.rows.iter().map(narrow)).collect(),
    }
}
