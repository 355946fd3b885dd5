//! `cargo xtask test`: everything that must hold before a change is taken, in one command.
//!
//! Invariant: the steps run from cheap to dear, the first failure stops the run and is named, and the tests come last
//! so that the output ends with cargo's own result lines. The cargo calls share one target folder and one profile:
//! clippy and rustdoc use the same metadata of the dependencies, benches and tests the same compiled ones.

use std::path::Path;
use std::time::Instant;

use anyhow::Context;

use crate::command::{SetupOptions, TestOptions};
use crate::{layers, process, setup};

#[cfg(test)]
mod tests;

/// One step of the run.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    name: &'static str,
    action: Action,
}

/// What a step does.
#[derive(Debug, PartialEq, Eq)]
enum Action {
    Setup,
    Layers,
    /// A cargo call with these arguments and, if `strict_docs`, rustdoc's warnings as errors.
    Cargo {
        args: &'static [&'static str],
        strict_docs: bool,
    },
}

const FORMAT: Step = cargo_step("fmt", &["fmt", "--all", "--check"]);
const CLIPPY: Step =
    cargo_step("clippy", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]);
const DOC: Step = Step {
    name: "doc",
    action: Action::Cargo {
        args: &["doc", "--workspace", "--no-deps", "--document-private-items"],
        strict_docs: true,
    },
};
const BENCHES: Step = cargo_step("benches", &["test", "--workspace", "--benches", "--no-run"]);
const DOC_TESTS: Step = cargo_step("doc tests", &["test", "--workspace", "--doc"]);
const TESTS: Step = cargo_step("tests", &["test", "--workspace", "--tests", "--no-fail-fast"]);

const fn cargo_step(name: &'static str, args: &'static [&'static str]) -> Step {
    Step { name, action: Action::Cargo { args, strict_docs: false } }
}

/// Runs the steps; the error of the first that fails starts with its name.
pub(crate) fn run(root: &Path, options: &TestOptions) -> anyhow::Result<()> {
    let steps = steps(options);
    let count = steps.len();
    for (index, step) in steps.iter().enumerate() {
        eprintln!("==== [{}/{count}] {}", index + 1, step.name);
        let started = Instant::now();
        run_step(root, step).with_context(|| format!("step `{}` failed", step.name))?;
        if index + 1 < count {
            eprintln!("---- {}: ok, {:.1} s", step.name, started.elapsed().as_secs_f64());
        }
    }
    Ok(())
}

fn steps(options: &TestOptions) -> Vec<Step> {
    let setup = Step { name: "setup", action: Action::Setup };
    let layers = Step { name: "layers", action: Action::Layers };
    if options.fast {
        vec![setup, FORMAT, layers, CLIPPY, DOC_TESTS, TESTS]
    } else {
        vec![setup, FORMAT, layers, CLIPPY, DOC, BENCHES, DOC_TESTS, TESTS]
    }
}

fn run_step(root: &Path, step: &Step) -> anyhow::Result<()> {
    let (args, strict_docs) = match step.action {
        Action::Setup => return setup::run(root, &SetupOptions::default()).map(|_| ()),
        Action::Layers => return layers::run(root),
        Action::Cargo { args, strict_docs } => (args, strict_docs),
    };
    let mut command = process::cargo(root);
    command.args(with_lock_check(args, process::in_ci()));
    if strict_docs {
        command.env("RUSTDOCFLAGS", "-D warnings");
    }
    if process::in_ci() {
        command.env("CARGO_INCREMENTAL", "0"); // a build server builds once: no use for what costs disk and time
    }
    process::run(&mut command)
}

/// Adds `--locked` where cargo resolves dependencies; rustfmt's front end does not know it.
fn with_lock_check(args: &[&'static str], in_ci: bool) -> Vec<&'static str> {
    let mut args = args.to_vec();
    if in_ci && args.first() != Some(&"fmt") {
        args.insert(1, "--locked");
    }
    args
}
