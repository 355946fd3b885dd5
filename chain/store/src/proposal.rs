//! Blocks of the height after the tip that are not decided yet: this node's own proposals, on disk before they are signed,
//! and those of others, on disk before they are voted for. A restart finds them again, so no round of a height is ever
//! signed twice with different content, and whatever is decided is there to be committed.

use acumen_protocol::codec::{Decode, Encode, decode_all};
use acumen_protocol::{Block, ConsensusPublic, Hash, Height};
use redb::{ReadableTable as _, ReadableTableMetadata as _, WriteTransaction};

use crate::error::StoreError;
use crate::store::Store;
use crate::tables::{PROPOSALS, Row, proposal_key};

/// Blocks of others that are kept of one height: two of each of 32 rounds. A height with more lost rounds has worse
/// problems, and its later blocks can still be had once they are decided.
pub const MAX_UNDECIDED: u64 = 64;

/// A block that a round of its height is about.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Undecided {
    /// The round.
    pub round: u32,
    /// An earlier round in which more than 2/3 prevoted for the block, if its proposer said so.
    pub pol_round: Option<u32>,
    /// Who proposed it in this round.
    pub proposer: ConsensusPublic,
    /// True if that was this node, and the block is the one that it built for the round.
    pub own: bool,
    /// The block.
    pub block: Block,
}

impl Store {
    /// Records a block of the height after the tip; durable when this returns. An own one refuses a second, different one
    /// for the same round. `false`: there are [`MAX_UNDECIDED`] already, and this one is nobody's own.
    pub fn record_proposal(&self, undecided: &Undecided) -> Result<bool, StoreError> {
        let (height, round) = (undecided.block.header.height, undecided.round);
        let tip = self.tip();
        if tip.height.next() != Some(height) {
            return Err(StoreError::NotNext { height, tip: tip.height });
        }
        let offered = undecided.block.header.id();
        if let Some(recorded) = self.own_proposal(round)?.filter(|_| undecided.own) {
            let recorded = recorded.header.id();
            let second = StoreError::SecondProposal { height, round, recorded, offered };
            return if recorded == offered { Ok(true) } else { Err(second) };
        }
        let write = self.db.begin_write().map_err(|error| self.failed(error))?;
        let written = put_proposal(&write, height, offered, undecided).map_err(|error| self.failed(error))?;
        write.commit().map_err(|error| self.failed(error))?;
        Ok(written)
    }

    /// The block that this node has built for `round` of the height after the tip.
    pub fn own_proposal(&self, round: u32) -> Result<Option<Block>, StoreError> {
        let found = self.undecided()?.into_iter().find(|candidate| candidate.own && candidate.round == round);
        Ok(found.map(|candidate| candidate.block))
    }

    /// The blocks recorded for the height after the tip, in order of round.
    pub fn undecided(&self) -> Result<Vec<Undecided>, StoreError> {
        let table = self.read()?.open_table(PROPOSALS).map_err(|error| self.failed(error))?;
        let next = self.tip().height.get().saturating_add(1);
        let (from, to) = (next.to_be_bytes(), next.saturating_add(1).to_be_bytes());
        let range = table.range(from.as_slice()..to.as_slice()).map_err(|error| self.failed(error))?;
        let decode = |entry: Result<Row<'_>, _>| {
            let (_, bytes) = entry.map_err(|error: redb::StorageError| self.failed(error))?;
            decode_all("proposal", bytes.value()).map_err(StoreError::decode(&self.path))
        };
        range.map(decode).collect()
    }
}

fn put_proposal(
    write: &WriteTransaction,
    height: Height,
    id: Hash,
    undecided: &Undecided,
) -> Result<bool, redb::Error> {
    let mut table = write.open_table(PROPOSALS)?;
    let key = proposal_key(height.get(), undecided.round, &id.0);
    // What is there stays: an own proposal that comes back from the network is still an own one.
    if table.get(key.as_slice())?.is_some() {
        return Ok(true);
    }
    if !undecided.own && table.len()? >= MAX_UNDECIDED {
        return Ok(false);
    }
    table.insert(key.as_slice(), undecided.encode().as_slice())?;
    Ok(true)
}

/// Forgets the proposals of a height that is decided.
pub(crate) fn forget_proposals(write: &WriteTransaction, height: Height) -> Result<(), redb::Error> {
    let end = height.get().saturating_add(1).to_be_bytes();
    write.open_table(PROPOSALS)?.retain_in(..end.as_slice(), |_, _| false)?;
    Ok(())
}
