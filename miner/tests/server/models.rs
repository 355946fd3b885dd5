//! The model's life: a new checkpoint, a broken one, one that hangs.

use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use acumen_models::{LanguageModel, LoadOptions, ModelError, load};
use tonic::Code;
use tonic_health::ServingStatus;

use crate::chain::FakeChain;
use crate::model::{Adaptive, Gate, HOLD, PANIC};
use crate::rig::{PATIENCE, Rig, contexts, eventually, friend, miner, refusal};

/// A miner whose model's digest is what `version` says; 0 cannot be loaded.
async fn versions(
    version: &Arc<AtomicU8>,
    gates: &Arc<Mutex<Vec<Gate>>>,
    change: impl FnOnce(&mut acumen_miner::Config),
) -> (Rig, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let (version, gates) = (Arc::clone(version), Arc::clone(gates));
    let loader = move || -> Result<Box<dyn LanguageModel>, ModelError> {
        match version.load(Ordering::SeqCst) {
            0 => Err(ModelError::UnknownFormat { path: "half-written".into() }),
            digest => {
                let gate = Gate::default();
                gates.lock().unwrap().push(gate.clone());
                Ok(Box::new(Adaptive::with_digest(gate, digest)))
            }
        }
    };
    let rig =
        Rig::start_with(dir.path().to_owned(), FakeChain::default(), change, Gate::default(), loader).await;
    rig.wait_for(ServingStatus::Serving).await;
    (rig, dir)
}

async fn digest(rig: &Rig) -> (u8, u64) {
    let info = rig.client(friend()).info().await.unwrap();
    (info.digest.0[0], info.generation)
}

#[tokio::test]
async fn a_new_checkpoint_takes_over_and_no_stream_is_dropped() {
    let (version, gates) = (Arc::new(AtomicU8::new(1)), Arc::default());
    let (rig, _dir) = versions(&version, &gates, |_| ()).await;
    rig.chain.register(miner(), 0);
    let (first, generation) = digest(&rig).await;
    assert_eq!(first, 1);
    let client = rig.client(friend());
    let (mut old, _) = client.open(contexts(&["abc"]), None).await.unwrap();

    version.store(2, Ordering::SeqCst);
    rig.reload.order();
    eventually("the new one is told", || async { digest(&rig).await.0 == 2 }).await;
    assert_eq!(digest(&rig).await.1, generation + 1);
    for token in 0..5 {
        old.step(vec![token]).await.expect("the old stream goes on");
    }
    assert!(client.open(contexts(&["abc"]), None).await.is_ok());
    eventually("the chain is told", || async {
        rig.chain.published().last().is_some_and(|endpoint| endpoint.model.0 == [2; 32])
    })
    .await;

    version.store(0, Ordering::SeqCst);
    rig.reload.order();
    eventually("the failure is counted", || async { rig.page().await.contains("result=\"error\"} 1") }).await;
    assert_eq!(digest(&rig).await.0, 2, "the old one goes on");
    old.step(vec![1]).await.unwrap();
    drop(old);
    rig.shutdown.cancel();
    tokio::time::timeout(PATIENCE, rig.task).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_change_of_the_file_loads_the_model_again() {
    let (version, gates) = (Arc::new(AtomicU8::new(1)), Arc::default());
    let files = tempfile::tempdir().unwrap();
    let path = files.path().join("model.pt");
    std::fs::write(&path, "one").unwrap();
    let watched = path.clone();
    let (rig, _dir) = versions(&version, &gates, |config| {
        (config.model.path, config.model.watch_ms) = (watched, 5);
    })
    .await;
    version.store(2, Ordering::SeqCst);
    // The watcher compares with what it saw first; write until it has.
    let mut size = 3;
    eventually("the new one is told", || {
        size += 1;
        std::fs::write(&path, "x".repeat(size)).unwrap();
        let rig = &rig;
        async move {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            digest(rig).await.0 == 2
        }
    })
    .await;
}

#[tokio::test]
async fn a_model_that_hangs_is_replaced() {
    let (version, gates) = (Arc::new(AtomicU8::new(1)), Arc::<Mutex<Vec<Gate>>>::default());
    let (rig, _dir) = versions(&version, &gates, |config| config.model.hang_timeout_ms = 100).await;
    let client = rig.client(friend());
    let error = client.open(vec![vec![HOLD]], None).await.unwrap_err();
    assert_eq!(refusal(&error).0, Code::Unavailable, "its caller is told: {error}");
    eventually("the fresh one answers", || async { client.open(contexts(&["abc"]), None).await.is_ok() })
        .await;
    // The replica may answer again before the supervisor has seen why it was away.
    eventually("it is counted", || async { rig.page().await.contains("result=\"lost\"} 1") }).await;
    assert_eq!(gates.lock().unwrap().len(), 2);
    // The caller need not wait for it to be noticed.
    let holder = client.clone();
    let waits = tokio::spawn(async move { holder.open(vec![vec![HOLD]], None).await.map(drop) });
    eventually("the second hangs", || async { gates.lock().unwrap()[1].arrived() == 1 }).await;
    waits.abort();
    eventually("it is noticed", || async { gates.lock().unwrap().len() == 3 }).await;
    for gate in gates.lock().unwrap().iter() {
        gate.open();
    }
}

/// The thread goes on computing: nothing ends it from outside.
#[tokio::test]
async fn a_torchscript_module_that_hangs_is_replaced_too() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/data/hangs.pt");
    let dir = tempfile::tempdir().unwrap();
    let loader = move || load(&path, &LoadOptions::default());
    let change = |config: &mut acumen_miner::Config| config.model.hang_timeout_ms = 1_000;
    let rig =
        Rig::start_with(dir.path().to_owned(), FakeChain::default(), change, Gate::default(), loader).await;
    rig.wait_for(ServingStatus::Serving).await;
    let client = rig.client(friend());
    client.open(contexts(&["abc"]), None).await.unwrap();
    let error = client.open(vec![vec![7]], None).await.unwrap_err();
    assert_eq!(refusal(&error).0, Code::Unavailable, "{error}");
    eventually("a fresh one answers", || async { client.open(contexts(&["abc"]), None).await.is_ok() }).await;
    eventually("it is counted", || async { rig.page().await.contains("result=\"lost\"} 1") }).await;
}

