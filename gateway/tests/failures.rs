//! Miners that die, lie or hang; clients that leave; a gateway that stops.

mod common;

use std::sync::Arc;

use acumen_gateway::Config;
use common::{Behaviour, FakeMiner, Gateway, chunks, config, miner, text_of};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

fn body() -> Value {
    json!({"prompt": "With ", "max_tokens": 12, "temperature": 0})
}

#[tokio::test]
async fn a_faulty_miner_is_dropped_and_the_others_go_on() {
    let good = miner(1, Behaviour::Good).await;
    let cases = [
        (Behaviour::DieAfter(4), 4, "the model broke"),
        (Behaviour::OverclaimAfter(4), 4, "normalise it"),
        (Behaviour::OverclaimAfter(0), 0, "normalise it"),
        (Behaviour::NoReceipt, 0, "receipt"),
    ];
    for (behaviour, answered, reason) in cases {
        let faulty = miner(2, behaviour).await;
        let gateway = Gateway::start(config(), &[&good, &faulty]).await;
        let answer = gateway.complete(body()).await;
        assert_eq!(answer["usage"]["completion_tokens"], 12);
        let miners = &answer["subnet"]["miners"];
        assert_eq!((&miners[0]["answered"], &miners[0]["dropped"]), (&json!(12), &Value::Null));
        assert_eq!(miners[1]["answered"], answered);
        assert!(miners[1]["dropped"].as_str().unwrap().contains(reason), "{miners}");
        let metrics = gateway.get("/metrics").await.text().await.unwrap();
        assert!(metrics.contains("acumen_gateway_dropped_miners_total{reason="), "{metrics}");
        let again = gateway.complete(body()).await;
        assert_eq!(again["subnet"]["miners"].as_array().unwrap().len(), 1, "the faulty one pauses");
    }
}

#[tokio::test]
async fn a_silent_miner_is_dropped_at_its_deadline() {
    let good = miner(1, Behaviour::Good).await;
    let silent = miner(2, Behaviour::StallAfter(0)).await;
    let config = Config { open_timeout_ms: 2_000, ..config() };
    let gateway = Gateway::start(config, &[&good, &silent]).await;
    let answer = gateway.complete(body()).await;
    assert_eq!(answer["subnet"]["miners"][1]["dropped"], "no answer within 2000 ms");
    silent.wait_for_streams(0).await;
}

#[tokio::test]
async fn the_next_best_are_asked_when_the_best_are_gone() {
    let (dead, good) = (FakeMiner::dead(1).await, miner(2, Behaviour::Good).await);
    let gateway = Gateway::start(Config { miners: 1, ..config() }, &[&dead, &good]).await;
    let answer = gateway.complete(body()).await;
    let miners = answer["subnet"]["miners"].as_array().unwrap();
    assert_eq!((miners.len(), &miners[1]["answered"]), (2, &json!(12)));
}

#[tokio::test]
async fn when_nobody_answers_the_status_says_so() {
    let dead = FakeMiner::dead(1).await;
    let gateway = Gateway::start(config(), &[&dead]).await;
    for stream in [false, true] {
        let mut body = body();
        body["stream"] = json!(stream);
        let response = gateway.post("/v1/completions", body).await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()["retry-after"]),
            (503, &"1".parse().unwrap())
        );
        let error: Value = response.json().await.unwrap();
        assert_eq!(error["error"]["code"], "no_miners");
    }
}

#[tokio::test]
async fn losing_everybody_midway_is_an_error_and_never_a_finish() {
    let dying = miner(1, Behaviour::DieAfter(5)).await;
    let gateway = Gateway::start(config(), &[&dying]).await;
    let events = gateway.stream("/v1/completions", body()).await;
    let chunks = chunks(&events);
    let (error, before) = chunks.split_last().unwrap();
    assert_eq!(error["error"]["code"], "miners_lost");
    assert_eq!(text_of(before, 0).len(), 5);
    assert!(before.iter().all(|chunk| chunk["choices"][0]["finish_reason"].is_null()));
    assert!(!events.contains(&"[DONE]".to_owned()));

    let again = miner(1, Behaviour::DieAfter(5)).await;
    let gateway = Gateway::start(config(), &[&again]).await;
    let response = gateway.post("/v1/completions", body()).await;
    assert_eq!(response.status(), 503);
    assert_eq!(response.json::<Value>().await.unwrap()["error"]["code"], "miners_lost");
}

#[tokio::test]
async fn a_full_gateway_refuses_and_a_client_that_leaves_frees_the_miner() {
    let silent = miner(1, Behaviour::StallAfter(0)).await;
    let gateway = Gateway::start(Config { max_concurrent_requests: 1, ..config() }, &[&silent]).await;
    let (http, url) = (gateway.http.clone(), format!("{}/v1/completions", gateway.url));
    let mut waiting = body();
    waiting["model"] = json!("acumen-bytes");
    let first = tokio::spawn(async move { http.post(url).json(&waiting).send().await });
    silent.wait_for_streams(1).await;
    let refused = gateway.post("/v1/completions", body()).await;
    assert_eq!((refused.status().as_u16(), refused.headers().contains_key("retry-after")), (503, true));
    assert_eq!(refused.json::<Value>().await.unwrap()["error"]["code"], "overloaded");
    first.abort();
    silent.wait_for_streams(0).await;
}

#[tokio::test]
async fn a_request_has_an_end() {
    let silent = miner(1, Behaviour::StallAfter(0)).await;
    let gateway = Gateway::start(Config { request_timeout_ms: 500, ..config() }, &[&silent]).await;
    let response = gateway.post("/v1/completions", body()).await;
    assert_eq!(response.status(), 504);
    assert_eq!(response.json::<Value>().await.unwrap()["error"]["code"], "timeout");
    silent.wait_for_streams(0).await;
}

#[tokio::test]
async fn a_stop_lets_answers_in_flight_finish() {
    let gate = Arc::new(Semaphore::new(1));
    let gated = miner(1, Behaviour::Gated(Arc::clone(&gate))).await;
    let gateway = Gateway::start(config(), &[&gated]).await;
    let mut streaming = body();
    streaming["stream"] = json!(true);
    let response = gateway.post("/v1/completions", streaming).await;
    gateway.shutdown.cancel();
    gate.add_permits(100);
    let text = response.text().await.unwrap();
    assert!(text.trim_end().ends_with("data: [DONE]"), "{text}");
    gateway.running.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_stop_does_not_wait_longer_than_the_drain() {
    let gate = Arc::new(Semaphore::new(1));
    let gated = miner(1, Behaviour::Gated(gate)).await;
    let gateway = Gateway::start(Config { drain_timeout_ms: 1, ..config() }, &[&gated]).await;
    let mut streaming = body();
    streaming["stream"] = json!(true);
    let response = gateway.post("/v1/completions", streaming).await;
    gateway.shutdown.cancel();
    let text = response.text().await.unwrap();
    assert!(text.contains("shutting_down") && !text.contains("[DONE]"), "{text}");
    gateway.running.await.unwrap().unwrap();
}
