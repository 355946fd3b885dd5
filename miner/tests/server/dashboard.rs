//! Every metric that the dashboard asks for is one that the miner has, and the other way round.

use std::collections::BTreeSet;

use acumen_proto::inference::{Generate, Prompt};

use crate::rig::{Rig, contexts, eventually, friend, key, miner};

fn metrics(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let names = words.filter(|word| word.starts_with("acumen_"));
    names.map(|name| name.trim_end_matches("_bucket").to_owned()).collect()
}

#[tokio::test]
async fn the_dashboard_and_the_page_name_the_same_metrics() {
    let rig = Rig::start(|_| ()).await;
    let client = rig.client(friend());
    // Families without a value are not on the page: cause one of each.
    drop(client.open(contexts(&["a"]), None).await.unwrap());
    let wanted = Generate {
        prompt: Prompt::Text("a".to_owned()),
        max_tokens: 1,
        temperature: 0.0,
        top_p: 1.0,
        seed: 0,
        stop_ids: Vec::new(),
        top_k: None,
    };
    client.generate(wanted).await.unwrap().next().await.unwrap();
    client.tokenize("a".to_owned()).await.unwrap();
    rig.client(key(9)).open(contexts(&["a"]), None).await.unwrap_err();
    rig.chain.register(miner(), 0);
    rig.reload.order();
    eventually("all families have a value", || async {
        let page = rig.page().await;
        ["model_loads", "request_success", "refusals", "records_published"]
            .iter()
            .all(|name| page.contains(&format!("acumen_{name}_total{{")))
    })
    .await;
    let page = rig.page().await;
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let served: BTreeSet<String> = types.map(|(name, _)| name.to_owned()).collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/grafana/miner.json");
    let text = std::fs::read_to_string(path).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(
        panels.iter().all(|panel| panel["targets"][0]["expr"].is_string()),
        "every panel asks for something"
    );
    assert_eq!(metrics(&text), served);
}
