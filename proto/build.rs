//! Compiles the `.proto` files in Rust (`protox`): no `protoc` to install.

use std::error::Error;
use std::{env, fs, path::PathBuf};

use prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    let files = [
        "acumen/inference/v1/inference.proto",
        "acumen/chain/v1/chain.proto",
        "acumen/chain/v1/miners.proto",
        "acumen/validation/v1/validation.proto",
        "inference/grpc_predict_v2.proto",
    ];
    for file in files {
        println!("cargo::rerun-if-changed={file}");
    }
    let descriptors = protox::compile(files, ["."])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
