//! What the targets of `fuzz/` do with bytes that peers send to a validator and files hold: messages, parts of blocks, the
//! log of votes. Nothing here may panic but for a broken promise. Not part of the crate unless feature `fuzz` asks for it.
#![allow(clippy::missing_panics_doc, missing_docs, reason = "a panic is how a target reports")]

use std::sync::OnceLock;

use acumen_protocol::{
    Block, Certificate, ConsensusKeypair, ConsensusPublic, ConsensusValidator, Hash, Header, Height,
    Proposal, Signed, TimestampMs, ValidatorSet, Vote, VoteKind,
};
use arc_malachitebft_app_channel::app::consensus::LivenessMsg;
use arc_malachitebft_app_channel::app::types::codec::Codec;
use arc_malachitebft_app_channel::app::types::core::{PolkaCertificate, ValidatorProof};
use arc_malachitebft_app_channel::app::types::streaming::StreamMessage;
use arc_malachitebft_app_channel::app::types::sync::{Request, Response, Status};
use arc_malachitebft_app_channel::app::types::{ProposedValue, SignedConsensusMsg};
use bytes::Bytes;
use parity_scale_codec::Encode as _;

use crate::application::Candidate;
use crate::log::Log;
use crate::parts::{BYTES_IN_TOTAL, Gathered, Now, Parts, STREAMS_IN_TOTAL};
use crate::send::Streams;
use crate::signing::{Checker, Hand};
use crate::types::{At, Chain, Members, Part};
use crate::wire::Scale;

/// The chain of everything here.
pub(crate) const GENESIS: Hash = Hash([1; 32]);

/// The height at which the parts' receiver is.
const TIP: u64 = 4;

/// The key of member `tag`, 1 to 4, or of a stranger.
pub(crate) fn hand(tag: u8) -> Hand {
    Hand { genesis: GENESIS, key: ConsensusKeypair::from_seed(&[tag; 32]) }
}

/// Whoever has this key.
pub(crate) fn hand_of(key: &ConsensusPublic) -> Hand {
    let found = (1..=4).map(hand).find(|hand| hand.key.public() == *key);
    found.unwrap_or_else(|| panic!("a member's key"))
}

/// Four validators of the same power.
pub(crate) fn members() -> Members {
    let validator = |tag| ConsensusValidator { key: hand(tag).key.public(), power: 1 };
    let set = ValidatorSet::new((1..=4).map(validator).collect()).unwrap_or_else(|error| panic!("{error}"));
    Members::from(&set)
}

/// An empty block of the round's proposer; `time` tells blocks apart.
pub(crate) fn candidate(height: u64, round: u32, time: u64) -> Candidate {
    let proposer = members().proposer(At(height), round).key();
    let header = Header {
        height: Height::new(height),
        parent: Hash([2; 32]),
        time: TimestampMs::new(time),
        proposer,
        transactions_root: Hash::ZERO,
        events_root: Hash::ZERO,
        state_root: Hash::ZERO,
        validators_hash: Hash::ZERO,
        next_validators_hash: Hash::ZERO,
    };
    Candidate { round, pol_round: None, proposer, block: Block { header, transactions: Vec::new() } }
}

/// Decodes, and if that succeeds, what is written down again is what was read; `exact`: byte by byte.
fn again<T>(bytes: Bytes, exact: bool)
where
    Scale: Codec<T>,
{
    let write = |value: &T| Scale.encode(value).unwrap_or_else(|_| panic!("what was read can be written"));
    let Ok(value) = Scale.decode(bytes.clone()) else { return };
    let written = write(&value);
    assert!(!exact || written == bytes, "two spellings");
    let Ok(value) = Scale.decode(written.clone()) else { panic!("what was written cannot be read") };
    assert_eq!(write(&value), written, "never the same twice");
}

