//! API keys: only their hashes are stored, and a lookup compares hashes, never secrets.

use std::collections::BTreeSet;
use std::path::Path;

use acumen_protocol::Hash;

use crate::Error;

/// Reads a file of hashes: one per line, `#` begins a comment.
pub(crate) fn load(path: &Path) -> Result<BTreeSet<Hash>, Error> {
    let refuse = |reason: String| Error::ApiKeys { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    let keys = parse(&text).map_err(refuse)?;
    if keys.is_empty() {
        return Err(refuse(
            "holds no key: nobody could ask. Remove the setting to let everybody ask".to_owned(),
        ));
    }
    Ok(keys)
}

fn parse(text: &str) -> Result<BTreeSet<Hash>, String> {
    let content = |line: &str| line.split('#').next().unwrap_or_default().trim().to_owned();
    let numbered = text.lines().map(content).enumerate().filter(|(_, line)| !line.is_empty());
    numbered
        .map(|(at, line)| {
            line.parse()
                .map_err(|_| format!("line {}: write the blake2b-256 of a key, 64 hex digits", at + 1))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_and_comments_are_read_and_a_plain_key_is_refused() {
        let hash = Hash::of(b"secret");
        let text = format!("# team\n\n{hash}  # alice\n");
        assert_eq!(parse(&text).unwrap(), BTreeSet::from([hash]));
        let error = parse("# a\nsecret\n").unwrap_err();
        assert!(error.contains("line 2") && !error.contains("secret"), "{error}");
    }
}
