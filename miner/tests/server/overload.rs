//! More than there is room for: refused at once with a pause, and what was taken is given back.

use std::time::Duration;

use acumen_miner_client::{ClientError, MinerClient};
use acumen_proto::inference::{Generate, Prompt};
use tonic::Code;

use crate::model::HOLD;
use crate::rig::{Rig, contexts, eventually, friend, refusal};

fn two_tokens() -> Generate {
    Generate {
        prompt: Prompt::Tokens(vec![97]),
        max_tokens: 2,
        temperature: 0.0,
        top_p: 1.0,
        seed: 0,
        stop_ids: Vec::new(),
        top_k: None,
    }
}

async fn running(rig: &Rig) -> u32 {
    rig.client(friend()).load().await.unwrap().running
}

#[tokio::test]
async fn a_full_queue_refuses_with_a_pause() {
    let rig = Rig::start(|config| {
        config.limits.queue_requests = 1;
        config.limits.prefill_tokens = 1;
        config.limits.retry_after_ms = 321;
    })
    .await;
    let client = rig.client(friend());
    let held = |client: MinerClient| {
        tokio::spawn(async move { client.open(vec![vec![HOLD]], None).await.map(drop) })
    };
    let first = held(client.clone());
    eventually("the first is in the model", || async { rig.gate.arrived() == 1 }).await;
    let second = held(client.clone());
    eventually("the second waits", || async { client.load().await.unwrap().waiting == 1 }).await;
    let error = client.open(contexts(&["a"]), None).await.unwrap_err();
    assert_eq!(refusal(&error), (Code::ResourceExhausted, Some(Duration::from_millis(321))));
    rig.gate.open();
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
}

#[tokio::test]
async fn streams_are_counted_by_hotkey_and_come_back() {
    let rig = Rig::start(|config| config.limits.max_streams_per_hotkey = 1).await;
    let client = rig.client(friend());
    let (stream, _) = client.open(contexts(&["a"]), None).await.unwrap();
    refused_for_slots(&client, "max_streams_per_hotkey").await;
    drop(stream);
    eventually("the stream is given back", || async { running(&rig).await == 0 }).await;
    assert!(client.open(contexts(&["a"]), None).await.is_ok());
}

#[tokio::test]
async fn full_slots_refuse_every_kind_of_stream_with_a_pause() {
    let rig = Rig::start(|config| {
        config.limits.max_streams = 1;
        config.limits.retry_after_ms = 432;
    })
    .await;
    let client = rig.client(friend());
    let (stream, _) = client.open(contexts(&["a"]), None).await.unwrap();
    let pause = refused_for_slots(&client, "max_streams").await;
    assert_eq!(pause, Duration::from_millis(432));
    drop(stream);
}

/// Both ways into a stream are refused in the same way: the pause for which they ask.
async fn refused_for_slots(client: &MinerClient, limit: &str) -> Duration {
    let predict = client.open(contexts(&["a"]), None).await.map(drop).unwrap_err();
    let generate = client.generate(two_tokens()).await.map(drop).unwrap_err();
    for error in [&predict, &generate] {
        assert_eq!(refusal(error).0, Code::ResourceExhausted, "{error}");
        assert!(error.to_string().contains(&format!("({limit})")), "{error}");
    }
    let (asked, other) = (refusal(&predict).1, refusal(&generate).1);
    assert_eq!(asked, other);
    asked.expect("a refusal for slots says when to come again")
}

#[tokio::test]
async fn openings_are_limited_by_rate() {
    let rig = Rig::start(|config| {
        config.limits.opens_per_second = 0.001;
        config.limits.burst_seconds = 0.0;
    })
    .await;
    let client = rig.client(friend());
    assert!(client.open(contexts(&["a"]), None).await.is_ok());
    let (code, pause) = refusal(&client.open(contexts(&["a"]), None).await.unwrap_err());
    assert_eq!(code, Code::ResourceExhausted);
    assert!(pause.unwrap() > Duration::from_secs(1));
}

#[tokio::test]
async fn a_client_that_goes_away_frees_everything_also_while_it_waits() {
    let rig = Rig::start(|_| ()).await;
    let client = rig.client(friend());
    let tasks: Vec<_> = (0..3)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.open(vec![vec![HOLD]], None).await.map(drop) })
        })
        .collect();
    eventually("three run", || async { running(&rig).await == 3 }).await;
    for task in tasks {
        task.abort();
    }
    eventually("none runs", || async { running(&rig).await == 0 }).await;
    rig.gate.open();
    eventually("no session is left in the model", || async { client.load().await.unwrap().kv_used == 0 })
        .await;
    assert!(
        rig.page()
            .await
            .contains("acumen_request_success_total{model_name=\"unused\",finished_reason=\"abort\"} 3")
    );
}

#[tokio::test]
async fn an_answer_after_the_deadline_is_late() {
    let rig = Rig::start(|_| ()).await;
    let client = rig.client_with(friend(), Duration::from_millis(1)).unwrap();
    let error = client.open(vec![vec![HOLD]], None).await.unwrap_err();
    assert!(matches!(error, ClientError::Late { .. }), "{error}");
    eventually("the late request is withdrawn", || async { running(&rig).await == 0 }).await;
    rig.gate.open();
}

#[tokio::test]
async fn an_idle_stream_is_ended() {
    let rig = Rig::start(|config| config.limits.idle_timeout_ms = 1).await;
    let (mut stream, _) = rig.client(friend()).open(contexts(&["a"]), None).await.unwrap();
    eventually("the stream is ended", || async { running(&rig).await == 0 }).await;
    let error = stream.step(vec![1]).await.unwrap_err();
    assert_eq!(refusal(&error).0, Code::DeadlineExceeded, "{error}");
}