/// Every message between validators: the first byte says which.
pub fn wire(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else { return };
    let bytes = Bytes::copy_from_slice(bytes);
    match kind % 10 {
        0 => again::<SignedConsensusMsg<Chain>>(bytes, true),
        1 => again::<LivenessMsg<Chain>>(bytes, true),
        2 => again::<StreamMessage<Part>>(bytes, true),
        3 => again::<ProposedValue<Chain>>(bytes, true),
        4 => again::<PolkaCertificate<Chain>>(bytes, true),
        5 => again::<ValidatorProof<Chain>>(bytes, true),
        6 => again::<Request<Chain>>(bytes, true),
        7 => again::<Part>(bytes, true),
        // Votes of a certificate are put in order, and a peer's name may have been longer than it need be.
        8 => again::<Response<Chain>>(bytes, false),
        _ => again::<Status<Chain>>(bytes, false),
    }
}

/// The set, blocks, and each block's messages.
type Honest = (Members, Vec<Candidate>, Vec<Vec<StreamMessage<Part>>>);

/// Blocks of the next height and of one after it, as their proposers send them.
fn honest() -> &'static Honest {
    static HONEST: OnceLock<Honest> = OnceLock::new();
    HONEST.get_or_init(|| {
        let candidates: Vec<_> = [(TIP + 1, 0), (TIP + 1, 1), (TIP + 2, 0)]
            .map(|(height, round)| candidate(height, round, height))
            .to_vec();
        let split = |candidate: &Candidate| {
            Streams::new(candidate.block.header.height.get()).split(candidate, &hand_of(&candidate.proposer))
        };
        let messages = candidates.iter().map(split).collect();
        (members(), candidates, messages)
    })
}

/// A stranger's program: which honest parts arrive, which of them altered, which bytes of its own, in which order and
/// under whose name. No block but the honest ones comes out, and memory stays bounded.
pub fn parts(data: &[u8]) {
    let (set, candidates, streams) = honest();
    let mut parts = Parts::new(Checker { genesis: GENESIS });
    let mut rest = data;
    while let Some(([kind, publisher, which, at], more)) = rest.split_first_chunk::<4>() {
        rest = more;
        let stream = &streams[usize::from(*which) % streams.len()];
        let mut message = stream[usize::from(*at) % stream.len()].clone();
        match kind % 4 {
            0 => {}
            1 => message.sequence = u64::from(*at),
            2 => {
                let (bytes, more) = rest.split_at(rest.len().min(usize::from(*at)));
                rest = more;
                let Ok(own) = Codec::<StreamMessage<Part>>::decode(&Scale, Bytes::copy_from_slice(bytes))
                else {
                    continue;
                };
                message = own;
            }
            _ => {
                let Ok(encoded) = Scale.encode(&message) else { continue };
                let mut bytes = encoded.to_vec();
                let place = usize::from(*at) % bytes.len();
                bytes[place] ^= which | 1;
                let Ok(altered) = Codec::<StreamMessage<Part>>::decode(&Scale, bytes.into()) else {
                    continue;
                };
                message = altered;
            }
        }
        let now = Now { tip: At(TIP), round: 0 };
        if let Gathered::Block(_, found) = parts.take(vec![*publisher], message, now, set) {
            assert!(candidates.contains(&found), "a block that nobody has sent");
            parts.wait(*found, set);
        }
        let (held, bytes) = parts.held();
        assert!(held <= STREAMS_IN_TOTAL && bytes <= BYTES_IN_TOTAL, "{held} streams of {bytes} bytes");
    }
    for height in [TIP + 1, TIP + 2] {
        assert!(parts.due(At(height), set).iter().all(|found| candidates.contains(found)));
    }
}

/// A log of votes with these bytes in it opens, and goes on unless it says that it is damaged.
pub fn log(data: &[u8]) {
    let path = std::env::temp_dir().join(format!("acumen-fuzz-log-{}", std::process::id()));
    let broken = |error: std::io::Error| -> Log { panic!("{error}") };
    std::fs::write(&path, data).unwrap_or_else(|error| panic!("{error}"));
    let mut log = Log::open(&path).unwrap_or_else(broken);
    if log.damaged() || log.blank() {
        let height = log.height();
        log.start(height).unwrap_or_else(|error| panic!("{error}"));
        assert!(log.records().is_empty() && !log.damaged());
    }
    log.append(b"a vote").and_then(|()| log.flush()).unwrap_or_else(|error| panic!("{error}"));
    let (height, records) = (log.height(), log.records().to_vec());
    drop(log);
    let log = Log::open(&path).unwrap_or_else(broken);
    assert!(!log.damaged(), "what was appended is damage");
    assert_eq!((log.height(), log.records()), (height, records.as_slice()));
}

