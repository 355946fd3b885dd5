//! Arguments of `acumen localnet`.

use std::path::PathBuf;

use crate::args::Usage;

/// Run a whole subnet on this machine.
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Which miners: `tiny` (the five shipped models), `smollm2` (these and SmolLM2-135M, which `cargo xtask smollm2`
    /// fetches) or a TOML file with a `[[miner]]` table for each
    #[arg(long, default_value = "tiny", value_name = "tiny|smollm2|FILE.toml")]
    pub(crate) miners: String,
    /// Chain nodes that decide blocks together, 1 to 16: of four, one may fail (a new folder only)
    #[arg(long, default_value_t = 4)]
    pub(crate) nodes: usize,
    /// Validators that ask and score, 1 to 16 (a new folder only)
    #[arg(long, default_value_t = 3)]
    pub(crate) validators: usize,
    /// Stop after this many epochs [default: run until Ctrl-C]
    #[arg(long)]
    pub(crate) epochs: Option<u64>,
    /// Seed of all keys: the same seed gives the same addresses
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Folder of the subnet; one that exists is resumed
    #[arg(long, default_value = "localnet", value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Blocks in an epoch (a new folder only)
    #[arg(long, default_value_t = 20)]
    pub(crate) tempo: u64,
    /// Milliseconds between blocks (a new folder only) [default: 600; 3000 with smollm2, which answers more slowly]
    #[arg(long, value_name = "MS")]
    pub(crate) block_time: Option<u64>,
    /// Leave a dead child dead, to watch what the subnet does without it
    #[arg(long)]
    pub(crate) no_restart: bool,
    /// One JSON object per epoch and a summary, instead of tables
    #[arg(long)]
    pub(crate) json: bool,
}

const EXAMPLES: &str = "\
Examples:
  acumen localnet                              until Ctrl-C, in ./localnet
  acumen localnet --epochs 5 --json            five epochs, one line each, then a summary
  acumen localnet --miners my-miners.toml      your own models
  acumen localnet --no-restart                 then kill -9 a miner and watch its incentive go

my-miners.toml:
  [[miner]]
  name = \"mine\"
  model = \"/path/to/model.pt\"        # or a shipped one: gpt-small, gpt-medium, gpt-large, gpt-traced, ngram";

/// Most validators and nodes of a localnet: one machine has to carry them.
const MAX_VALIDATORS: usize = 16;

impl Args {
    /// Milliseconds between blocks: short enough to watch, long enough for all miners to answer within an epoch.
    pub(crate) fn block_time(&self) -> u64 {
        self.block_time.unwrap_or(if self.miners == "smollm2" { 3_000 } else { 600 })
    }

    /// Refuses what cannot work, before anything is written.
    pub(crate) fn check(&self) -> Result<(), Usage> {
        let refuse = |reason: String| Err(Usage(reason));
        if self.nodes == 0 || self.nodes > MAX_VALIDATORS {
            let nodes = self.nodes;
            return refuse(format!(
                "--nodes {nodes}: between 1 and {MAX_VALIDATORS} are possible; of four, one may fail"
            ));
        }
        if self.validators == 0 || self.validators > MAX_VALIDATORS {
            let validators = self.validators;
            return refuse(format!("--validators {validators}: between 1 and {MAX_VALIDATORS} are possible"));
        }
        if self.epochs == Some(0) {
            return refuse("--epochs 0: at least one epoch, or leave it out to run until Ctrl-C".to_owned());
        }
        if self.tempo < 5 {
            let tempo = self.tempo;
            return refuse(format!(
                "--tempo {tempo}: at least 5 blocks, so that weights can be revealed and committed in an epoch"
            ));
        }
        if self.block_time() < 100 {
            return refuse(format!("--block-time {}: at least 100 ms", self.block_time()));
        }
        Ok(())
    }
}
