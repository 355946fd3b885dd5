//! What everybody owns is kept up to date, and a block that makes or loses a base unit is not committed.

use std::path::Path;

use acumen_chain_ledger::genesis::{GenesisBalance, GenesisTrack, GenesisValidator};
use acumen_chain_ledger::{Account, Changes, Genesis, Params, StateKey, audit};
use acumen_chain_store::{Options, Store, StoreError, StoredBlock};
use acumen_protocol::codec::Encode as _;
use acumen_protocol::{
    AccountId, Block, Certificate, ConsensusKeypair, Hash, Height, Nacu, Nonce, TimestampMs,
};
use redb::TableDefinition;

const A: AccountId = AccountId([1; 32]);
const B: AccountId = AccountId([2; 32]);

fn genesis() -> Genesis {
    let balance = |account| GenesisBalance { account, amount: Nacu::new(1_000) };
    Genesis {
        chain: "supply".to_owned(),
        time_ms: 1,
        params: Params::default(),
        treasury: A,
        balances: vec![balance(A), balance(B)],
        tracks: vec![GenesisTrack { name: "bytes".to_owned(), owner: A, emission_share: 1 }],
        neurons: Vec::new(),
        validators: vec![GenesisValidator { key: ConsensusKeypair::from_seed(&[7; 32]).public(), power: 1 }],
    }
}

fn open(dir: &Path) -> Store {
    Store::open(dir, &genesis(), Options::default()).unwrap()
}

fn balances(a: u64, b: u64) -> Changes {
    let account = |free| Some(Account { free: Nacu::new(free), nonce: Nonce::ZERO }.encode());
    Changes::from([
        (StateKey::Account(A).to_bytes(), account(a)),
        (StateKey::Account(B).to_bytes(), account(b)),
    ])
}

fn commit(store: &Store, changes: Changes) -> Result<(), StoreError> {
    let tip = store.tip();
    let height = tip.height.next().unwrap();
    let prepared = store.prepare(changes).unwrap();
    let (parent, time, state_root) = (tip.id(), TimestampMs::new(height.get() + 1), prepared.root());
    let header =
        acumen_protocol::Header { height, parent, time, state_root, transactions_root: Hash::ZERO, ..tip };
    let certificate = Certificate { height, round: 0, block: header.id(), signatures: Vec::new() };
    let block = StoredBlock {
        block: Block { header, transactions: Vec::new() },
        certificate: Some(certificate),
        next_validators: None,
        events: Vec::new(),
        audit: None,
    };
    store.commit(&block, prepared)
}

fn agrees(store: &Store, height: u64) {
    let (found, supply) = store.supply().unwrap();
    assert_eq!(found, Height::new(height));
    assert_eq!(supply, audit(&store.state().unwrap()).unwrap());
    assert_eq!(supply.balances_total, Nacu::new(2_000));
}

#[test]
fn a_block_that_makes_or_loses_a_base_unit_is_not_committed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    agrees(&store, 0);
    commit(&store, balances(400, 1_600)).unwrap();
    agrees(&store, 1);
    for wrong in [balances(401, 1_600), balances(400, 1_599)] {
        let error = commit(&store, wrong).unwrap_err();
        assert!(matches!(error, StoreError::Breach { .. }), "{error}");
        agrees(&store, 1);
    }
    commit(&store, balances(2_000, 0)).unwrap();
    drop(store);
    agrees(&open(dir.path()), 2);
}

/// Makes a store of an earlier layout of one of the present: whole blocks in one table, and before version 4 neither the
/// sum nor the note of the document.
fn downgrade(store: Store, layout: u32) {
    let path = store.path().to_owned();
    let whole: Vec<_> = (0..=store.tip().height.get())
        .map(|height| store.stored(Height::new(height)).unwrap().unwrap())
        .collect();
    drop(store);
    let db = redb::Database::open(&path).unwrap();
    let write = db.begin_write().unwrap();
    {
        let mut meta = write.open_table(TableDefinition::<&str, &[u8]>::new("meta")).unwrap();
        if layout < 4 {
            assert!(meta.remove("owned").unwrap().is_some());
            assert!(meta.remove("genesis-document").unwrap().is_some());
        }
        meta.insert("layout", layout.encode().as_slice()).unwrap();
        assert!(write.delete_table(TableDefinition::<u64, &[u8]>::new("headers")).unwrap());
        write.open_table(TableDefinition::<u64, &[u8]>::new("checkpoints")).unwrap();
        let mut blocks = write.open_table(TableDefinition::<u64, &[u8]>::new("blocks")).unwrap();
        for (height, block) in (0_u64..).zip(&whole) {
            blocks.insert(height, block.encode().as_slice()).unwrap();
        }
    }
    write.commit().unwrap();
}

#[test]
fn stores_of_earlier_layouts_are_brought_up_to_date() {
    for layout in [3, 4] {
        let dir = tempfile::tempdir().unwrap();
        let store = open(dir.path());
        commit(&store, balances(400, 1_600)).unwrap();
        let blocks = |store: &Store| [0, 1].map(|height| store.stored(Height::new(height)).unwrap().unwrap());
        let before = blocks(&store);
        downgrade(store, layout);
        let store = open(dir.path());
        assert_eq!(blocks(&store), before);
        assert_eq!(store.header(Height::new(1)).unwrap(), Some(before[1].signed_header()));
        drop(store);
        agrees(&open(dir.path()), 1);
        commit(&open(dir.path()), balances(500, 1_500)).unwrap();
        agrees(&open(dir.path()), 2);
        let other = Genesis { time_ms: 2, ..genesis() };
        let refused = Store::open(dir.path(), &other, Options::default()).unwrap_err();
        assert!(matches!(refused, StoreError::OtherChain { .. }), "{refused}");
    }
}

#[test]
fn a_store_of_an_unknown_layout_is_left_alone() {
    for layout in [2, 6] {
        let dir = tempfile::tempdir().unwrap();
        downgrade(open(dir.path()), layout);
        let refused = Store::open(dir.path(), &genesis(), Options::default()).unwrap_err().to_string();
        assert!(refused.contains(&format!("version {layout}")) && refused.contains("3 to 5"), "{refused}");
    }
}
