//! Which model to run, how, and what to feed it: the options that several commands share.

use std::path::PathBuf;

use acumen_models::{LanguageModel, LoadOptions, Token, byte_tokens, load};
use anyhow::{Context as _, Result};
use clap::Args;

/// Which model, and what to feed it.
#[derive(Args, Debug)]
pub(crate) struct Input {
    /// The model file
    #[arg(long, value_name = "PATH")]
    model: PathBuf,
    #[command(flatten)]
    prompt: Prompt,
    /// Threads inside one operation
    #[arg(long, default_value_t = 1)]
    threads: usize,
}

#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct Prompt {
    /// Text to start from
    #[arg(long)]
    prompt: Option<String>,
    /// File with the text to start from
    #[arg(long, value_name = "FILE")]
    prompt_file: Option<PathBuf>,
    /// Token ids to start from: 1,2,3
    #[arg(long, value_delimiter = ',', value_name = "IDS")]
    ids: Option<Vec<Token>>,
}

impl Input {
    pub(super) fn load(&self) -> Result<(Box<dyn LanguageModel>, Vec<Token>)> {
        let options = LoadOptions { threads: Some(self.threads.max(1)), ..LoadOptions::default() };
        Ok((load(&self.model, &options)?, self.prompt.tokens()?))
    }
}

impl Prompt {
    fn tokens(&self) -> Result<Vec<Token>> {
        if let Some(ids) = &self.ids {
            return Ok(ids.clone());
        }
        if let Some(text) = &self.prompt {
            return Ok(byte_tokens(text.as_bytes()));
        }
        let path = self.prompt_file.as_ref().context("no prompt: give --prompt, --prompt-file or --ids")?;
        let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(byte_tokens(&text))
    }
}
