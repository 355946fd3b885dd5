//! Embeddings: waiting for the encoder is waiting in a queue, with its rules.

use std::path::Path;
use std::time::Duration;

use acumen_miner::config::EncoderConfig;
use acumen_miner_client::ClientError;
use acumen_proto::inference_v1::inference_client::InferenceClient;
use acumen_proto::{EMBED_PATH, auth, inference_v1 as wire};
use acumen_protocol::auth::AuthHeaders;
use futures::future::join_all;
use prost::Message as _;
use tonic::Code;

use crate::raw::now_ns;
use crate::rig::{Rig, friend, miner, refusal};

/// Words that the encoder's tokenizer knows.
const TOKENIZER: &str = r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
    "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
    "model": {"type": "WordLevel", "unk_token": "[UNK]", "vocab": {"[UNK]": 0, "word": 1, "again": 2, "a": 3, "b": 4}}}"#;

/// The encoder that the models' own tests use, which reads ids, with a way to cut texts.
fn encoder(folder: &Path) -> EncoderConfig {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/tests/parity/encoders/bert-mean");
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(source.join(file), folder.join(file)).unwrap();
    }
    std::fs::write(folder.join("tokenizer.json"), TOKENIZER).unwrap();
    EncoderConfig { path: folder.to_owned(), threads: 1 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_calls_than_the_encoder_takes_at_once_wait_and_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::start(|config| config.encoder = Some(encoder(folder.path()))).await;
    let client = rig.client(friend());
    let alone = client.embed(vec!["a b".to_owned()]).await.unwrap();
    // Nobody is refused for what fits into the queue: 200 calls, of which one takes at least 128 of 8,192 tokens.
    let asked = (0..200).map(|_| client.embed(vec!["a b".to_owned()]));
    for answer in join_all(asked).await {
        assert_eq!(answer.unwrap(), alone);
    }
    assert_eq!(client.load().await.unwrap().waiting, 0);
}

#[tokio::test]
async fn an_answer_says_how_many_tokens_were_read() {
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::start(|config| config.encoder = Some(encoder(folder.path()))).await;
    let message = wire::EmbedRequest { texts: vec!["a b word".to_owned(), "again".to_owned()] };
    let headers = AuthHeaders::sign(&friend(), miner(), EMBED_PATH, &message.encode_to_vec(), now_ns());
    let mut request = tonic::Request::new(message);
    auth::insert(request.metadata_mut(), &headers);
    let answer = InferenceClient::new(rig.channel()).embed(request).await.unwrap().into_inner();
    assert_eq!(answer.usage, Some(wire::Usage { prompt_tokens: 4, completion_tokens: 0 }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses_with_a_pause_and_is_empty_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let rig = Rig::start(|config| {
        config.encoder = Some(encoder(folder.path()));
        config.limits.prefill_tokens = 1;
        config.limits.queue_requests = 3;
        config.limits.retry_after_ms = 77;
    })
    .await;
    let client = rig.client(friend());
    let text = "word ".repeat(20);
    let asked = (0..64).map(|_| client.embed(vec![text.clone(); 64]));
    let answers = join_all(asked).await;
    let refused: Vec<&ClientError> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
    assert!(!refused.is_empty() && refused.len() < 64, "{} of 64 were refused", refused.len());
    for error in refused {
        let (code, pause) = refusal(error);
        assert_eq!(code, Code::ResourceExhausted, "{error}");
        assert!(pause.unwrap() >= Duration::from_millis(77), "{error}");
    }
    assert_eq!(client.load().await.unwrap().waiting, 0);
    assert!(client.embed(vec!["again".to_owned()]).await.is_ok());
}
