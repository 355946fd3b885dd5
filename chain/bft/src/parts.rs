//! Putting blocks together from the parts in which they travel, in whatever order, from whatever neighbour.
//!
//! Invariant: memory is bounded for each publisher and in total, whoever sends what. Only a stream that a validator of the
//! present set has opened and signed is gathered to the end; pieces that come before their opening wait within the same
//! bounds. Sizes in bytes.

use std::collections::{BTreeMap, BTreeSet};

use acumen_protocol::codec::decode_all;
use acumen_protocol::limits::MAX_BLOCK_BYTES;
use acumen_protocol::{Block, ConsensusPublic, Hash};
use arc_malachitebft_app_channel::app::streaming::StreamContent;
use arc_malachitebft_app_channel::app::types::streaming::StreamMessage;

use crate::application::Candidate;
use crate::signing::Checker;
use crate::types::{About, At, Members, Part};

/// A piece of a block: small enough to share a connection, large enough that signatures and headers do not count.
pub(crate) const PIECE: usize = 64 << 10;

/// Longest encoding of a block: its transactions, with lengths and a header to spare.
pub(crate) const MAX_ENCODED: usize = MAX_BLOCK_BYTES + (256 << 10);

/// Most parts of a stream: opening, pieces, and one for a block that is no multiple.
const MAX_PARTS: u64 = (MAX_ENCODED / PIECE) as u64 + 2;

/// Streams of one publisher at a time: a correct one has one or two for each of the next heights.
const STREAMS_PER_PUBLISHER: usize = 16;

/// Bytes waiting from one publisher: three blocks of the largest size.
const BYTES_PER_PUBLISHER: usize = 4 << 20;

/// Bytes waiting from all.
pub(crate) const BYTES_IN_TOTAL: usize = 64 << 20;

/// Streams of all publishers at a time. A publisher's name costs nothing, so the bound for each is none in total.
pub(crate) const STREAMS_IN_TOTAL: usize = 1_024;

/// Heights after the next one whose blocks are gathered already.
const HEIGHTS_AHEAD: u64 = 16;

/// Rounds after the present one of which blocks are gathered already.
const ROUNDS_AHEAD: u32 = 8;

/// Different blocks of one round that are looked at: a correct proposer has one, and a second one convicts.
const BLOCKS_PER_ROUND: usize = 2;

/// Whole blocks of future heights that wait.
const BLOCKS_WAITING: usize = 32;

/// Publisher and name of a stream.
type Key = (Vec<u8>, Vec<u8>);

/// A stream that is not complete.
#[derive(Debug, Default)]
struct Stream {
    about: Option<About>,
    pieces: BTreeMap<u64, Vec<u8>>,
    /// Sequence of the end mark: the number of parts before it.
    end: Option<u64>,
    bytes: usize,
    /// Counts up over all streams: the smallest is the oldest.
    age: u64,
}

/// All incomplete streams, and blocks that are early.
#[derive(Debug)]
pub(crate) struct Parts {
    checker: Checker,
    streams: BTreeMap<Key, Stream>,
    opened: u64,
    /// Blocks of each round that were looked at, for heights that are not committed.
    seen: BTreeMap<(u64, u32), BTreeSet<Hash>>,
    waiting: Vec<(u64, Candidate)>,
    /// The newest height of which each validator has opened a stream.
    heard: BTreeMap<ConsensusPublic, u64>,
}

/// What a part led to.
#[derive(Debug)]
pub(crate) enum Gathered {
    /// Nothing yet.
    Nothing,
    /// A whole block for this height.
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

impl Parts {
    pub(crate) fn new(checker: Checker) -> Self {
        let (streams, seen, heard) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { checker, streams, opened: 0, seen, waiting: Vec::new(), heard }
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
        let key = (publisher, message.stream_id.to_bytes().to_vec());
        if key.1.len() > 64 {
            return Gathered::Garbage("a stream's name is too long");
        }
        let (opened, sequence) = (&mut self.opened, message.sequence);
        let stream = self.streams.entry(key.clone()).or_insert_with(|| {
            *opened = opened.wrapping_add(1);
            Stream { age: *opened, ..Stream::default() }
        });
        match message.content {
            StreamContent::Fin => stream.end = Some(sequence),
            StreamContent::Data(Part::Piece(bytes)) => {
                if bytes.is_empty() || bytes.len() > PIECE || sequence == 0 {
                    return self.drop_stream(&key, "a piece has an impossible size or place");
                }
                if !stream.pieces.contains_key(&sequence) {
                    stream.bytes = stream.bytes.saturating_add(bytes.len());
                    stream.pieces.insert(sequence, bytes);
                }
            }
            StreamContent::Data(Part::Opening(opening)) => {
                let (about, accepted) = (opening.about, acceptable(&opening.about, now, set));
                // A stream too far ahead to be gathered still says how far its sender is.
                let later = about.height > now.tip.0.saturating_add(1) && set.contains(&about.sender);
                if accepted.is_ok() || later {
                    if sequence != 0 || !self.checker.opened(&opening) {
                        return self.drop_stream(&key, "an opening is not signed by its sender");
                    }
                    let newest = self.heard.entry(about.sender).or_default();
                    *newest = about.height.max(*newest);
                }
                if let Err(reason) = accepted {
                    return self.drop_stream(&key, reason);
                }
                stream.about = Some(about);
            }
        }
        if let Some((about, block)) = self.finish(&key) {
            return self.whole(about, &block);
        }
        self.keep_within_bounds(&key.0);
        Gathered::Nothing
    }

    fn drop_stream(&mut self, key: &Key, reason: &'static str) -> Gathered {
        self.streams.remove(key);
        if reason.is_empty() { Gathered::Nothing } else { Gathered::Garbage(reason) }
    }

