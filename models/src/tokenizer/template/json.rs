//! The filter `tojson` as transformers defines it: Python's `json.dumps(value, ensure_ascii=False, …)` with its `indent`,
//! `separators` and `sort_keys`. Source: Python's documentation of `json`.

use std::io::{Result as Written, Write};

use minijinja::value::{Kwargs, Value};
use minijinja::{Error, ErrorKind};
use serde::Serialize;
use serde_json::Value as Json;
use serde_json::ser::{Formatter, Serializer};

/// Deepest indent that is written, in characters a level.
const MAX_INDENT: usize = 32;

pub(super) fn to_json(value: &Value, indent: Option<usize>, options: Kwargs) -> Result<Value, Error> {
    let indent = match (indent, options.get::<Option<Value>>("indent")?) {
        (Some(width), _) => Some(" ".repeat(width.min(MAX_INDENT))),
        (None, Some(given)) => Some(indentation(&given)?),
        (None, None) => None,
    };
    let separators: Option<Vec<String>> = options.get("separators")?;
    let (item, key) = match separators.as_deref() {
        // Lines end without a space.
        None => (if indent.is_some() { "," } else { ", " }, ": "),
        Some([item, key]) => (item.as_str(), key.as_str()),
        Some(_) => return Err(refused("separators are two: after an item and after a key")),
    };
    let ascii = options.get::<Option<bool>>("ensure_ascii")?.unwrap_or(false);
    let python = Python { item, key, indent: indent.as_deref(), ascii, depth: 0, filled: false };
    let sorts = options.get::<Option<bool>>("sort_keys")?.unwrap_or(false);
    options.assert_all_used()?;
    let text = if sorts {
        serde_json::to_value(value).and_then(|value| write(&sorted(value), python))
    } else {
        write(value, python)
    };
    text.map(Value::from).map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
}

/// A number of spaces, or the indent itself.
fn indentation(given: &Value) -> Result<String, Error> {
    if let Some(text) = given.as_str() {
        return Ok(text.chars().take(MAX_INDENT).collect());
    }
    let width =
        usize::try_from(given.clone()).map_err(|_| refused("indent is a number of spaces or a text"))?;
    Ok(" ".repeat(width.min(MAX_INDENT)))
}

fn refused(what: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, format!("tojson: {what}"))
}

/// The same with the keys of all objects in the order of their characters.
fn sorted(value: Json) -> Json {
    match value {
        Json::Array(items) => Json::Array(items.into_iter().map(sorted).collect()),
        Json::Object(fields) => {
            let mut fields: Vec<_> = fields.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            Json::Object(fields.into_iter().collect())
        }
        other => other,
    }
}

fn write(value: &impl Serialize, python: Python<'_>) -> Result<String, serde_json::Error> {
    let mut out = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut out, python))?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// `{"a": 1, "b": [1, 2]}`, where nobody asks for something else.
struct Python<'a> {
    /// After an item.
    item: &'a str,
    /// After a key.
    key: &'a str,
    /// What each level is moved by; none writes one line.
    indent: Option<&'a str>,
    /// Whether other characters are written as `\u00e9`.
    ascii: bool,
    depth: usize,
    /// Whether the list or object that ends has something in it.
    filled: bool,
}

impl Python<'_> {
    fn line<W: ?Sized + Write>(&self, out: &mut W) -> Written<()> {
        let Some(indent) = self.indent else { return Ok(()) };
        out.write_all(b"\n")?;
        (0..self.depth).try_for_each(|_| out.write_all(indent.as_bytes()))
    }

    fn open<W: ?Sized + Write>(&mut self, out: &mut W, bracket: &[u8]) -> Written<()> {
        self.depth += 1;
        self.filled = false;
        out.write_all(bracket)
    }

    fn next<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> Written<()> {
        if !first {
            out.write_all(self.item.as_bytes())?;
        }
        self.line(out)
    }

    fn close<W: ?Sized + Write>(&mut self, out: &mut W, bracket: &[u8]) -> Written<()> {
        self.depth -= 1;
        if self.filled {
            self.line(out)?;
        }
        // Whatever it lies in has something in it, then.
        self.filled = true;
        out.write_all(bracket)
    }
}

impl Formatter for Python<'_> {
    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> Written<()> {
        self.open(out, b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> Written<()> {
        self.close(out, b"]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> Written<()> {
        self.next(out, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, _: &mut W) -> Written<()> {
        self.filled = true;
        Ok(())
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> Written<()> {
        self.open(out, b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> Written<()> {
        self.close(out, b"}")
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> Written<()> {
        self.next(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> Written<()> {
        out.write_all(self.key.as_bytes())
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> Written<()> {
        self.filled = true;
        Ok(())
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, text: &str) -> Written<()> {
        if !self.ascii {
            return out.write_all(text.as_bytes());
        }
        text.chars().try_for_each(|char| match char {
            // Quotes, backslashes and control characters never come here.
            ' '..='~' => out.write_all(&[char as u8]),
            _ => char.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}")),
        })
    }
}
