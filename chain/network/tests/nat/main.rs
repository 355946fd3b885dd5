//! Peers behind NAT: each in a network of its own, behind a router of the kernel that masquerades and lets nothing in that
//! was not asked for. One node is in the open; it relays and holds gossip back, so what arrives elsewhere did not come
//! through it.
//!
//! Needs namespaces and `nft`, no rights; where they are missing the tests say so and are skipped.

mod lab;
mod node;
#[path = "../../../node/tests/processes/sandbox.rs"]
mod sandbox;

use lab::{Lab, Nat, Transport};
use node::Node;

/// Set: waits for whatever takes long, too.
fn long() -> bool {
    std::env::var_os("ACUMEN_FAULTS").is_some()
}

/// What must hold of each node behind NAT.
#[track_caller]
fn is_relayed_by(node: &Node, relay: &Node) {
    node.wait("to learn that it cannot be reached", |seen| seen.reachability == "Unreachable");
    node.wait("a place at the relay", |seen| seen.relays.contains(&relay.id));
    let circuit = format!("/p2p/{}/p2p-circuit", relay.id);
    node.wait("an address to announce", |seen| {
        seen.listening
            .iter()
            .any(|address| address.starts_with("/ip4/5.1.0.1/") && address.contains(&circuit))
    });
}

/// What is submitted at the one arrives at the others.
#[track_caller]
fn passes(from: &mut Node, to: &[&Node]) {
    let message = from.publish();
    for node in to {
        node.wait("the message", |seen| seen.received.contains(&message));
    }
}

fn traverses(test: &str, transport: Transport) {
    if !sandbox::inside(test) || !lab::can_filter(test) {
        return;
    }
    let lab = Lab::new(transport);
    let mut relay = lab.public();
    relay.start(&[]);
    let bootstrap = [relay.address(transport)];
    // Two whose routers give a socket one port whomever it speaks to, and one whose router takes another each time.
    let mut nodes =
        [(1, Nat::OnePort), (2, Nat::OnePort), (3, Nat::AnyPort)].map(|(at, nat)| lab.behind(at, nat));
    for node in &mut nodes {
        node.start(&bootstrap);
    }
    let [a, b, c] = &mut nodes;
    relay.wait("to learn that it can be reached", |seen| seen.reachability == "Reachable");
    for node in [&*a, b, c] {
        is_relayed_by(node, &relay);
    }
    // Where both routers keep the port, the connection becomes direct.
    for (one, other) in [(&*a, &*b), (b, a)] {
        one.wait("a direct connection", |seen| {
            seen.subscribed.contains(&other.id) && !seen.relayed.contains(&other.id)
        });
    }
    // Where one does not, it stays as it is and works.
    if long() {
        for node in [&*a, b] {
            node.wait("the attempts with the third to end", |seen| seen.count("not_punched") > 0);
        }
    }
    for (one, other) in [(&*a, &*c), (b, c), (c, a), (c, b)] {
        one.wait("a relayed connection", |seen| {
            seen.subscribed.contains(&other.id) && seen.relayed.contains(&other.id)
        });
    }
    passes(c, &[a, b]);
    passes(a, &[b, c]);

    // A direct connection does not need the relay.
    relay.kill();
    for node in [&*a, b, c] {
        node.wait("the relay to be missed", |seen| seen.relays.is_empty() && seen.relayed.is_empty());
    }
    passes(a, &[b]);
    // When the relay is back, so is what went through it.
    relay.start(&[]);
    for node in [&*a, b, c] {
        is_relayed_by(node, &relay);
    }
    c.wait("the others again", |seen| {
        [&a.id, &b.id].iter().all(|id| seen.subscribed.contains(id) && seen.relayed.contains(id))
    });
    passes(c, &[a, b]);
}

#[test]
fn peers_behind_nat_meet_through_a_relay_and_then_directly_over_tcp() {
    traverses("peers_behind_nat_meet_through_a_relay_and_then_directly_over_tcp", Transport::Tcp);
}

#[test]
fn peers_behind_nat_meet_through_a_relay_and_then_directly_over_quic() {
    traverses("peers_behind_nat_meet_through_a_relay_and_then_directly_over_quic", Transport::Quic);
}
