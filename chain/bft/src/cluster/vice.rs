//! What a lying validator does to its own messages on their way out. Its engine is honest; its mouth is not.

use acumen_protocol::codec::{Encode as _, decode_all};
use acumen_protocol::{Block, ConsensusKeypair, Hash, TimestampMs};
use arc_malachitebft_app_channel::app::engine::network::NetworkEvent;
use arc_malachitebft_app_channel::app::streaming::StreamContent;
use arc_malachitebft_app_channel::app::types::core::SignedMessage;
use arc_malachitebft_app_channel::app::types::streaming::StreamMessage;

use super::{GENESIS, History};
use crate::signing::Hand;
use crate::types::{Announcement, Cast, Chain, Opening, Part};

/// A way to lie.
#[derive(Clone, Debug)]
pub(crate) enum Vice {
    /// Announces blocks and never sends them.
    Withholds,
    /// Sends pieces of blocks with bits flipped.
    SendsGarbage,
    /// Announces one block to nodes with an even number and another one to the others, and sends both.
    ProposesTwice(ConsensusKeypair),
    /// Announces two blocks to everybody, and sends the first.
    AnnouncesTwice(ConsensusKeypair),
    /// Votes for what it votes for, and for nothing as well.
    VotesTwice(ConsensusKeypair),
    /// Builds blocks from a time far ahead.
    Hurries(ConsensusKeypair),
}

type Event = NetworkEvent<Chain>;

/// A time that no clock will show for a long while.
const FAR: u64 = u64::MAX / 2;

impl Vice {
    /// What `to` gets instead of `event`.
    pub(super) fn twist(&self, to: usize, event: &Event, history: &History) -> Vec<Event> {
        match (self, event) {
            (Self::Withholds, NetworkEvent::ProposalPart(..)) => Vec::new(),
            (Self::SendsGarbage, NetworkEvent::ProposalPart(from, by, message)) => {
                vec![NetworkEvent::ProposalPart(*from, *by, garble(message))]
            }
            (Self::ProposesTwice(key), NetworkEvent::Proposal(from, signed)) if to % 2 == 1 => {
                vec![NetworkEvent::Proposal(*from, announce_other(key, &signed.message, 1, history))]
            }
            (Self::ProposesTwice(key), NetworkEvent::ProposalPart(from, by, message)) if to % 2 == 1 => {
                vec![NetworkEvent::ProposalPart(*from, *by, carry_other(key, message, 1, history))]
            }
            (Self::AnnouncesTwice(key), NetworkEvent::Proposal(from, signed)) => {
                vec![
                    event.clone(),
                    NetworkEvent::Proposal(*from, announce_other(key, &signed.message, 1, history)),
                ]
            }
            (Self::Hurries(key), NetworkEvent::Proposal(from, signed)) => {
                vec![NetworkEvent::Proposal(*from, announce_other(key, &signed.message, FAR, history))]
            }
            (Self::Hurries(key), NetworkEvent::ProposalPart(from, by, message)) => {
                vec![NetworkEvent::ProposalPart(*from, *by, carry_other(key, message, FAR, history))]
            }
            (Self::VotesTwice(key), NetworkEvent::Vote(from, signed)) => {
                let mut vote = *signed.message.vote();
                vote.block = vote.block.is_none().then_some(Hash([7; 32]));
                let other = SignedMessage::new(Cast::from(vote), vote.sign(&GENESIS, key));
                vec![event.clone(), NetworkEvent::Vote(*from, other)]
            }
            _ => vec![event.clone()],
        }
    }
}

type Message = StreamMessage<Part>;

fn with(message: &Message, part: Part) -> Message {
    Message::new(message.stream_id.clone(), message.sequence, StreamContent::Data(part))
}

fn garble(message: &Message) -> Message {
    match message.content.as_data() {
        Some(Part::Piece(bytes)) => {
            with(message, Part::Piece(bytes.iter().map(|byte| byte ^ 0x55).collect()))
        }
        _ => message.clone(),
    }
}

/// The block that a liar has besides an honest one: the same, at another time.
fn other(honest: &Block, later: u64) -> Block {
    let mut other = honest.clone();
    other.header.time = TimestampMs::new(other.header.time.get().saturating_add(later));
    other
}

/// The same announcement for the other block.
fn announce_other(
    key: &ConsensusKeypair,
    honest: &Announcement,
    later: u64,
    history: &History,
) -> SignedMessage<Chain, Announcement> {
    let mut proposal = *honest.proposal();
    if let Some(block) = history.built(&proposal.block) {
        proposal.block = other(&block, later).header.id();
    }
    SignedMessage::new(Announcement::from(proposal), proposal.sign(&GENESIS, key))
}

/// The part of the other block's stream that stands where `message` does. A block travels in one piece here.
fn carry_other(key: &ConsensusKeypair, message: &Message, later: u64, history: &History) -> Message {
    match message.content.as_data() {
        Some(Part::Piece(bytes)) => match decode_all::<Block>("block", bytes) {
            Ok(block) => with(message, Part::Piece(other(&block, later).encode())),
            Err(_) => message.clone(),
        },
        Some(Part::Opening(Opening { about, .. })) => {
            let mut about = *about;
            if let Some(block) = history.built(&about.block) {
                about.block = other(&block, later).header.id();
            }
            with(message, Part::Opening(Hand { genesis: GENESIS, key: key.clone() }.open(about)))
        }
        None => message.clone(),
    }
}
