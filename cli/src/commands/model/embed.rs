//! `acumen model embed`: one vector for a text.

use std::path::PathBuf;

use acumen_models::encoder::Encoder;
use acumen_models::{LoadOptions, Token};
use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;

use crate::output;

#[derive(Args, Debug)]
pub(crate) struct EmbedArgs {
    /// A Hugging Face folder of a BERT encoder
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// A text; may be given more than once
    #[arg(long)]
    text: Vec<String>,
    /// Token ids of one text, special ones included, instead of --text: 101,2023,102
    #[arg(long, value_delimiter = ',', value_name = "IDS", conflicts_with = "text")]
    ids: Vec<Token>,
    /// Accepted for symmetry: the output is JSON lines anyway
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &EmbedArgs) -> Result<()> {
    if args.text.is_empty() && args.ids.is_empty() {
        bail!("nothing to embed: give --text or --ids");
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let encoder =
        Encoder::load(&args.model, &LoadOptions { threads: Some(cores), ..LoadOptions::default() })?;
    let vectors = if args.ids.is_empty() {
        encoder.embed_texts(&args.text.iter().map(String::as_str).collect::<Vec<_>>())?
    } else {
        encoder.embed(std::slice::from_ref(&args.ids))?
    };
    vectors
        .iter()
        .enumerate()
        .try_for_each(|(index, vector)| output::json_line(&json!({ "index": index, "embedding": vector })))
}
