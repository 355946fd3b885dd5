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
                tracing::warn!(%peer, "connected, but it does not say what it wants to hear: connecting anew");
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
