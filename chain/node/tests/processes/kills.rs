//! Nodes that are killed, started anew, and find their log of votes damaged.

use std::time::Duration;

use rand::{Rng as _, SeedableRng as _};

use crate::net::Net;
use crate::{faults, wanted};

#[test]
fn one_node_survives_kill_9_at_random_moments() {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let mut net = Net::new(1, 1);
    let (mut seen, mut slowest) = (0, Duration::ZERO);
    for _ in 0..faults(5) {
        net.start(0);
        slowest = slowest.max(net.reach(&[0], seen + 1));
        std::thread::sleep(Duration::from_millis(rng.random_range(0..300)));
        seen = net.height(0).unwrap();
        net.kill(0);
    }
    println!("{} kills, {seen} blocks, slowest start to the next block {slowest:?}", faults(5));
    assert!(net.compare().0 >= seen, "a block that was reported is lost");
}

#[test]
fn four_nodes_survive_kill_9_of_any_of_them() {
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(2);
    let mut net = Net::new(4, 2);
    net.start_all();
    let first = net.reach(&[0, 1, 2, 3], 3);
    for _ in 0..faults(4) {
        let victim = rng.random_range(0..4);
        net.kill(victim);
        let others: Vec<usize> = (0..4).filter(|index| *index != victim).collect();
        // The others go on without it.
        net.reach(&others, net.highest() + rng.random_range(1..4));
        net.start(victim);
        net.reach(&[victim], net.highest());
    }
    let goal = net.highest() + 5;
    net.reach(&[0, 1, 2, 3], goal);
    println!("first three blocks after {first:?}; {} kills, {goal} blocks", faults(4));
    assert!(net.compare().0 >= goal);
}

#[test]
fn two_of_four_down_halt_the_chain_until_they_are_back() {
    let mut net = Net::new(4, 3);
    net.start_all();
    net.reach(&[0, 1, 2, 3], 3);
    for _ in 0..wanted().map_or(1, |count| count.min(5)) {
        net.kill(2);
        net.kill(3);
        // Whatever was decided by then is committed within moments; after that nothing is.
        std::thread::sleep(Duration::from_secs(1));
        let halted = net.highest();
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!(net.highest(), halted, "two of four decide nothing");
        net.start(2);
        net.start(3);
        println!("resumed after {:?}", net.reach(&[0, 1, 2, 3], halted + 3));
    }
    net.compare();
}

#[test]
fn a_damaged_log_of_votes_costs_a_node_one_height() {
    let mut net = Net::new(4, 4);
    net.start_all();
    net.reach(&[0, 1, 2, 3], 3);
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(4);
    for round in 0..faults(2) {
        net.kill(1);
        let path = net.dir(1).join("data/consensus/votes.wal");
        let mut bytes = std::fs::read(&path).unwrap();
        if round % 2 == 0 {
            let bit = rng.random_range(0..bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        } else {
            bytes.truncate(rng.random_range(0..bytes.len()));
        }
        std::fs::write(&path, bytes).unwrap();
        net.start(1);
        let goal = net.highest() + 4;
        net.reach(&[0, 1, 2, 3], goal);
    }
    net.compare();
}

#[test]
fn fresh_starts_of_four_nodes_do_not_stall() {
    if wanted().is_none() {
        return;
    }
    let mut slowest = Duration::ZERO;
    for round in 0..20 {
        let mut net = Net::new(4, 6 + round);
        net.start_all();
        slowest = slowest.max(net.reach(&[0, 1, 2, 3], 5));
        net.compare();
    }
    println!("twenty starts, slowest to five blocks on all nodes {slowest:?}");
}
