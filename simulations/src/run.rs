//! Playing a scenario. An epoch's first block holds registrations and the reveals of what was committed in the epoch
//! before; then validators evaluate, and commit in the second block; the last block ends the epoch.

use std::time::{Duration, Instant};

use acumen_chain_ledger::{EpochRecord, StateKey, WeightsRow};
use acumen_protocol::transaction::VerifiedTransaction;
use acumen_protocol::weights::Weights;
use acumen_protocol::{Call, Epoch, Nacu, Uid};
use acumen_validator::core::weights::integer;
use rayon::prelude::*;

use crate::answer::{Asker, Miners};
use crate::ballot::{Revealed, Slot, ask, mean_row};
use crate::cast::{Actor, TRACK, actors, genesis};
use crate::chain::{Chain, ChainError};
use crate::judge::{Judge, JudgeError};
use crate::result::{RunResult, Timing};
use crate::seeded::bytes;
use crate::tally::Tally;
use crate::{Scenario, ValidatorBehaviour};

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// More than there is to know.
    #[error(
        "miner {miner}: quality {quality} is above the {most:.3} nats per token that this world holds: lower it or raise world.sharpness"
    )]
    Quality {
        /// The miner.
        miner: usize,
        /// What was asked for.
        quality: f64,
        /// What is possible.
        most: f64,
    },
    /// The ledger refused something.
    #[error("epoch {epoch}: {source}")]
    Chain {
        /// When.
        epoch: u64,
        /// What. In a box because it can be large, and every result would be.
        source: Box<ChainError>,
    },
    /// Answers could not be judged.
    #[error("epoch {epoch}: {source}")]
    Judge {
        /// When.
        epoch: u64,
        /// What.
        source: JudgeError,
    },
}

impl RunError {
    fn chain(epoch: u64, source: ChainError) -> Self {
        Self::Chain { epoch, source: Box::new(source) }
    }
}

/// A row waiting to be revealed.
#[derive(Debug)]
struct Promise {
    weights: Weights,
    salt: [u8; 32],
}

/// A validator's memory.
#[derive(Debug)]
struct Mind {
    judge: Judge,
    /// What a lazy one repeats.
    fixed: Option<Weights>,
    promise: Option<Promise>,
}

struct Play<'a> {
    scenario: &'a Scenario,
    chain: Chain,
    actors: Vec<Actor>,
    miners: Miners<'a>,
    minds: Vec<Mind>,
    tally: Tally,
    scoring: Duration,
}

/// Plays `scenario`; `progress` hears of each finished epoch.
///
/// # Errors
/// See [`RunError`].
pub fn run(scenario: &Scenario, progress: &mut dyn FnMut(u64)) -> Result<RunResult, RunError> {
    let begin = Instant::now();
    let mut play = Play::new(scenario)?;
    for epoch in 1..=scenario.epochs {
        play.epoch(epoch)?;
        progress(epoch);
    }
    let (signing, ledger) = (play.chain.signing, play.chain.ledger);
    let timing = Timing { total: begin.elapsed(), signing, ledger, scoring: play.scoring };
    Ok(play.tally.finish(scenario, &play.actors, timing))
}

impl<'a> Play<'a> {
    fn new(scenario: &'a Scenario) -> Result<Self, RunError> {
        let actors = actors(scenario);
        let chain = Chain::new(&genesis(scenario, &actors));
        let mut chain = chain.map_err(|source| RunError::chain(0, source))?;
        let audit = chain.audit().map_err(|source| RunError::chain(0, source))?;
        let mind = || Mind { judge: Judge::new(&scenario.world), fixed: None, promise: None };
        Ok(Self {
            scenario,
            chain,
            actors,
            miners: Miners::new(scenario)?,
            minds: scenario.validators.iter().map(|_| mind()).collect(),
            tally: Tally::new(&audit),
            scoring: Duration::ZERO,
        })
    }

    fn epoch(&mut self, epoch: u64) -> Result<(), RunError> {
        let chain = |source| RunError::chain(epoch, source);
        let mut first = self.reveals().map_err(chain)?;
        first.extend(self.registrations(epoch).map_err(chain)?);
        self.block(&first).map_err(chain)?;
        let begin = Instant::now();
        let rows = self.rows(epoch)?;
        self.scoring += begin.elapsed();
        let commits = self.commits(epoch, rows).map_err(chain)?;
        self.block(&commits).map_err(chain)?;
        for _ in 2..self.scenario.tempo_blocks {
            self.block(&[]).map_err(chain)?;
        }
        self.close(epoch).map_err(chain)
    }

    fn block(&mut self, transactions: &[VerifiedTransaction]) -> Result<(), ChainError> {
        let failed = self.chain.advance(transactions)?;
        self.tally.block(transactions.len(), failed.len());
        Ok(())
    }

    fn uid(&self, actor: usize) -> Result<Option<Uid>, ChainError> {
        Ok(self.chain.view().uid_of(TRACK, self.actors[actor].hotkey.account)?)
    }

    fn reveals(&mut self) -> Result<Vec<VerifiedTransaction>, ChainError> {
        let mut transactions = Vec::new();
        for validator in 0..self.minds.len() {
            let Some(Promise { weights, salt }) = self.minds[validator].promise.take() else { continue };
            if self.uid(validator)?.is_some() {
                let call = Call::RevealWeights { track: TRACK, weights, salt };
                transactions.push(self.chain.sign(&mut self.actors[validator].hotkey, call)?);
            }
        }
        Ok(transactions)
    }

