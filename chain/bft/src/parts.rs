//! Putting blocks together from the parts in which they travel, in whatever order, from whatever neighbour.
//!
//! Invariants: a block comes out only if the proposer of its round has signed that this is its block, and once for each
//! round, whoever sends it how often; so nobody but that proposer can use up the places of its round. Memory is bounded
//! for each publisher and in total, whoever sends what. Sizes in bytes.

mod early;
mod shelf;

use std::collections::BTreeMap;

use acumen_protocol::codec::decode_all;
use acumen_protocol::limits::MAX_BLOCK_BYTES;
use acumen_protocol::{Block, ConsensusPublic, Hash};
use arc_malachitebft_app_channel::app::streaming::StreamContent;
use arc_malachitebft_app_channel::app::types::streaming::StreamMessage;

use crate::application::Candidate;
use crate::signing::Checker;
use crate::types::{About, At, Members, Opening, Part};
use early::Early;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) use shelf::{BYTES_IN_TOTAL, STREAMS_IN_TOTAL};
use shelf::{Key, MAX_PARTS, Shelf};

/// A piece of a block: small enough to share a connection, large enough that signatures and headers do not count.
pub(crate) const PIECE: usize = 64 << 10;

/// Longest encoding of a block: its transactions, with lengths and a header to spare.
pub(crate) const MAX_ENCODED: usize = MAX_BLOCK_BYTES + (256 << 10);

/// Longest name of a stream: a correct one has 16 bytes.
const MAX_NAME: usize = 64;

/// Heights after the next one whose blocks are gathered already.
const HEIGHTS_AHEAD: u64 = 16;

/// Rounds after the present one of which blocks are gathered already.
const ROUNDS_AHEAD: u32 = 8;

/// Different blocks of one proposer that are looked at in one round: a correct one has one, and a second one convicts.
const BLOCKS_PER_ROUND: usize = 2;

/// A proposer's turn. Of a later height, it may not be that one's turn at all: it uses up nobody else's places then.
type Turn = (u64, u32, ConsensusPublic);

/// All incomplete streams, what was looked at, and blocks that are early.
#[derive(Debug)]
pub(crate) struct Parts {
    checker: Checker,
    shelf: Shelf,
    /// The openings of whole blocks of heights that are not committed, by block.
    seen: BTreeMap<Turn, BTreeMap<Hash, Opening>>,
    early: Early,
    /// The newest height of which each validator has opened a stream.
    heard: BTreeMap<ConsensusPublic, u64>,
}

/// What a part led to.
#[derive(Debug)]
pub(crate) enum Gathered {
    /// Nothing yet, or nothing new.
    Nothing,
    /// A whole block for this height, for the first time.
    Block(u64, Box<Candidate>),
    /// Something that a correct node does not send.
    Garbage(&'static str),
}

/// Where consensus is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// The newest committed height.
    pub(crate) tip: At,
    /// The round of the height after it.
    pub(crate) round: u32,
}

impl Now {
    const fn next(self) -> u64 {
        self.tip.0.saturating_add(1)
    }
}

impl Parts {
    pub(crate) fn new(checker: Checker) -> Self {
        let (seen, heard) = (BTreeMap::new(), BTreeMap::new());
        Self { checker, shelf: Shelf::default(), seen, early: Early::default(), heard }
    }

    /// Takes a part of a publisher's.
    pub(crate) fn take(
        &mut self,
        publisher: Vec<u8>,
        message: StreamMessage<Part>,
        now: Now,
        set: &Members,
    ) -> Gathered {
        if message.sequence > MAX_PARTS {
            return Gathered::Garbage("a stream is too long");
        }
        let (key, sequence) = ((publisher, message.stream_id.to_bytes().to_vec()), message.sequence);
        if key.1.len() > MAX_NAME {
            return Gathered::Garbage("a stream's name is too long");
        }
        let taken = match message.content {
            StreamContent::Fin => {
                self.shelf.end(&key, sequence);
                Ok(())
            }
            StreamContent::Data(Part::Piece(bytes)) => self.shelf.piece(&key, sequence, bytes),
            StreamContent::Data(Part::Opening(opening)) => self.open(&key, sequence, opening, now, set),
        };
        let whole = match taken {
            Err(reason) => {
                self.shelf.refuse(&key);
                Err(reason)
            }
            Ok(()) => match self.shelf.finish(&key) {
                Some((opening, block)) => self.whole(opening, &block, now, set),
                None => Ok(Gathered::Nothing),
            },
        };
        self.shelf.keep_within_bounds(&key.0);
        whole.unwrap_or_else(
            |reason| {
                if reason.is_empty() { Gathered::Nothing } else { Gathered::Garbage(reason) }
            },
        )
    }

