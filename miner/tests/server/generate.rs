//! Generation, and the calls with one answer.

use acumen_miner_client::{ClientError, GeneratedToken, Generation};
use acumen_models::LanguageModel as _;
use acumen_models::sampling::Sampler;
use acumen_proto::inference::{Finish, Generate, Prompt};
use acumen_proto::inference_v1::inference_client::InferenceClient;
use acumen_proto::{GENERATE_PATH, auth, inference_v1 as wire};
use acumen_protocol::auth::AuthHeaders;
use tonic::Code;

use crate::model::{Adaptive, Gate, HOLD};
use crate::raw::now_ns;
use crate::rig::{Rig, contexts, eventually, friend, key, miner, refusal};

fn wanted(text: &str) -> Generate {
    Generate {
        prompt: Prompt::Text(text.to_owned()),
        max_tokens: 12,
        temperature: 0.8,
        top_p: 1.0,
        seed: 99,
        stop_ids: Vec::new(),
        top_k: Some(256),
    }
}

async fn all(mut generation: Generation) -> Result<Vec<GeneratedToken>, ClientError> {
    let mut tokens = Vec::new();
    while let Some(token) = generation.next().await? {
        tokens.push(token);
    }
    Ok(tokens)
}

/// What a third party would compute who knows the request and the model.
fn replay(wanted: &Generate, context: &[u32]) -> Vec<u32> {
    let sampler = Sampler { temperature: wanted.temperature, top_p: wanted.top_p, seed: wanted.seed };
    let mut session = Adaptive::new(Gate::default()).open(&[context.to_vec()]).unwrap();
    let mut chosen = Vec::new();
    for position in 0..wanted.max_tokens {
        let token = sampler.choose(&session.predict()[0], u64::from(position));
        chosen.push(token);
        session.advance(&[token]).unwrap();
    }
    chosen
}

#[tokio::test]
async fn anybody_can_replay_a_generation_from_the_seed() {
    let rig = Rig::start(|_| ()).await;
    let client = rig.client(friend());
    let context = contexts(&["the cat sat"]).remove(0);
    for change in [
        |_: &mut Generate| (),
        |wanted: &mut Generate| wanted.seed = 100,
        |wanted: &mut Generate| wanted.temperature = 0.0,
        |wanted: &mut Generate| wanted.top_p = 0.3,
    ] {
        let mut wanted = wanted("the cat sat");
        change(&mut wanted);
        let tokens = all(client.generate(wanted.clone()).await.unwrap()).await.unwrap();
        let ids: Vec<u32> = tokens.iter().map(|token| token.id).collect();
        assert_eq!(ids, replay(&wanted, &context));
        // The distributions are enough too: the model itself is not needed.
        let sampler = Sampler { temperature: wanted.temperature, top_p: wanted.top_p, seed: wanted.seed };
        for token in &tokens {
            let distribution = token.distribution.as_ref().unwrap();
            assert_eq!(token.id, sampler.choose(&distribution.logprobs, u64::from(token.position)));
            assert!((token.logprob - distribution.logprobs[token.id as usize]).abs() < f32::EPSILON);
            assert_eq!(token.text, [u8::try_from(token.id).unwrap()]);
        }
        let end = tokens.last().unwrap().end.unwrap();
        assert_eq!((end.finish, end.prompt_tokens, end.completion_tokens), (Finish::Length, 11, 12));
    }
    let page = rig.page().await;
    assert!(page.contains("generation_tokens_total{model_name=\"unused\"} 48"), "{page}");
    assert!(page.contains("finished_reason=\"length\"} 4"), "{page}");
}

#[tokio::test]
async fn a_stop_token_is_the_last() {
    let rig = Rig::start(|_| ()).await;
    let mut wanted = wanted("aaaaaaaaaaaa");
    (wanted.temperature, wanted.stop_ids) = (0.0, vec![u32::from(b'a')]);
    let tokens = all(rig.client(friend()).generate(wanted).await.unwrap()).await.unwrap();
    assert_eq!(tokens.len(), 1);
    assert_eq!(tokens[0].end.unwrap().finish, Finish::Stop);
}

