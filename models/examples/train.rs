//! Makes a checkpoint from its recipe: `cargo run -p acumen-models --example train -- RECIPE.json`.

use std::error::Error;

use acumen_models::recipe::Recipe;
use acumen_models::{ngram, train};

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("usage: train RECIPE.json")?;
    match serde_json::from_slice(&std::fs::read(path)?)? {
        Recipe::Ngram(config) => ngram::train(&config)?,
        Recipe::Gpt(config) => {
            let losses = train::run(&config, &mut |progress| {
                println!("{}", serde_json::to_string(progress).unwrap_or_default());
            })?;
            println!("{}", serde_json::to_string(&losses)?);
        }
    }
    Ok(())
}