    /// A proposer says what comes. An empty reason means: not wanted, but nobody did anything wrong.
    fn open(
        &mut self,
        key: &Key,
        sequence: u64,
        opening: Opening,
        now: Now,
        set: &Members,
    ) -> Result<(), &'static str> {
        let (about, accepted) = (opening.about, acceptable(&opening.about, now, set));
        // A stream too far ahead to be gathered still says how far its proposer is.
        let later = about.height > now.next() && set.contains(&about.proposer);
        if accepted.is_ok() || later {
            if sequence != 0 || !self.checker.opened(&opening) {
                return Err("an opening is not signed by its proposer");
            }
            let newest = self.heard.entry(about.proposer).or_default();
            *newest = about.height.max(*newest);
        }
        accepted?;
        self.room(&about)?;
        self.shelf.open(key, opening);
        Ok(())
    }

    /// Is this a block that was not looked at before, of a proposer that has no others for this round?
    fn room(&self, about: &About) -> Result<(), &'static str> {
        match self.seen.get(&(about.height, about.round, about.proposer)) {
            Some(seen) if seen.contains_key(&about.block) => Err(""),
            Some(seen) if seen.len() >= BLOCKS_PER_ROUND => {
                Err("a proposer has too many blocks for one round")
            }
            _ => Ok(()),
        }
    }

    /// A block's bytes are all there: are they the block that was announced?
    fn whole(
        &mut self,
        opening: Opening,
        bytes: &[u8],
        now: Now,
        set: &Members,
    ) -> Result<Gathered, &'static str> {
        let about = opening.about;
        // Since it was opened its height may have come, and the same block, from somebody else.
        acceptable(&about, now, set)?;
        self.room(&about)?;
        let block = decode_all::<Block>("block", bytes).map_err(|_| "a stream carries no block")?;
        let (header, id) = (&block.header, block.header.id());
        if id != about.block || header.height.get() != about.height {
            return Err("a stream carries another block than it says");
        }
        if about.pol_round.is_none() && header.proposer != about.proposer {
            return Err("a new block was built by another one than its proposer");
        }
        let About { height, round, pol_round, proposer, .. } = about;
        self.seen.entry((height, round, proposer)).or_default().insert(id, opening);
        Ok(Gathered::Block(height, Box::new(Candidate { round, pol_round, proposer, block })))
    }

    /// What the proposer of a block of a round has signed, for whoever sends the block once more.
    pub(crate) fn opening(&self, turn: Turn, block: &Hash) -> Option<Opening> {
        self.seen.get(&turn)?.get(block).copied()
    }

    /// Keeps a whole block of a future height.
    pub(crate) fn wait(&mut self, candidate: Candidate, set: &Members) {
        let Some(dropped) = self.early.wait(candidate, set) else { return };
        let header = &dropped.block.header;
        // It may come once more, when there is room.
        if let Some(seen) = self.seen.get_mut(&(header.height.get(), dropped.round, dropped.proposer)) {
            seen.remove(&header.id());
        }
    }

    /// Takes out what waited for `height`, whose set this is, and forgets everything older.
    pub(crate) fn due(&mut self, height: At, set: &Members) -> Vec<Candidate> {
        self.shelf.forget_below(height.0);
        self.seen.retain(|(at, _, _), _| *at >= height.0);
        self.early.due(height, set)
    }

    /// True if validators with more than 1/3 of the power have opened streams of heights beyond `next`: at least one of
    /// them is correct and has committed `next` already.
    pub(crate) fn ahead_of(&self, next: At, set: &Members) -> bool {
        let ahead = self.heard.iter().filter(|(_, newest)| **newest > next.0);
        set.more_than_a_third(ahead.map(|(key, _)| key))
    }

    /// Streams and bytes that wait.
    #[cfg(any(test, feature = "fuzz"))]
    pub(crate) fn held(&self) -> (usize, usize) {
        self.shelf.held()
    }
}

/// Is this stream worth gathering? An empty reason means: no, but nobody did anything wrong.
fn acceptable(about: &About, now: Now, set: &Members) -> Result<(), &'static str> {
    let next = now.next();
    if about.height < next || about.height > next.saturating_add(HEIGHTS_AHEAD) {
        return Err("");
    }
    let round = if about.height == next { now.round } else { 0 };
    if about.round > round.saturating_add(ROUNDS_AHEAD) {
        return Err("");
    }
    if usize::try_from(about.size).is_ok_and(|size| size > MAX_ENCODED) {
        return Err("a block is too large");
    }
    if about.pol_round.is_some_and(|pol_round| pol_round >= about.round) {
        return Err("a block is proposed again because of a round that has not been");
    }
    // The set of a later height may differ: who is new in it is heard when its height has come.
    if about.height > next && !set.contains(&about.proposer) {
        return Err("");
    }
    if about.height == next && set.proposer(At(about.height), about.round).key() != about.proposer {
        return Err("a stream names the wrong proposer");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
