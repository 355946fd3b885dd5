//! Start, readiness, the chain, and the end.

use acumen_miner::{Error, Miner};
use acumen_miner_client::ClientError;
use acumen_models::ModelError;
use tonic::Code;
use tonic_health::ServingStatus;

use crate::chain::FakeChain;
use crate::model::{Adaptive, Gate};
use crate::rig::{PATIENCE, Rig, config, contexts, eventually, friend, key, miner, refusal};

#[tokio::test]
async fn nothing_is_answered_before_the_model_has_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let gate = Gate::default();
    let loading = gate.clone();
    let loader = move || -> Result<Box<dyn acumen_models::LanguageModel>, ModelError> {
        loading.pass();
        Ok(Box::new(Adaptive::new(Gate::default())))
    };
    let rig =
        Rig::start_with(dir.path().to_owned(), FakeChain::default(), |_| (), gate.clone(), loader).await;
    rig.wait_for(ServingStatus::NotServing).await;
    let error = rig.client(friend()).open(contexts(&["a"]), None).await.unwrap_err();
    assert_eq!(refusal(&error).0, Code::Unavailable);
    let ready = || async { reqwest::get(format!("http://{}/readyz", rig.metrics)).await.unwrap().status() };
    assert_eq!(ready().await, 503);
    gate.open();
    rig.wait_for(ServingStatus::Serving).await;
    assert_eq!(ready().await, 200);
    assert!(rig.client(friend()).open(contexts(&["a"]), None).await.is_ok());
}

#[tokio::test]
async fn a_model_that_cannot_be_loaded_ends_the_miner() {
    let dir = tempfile::tempdir().unwrap();
    let loader = || Err(ModelError::UnknownFormat { path: "model.doc".into() });
    let rig =
        Rig::start_with(dir.path().to_owned(), FakeChain::default(), |_| (), Gate::default(), loader).await;
    let error = tokio::time::timeout(PATIENCE, rig.task).await.unwrap().unwrap().unwrap_err();
    assert!(matches!(error, Error::Model(_)), "{error}");
}

#[tokio::test]
async fn a_running_stream_is_finished_before_the_end() {
    let rig = Rig::start(|_| ()).await;
    let client = rig.client(friend());
    let (mut stream, _) = client.open(contexts(&["a"]), None).await.unwrap();
    rig.shutdown.cancel();
    eventually("no new stream is taken", || async {
        rig.client(friend()).open(contexts(&["a"]), None).await.is_err()
    })
    .await;
    for token in 0..3 {
        assert_eq!(stream.step(vec![token]).await.unwrap().len(), 1);
    }
    assert!(!rig.task.is_finished(), "a stream still runs");
    drop(stream);
    tokio::time::timeout(PATIENCE, rig.task).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_stream_that_does_not_finish_is_ended() {
    let rig = Rig::start(|config| config.limits.drain_timeout_ms = 1).await;
    let (mut stream, _) = rig.client(friend()).open(contexts(&["a"]), None).await.unwrap();
    rig.shutdown.cancel();
    tokio::time::timeout(PATIENCE, rig.task).await.unwrap().unwrap().unwrap();
    let error = stream.step(vec![1]).await.unwrap_err();
    assert_eq!(refusal(&error).0, Code::Unavailable, "{error}");
    assert!(error.to_string().contains("shutting down"), "the miner ends it, not its model: {error}");
}

#[tokio::test]
async fn a_busy_port_is_named() {
    let rig = Rig::start(|_| ()).await;
    let dir = tempfile::tempdir().unwrap();
    for field in ["listen", "metrics_listen"] {
        let mut taken = config(dir.path());
        match field {
            "listen" => taken.listen = rig.address,
            _ => taken.metrics_listen = Some(rig.address),
        }
        let error = Miner::bind(taken, key(1)).await.unwrap_err().to_string();
        assert!(error.contains(&rig.address.to_string()) && error.contains(&format!("`{field}`")), "{error}");
    }
}

#[tokio::test]
async fn the_endpoint_is_published_once_the_hotkey_is_registered() {
    let rig = Rig::start(|_| ()).await;
    let reads = rig.chain.reads();
    eventually("two reads of the chain", || async { rig.chain.reads() >= reads + 2 }).await;
    assert!(rig.chain.published().is_empty(), "an unregistered hotkey cannot publish");
    rig.chain.set_down(true);
    rig.chain.register(miner(), 0);
    rig.chain.set_down(false);
    eventually("the endpoint is published", || async { !rig.chain.published().is_empty() }).await;
    let reads = rig.chain.reads();
    eventually("two more reads", || async { rig.chain.reads() >= reads + 2 }).await;
    let published = rig.chain.published();
    assert_eq!(published.len(), 1, "what stands on the chain is not published again");
    assert_eq!((published[0].url(), published[0].model.0), ("http://127.0.0.1:8091", [7; 32]));
}

#[tokio::test]
async fn what_happens_is_counted() {
    let rig = Rig::start(|_| ()).await;
    let (mut stream, _) = rig.client(friend()).open(contexts(&["abc", "d"]), None).await.unwrap();
    stream.step(vec![1, 2]).await.unwrap();
    let page = rig.page().await;
    for line in [
        "acumen_num_requests_running{model_name=\"unused\"} 1",
        "acumen_prompt_tokens_total{model_name=\"unused\"} 4",
        "acumen_predictions_total{model_name=\"unused\"} 4",
        "acumen_time_to_first_token_seconds_count{model_name=\"unused\"} 1",
        "acumen_inter_token_latency_seconds_count{model_name=\"unused\"} 1",
        "acumen_ready{model_name=\"unused\"} 1",
        "# TYPE acumen_prompt_tokens_total counter",
    ] {
        assert!(page.contains(line), "{line} is not in\n{page}");
    }
    let open = reqwest::Client::new()
        .get(format!("http://{}/metrics", rig.metrics))
        .header("accept", "application/openmetrics-text; version=1.0.0")
        .send();
    let open = open.await.unwrap().text().await.unwrap();
    assert!(open.ends_with("# EOF\n") && open.contains("# TYPE acumen_prompt_tokens counter"), "{open}");
}

#[tokio::test]
async fn a_miner_that_is_gone_is_unreachable() {
    let rig = Rig::start(|_| ()).await;
    let client = rig.client(friend());
    rig.shutdown.cancel();
    rig.task.await.unwrap().unwrap();
    let error = client.open(contexts(&["a"]), None).await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
}