#[tokio::test]
async fn what_cannot_be_generated_is_refused_by_name() {
    let rig = Rig::start(|config| {
        config.limits.max_new_tokens = 16;
        config.limits.max_context_tokens = 32;
    })
    .await;
    let client = rig.client(friend());
    let ask = |change: fn(&mut Generate)| {
        let mut wanted = wanted("x");
        change(&mut wanted);
        let client = client.clone();
        async move { client.generate(wanted).await.map(drop).expect_err("a refusal") }
    };
    for (name, error) in [
        ("max_new_tokens", ask(|wanted| wanted.max_tokens = 17).await),
        ("max_context_tokens", ask(|wanted| wanted.prompt = Prompt::Text("x".repeat(33))).await),
        ("largest token id", ask(|wanted| wanted.prompt = Prompt::Tokens(vec![256])).await),
        ("temperature", ask(|wanted| wanted.temperature = -1.0).await),
        ("top_p", ask(|wanted| wanted.top_p = 2.0).await),
        ("stop_ids", ask(|wanted| wanted.stop_ids = vec![0; 65]).await),
    ] {
        assert_eq!(refusal(&error).0, Code::InvalidArgument, "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
    let stranger = rig.client(key(9)).generate(wanted("x")).await.err().unwrap();
    assert_eq!(refusal(&stranger).0, Code::PermissionDenied, "{stranger}");
}

#[tokio::test]
async fn a_client_that_goes_away_ends_its_generation() {
    let rig = Rig::start(|_| ()).await;
    let client = rig.client(friend());
    let mut generation = client.generate(Generate { max_tokens: 4_096, ..wanted("ab") }).await.unwrap();
    generation.next().await.unwrap();
    drop(generation);
    let holder = client.clone();
    let held = tokio::spawn(async move {
        holder.generate(Generate { prompt: Prompt::Tokens(vec![HOLD]), ..wanted("") }).await.map(drop)
    });
    eventually("only the held one runs", || async { client.load().await.unwrap().running == 1 }).await;
    held.abort();
    eventually("none runs", || async { client.load().await.unwrap().running == 0 }).await;
    rig.gate.open();
    eventually("no session is left", || async { client.load().await.unwrap().kv_used == 0 }).await;
}

#[tokio::test]
async fn a_generation_is_finished_before_the_end() {
    let rig = Rig::start(|_| ()).await;
    let mut generation = rig.client(friend()).generate(wanted("ab")).await.unwrap();
    generation.next().await.unwrap();
    rig.shutdown.cancel();
    assert_eq!(all(generation).await.unwrap().len(), 11);
    rig.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn text_goes_to_tokens_and_back() {
    let rig = Rig::start(|_| ()).await;
    let client = rig.client(friend());
    let ids = client.tokenize("Grüße".to_owned()).await.unwrap();
    assert_eq!(ids, "Grüße".bytes().map(u32::from).collect::<Vec<_>>());
    assert_eq!(client.detokenize(ids[..3].to_vec()).await.unwrap(), b"Gr\xc3", "half a character is bytes");
    let error = client.detokenize(vec![256]).await.unwrap_err();
    assert_eq!(refusal(&error).0, Code::InvalidArgument, "{error}");
    let error = client.embed(vec!["a".to_owned()]).await.unwrap_err();
    assert_eq!(refusal(&error).0, Code::Unimplemented, "{error}");
    let error = rig.client(key(9)).tokenize("a".to_owned()).await.unwrap_err();
    assert_eq!(refusal(&error).0, Code::PermissionDenied, "the doors are the same: {error}");
}

#[tokio::test]
async fn a_text_is_not_tokenized_before_its_sender_is_known() {
    let rig = Rig::start(|config| config.limits.max_context_tokens = 8).await;
    let message = || wire::GenerateRequest::from(wanted("nine bytes"));
    let headers = AuthHeaders::sign(&friend(), miner(), GENERATE_PATH, b"another request", now_ns());
    let mut request = tonic::Request::new(message());
    auth::insert(request.metadata_mut(), &headers);
    let status = InferenceClient::new(rig.channel()).generate(request).await.err().unwrap();
    // To say that the text has too many tokens, the miner would have had to cut it.
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
    let error = rig.client(friend()).generate(wanted("nine bytes")).await.err().unwrap();
    assert!(error.to_string().contains("max_context_tokens"), "{error}");
    let running = || async { rig.client(friend()).load().await.unwrap().running };
    eventually("its slot is given back", || async { running().await == 0 }).await;
}
