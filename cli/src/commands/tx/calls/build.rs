//! From the words of the command line to a call of the ledger. What is not given is read from the chain or the wallet.

use std::path::Path;

use acumen_chain_client::ChainClient;
use acumen_protocol::call::Action;
use acumen_protocol::codec::decode_all;
use acumen_protocol::domain::Domain;
use acumen_protocol::weights::Weights;
use acumen_protocol::{AccountId, Call, ConsensusKeypair, Endpoint, Epoch, Hash, Nacu, TrackId};
use anyhow::{Context as _, Result, bail};

use super::CallArgs;
use crate::args::Usage;
use crate::commands::amounts::percent;
use crate::wallet::{Role, Wallet};

impl CallArgs {
    pub(in crate::commands::tx) async fn into_call(
        self,
        wallet: &Wallet,
        client: &ChainClient,
    ) -> Result<Call> {
        let hotkey = |on: Option<AccountId>| on.map_or_else(|| wallet.address(Role::Hotkey), Ok);
        let propose = |action| -> Result<Call> { Ok(Call::Propose { hotkey: hotkey(None)?, action }) };
        Ok(match self {
            Self::Transfer { to, amount } => Call::Transfer { to, amount },
            Self::Stake { on, amount } => Call::Stake { hotkey: hotkey(on)?, amount },
            Self::Unstake { on, amount } => Call::Unstake { hotkey: hotkey(on)?, amount },
            Self::Register { track, hotkey: registered, max_price } => {
                register(client, TrackId::new(track), hotkey(registered)?, max_price).await?
            }
            Self::Serve { track, url, model, certificate } => {
                let endpoint =
                    Endpoint::new(&url, model, certificate).map_err(|error| Usage(error.to_string()))?;
                Call::Serve { track: TrackId::new(track), endpoint }
            }
            Self::CommitWeights { track, weights, salt } => {
                commit_weights(client, TrackId::new(track), hotkey(None)?, &weights, salt).await?
            }
            Self::RevealWeights { track, weights, salt } => {
                Call::RevealWeights { track: TrackId::new(track), weights, salt: salt.0 }
            }
            Self::SetWeights { track, weights } => Call::SetWeights { track: TrackId::new(track), weights },
            Self::SetTake { take } => set_take(client, hotkey(None)?, take).await?,
            Self::SetConsensusKey { key_file } => set_consensus_key(client, hotkey(None)?, &key_file)?,
            Self::ProposeParameter { name, value } => {
                propose_parameter(client, hotkey(None)?, name, value).await?
            }
            Self::ProposeTrack { name, owner, share } => {
                propose(Action::CreateTrack { name, owner, emission_share: share })?
            }
            Self::ProposeTrackShare { track, share } => {
                propose(Action::SetTrackShare { track: TrackId::new(track), emission_share: share })?
            }
            Self::Vote { proposal, approve, on } => Call::Vote { hotkey: hotkey(on)?, proposal, approve },
            Self::ReportEquivocation { evidence } => {
                Call::ReportEquivocation { evidence: decode_all("evidence", &hex_file(&evidence)?)? }
            }
            Self::Pay { to } => {
                let calls = to.into_iter().map(|(to, amount)| Call::Transfer { to, amount }).collect();
                Call::Batch { calls }
            }
        })
    }
}

async fn register(
    client: &ChainClient,
    track: TrackId,
    hotkey: AccountId,
    max_price: Option<Nacu>,
) -> Result<Call> {
    let max_price = match max_price {
        Some(price) => price,
        None => usual_price(client, track).await?,
    };
    Ok(Call::Register { track, hotkey, max_price })
}

async fn commit_weights(
    client: &ChainClient,
    track: TrackId,
    hotkey: AccountId,
    weights: &Weights,
    salt: Hash,
) -> Result<Call> {
    let epoch = present_epoch(client).await?;
    Ok(Call::CommitWeights { track, commitment: weights.commitment(&hotkey, track, epoch, salt.as_bytes()) })
}

/// The epoch of the next block, which a commitment binds.
async fn present_epoch(client: &ChainClient) -> Result<Epoch> {
    let params = client.params().await?;
    let next = params.at.height.next().context("the chain is at its last height")?;
    Ok(params.value.epoch_of(next))
}

/// The current price of a registration and a quarter more: somebody else may register first.
async fn usual_price(client: &ChainClient, track: TrackId) -> Result<Nacu> {
    let params = client.params().await?.value;
    let found = client.track(track).await?;
    let price = found.value.price_at(&params, found.at.height);
    Ok(Nacu::new(price.get().saturating_add(price.get() / 4)))
}

/// Says before anything is paid what the chain's limit is, as a percentage.
async fn set_take(client: &ChainClient, hotkey: AccountId, take: u16) -> Result<Call> {
    let max = client.params().await?.value.max_take;
    if take > max {
        bail!("a take of {} is above the chain's limit of {}", percent(take), percent(max));
    }
    Ok(Call::SetTake { hotkey, take })
}

/// Says before anything is paid why a value is impossible, in full.
async fn propose_parameter(
    client: &ChainClient,
    hotkey: AccountId,
    name: String,
    value: String,
) -> Result<Call> {
    let params = client.params().await?.value;
    params.with(&name, &value).with_context(|| format!("parameter `{name}` cannot become {value}"))?;
    Ok(Call::Propose { hotkey, action: Action::SetParameter { name, value } })
}

fn set_consensus_key(client: &ChainClient, hotkey: AccountId, file: &Path) -> Result<Call> {
    let key = consensus_key(file)?;
    let proof = key.sign_in(Domain::ConsensusKey, &(client.genesis_hash(), hotkey));
    Ok(Call::RegisterConsensusKey { key: key.public(), proof })
}

fn consensus_key(path: &Path) -> Result<ConsensusKeypair> {
    let bytes = hex_file(path)?;
    let seed = <[u8; 32]>::try_from(bytes.as_slice());
    let seed =
        seed.ok().with_context(|| format!("{} holds no consensus key: 64 hex digits", path.display()))?;
    Ok(ConsensusKeypair::from_seed(&seed))
}

fn hex_file(path: &Path) -> Result<Vec<u8>> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    let digits = text.trim();
    hex::decode(digits.strip_prefix("0x").unwrap_or(digits))
        .with_context(|| format!("{shown} holds no hex digits"))
}
