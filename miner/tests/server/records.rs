//! The miner's record: out as soon as the hotkey has a slot, anew when the model changes, and never the miner's end.

use std::sync::atomic::{AtomicU8, Ordering};

use acumen_protocol::miner_record::MAX_LIFE_MS;

use crate::chain::FakeChain;
use crate::model::{Adaptive, Gate};
use crate::rig::{Rig, eventually, miner};

/// A miner whose model has another digest each time it is loaded: 1, 2, …
async fn start() -> (Rig, tempfile::TempDir) {
    let (dir, gate, loads) = (tempfile::tempdir().unwrap(), Gate::default(), AtomicU8::new(0));
    let held = gate.clone();
    let loader = move || -> Result<Box<dyn acumen_models::LanguageModel>, acumen_models::ModelError> {
        let digest = loads.fetch_add(1, Ordering::Relaxed) + 1;
        Ok(Box::new(Adaptive::with_digest(held.clone(), digest)))
    };
    let rig = Rig::start_with(dir.path().to_owned(), FakeChain::default(), |_| (), gate, loader).await;
    (rig, dir)
}

async fn digests(rig: &Rig, wanted: &[u8]) {
    let count = wanted.len();
    eventually("a record", || async { rig.chain.records().len() >= count }).await;
    let said: Vec<u8> = rig.chain.records().iter().map(|record| record.endpoint.model.0[0]).collect();
    assert_eq!(said, wanted);
}

#[tokio::test]
async fn a_record_is_published_once_there_is_a_slot_and_again_after_a_reload() {
    let (rig, _dir) = start().await;
    let reads = rig.chain.reads();
    eventually("two reads of the chain", || async { rig.chain.reads() >= reads + 2 }).await;
    assert_eq!(rig.chain.records(), [], "nodes keep nobody's record who has no slot");
    rig.chain.register(miner(), 0);
    digests(&rig, &[1]).await;
    rig.reload.order();
    digests(&rig, &[1, 2]).await;

    let records = rig.chain.records();
    assert!(records.iter().all(|record| record.hotkey == miner()));
    assert!(records[0].issued_ms < records[1].issued_ms, "the later one counts");
    assert!(records.iter().all(|record| record.expires_ms - record.issued_ms <= MAX_LIFE_MS));
    eventually("the endpoint on the chain", || async { rig.chain.published().len() == 2 }).await;
    let said: Vec<_> = records.into_iter().map(|record| record.endpoint).collect();
    assert_eq!(said, rig.chain.published(), "the same as the chain is told");
    assert!(
        rig.page().await.contains("acumen_records_published_total{model_name=\"unused\",result=\"ok\"} 2")
    );
}

#[tokio::test]
async fn nodes_that_are_down_are_tried_again_and_the_miner_goes_on() {
    let (rig, _dir) = start().await;
    rig.chain.register(miner(), 0);
    digests(&rig, &[1]).await;
    rig.chain.set_down(true);
    rig.reload.order();
    eventually("a failure", || async { rig.chain.refused_records() >= 1 }).await;
    assert!(!rig.task.is_finished());
    rig.chain.set_down(false);
    digests(&rig, &[1, 2]).await;
}

#[tokio::test]
async fn an_operator_can_do_without() {
    let rig = Rig::start(|config| config.publish_record = false).await;
    rig.chain.register(miner(), 0);
    eventually("the endpoint on the chain", || async { !rig.chain.published().is_empty() }).await;
    let reads = rig.chain.reads();
    eventually("two more reads", || async { rig.chain.reads() >= reads + 2 }).await;
    assert_eq!(rig.chain.records(), []);
}
