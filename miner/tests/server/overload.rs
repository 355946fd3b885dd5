//! More than there is room for: refused at once with a pause, and what was taken is given back.

use std::time::Duration;

use acumen_miner_client::{ClientError, MinerClient};
use acumen_proto::inference::{self, Generate, Open, Prompt};
use acumen_proto::inference_v1::inference_client::InferenceClient;
use acumen_proto::{PREDICT_PATH, auth};
use acumen_protocol::auth::AuthHeaders;
use tokio_stream::StreamExt as _;
use tonic::{Code, Request, Status};

use crate::model::HOLD;
use crate::raw::{now_ns, session_key};
use crate::rig::{Rig, contexts, eventually, friend, key, miner, refusal};

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

/// Streams of one hotkey that never read and never step, as many as fill the cache.
async fn fill(rig: &Rig) -> Vec<Status> {
    let mut refused = Vec::new();
    for nonce in 0..16 {
        let open = Open { session_key: session_key().public(), contexts: vec![Vec::new(); 256], top_k: None };
        let message = inference::open_message(open);
        let bytes = inference::request_bytes(&message);
        let headers = AuthHeaders::sign(&friend(), miner(), PREDICT_PATH, &bytes, now_ns() + nonce);
        let mut request = Request::new(tokio_stream::iter([message]).chain(tokio_stream::pending()));
        auth::insert(request.metadata_mut(), &headers);
        match InferenceClient::new(rig.channel()).predict(request).await {
            // Held without being read: its first answer alone is larger than HTTP/2's window.
            Ok(answers) => std::mem::forget(answers),
            Err(status) => refused.push(status),
        }
    }
    refused
}

#[tokio::test]
async fn a_hotkey_that_holds_the_whole_cache_gives_way_to_others() {
    let rig = Rig::start(|config| {
        config.access.min_stake = "0".to_owned();
        // Ten of sixteen streams of 256 documents with a window of 64.
        config.limits.session_tokens = 10 * 256 * 64;
        config.limits.session_tokens_per_hotkey = 10 * 256 * 64;
    })
    .await;
    let refused = fill(&rig).await;
    assert_eq!(refused.len(), 6, "as before, one hotkey is refused what there is no room for");
    assert!(refused.iter().all(|status| status.code() == Code::ResourceExhausted));
    let load = rig.client(key(3)).load().await.unwrap();
    assert_eq!((load.running, load.kv_used), (10, load.kv_total));
    let guest = rig.client(key(3));
    let mut streams = Vec::new();
    for _ in 0..4 {
        let (mut stream, _) = guest.open(vec![Vec::new(); 256], None).await.expect("its part of the cache");
        stream.step(vec![1; 256]).await.unwrap();
        streams.push(stream);
    }
    assert!(rig.page().await.contains("reason=\"gave_way\"} 4"), "{}", rig.page().await);
}

#[tokio::test]
async fn who_has_to_leave_is_told_so_after_its_step() {
    let rig = Rig::start(|config| {
        config.access.min_stake = "0".to_owned();
        config.limits.max_streams = 2;
    })
    .await;
    let client = rig.client(friend());
    let (mut first, _) = client.open(contexts(&["a"]), None).await.unwrap();
    let (mut second, _) = client.open(contexts(&["b"]), None).await.unwrap();
    let (mut guest, _) = rig.client(key(3)).open(contexts(&["c"]), None).await.unwrap();
    let error = first.step(vec![1]).await.unwrap_err();
    assert_eq!(refusal(&error), (Code::ResourceExhausted, Some(Duration::from_millis(100))), "{error}");
    assert!(error.to_string().contains("given its place"), "{error}");
    second.step(vec![1]).await.expect("one was enough");
    guest.step(vec![1]).await.unwrap();
    let error = rig.client(key(4)).open(contexts(&["d"]), None).await.map(drop).unwrap_err();
    assert!(error.to_string().contains("max_streams"), "as much right as the others, and no more: {error}");
}
