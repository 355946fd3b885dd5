//! Nodes that stand still for a while, as a virtual machine that is moved does, and go on.

use std::time::{Duration, Instant};

use crate::net::Net;
use crate::wanted;

/// How long nodes are frozen.
const FREEZE: Duration = Duration::from_secs(10);

fn freeze(net: &Net, index: usize) -> Duration {
    let before = net.highest();
    net.signal(index, "-STOP");
    std::thread::sleep(FREEZE);
    let goal = net.highest();
    net.signal(index, "-CONT");
    let start = Instant::now();
    let there = net.reach(&[index], goal);
    // Not only what it missed: it is where the others are.
    net.reach(&[index], net.highest());
    let (behind, with) = (goal - before, start.elapsed());
    println!(
        "{index} frozen: {behind} blocks behind, made up for in {there:?}, with the others after {with:?}"
    );
    there
}

#[test]
fn a_frozen_node_catches_up() {
    let Some(times) = wanted() else { return };
    let mut net = Net::new(4, 5);
    net.block_time = 250;
    net.start_all();
    net.reach(&net.all(), 3);
    let mut all: Vec<Duration> = (0..times).map(|round| freeze(&net, round % 4)).collect();
    all.sort();
    println!("{times} freezes: median {:?}, slowest {:?}", all[times / 2], all[times - 1]);
    net.compare();
}
