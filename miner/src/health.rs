//! `grpc.health.v1`: SERVING only while the model is loaded and questions are taken.

use std::sync::Arc;
use std::time::Duration;

use acumen_proto::inference_v1::inference_server::InferenceServer;
use tokio_util::sync::CancellationToken;
use tonic::server::NamedService;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use crate::service::{Service, Shared};

/// How often readiness is looked at. A model that panics is NOT_SERVING at most this long after.
const EVERY: Duration = Duration::from_millis(50);

/// Keeps the reported health true until `stop`; draining is reported at once.
pub(crate) async fn report(shared: Arc<Shared>, reporter: HealthReporter, stop: CancellationToken) {
    let mut reported = None;
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        let ready = shared.is_ready();
        if reported != Some(ready) {
            set(&reporter, ready).await;
            reported = Some(ready);
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = shared.draining.cancelled(), if ready => {}
            _ = ticks.tick() => {}
        }
    }
}

/// Sets the health of the service and of the server as a whole (the empty name).
pub(crate) async fn set(reporter: &HealthReporter, ready: bool) {
    let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
    for name in ["", <InferenceServer<Service> as NamedService>::NAME] {
        reporter.set_service_status(name, status).await;
    }
}
