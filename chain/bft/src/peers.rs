//! The peers of this node, looked at once a second.

use std::sync::Arc;
use std::time::Duration;

use arc_malachitebft_app_channel::NetworkRequest;
use arc_malachitebft_app_channel::app::engine::network::{Msg, NetworkRef, NetworkStateDump};
use arc_malachitebft_app_channel::app::types::PeerId;
use arc_malachitebft_network::validator_proof::ProofVerificationResult;
use tokio::sync::mpsc;

use crate::application::{Application, Observation};
use crate::deaf::{Deaf, Meshes};
use crate::types::Chain;

const LOOK: Duration = Duration::from_secs(1);

/// Counts the peers and connects those anew that do not hear this node, as long as it is polled.
pub(crate) async fn watch<A: Application>(
    app: Arc<A>,
    requests: mpsc::Sender<NetworkRequest>,
    network: Option<NetworkRef<Chain>>,
) {
    let mut deaf = Deaf::new();
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let Ok(Some(dump)) = NetworkRequest::dump_state(&requests).await else { continue };
        app.observe(Observation::Peers(dump.peers.len()));
        if let Some(network) = &network {
            for peer in deaf.look(&dump.local_node.subscribed_topics, &meshes(&dump)) {
                tracing::warn!(%peer, "connected, but outside of the mesh: connecting anew");
                disconnect(network, peer);
            }
        }
    }
}

fn meshes(dump: &NetworkStateDump) -> Meshes<PeerId> {
    let peers = dump.peers.iter();
    peers
        .filter_map(|(peer, info)| {
            let peer = PeerId::from_bytes(&peer.to_bytes()).ok()?;
            Some((peer, info.topics.iter().cloned().collect()))
        })
        .collect()
}

/// The engine's only way to end a connection: a proof that it finds invalid. A peer that is named in the configuration
/// is dialled again within a second.
fn disconnect(network: &NetworkRef<Chain>, peer_id: PeerId) {
    let result = ProofVerificationResult::Invalid;
    // It fails when the engine is ending.
    let _ = network.cast(Msg::ValidatorProofVerified { peer_id, result, public_key: None });
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use arc_malachitebft_app_channel::NetworkIdentity;
    use arc_malachitebft_app_channel::app::config::NodeConfig as _;
    use arc_malachitebft_app_channel::app::metrics::SharedRegistry;
    use arc_malachitebft_app_channel::app::types::Keypair;
    use arc_malachitebft_app_channel::spawn::spawn_network_actor;
    use ractor::RpcReplyPort;

    use super::*;
    use crate::config::{EngineConfig, Network};
    use crate::wire::Scale;

    const PATIENCE: Duration = Duration::from_secs(20);

    /// The engine's own network on `host`, which dials the others.
    async fn spawn(host: &str, others: &[&str]) -> NetworkRef<Chain> {
        let address = |host: &str| format!("/ip4/{host}/tcp/26656");
        let peers = others.iter().map(|other| address(other)).collect();
        let network = Network { listen: address(host), peers, ..Network::default() };
        let config =
            EngineConfig::new(&acumen_protocol::ConsensusPublic([0; 32]), Some(&network), false).unwrap();
        let identity = NetworkIdentity::new(host.to_owned(), Keypair::generate_ed25519(), None);
        let registry = SharedRegistry::global().with_moniker(host);
        let (consensus, sync) = (config.consensus(), config.value_sync());
        spawn_network_actor(identity, consensus, sync, &registry, Scale).await.unwrap().0
    }

    async fn look(network: &NetworkRef<Chain>) -> NetworkStateDump {
        let (port, dump) = tokio::sync::oneshot::channel();
        network.cast(Msg::DumpState(RpcReplyPort::from(port))).unwrap();
        dump.await.unwrap().unwrap()
    }

    /// Looks until what is seen is right.
    async fn until(what: &str, network: &NetworkRef<Chain>, right: impl Fn(&NetworkStateDump) -> bool) {
        let looking = async {
            while !right(&look(network).await) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        assert!(tokio::time::timeout(PATIENCE, looking).await.is_ok(), "{what}");
    }

    /// More than the engine's own configuration has places for in a mesh.
    const OTHERS: usize = 14;

    /// What the rule rests on: the engine tells its mesh, has everybody in it, and connects anew when told to.
    #[tokio::test(flavor = "multi_thread")]
    async fn everybody_is_in_the_mesh_and_comes_back_into_it() {
        let hosts: Vec<String> = (1..=1 + OTHERS).map(|host| format!("127.81.7.{host}")).collect();
        let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
        let first = spawn(hosts[0], &[]).await;
        let mut others = Vec::new();
        for host in &hosts[1..] {
            others.push(spawn(host, &hosts[..1]).await);
        }
        let whole = |dump: &NetworkStateDump| {
            let topics: BTreeSet<String> = dump.local_node.subscribed_topics.iter().cloned().collect();
            let meshes = meshes(dump);
            topics.len() == 3 && meshes.len() == OTHERS && meshes.values().all(|of| *of == topics)
        };
        until("all are in the mesh of the first", &first, whole).await;

        let dump = look(&others[0]).await;
        let peer = *meshes(&dump).keys().next().unwrap();
        disconnect(&others[0], peer);
        until("the connection ends", &others[0], |dump| dump.peers.is_empty()).await;
        until("it is made again", &others[0], |dump| dump.peers.len() == 1).await;
        until("all are in the mesh again", &first, whole).await;
        for network in others.into_iter().chain([first]) {
            network.stop_and_wait(None, Some(PATIENCE)).await.unwrap();
        }
    }
}
