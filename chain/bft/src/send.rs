//! Sending a block in parts.

use acumen_protocol::codec::Encode as _;
use arc_malachitebft_app_channel::app::streaming::StreamContent;
use arc_malachitebft_app_channel::app::types::streaming::{StreamId, StreamMessage};

use crate::application::Candidate;
use crate::parts::PIECE;
use crate::signing::Hand;
use crate::types::{About, Part};

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

    /// The messages that carry `candidate`, signed by `hand`.
    pub(crate) fn split(&mut self, candidate: &Candidate, hand: &Hand) -> Vec<StreamMessage<Part>> {
        self.count = self.count.wrapping_add(1);
        let name = StreamId::new([self.run.to_be_bytes(), self.count.to_be_bytes()].concat().into());
        let encoded = candidate.block.encode();
        let about = About {
            height: candidate.block.header.height.get(),
            round: candidate.round,
            pol_round: candidate.pol_round,
            proposer: candidate.proposer,
            block: candidate.block.header.id(),
            size: u32::try_from(encoded.len()).unwrap_or(u32::MAX),
            sender: hand.key.public(),
        };
        let opening = std::iter::once(Part::Opening(hand.open(about)));
        let pieces = encoded.chunks(PIECE).map(|piece| Part::Piece(piece.to_vec()));
        let contents = opening.chain(pieces).map(StreamContent::Data).chain([StreamContent::Fin]);
        let message = |(sequence, content)| StreamMessage::new(name.clone(), sequence, content);
        (0..).zip(contents).map(message).collect()
    }
}
