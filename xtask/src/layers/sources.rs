//! What every source file owes its reader: a header, and a length that can be read in one sitting.
//!
//! Lengths are lines. Functions are measured by rustfmt's layout (a body ends at the first brace in the column of its
//! `fn`), which is exact for formatted code; clippy enforces their limit, here it is only reported.

use std::fs;
use std::path::Path;

use anyhow::Context;

use super::Violation;
use crate::workspace::Workspace;

/// No file is longer, tests included.
const HARD_CAP: usize = 800;

/// A file beyond this is named, so that it is split before it hurts.
const WARN_ABOVE: usize = 500;

/// One source file.
#[derive(Debug)]
pub(super) struct Source {
    /// Relative to the workspace.
    pub(super) path: String,
    pub(super) text: String,
}

/// Reads every `.rs` file of every crate.
pub(super) fn read(workspace: &Workspace) -> anyhow::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for package in &workspace.packages {
        for part in ["src", "tests", "benches", "examples", "build.rs"] {
            let path = workspace.root.join(&package.folder).join(part);
            if path.exists() {
                collect(&workspace.root, &path, &mut sources)?;
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}

fn collect(root: &Path, path: &Path, sources: &mut Vec<Source>) -> anyhow::Result<()> {
    let context = || format!("cannot read {}", path.display());
    if path.is_dir() {
        for entry in fs::read_dir(path).with_context(context)? {
            collect(root, &entry.with_context(context)?.path(), sources)?;
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") {
        sources.push(Source {
            path: path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned(),
            text: fs::read_to_string(path).with_context(context)?,
        });
    }
    Ok(())
}

/// Files without a header or beyond the cap.
pub(super) fn check(sources: &[Source]) -> Vec<Violation> {
    sources.iter().flat_map(|source| [check_header(source), check_length(source)]).flatten().collect()
}

fn check_header(source: &Source) -> Option<Violation> {
    (!source.text.starts_with("//! ")).then(|| Violation {
        rule: "every file has a header",
        place: source.path.clone(),
        found: "its first line is not a `//!` comment".to_owned(),
        mend: "begin with what the file is, the invariant it keeps, its units and its source".to_owned(),
    })
}

fn check_length(source: &Source) -> Option<Violation> {
    let lines = source.text.lines().count();
    (lines > HARD_CAP).then(|| Violation {
        rule: "files are short",
        place: source.path.clone(),
        found: format!("it has {lines} lines, the cap is {HARD_CAP}"),
        mend: "split it by subject; tests go into a `tests.rs` beside it".to_owned(),
    })
}

/// Prints how long files and functions are, and which files come near the cap.
pub(super) fn report(sources: &[Source]) {
    let mut files: Vec<usize> = sources.iter().map(|source| source.text.lines().count()).collect();
    let mut functions: Vec<usize> =
        sources.iter().flat_map(|source| function_lengths(&source.text)).collect();
    files.sort_unstable();
    functions.sort_unstable();
    eprintln!(
        "layers: {} files: median {} lines, p95 {}, longest {} (cap {HARD_CAP}); {} functions: p95 {} lines",
        files.len(),
        percentile(&files, 50),
        percentile(&files, 95),
        files.last().copied().unwrap_or(0),
        functions.len(),
        percentile(&functions, 95)
    );
    for source in sources {
        let lines = source.text.lines().count();
        if lines > WARN_ABOVE && lines <= HARD_CAP {
            eprintln!(
                "layers: warning: {} has {lines} lines, more than {WARN_ABOVE}: split it soon",
                source.path
            );
        }
    }
}

/// Nearest-rank percentile of sorted values; 0 of none.
fn percentile(sorted: &[usize], percent: usize) -> usize {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0)
}

/// The length of every function that has a body, its signature included.
fn function_lengths(text: &str) -> Vec<usize> {
    let lines: Vec<&str> = text.lines().collect();
    (0..lines.len())
        .filter(|&start| starts_function(lines[start]))
        .filter_map(|start| function_length(&lines[start..]))
        .collect()
}

/// The length of the function whose signature is the first line; none if it has no body.
fn function_length(lines: &[&str]) -> Option<usize> {
    let indent = indent_of(lines.first()?);
    let last = lines
        .iter()
        .position(|line| indent_of(line) == indent && (line.ends_with('}') || line.ends_with(';')))?;
    lines[last].ends_with('}').then_some(last + 1)
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn starts_function(line: &str) -> bool {
    let mut words = line.split_whitespace().skip_while(|word| {
        word.starts_with("pub") || matches!(*word, "const" | "async" | "unsafe" | "extern" | "\"C\"" | "in")
    });
    words.next() == Some("fn")
}

#[cfg(test)]
mod tests;
