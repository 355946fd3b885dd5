//! The executor as consensus sees it: what is proposed, what is voted for, what is committed.
//!
//! Invariant: a block is in the store before consensus hears of it. What consensus decides can therefore be committed
//! after any crash, and what this node proposes for a round is the same whenever it is asked.

use std::time::{SystemTime, UNIX_EPOCH};

use acumen_chain_bft::{Application, Candidate, Observation, Origin};
use acumen_chain_store::Undecided;
use acumen_protocol::codec::Encode as _;
use acumen_protocol::limits::{MAX_BLOCK_BYTES, MAX_BLOCK_TRANSACTIONS};
use acumen_protocol::{
    Block, Certificate, ConsensusPublic, Equivocation, Hash, Height, TimestampMs, ValidatorSet,
};

use crate::error::NodeError;
use crate::executor::{Executor, is_breach, wrong};

/// How far a block's time may be ahead of this node's clock to get its vote, in milliseconds. Without a bound, one
/// proposer could use up all time that there will ever be: each block must be later than the one before.
const MAX_AHEAD_MS: u64 = 10_000;

/// The node's clock. A clock before 1970 counts as 1970: block times rise anyway.
fn clock() -> TimestampMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimestampMs::new(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

impl Application for Executor {
    type Error = NodeError;

    fn genesis(&self) -> Hash {
        Self::genesis(self)
    }

    fn tip(&self) -> (Height, TimestampMs) {
        let tip = self.store().tip();
        (tip.height, tip.time)
    }

    fn validators(&self) -> Result<ValidatorSet, NodeError> {
        Self::validators(self)
    }

    /// One block for all rounds of a height in which it is this node's turn: others have it already, and need neither
    /// execute nor store a second one.
    fn propose(&self, round: u32, proposer: &ConsensusPublic) -> Result<Block, NodeError> {
        if let Some(recorded) = self.store().own_proposal(round)? {
            return Ok(recorded);
        }
        let block = self.assemble_next(proposer, clock())?;
        let (pol_round, proposer) = (None, *proposer);
        let undecided = Undecided { round, pol_round, proposer, own: true, block: block.clone() };
        self.store().record_proposal(&undecided)?;
        Ok(block)
    }

    fn assess(&self, candidate: &Candidate, origin: Origin) -> Result<bool, NodeError> {
        // Only correct blocks are recorded, and what follows the tip now did so then.
        if self.store().has_undecided(&candidate.block.header.id())? {
            return Ok(true);
        }
        match self.check(&candidate.block, origin) {
            Ok(()) => {}
            Err(NodeError::InvalidBlock { height, reason }) => {
                let proposer = &candidate.proposer;
                tracing::warn!(%height, round = candidate.round, %proposer, reason, "refused a proposed block");
                return Ok(false);
            }
            Err(error) if origin == Origin::Proposal && is_breach(&error) => {
                let (height, proposer) = (candidate.block.header.height, &candidate.proposer);
                tracing::error!(%height, round = candidate.round, %proposer, %error, "refused a proposed block that would break the books: please report it");
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
        let Candidate { round, pol_round, proposer, block } = candidate.clone();
        let undecided = Undecided { round, pol_round, proposer, own: false, block };
        match origin {
            Origin::Proposal => Ok(self.store().record_proposal(&undecided)?),
            Origin::Decided => {
                self.store().record_decided(&undecided).map(|()| true).map_err(NodeError::from)
            }
        }
    }

    fn candidates(&self) -> Result<Vec<Candidate>, NodeError> {
        let candidate = |Undecided { round, pol_round, proposer, block, .. }| Candidate {
            round,
            pol_round,
            proposer,
            block,
        };
        Ok(self.store().undecided()?.into_iter().map(candidate).collect())
    }

    fn commit(&self, certificate: Certificate) -> Result<(), NodeError> {
        Self::commit(self, certificate)
    }

    fn decided(
        &self,
        (first, last): (Height, Height),
        max_bytes: usize,
    ) -> Result<Vec<(Block, Certificate)>, NodeError> {
        let (mut blocks, mut bytes) = (Vec::new(), 0_usize);
        for height in first.get()..=last.get() {
            let Some(stored) = self.store().stored(Height::new(height))? else { break };
            let Some(certificate) = stored.certificate else { break };
            bytes = bytes.saturating_add(stored.block.encoded_size());
            if bytes > max_bytes && !blocks.is_empty() {
                break;
            }
            blocks.push((stored.block, certificate));
        }
        Ok(blocks)
    }

    fn first(&self) -> Result<Height, NodeError> {
        Ok(self.store().first_block())
    }

    fn accuse(&self, equivocation: Equivocation) -> Result<(), NodeError> {
        self.metrics().accused();
        self.evidence().put(equivocation);
        Ok(())
    }

    fn observe(&self, observation: Observation) {
        self.metrics().observed(observation);
    }
}

impl Executor {
    /// Is this a correct next block? [`NodeError::InvalidBlock`] if it is not.
    fn check(&self, block: &Block, origin: Origin) -> Result<(), NodeError> {
        let (header, tip) = (&block.header, self.store().tip());
        if header.parent != tip.id() || tip.height.next() != Some(header.height) {
            return Err(wrong(header, &"it does not follow the newest block"));
        }
        let ahead = header.time.get().saturating_sub(clock().get());
        if origin == Origin::Proposal && ahead > MAX_AHEAD_MS {
            let reason =
                format!("its time is {ahead} ms ahead of this node's clock: one of the two clocks is wrong");
            return Err(wrong(header, &reason));
        }
        if Self::validators(self)?.power(&header.proposer).is_none() {
            return Err(wrong(header, &"it was built by no validator"));
        }
        let size: usize = block.transactions.iter().map(|tx| tx.to_bytes().len()).sum();
        if block.transactions.len() > MAX_BLOCK_TRANSACTIONS || size > MAX_BLOCK_BYTES {
            return Err(wrong(header, &"it is larger than a block may be"));
        }
        self.validate(block)
    }
}

#[cfg(test)]
mod tests;
