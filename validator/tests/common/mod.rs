//! A chain in memory and miners on real sockets, for the tests of the whole validator.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test binary uses a part")]

pub mod chain;
pub mod miner;

use std::path::Path;

use acumen_protocol::Hash;
use acumen_scoring_tasks::{Family, text};
use acumen_validator::Config;

/// Text of every family; `seed` tells training from held-out text apart.
pub fn corpus(seed: u8, documents: u64) -> Vec<u8> {
    let documents = (0..documents).flat_map(|index| Family::ALL.map(|family| (family, index)));
    documents.flat_map(|(family, index)| text(family, &[seed; 32], index, 200)).collect()
}

/// A small configuration over a fresh folder.
pub fn config(folder: &Path) -> Config {
    let held_out = folder.join("held-out");
    std::fs::create_dir_all(&held_out).unwrap();
    std::fs::write(held_out.join("a.txt"), corpus(2, 60)).unwrap();
    // A fixed secret: the questions, and so the scores, are the same in every run.
    let data_dir = folder.join("data");
    std::fs::create_dir_all(&data_dir).unwrap();
    std::fs::write(data_dir.join("secret"), Hash([11; 32]).to_string()).unwrap();
    Config {
        nodes: vec!["http://127.0.0.1:1".to_owned()],
        genesis: None,
        track: 0,
        held_out,
        data_dir,
        listen: "127.0.0.1:0".parse().unwrap(),
        metrics_listen: Some("127.0.0.1:0".parse().unwrap()),
        documents: 16,
        context_bytes: 64,
        scored_bytes: 16,
        answer_timeout_ms: 20_000,
        concurrency: 8,
        max_miners: 256,
        alpha: 0.5,
        cluster_tau: 0.1,
        least_added: 0.002,
        half_life_bytes: 8_192,
    }
}