/// What honest nodes send and write, for the target `name`.
#[must_use]
pub fn seeds(name: &str) -> Vec<Vec<u8>> {
    let (_, candidates, streams) = honest();
    match name {
        "wire" => messages(candidates, streams),
        "parts" => {
            let length = streams[0].len();
            let all = |publisher: u8, which: u8| {
                (0..length).flat_map(move |at| [0, publisher, which, u8::try_from(at).unwrap_or(0)])
            };
            vec![
                all(1, 0).collect(),
                all(1, 1).chain(all(2, 2)).collect(),
                all(1, 0).chain(all(2, 0)).collect(),
            ]
        }
        "log" => {
            let path = std::env::temp_dir().join(format!("acumen-fuzz-seed-{}", std::process::id()));
            let write = || {
                let mut log = Log::open(&path)?;
                log.start(7)?;
                log.append(b"one vote")?;
                log.append(b"another")?;
                log.flush()?;
                drop(log);
                let bytes = std::fs::read(&path)?;
                std::fs::remove_file(&path)?;
                Ok::<_, std::io::Error>(bytes)
            };
            vec![write().unwrap_or_else(|error| panic!("{error}"))]
        }
        _ => Vec::new(),
    }
}

fn messages(candidates: &[Candidate], streams: &[Vec<StreamMessage<Part>>]) -> Vec<Vec<u8>> {
    let Hand { key, .. } = hand(1);
    let (voter, block) = (key.public(), candidates[0].block.header.id());
    let vote = |kind| {
        let message = Vote { kind, height: Height::new(TIP + 1), round: 0, block: Some(block), voter };
        Signed { message, signature: message.sign(&GENESIS, &key) }
    };
    let message =
        Proposal { height: Height::new(TIP + 1), round: 1, block, pol_round: Some(0), proposer: voter };
    let proposal = Signed { message, signature: message.sign(&GENESIS, &key) };
    let cast = vote(VoteKind::Precommit);
    let signatures = vec![(voter, cast.signature)];
    let certificate = Certificate { height: Height::new(TIP + 1), round: 0, block, signatures };
    let polka = (TIP + 1, 0_u32, block, certificate.signatures.clone());
    let skip = (TIP + 1, 0_u32, true, vec![(VoteKind::Prevote, Some(block), voter, cast.signature)]);
    let response = (TIP + 1, vec![(candidates[0].block.encode(), certificate)]).encode();
    let mut seeds = vec![
        [vec![0, 0], cast.encode()].concat(),
        [vec![0, 1], proposal.encode()].concat(),
        [vec![1, 0], vote(VoteKind::Prevote).encode()].concat(),
        [vec![1, 1], polka.encode()].concat(),
        [vec![1, 2], skip.encode()].concat(),
        [vec![3], (TIP, 1_u32, Some(0_u32), voter, block, true).encode()].concat(),
        [vec![4], polka.encode()].concat(),
        [vec![5], (voter.0.to_vec(), vec![0_u8; 38], cast.signature).encode()].concat(),
        [vec![6], (1_u64, TIP).encode()].concat(),
        [vec![8], response].concat(),
        [vec![9], (Vec::<u8>::new(), TIP, 1_u64).encode()].concat(),
    ];
    for part in streams.iter().flatten() {
        seeds.extend(Scale.encode(part).ok().map(|bytes| [vec![2], bytes.to_vec()].concat()));
    }
    seeds
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seeds are what they say, and what is near them does no harm either.
    #[test]
    fn honest_bytes_and_their_neighbours_pass() {
        for (name, target) in [("wire", wire as fn(&[u8])), ("parts", parts), ("log", log)] {
            for seed in seeds(name) {
                target(&seed);
                for place in 0..seed.len().min(400) {
                    for bit in [1, 0x80] {
                        let mut altered = seed.clone();
                        altered[place] ^= bit;
                        target(&altered);
                    }
                    target(&seed[..place]);
                }
            }
        }
    }
}
