//! `acumen tx`: sign and send a transaction.

use acumen_chain_client::ChainClient;
use acumen_protocol::weights::Weights;
use acumen_protocol::{AccountId, Call, Endpoint, Hash, Height, Keypair, Nacu, TrackId, Transaction, Uid};
use anyhow::{Context as _, Result, anyhow};
use clap::Subcommand;
use serde_json::{Value, json};

use super::amounts::nacu;
use super::chain::{ChainOptions, verified};
use crate::output;
use crate::wallet::{Role, Wallet, WalletOptions};

/// Blocks for which a dry run's transaction would be valid.
const DRY_RUN_BLOCKS: u64 = 256;

/// Signs and sends a transaction, and waits until it is in a block.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    call: CallArgs,
    #[command(flatten)]
    wallet: WalletOptions,
    #[command(flatten)]
    chain: ChainOptions,
    /// Added to the fee, to stand before others in a full block
    #[arg(long, global = true, default_value = "0", value_name = "ACU")]
    tip: Nacu,
    /// Sign and show the transaction, send nothing
    #[arg(long, global = true)]
    dry_run: bool,
    /// Print one JSON object
    #[arg(long, global = true)]
    json: bool,
}

/// What to ask of the ledger. Amounts are ACU with up to nine decimals (1.5), or base units (1500000000nacu).
#[derive(Debug, Subcommand)]
enum CallArgs {
    /// Move free balance. Example: acumen tx transfer --to 5… --amount 1.5
    Transfer {
        #[arg(long)]
        to: AccountId,
        #[arg(long)]
        amount: Nacu,
    },
    /// Stake on a hotkey, yours or another's. Example: acumen tx stake --amount 100
    Stake {
        /// The hotkey [default: the wallet's]
        #[arg(long)]
        on: Option<AccountId>,
        #[arg(long)]
        amount: Nacu,
    },
    /// Take stake back. Example: acumen tx unstake --amount 100
    Unstake {
        /// The hotkey [default: the wallet's]
        #[arg(long)]
        on: Option<AccountId>,
        #[arg(long)]
        amount: Nacu,
    },
    /// Burn the registration price and take a slot for a hotkey. Example: acumen tx register --max-price 2
    Register {
        #[arg(long, default_value_t = 0)]
        track: u16,
        /// The hotkey [default: the wallet's]
        #[arg(long)]
        hotkey: Option<AccountId>,
        /// Refuse if the price is above this [default: the current price and a quarter]
        #[arg(long)]
        max_price: Option<Nacu>,
    },
    /// Publish where the hotkey serves. Example: acumen tx serve --url http://203.0.113.7:8091 --model 0x…
    Serve {
        #[arg(long, default_value_t = 0)]
        track: u16,
        /// http://HOST:PORT
        #[arg(long)]
        url: String,
        /// blake2b-256 of the model's files (acumen model inspect shows it)
        #[arg(long)]
        model: Hash,
        /// blake2b-256 of the TLS certificate, for https
        #[arg(long)]
        certificate: Option<Hash>,
    },
    /// Commit to weights. Example: acumen tx commit-weights --weights 0:100,3:50 --salt 0x…
    CommitWeights {
        #[arg(long, default_value_t = 0)]
        track: u16,
        /// uid:weight pairs in increasing order of uid
        #[arg(long, value_parser = parse_weights)]
        weights: Weights,
        /// 32 secret bytes; keep them for the reveal
        #[arg(long)]
        salt: Hash,
    },
    /// Reveal the weights of the last epoch's commitment. Example: acumen tx reveal-weights --weights 0:100,3:50 --salt 0x…
    RevealWeights {
        #[arg(long, default_value_t = 0)]
        track: u16,
        /// uid:weight pairs in increasing order of uid
        #[arg(long, value_parser = parse_weights)]
        weights: Weights,
        /// The salt of the commitment
        #[arg(long)]
        salt: Hash,
    },
    /// Set the share of delegators' dividends that the wallet's hotkey keeps. Example: acumen tx set-take --take 0.1
    SetTake {
        /// From 0 to 1
        #[arg(long, value_parser = parse_share)]
        take: u16,
    },
}

fn parse_weights(text: &str) -> Result<Weights, String> {
    let pair = |pair: &str| {
        let (uid, weight) = pair.split_once(':')?;
        Some((Uid::new(uid.trim().parse().ok()?), weight.trim().parse().ok()?))
    };
    let entries: Option<Vec<(Uid, u16)>> = text.split(',').map(pair).collect();
    let entries = entries.ok_or("write uid:weight pairs: 0:100,3:50 (weights 0 to 65535)")?;
    Weights::new(entries).map_err(|error| error.to_string())
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to lie between 0 and 65535"
)]
fn parse_share(text: &str) -> Result<u16, String> {
    let share: f64 = text.parse().map_err(|_| "write a number from 0 to 1".to_owned())?;
    if !(0.0..=1.0).contains(&share) {
        return Err("write a number from 0 to 1".to_owned());
    }
    Ok((share * f64::from(u16::MAX)).round() as u16)
}

