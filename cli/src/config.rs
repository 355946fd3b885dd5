//! Configuration files: TOML, unknown keys refused with the nearest known one.
//!
//! A role's file holds the role's own keys and a `[wallet]` table (`path`, `name`, `hotkey`). Relative paths are
//! relative to the file's folder.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use serde::de::DeserializeOwned;

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
    let mut table: toml::Table = text.parse().map_err(|error: toml::de::Error| error.to_string())?;
    let wallet = table.remove("wallet").unwrap_or_else(|| toml::Value::Table(toml::Table::new()));
    let wallet =
        wallet.try_into().map_err(|error: toml::de::Error| explain(text, "in [wallet]: ", &error))?;
    let role =
        toml::Value::Table(table).try_into().map_err(|error: toml::de::Error| explain(text, "", &error))?;
    Ok((role, wallet))
}

/// Adds the line of an unknown key and the nearest known one to serde's message.
fn explain(text: &str, place: &str, error: &toml::de::Error) -> String {
    let message = error.message().to_owned();
    let mut quoted = message.split('`').skip(1).step_by(2);
    if !message.starts_with("unknown field") {
        return format!("{place}{}", error.to_string().trim_end());
    }
    let Some(unknown) = quoted.next() else { return message };
    let at = line_of(text, unknown).map(|line| format!("line {line}: ")).unwrap_or_default();
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

fn line_of(text: &str, key: &str) -> Option<usize> {
    let is_key = |line: &str| {
        let line = line.trim_start().trim_start_matches('[');
        line.strip_prefix(key).is_some_and(|rest| rest.trim_start().starts_with(['=', ']', '.']))
    };
    text.lines().position(is_key).map(|index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Sample {
        listen: String,
        metrics_listen: Option<String>,
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
    fn other_mistakes_are_named() {
        assert!(parse::<Sample>("listen = 3").unwrap_err().contains("expected a string"));
        assert!(parse::<Sample>("").unwrap_err().contains("missing field `listen`"));
        assert!(parse::<Sample>("listen = \"a").unwrap_err().contains("line 1"));
    }
}
