//! HTTP as clients and operators see it: statuses, keys, limits, ids, probes, the page.

mod common;

use acumen_gateway::{Config, Error, run};
use acumen_protocol::{Hash, Keypair};
use common::{Behaviour, Gateway, config, miner};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

async fn code(response: reqwest::Response) -> (u16, String) {
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap();
    (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn refusals_have_the_right_status_and_shape() {
    let miner = miner(1, Behaviour::Good).await;
    let gateway = Gateway::start(Config { max_body_bytes: 1_000, ..config() }, &[&miner]).await;
    let (completions, chat) = ("/v1/completions", "/v1/chat/completions");
    let wrong = gateway.post(completions, json!({"prompt": "x", "max_tokns": 3})).await;
    let error: Value = wrong.json().await.unwrap();
    assert_eq!(error["error"]["message"], "Unrecognized request argument supplied: max_tokns");
    assert_eq!(
        (&error["error"]["type"], &error["error"]["param"]),
        (&json!("invalid_request_error"), &json!("max_tokns"))
    );
    assert_eq!(
        code(gateway.post(chat, json!({"model": "x", "messages": []})).await).await,
        (404, "model_not_found".into())
    );
    assert_eq!(
        code(gateway.post(completions, json!({"prompt": "x".repeat(2_000)})).await).await,
        (413, "body_too_large".into())
    );
    assert_eq!(code(gateway.get("/v1/nothing").await).await, (404, "unknown_url".into()));
    assert_eq!(code(gateway.get("/v1/models/gpt-9").await).await, (404, "model_not_found".into()));
    let wrong_method = gateway.get(completions).await;
    assert_eq!(wrong_method.headers()["allow"], "POST");
    assert_eq!(code(wrong_method).await, (405, "method_not_allowed".into()));
}

#[tokio::test]
async fn every_response_has_a_request_id() {
    let gateway = Gateway::start(config(), &[]).await;
    let given = gateway.http.get(format!("{}/nothing", gateway.url)).header("x-request-id", "mine-1");
    assert_eq!(given.send().await.unwrap().headers()["x-request-id"], "mine-1");
    let (a, b) = (gateway.get("/health").await, gateway.get("/health").await);
    assert!(a.headers()["x-request-id"].to_str().unwrap().starts_with("req_"));
    assert_ne!(a.headers()["x-request-id"], b.headers()["x-request-id"]);
    let odd = gateway.http.get(format!("{}/health", gateway.url)).header("x-request-id", "a b");
    assert!(odd.send().await.unwrap().headers()["x-request-id"].to_str().unwrap().starts_with("req_"));
}

#[tokio::test]
async fn the_request_id_goes_to_every_miner_and_comes_back() {
    let (a, b) = (miner(1, Behaviour::Good).await, miner(2, Behaviour::Good).await);
    let gateway = Gateway::start(config(), &[&a, &b]).await;
    let body = json!({"model": "acumen-bytes", "prompt": "x", "max_tokens": 2});
    let ask = || gateway.http.post(format!("{}/v1/completions", gateway.url)).json(&body);
    let named = ask().header("x-request-id", "trace-7").send().await.unwrap();
    assert_eq!(named.headers()["x-request-id"], "trace-7");
    let unnamed = ask().send().await.unwrap();
    let made = unnamed.headers()["x-request-id"].to_str().unwrap();
    for miner in [&a, &b] {
        assert_eq!(miner.request_ids(), ["trace-7", made]);
    }
}

#[tokio::test]
async fn keys_are_checked_by_hash_and_each_has_its_own_rate() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys");
    std::fs::write(&path, format!("{} # a\n{} # b\n", Hash::of(b"key-a"), Hash::of(b"key-b"))).unwrap();
    let miner = miner(1, Behaviour::Good).await;
    let config = Config { api_keys: Some(path), requests_per_minute: 1, ..config() };
    let gateway = Gateway::start(config, &[&miner]).await;
    let ask = async |key: Option<&str>| {
        let request = gateway.http.get(format!("{}/v1/models", gateway.url));
        let request = match key {
            Some(key) => request.bearer_auth(key),
            None => request,
        };
        request.send().await.unwrap()
    };
    assert_eq!(code(ask(None).await).await, (401, "missing_api_key".into()));
    let wrong = ask(Some("key-c")).await;
    assert_eq!(wrong.headers()["www-authenticate"], "Bearer");
    assert_eq!(code(wrong).await, (401, "invalid_api_key".into()));
    let first = ask(Some("key-a")).await;
    assert_eq!(
        (first.status().as_u16(), &first.headers()["x-ratelimit-remaining-requests"]),
        (200, &"0".parse().unwrap())
    );
    let limited = ask(Some("key-a")).await;
    assert!(limited.headers().contains_key("retry-after"));
    assert_eq!(code(limited).await, (429, "rate_limit_exceeded".into()));
    assert_eq!(ask(Some("key-b")).await.status(), 200);
    let ready: Value = gateway.get("/ready").await.json().await.unwrap();
    assert_eq!((&ready["open"], &ready["status"]), (&json!(false), &json!("ready")));
}

#[tokio::test]
async fn probes_tell_alive_from_ready() {
    let gateway = Gateway::start(config(), &[]).await;
    assert_eq!(gateway.get("/health").await.status(), 200);
    let ready = gateway.get("/ready").await;
    assert_eq!(ready.status(), 503);
    assert_eq!(ready.json::<Value>().await.unwrap()["status"], "no miners known");
    let response = gateway.post("/v1/completions", json!({"prompt": "x"})).await;
    assert_eq!(code(response).await, (503, "no_miners".into()));
}

#[tokio::test]
async fn models_page_and_metrics_are_there() {
    let miner = miner(1, Behaviour::Good).await;
    let gateway = Gateway::start(config(), &[&miner]).await;
    let models: Value = gateway.get("/v1/models").await.json().await.unwrap();
    assert_eq!((&models["object"], &models["data"][0]["id"]), (&json!("list"), &json!("acumen-bytes")));
    let one: Value = gateway.get("/v1/models/acumen-bytes").await.json().await.unwrap();
    assert_eq!(one["object"], "model");
    let page = gateway.get("/").await;
    assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    let page = page.text().await.unwrap();
    assert!(page.contains("2.250 bits per byte") && page.contains(&miner.hotkey.to_string()));
    gateway.complete(json!({"prompt": "x", "max_tokens": 7})).await;
    let metrics = gateway.get("/metrics").await.text().await.unwrap();
    for line in [
        "acumen_gateway_requests_total{route=\"/v1/models/{id}\",code=\"200\"} 1",
        "acumen_gateway_completion_tokens_total 7",
        "acumen_gateway_prompt_tokens_total 1",
        "acumen_gateway_time_to_first_token_seconds_count 1",
        "acumen_gateway_inter_token_latency_seconds_count 6",
        "acumen_gateway_miners 1",
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
}

#[tokio::test]
async fn a_busy_port_and_a_bad_configuration_are_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let good = Config { listen: address, nodes: vec!["http://127.0.0.1:1".to_owned()], ..config() };
    let start = |config| run(config, Keypair::from_seed(&[1; 32]), CancellationToken::new());
    let busy = start(good.clone()).await.unwrap_err();
    assert!(
        matches!(busy, Error::Listen { .. }) && busy.to_string().contains(&address.to_string()),
        "{busy}"
    );
    let genesis = start(Config { genesis: Some("0x12".to_owned()), ..good.clone() }).await.unwrap_err();
    assert!(genesis.to_string().contains("`genesis`"), "{genesis}");
    let keys =
        Config { api_keys: Some("/nonexistent/keys".into()), listen: ([127, 0, 0, 1], 0).into(), ..good };
    assert!(start(keys).await.unwrap_err().to_string().contains("/nonexistent/keys"));
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let gateway = Gateway::start(Config { body_timeout_ms: 50, ..config() }, &[]).await;
    let mut slow = tokio::net::TcpStream::connect(gateway.url.trim_start_matches("http://")).await.unwrap();
    let head = "POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 90\r\nconnection: close\r\n\r\n{";
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("\"body_timeout\""), "{answer}");
}

