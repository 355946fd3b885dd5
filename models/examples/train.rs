//! Trains a byte GPT: `cargo run -p acumen-models --example train -- CONFIG.json`.

use std::error::Error;

use acumen_models::train::{TrainConfig, run};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: train CONFIG.json")?;
    let config: TrainConfig = serde_json::from_slice(&std::fs::read(path)?)?;
    let losses = run(&config, &mut |progress| {
        println!("{}", serde_json::to_string(progress).unwrap_or_default());
    })?;
    println!("{}", serde_json::to_string(&losses)?);
    Ok(())
}
