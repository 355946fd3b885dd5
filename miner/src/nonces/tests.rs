//! Once means once: over restarts, crashes, threads and clocks that step back.

use acumen_protocol::limits::AUTH_RETENTION_NS;
use redb::{Database, ReadableDatabase as _, TableDefinition};

use super::*;

const NOW: u64 = 1_800_000_000_000_000_000;
const A: AccountId = AccountId([1; 32]);
const B: AccountId = AccountId([2; 32]);

async fn insert(store: &NonceStore, sender: AccountId, nonce: u64, now: u64) -> bool {
    store.handle().insert(&sender, nonce, now).await.unwrap()
}

/// The file as a crash leaves it: what is on disk while the store is open.
fn crash(store: NonceStore, dir: &Path) -> NonceStore {
    let copy = tempfile::tempdir().unwrap();
    let file = copy.path().join("nonces.redb");
    std::fs::copy(dir.join("nonces.redb"), &file).unwrap();
    drop(store);
    std::fs::copy(&file, dir.join("nonces.redb")).unwrap();
    NonceStore::open(dir).unwrap()
}

#[tokio::test]
async fn a_nonce_is_used_once_by_each_sender_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let store = NonceStore::open(dir.path()).unwrap();
    assert_eq!(store.opens_at(), 0);
    assert!(insert(&store, A, NOW, NOW).await);
    assert!(!insert(&store, A, NOW, NOW).await);
    assert!(insert(&store, B, NOW, NOW).await);
    assert!(insert(&store, A, NOW + 1, NOW).await);
    drop(store);
    let store = NonceStore::open(dir.path()).unwrap();
    assert!(!insert(&store, A, NOW, NOW).await);
    assert!(!insert(&store, B, NOW, NOW).await);
    assert_eq!(store.opens_at(), NOW + 2, "a clean end leaves no pause");
    assert!(insert(&store, B, NOW + 2, NOW).await);
}

#[tokio::test]
async fn after_a_crash_nothing_that_may_have_been_used_is_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let store = NonceStore::open(dir.path()).unwrap();
    let last = NOW + AUTH_WINDOW_AHEAD_NS;
    for nonce in [NOW, NOW + 7, last] {
        assert!(insert(&store, A, nonce, NOW).await);
    }
    let store = crash(store, dir.path());
    for nonce in [NOW, NOW + 7, last] {
        assert!(!insert(&store, A, nonce, NOW).await);
    }
    let opens = store.opens_at();
    assert!(opens > last && opens <= last + AUTH_WINDOW_AHEAD_NS + STEP_NS, "{}", opens - NOW);
    assert!(insert(&store, A, opens, opens).await);
}

#[tokio::test]
async fn the_mark_stays_ahead_of_every_accepted_nonce() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = NonceStore::open(dir.path()).unwrap();
    for step in 0..40 {
        let now = NOW + step * STEP_NS / 3;
        if now >= store.opens_at() {
            assert!(insert(&store, A, now, now).await, "{step}");
        }
        if step % 10 == 9 {
            store = crash(store, dir.path());
            assert!(!insert(&store, A, now, now).await, "{step}");
        }
    }
}

#[tokio::test]
async fn what_is_out_of_the_window_is_forgotten_and_still_counts_as_used() {
    let dir = tempfile::tempdir().unwrap();
    let store = NonceStore::open(dir.path()).unwrap();
    assert!(insert(&store, A, NOW, NOW).await);
    let later = NOW + AUTH_RETENTION_NS + 1;
    assert!(insert(&store, B, later, later).await);
    assert_eq!(store.nonces.window.count(), 1);
    assert!(!insert(&store, A, NOW, NOW).await, "the clock has stepped back");
    drop(store);
    let store = NonceStore::open(dir.path()).unwrap();
    assert!(!insert(&store, A, NOW, NOW).await, "the floor survives a restart");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_tasks_with_one_nonce_exactly_one_wins() {
    let dir = tempfile::tempdir().unwrap();
    let store = NonceStore::open(dir.path()).unwrap();
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let nonces = store.handle();
            tokio::spawn(async move { nonces.insert(&A, NOW, NOW).await.unwrap() })
        })
        .collect();
    let mut wins = 0;
    for task in tasks {
        wins += usize::from(task.await.unwrap());
    }
    assert_eq!(wins, 1);
}

#[tokio::test]
async fn a_closed_store_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let store = NonceStore::open(dir.path()).unwrap();
    let handle = store.handle();
    drop(store);
    assert!(handle.insert(&A, NOW, NOW).await.is_err());
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

#[tokio::test]
async fn what_the_first_release_wrote_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let table: TableDefinition<'_, (u64, &[u8; 32]), ()> = TableDefinition::new("nonces");
    {
        let database = Database::create(dir.path().join("nonces.redb")).unwrap();
        let write = database.begin_write().unwrap();
        write.open_table(table).unwrap().insert((NOW, &A.0), ()).unwrap();
        write.commit().unwrap();
    }
    let store = NonceStore::open(dir.path()).unwrap();
    assert!(!insert(&store, A, NOW, NOW).await);
    assert!(insert(&store, A, NOW + 1, NOW).await);
    drop(store);
    let database = Database::open(dir.path().join("nonces.redb")).unwrap();
    assert!(database.begin_read().unwrap().open_table(table).is_err(), "the old table is gone");
}