    /// Takes a stream out if nothing of it is missing, or if it can never be completed.
    fn finish(&mut self, key: &Key) -> Option<(About, Vec<u8>)> {
        let stream = self.streams.get(key)?;
        let about = stream.about?;
        let size = usize::try_from(about.size).unwrap_or(usize::MAX);
        let pieces = u64::try_from(stream.pieces.len()).unwrap_or(u64::MAX);
        let complete = stream.end == pieces.checked_add(1) && stream.pieces.keys().copied().eq(1..=pieces);
        if !complete && stream.bytes <= size {
            return None;
        }
        let stream = self.streams.remove(key)?;
        let block: Vec<u8> = stream.pieces.into_values().flatten().collect();
        (complete && block.len() == size).then_some((about, block))
    }

    /// A block's bytes are all there: are they the block that was announced?
    fn whole(&mut self, about: About, bytes: &[u8]) -> Gathered {
        let Ok(block) = decode_all::<Block>("block", bytes) else {
            return Gathered::Garbage("a stream carries no block");
        };
        let (header, id) = (&block.header, block.header.id());
        if id != about.block || header.height.get() != about.height {
            return Gathered::Garbage("a stream carries another block than it says");
        }
        if about.pol_round.is_none() && header.proposer != about.proposer {
            return Gathered::Garbage("a new block was built by another one than its proposer");
        }
        let seen = self.seen.entry((about.height, about.round)).or_default();
        if !seen.contains(&id) && seen.len() >= BLOCKS_PER_ROUND {
            return Gathered::Garbage("a proposer has too many blocks for one round");
        }
        seen.insert(id);
        let About { height, round, pol_round, proposer, .. } = about;
        Gathered::Block(height, Box::new(Candidate { round, pol_round, proposer, block }))
    }

    /// Drops the oldest streams of a publisher that has too much, and if all have too much, those that no validator has
    /// opened before those of whoever has most.
    fn keep_within_bounds(&mut self, publisher: &[u8]) {
        loop {
            let (count, bytes) = self.weight(publisher);
            if count <= STREAMS_PER_PUBLISHER && bytes <= BYTES_PER_PUBLISHER {
                break;
            }
            self.drop_oldest(publisher);
        }
        while self.streams.len() > STREAMS_IN_TOTAL
            || self.streams.values().map(|stream| stream.bytes).sum::<usize>() > BYTES_IN_TOTAL
        {
            if !self.drop_unopened() {
                self.drop_heaviest();
            }
        }
    }

    /// Drops the oldest stream that no validator has opened. These go first: anybody can send them, under as many names
    /// as they like, and would otherwise push out the blocks that validators send.
    fn drop_unopened(&mut self) -> bool {
        let unopened = self.streams.iter().filter(|(_, stream)| stream.about.is_none());
        let oldest = unopened.min_by_key(|(_, stream)| stream.age).map(|(key, _)| key.clone());
        oldest.is_some_and(|key| self.streams.remove(&key).is_some())
    }

    /// Drops the oldest stream of whoever has most.
    fn drop_heaviest(&mut self) {
        let publishers: BTreeSet<&Vec<u8>> = self.streams.keys().map(|(publisher, _)| publisher).collect();
        let heaviest = publishers.into_iter().max_by_key(|publisher| self.weight(publisher).1).cloned();
        if let Some(heaviest) = heaviest {
            self.drop_oldest(&heaviest);
        }
    }

    fn of<'a>(&'a self, publisher: &'a [u8]) -> impl Iterator<Item = (&'a Key, &'a Stream)> {
        self.streams.iter().filter(move |((found, _), _)| found == publisher)
    }

    fn weight(&self, publisher: &[u8]) -> (usize, usize) {
        self.of(publisher).fold((0, 0), |(count, bytes), (_, stream)| (count + 1, bytes + stream.bytes))
    }

    fn drop_oldest(&mut self, publisher: &[u8]) {
        let oldest = self.of(publisher).min_by_key(|(_, stream)| stream.age).map(|(key, _)| key.clone());
        if let Some(key) = oldest {
            self.streams.remove(&key);
        }
    }

    /// Keeps a whole block of a future height.
    pub(crate) fn wait(&mut self, height: u64, candidate: Candidate) {
        let known = self.waiting.iter().any(|(at, other)| *at == height && *other == candidate);
        if !known && self.waiting.len() < BLOCKS_WAITING {
            self.waiting.push((height, candidate));
        }
    }

    /// Takes out what waited for `height`, and forgets everything older.
    pub(crate) fn due(&mut self, height: At) -> Vec<Candidate> {
        let (due, later) = std::mem::take(&mut self.waiting).into_iter().partition(|(at, _)| *at <= height.0);
        self.waiting = later;
        self.streams.retain(|_, stream| stream.about.is_none_or(|about| about.height >= height.0));
        self.seen = self.seen.split_off(&(height.0, 0));
        let due: Vec<(u64, Candidate)> = due;
        due.into_iter().filter(|(at, _)| *at == height.0).map(|(_, candidate)| candidate).collect()
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
        (self.streams.len(), self.streams.values().map(|stream| stream.bytes).sum())
    }
}

/// Is this stream worth gathering? An empty reason means: no, but nobody did anything wrong.
fn acceptable(about: &About, now: Now, set: &Members) -> Result<(), &'static str> {
    let next = now.tip.0.saturating_add(1);
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
    // The set of a later height may differ: who is new in it is heard when its height has come.
    if !set.contains(&about.sender) {
        return Err(if about.height == next { "a stream is sent by no validator" } else { "" });
    }
    if about.height == next && set.proposer(At(about.height), about.round).key() != about.proposer {
        return Err("a stream names the wrong proposer");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
