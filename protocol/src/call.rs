//! What a transaction can ask of the ledger.
#![allow(clippy::as_conversions, reason = "the SCALE derive writes a variant's index with `as`")]

mod action;

use parity_scale_codec::{Decode, Encode};

pub use action::Action;

use crate::limits::MAX_ENDPOINT_URL;
use crate::vote::Equivocation;
use crate::weights::Weights;
use crate::{AccountId, ConsensusPublic, ConsensusSignature, Hash, Nacu, TrackId};

/// Most calls in a batch: what a person or a script wants done at once, while the work of a transaction stays bounded.
pub const MAX_BATCH_CALLS: usize = 64;

/// One request to the ledger. *coldkey* and *hotkey* below say who must sign; a hotkey's fees are paid by the coldkey
/// that registered it.
///
/// The order of the variants is part of the encoding: append only.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[non_exhaustive]
pub enum Call {
    /// Coldkey: moves free balance.
    Transfer {
        /// Receiver.
        to: AccountId,
        /// Amount, above zero.
        amount: Nacu,
    },
    /// Coldkey: moves free balance into stake on `hotkey`, its own or one to delegate to.
    Stake {
        /// The hotkey that works with the stake.
        hotkey: AccountId,
        /// Amount, above zero.
        amount: Nacu,
    },
    /// Coldkey: takes its stake off `hotkey`. It is free balance after the unbonding time.
    Unstake {
        /// The hotkey.
        hotkey: AccountId,
        /// Amount, above zero.
        amount: Nacu,
    },
    /// Coldkey: burns the current registration price and takes a slot in `track` for `hotkey`.
    Register {
        /// The track.
        track: TrackId,
        /// The new neuron's hotkey; owned by the signer from then on.
        hotkey: AccountId,
        /// Refuse if the price is above this.
        max_price: Nacu,
    },
    /// Hotkey: publishes where it serves and what.
    Serve {
        /// The track.
        track: TrackId,
        /// The endpoint, replacing any before.
        endpoint: Endpoint,
    },
    /// Hotkey: commits to weights that it will reveal in the next epoch.
    CommitWeights {
        /// The track.
        track: TrackId,
        /// [`Weights::commitment`].
        commitment: Hash,
    },
    /// Hotkey: reveals the weights of its last epoch's commitment.
    RevealWeights {
        /// The track.
        track: TrackId,
        /// The row.
        weights: Weights,
        /// The salt of the commitment.
        salt: [u8; 32],
    },
    /// Coldkey: sets the share of its delegators' dividends that its `hotkey` keeps. A lower one counts at once, a higher
    /// one after the notice.
    SetTake {
        /// The hotkey, owned by the signer.
        hotkey: AccountId,
        /// Share in 1/65535.
        take: u16,
    },
    /// Hotkey: binds the ed25519 key with which its node will vote on blocks.
    RegisterConsensusKey {
        /// The key.
        key: ConsensusPublic,
        /// The key's signature over (genesis hash, hotkey) in [`crate::domain::Domain::ConsensusKey`].
        proof: ConsensusSignature,
    },
    /// Hotkey: sets weights openly. Refused while commit-reveal is on.
    SetWeights {
        /// The track.
        track: TrackId,
        /// The row.
        weights: Weights,
    },
    /// Anybody: proves that a consensus key signed two things at once.
    ReportEquivocation {
        /// The proof.
        evidence: Box<Equivocation>,
    },
    /// Anybody: several calls, all of them or none. No batch inside a batch, at most [`MAX_BATCH_CALLS`].
    Batch {
        /// The calls, applied in order.
        calls: Vec<Self>,
    },
    /// Coldkey: proposes a change of the rules in the name of its `hotkey`. Burns the price of a proposal.
    Propose {
        /// The hotkey, owned by the signer.
        hotkey: AccountId,
        /// What is proposed.
        action: Action,
    },
    /// Coldkey: votes with the stake behind its `hotkey`, or with its own stake on another's, which then does not count
    /// with the owner's vote. A later vote replaces an earlier one.
    Vote {
        /// The hotkey.
        hotkey: AccountId,
        /// The proposal's number.
        proposal: u64,
        /// For or against.
        approve: bool,
    },
}

