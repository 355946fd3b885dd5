//! Which chain a command talks to, and where its trust begins.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use acumen_chain_client::{ChainClient, Checkpoint, ClientError, Trust, VerifiedAt};
use acumen_protocol::{Hash, Height, TimestampMs};
use anyhow::{Result, anyhow};
use clap::Args;
use serde_json::{Value, json};

use crate::output;

/// Options of every command that reads or writes the chain.
#[derive(Args, Clone, Debug)]
pub(crate) struct ChainOptions {
    /// A node; may be given more than once, the first that answers is used
    #[arg(
        long,
        global = true,
        value_name = "URL",
        default_value = "http://127.0.0.1:9944",
        env = "ACUMEN_NODE"
    )]
    pub(crate) node: Vec<String>,
    /// Hash of the genesis header: a node of another chain is refused [default: trust the node's]
    #[arg(long, global = true, value_name = "0x…", env = "ACUMEN_GENESIS")]
    genesis: Option<Hash>,
    /// A block that you trust, to begin from instead of genesis: HEIGHT:HASH, or a file with that. It should be younger
    /// than the chain's unbonding time; a warning says if it is not
    #[arg(long, global = true, value_name = "HEIGHT:HASH", value_parser = read_checkpoint, env = "ACUMEN_CHECKPOINT")]
    pub(crate) checkpoint: Option<Checkpoint>,
}

fn read_checkpoint(text: &str) -> Result<Checkpoint, String> {
    let path = Path::new(text);
    if !path.is_file() {
        return text.parse().map_err(|error| {
            format!("{error}, or the path of a file written by `verify --write-checkpoint` (no such file is there)")
        });
    }
    let content = std::fs::read_to_string(path).map_err(|error| format!("cannot read {text}: {error}"))?;
    content.parse().map_err(|error| format!("{text}: {error}"))
}

impl ChainOptions {
    /// Connects; everything read through the client is verified.
    pub(crate) async fn connect(&self) -> Result<ChainClient> {
        let trust = Trust { genesis: self.genesis, checkpoint: self.checkpoint };
        let client = ChainClient::connect_with(&self.node, trust).await.map_err(unusable)?;
        // If it cannot be told, the command itself says why.
        if self.checkpoint.is_some()
            && let Ok(Some(old)) = client.old_checkpoint(now()).await
        {
            output::progress(format_args!("warning: {old}"));
        }
        Ok(client)
    }
}

/// What to do where no node could be used. A node that was reached and refused says itself what is wrong.
fn unusable(error: ClientError) -> anyhow::Error {
    let advice = match &error {
        ClientError::Unreachable { .. } | ClientError::AllFailed { .. } => {
            "; start a subnet here with `acumen localnet`, or say where a node serves with --node"
        }
        _ => "",
    };
    anyhow!("{error}{advice}")
}

/// Options of commands that read the state.
#[derive(Args, Clone, Debug)]
pub(crate) struct ReadOptions {
    #[command(flatten)]
    chain: ChainOptions,
    /// Read the state after this block instead of the newest, as long as the node keeps it
    #[arg(long, value_name = "HEIGHT")]
    at: Option<u64>,
}

impl ReadOptions {
    /// Connects; everything read through the client is verified.
    pub(crate) async fn connect(&self) -> Result<ChainClient> {
        let client = self.chain.connect().await?;
        Ok(self.at.map_or_else(|| client.clone(), |height| client.at(Height::new(height))))
    }
}

/// This machine's clock.
fn now() -> TimestampMs {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimestampMs::new(u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}

/// How old a block is by this machine's clock, in milliseconds; 0 if its time lies ahead.
pub(crate) fn age_ms(at: &VerifiedAt) -> u64 {
    now().get().saturating_sub(at.time.get())
}

/// What every verified answer carries.
pub(crate) fn verified(at: &VerifiedAt) -> Value {
    json!({
        "height": at.height.get(),
        "block": at.block.to_string(),
        "time_ms": at.time.get(),
        "age_ms": age_ms(at),
    })
}

/// The same for people.
pub(crate) fn proof_line(at: &VerifiedAt) -> Result<()> {
    output::line(format_args!("proven against block {}, {} old", at.height, age(age_ms(at))))
}

/// A duration in the unit that a person would choose.
pub(crate) fn age(ms: u64) -> String {
    match ms {
        0..10_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        10_000..600_000 => format!("{} s", ms / 1_000),
        600_000..172_800_000 => format!("{} min", ms / 60_000),
        _ => format!("{} days", ms / 86_400_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_fitting_units() {
        let told = [0, 1_250, 59_999, 600_000, 200_000_000].map(age);
        assert_eq!(told, ["0.0 s", "1.2 s", "59 s", "10 min", "2 days"]);
    }

    #[test]
    fn a_checkpoint_is_a_text_or_a_file() {
        let text = format!("7:{}", Hash([3; 32]));
        let direct = read_checkpoint(&text).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("checkpoint");
        std::fs::write(&path, format!("{text}\n")).unwrap();
        assert_eq!(read_checkpoint(path.to_str().unwrap()), Ok(direct));
        assert!(read_checkpoint("7").unwrap_err().contains("--write-checkpoint"));
        std::fs::write(&path, "7").unwrap();
        assert!(!read_checkpoint(path.to_str().unwrap()).unwrap_err().contains("no such file"));
    }
}
