//! The network's counters on the node's metrics page.

use acumen_chain_network::{Connectivity, NetworkHandle, Reachability};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::metrics::Metrics;

/// Reads the network when the page is asked for.
#[derive(Debug)]
struct Network(NetworkHandle);

pub(super) fn register(metrics: &Metrics, handle: NetworkHandle) {
    metrics.add(Box::new(Network(handle)));
}

impl Collector for Network {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        for (name, help, value) in gauges(&self.0.connectivity().borrow()) {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        for (name, help, value) in self.0.stats().values() {
            let counter = ConstCounter::new(value);
            let name = format!("network_{name}");
            counter.encode(encoder.encode_descriptor(&name, help, None, counter.metric_type())?)?;
        }
        Ok(())
    }
}

/// How the node is connected, in numbers.
fn gauges(state: &Connectivity) -> [(&'static str, &'static str, i64); 4] {
    let count = |list: usize| i64::try_from(list).unwrap_or(i64::MAX);
    let reachable = match state.reachability {
        Reachability::Unknown => -1,
        Reachability::Unreachable => 0,
        Reachability::Reachable => 1,
    };
    [
        ("network_peers", "Peers connected that gossip transactions", count(state.peers.len())),
        ("network_relayed_peers", "Those connected through relays only", count(state.relayed.len())),
        ("network_relays", "Relays that have reserved a place for this node", count(state.relays.len())),
        ("network_reachable", "1 if others can dial this node, 0 if not, -1 if unknown", reachable),
    ]
}
