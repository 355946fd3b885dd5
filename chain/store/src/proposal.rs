//! Blocks of the height after the tip that are not decided yet: this node's own proposals, on disk before they are signed,
//! and those of others, on disk before they are voted for. A restart finds them again, so no round of a height is ever
//! signed twice with different content, and whatever is decided is there to be committed.

use acumen_protocol::codec::{Decode, DecodeError, Encode, decode_all};
use acumen_protocol::{Block, ConsensusPublic, Hash, Height};
use redb::WriteTransaction;

use crate::error::StoreError;
use crate::store::Store;
use crate::tables::{PROPOSALS, Row, proposal_key};

/// Different blocks of one proposer that are kept of one height. A correct one has built one, and may have been the first to
/// propose some of others once more; who has more of its own uses up its own places and nobody else's. What is recorded
/// stays until its height is decided: somebody may be locked on it.
pub const MAX_UNDECIDED: usize = 8;

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

/// What stands before the block in a row.
#[derive(Decode)]
struct Head {
    round: u32,
    _pol_round: Option<u32>,
    proposer: ConsensusPublic,
    own: bool,
}

impl Store {
    /// Records a block of the height after the tip; durable when this returns. An own one refuses a second, different one
    /// for the same round. One of another is recorded once, in whichever rounds it is proposed. `false`: its proposer has
    /// [`MAX_UNDECIDED`] already.
    pub fn record_proposal(&self, undecided: &Undecided) -> Result<bool, StoreError> {
        let (height, id) = self.next_height(undecided)?;
        let (round, own, proposer) = (undecided.round, undecided.own, &undecided.proposer);
        let heads = self.heads()?;
        if own {
            if let Some((recorded, _)) = heads.iter().find(|(_, head)| head.own && head.round == round) {
                let second = StoreError::SecondProposal { height, round, recorded: *recorded, offered: id };
                return if *recorded == id { Ok(true) } else { Err(second) };
            }
        } else if heads.iter().any(|(recorded, _)| *recorded == id) {
            return Ok(true);
        } else if heads.iter().filter(|(_, head)| !head.own && head.proposer == *proposer).count()
            >= MAX_UNDECIDED
        {
            return Ok(false);
        }
        self.put_proposal(height, &id, undecided)?;
        Ok(true)
    }

    /// Records a block of the height after the tip that validators have decided, whatever else is recorded; durable when
    /// this returns. There is one of a height.
    pub fn record_decided(&self, decided: &Undecided) -> Result<(), StoreError> {
        let (height, id) = self.next_height(decided)?;
        if self.has_undecided(&id)? { Ok(()) } else { self.put_proposal(height, &id, decided) }
    }

    /// True if this block is recorded for the height after the tip, in whichever round.
    pub fn has_undecided(&self, id: &Hash) -> Result<bool, StoreError> {
        Ok(self.heads()?.iter().any(|(recorded, _)| recorded == id))
    }

    /// The block that this node proposes in `round` of the height after the tip: the one that it has built for that round,
    /// or else the first one that it has built for the height.
    pub fn own_proposal(&self, round: u32) -> Result<Option<Block>, StoreError> {
        let heads = self.heads()?;
        let own = || heads.iter().filter(|(_, head)| head.own);
        let Some((id, head)) = own().find(|(_, head)| head.round == round).or_else(|| own().next()) else {
            return Ok(None);
        };
        let key = proposal_key(self.next(), head.round, &id.0);
        let table = self.read()?.open_table(PROPOSALS).map_err(|error| self.failed(error))?;
        let row = table.get(key.as_slice()).map_err(|error| self.failed(error))?;
        let decode = |bytes: &[u8]| decode_all::<Undecided>("proposal", bytes);
        let found = row.map(|row| decode(row.value()).map_err(StoreError::decode(&self.path))).transpose()?;
        Ok(found.map(|undecided| undecided.block))
    }

    /// The blocks recorded for the height after the tip, in order of round.
    pub fn undecided(&self) -> Result<Vec<Undecided>, StoreError> {
        self.each(|_, bytes| decode_all("proposal", bytes))
    }

    /// Ids and what stands before the blocks, in order of round.
    fn heads(&self) -> Result<Vec<(Hash, Head)>, StoreError> {
        self.each(|key, mut bytes| {
            let wrong = |reason: String| DecodeError { what: "proposal", reason };
            let id = key.last_chunk::<32>().ok_or_else(|| wrong(format!("a key of {} bytes", key.len())))?;
            let head = Head::decode(&mut bytes).map_err(|error| wrong(error.to_string()))?;
            Ok((Hash(*id), head))
        })
    }

    /// Every row of the height after the tip, decoded.
    fn each<T>(&self, decode: impl Fn(&[u8], &[u8]) -> Result<T, DecodeError>) -> Result<Vec<T>, StoreError> {
        let table = self.read()?.open_table(PROPOSALS).map_err(|error| self.failed(error))?;
        let next = self.next();
        let (from, to) = (next.to_be_bytes(), next.saturating_add(1).to_be_bytes());
        let range = table.range(from.as_slice()..to.as_slice()).map_err(|error| self.failed(error))?;
        let decode = |entry: Result<Row<'_>, _>| {
            let (key, bytes) = entry.map_err(|error: redb::StorageError| self.failed(error))?;
            decode(key.value(), bytes.value()).map_err(StoreError::decode(&self.path))
        };
        range.map(decode).collect()
    }

    fn next(&self) -> u64 {
        self.tip().height.get().saturating_add(1)
    }

    /// Height and id of a block, if it is of the height after the tip.
    fn next_height(&self, undecided: &Undecided) -> Result<(Height, Hash), StoreError> {
        let (header, tip) = (&undecided.block.header, self.tip());
        if tip.height.next() != Some(header.height) {
            return Err(StoreError::NotNext { height: header.height, tip: tip.height });
        }
        Ok((header.height, header.id()))
    }

    fn put_proposal(&self, height: Height, id: &Hash, undecided: &Undecided) -> Result<(), StoreError> {
        let key = proposal_key(height.get(), undecided.round, &id.0);
        let write = self.db.begin_write().map_err(|error| self.failed(error))?;
        let put = || -> Result<(), redb::Error> {
            write.open_table(PROPOSALS)?.insert(key.as_slice(), undecided.encode().as_slice())?;
            Ok(())
        };
        put().map_err(|error| self.failed(error))?;
        write.commit().map_err(|error| self.failed(error))
    }
}

/// Forgets the proposals of a height that is decided.
pub(crate) fn forget_proposals(write: &WriteTransaction, height: Height) -> Result<(), redb::Error> {
    let end = height.get().saturating_add(1).to_be_bytes();
    write.open_table(PROPOSALS)?.retain_in(..end.as_slice(), |_, _| false)?;
    Ok(())
}
