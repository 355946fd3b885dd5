//! Which models the miners of a localnet serve: the shipped ones, or a person's list.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::shipped;

/// Most miners of a localnet: one machine has to carry them.
const MAX_MINERS: usize = 32;

/// One miner of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MinerSpec {
    /// Name of the process and of the model.
    pub(crate) name: String,
    /// A shipped model's name, or a file.
    pub(crate) model: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MinersFile {
    miner: Vec<MinerSpec>,
}

/// Resolves `--miners`.
pub(crate) fn resolve(choice: &str) -> Result<Vec<MinerSpec>> {
    match choice {
        "tiny" => Ok(tiny().collect()),
        "smollm2" => {
            let model = smollm2().context("--miners smollm2")?;
            Ok(std::iter::once(MinerSpec { name: "smollm2".to_owned(), model }).chain(tiny()).collect())
        }
        file => from_file(Path::new(file)).with_context(|| format!("--miners {file}")),
    }
}

fn tiny() -> impl Iterator<Item = MinerSpec> {
    shipped::ALL.iter().map(|shipped| MinerSpec { name: shipped.name.to_owned(), model: shipped.name.into() })
}

/// SmolLM2-135M-Instruct where `cargo xtask smollm2` puts it.
fn smollm2() -> Result<PathBuf> {
    const FILE: &str = "acumen/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";
    let cache = std::env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let cache = cache.or_else(|| Some(std::env::home_dir()?.join(".cache")));
    let path = cache.context("no home directory: set XDG_CACHE_HOME")?.join(FILE);
    if !path.exists() {
        bail!("no model at {}: fetch it with `cargo xtask smollm2` (98 MB)", path.display());
    }
    Ok(path)
}

fn from_file(path: &Path) -> Result<Vec<MinerSpec>> {
    let text =
        fs::read_to_string(path).context("cannot read it (the other choices are `tiny` and `smollm2`)")?;
    let mut miners = toml::from_str::<MinersFile>(&text)?.miner;
    if miners.is_empty() || miners.len() > MAX_MINERS {
        bail!("{} miners: between 1 and {MAX_MINERS} are possible", miners.len());
    }
    let names: BTreeSet<&str> = miners.iter().map(|miner| miner.name.as_str()).collect();
    if names.len() != miners.len() {
        bail!("two miners have one name: names must differ (models may repeat)");
    }
    let plain = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if let Some(odd) = names.iter().find(|name| !plain(name)) {
        bail!("`{odd}` is no miner name: use letters, digits, - and _");
    }
    let base = path.parent().unwrap_or_else(|| Path::new("."));
    for miner in &mut miners {
        if shipped::find(&miner.model).is_none() {
            let file = base.join(&miner.model);
            let shown = file.display().to_string();
            miner.model = fs::canonicalize(file)
                .with_context(|| format!("no model at {shown}, and none is shipped under that name"))?;
        }
    }
    Ok(miners)
}
