//! `acumen tx`: sign and send a transaction.

mod calls;
mod parse;
mod refusal;
mod show;

use acumen_chain_client::{ChainClient, ClientError};
use acumen_protocol::{Call, Height, Keypair, Nacu, Transaction};
use anyhow::{Context as _, Result, bail};

use super::chain::ChainOptions;
use crate::wallet::WalletOptions;
use calls::CallArgs;

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
    #[arg(long, global = true, default_value = "0", value_name = "ACU", allow_negative_numbers = true)]
    tip: Nacu,
    /// Show what the transaction would do and cost, by proven state; send nothing
    #[arg(long, global = true)]
    dry_run: bool,
    /// Print one JSON object
    #[arg(long, global = true)]
    json: bool,
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
        return dry_run(&client, call, args.tip, &key, args.json).await;
    }
    let sent = match client.submit_with_tip(call.clone(), args.tip, &key).await {
        Ok(sent) => sent,
        Err(ClientError::Rejected(reason)) => {
            bail!("{name} was refused: {}", refusal::explain(&client, &call, &reason).await)
        }
        Err(error) => bail!("{name} was not sent: {error}"),
    };
    let included = client.wait_included(&sent).await.with_context(|| format!("{name} {sent}"))?;
    // That it is final is known already; what it did is told as far as the node still tells it.
    let events = client.transaction_events(sent.id).await.map(|found| found.value).unwrap_or_default();
    show::sent(name, &sent, &included, &events, args.json)
}

/// What the transaction would do, by the ledger's own code on proven state. A refusal is an error with its reason.
async fn dry_run(client: &ChainClient, call: Call, tip: Nacu, key: &Keypair, json: bool) -> Result<()> {
    let account = client.account(key.account()).await?;
    let valid_until = Height::new(account.at.height.get().saturating_add(DRY_RUN_BLOCKS));
    let (sender, nonce) = (key.account(), account.value.nonce);
    let genesis = client.genesis_hash();
    let signed = Transaction { genesis, sender, nonce, valid_until, tip, call }.sign(key);
    let tried = client.dry_run(&signed).await?;
    match tried.value {
        Ok(would) => show::tried(&signed, &would, &tried.at, json),
        Err(reason) => {
            let call = &signed.unverified().call;
            let reason = refusal::explain(client, call, &reason).await;
            bail!("{} would be refused: {reason}", call.name())
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::args::Acumen;

    /// Each call as its help shows it.
    #[test]
    fn the_examples_are_understood() {
        let alice = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
        let payment = format!("{alice}=1.5");
        for line in [
            vec!["transfer", "--to", alice, "--amount", "1.5", "--dry-run"],
            vec!["unstake", "--amount", "100"],
            vec!["set-take", "--take", "9.5%"],
            vec!["set-weights", "--weights", "0:100,3:50"],
            vec!["set-consensus-key", "--key-file", "consensus.key"],
            vec!["propose-parameter", "--name", "max_uids", "--value", "512"],
            vec!["propose-track", "--name", "vision", "--owner", alice, "--share", "1"],
            vec!["propose-track-share", "--track", "1", "--share", "2"],
            vec!["vote", "--proposal", "3", "--approve", "yes"],
            vec!["vote", "--proposal", "3", "--approve", "no"],
            vec!["report-equivocation", "--evidence", "FILE"],
            vec!["pay", "--to", &payment, "--to", &payment],
        ] {
            let parsed = Acumen::try_parse_from(["acumen", "tx"].into_iter().chain(line.clone()));
            assert!(parsed.is_ok(), "{line:?}: {}", parsed.unwrap_err());
        }
        for line in [vec!["vote", "--proposal", "3", "--approve", "maybe"], vec!["set-take", "--take", "0.1"]]
        {
            assert!(Acumen::try_parse_from(["acumen", "tx"].into_iter().chain(line)).is_err());
        }
    }
}
