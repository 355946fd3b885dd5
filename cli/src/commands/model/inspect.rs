//! `acumen model inspect`: what is in a model file.

use std::path::PathBuf;

use acumen_models::LoadOptions;
use acumen_models::inspect::{self, Tokenization};
use anyhow::Result;
use clap::Args;
use serde_json::json;

use crate::output;

#[derive(Args, Debug)]
pub(crate) struct InspectArgs {
    /// A Hugging Face folder or a model file
    model: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &InspectArgs) -> Result<()> {
    let found = inspect::inspect(&args.model, &LoadOptions::default())?;
    if args.json {
        return output::json_line(&json!(found));
    }
    let info = &found.info;
    output::line(format_args!("name          {}", info.name))?;
    output::line(format_args!("architecture  {} ({})", info.architecture, info.format))?;
    output::line(format_args!("parameters    {}", info.parameters))?;
    output::line(format_args!("vocabulary    {} ({})", info.vocab, info.tokenizer))?;
    output::line(format_args!("context       {} tokens", info.context))?;
    output::line(format_args!(
        "file          {} bytes, blake2b-256 0x{}",
        found.file_bytes,
        hex::encode(info.digest)
    ))?;
    if let Some(memory) = found.memory {
        output::line(format_args!("weights       {} bytes read by each step", memory.weight_bytes))?;
        output::line(format_args!(
            "cache         {} tokens of {} bytes",
            memory.cache_tokens, memory.cache_bytes_per_token
        ))?;
    }
    if let Some(numbers) = found.vector {
        output::line(format_args!("vector        {numbers} numbers for a text"))?;
    }
    if let Some(tokenization) = &found.tokenization {
        print_tokenization(tokenization)?;
    }
    if let Some(fault) = &found.tokenizer_fault {
        output::line(format_args!("tokenizer     cannot be used: {fault}"))?;
    }
    for tensor in &found.tensors {
        output::line(format_args!("  {:48} {:5} {:?}", tensor.name, tensor.dtype, tensor.shape))?;
    }
    if !found.card.is_null() {
        output::line(format_args!("card          {}", serde_json::to_string_pretty(&found.card)?))?;
    }
    Ok(())
}

fn print_tokenization(tokenization: &Tokenization) -> Result<()> {
    output::line(format_args!("tokenizer     {}, {} tokens", tokenization.kind, tokenization.tokens))?;
    if !tokenization.end_tokens.is_empty() {
        let ids: Vec<String> = tokenization.end_tokens.iter().map(ToString::to_string).collect();
        output::line(format_args!("end tokens    {}", ids.join(", ")))?;
    }
    let template = tokenization.chat_template.as_ref();
    let template =
        template.map_or_else(|| "none".into(), |text| format!("{} characters", text.chars().count()));
    output::line(format_args!("chat template {template}"))
}
