//! What the targets do with bytes. Nothing here may panic, whatever they are; whatever is accepted must say what it says
//! again when it is written down and read once more.

use std::sync::OnceLock;

use acumen_chain_client::light::{
    Checkpoint, FinalizedBlock, LightClient, SignedHeader, check_body, verify_event, verify_value,
};
use acumen_chain_ledger::genesis::{GenesisBalance, GenesisTrack, GenesisValidator};
use acumen_chain_ledger::{Event, Genesis, Params, Rejection, StateKey};
use acumen_protocol::codec::{Decode, Encode, decode_all};
use acumen_protocol::merkle::MerkleProof;
use acumen_protocol::{
    AccountId, Block, Certificate, ConsensusKeypair, Equivocation, Hash, Header, Nacu, SignedTransaction,
    ValidatorSet,
};

fn genesis() -> Genesis {
    let key = |tag| ConsensusKeypair::from_seed(&[tag; 32]).public();
    Genesis {
        chain: "fuzz".to_owned(),
        time_ms: 1,
        params: Params { tempo_blocks: 4, ..Params::default() },
        treasury: AccountId([9; 32]),
        balances: vec![GenesisBalance { account: AccountId([1; 32]), amount: Nacu::new(5) }],
        tracks: vec![GenesisTrack { name: "t".to_owned(), owner: AccountId([9; 32]), emission_share: 1 }],
        neurons: Vec::new(),
        validators: (1..=4).map(|tag| GenesisValidator { key: key(tag), power: 1 }).collect(),
    }
}

fn light() -> &'static LightClient {
    static LIGHT: OnceLock<LightClient> = OnceLock::new();
    LIGHT.get_or_init(|| LightClient::from_genesis(&genesis()).expect("a genesis"))
}

/// The bytes of what was read from bytes are these bytes.
fn again<T: Decode + Encode>(what: &'static str, data: &[u8]) -> Option<T> {
    let value = decode_all::<T>(what, data).ok()?;
    assert_eq!(value.encode(), data, "{what} has two spellings");
    Some(value)
}

/// A header with its certificate and set, as a node sends them. No key signs here, so none may be accepted.
pub fn header(data: &[u8]) {
    if let Some(header) = again::<Header>("header", data) {
        let signed = SignedHeader { header, certificate: None, next_validators: None };
        assert!(light().clone().advance(&signed).is_err() || signed.header.height.get() == 0);
    }
    let split = data.len() / 2;
    let (head, tail) = data.split_at(split);
    if let (Ok(header), Ok(certificate)) =
        (decode_all::<Header>("header", head), decode_all::<Certificate>("certificate", tail))
    {
        let signed = SignedHeader { header, certificate: Some(certificate), next_validators: None };
        assert!(light().clone().advance(&signed).is_err() || signed.header.height.get() == 0);
    }
    if let Some(certificate) = again::<Certificate>("certificate", data) {
        assert!(certificate.verify(&light().genesis(), light().validators()).is_err(), "nobody signed");
    }
    if let Some(set) = again::<ValidatorSet>("set", data) {
        let _ = set.check();
    }
}

/// Proofs against the state root of genesis, and against the root of no events.
pub fn proof(data: &[u8]) {
    let tip = light().tip();
    let absent = StateKey::Account(AccountId([7; 32]));
    let present = StateKey::Account(AccountId([1; 32]));
    assert!(verify_value(tip, &absent, Some(b"x"), data).is_err(), "it has no value");
    assert!(verify_value(tip, &present, None, data).is_err(), "it has a value");
    let (path, event) = data.split_at(data.len().min(64) / 32 * 32);
    let path = path.chunks_exact(32).filter_map(|hash| Some(Hash(hash.try_into().ok()?))).collect();
    let at = |from: usize| event.get(from..from + 4).map_or(0, |b| u32::from_le_bytes(b.try_into().unwrap()));
    let proof = MerkleProof { index: at(0), count: at(4), path };
    assert!(verify_event(tip, event, &proof).is_err(), "genesis has no events");
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
    if let Ok(signed) = SignedTransaction::from_bytes(data) {
        assert_eq!(signed.to_bytes(), data);
        let _ = signed.verify(&light().genesis());
    }
    if let Some(evidence) = again::<Equivocation>("evidence", data) {
        assert!(evidence.verify(&light().genesis()).is_err(), "nobody signed");
    }
    again::<Block>("block", data);
    again::<Event>("event", data);
    again::<Rejection>("refusal", data);
    if let Ok(key) = StateKey::from_bytes(data) {
        assert_eq!(key.to_bytes(), data);
    }
    let signed = SignedHeader { header: light().tip().clone(), certificate: None, next_validators: None };
    let events = vec![data.to_vec()];
    assert!(check_body(&FinalizedBlock { signed, transactions: Vec::new(), events }).is_err());
}
