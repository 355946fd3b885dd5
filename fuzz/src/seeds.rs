//! What honest nodes send, as the bytes from which a target begins. Made when a target starts, so that no corpus is kept.

use std::path::Path;

use acumen_chain_client::light::{Checkpoint, FinalizedBlock, SignedHeader};
use acumen_chain_ledger::{Event, Rejection, StateKey};
use acumen_proto::chain_v1 as wire;
use acumen_protocol::codec::Encode;
use acumen_protocol::{
    AccountId, Block, Call, Equivocation, Hash, Height, Keypair, Nacu, Nonce, Transaction, ValidatorSet,
};
use prost::Message as _;

use crate::{Honest, fixture, honest};

/// Writes the seeds of target `name` into the first folder that the command line names: the target's corpus.
pub fn write(name: &str) {
    let Some(folder) = std::env::args().skip(1).find(|argument| Path::new(argument).is_dir()) else { return };
    for (index, bytes) in of(name).into_iter().enumerate() {
        let path = Path::new(&folder).join(format!("honest-{index}"));
        std::fs::write(&path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}

fn of(name: &str) -> Vec<Vec<u8>> {
    let honest = honest();
    match name {
        "header" => honest.headers.chain.iter().map(|signed| header(signed)).collect(),
        "proof" => proofs(honest),
        "text" => vec![
            honest.document.to_json().unwrap_or_default().into_bytes(),
            Checkpoint { height: Height::new(7), block: Hash([3; 32]) }.to_string().into_bytes(),
        ],
        "message" => messages(honest),
        "piece" => vec![[vec![0], honest.leaves.encode()].concat()],
        "grpc" => grpc(honest),
        #[cfg(feature = "peers")]
        other => acumen_chain_bft::fuzz::seeds(other),
        #[cfg(not(feature = "peers"))]
        _ => Vec::new(),
    }
}

fn header(signed: &SignedHeader) -> Vec<u8> {
    let SignedHeader { header, certificate, next_validators } = signed;
    (header, certificate, next_validators).encode()
}

fn proofs(honest: &Honest) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (kind, tag) in [(0, 0), (1, 7)] {
        let (_, proof) = honest.tree.prove(&StateKey::Account(AccountId([tag; 32])));
        seeds.push([vec![kind], proof].concat());
    }
    for (place, event) in (0_u32..).zip(&honest.events.0) {
        let Some(proof) = honest.events.1.prove(place) else { continue };
        seeds.push([vec![2], (proof.index, proof.count, proof.path, event).encode()].concat());
    }
    seeds
}

/// A signed transfer of the fixture's chain.
fn transfer(genesis: Hash, call: Call) -> acumen_protocol::SignedTransaction {
    let key = Keypair::from_seed(&[1; 32]);
    let (sender, nonce, valid_until) = (key.account(), Nonce::new(0), Height::new(9));
    Transaction { genesis, sender, nonce, valid_until, tip: Nacu::ZERO, call }.sign(&key)
}

fn messages(honest: &Honest) -> Vec<Vec<u8>> {
    let genesis = honest.headers.genesis;
    let pay = Call::Transfer { to: AccountId([2; 32]), amount: Nacu::new(3) };
    let signed = transfer(genesis, pay.clone());
    let batch = transfer(genesis, Call::Batch { calls: vec![pay.clone(), pay] });
    let block = Block { header: honest.headers.header(1).header.clone(), transactions: vec![signed.clone()] };
    let mut seeds = vec![signed.to_bytes(), batch.to_bytes(), block.encode(), honest.evidence.encode()];
    seeds.push(Event::Applied { id: Hash([1; 32]), fee: Nacu::new(5) }.encode());
    seeds.push(Rejection::TooManyProposals { live: 16 }.encode());
    seeds.push(StateKey::Account(AccountId([1; 32])).to_bytes());
    seeds
}

fn grpc(honest: &Honest) -> Vec<Vec<u8>> {
    let signed = honest.headers.header(4).clone();
    let pay = Call::Transfer { to: AccountId([2; 32]), amount: Nacu::new(3) };
    let transactions = vec![transfer(honest.headers.genesis, pay)];
    let block = FinalizedBlock { signed: signed.clone(), transactions, events: honest.events.0.clone() };
    let proof = honest.events.1.prove(3).map(wire::MerkleProof::from).unwrap_or_default();
    let set: ValidatorSet = fixture::set([1, 2, 3]);
    vec![
        [vec![0], wire::SignedHeader::from(signed).encode_to_vec()].concat(),
        [vec![1], wire::GetBlockResponse::from(block).encode_to_vec()].concat(),
        [vec![2], proof.encode_to_vec()].concat(),
        [vec![3], set.encode()].concat(),
    ]
}

/// Two votes of one validator for different blocks.
pub(crate) fn evidence(honest: &fixture::Headers) -> Equivocation {
    use acumen_protocol::{Signed, Vote, VoteKind};
    let key = fixture::node(2);
    let vote = |block: u8| {
        let (kind, height, voter) = (VoteKind::Precommit, Height::new(1), key.public());
        let message = Vote { kind, height, round: 0, block: Some(Hash([block; 32])), voter };
        Signed { message, signature: message.sign(&honest.genesis, &key) }
    };
    Equivocation::votes(vote(1), vote(2))
}