impl CallArgs {
    /// Which key must sign.
    const fn signer(&self) -> Role {
        match self {
            Self::Serve { .. } | Self::CommitWeights { .. } | Self::RevealWeights { .. } => Role::Hotkey,
            _ => Role::Coldkey,
        }
    }

    async fn into_call(self, wallet: &Wallet, client: &ChainClient) -> Result<Call> {
        let hotkey = |on: Option<AccountId>| on.map_or_else(|| wallet.address(Role::Hotkey), Ok);
        Ok(match self {
            Self::Transfer { to, amount } => Call::Transfer { to, amount },
            Self::Stake { on, amount } => Call::Stake { hotkey: hotkey(on)?, amount },
            Self::Unstake { on, amount } => Call::Unstake { hotkey: hotkey(on)?, amount },
            Self::Register { track, hotkey: registered, max_price } => {
                let track = TrackId::new(track);
                let max_price = match max_price {
                    Some(price) => price,
                    None => usual_price(client, track).await?,
                };
                Call::Register { track, hotkey: hotkey(registered)?, max_price }
            }
            Self::Serve { track, url, model, certificate } => {
                Call::Serve { track: TrackId::new(track), endpoint: Endpoint::new(&url, model, certificate)? }
            }
            Self::CommitWeights { track, weights, salt } => {
                let track = TrackId::new(track);
                let commitment = weights.commitment(&hotkey(None)?, track, salt.as_bytes());
                Call::CommitWeights { track, commitment }
            }
            Self::RevealWeights { track, weights, salt } => {
                Call::RevealWeights { track: TrackId::new(track), weights, salt: salt.0 }
            }
            Self::SetTake { take } => Call::SetTake { hotkey: hotkey(None)?, take },
        })
    }
}

/// The current price of a registration and a quarter more: somebody else may register first.
async fn usual_price(client: &ChainClient, track: TrackId) -> Result<Nacu> {
    let params = client.params().await?.value;
    let found = client.track(track).await?;
    let price = found.value.price_at(&params, found.at.height);
    Ok(Nacu::new(price.get().saturating_add(price.get() / 4)))
}

/// Signs, sends and waits.
pub(crate) async fn run(args: Args) -> Result<()> {
    let wallet = args.wallet.open()?;
    let signer = args.call.signer();
    let key = wallet.keypair(signer)?;
    let client = args.chain.connect().await?;
    let call = args.call.into_call(&wallet, &client).await?;
    let name = call.name();
    if args.dry_run {
        return print(&dry_run(&client, call, args.tip, &key).await?, args.json);
    }
    let sent = client.submit_with_tip(call, args.tip, &key).await;
    let sent = sent.map_err(|error| anyhow!("{name} was refused: {error}"))?;
    let included = client.wait_included(&sent).await.with_context(|| format!("{name} {sent}"))?;
    print(
        &json!({
            "call": name,
            "id": sent.to_string(),
            "fee": nacu(included.fee),
            "verified": verified(&included.at),
        }),
        args.json,
    )
}

async fn dry_run(client: &ChainClient, call: Call, tip: Nacu, key: &Keypair) -> Result<Value> {
    let account = client.account(key.account()).await?;
    let valid_until = Height::new(account.at.height.get().saturating_add(DRY_RUN_BLOCKS));
    let (sender, nonce) = (key.account(), account.value.nonce);
    let name = call.name();
    let genesis = client.genesis_hash();
    let signed = Transaction { genesis, sender, nonce, valid_until, tip, call }.sign(key);
    Ok(json!({
        "call": name,
        "sender": sender.to_string(),
        "nonce": nonce.get(),
        "valid_until": valid_until.get(),
        "tip": nacu(tip),
        "transaction": format!("0x{}", hex::encode(signed.to_bytes())),
        "sent": false,
    }))
}

fn print(result: &Value, json: bool) -> Result<()> {
    if json {
        return output::json_line(result);
    }
    for (name, value) in result.as_object().into_iter().flatten() {
        output::line(format_args!(
            "{name:12} {}",
            value.as_str().map_or_else(|| value.to_string(), str::to_owned)
        ))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_and_shares_are_read_strictly() {
        assert_eq!(parse_weights("0:1,3:2").unwrap().entries().len(), 2);
        for text in ["", "0", "0:1,0:2", "3:1,0:1", "0:65536", "0:-1", "a:1"] {
            assert!(parse_weights(text).is_err(), "{text}");
        }
        assert_eq!(parse_share("0.18"), Ok(11_796));
        for text in ["-0.1", "1.1", "NaN", "x"] {
            assert!(parse_share(text).is_err(), "{text}");
        }
    }
}
