//! Peers that are there and want nothing: they believe in a connection that has ended, or never had one.

mod common;

use std::sync::atomic::Ordering;

use acumen_chain_network::{Config, Keypair, Names, PeerId};
use common::{GENESIS, Running, config, patiently};
use futures::StreamExt as _;
use libp2p::gossipsub::{self, IdentTopic, MessageAuthenticity, ValidationMode};
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, SwarmBuilder, identify, noise, tcp, yamux};

#[derive(NetworkBehaviour)]
struct Behaviour {
    identify: identify::Behaviour,
    gossip: gossipsub::Behaviour,
}

/// A peer of this chain that gossips, wanting transactions or not.
async fn peer(identity: Keypair, address: Multiaddr, wants: bool) {
    let names = Names::new(&GENESIS);
    let mut swarm = SwarmBuilder::with_existing_identity(identity.clone())
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_behaviour(|_| {
            let settings = gossipsub::ConfigBuilder::default()
                .protocol_id_prefix(names.gossip.clone())
                .validation_mode(ValidationMode::Anonymous)
                .build()
                .unwrap();
            Behaviour {
                identify: identify::Behaviour::new(identify::Config::new(
                    names.identify.clone(),
                    identity.public(),
                )),
                gossip: gossipsub::Behaviour::new(MessageAuthenticity::Anonymous, settings).unwrap(),
            }
        })
        .unwrap()
        .with_swarm_config(|swarm| swarm.with_idle_connection_timeout(common::PATIENCE))
        .build();
    if wants {
        swarm.behaviour_mut().gossip.subscribe(&IdentTopic::new(&names.transactions)).unwrap();
    }
    swarm.dial(address).unwrap();
    loop {
        if let SwarmEvent::ConnectionClosed { .. } = swarm.select_next_some().await {
            return;
        }
    }
}

fn silent(node: &Running) -> u64 {
    node.handle.stats().silent.load(Ordering::Relaxed)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_never_subscribes_is_parted_from_and_an_honest_one_is_not() {
    let node = Running::start(1, Config { silent_peer_seconds: 1, ..config(&[]) }, GENESIS, None);
    let address = node.address().await;
    let (honest, mute) = (Keypair::generate_ed25519(), Keypair::generate_ed25519());
    let name = |pair: &Keypair| -> PeerId { pair.public().to_peer_id() };
    let staying = tokio::spawn(peer(honest.clone(), address.clone(), true));
    node.until("the honest one", |state| state.subscribed.contains(&name(&honest))).await;
    // Returns when it is hung up on.
    patiently("the parting", peer(mute.clone(), address, false)).await;
    // Whom it has disconnected the network counts first, and tells afterwards.
    node.until("the end of it", |state| !state.peers.contains(&name(&mute))).await;
    assert_eq!(silent(&node), 1);
    // It was there for longer than the other one.
    assert!(node.handle.connectivity().borrow().subscribed.contains(&name(&honest)));
    assert!(!staying.is_finished());
    staying.abort();
    node.stop().await;
}
