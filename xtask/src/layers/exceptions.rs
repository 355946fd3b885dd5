//! Places where a pure crate lifts one of its bans: allowed, but only with a reason that a reader can judge.
//!
//! clippy obeys `allow` and `expect` anywhere, so without this rule one line could switch a ban off for a module.
//! Tests are free: they may index and unwrap.

use super::purity::{DENIED_LINTS, compact};
use super::sources::Source;
use super::{Violation, table};
use crate::workspace::Package;

/// The lints behind `clippy.toml`, beside those that `lib.rs` denies.
const BANS_BY_PATH: &[&str] = &["clippy::disallowed_types", "clippy::disallowed_methods"];

/// Lints whose level covers all of them.
const GROUPS: &[&str] = &["clippy::all", "clippy::restriction", "clippy::style", "warnings"];

/// Every ban that is lifted without a reason.
pub(super) fn check(packages: &[Package], sources: &[Source]) -> Vec<Violation> {
    sources.iter().filter(|source| is_pure_code(packages, &source.path)).flat_map(check_source).collect()
}

/// True for the library code of a pure crate.
fn is_pure_code(packages: &[Package], path: &str) -> bool {
    let of_pure_crate = packages
        .iter()
        .filter(|package| table::pure_crates().any(|entry| entry.name == package.name))
        .any(|package| path.starts_with(&format!("{}/src/", package.folder)));
    of_pure_crate && !path.ends_with("/tests.rs") && !path.contains("/tests/")
}

fn check_source(source: &Source) -> Vec<Violation> {
    attributes(&compact(&source.text, '/'))
        .iter()
        .filter(|attribute| !attribute.contains("reason=\""))
        .filter_map(|attribute| {
            let lint = [DENIED_LINTS, BANS_BY_PATH, GROUPS]
                .into_iter()
                .flatten()
                .find(|lint| attribute.split([',', '(', ')']).any(|word| word == **lint))?;
            Some(Violation {
                rule: "a ban is lifted only with a reason",
                place: source.path.clone(),
                found: format!("allows `{lint}` and does not say why"),
                mend: "write it without, or add `reason = \"…\"` that shows why the result stays the same everywhere"
                    .to_owned(),
            })
        })
        .collect()
}

/// The text of every attribute that lowers a lint, from its level to its closing bracket, without white space.
fn attributes(compact: &str) -> Vec<&str> {
    ["allow(", "expect(", "warn("]
        .iter()
        .flat_map(|level| compact.match_indices(level))
        .filter(|(at, _)| {
            compact[..*at].ends_with("#[") || compact[..*at].ends_with("#![") || in_cfg_attr(&compact[..*at])
        })
        .map(|(at, _)| compact[at..].split(")]").next().unwrap_or_default())
        .collect()
}

/// True if the text before a level ends inside a `cfg_attr(` that is not closed yet.
fn in_cfg_attr(before: &str) -> bool {
    let last = before.rfind("[cfg_attr(").map_or("", |at| &before[at..]);
    last.ends_with(',') && !last.contains(")]")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lifted(path: &str, text: &str) -> usize {
        let package = Package {
            name: "acumen-protocol".to_owned(),
            folder: "protocol".to_owned(),
            dependencies: Vec::new(),
        };
        let source = Source { path: path.to_owned(), text: text.to_owned() };
        check(&[package], &[source]).len()
    }

    #[test]
    fn a_ban_lifted_without_a_reason_is_refused_in_every_form() {
        for text in [
            "#[allow(clippy::unwrap_used)]",
            "#![allow(clippy::as_conversions, clippy::panic)]",
            "#[expect(\n    clippy::disallowed_types,\n)]",
            "#[cfg_attr(not(test), allow(clippy::indexing_slicing))]",
            "#![cfg_attr(not(test), allow(clippy::indexing_slicing))]",
            "#![allow(clippy::restriction)]",
        ] {
            assert_eq!(lifted("protocol/src/units.rs", text), 1, "{text}");
        }
    }

    #[test]
    fn a_reason_another_lint_and_a_call_are_fine() {
        for text in [
            "#[allow(clippy::unwrap_used, reason = \"the length was checked above (4 bytes)\")]",
            "#[allow(clippy::too_many_arguments)]",
            "#![cfg_attr(not(test), deny(clippy::unwrap_used))]",
            "self.allow(clippy::unwrap_used)",
        ] {
            assert_eq!(lifted("protocol/src/units.rs", text), 0, "{text}");
        }
    }

    #[test]
    fn tests_and_other_crates_are_free() {
        let text = "#![allow(clippy::unwrap_used)]";
        for path in ["protocol/src/units/tests.rs", "protocol/tests/it.rs", "proto/src/lib.rs"] {
            assert_eq!(lifted(path, text), 0, "{path}");
        }
    }
}