#[tokio::test]
async fn a_miner_whose_models_hang_again_and_again_ends() {
    let (version, gates) = (Arc::new(AtomicU8::new(1)), Arc::<Mutex<Vec<Gate>>>::default());
    let (rig, _dir) = versions(&version, &gates, |config| config.model.hang_timeout_ms = 50).await;
    let client = rig.client(friend());
    while !rig.task.is_finished() {
        let _ = client.open(vec![vec![HOLD]], None).await;
    }
    let error = rig.task.await.unwrap().unwrap_err();
    assert!(matches!(error, acumen_miner::Error::Hangs { times: 3 }), "{error}");
    for gate in gates.lock().unwrap().iter() {
        gate.open();
    }
}

#[tokio::test]
async fn a_model_that_ends_is_loaded_again_whatever_the_timeout_for_hangs() {
    let dir = tempfile::tempdir().unwrap();
    let mut loads = 0;
    let loader = move || -> Result<Box<dyn LanguageModel>, ModelError> {
        loads += 1;
        // The second is that of the thread on which it panicked.
        if loads == 2 {
            return Err(ModelError::UnknownFormat { path: "half-written".into() });
        }
        Ok(Box::new(Adaptive::new(Gate::default())))
    };
    let rig =
        Rig::start_with(dir.path().to_owned(), FakeChain::default(), |_| (), Gate::default(), loader).await;
    rig.wait_for(ServingStatus::Serving).await;
    let client = rig.client(friend());
    let error = client.open(vec![vec![PANIC]], None).await.unwrap_err();
    assert_eq!(refusal(&error).0, Code::Unavailable, "{error}");
    eventually("a fresh one answers", || async { client.open(contexts(&["abc"]), None).await.is_ok() }).await;
    assert!(rig.page().await.contains("result=\"lost\"} 1"));
}
