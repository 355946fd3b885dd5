//! What a lying validator does to its own messages on their way out. Its engine is honest; its mouth is not.

use acumen_protocol::codec::{Encode as _, decode_all};
use acumen_protocol::{Block, ConsensusKeypair, Hash, Header, Height, TimestampMs};
use arc_malachitebft_app_channel::app::engine::network::NetworkEvent;
use arc_malachitebft_app_channel::app::streaming::StreamContent;
use arc_malachitebft_app_channel::app::types::core::SignedMessage;
use arc_malachitebft_app_channel::app::types::streaming::{StreamId, StreamMessage};

use super::{GENESIS, History, equal};
use crate::application::Candidate;
use crate::send::Streams;
use crate::signing::Hand;
use crate::types::{Announcement, At, Cast, Chain, Members, Opening, Part};

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
    /// Sends blocks in the name of whoever's turn it is next, two for each of the next rounds and heights.
    Forges(ConsensusKeypair),
    /// Sends each of its blocks many times, each time as something new.
    Repeats,
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
            (Self::Forges(key), NetworkEvent::Vote(from, signed)) => {
                let forged = forge(key, &signed.message, history).into_iter();
                let forged = forged.map(|part| NetworkEvent::ProposalPart(*from, Some(*from), part));
                [event.clone()].into_iter().chain(forged).collect()
            }
            (Self::Repeats, NetworkEvent::ProposalPart(from, by, message)) => (0..REPETITIONS)
                .map(|n| NetworkEvent::ProposalPart(*from, *by, renamed(message, n)))
                .collect(),
            _ => vec![event.clone()],
        }
    }
}

/// How often [`Vice::Repeats`] sends each block.
pub(crate) const REPETITIONS: u8 = 20;

fn renamed(message: &Message, n: u8) -> Message {
    let name = [message.stream_id.to_bytes().as_ref(), &[n]].concat();
    Message::new(StreamId::new(name.into()), message.sequence, message.content.clone())
}

/// Blocks that the proposers of the rounds after this vote have not built, as streams of whoever has `key`.
fn forge(key: &ConsensusKeypair, vote: &Cast, history: &History) -> Vec<Message> {
    let (height, round) = (vote.vote().height.get(), vote.vote().round);
    let targets = [(height, round + 1), (height + 1, 0), (height + 1, 1), (height + 2, 0)];
    let set = Members::from(&equal(4));
    let block = |(height, round): (u64, u32), salt| {
        let proposer = set.proposer(At(height), round).key();
        let parent = history.decided(height - 1);
        // Correct, if its parent is known: whoever believes the name would vote for it.
        let since = history.built(&parent).map_or(1_000_000, |block| block.header.time.get());
        let header = Header {
            height: Height::new(height),
            parent,
            time: TimestampMs::new(since + salt),
            proposer,
            transactions_root: Hash::ZERO,
            events_root: Hash::ZERO,
            state_root: Hash::ZERO,
            validators_hash: Hash::ZERO,
            next_validators_hash: Hash::ZERO,
        };
        let block = Block { header, transactions: Vec::new() };
        let name = height * 1_000 + u64::from(round) * 10 + salt;
        let hand = Hand { genesis: GENESIS, key: key.clone() };
        Streams::new(name).split(&Candidate { round, pol_round: None, proposer, block }, &hand)
    };
    targets.into_iter().flat_map(|target| [1, 2].map(|salt| block(target, salt))).flatten().collect()
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
