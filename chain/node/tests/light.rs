//! A light client beside a real node whose validator set changes with every epoch (LC-1 to LC-6, LC-13 in
//! docs/spec/light-client.md).

mod common;

use acumen_chain_client::{ChainClient, Trust};
use acumen_chain_ledger::genesis::GenesisNeuron;
use acumen_chain_ledger::{Event, Genesis, Params, Rejection};
use acumen_protocol::domain::Domain;
use acumen_protocol::{Call, Height, Nacu, Transaction};
use common::{Running, account, acu, config, consensus_key, key};
use futures::StreamExt as _;

/// Stake decides from the first epoch on, and what it earns changes its power with each.
fn genesis() -> Genesis {
    let params = Params {
        tempo_blocks: 5,
        stake_threshold: Nacu::new(1),
        bootstrap_validators: 1,
        bootstrap_stake: Nacu::new(1),
        validator_min_stake: Nacu::new(1),
        unbonding_epochs: 2,
        ..Params::default()
    };
    let neuron = GenesisNeuron { track: 0, hotkey: account(11), coldkey: account(1), stake: acu(100) };
    Genesis { params, neurons: vec![neuron], ..common::genesis() }
}

async fn until(client: &ChainClient, height: u64) {
    let mut blocks = client.subscribe(Some(Height::new(1)));
    while blocks.next().await.unwrap().unwrap().header.height < Height::new(height) {}
}

async fn started(dir: &std::path::Path) -> (Running, ChainClient) {
    let node = Running::start(config(dir, &genesis())).await;
    let client = node.client().await;
    let proof = consensus_key().sign_in(Domain::ConsensusKey, &(client.genesis_hash(), account(11)));
    let bind = Call::RegisterConsensusKey { key: consensus_key().public(), proof };
    client.submit_and_wait(bind, &key(11)).await.unwrap();
    (node, client)
}

#[tokio::test(flavor = "multi_thread")]
async fn lc1_lc2_lc3_sets_that_change_with_every_epoch_are_followed() {
    let dir = tempfile::tempdir().unwrap();
    let (node, first) = started(dir.path()).await;
    until(&first, 27).await;
    let fresh = node.client().await;
    assert_eq!(fresh.tip().height, Height::ZERO);
    let tip = fresh.status().await.unwrap().tip;
    assert!(tip.height >= Height::new(27));
    let on_chain = fresh.validator_set().await.unwrap().value;
    let power = |client: &ChainClient| client.validators().power(&consensus_key().public());
    assert_eq!(fresh.validators(), on_chain);
    assert!(power(&fresh) > Some(acu(100).get()), "it has earned: {:?}", power(&fresh));
    let old = node.client().await;
    let twelfth = old.header(Height::new(12)).await.unwrap();
    for height in [1, 4, 5, 6, 12, 20] {
        let height = Height::new(height);
        assert_eq!(fresh.header(height).await.unwrap(), first.header(height).await.unwrap());
        assert_eq!(old.header(height).await.unwrap(), first.header(height).await.unwrap());
    }
    let checkpoint = first.checkpoint(Height::new(12)).await.unwrap();
    assert_eq!(checkpoint.block, twelfth.id());
    let trust = Trust { genesis: Some(first.genesis_hash()), checkpoint: Some(checkpoint) };
    let short = ChainClient::connect_with(std::slice::from_ref(&node.url), trust).await.unwrap();
    assert!(short.status().await.unwrap().tip.height >= tip.height);
    assert_eq!(short.header(Height::new(3)).await.unwrap(), first.header(Height::new(3)).await.unwrap());
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lc6_the_state_of_any_kept_block_is_read_and_stake_on_its_way_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let (node, client) = started(dir.path()).await;
    let hotkey = account(11);
    let before = client.account(account(2)).await.unwrap();
    let staked = client.submit_and_wait(Call::Stake { hotkey, amount: acu(7) }, &key(2)).await.unwrap();
    let unstake = Call::Unstake { hotkey, amount: acu(3) };
    let unstaked = client.submit_and_wait(unstake, &key(2)).await.unwrap();
    let positions = client.positions(account(2)).await.unwrap().value;
    let [position] = positions.as_slice() else { panic!("{positions:?}") };
    let [(due, waiting)] = position.unbonding.as_slice() else { panic!("{position:?}") };
    assert_eq!((position.hotkey, *waiting), (hotkey, acu(3)));
    assert!(position.stake >= acu(4).checked_sub(Nacu::new(1)).unwrap());
    let free = client.account(account(2)).await.unwrap().value.free;
    until(&client, due.get()).await;
    let later = client.account(account(2)).await.unwrap().value.free;
    assert_eq!(later, free.checked_add(acu(3)).unwrap(), "paid by itself");
    let then = client.at(before.at.height).account(account(2)).await.unwrap();
    assert_eq!((then.value, then.at), (before.value, before.at), "as it was");
    let at_genesis = client.at(Height::ZERO).account(account(2)).await.unwrap();
    assert_eq!((at_genesis.value.free, at_genesis.at.block), (acu(10_000), client.genesis_hash()));
    let held = client.at(staked.at.height).positions(account(2)).await.unwrap().value;
    assert!(held.iter().all(|position| position.unbonding.is_empty()), "{held:?}");
    assert!(unstaked.at.height > staked.at.height);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lc13_a_dry_run_tells_fee_effect_and_the_whole_shortfall() {
    let dir = tempfile::tempdir().unwrap();
    let (node, client) = started(dir.path()).await;
    let account_of_2 = client.account(account(2)).await.unwrap().value;
    let signed = |call| {
        let (genesis, sender, nonce) = (client.genesis_hash(), account(2), account_of_2.nonce);
        let valid_until = Height::new(1_000_000);
        Transaction { genesis, sender, nonce, valid_until, tip: Nacu::ZERO, call }.sign(&key(2))
    };
    let call = Call::Transfer { to: account(50), amount: acu(3) };
    let would = client.dry_run(&signed(call.clone())).await.unwrap().value.unwrap();
    assert_eq!(would.before, account_of_2.free);
    assert!(matches!(would.events.as_slice(), [Event::Transferred { .. }]));
    let done = client.submit_and_wait(call, &key(2)).await.unwrap();
    assert_eq!(done.fee, would.fee);
    let after = client.account(account(2)).await.unwrap().value;
    assert_eq!(after.free, would.after);
    let too_much = Call::Transfer { to: account(50), amount: after.free };
    let nonce = after.nonce;
    let (genesis, sender) = (client.genesis_hash(), account(2));
    let valid_until = Height::new(1_000_000);
    let poor =
        Transaction { genesis, sender, nonce, valid_until, tip: Nacu::ZERO, call: too_much }.sign(&key(2));
    let refused = client.dry_run(&poor).await.unwrap().value.unwrap_err();
    let needs = after.free.checked_add(done.fee).unwrap();
    assert_eq!(refused, Rejection::Balance { account: account(2), has: after.free, needs });
    let batch = Call::Batch { calls: vec![Call::Transfer { to: account(51), amount: Nacu::new(1) }; 64] };
    let signed =
        Transaction { genesis, sender, nonce, valid_until, tip: Nacu::ZERO, call: batch }.sign(&key(2));
    assert_eq!(client.dry_run(&signed).await.unwrap().value.unwrap().events.len(), 64);
    node.stop().await;
}
