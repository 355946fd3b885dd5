//! Who is refused, and why: the list of docs/spec/auth.md and docs/spec/stream.md.

use acumen_proto::PREDICT_PATH;
use acumen_proto::inference::{request_bytes, step_message};
use acumen_protocol::auth::AuthHeaders;
use acumen_protocol::session::Direction;
use acumen_protocol::{ConsensusKeypair, Signature};
use tonic::Code;

use crate::raw::{ask, now_ns, question, session_key, sign};
use crate::rig::{Rig, contexts, eventually, friend, key, miner, refusal};

const SECOND: u64 = 1_000_000_000;

#[tokio::test]
async fn an_opening_that_is_not_proven_is_refused_and_counted() {
    let rig = Rig::start(|_| ()).await;
    let now = now_ns();
    let honest = sign(&friend(), miner(), now);
    let other = AuthHeaders::sign(&friend(), miner(), "/acumen.inference.v1.Inference/GetInfo", b"", now);
    for (reason, headers) in [
        ("unsigned", None),
        ("receiver", Some(sign(&friend(), key(3).account(), now))),
        ("freshness", Some(sign(&friend(), miner(), now - 11 * SECOND))),
        ("freshness", Some(sign(&friend(), miner(), now + 60 * SECOND))),
        ("signature", Some(AuthHeaders { signature: Signature([0; 64]), ..honest.clone() })),
        ("signature", Some(AuthHeaders { sender: key(3).account(), ..honest.clone() })),
        ("signature", Some(other)),
    ] {
        let status = ask(&rig, headers.as_ref(), question()).await.err().expect(reason);
        assert_eq!(status.code(), Code::Unauthenticated, "{reason}: {status}");
        let line = format!("acumen_refusals_total{{model_name=\"unused\",reason=\"{reason}\"}}");
        assert!(rig.page().await.contains(&line), "{reason}");
    }
    let mut changed = question();
    changed.signature.clear();
    let Some(acumen_proto::inference_v1::predict_request::Message::Open(open)) = &mut changed.message else {
        unreachable!()
    };
    open.contexts[0].ids[0] += 1;
    let status = ask(&rig, Some(&honest), changed).await.err().unwrap();
    assert_eq!(status.code(), Code::Unauthenticated, "another question under the same signature");
    assert!(ask(&rig, Some(&honest), question()).await.is_ok(), "no forgery has burned the nonce");
}

#[tokio::test]
async fn a_replay_is_refused_also_after_a_restart() {
    let rig = Rig::start(|_| ()).await;
    let headers = sign(&friend(), miner(), now_ns());
    drop(ask(&rig, Some(&headers), question()).await.unwrap());
    let replay = |status: tonic::Status| {
        assert_eq!(status.code(), Code::Unauthenticated);
        assert!(status.message().contains("used already"), "{status}");
    };
    replay(ask(&rig, Some(&headers), question()).await.err().unwrap());
    let rig = rig.restart().await;
    replay(ask(&rig, Some(&headers), question()).await.err().unwrap());
    assert!(ask(&rig, Some(&sign(&friend(), miner(), now_ns())), question()).await.is_ok());
}

#[tokio::test]
async fn a_stream_begins_with_open() {
    let rig = Rig::start(|_| ()).await;
    let mut step = step_message(vec![1]);
    step.signature = vec![0; 64];
    let headers = AuthHeaders::sign(&friend(), miner(), PREDICT_PATH, &request_bytes(&step), now_ns());
    let status = ask(&rig, Some(&headers), step).await.err().unwrap();
    assert_eq!(status.code(), Code::InvalidArgument);
    let mut stream = ask(&rig, Some(&sign(&friend(), miner(), now_ns())), question()).await.unwrap();
    let status = stream.send(question()).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
}

