//! What sentence-transformers does to a text before it becomes tokens, and how many of them it keeps.

use std::borrow::Cow;
use std::path::Path;

use serde_json::Value;

use super::modules::json;
use crate::ModelError;

/// See the module.
#[derive(Debug, Clone, Default)]
pub(super) struct TextRules {
    /// Most tokens of a text, where the files bound them.
    pub(super) most_tokens: Option<usize>,
    lower: bool,
    /// What every text begins with.
    prompt: String,
}

impl TextRules {
    /// Reads `sentence_bert_config.json` and `tokenizer_config.json` beside the network, and
    /// `config_sentence_transformers.json` in the folder.
    pub(super) fn read(folder: &Path, network: &Path) -> Result<Self, ModelError> {
        let rules = json(&network.join("sentence_bert_config.json"))?.unwrap_or_default();
        let tokenizer = json(&network.join("tokenizer_config.json"))?.unwrap_or_default();
        // transformers writes 1e30 for "no bound".
        let count = |value: &Value| value.as_u64().and_then(|most| usize::try_from(most).ok());
        let most = count(&rules["max_seq_length"]).or_else(|| count(&tokenizer["model_max_length"]));
        let prompts = json(&folder.join("config_sentence_transformers.json"))?.unwrap_or_default();
        let prompt =
            prompts["default_prompt_name"].as_str().and_then(|name| prompts["prompts"][name].as_str());
        Ok(Self {
            most_tokens: most.filter(|most| *most > 1),
            lower: rules["do_lower_case"].as_bool().unwrap_or(false),
            prompt: prompt.unwrap_or_default().into(),
        })
    }

    /// The text as it goes to the tokenizer.
    pub(super) fn apply<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if !self.lower && self.prompt.is_empty() {
            return text.trim().into();
        }
        let text = format!("{}{text}", self.prompt);
        if self.lower { text.trim().to_lowercase().into() } else { text.trim().to_owned().into() }
    }
}
