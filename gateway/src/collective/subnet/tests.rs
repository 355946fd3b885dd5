//! Weights: reports first, then incentive, then all equal.

use acumen_chain_client::VerifiedAt;
use acumen_chain_client::ledger::Track;
use acumen_protocol::{Endpoint, Epoch, Height, Nacu, TimestampMs, Uid};

use super::*;

fn id(uid: u16) -> AccountId {
    AccountId([u8::try_from(uid).unwrap() + 1; 32])
}

fn neuron(uid: u16, incentive: u16, serves: bool) -> MetagraphNeuron {
    MetagraphNeuron {
        uid: Uid::new(uid),
        hotkey: id(uid),
        coldkey: id(uid),
        stake: Nacu::new(0),
        take: 0,
        endpoint: serves.then(|| Endpoint::new("http://127.0.0.1:1", Hash::ZERO, None).unwrap()),
        permit: false,
        registered_at: Height::new(0),
        last_update: Height::new(0),
        consensus: 0,
        incentive,
        dividend: 0,
        validator_trust: 0,
        emission: Nacu::new(0),
    }
}

fn metagraph(neurons: Vec<MetagraphNeuron>) -> Verified<Metagraph> {
    let info = Track {
        name: "bytes".to_owned(),
        owner: id(9),
        emission_share: 1,
        neurons: 3,
        price: Nacu::new(1),
        price_height: Height::new(0),
        last_epoch: None,
    };
    Verified {
        value: Metagraph { track: TrackId::new(0), info, epoch: Epoch::new(1), neurons },
        at: VerifiedAt { height: Height::new(9), block: Hash::of(b"b"), time: TimestampMs::new(0) },
    }
}

fn report(weights: &[(u16, f64)]) -> GetReportResponse {
    let score = |&(uid, pool_weight): &(u16, f64)| MinerScore {
        hotkey: id(uid).to_string(),
        model: format!("model {uid}"),
        pool_weight,
        held_out_bits_per_byte: 2.5,
        ..MinerScore::default()
    };
    GetReportResponse {
        miners: weights.iter().map(score).collect(),
        collective_bits_per_byte: 2.25,
        ..GetReportResponse::default()
    }
}

fn order(roster: &Roster) -> Vec<(u16, f64)> {
    roster.miners.iter().map(|miner| (miner.uid.get(), miner.weight)).collect()
}

#[test]
fn reports_weigh_before_incentive() {
    let chain = metagraph(vec![neuron(0, 60_000, true), neuron(1, 5_535, true), neuron(2, 0, false)]);
    let roster = combine(&chain, &[report(&[(0, 1.0), (1, 3.0), (2, 4.0)])]);
    assert_eq!(order(&roster), [(1, 0.375), (0, 0.125)], "by weight; uid 2 serves nowhere");
    assert_eq!((roster.source, roster.validators), (WeightSource::Validators, 1));
    assert_eq!((roster.miners[0].model.as_str(), roster.miners[0].bits_per_byte), ("model 1", Some(2.5)));
    assert_eq!((roster.collective_bits_per_byte, roster.height.get()), (Some(2.25), 9));
}

#[test]
fn without_a_report_incentive_weighs_and_without_incentive_all_are_equal() {
    let chain = metagraph(vec![neuron(0, 0, true), neuron(1, u16::MAX, true)]);
    let roster = combine(&chain, &[]);
    assert_eq!((order(&roster), roster.source), (vec![(1, 1.0)], WeightSource::Incentive));
    assert_eq!(roster.collective_bits_per_byte, None);
    let roster = combine(&metagraph(vec![neuron(0, 0, true), neuron(1, 0, true)]), &[report(&[])]);
    assert_eq!((order(&roster), roster.source), (vec![(0, 1.0), (1, 1.0)], WeightSource::Equal));
}
