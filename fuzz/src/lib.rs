//! What the targets do with bytes. Nothing here may panic, whatever they are; whatever is accepted must say what it says
//! again when it is written down and read once more, and nothing is accepted that the honest fixture has not signed.

#[path = "../../chain/client/tests/fixture/mod.rs"]
mod fixture;
pub mod seeds;

use std::sync::OnceLock;

use acumen_chain_client::light::{
    Checkpoint, FinalizedBlock, LightClient, SignedHeader, check_body, verify_event, verify_value,
};
use acumen_chain_ledger::{Event, Genesis, Rejection, StateKey};
use acumen_chain_store::{Branch, Piece, Prefix};
use acumen_proto::chain_v1 as wire;
use acumen_protocol::codec::{Decode, Encode, decode_all};
use acumen_protocol::merkle::{MerkleProof, MerkleTree};
use acumen_protocol::{
    AccountId, Block, Certificate, Equivocation, Hash, Header, SignedTransaction, ValidatorSet,
};
use prost::Message as _;

/// A chain of five blocks: a state and events in block 1, another set after block 3. Keys 1 to 6 sign.
struct Honest {
    document: Genesis,
    headers: fixture::Headers,
    tree: fixture::Tree,
    events: (Vec<Vec<u8>>, MerkleTree),
    evidence: Equivocation,
    leaves: Vec<(Vec<u8>, Vec<u8>)>,
    light: LightClient,
}

fn honest() -> &'static Honest {
    static HONEST: OnceLock<Honest> = OnceLock::new();
    HONEST.get_or_init(|| {
        let document = fixture::genesis(1..=4);
        let (tree, events) = (fixture::Tree::new(100), fixture::events(11));
        let mut headers = fixture::Headers::new(&document, &[1, 2, 3, 4]);
        headers.push(&[1, 2, 3, 4], tree.root, events.1.root());
        headers.grow(1);
        headers.push(&[3, 4, 5, 6], Hash::ZERO, Hash::ZERO);
        headers.grow(2);
        let mut leaves: Vec<_> =
            tree.values.iter().filter_map(|(key, value)| Some((key.clone(), value.clone()?))).collect();
        leaves.sort_by_key(|(key, _)| acumen_chain_ledger::tree::key_hash(key).0);
        let light = LightClient::from_genesis(&document).expect("a genesis");
        let evidence = seeds::evidence(&headers);
        Honest { document, headers, tree, events, evidence, leaves, light }
    })
}

/// The bytes of what was read from bytes are these bytes.
fn again<T: Decode + Encode>(what: &'static str, data: &[u8]) -> Option<T> {
    let value = decode_all::<T>(what, data).ok()?;
    assert_eq!(value.encode(), data, "{what} has two spellings");
    Some(value)
}

/// A header with its certificate and set, as a node sends them. Only the honest ones may be accepted.
pub fn header(data: &[u8]) {
    let Honest { headers, light, .. } = honest();
    let known = |header: &Header| headers.chain.iter().any(|signed| signed.header == *header);
    type Form = (Header, Option<Certificate>, Option<ValidatorSet>);
    if let Some((header, certificate, next_validators)) = again::<Form>("signed header", data) {
        let signed = SignedHeader { header, certificate, next_validators };
        let mut light = light.clone();
        if light.advance(&signed).is_ok() {
            assert!(known(&signed.header), "a header that nobody signed");
            // The set that was taken over is the honest one: what comes next is verified with it.
            for next in headers.chain.iter().filter(|next| next.header.height > signed.header.height) {
                light.advance(next).expect("the honest chain goes on");
            }
        }
    }
    if let Some(certificate) = again::<Certificate>("certificate", data)
        && certificate.verify(&light.genesis(), light.validators()).is_ok()
    {
        assert!(headers.chain.iter().any(|signed| signed.header.id() == certificate.block), "nobody signed");
    }
    if let Some(set) = again::<ValidatorSet>("set", data) {
        let _ = set.check();
    }
}

