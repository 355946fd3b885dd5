//! `cargo xtask layers`: the architecture of the workspace as rules that can fail.
//!
//! Three groups: the arrows between crates (`arrows`), what keeps a pure crate pure (`purity`, `exceptions`), and what every source
//! file owes its reader (`sources`). The tables that a change of the architecture edits are in `table`.

mod arrows;
mod exceptions;
mod purity;
mod sources;
mod table;

use std::fmt;
use std::path::Path;

use anyhow::bail;

use crate::workspace;

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Violation {
    /// The rule in a few words, the same for every violation of it.
    rule: &'static str,
    /// The crate or file.
    place: String,
    /// What was found there.
    found: String,
    /// How to mend it.
    mend: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "[{}] {}: {}\n    mend: {}", self.rule, self.place, self.found, self.mend)
    }
}

/// Checks everything and prints what was checked; fails if any rule is broken.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let workspace = workspace::load(root)?;
    let mut violations = arrows::check(&workspace.packages);
    let edges: usize = workspace.packages.iter().map(|package| package.dependencies.len()).sum();
    eprintln!("layers: {} crates, {edges} dependencies against the table", workspace.packages.len());

    violations.extend(purity::check(&workspace)?);
    eprintln!("layers: {} pure crates: allow-list, bans and lints", table::pure_crates().count());

    let files = sources::read(&workspace)?;
    violations.extend(sources::check(&files));
    violations.extend(exceptions::check(&workspace.packages, &files));
    sources::report(&files);

    if violations.is_empty() {
        eprintln!("layers: ok");
        return Ok(());
    }
    for violation in &violations {
        eprintln!("{violation}");
    }
    bail!("{} layer rules are broken (above)", violations.len());
}
