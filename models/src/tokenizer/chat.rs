//! Chat messages to text, by the template that comes with a model.
//!
//! Templates are written for Python's Jinja as transformers sets it up: blocks are trimmed, Python's string and
//! dictionary methods work, `tojson` writes what `json.dumps(ensure_ascii=False)` writes, `raise_exception` and
//! `strftime_now` exist. A template comes with a model and is not trusted: its steps are bounded and it reaches nothing
//! but its arguments and the date.

use minijinja::Environment;
use minijinja::value::Serde;
use serde::Serialize;
use serde_json::{Map, Value};

use super::template;

/// Largest template that is read: the largest in use have some 20 kB.
const MAX_SOURCE_BYTES: usize = 1 << 20;

const NAME: &str = "chat";

/// A failure of a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChatTemplateError {
    /// The template is not one.
    #[error("the model's chat template cannot be read: {0}")]
    Syntax(String),
    /// The template failed on these messages.
    #[error("the model's chat template refuses these messages: {0}")]
    Render(String),
}

/// A model's chat template.
#[derive(Clone)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    source: String,
    /// `bos_token` and the like.
    tokens: Map<String, Value>,
}

impl std::fmt::Debug for ChatTemplate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ChatTemplate").field("source", &self.source).finish_non_exhaustive()
    }
}

impl ChatTemplate {
    /// Compiles a template. `tokens` are the names it may use besides the messages: `bos_token` and the like.
    ///
    /// # Errors
    /// A template that is too long or has a syntax error.
    pub fn new(source: &str, tokens: Map<String, Value>) -> Result<Self, ChatTemplateError> {
        if source.len() > MAX_SOURCE_BYTES {
            let reason = format!("{} bytes, more than {MAX_SOURCE_BYTES}", source.len());
            return Err(ChatTemplateError::Syntax(reason));
        }
        let mut environment = template::environment();
        environment
            .add_template_owned(NAME, template::without_generation_blocks(source))
            .map_err(|error| ChatTemplateError::Syntax(describe(&error)))?;
        Ok(Self { environment, source: source.into(), tokens })
    }

    /// The template's text.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The tokens it may name.
    #[must_use]
    pub const fn tokens(&self) -> &Map<String, Value> {
        &self.tokens
    }

    /// Writes messages (objects with `role` and `content`) as the text that the model was trained on. With
    /// `add_generation_prompt` it ends where the model's answer begins. `extra`, an object, is passed on: `tools`,
    /// `documents` and whatever else a template knows. Messages and `extra` keep the order of their fields, which `tojson`
    /// shows (a `serde_json::Map` sorts its own).
    ///
    /// # Errors
    /// Whatever the template objects to, in its own words.
    pub fn render<M: Serialize, E: Serialize>(
        &self,
        messages: &[M],
        add_generation_prompt: bool,
        extra: &E,
    ) -> Result<String, ChatTemplateError> {
        let mut usual = self.tokens.clone();
        // Templates ask `if tools`: what is not given is none, as in transformers.
        usual.extend(["tools", "documents"].map(|name| (name.to_owned(), Value::Null)));
        let context = Context { usual: &usual, messages, add_generation_prompt, extra };
        let failed = |error: minijinja::Error| ChatTemplateError::Render(describe(&error));
        self.environment
            .get_template(NAME)
            .map_err(failed)?
            .render(minijinja::Value::from(Serde(context)))
            .map_err(failed)
    }
}

/// What a template sees; of two values of one name the later.
#[derive(Serialize)]
struct Context<'a, M, E> {
    #[serde(flatten)]
    usual: &'a Map<String, Value>,
    messages: &'a [M],
    add_generation_prompt: bool,
    #[serde(flatten)]
    extra: &'a E,
}

/// What went wrong, with the line; the kind only where there is no more to say.
fn describe(error: &minijinja::Error) -> String {
    let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    error.line().map_or_else(|| what.clone(), |line| format!("{what} (line {line})"))
}