    /// Those that are due and have no slot: also again, if the track was full.
    fn registrations(&mut self, epoch: u64) -> Result<Vec<VerifiedTransaction>, ChainError> {
        let mut transactions = Vec::new();
        for index in 0..self.actors.len() {
            let due = self.actors[index].joins > 0 && self.actors[index].joins <= epoch;
            let hotkey = self.actors[index].hotkey.account;
            if !due || self.chain.view().hotkey(hotkey)?.is_some() {
                continue;
            }
            let max_price = self.scenario.params.max_price;
            let coldkey = &mut self.actors[index].coldkey;
            transactions.push(self.chain.sign(coldkey, Call::Register { track: TRACK, hotkey, max_price })?);
            let amount = self.actors[index].stake;
            if amount > Nacu::ZERO {
                let coldkey = &mut self.actors[index].coldkey;
                transactions.push(self.chain.sign(coldkey, Call::Stake { hotkey, amount })?);
            }
        }
        Ok(transactions)
    }

    /// What each validator wants to commit to.
    fn rows(&mut self, epoch: u64) -> Result<Vec<Option<Weights>>, RunError> {
        let slots = self.slots().map_err(|source| RunError::chain(epoch, source))?;
        let revealed = self.revealed().map_err(|source| RunError::chain(epoch, source))?;
        let (scenario, miners) = (self.scenario, &self.miners);
        let rows = self.minds.par_iter_mut().enumerate().map(|(validator, mind)| {
            let asker = Asker { epoch, validator, stake_acu: scenario.validators[validator].stake_acu };
            match &scenario.validators[validator].behaviour {
                ValidatorBehaviour::Honest => {
                    mind.judge.judge(epoch, &ask(scenario, miners, &slots, asker)).map(Some)
                }
                ValidatorBehaviour::Lazy => {
                    if mind.fixed.is_none() {
                        mind.fixed = Some(mind.judge.judge(epoch, &ask(scenario, miners, &slots, asker))?);
                    }
                    Ok(mind.fixed.clone())
                }
                ValidatorBehaviour::Copier => Ok(Some(integer(&mean_row(&revealed, validator))?)),
                ValidatorBehaviour::Colluder(favours) => {
                    let favoured = slots.iter().filter(|slot| favours.contains(&slot.miner));
                    Ok(Some(integer(&favoured.map(|slot| (slot.uid, 1.0)).collect::<Vec<_>>())?))
                }
                ValidatorBehaviour::Silent => Ok(None),
            }
        });
        rows.collect::<Result<_, JudgeError>>().map_err(|source| RunError::Judge { epoch, source })
    }

    /// The registered miners.
    fn slots(&self) -> Result<Vec<Slot>, ChainError> {
        let validators = self.minds.len();
        let mut slots = Vec::with_capacity(self.scenario.miners.len());
        for miner in 0..self.scenario.miners.len() {
            if let Some(uid) = self.uid(validators + miner)? {
                let registered_at = self.chain.view().neuron(TRACK, uid)?.registered_at.get();
                let hotkey = self.actors[validators + miner].hotkey.account;
                slots.push(Slot { miner, uid, hotkey, registered_at });
            }
        }
        Ok(slots)
    }

    /// Each validator's stake and the row that it has revealed last.
    fn revealed(&self) -> Result<Vec<Option<Revealed>>, ChainError> {
        (0..self.minds.len())
            .map(|validator| {
                let Some(uid) = self.uid(validator)? else { return Ok(None) };
                let view = self.chain.view();
                let row: Option<WeightsRow> = view.get(&StateKey::Weights { track: TRACK, uid })?;
                let stake = view
                    .hotkey(self.actors[validator].hotkey.account)?
                    .map_or(Nacu::ZERO, |info| info.total_stake);
                Ok(row.map(|row| Revealed { stake, weights: row.weights }))
            })
            .collect()
    }

    fn commits(
        &mut self,
        epoch: u64,
        rows: Vec<Option<Weights>>,
    ) -> Result<Vec<VerifiedTransaction>, ChainError> {
        let mut transactions = Vec::new();
        for (validator, weights) in rows.into_iter().enumerate() {
            let Some(weights) = weights.filter(|weights| !weights.entries().is_empty()) else { continue };
            if self.uid(validator)?.is_none() {
                continue;
            }
            let salt = bytes(self.scenario.seed, "salt", [validator as u64, epoch, 0]);
            let hotkey = &mut self.actors[validator].hotkey;
            let commitment = weights.commitment(&hotkey.account, TRACK, Epoch::new(epoch), &salt);
            transactions.push(self.chain.sign(hotkey, Call::CommitWeights { track: TRACK, commitment })?);
            self.minds[validator].promise = Some(Promise { weights, salt });
        }
        Ok(transactions)
    }

    fn close(&mut self, epoch: u64) -> Result<(), ChainError> {
        let key = StateKey::EpochRecord { track: TRACK, epoch: Epoch::new(epoch) };
        let record: EpochRecord = self.chain.view().need(&key)?;
        let audit = self.chain.audit()?;
        let revealed = self.revealed()?;
        self.tally.epoch(&record, &audit, &self.actors, &mean_row(&revealed, usize::MAX));
        Ok(())
    }
}
