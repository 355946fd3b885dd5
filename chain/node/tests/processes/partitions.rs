//! Nodes in network namespaces of their own, joined by bridges whose links go down: three against one, and two against
//! two. Each node has a second link that stays up, over which this process asks for its height.

use std::time::Duration;

use crate::net::{Net, Place, consensus_at};
use crate::sandbox::{inside, must};
use crate::wanted;

/// Two bridges with a link between them; nodes 0 and 1 are on the one, 2 and 3 on the other.
fn wire() -> Vec<Place> {
    for side in 0..2 {
        must(&format!("ip link add side{side} type bridge"));
        must(&format!("ip link set side{side} up"));
    }
    must("ip link add trunk0 type veth peer name trunk1");
    for side in 0..2 {
        must(&format!("ip link set trunk{side} master side{side} up"));
    }
    (0..4).map(join).collect()
}

fn join(index: usize) -> Place {
    let (name, host) = (format!("node{index}"), format!("10.9.0.{}", 10 + index));
    for command in [
        format!("ip netns add {name}"),
        format!("ip -n {name} link set lo up"),
        format!("ip link add port{index} type veth peer name chain netns {name}"),
        format!("ip -n {name} address add {host}/24 dev chain"),
        format!("ip -n {name} link set chain up"),
        format!("ip link set port{index} master side{} up", index / 2),
        format!("ip link add ask{index} type veth peer name ask netns {name}"),
        format!("ip address add 10.8.{index}.1/30 dev ask{index}"),
        format!("ip link set ask{index} up"),
        format!("ip -n {name} address add 10.8.{index}.2/30 dev ask"),
        format!("ip -n {name} link set ask up"),
    ] {
        must(&command);
    }
    Place {
        consensus: consensus_at(&host),
        listen: "0.0.0.0:9944".to_owned(),
        url: format!("http://10.8.{index}.2:9944"),
        within: vec!["nsenter".to_owned(), format!("--net=/run/netns/{name}")],
    }
}

/// How long links are down: longer than it takes for a block to be lost, and in the long run longer than connections
/// last.
fn outages() -> Vec<Duration> {
    match wanted() {
        None => vec![Duration::from_secs(3)],
        Some(times) => (0..times.min(10)).map(|round| Duration::from_secs([4, 12, 25][round % 3])).collect(),
    }
}

#[test]
fn three_go_on_without_one_and_two_wait_for_two() {
    if !inside("partitions::three_go_on_without_one_and_two_wait_for_two") {
        return;
    }
    let mut net = Net::placed(wire());
    net.start_all();
    net.reach(&[0, 1, 2, 3], 3);
    for outage in outages() {
        must("ip link set port3 down");
        // What was on its way arrives.
        std::thread::sleep(Duration::from_secs(1));
        let alone = net.height(3).unwrap();
        net.reach(&[0, 1, 2], net.highest() + 3);
        std::thread::sleep(outage);
        assert_eq!(net.height(3).unwrap(), alone, "one of four decides nothing");
        must("ip link set port3 up");
        let healed = net.reach(&[3], net.highest());
        println!("3|1 for {outage:?} and more: the one has caught up {healed:?} after the link was up");

        must("ip link set trunk0 down");
        std::thread::sleep(Duration::from_secs(1));
        let halted = net.highest();
        std::thread::sleep(outage);
        assert_eq!(net.highest(), halted, "two of four decide nothing");
        must("ip link set trunk0 up");
        let healed = net.reach(&[0, 1, 2, 3], halted + 1);
        println!("2|2 for {outage:?} and more: all have the next block {healed:?} after the link was up");
        net.reach(&[0, 1, 2, 3], halted + 4);
    }
    net.compare();
}
