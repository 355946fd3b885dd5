//! `acumen model convert`: a GGUF file as a Hugging Face folder.

use std::path::PathBuf;

use acumen_models::gguf::{Float, Gguf, convert};
use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::output;

/// Largest file that is mapped: an address-space bound, nothing is read before it is checked.
const MAX_FILE_BYTES: u64 = 1 << 40;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Type {
    F32,
    Bf16,
    F16,
}

#[derive(Args, Debug)]
pub(crate) struct ConvertArgs {
    /// The .gguf file
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Folder to write: config.json, model.safetensors, tokenizer.json and what belongs to them
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Numbers of the weights; f32 holds every GGUF type exactly
    #[arg(long, value_enum, default_value = "f32")]
    dtype: Type,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ConvertArgs) -> Result<()> {
    if args.model.extension().is_none_or(|extension| extension != "gguf") {
        bail!(
            "{}: convert reads .gguf files; a Hugging Face folder is loaded as it is",
            args.model.display()
        );
    }
    let float = match args.dtype {
        Type::F32 => Float::F32,
        Type::Bf16 => Float::Bf16,
        Type::F16 => Float::F16,
    };
    let file = Gguf::open(&args.model, MAX_FILE_BYTES)?;
    let done = convert(&file, &args.out, float)?;
    if args.json {
        return output::json_line(&json!({
            "out": args.out, "tensors": done.tensors, "bytes": done.bytes, "files": done.files,
        }));
    }
    output::line(format_args!("{} tensors, {} bytes of weights", done.tensors, done.bytes))?;
    done.files.iter().try_for_each(|file| output::line(args.out.join(file).display()))
}