/// Proofs against the state root and the events root of block 1; the first byte says of what.
pub fn proof(data: &[u8]) {
    let Honest { headers, tree, events, .. } = honest();
    let header = &headers.header(1).header;
    let Some((kind, bytes)) = data.split_first() else { return };
    let absent = StateKey::Account(AccountId([7; 32]));
    let present = StateKey::Account(AccountId([0; 32]));
    match kind % 3 {
        0 => {
            let value = tree.prove(&present).0;
            let _ = verify_value(header, &present, value.as_deref(), bytes);
            assert!(verify_value(header, &present, None, bytes).is_err(), "it has a value");
            assert!(verify_value(header, &present, Some(b"x"), bytes).is_err(), "it has another value");
        }
        1 => {
            let _ = verify_value(header, &absent, None, bytes);
            assert!(verify_value(header, &absent, Some(b"x"), bytes).is_err(), "it has no value");
        }
        _ => {
            type Form = (u32, u32, Vec<Hash>, Vec<u8>);
            let Ok((index, count, path, event)) = decode_all::<Form>("event with proof", bytes) else {
                return;
            };
            if verify_event(header, &event, &MerkleProof { index, count, path }).is_ok() {
                assert_eq!(
                    events.0.get(index as usize),
                    Some(&event),
                    "an event that did not happen, or elsewhere"
                );
            }
        }
    }
}

/// What people paste and files hold.
pub fn text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(checkpoint) = text.parse::<Checkpoint>() {
        assert_eq!(checkpoint.to_string().parse::<Checkpoint>().as_ref(), Ok(&checkpoint));
    }
    if let Ok(genesis) = Genesis::from_json(text) {
        let hash = genesis.hash().expect("a checked genesis has a hash");
        let again = Genesis::from_json(&genesis.to_json().expect("it can be written")).expect("and read");
        assert_eq!(again.hash().as_ref(), Ok(&hash));
    }
}

/// What peers gossip and send, and what blocks hold.
pub fn message(data: &[u8]) {
    let Honest { light, evidence, headers, .. } = honest();
    if let Ok(signed) = SignedTransaction::from_bytes(data) {
        assert_eq!(signed.to_bytes(), data);
        let _ = signed.verify(&light.genesis());
    }
    if let Some(found) = again::<Equivocation>("evidence", data)
        && found.verify(&light.genesis()).is_ok()
    {
        assert_eq!(found, *evidence, "nobody signed");
    }
    again::<Block>("block", data);
    again::<Event>("event", data);
    again::<Rejection>("refusal", data);
    if let Ok(key) = StateKey::from_bytes(data) {
        assert_eq!(key.to_bytes(), data);
    }
    let signed =
        SignedHeader { header: headers.header(2).header.clone(), certificate: None, next_validators: None };
    let events = vec![data.to_vec()];
    assert!(check_body(&FinalizedBlock { signed, transactions: Vec::new(), events }).is_err());
}

/// A piece of a state, as a new node receives it: only what the root commits to is accepted.
pub fn piece(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else { return };
    let Honest { tree, leaves, .. } = honest();
    let piece = if kind % 2 == 0 {
        let Ok(leaves) = decode_all("leaves", bytes) else { return };
        Piece::Leaves(leaves)
    } else {
        let Ok(branches) = decode_all::<Vec<Option<Branch>>>("branches", bytes) else { return };
        Piece::Branches(branches)
    };
    if piece.verify(&Prefix::root(), &tree.root).is_ok()
        && let Piece::Leaves(found) = &piece
    {
        assert_eq!(found, leaves, "another state with the same root");
    }
    if let Ok(prefix) = Prefix::new(bytes.to_vec()) {
        assert_eq!(prefix.nibbles(), bytes);
        let _ = piece.verify(&prefix, &tree.root);
    }
}

/// Answers of a node over gRPC; the first byte says which. What is accepted stays the same on the wire and back.
pub fn grpc(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else { return };
    match kind % 4 {
        0 => {
            let Ok(message) = wire::SignedHeader::decode(bytes) else { return };
            let Ok(signed) = SignedHeader::try_from(message) else { return };
            assert_eq!(
                SignedHeader::try_from(wire::SignedHeader::from(signed.clone())).as_ref(),
                Ok(&signed)
            );
        }
        1 => {
            let Ok(message) = wire::GetBlockResponse::decode(bytes) else { return };
            let Ok(block) = FinalizedBlock::try_from(message) else { return };
            let again = FinalizedBlock::try_from(wire::GetBlockResponse::from(block.clone()));
            assert_eq!(again.as_ref(), Ok(&block));
            let _ = check_body(&block);
        }
        2 => {
            let Ok(message) = wire::MerkleProof::decode(bytes) else { return };
            let Ok(proof) = MerkleProof::try_from(message) else { return };
            assert_eq!(MerkleProof::try_from(wire::MerkleProof::from(proof.clone())).as_ref(), Ok(&proof));
        }
        _ => {
            if let Ok(set) = acumen_proto::chain::validator_set(bytes) {
                assert_eq!(set.encode(), bytes);
            }
        }
    }
}
