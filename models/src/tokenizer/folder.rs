//! A tokenizer from the files of a Hugging Face folder.

use std::path::Path;

use serde_json::{Map, Value};

use super::{ChatTemplate, Tokenizer, TokenizerError};
use crate::Token;

/// Largest file that is read: the largest vocabularies take some 35 MB.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// Tokens that templates may name.
const NAMED: [&str; 7] =
    ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

impl Tokenizer {
    /// Reads `tokenizer.json` and what belongs to it from a folder.
    ///
    /// # Errors
    /// [`TokenizerError::Missing`] if there is no `tokenizer.json`; else what is wrong with a file.
    pub fn from_folder(folder: &Path) -> Result<Self, TokenizerError> {
        let json = read(&folder.join("tokenizer.json"))?;
        let json = json.ok_or_else(|| TokenizerError::Missing(folder.into()))?;
        let mut tokenizer = Self::from_json(&json)?;
        let network = object(&folder.join("config.json"))?;
        let ids = network.get("vocab_size").and_then(Value::as_u64).and_then(|ids| usize::try_from(ids).ok());
        tokenizer.ids = tokenizer.ids.max(ids.unwrap_or(0));
        let config = object(&folder.join("tokenizer_config.json"))?;
        let named = named_tokens(&config);
        tokenizer.ends = ends(folder, &network, &tokenizer, &named)?;
        let file = read(&folder.join("chat_template.jinja"))?;
        let source = match file {
            Some(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            None => template_of(&config),
        };
        tokenizer.chat = source.map(|source| ChatTemplate::new(&source, named)).transpose()?;
        Ok(tokenizer)
    }
}

/// A file's bytes; none if it does not exist.
fn read(path: &Path) -> Result<Option<Vec<u8>>, TokenizerError> {
    let io = |reason: String| TokenizerError::Io { path: path.into(), reason };
    let size = match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error.to_string())),
        Ok(metadata) => metadata.len(),
    };
    if size > MAX_FILE_BYTES {
        return Err(io(format!("{size} bytes, more than the {MAX_FILE_BYTES} that are read")));
    }
    std::fs::read(path).map(Some).map_err(|error| io(error.to_string()))
}

fn object(path: &Path) -> Result<Map<String, Value>, TokenizerError> {
    let Some(bytes) = read(path)? else { return Ok(Map::new()) };
    serde_json::from_slice(&bytes)
        .map_err(|error| TokenizerError::Io { path: path.into(), reason: error.to_string() })
}

/// A token is given as its text or as an object with its text.
fn token_text(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value["content"].as_str())
}

fn named_tokens(config: &Map<String, Value>) -> Map<String, Value> {
    NAMED
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), Value::from(token_text(config.get(name)?)?))))
        .collect()
}

/// One template, or the one called `default` of several.
fn template_of(config: &Map<String, Value>) -> Option<String> {
    let value = config.get("chat_template")?;
    if let Some(text) = value.as_str() {
        return Some(text.into());
    }
    let list = value.as_array()?;
    let default = list.iter().find(|entry| entry["name"] == "default").or_else(|| list.first())?;
    default["template"].as_str().map(str::to_owned)
}

/// What ends a generation: the ids of `generation_config.json`, else of `config.json`, and the tokenizer's own.
fn ends(
    folder: &Path,
    network: &Map<String, Value>,
    tokenizer: &Tokenizer,
    named: &Map<String, Value>,
) -> Result<Vec<Token>, TokenizerError> {
    let mut ends = Vec::new();
    for config in [&object(&folder.join("generation_config.json"))?, network] {
        match config.get("eos_token_id") {
            Some(Value::Array(ids)) => ends.extend(ids.iter().filter_map(id)),
            // As in the model's own reading of these files: null is not there.
            None | Some(Value::Null) => continue,
            Some(one) => ends.extend(id(one)),
        }
        break;
    }
    let own = named.get("eos_token").and_then(Value::as_str).and_then(|text| tokenizer.id(text));
    ends.extend(own);
    ends.sort_unstable();
    ends.dedup();
    Ok(ends)
}

fn id(value: &Value) -> Option<Token> {
    value.as_u64().and_then(|id| Token::try_from(id).ok())
}