#[tokio::test]
async fn a_step_that_is_not_the_next_one_ends_the_stream() {
    let rig = Rig::start(|_| ()).await;
    for attack in ["tampered", "unsigned by the session", "reordered", "replayed", "without the answer"] {
        let mut stream = ask(&rig, Some(&sign(&friend(), miner(), now_ns())), question()).await.unwrap();
        let mut message = stream.step(7);
        match attack {
            "tampered" => message.message = step_message(vec![8]).message,
            "unsigned by the session" => {
                let transcript = stream.transcript.absorb(Direction::Client, &request_bytes(&message));
                message.signature = transcript.sign(&ConsensusKeypair::from_seed(&[8; 32])).0.to_vec();
            }
            "reordered" => {
                let first = request_bytes(&message);
                message = step_message(vec![8]);
                let transcript = stream.transcript.absorb(Direction::Client, &first);
                let transcript = transcript.absorb(Direction::Client, &request_bytes(&message));
                message.signature = transcript.sign(&session_key()).0.to_vec();
            }
            "replayed" => {
                stream.send(message.clone()).await.unwrap();
            }
            _ => {
                stream.transcript = acumen_protocol::session::Transcript::open(&Signature([0; 64]));
                message = stream.step(7);
            }
        }
        let status = stream.send(message).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{attack}: {status}");
        assert!(stream.incoming.message().await.unwrap().is_none(), "{attack}: the stream has ended");
    }
}

#[tokio::test]
async fn stake_opens_the_door() {
    let rig = Rig::start(|_| ()).await;
    rig.chain.register(miner(), 0);
    rig.chain.register(key(4).account(), 1_000);
    rig.chain.register(key(5).account(), 999);
    rig.chain.delegate(key(6).account(), 2_000);
    let reads = rig.chain.reads();
    eventually("two reads of the chain", || async { rig.chain.reads() >= reads + 2 }).await;
    for (seed, welcome) in [(4, true), (5, false), (6, true), (7, false)] {
        let answer = rig.client(key(seed)).open(contexts(&["a"]), None).await;
        match answer {
            Ok(_) => assert!(welcome, "{seed}"),
            Err(error) => {
                assert!(!welcome, "{seed}: {error}");
                assert_eq!(refusal(&error).0, Code::PermissionDenied);
                assert!(error.to_string().contains("1000 ACU"), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn while_the_node_is_down_the_last_stakes_count() {
    let rig = Rig::start(|_| ()).await;
    rig.chain.register(key(4).account(), 1_000);
    let reads = rig.chain.reads();
    eventually("two reads of the chain", || async { rig.chain.reads() >= reads + 2 }).await;
    // Beside the neurons: seen once.
    rig.chain.delegate(key(6).account(), 2_000);
    assert!(rig.client(key(6)).open(contexts(&["a"]), None).await.is_ok());
    rig.chain.set_down(true);
    let reads = rig.chain.reads();
    eventually("two failed reads", || async { rig.chain.reads() >= reads + 2 }).await;
    for seed in [4, 6] {
        assert!(rig.client(key(seed)).open(contexts(&["a"]), None).await.is_ok(), "{seed}");
    }
    let error = rig.client(key(5)).open(contexts(&["a"]), None).await.unwrap_err();
    assert_eq!(refusal(&error).0, Code::Unavailable, "an unknown stake is no refusal for good");
}

#[tokio::test]
async fn strangers_do_not_keep_a_known_sender_from_being_looked_up() {
    let rig = Rig::start(|_| ()).await;
    rig.chain.delegate(key(6).account(), 2_000);
    assert!(rig.client(key(6)).open(contexts(&["a"]), None).await.is_ok());
    // No look-up comes back any more: more free keys ask than may wait.
    rig.chain.hold_look_ups(true);
    let strangers: Vec<_> = (20..220_u8)
        .map(|seed| {
            let client = rig.client(key(seed));
            tokio::spawn(async move { client.open(contexts(&["a"]), None).await.map(drop) })
        })
        .collect();
    eventually("too many wait", || async { rig.page().await.contains("reason=\"stake_unknown\"") }).await;
    let client = rig.client(key(6));
    eventually("it is looked up again, before the strangers", || async {
        assert!(client.open(contexts(&["a"]), None).await.is_ok(), "it is known");
        rig.chain.look_ups().contains(&key(6).account())
    })
    .await;
    rig.chain.hold_look_ups(false);
    for stranger in strangers {
        assert!(stranger.await.unwrap().is_err());
    }
}
