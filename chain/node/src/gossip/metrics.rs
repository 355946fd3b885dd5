//! The network's counters on the node's metrics page.

use acumen_chain_network::NetworkHandle;
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
        let gauge =
            ConstGauge::new(i64::try_from(self.0.connectivity().borrow().peers.len()).unwrap_or(i64::MAX));
        let (name, help) = ("network_peers", "Peers connected that gossip transactions");
        gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        for (name, help, value) in self.0.stats().values() {
            let counter = ConstCounter::new(value);
            let name = format!("network_{name}");
            counter.encode(encoder.encode_descriptor(&name, help, None, counter.metric_type())?)?;
        }
        Ok(())
    }
}
