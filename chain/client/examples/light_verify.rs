//! How long a light client needs for a header of 64 validators and the proof of a value in a state of a million accounts'
//! depth: `cargo run --release -p acumen-chain-client --example light_verify`. Prints medians of alternating runs, with
//! each signature checked alone beside all at once.

#[path = "../tests/fixture/mod.rs"]
mod fixture;

use std::time::Instant;

use acumen_chain_client::light::{LightClient, TrustedSet, verify_event, verify_value};
use acumen_chain_ledger::StateKey;
use acumen_protocol::AccountId;
use fixture::{Headers, Tree, events, genesis, set};

const VALIDATORS: u8 = 64;
const ACCOUNTS: u32 = 20_000;
const RUNS: usize = 400;

fn median(mut micros: Vec<f64>) -> f64 {
    micros.sort_by(f64::total_cmp);
    micros[micros.len() / 2]
}

fn time(run: impl FnOnce()) -> f64 {
    let begin = Instant::now();
    run();
    begin.elapsed().as_secs_f64() * 1e6
}

#[allow(clippy::print_stdout, reason = "the example's result")]
fn main() {
    let tags: Vec<u8> = (1..=VALIDATORS).collect();
    let document = genesis(tags.clone());
    let tree = Tree::new(ACCOUNTS);
    let (list, event_tree) = events(200);
    let mut headers = Headers::new(&document, &tags);
    for _ in 0..3 {
        headers.push(&tags, tree.root, event_tree.root());
    }
    let signed = headers.header(1).clone();
    let light = LightClient::from_genesis(&document).expect("a genesis");
    // One that has followed a few headers of these keys, as a reader has after a moment.
    let mut following = light.clone();
    for height in 1..=3 {
        following.advance(headers.header(height)).expect("good");
    }
    let key = StateKey::Account(AccountId([0; 32]));
    let (value, proof) = tree.prove(&key);
    let event_proof = event_tree.prove(77).expect("an event");
    let trusted = TrustedSet::new(set(tags.clone()));
    let strict = set(tags);
    let certificate = signed.certificate.clone().expect("a certificate");
    let mut times: [Vec<f64>; 6] = Default::default();
    for _ in 0..RUNS {
        times[0].push(time(|| {
            light.verify(&signed).expect("good");
            verify_value(&signed.header, &key, value.as_deref(), &proof).expect("good");
        }));
        times[5].push(time(|| {
            following.verify(&signed).expect("good");
            verify_value(&signed.header, &key, value.as_deref(), &proof).expect("good");
        }));
        times[1].push(time(|| trusted.verify(&headers.genesis, &certificate).expect("good")));
        times[2].push(time(|| certificate.verify(&headers.genesis, &strict).expect("good")));
        times[3].push(time(|| {
            verify_value(&signed.header, &key, value.as_deref(), &proof).expect("good");
        }));
        times[4].push(time(|| {
            verify_event(&signed.header, &list[77], &event_proof).expect("good");
        }));
    }
    let names = [
        "header + value proof, first of its keys",
        "certificate, all signatures at once",
        "certificate, one by one (strict)",
        "value proof",
        "event proof (of 200)",
        "header + value proof",
    ];
    for (name, times) in names.into_iter().zip(times) {
        println!("{name:40} {:8.1} us", median(times));
    }
}
