//! A Jinja environment that behaves as the one in which transformers runs chat templates.

mod clock;
mod json;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State};

/// Steps of one rendering: a conversation of thousands of messages takes some hundred thousand.
const FUEL: u64 = 20_000_000;

/// Depth of nested macros and blocks.
const RECURSION: usize = 100;

pub(super) fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    // Only delimiters can be refused, and these are the usual ones.
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        environment.set_syntax(syntax);
    }
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(RECURSION);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.set_formatter(python_words);
    environment.add_filter("tojson", json::to_json);
    // None can be gone through here and not in Python: templates ask `tools is iterable and tools | length > 0`.
    environment.add_test("iterable", |value: &Value| !value.is_none() && value.try_iter().is_ok());
    environment.add_function("raise_exception", |message: String| -> Result<Value, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, message))
    });
    environment.add_function("strftime_now", |format: String| clock::now(&format));
    environment
}

/// Writes `None`, `True` and `False` as Python does.
fn python_words(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if value.is_none() {
        return out.write_str("None").map_err(Error::from);
    }
    match value.kind() {
        minijinja::value::ValueKind::Bool => {
            out.write_str(if value.is_true() { "True" } else { "False" }).map_err(Error::from)
        }
        _ => minijinja::escape_formatter(out, state, value),
    }
}

/// Replaces `{% generation %}` and its end, which mark the answers for training and write nothing.
pub(super) fn without_generation_blocks(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        // `{%}` is no tag: its end may not begin within its beginning.
        let Some(length) = rest[start + 2..].find("%}") else { break };
        let end = start + 2 + length + 2;
        let (before, tag) = (&rest[..start], &rest[start..end]);
        let inner = &rest[start + 2..end - 2];
        let (open, inner) = inner.strip_prefix('-').map_or(("{%", inner), |inner| ("{%-", inner));
        let (close, inner) = inner.strip_suffix('-').map_or(("%}", inner), |inner| ("-%}", inner));
        out += before;
        match inner.trim() {
            "generation" => out += &format!("{open} if true {close}"),
            "endgeneration" => out += &format!("{open} endif {close}"),
            _ => out += tag,
        }
        rest = &rest[end..];
    }
    out + rest
}
