//! Configuration files: TOML, unknown keys refused with the nearest known one.
//!
//! A role's file holds the role's own keys and a `[wallet]` table (`path`, `name`, `hotkey`). Relative paths are
//! relative to the file's folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use serde::de::{Deserialize as _, DeserializeOwned};
use toml::Spanned;
use toml::de::{DeTable, ValueDeserializer};

use crate::wallet::WalletOptions;

/// Names further apart than this (0 to 1, Jaro–Winkler) are no plausible misspelling.
const PLAUSIBLE: f64 = 0.7;

/// A role's configuration as read from a file.
#[derive(Debug)]
pub(crate) struct RoleConfig<T> {
    /// The role's own keys.
    pub(crate) role: T,
    /// Whose keys to use.
    pub(crate) wallet: WalletOptions,
    /// Folder against which relative paths count.
    pub(crate) base: PathBuf,
}

/// Reads a role's configuration.
pub(crate) fn load<T: DeserializeOwned>(path: &Path) -> Result<RoleConfig<T>> {
    let shown = path.display();
    let text = fs::read_to_string(path).with_context(|| format!("cannot read the configuration {shown}"))?;
    let base =
        path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let base = fs::canonicalize(base).with_context(|| format!("cannot find the folder of {shown}"))?;
    let (role, mut wallet) = parse(&text).map_err(|reason| anyhow!("{shown}: {reason}"))?;
    wallet.path = wallet.path.map(|path| if path.starts_with("~") { path } else { base.join(path) });
    Ok(RoleConfig { role, wallet, base })
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<(T, WalletOptions), String> {
    let document = DeTable::parse(text).map_err(|error| error.to_string().trim_end().to_owned())?;
    let span = document.span();
    let mut table = document.into_inner();
    let wallet = match table.remove("wallet") {
        Some(wallet) => WalletOptions::deserialize(ValueDeserializer::from(wallet))
            .map_err(|error| explain(text, "in [wallet]: ", &error))?,
        None => WalletOptions::default(),
    };
    let role = T::deserialize(toml::Deserializer::from(Spanned::new(span, table)))
        .map_err(|error| explain(text, "", &error))?;
    Ok((role, wallet))
}

/// serde's message with the line, the key and, for an unknown key, the nearest known one.
fn explain(text: &str, place: &str, error: &toml::de::Error) -> String {
    let at = error.span().and_then(|span| line_at(text, span.start));
    let at = at.map(|line| format!("line {line}: ")).unwrap_or_default();
    let message = error.message();
    if !message.starts_with("unknown field") {
        let key = key_of(error).map(|key| format!("`{key}`: ")).unwrap_or_default();
        return format!("{place}{at}{key}{}", plain(message));
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(unknown) = quoted.next() else { return format!("{place}{at}{message}") };
    let nearest = quoted
        .map(|known| (strsim::jaro_winkler(unknown, known), known))
        .filter(|(likeness, _)| *likeness >= PLAUSIBLE)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let hint = match nearest {
        Some((_, known)) => format!("did you mean `{known}`?"),
        None => message.split_once(", ").map(|(_, known)| known.to_owned()).unwrap_or_default(),
    };
    format!("{place}{at}unknown key `{unknown}`: {hint}")
}

/// The line of a byte, from 1. The document's own start is no place: what lacks a key is the whole table.
fn line_at(text: &str, byte: usize) -> Option<usize> {
    let before = text.get(..byte).filter(|_| byte > 0)?;
    Some(before.matches('\n').count() + 1)
}

/// The key that toml names after its message: "in `limits.max_streams`".
fn key_of(error: &toml::de::Error) -> Option<String> {
    let text = error.to_string();
    let (_, key) = text.rsplit_once("\nin `")?;
    Some(key.trim_end().trim_end_matches('`').to_owned())
}

/// What serde calls by the names of Rust's types, in words.
fn plain(message: &str) -> String {
    let numbers = ["usize", "u64", "u32", "u16", "u8"];
    let words = message.rsplit_once("expected ").filter(|(_, wanted)| numbers.contains(wanted));
    match (words, message) {
        (Some((found, _)), _) => format!("{found}expected a whole number, 0 or more"),
        (None, "invalid socket address syntax") => "write IP:PORT, such as 127.0.0.1:8091".to_owned(),
        (None, other) => other.replace("expected socket address", "expected \"IP:PORT\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Sample {
        listen: String,
        metrics_listen: Option<std::net::SocketAddr>,
        limits: Option<Limits>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[allow(dead_code)]
    struct Limits {
        streams: usize,
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_known_one() {
        let error = parse::<Sample>("listen = \"a\"\nmetric_listen = \"b\"\n").unwrap_err();
        assert_eq!(error, "line 2: unknown key `metric_listen`: did you mean `metrics_listen`?");
        let error = parse::<Sample>("listen = \"a\"\nxyzzy = 1\n").unwrap_err();
        assert!(error.contains("line 2: unknown key `xyzzy`: expected"), "{error}");
        let error = parse::<Sample>("listen = \"a\"\n[wallet]\nhotky = \"b\"\n").unwrap_err();
        assert!(
            error.contains("in [wallet]: line 3: unknown key `hotky`: did you mean `hotkey`?"),
            "{error}"
        );
    }

    #[test]
    fn a_wrong_value_is_named_with_its_line_and_key() {
        let wrong = |text: &str| parse::<Sample>(&format!("listen = \"a\"\n\n{text}\n")).unwrap_err();
        assert_eq!(
            wrong("[limits]\nstreams = \"3\""),
            "line 4: `limits.streams`: invalid type: string \"3\", expected a whole number, 0 or more"
        );
        assert!(wrong("limits = { streams = -1 }").starts_with("line 3: `limits.streams`: invalid value"));
        assert_eq!(
            wrong("metrics_listen = \"here\""),
            "line 3: `metrics_listen`: write IP:PORT, such as 127.0.0.1:8091"
        );
        assert!(wrong("metrics_listen = 7").contains("line 3: `metrics_listen`: invalid type: integer"));
        assert!(
            wrong("[wallet]\nname = 3").starts_with("in [wallet]: line 4: `name`: "),
            "{}",
            wrong("[wallet]\nname = 3")
        );
    }

    #[test]
    fn other_mistakes_are_named() {
        assert!(parse::<Sample>("listen = 3").unwrap_err().contains("expected a string"));
        assert!(parse::<Sample>("").unwrap_err().contains("missing field `listen`"));
        assert!(parse::<Sample>("listen = \"a").unwrap_err().contains("line 1"));
    }
}
