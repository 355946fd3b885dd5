//! Sending a block in parts.

use acumen_protocol::Block;
use acumen_protocol::codec::Encode as _;
use arc_malachitebft_app_channel::app::streaming::StreamContent;
use arc_malachitebft_app_channel::app::types::streaming::{StreamId, StreamMessage};

use crate::application::Candidate;
use crate::parts::PIECE;
use crate::signing::Hand;
use crate::types::{About, Opening, Part};

/// Names streams: no two of a publisher's are the same, also after a restart.
#[derive(Debug)]
pub(crate) struct Streams {
    /// Told apart from those of earlier runs of this node.
    run: u64,
    count: u64,
}

impl Streams {
    /// `run` must be new each time: the clock in nanoseconds will do.
    pub(crate) const fn new(run: u64) -> Self {
        Self { run, count: 0 }
    }

    /// The messages that carry `candidate`, which its proposer has `hand` to sign for.
    pub(crate) fn split(&mut self, candidate: &Candidate, hand: &Hand) -> Vec<StreamMessage<Part>> {
        let Candidate { round, pol_round, proposer, block } = candidate;
        let about = About {
            height: block.header.height.get(),
            round: *round,
            pol_round: *pol_round,
            proposer: *proposer,
            block: block.header.id(),
            size: u32::try_from(block.encoded_size()).unwrap_or(u32::MAX),
        };
        self.carry(hand.open(about), block)
    }

    /// The messages that carry a block which its proposer has signed already.
    pub(crate) fn carry(&mut self, opening: Opening, block: &Block) -> Vec<StreamMessage<Part>> {
        self.count = self.count.wrapping_add(1);
        let name = StreamId::new([self.run.to_be_bytes(), self.count.to_be_bytes()].concat().into());
        let (encoded, opening) = (block.encode(), std::iter::once(Part::Opening(opening)));
        let pieces = encoded.chunks(PIECE).map(|piece| Part::Piece(piece.to_vec()));
        let contents = opening.chain(pieces).map(StreamContent::Data).chain([StreamContent::Fin]);
        let message = |(sequence, content)| StreamMessage::new(name.clone(), sequence, content);
        (0..).zip(contents).map(message).collect()
    }
}
