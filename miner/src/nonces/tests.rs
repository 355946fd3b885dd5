//! Once means once: over restarts, threads and clocks that step back.

use redb::ReadableTableMetadata as _;

use super::*;

const NOW: u64 = 1_800_000_000_000_000_000;
const A: AccountId = AccountId([1; 32]);
const B: AccountId = AccountId([2; 32]);

fn insert(store: &NonceStore, sender: AccountId, nonce: u64, now: u64) -> bool {
    store.handle().insert(&sender, nonce, now).unwrap()
}

fn stored(dir: &Path) -> u64 {
    let database = Database::create(dir.join(FILE)).unwrap();
    let read = database.begin_write().unwrap();
    read.open_table(NONCES).unwrap().len().unwrap()
}

#[test]
fn a_nonce_is_used_once_by_each_sender_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = NonceStore::open(dir.path()).unwrap();
    assert!(insert(&store, A, NOW, NOW));
    assert!(!insert(&store, A, NOW, NOW));
    assert!(insert(&store, B, NOW, NOW));
    assert!(insert(&store, A, NOW + 1, NOW));
    drop(store);
    let store = NonceStore::open(dir.path()).unwrap();
    assert!(!insert(&store, A, NOW, NOW));
    assert!(!insert(&store, B, NOW, NOW));
    assert!(insert(&store, B, NOW + 1, NOW));
}

#[test]
fn what_is_out_of_the_window_is_forgotten_and_still_counts_as_used() {
    let dir = tempfile::tempdir().unwrap();
    let store = NonceStore::open(dir.path()).unwrap();
    assert!(insert(&store, A, NOW, NOW));
    let later = NOW + AUTH_RETENTION_NS + 1;
    assert!(insert(&store, A, later, later));
    assert!(!insert(&store, A, NOW, NOW), "the clock has stepped back");
    drop(store);
    assert_eq!(stored(dir.path()), 1);
    let store = NonceStore::open(dir.path()).unwrap();
    assert!(!insert(&store, A, NOW, NOW), "the floor survives a restart");
}

#[test]
fn of_many_threads_with_one_nonce_exactly_one_wins() {
    let dir = tempfile::tempdir().unwrap();
    let store = NonceStore::open(dir.path()).unwrap();
    let wins: usize = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..16).map(|_| scope.spawn(|| usize::from(insert(&store, A, NOW, NOW)))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(wins, 1);
}

#[test]
fn a_closed_store_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let store = NonceStore::open(dir.path()).unwrap();
    let mut handle = store.handle();
    drop(store);
    assert!(handle.insert(&A, NOW, NOW).is_err());
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let error = NonceStore::open(&file).unwrap_err();
    assert!(error.to_string().contains("data_dir"), "{error}");
    let _held = NonceStore::open(dir.path()).unwrap();
    assert!(NonceStore::open(dir.path()).is_err(), "another miner holds it");
}
