//! What is answered, and that it is the model's own answer.

use acumen_miner_client::ClientError;
use acumen_models::{LanguageModel as _, Session};
use acumen_proto::inference::Distribution;
use tonic::Code;

use crate::model::{Adaptive, Gate};
use crate::rig::{Rig, contexts, friend, miner, refusal};

fn same(answers: &[Distribution], session: &dyn Session) {
    for (answer, logprobs) in answers.iter().zip(session.predict()) {
        assert_eq!(&answer.logprobs, logprobs);
        assert_eq!(answer.ids, (0..256).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn lock_step_answers_equal_a_direct_session() {
    let rig = Rig::start(|_| ()).await;
    let documents = contexts(&["the cat", "", "abcabcab"]);
    let mut direct = Adaptive::new(Gate::default()).open(&documents).unwrap();
    let (mut stream, first) = rig.client(friend()).open(documents, None).await.unwrap();
    assert_eq!(first.len(), 3);
    same(&first, direct.as_ref());
    for text in ["sad", "at!", "xyz"] {
        let tokens: Vec<u32> = text.bytes().map(u32::from).collect();
        direct.advance(&tokens).unwrap();
        same(&stream.step(tokens).await.unwrap(), direct.as_ref());
    }
}

#[tokio::test]
async fn top_k_keeps_the_mass() {
    let rig = Rig::start(|_| ()).await;
    let (_stream, answers) = rig.client(friend()).open(contexts(&["banana"]), Some(5)).await.unwrap();
    let answer = &answers[0];
    assert_eq!((answer.ids.len(), answer.ids[0]), (5, u32::from(b'n')));
    let mass: f32 = answer.logprobs.iter().map(|logprob| logprob.exp()).sum();
    assert!((mass + answer.tail - 1.0).abs() < 1e-5 && answer.tail > 0.5);
}

#[tokio::test]
async fn what_is_served_is_told() {
    let rig = Rig::start(|config| config.model.name = Some("my model".to_owned())).await;
    let info = rig.client(friend()).info().await.unwrap();
    assert_eq!((info.hotkey, info.model.as_str(), info.vocabulary), (miner(), "my model", 256));
    assert_eq!((info.digest.0, info.tokenizer.as_str(), info.max_documents), ([7; 32], "bytes", 256));
}

#[tokio::test]
async fn limits_are_named() {
    let rig = Rig::start(|config| {
        config.limits.max_documents = 2;
        config.limits.max_context_tokens = 4;
    })
    .await;
    let client = rig.client(friend());
    for (question, name) in [
        (contexts(&["a", "b", "c"]), "max_documents"),
        (contexts(&["abcde"]), "max_context_tokens"),
        (vec![vec![256]], "largest token id"),
        (vec![], "documents"),
    ] {
        let error = client.open(question, None).await.unwrap_err();
        assert_eq!(refusal(&error).0, Code::InvalidArgument, "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
    for tokens in [vec![], vec![1], vec![1, 2, 3], vec![1, 256]] {
        let (mut stream, _) = client.open(contexts(&["a", "b"]), None).await.unwrap();
        let error = stream.step(tokens).await.unwrap_err();
        assert_eq!(refusal(&error).0, Code::InvalidArgument, "{error}");
        assert!(matches!(stream.step(vec![1, 2]).await, Err(ClientError::Closed)));
    }
}