#[tokio::test]
async fn only_pages_of_listed_origins_may_ask() {
    let listed = Config { cors_origins: vec!["https://app.example".to_owned()], ..config() };
    for (config, allowed) in [(listed, true), (config(), false)] {
        let gateway = Gateway::start(config, &[]).await;
        let url = format!("{}/v1/completions", gateway.url);
        let preflight = |origin: &'static str| {
            gateway
                .http
                .request(reqwest::Method::OPTIONS, &url)
                .header("origin", origin)
                .header("access-control-request-method", "POST")
                .header("access-control-request-headers", "authorization,x-stainless-lang")
        };
        let answer = preflight("https://app.example").send().await.unwrap();
        assert_eq!(answer.status() == 204, allowed);
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let wanted = |text: &str| allowed.then(|| text.to_owned());
        assert_eq!(header("access-control-allow-origin"), wanted("https://app.example"));
        assert_eq!(header("access-control-allow-headers"), wanted("authorization,x-stainless-lang"));
        let other = preflight("https://evil.example").send().await.unwrap();
        assert!(!other.headers().contains_key("access-control-allow-origin"));
        // A refusal is readable by the page, too.
        let refused = gateway.http.post(&url).header("origin", "https://app.example").send().await.unwrap();
        assert_eq!(refused.status(), 400);
        assert_eq!(refused.headers().contains_key("access-control-allow-origin"), allowed);
    }
}
