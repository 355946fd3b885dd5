//! Held-out losses of model files: `cargo run -p acumen-models --example evaluate -- MODEL…`, one JSON line each.

use std::error::Error;
use std::path::Path;

use acumen_models::{LoadOptions, corpus, evaluate, load};

fn main() -> Result<(), Box<dyn Error>> {
    let heldout = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/heldout");
    let documents = corpus::documents(&heldout)?;
    for path in std::env::args().skip(1) {
        let model = load(Path::new(&path), &LoadOptions::default())?;
        let losses = evaluate::evaluate(model.as_ref(), &documents)?;
        let line = serde_json::json!({ "model": model.info(), "bits_per_byte": losses });
        println!("{line}");
    }
    println!("{}", serde_json::json!({ "floor": evaluate::floors() }));
    Ok(())
}
