//! Answers of a healthy collective: right text, both endpoints, both ways of delivery.

mod common;

use acumen_gateway::Config;
use acumen_gateway::core::pooling::Pool;
use acumen_scoring_value::pool;
use common::{Behaviour, FakeMiner, Gateway, chunks, config, miner, text_of, weight};
use serde_json::{Value, json};

async fn three() -> Vec<FakeMiner> {
    let mut miners = Vec::new();
    for seed in 1..=3 {
        miners.push(miner(seed, Behaviour::Good).await);
    }
    miners
}

/// Greedy decoding of the pooled models, computed here: the bytes and their ln p.
fn expected(miners: &[FakeMiner], prompt: &str, tokens: usize, kind: Pool) -> (Vec<u8>, Vec<f64>) {
    let weights: Vec<f64> = (0..miners.len()).map(weight).collect();
    let (mut text, mut logprobs) = (prompt.as_bytes().to_vec(), Vec::new());
    for _ in 0..tokens {
        let dists: Vec<Vec<f64>> = miners.iter().map(|miner| miner.model.probs(&text)).collect();
        let dists: Vec<&[f64]> = dists.iter().map(Vec::as_slice).collect();
        let pooled = match kind {
            Pool::Linear => pool::linear(&dists, &weights),
            Pool::Geometric => pool::geometric(&dists, &weights),
        };
        let best = pooled.iter().copied().fold(0.0, f64::max);
        text.push(pooled.iter().position(|&prob| prob == best).unwrap() as u8);
        logprobs.push(best.ln());
    }
    (text.split_off(prompt.len()), logprobs)
}

#[tokio::test]
async fn greedy_text_is_that_of_the_pooled_models() {
    let miners = three().await;
    let listed: Vec<&FakeMiner> = miners.iter().collect();
    for kind in [Pool::Geometric, Pool::Linear] {
        let gateway = Gateway::start(Config { pool: kind, ..config() }, &listed).await;
        let body = json!({"prompt": "With ", "max_tokens": 40, "temperature": 0, "logprobs": 0});
        let answer = gateway.complete(body).await;
        let (bytes, logprobs) = expected(&miners, "With ", 40, kind);
        assert_eq!(answer["choices"][0]["text"], String::from_utf8(bytes).unwrap().as_str());
        let got = answer["choices"][0]["logprobs"]["token_logprobs"].as_array().unwrap();
        for (got, want) in got.iter().zip(logprobs) {
            // Reports are floored at 1e-4 of the uniform distribution, and travel as f32.
            assert!((got.as_f64().unwrap() - want).abs() < 2e-3, "{got} {want}");
        }
        assert_eq!(answer["choices"][0]["finish_reason"], "length");
        let usage = json!({"prompt_tokens": 5, "completion_tokens": 40, "total_tokens": 45});
        assert_eq!(answer["usage"], usage);
        let subnet = &answer["subnet"];
        assert_eq!(
            (&subnet["height"], &subnet["pool"], &subnet["steps"]),
            (&json!(7), &json!(kind), &json!(40))
        );
        for (at, miner) in subnet["miners"].as_array().unwrap().iter().enumerate() {
            assert_eq!(
                (&miner["uid"], &miner["answered"], &miner["dropped"]),
                (&json!(at), &json!(40), &Value::Null)
            );
        }
        assert!(answer["system_fingerprint"].as_str().unwrap().starts_with("fp_"));
    }
}

#[tokio::test]
async fn a_stream_shows_the_same_text_at_character_borders() {
    let miners = three().await;
    let gateway = Gateway::start(config(), &miners.iter().collect::<Vec<_>>()).await;
    let body = json!({"prompt": "Der M", "max_tokens": 61, "temperature": 0});
    let whole = gateway.complete(body.clone()).await;
    let events = gateway.stream("/v1/completions", body).await;
    assert_eq!(events.last().unwrap(), "[DONE]");
    let chunks = chunks(&events);
    assert_eq!(text_of(&chunks, 0), whole["choices"][0]["text"]);
    assert!(text_of(&chunks, 0).contains('ü'), "{}", text_of(&chunks, 0));
    let (bytes, _) = expected(&miners, "Der M", 61, Pool::Geometric);
    assert_eq!(text_of(&chunks, 0), String::from_utf8_lossy(&bytes));
    let last = chunks.last().unwrap();
    assert_eq!(
        (&last["choices"][0]["text"], &last["choices"][0]["finish_reason"]),
        (&json!(""), &json!("length"))
    );
    assert_eq!(last["subnet"], whole["subnet"]);
    assert!(chunks.iter().all(|chunk| chunk["id"] == chunks[0]["id"] && chunk.get("usage").is_none()));
}