impl Call {
    /// True if a hotkey signs the call, and its owner pays for it. A batch is one if all of its calls are.
    #[must_use]
    pub fn is_hotkey_call(&self) -> bool {
        match self {
            Self::Serve { .. }
            | Self::CommitWeights { .. }
            | Self::RevealWeights { .. }
            | Self::SetWeights { .. }
            | Self::RegisterConsensusKey { .. } => true,
            Self::Batch { calls } => {
                !calls.is_empty() && calls.iter().all(|call| call.is_single() && call.is_hotkey_call())
            }
            _ => false,
        }
    }

    /// True if the call is no batch.
    #[must_use]
    pub const fn is_single(&self) -> bool {
        !matches!(self, Self::Batch { .. })
    }

    /// How many base fees the call costs: one for each call of a batch.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Self::Batch { calls } => calls.len().max(1),
            _ => 1,
        }
    }

    /// The call's name as the command line and events spell it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Transfer { .. } => "transfer",
            Self::Stake { .. } => "stake",
            Self::Unstake { .. } => "unstake",
            Self::Register { .. } => "register",
            Self::Serve { .. } => "serve",
            Self::CommitWeights { .. } => "commit-weights",
            Self::RevealWeights { .. } => "reveal-weights",
            Self::SetTake { .. } => "set-take",
            Self::RegisterConsensusKey { .. } => "register-consensus-key",
            Self::SetWeights { .. } => "set-weights",
            Self::ReportEquivocation { .. } => "report-equivocation",
            Self::Batch { .. } => "batch",
            Self::Propose { .. } => "propose",
            Self::Vote { .. } => "vote",
        }
    }
}

/// Where a miner serves, and what.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Endpoint {
    url: String,
    /// Digest of the served model's files: a claim that a reader may use to spot copies early.
    pub model: Hash,
    /// blake2b-256 of the server's TLS certificate (DER); `None` for plain gRPC.
    pub certificate: Option<Hash>,
}

/// Why an endpoint is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{url}` is no endpoint: write http://HOST:PORT or https://HOST:PORT, at most {MAX_ENDPOINT_URL} characters"
)]
pub struct EndpointError {
    /// The text.
    pub url: String,
}

impl Endpoint {
    /// Checks the URL's shape: scheme, host, port, no spaces or control characters.
    pub fn new(url: &str, model: Hash, certificate: Option<Hash>) -> Result<Self, EndpointError> {
        if is_endpoint_url(url) {
            Ok(Self { url: url.to_owned(), model, certificate })
        } else {
            Err(EndpointError { url: url.chars().take(MAX_ENDPOINT_URL).collect() })
        }
    }

    /// `http://HOST:PORT` or `https://HOST:PORT`. A decoded endpoint was not checked yet: the ledger calls
    /// [`Endpoint::is_valid`] before it stores one.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// True if the URL has the shape that [`Endpoint::new`] demands.
    #[must_use]
    pub fn is_valid(&self) -> bool {
        is_endpoint_url(&self.url)
    }
}

fn is_endpoint_url(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")) else {
        return false;
    };
    let Some((host, port)) = rest.rsplit_once(':') else {
        return false;
    };
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'[' | b']' | b':');
    url.len() <= MAX_ENDPOINT_URL
        && !host.is_empty()
        && host.bytes().all(plain)
        && port.bytes().all(|byte| byte.is_ascii_digit())
        && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_need_scheme_host_and_port() {
        for url in ["http://127.0.0.1:9000", "https://miner.example:443", "http://[::1]:80"] {
            assert!(Endpoint::new(url, Hash::ZERO, None).is_ok(), "{url}");
        }
        let long = format!("http://{}:1", "a".repeat(MAX_ENDPOINT_URL));
        for url in [
            "",
            "127.0.0.1:9000",
            "http://:9",
            "http://a:0",
            "http://a:99999",
            "http://a b:1",
            "ftp://a:1",
            "http://a:1/x",
            &long,
        ] {
            assert!(Endpoint::new(url, Hash::ZERO, None).is_err(), "{url}");
        }
    }
}
