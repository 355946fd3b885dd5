//! Streams that are not complete, in bounded memory.
//!
//! Invariant: after each call of [`Shelf::keep_within_bounds`], streams and bytes are within the bounds for each publisher
//! and in total. Streams that no proposer has opened are dropped before any that one has. Sizes in bytes.

use std::collections::{BTreeMap, BTreeSet};

use super::{MAX_ENCODED, PIECE};
use crate::types::Opening;

/// Most parts of a stream: opening, pieces, and one for a block that is no multiple.
pub(super) const MAX_PARTS: u64 = (MAX_ENCODED / PIECE) as u64 + 2;

/// Streams of one publisher at a time: a correct one has one or two for each of the next heights.
pub(super) const STREAMS_PER_PUBLISHER: usize = 16;

/// Bytes waiting from one publisher: three blocks of the largest size.
pub(super) const BYTES_PER_PUBLISHER: usize = 4 << 20;

/// Bytes waiting from all.
pub(crate) const BYTES_IN_TOTAL: usize = 64 << 20;

/// Streams of all publishers at a time. A publisher's name costs nothing, so the bound for each is none in total.
pub(crate) const STREAMS_IN_TOTAL: usize = 1_024;

/// Publisher and name of a stream.
pub(super) type Key = (Vec<u8>, Vec<u8>);

/// A stream that is not complete.
#[derive(Debug, Default)]
struct Stream {
    opening: Option<Opening>,
    pieces: BTreeMap<u64, Vec<u8>>,
    /// Sequence of the end mark: the number of parts before it.
    end: Option<u64>,
    bytes: usize,
    /// Counts up over all streams: the smallest is the oldest.
    age: u64,
    /// Nothing more is wanted of it: what still comes is forgotten at once.
    refused: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    streams: BTreeMap<Key, Stream>,
    opened: u64,
}

impl Shelf {
    fn stream(&mut self, key: &Key) -> &mut Stream {
        let opened = &mut self.opened;
        self.streams.entry(key.clone()).or_insert_with(|| {
            *opened = opened.wrapping_add(1);
            Stream { age: *opened, ..Stream::default() }
        })
    }

    /// Where the stream ends.
    pub(super) fn end(&mut self, key: &Key, sequence: u64) {
        let stream = self.stream(key);
        if stream.refused {
            self.streams.remove(key);
        } else {
            stream.end = Some(sequence);
        }
    }

    /// A piece of a block; the first one of its place stays.
    pub(super) fn piece(&mut self, key: &Key, sequence: u64, bytes: Vec<u8>) -> Result<(), &'static str> {
        if bytes.is_empty() || bytes.len() > PIECE || sequence == 0 {
            return Err("a piece has an impossible size or place");
        }
        let stream = self.stream(key);
        if !stream.refused && !stream.pieces.contains_key(&sequence) {
            stream.bytes = stream.bytes.saturating_add(bytes.len());
            stream.pieces.insert(sequence, bytes);
        }
        Ok(())
    }

    /// What the stream is about.
    pub(super) fn open(&mut self, key: &Key, opening: Opening) {
        self.stream(key).opening = Some(opening);
    }

    /// Forgets what is there of a stream, and what is still to come of it.
    pub(super) fn refuse(&mut self, key: &Key) {
        let stream = self.stream(key);
        let ended = stream.end.is_some();
        *stream = Stream { age: stream.age, refused: true, ..Stream::default() };
        if ended {
            self.streams.remove(key);
        }
    }

    /// Takes a stream out if nothing of it is missing, or if it can never be completed.
    pub(super) fn finish(&mut self, key: &Key) -> Option<(Opening, Vec<u8>)> {
        let stream = self.streams.get(key)?;
        let opening = stream.opening?;
        let size = usize::try_from(opening.about.size).unwrap_or(usize::MAX);
        let pieces = u64::try_from(stream.pieces.len()).unwrap_or(u64::MAX);
        let complete = stream.end == pieces.checked_add(1) && stream.pieces.keys().copied().eq(1..=pieces);
        if !complete && stream.bytes <= size {
            return None;
        }
        let stream = self.streams.remove(key)?;
        let block: Vec<u8> = stream.pieces.into_values().flatten().collect();
        (complete && block.len() == size).then_some((opening, block))
    }

    /// Forgets streams of blocks below `height`, and which ones were refused.
    pub(super) fn forget_below(&mut self, height: u64) {
        self.streams.retain(|_, stream| {
            !stream.refused && stream.opening.is_none_or(|opening| opening.about.height >= height)
        });
    }

    /// Drops the oldest streams of a publisher that has too much, and if all have too much, those that no proposer has
    /// opened before those of whoever has most.
    pub(super) fn keep_within_bounds(&mut self, publisher: &[u8]) {
        loop {
            let (count, bytes) = self.weight(publisher);
            if count <= STREAMS_PER_PUBLISHER && bytes <= BYTES_PER_PUBLISHER {
                break;
            }
            self.drop_oldest(publisher);
        }
        while self.streams.len() > STREAMS_IN_TOTAL || self.bytes() > BYTES_IN_TOTAL {
            if !self.drop_unopened() {
                self.drop_heaviest();
            }
        }
    }

    /// Drops the oldest stream that no proposer has opened. These go first: anybody can send them, under as many names
    /// as they like, and would otherwise push out the blocks that validators send.
    fn drop_unopened(&mut self) -> bool {
        let unopened = self.streams.iter().filter(|(_, stream)| stream.opening.is_none());
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

    /// Streams and bytes of a publisher.
    pub(super) fn weight(&self, publisher: &[u8]) -> (usize, usize) {
        self.of(publisher).fold((0, 0), |(count, bytes), (_, stream)| (count + 1, bytes + stream.bytes))
    }

    fn drop_oldest(&mut self, publisher: &[u8]) {
        let oldest = self.of(publisher).min_by_key(|(_, stream)| stream.age).map(|(key, _)| key.clone());
        if let Some(key) = oldest {
            self.streams.remove(&key);
        }
    }

    fn bytes(&self) -> usize {
        self.streams.values().map(|stream| stream.bytes).sum()
    }

    /// Streams and bytes that wait.
    #[cfg(any(test, feature = "fuzz"))]
    pub(super) fn held(&self) -> (usize, usize) {
        (self.streams.values().filter(|stream| !stream.refused).count(), self.bytes())
    }
}
