//! Which model to run, how, and what to feed it: the options that several commands share.

use std::path::PathBuf;

use acumen_models::tokenizer::Tokenizer;
use acumen_models::{Device, Dtype, LanguageModel, LoadOptions, ModelError, Token, byte_tokens, load};
use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde::Serialize;

/// Which model, and how to run it.
#[derive(Args, Debug)]
pub(crate) struct Model {
    /// A Hugging Face folder, .gguf, .pt, .safetensors (byte GPT) or .ngram
    #[arg(long = "model", value_name = "PATH")]
    pub(super) path: PathBuf,
    /// Numbers of the weights: auto, f32, bf16, int8, int4. auto takes what is fastest here
    #[arg(long, default_value = "f32", value_parser = dtype, value_name = "TYPE")]
    dtype: Dtype,
    /// cpu or cuda:0
    #[arg(long, default_value = "cpu", value_parser = device)]
    device: Device,
    /// Answer byte by byte, as track 0 asks, whatever the model's own tokens are
    #[arg(long)]
    bytes: bool,
    /// Threads inside one operation [default: all cores]
    #[arg(long)]
    threads: Option<usize>,
}

fn dtype(text: &str) -> Result<Dtype, ModelError> {
    text.parse()
}

fn device(text: &str) -> Result<Device, ModelError> {
    text.parse()
}

/// Which model, and what to feed it.
#[derive(Args, Debug)]
pub(crate) struct Input {
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    prompt: Prompt,
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

/// A loaded model with its prompt.
pub(crate) struct Loaded {
    pub(super) model: Box<dyn LanguageModel>,
    pub(super) prompt: Vec<Token>,
    /// None where the model came without one.
    pub(super) tokenizer: Option<Tokenizer>,
}

/// The prompt is a user's message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chat<'a> {
    /// The message before it.
    pub(super) system: Option<&'a str>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

impl Input {
    pub(super) fn load(&self, chat: Option<Chat<'_>>) -> Result<Loaded> {
        let model = self.model.load()?;
        let tokenizer = match self.model.tokenizer() {
            // Ids need no tokenizer; text is then not shown.
            Err(error) if self.prompt.ids.is_some() => {
                tracing::warn!("{error:#}");
                None
            }
            found => found?,
        };
        let prompt = self.prompt.tokens(tokenizer.as_ref(), chat)?;
        Ok(Loaded { model, prompt, tokenizer })
    }
}

impl Model {
    pub(super) fn options(&self) -> LoadOptions {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = Some(self.threads.unwrap_or(cores).max(1));
        let (dtype, device, bytes) = (self.dtype, self.device, self.bytes);
        LoadOptions { threads, dtype, device, bytes, ..LoadOptions::default() }
    }

    /// How text becomes tokens of this model; none for a folder that came without.
    fn tokenizer(&self) -> Result<Option<Tokenizer>> {
        if self.bytes {
            return Ok(Some(Tokenizer::of_bytes()));
        }
        Ok(Tokenizer::of_model(&self.path, self.options().max_file_bytes)?)
    }

    /// The tokens of a text.
    pub(super) fn tokens(&self, bytes: Vec<u8>) -> Result<Vec<Token>> {
        let tokenizer = self.tokenizer()?.context("this model came without a tokenizer")?;
        encode(&tokenizer, bytes).context("the text")
    }

    pub(super) fn load(&self) -> Result<Box<dyn LanguageModel>> {
        Ok(load(&self.path, &self.options())?)
    }
}

impl Prompt {
    fn tokens(&self, tokenizer: Option<&Tokenizer>, chat: Option<Chat<'_>>) -> Result<Vec<Token>> {
        if let Some(ids) = &self.ids {
            return Ok(ids.clone());
        }
        let bytes = match (&self.prompt, &self.prompt_file) {
            (Some(text), _) => text.clone().into_bytes(),
            (None, Some(path)) => {
                std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?
            }
            (None, None) => bail!("no prompt: give --prompt, --prompt-file or --ids"),
        };
        let tokenizer =
            tokenizer.context("this model came without a tokenizer: give --ids instead of text")?;
        match chat {
            Some(chat) => chat.tokens(tokenizer, bytes),
            None => encode(tokenizer, bytes),
        }
        .context("the prompt")
    }
}

impl Chat<'_> {
    /// The conversation up to where the answer begins, as the model was trained on it.
    fn tokens(self, tokenizer: &Tokenizer, bytes: Vec<u8>) -> Result<Vec<Token>> {
        let template = tokenizer.chat_template();
        let template = template.context("this model came without a chat template: leave --chat out")?;
        let user = String::from_utf8(bytes).context("not UTF-8")?;
        let system = self.system.map(|content| Message { role: "system", content });
        let messages: Vec<_> = system.into_iter().chain([Message { role: "user", content: &user }]).collect();
        let text = template.render(&messages, true, &serde_json::Map::new())?;
        // The template itself writes the token that a text begins with, where the model wants one.
        Ok(tokenizer.encode(&text, false)?)
    }
}

/// The tokens of a text as they stand before an answer.
fn encode(tokenizer: &Tokenizer, bytes: Vec<u8>) -> Result<Vec<Token>> {
    if tokenizer.kind() == "bytes" {
        return Ok(byte_tokens(&bytes));
    }
    let text = String::from_utf8(bytes).context("not UTF-8")?;
    Ok(tokenizer.encode(&text, true)?)
}
