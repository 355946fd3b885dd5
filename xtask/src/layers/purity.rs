//! What keeps a pure crate pure: bans that clippy enforces, and the check that nobody has taken the bans out.
//!
//! clippy enforces; this reads the text of `clippy.toml` and `lib.rs`, so the two together cannot be switched off
//! without a change to this folder. A crate's own `clippy.toml` replaces the one of the root, which is why the limit on
//! function length is repeated there.

use std::fs;

use anyhow::Context;

use super::{Violation, table};
use crate::workspace::{Package, Workspace};

const RULE: &str = "pure crates carry their bans";

/// What `clippy.toml` of a pure crate must ban.
const BANNED_PATHS: &[&str] = &[
    "f32",
    "f64",
    "std::collections::HashMap",
    "std::collections::HashSet",
    "std::time::SystemTime::now",
    "std::time::Instant::now",
];

/// What `clippy.toml` of a pure crate must repeat of the root's.
const REPEATED_LIMIT: &str = "too-many-lines-threshold = 70";

/// What `lib.rs` of a pure crate must deny outside its tests.
pub(super) const DENIED_LINTS: &[&str] = &[
    "clippy::float_arithmetic",
    "clippy::arithmetic_side_effects",
    "clippy::indexing_slicing",
    "clippy::unwrap_used",
    "clippy::expect_used",
    "clippy::panic",
    "clippy::as_conversions",
];

/// The text of the files of one crate that carry the bans.
struct Texts {
    folder: String,
    clippy: String,
    lib: String,
}

/// Every ban that is missing, in every pure crate, and every crate that the workspace's lints do not reach.
pub(super) fn check(workspace: &Workspace) -> anyhow::Result<Vec<Violation>> {
    let mut violations = Vec::new();
    for package in &workspace.packages {
        violations.extend(check_lints_apply(workspace, package)?);
        if table::pure_crates().any(|entry| entry.name == package.name) {
            violations.extend(check_files(workspace, package));
        }
    }
    Ok(violations)
}

fn check_files(workspace: &Workspace, package: &Package) -> Vec<Violation> {
    let folder = workspace.root.join(&package.folder);
    let read = |file: &str| {
        fs::read_to_string(folder.join(file)).map_err(|error| Violation {
            rule: RULE,
            place: format!("{}/{file}", package.folder),
            found: error.to_string(),
            mend: "copy it from another pure crate (protocol)".to_owned(),
        })
    };
    match (read("clippy.toml"), read("src/lib.rs")) {
        (Ok(clippy), Ok(lib)) => check_texts(&Texts { folder: package.folder.clone(), clippy, lib }),
        (clippy, lib) => [clippy.err(), lib.err()].into_iter().flatten().collect(),
    }
}

fn check_lints_apply(workspace: &Workspace, package: &Package) -> anyhow::Result<Option<Violation>> {
    let path = workspace.root.join(&package.folder).join("Cargo.toml");
    let manifest = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok((!compact(&manifest, '#').contains("[lints]workspace=true")).then(|| Violation {
        rule: "the workspace's lints apply everywhere",
        place: format!("{}/Cargo.toml", package.folder),
        found: "it has no `[lints] workspace = true`".to_owned(),
        mend: "add the two lines `[lints]` and `workspace = true`".to_owned(),
    }))
}

fn check_texts(texts: &Texts) -> Vec<Violation> {
    let clippy = compact(&texts.clippy, '#');
    let lib = compact(&texts.lib, '/');
    let denied = inner_lints(&lib, "deny") + &inner_lints(&lib, "forbid");
    let violation = |file: &str, found: String, mend: String| Violation {
        rule: RULE,
        place: format!("{}/{file}", texts.folder),
        found,
        mend,
    };
    let mut violations = Vec::new();
    for path in BANNED_PATHS {
        if !clippy.contains(&format!("\"{path}\"")) {
            violations.push(violation(
                "clippy.toml",
                format!("`{path}` is not banned"),
                "list it in disallowed-types or disallowed-methods".to_owned(),
            ));
        }
    }
    if !texts.clippy.lines().any(|line| line.trim() == REPEATED_LIMIT) {
        violations.push(violation(
            "clippy.toml",
            format!("`{REPEATED_LIMIT}` is missing"),
            "repeat it: this file replaces the root's".to_owned(),
        ));
    }
    for lint in DENIED_LINTS {
        if !denied.split(',').any(|word| word == *lint) {
            violations.push(violation(
                "src/lib.rs",
                format!("`{lint}` is not denied"),
                format!("add it to `#![cfg_attr(not(test), deny(…{lint}…))]`"),
            ));
        }
    }
    if !lib.contains("#![forbid(unsafe_code)]") {
        violations.push(violation(
            "src/lib.rs",
            "unsafe code is not forbidden".to_owned(),
            "add `#![forbid(unsafe_code)]`".to_owned(),
        ));
    }
    violations
}

/// The text without white space and without lines that are comments.
pub(super) fn compact(text: &str, comment: char) -> String {
    text.lines()
        .filter(|line| !line.trim_start().starts_with(comment))
        .flat_map(str::chars)
        .filter(|letter| !letter.is_whitespace())
        .collect()
}

/// The lints named in inner attributes at `level` that hold for the whole crate, each followed by a comma.
///
/// Both forms count: `#![deny(…)]`, and `#![cfg_attr(not(test), deny(…))]`, which leaves the tests free.
fn inner_lints(compact: &str, level: &str) -> String {
    let mut lints = String::new();
    for start in [format!("#![{level}("), format!("#![cfg_attr(not(test),{level}(")] {
        for (_, rest) in compact.match_indices(&start).map(|(at, found)| compact.split_at(at + found.len())) {
            lints.push_str(rest.split(')').next().unwrap_or_default());
            lints.push(',');
        }
    }
    lints
}

#[cfg(test)]
mod tests;
