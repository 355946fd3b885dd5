//! The workspace as cargo describes it: where it is, which packages it has, what each depends on.
//!
//! Source: `cargo metadata --format-version 1 --no-deps`, whose format cargo keeps stable.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::process;

/// The members of the workspace and where their build output goes.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The folder of the root Cargo.toml.
    pub(crate) root: PathBuf,
    /// Where cargo puts what it builds.
    pub(crate) target: PathBuf,
    /// Every member, in cargo's order.
    pub(crate) packages: Vec<Package>,
}

/// One member of the workspace.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    /// Its name in Cargo.toml.
    pub(crate) name: String,
    /// Its folder, relative to the root, with `/` between the parts.
    pub(crate) folder: String,
    /// Every dependency it declares, of all kinds.
    pub(crate) dependencies: Vec<Dependency>,
}

/// One dependency line.
#[derive(Debug, Clone)]
pub(crate) struct Dependency {
    /// The package that is depended on, by its real name even where it was renamed.
    pub(crate) name: String,
    /// What it is needed for.
    pub(crate) kind: Kind,
}

/// What a dependency is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// By the library or binary itself.
    Normal,
    /// By its build script.
    Build,
    /// By its tests and benches only.
    Dev,
}

/// The workspace root: xtask's own folder, as cargo says it at run time, is one below it.
pub(crate) fn root() -> anyhow::Result<PathBuf> {
    let xtask = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let root = xtask.parent().map(Path::to_owned).unwrap_or_default();
    if !root.join("Cargo.toml").is_file() {
        bail!("{} is not the workspace root; run xtask as `cargo xtask …` inside a checkout", root.display());
    }
    Ok(root)
}

/// Asks cargo for the workspace at `root`.
pub(crate) fn load(root: &Path) -> anyhow::Result<Workspace> {
    let mut command = process::cargo(root);
    command.args(["metadata", "--format-version", "1", "--no-deps"]);
    let output = command.output().context("cannot start `cargo metadata`")?;
    if !output.status.success() {
        bail!("`cargo metadata` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let metadata = serde_json::from_slice(&output.stdout).context("`cargo metadata` did not print JSON")?;
    parse(&metadata)
}

/// Reads cargo's description.
pub(crate) fn parse(metadata: &Value) -> anyhow::Result<Workspace> {
    let root = PathBuf::from(text(metadata, "workspace_root")?);
    let packages = list(metadata, "packages")?
        .iter()
        .map(|package| parse_package(package, &root))
        .collect::<anyhow::Result<_>>()?;
    Ok(Workspace { target: PathBuf::from(text(metadata, "target_directory")?), root, packages })
}

fn parse_package(package: &Value, root: &Path) -> anyhow::Result<Package> {
    let manifest = Path::new(text(package, "manifest_path")?);
    let folder = manifest
        .parent()
        .and_then(|folder| folder.strip_prefix(root).ok())
        .with_context(|| format!("{} lies outside the workspace", manifest.display()))?;
    let dependencies =
        list(package, "dependencies")?.iter().map(parse_dependency).collect::<anyhow::Result<_>>()?;
    Ok(Package {
        name: text(package, "name")?.to_owned(),
        folder: folder.to_string_lossy().into_owned(),
        dependencies,
    })
}

fn parse_dependency(dependency: &Value) -> anyhow::Result<Dependency> {
    let kind = match dependency.get("kind").and_then(Value::as_str) {
        None => Kind::Normal,
        Some("build") => Kind::Build,
        Some("dev") => Kind::Dev,
        Some(other) => bail!("`cargo metadata` has a dependency of unknown kind `{other}`"),
    };
    Ok(Dependency { name: text(dependency, "name")?.to_owned(), kind })
}

fn text<'a>(value: &'a Value, key: &str) -> anyhow::Result<&'a str> {
    value.get(key).and_then(Value::as_str).with_context(|| format!("`cargo metadata` printed no `{key}`"))
}

fn list<'a>(value: &'a Value, key: &str) -> anyhow::Result<&'a Vec<Value>> {
    value
        .get(key)
        .and_then(Value::as_array)
        .with_context(|| format!("`cargo metadata` printed no list `{key}`"))
}
