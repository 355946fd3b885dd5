//! The arrows between the crates: they point down, as the table says.
//!
//! Dependencies of tests count as well: a test that needs two servers is a test of the level that may start both.

use super::Violation;
use super::table::{self, Crate, Level};
use crate::workspace::{Kind, Package};

/// Where the tables are, for messages.
const TABLE: &str = "xtask/src/layers/table.rs";

/// Every broken arrow.
pub(super) fn check(packages: &[Package]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in packages {
        match table::find(&package.name) {
            Some(entry) => violations.extend(check_crate(package, entry, packages)),
            None => violations.push(Violation {
                rule: "every crate is listed",
                place: package.folder.clone(),
                found: format!("`{}` is not in the table", package.name),
                mend: format!("decide its level and add it to {TABLE}"),
            }),
        }
    }
    violations.extend(stale_lines(packages));
    violations
}

fn check_crate(package: &Package, entry: &Crate, packages: &[Package]) -> Vec<Violation> {
    let mut violations: Vec<Violation> = check_name(package, entry).into_iter().collect();
    for dependency in &package.dependencies {
        if packages.iter().any(|other| other.name == dependency.name) {
            violations.extend(check_arrow(entry, &dependency.name));
        } else if dependency.kind != Kind::Dev {
            violations.extend(check_external(entry, &dependency.name));
        }
    }
    violations
}

fn check_name(package: &Package, entry: &Crate) -> Option<Violation> {
    let expected = format!("acumen-{}", package.folder.replace('/', "-"));
    (entry.level != Level::Tool && package.name != expected).then(|| Violation {
        rule: "a crate is called by its folder",
        place: package.folder.clone(),
        found: format!("its name is `{}`", package.name),
        mend: format!("call it `{expected}`"),
    })
}

/// An arrow from one member of the workspace to another.
fn check_arrow(from: &Crate, to: &str) -> Option<Violation> {
    let Some(target) = table::find(to) else {
        return None; // already reported as not listed
    };
    let downwards = target.level < from.level && from.level != Level::Tool;
    if !downwards && !from.beside.contains(&to) {
        return Some(Violation {
            rule: "arrows point down",
            place: from.name.to_owned(),
            found: format!("uses {to} ({:?} -> {:?})", from.level, target.level),
            mend: mend_arrow(from.level, target.level),
        });
    }
    (from.pure.is_some() && target.pure.is_none()).then(|| Violation {
        rule: "pure crates use pure crates",
        place: from.name.to_owned(),
        found: format!("uses {to}, which is not pure"),
        mend: "pass what is needed of it as an argument".to_owned(),
    })
}

fn mend_arrow(from: Level, to: Level) -> String {
    if from == Level::Shell && to == Level::Shell {
        "shells talk over the wire: use a client crate (chain/client, miner/client); a test of several servers belongs \
         to cli/tests"
            .to_owned()
    } else {
        format!(
            "move what is shared into a lower crate; if the architecture itself changes, write an ADR and edit {TABLE}"
        )
    }
}

/// A dependency of a pure crate on something from outside the workspace.
fn check_external(from: &Crate, to: &str) -> Option<Violation> {
    let allowed = from.pure?;
    (!allowed.iter().any(|(name, _)| *name == to)).then(|| Violation {
        rule: "pure crates have an allow-list",
        place: from.name.to_owned(),
        found: format!("uses {to}, which is not on its list"),
        mend: format!("do without it, or add it to {TABLE} with the reason why it stays deterministic"),
    })
}

fn stale_lines(packages: &[Package]) -> impl Iterator<Item = Violation> {
    table::CRATES.iter().filter(|entry| !packages.iter().any(|package| package.name == entry.name)).map(
        |entry| Violation {
            rule: "every line of the table is a crate",
            place: TABLE.to_owned(),
            found: format!("there is no crate `{}`", entry.name),
            mend: "remove the line, or add the crate to the workspace".to_owned(),
        },
    )
}

#[cfg(test)]
mod tests;