#[tokio::test]
async fn a_chat_streams_role_text_reason_and_usage() {
    let miners = three().await;
    let gateway = Gateway::start(config(), &miners.iter().collect::<Vec<_>>()).await;
    let body = json!({
        "messages": [{"role": "user", "content": "With malice"}], "max_tokens": 20, "seed": 5,
        "stream_options": {"include_usage": true}, "stream": true, "n": 2,
    });
    let events = gateway.stream("/v1/chat/completions", body.clone()).await;
    assert_eq!(events.last().unwrap(), "[DONE]");
    let chunks = chunks(&events);
    for choice in 0..2 {
        assert_eq!(chunks[choice]["choices"][0]["delta"], json!({"role": "assistant", "content": ""}));
        let finishes = chunks.iter().filter(|chunk| {
            chunk["choices"][0]["index"] == choice && !chunk["choices"][0]["finish_reason"].is_null()
        });
        assert_eq!(
            finishes.map(|chunk| chunk["choices"][0]["delta"].clone()).collect::<Vec<_>>(),
            [json!({})]
        );
    }
    let (usage, rest) = chunks.split_last().unwrap();
    assert_eq!((&usage["choices"], &usage["usage"]["completion_tokens"]), (&json!([]), &json!(40)));
    assert!(rest.iter().all(|chunk| chunk["usage"].is_null() && chunk["object"] == "chat.completion.chunk"));

    let mut whole = body;
    whole.as_object_mut().unwrap().retain(|name, _| !name.starts_with("stream"));
    let answer: Value = gateway.post("/v1/chat/completions", whole).await.json().await.unwrap();
    for choice in 0..2 {
        let text = answer["choices"][choice as usize]["message"]["content"].as_str().unwrap();
        assert_eq!(text_of(rest, choice), text, "seed 5 gives the same twice");
    }
    assert_eq!(answer["usage"], usage["usage"]);
}

#[tokio::test]
async fn a_seed_reproduces_and_another_does_not() {
    let miners = three().await;
    let gateway = Gateway::start(config(), &miners.iter().collect::<Vec<_>>()).await;
    let draw = async |seed: i64, n: u64| {
        let body = json!({"prompt": "the ", "max_tokens": 30, "temperature": 1.2, "seed": seed, "n": n});
        gateway.complete(body).await["choices"][0]["text"].clone()
    };
    let first = draw(11, 1).await;
    assert_eq!(draw(11, 1).await, first);
    assert_eq!(draw(11, 3).await, first, "a choice does not depend on how many there are");
    assert_ne!(draw(12, 1).await, first);
}

#[tokio::test]
async fn a_stop_string_ends_the_text_before_it_wherever_chunks_are_cut() {
    let miners = three().await;
    let gateway = Gateway::start(config(), &miners.iter().collect::<Vec<_>>()).await;
    let body = json!({"prompt": "With ", "max_tokens": 40, "temperature": 0});
    let full = gateway.complete(body.clone()).await["choices"][0]["text"].as_str().unwrap().to_owned();
    let stop = &full[12..18];
    let want = &full[..full.find(stop).unwrap()];
    let mut stopping = body;
    stopping["stop"] = json!([stop, "never"]);
    let answer = gateway.complete(stopping.clone()).await;
    assert_eq!(answer["choices"][0]["text"], want);
    assert_eq!(answer["choices"][0]["finish_reason"], "stop");
    assert_eq!(answer["usage"]["completion_tokens"], want.len());
    let chunks = chunks(&gateway.stream("/v1/completions", stopping).await);
    assert_eq!(text_of(&chunks, 0), want);
}

#[tokio::test]
async fn log_probabilities_are_those_of_the_pool_and_an_echo_scores_the_prompt() {
    let miners = three().await;
    let gateway = Gateway::start(config(), &miners.iter().collect::<Vec<_>>()).await;
    let body = json!({"prompt": [87, 105], "max_tokens": 2, "temperature": 0, "logprobs": 3, "echo": true});
    let answer = gateway.complete(body).await;
    let logprobs = &answer["choices"][0]["logprobs"];
    assert_eq!(logprobs["tokens"].as_array().unwrap()[..2], [json!("W"), json!("i")]);
    assert_eq!(logprobs["text_offset"], json!([0, 1, 2, 3]));
    assert_eq!(answer["usage"]["completion_tokens"], 2);
    for (scored, top) in std::iter::zip(
        logprobs["token_logprobs"].as_array().unwrap(),
        logprobs["top_logprobs"].as_array().unwrap(),
    ) {
        assert!(scored.as_f64().unwrap() < 0.0);
        assert_eq!(top.as_object().unwrap().len(), 3);
    }
    let greedy = logprobs["tokens"][2].as_str().unwrap();
    assert_eq!(logprobs["top_logprobs"][2][greedy], logprobs["token_logprobs"][2]);
}

#[tokio::test]
async fn only_the_best_miners_are_asked() {
    let miners = three().await;
    let gateway = Gateway::start(Config { miners: 2, ..config() }, &miners.iter().collect::<Vec<_>>()).await;
    let answer = gateway.complete(json!({"prompt": ["a", "b"], "max_tokens": 3})).await;
    assert_eq!(answer["subnet"]["miners"].as_array().unwrap().len(), 2);
    assert_eq!(answer["choices"].as_array().unwrap().len(), 2);
    assert_eq!(
        (&answer["usage"]["prompt_tokens"], &answer["usage"]["completion_tokens"]),
        (&json!(2), &json!(6))
    );
}
