//! Every file of `vectors/`, run; a file that no runner knows fails the test.

mod economics;
mod epochs;
mod functions;
mod properties;

use std::path::{Path, PathBuf};

use serde_json::Value;

/// Runs one file by its kind.
fn run_file(path: &Path) {
    let text = std::fs::read_to_string(path).unwrap();
    let case: Value = serde_json::from_str(&text).unwrap();
    let name = case["name"].as_str().unwrap();
    match case["kind"].as_str().unwrap() {
        "epoch_sequence" => epochs::sequence(&text, &case),
        "epoch_generated" => epochs::generated(&text, &case),
        "validator_permits" => epochs::permits(&text, &case),
        "weighted_median" => functions::weighted_median(&case),
        "col_clip" => functions::col_clip(&case),
        "is_topk" => functions::top_k(&case),
        "vec_max_upscale_to_u16" => functions::max_upscale(&case),
        "sigmoid_safe" => functions::sigmoid(&case),
        "interpolate" => functions::interpolate(&case),
        "mat_ema_alpha" => functions::ema_alpha(&case),
        "registration_burn_price" => economics::registration(&case),
        "block_emission" => economics::block_emission(&case),
        "property" => properties::run(name),
        kind => panic!("{name}: no runner for kind {kind:?}"),
    }
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().is_some_and(|name| name != "README.md"))
        .collect();
    files.sort();
    files
}

#[test]
fn every_vector_of_the_folder() {
    let files = files();
    assert_eq!(files.len(), 22, "a vector was added or lost: {files:?}");
    for file in &files {
        println!("{}", file.display());
        run_file(file);
    }
}

/// A list of unsigned integers.
fn integers(list: &Value) -> Vec<u64> {
    list.as_array().unwrap().iter().map(|x| x.as_u64().unwrap()).collect()
}
