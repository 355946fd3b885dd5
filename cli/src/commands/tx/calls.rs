//! The calls as the command line spells them.

mod build;

use std::path::PathBuf;

use acumen_protocol::weights::Weights;
use acumen_protocol::{AccountId, Hash, Nacu};
use clap::Subcommand;

use super::parse;
use crate::wallet::Role;

/// What to ask of the ledger. Amounts are ACU with up to nine decimals (1.5), or base units (1500000000nacu).
#[derive(Debug, Subcommand)]
pub(super) enum CallArgs {
    /// Move free balance. Example: acumen tx transfer --to 5… --amount 1.5
    Transfer {
        /// Address of the receiver
        #[arg(long, value_name = "ADDRESS")]
        to: AccountId,
        /// How much: ACU with up to nine decimals (1.5), or base units (1500000000nacu)
        #[arg(long, allow_negative_numbers = true)]
        amount: Nacu,
    },
    /// Stake on a hotkey, yours or another's. Example: acumen tx stake --amount 100
    Stake {
        /// The hotkey [default: the wallet's]
        #[arg(long, value_name = "ADDRESS")]
        on: Option<AccountId>,
        /// How much: ACU with up to nine decimals (1.5), or base units (1500000000nacu)
        #[arg(long, allow_negative_numbers = true)]
        amount: Nacu,
    },
    /// Take stake back; it is free after the chain's unbonding time. Example: acumen tx unstake --amount 100
    Unstake {
        /// The hotkey [default: the wallet's]
        #[arg(long, value_name = "ADDRESS")]
        on: Option<AccountId>,
        /// How much: ACU with up to nine decimals (1.5), or base units (1500000000nacu)
        #[arg(long, allow_negative_numbers = true)]
        amount: Nacu,
    },
    /// Burn the registration price and take a slot for a hotkey. Example: acumen tx register --dry-run
    Register {
        /// The track
        #[arg(long, default_value_t = 0)]
        track: u16,
        /// The hotkey [default: the wallet's]
        #[arg(long, value_name = "ADDRESS")]
        hotkey: Option<AccountId>,
        /// Refuse if the price is above this, in ACU [default: the current price and a quarter]
        #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true)]
        max_price: Option<Nacu>,
    },
    /// Publish where the hotkey serves. Example: acumen tx serve --url http://203.0.113.7:8091 --model 0x…
    Serve {
        /// The track
        #[arg(long, default_value_t = 0)]
        track: u16,
        /// Where others reach it: http://HOST:PORT or https://HOST:PORT
        #[arg(long)]
        url: String,
        /// blake2b-256 of the model's files (acumen model inspect shows it)
        #[arg(long)]
        model: Hash,
        /// blake2b-256 of the TLS certificate, for https
        #[arg(long)]
        certificate: Option<Hash>,
    },
    /// Commit to weights of the present epoch. Sent with its last block it may come too late to be revealed. Example: acumen tx commit-weights --weights 0:100,3:50 --salt 0x…
    CommitWeights {
        /// The track
        #[arg(long, default_value_t = 0)]
        track: u16,
        /// uid:weight pairs in increasing order of uid
        #[arg(long, value_parser = parse::weights)]
        weights: Weights,
        /// 32 secret bytes; keep them for the reveal
        #[arg(long)]
        salt: Hash,
    },
    /// Reveal the weights of the last epoch's commitment. Example: acumen tx reveal-weights --weights 0:100,3:50 --salt 0x…
    RevealWeights {
        /// The track
        #[arg(long, default_value_t = 0)]
        track: u16,
        /// uid:weight pairs in increasing order of uid
        #[arg(long, value_parser = parse::weights)]
        weights: Weights,
        /// The salt of the commitment
        #[arg(long)]
        salt: Hash,
    },
    /// Set weights openly, on a chain without commit-reveal. Example: acumen tx set-weights --weights 0:100,3:50
    SetWeights {
        /// The track
        #[arg(long, default_value_t = 0)]
        track: u16,
        /// uid:weight pairs in increasing order of uid
        #[arg(long, value_parser = parse::weights)]
        weights: Weights,
    },
    /// Set the share of delegators' dividends that the wallet's hotkey keeps. A lower one counts at once, a higher one
    /// after the chain's notice. Example: acumen tx set-take --take 9.5%
    SetTake {
        /// A percentage with its sign, from 0% to the chain's limit (18% by default)
        #[arg(long, value_parser = parse::percentage, allow_hyphen_values = true)]
        take: u16,
    },
    /// Bind the key with which your node votes on blocks to the wallet's hotkey. Example: acumen tx set-consensus-key
    /// --key-file consensus.key
    SetConsensusKey {
        /// The node's key file: 64 hex digits
        #[arg(long, value_name = "FILE")]
        key_file: PathBuf,
    },
    /// Propose to change a parameter, in the name of the wallet's hotkey. Example: acumen tx propose-parameter --name
    /// max_uids --value 512
    ProposeParameter {
        /// Its name in docs/spec/ledger.md
        #[arg(long)]
        name: String,
        /// Its value as in a genesis document; amounts in base units
        #[arg(long, allow_hyphen_values = true)]
        value: String,
    },
    /// Propose a new track. Example: acumen tx propose-track --name vision --owner 5… --share 1
    ProposeTrack {
        /// Its name: up to 32 bytes
        #[arg(long)]
        name: String,
        /// Coldkey that receives the owner's cut
        #[arg(long)]
        owner: AccountId,
        /// Part of emission, relative to the other tracks'
        #[arg(long)]
        share: u16,
    },
    /// Propose another share of emission for a track. Example: acumen tx propose-track-share --track 1 --share 2
    ProposeTrackShare {
        /// The track
        #[arg(long)]
        track: u16,
        /// Part of emission, relative to the other tracks'
        #[arg(long)]
        share: u16,
    },
    /// Vote on a proposal with the stake behind the wallet's hotkey, or with your own stake on another's, which then no
    /// longer counts with its owner's vote. Example: acumen tx vote --proposal 3 --approve yes
    Vote {
        /// Its number (acumen proposals)
        #[arg(long)]
        proposal: u64,
        /// yes or no
        #[arg(long, action = clap::ArgAction::Set, value_parser = parse::yes_or_no)]
        approve: bool,
        /// The hotkey [default: the wallet's]
        #[arg(long)]
        on: Option<AccountId>,
    },
    /// Prove that a node voted twice, for a part of what it loses. Example: acumen tx report-equivocation --evidence
    /// FILE (acumen verify --evidence-dir writes these)
    ReportEquivocation {
        /// A file with the evidence: hexadecimal digits of its SCALE bytes
        #[arg(long, value_name = "FILE")]
        evidence: PathBuf,
    },
    /// Several transfers at once, all of them or none. Example: acumen tx pay --to 5…=1.5 --to 5…=2
    Pay {
        /// ADDRESS=AMOUNT; give it once for each receiver
        #[arg(long = "to", required = true, value_name = "ADDRESS=AMOUNT", value_parser = parse::payment)]
        to: Vec<(AccountId, Nacu)>,
    },
}

impl CallArgs {
    /// Which key must sign.
    pub(super) const fn signer(&self) -> Role {
        match self {
            Self::Serve { .. }
            | Self::CommitWeights { .. }
            | Self::RevealWeights { .. }
            | Self::SetWeights { .. }
            | Self::SetConsensusKey { .. } => Role::Hotkey,
            _ => Role::Coldkey,
        }
    }
}
