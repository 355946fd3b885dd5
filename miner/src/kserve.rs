//! KServe's Open Inference Protocol, version 2: any TorchScript module, tensors in and tensors out.
//!
//! Its clients (PyPI's `tritonclient`, for one) do not sign, so this server has a listener of its own, off by default and
//! on a loopback address unless `allow_remote` says otherwise. It shares nothing with the signed service but the process and
//! its metrics.
//!
//! | module | what it is |
//! |---|---|
//! | [`config`] | which modules, and what their tensors are called |
//! | `models` | the loaded modules |
//! | `tensors` | contents of a request to bytes and back |
//! | `service` | the calls |

pub(crate) mod config;
mod models;
mod service;
mod tensors;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use acumen_models::ModelError;
use acumen_proto::kserve_v2::grpc_inference_service_server::GrpcInferenceServiceServer;
use acumen_serving::connections::Limits;
use tokio::net::TcpListener;
use tonic::server::NamedService;

use crate::intake::{self, FREE_BYTES, Intake, Rule, share_of};
use crate::service::Shared;
use config::KserveConfig;
use models::Models;
use service::Kserve;

/// Largest request and answer: 16 million values of FP32. Buffers are made as the bytes come.
const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// Calls at once on one connection.
const MAX_CALLS: u32 = 256;

/// A client is asked for a sign of life this often, and disconnected if it gives none within 20 s.
const KEEPALIVE: Duration = Duration::from_secs(20);

/// Connections, and how long one that does not speak HTTP/2 yet may say nothing.
const CONNECTIONS: Limits = Limits { total: 256, per_address: 64, silence: Duration::from_secs(60) };

/// Bytes of requests that are being read at once; one address has a quarter of it, which is the largest request.
const UNREAD_BYTES: usize = 256 << 20;

/// How long a request may take to come: the largest one, at 17 Mbit a second.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Where modules are run; the other calls say next to nothing.
const INFER: &str = "/inference.GRPCInferenceService/ModelInfer";
const STREAM_INFER: &str = "/inference.GRPCInferenceService/ModelStreamInfer";

/// Loads the modules; blocks meanwhile.
///
/// # Errors
/// The first module that cannot be loaded.
pub(crate) fn load(config: &KserveConfig) -> Result<Models, ModelError> {
    Models::load(config)
}

/// Serves until `stop`; running calls are finished.
pub(crate) async fn serve(listener: TcpListener, models: Models, shared: &Arc<Shared>) -> Result<(), String> {
    let draining = shared.draining.clone();
    let service =
        GrpcInferenceServiceServer::new(Kserve { models: Arc::new(models), draining: draining.clone() })
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(acumen_proto::FILE_DESCRIPTOR_SET)
        .with_service_name(<GrpcInferenceServiceServer<Kserve> as NamedService>::NAME)
        .build_v1()
        .map_err(|error| error.to_string())?;
    let metrics = Arc::clone(shared);
    let refused = move |_| metrics.metrics.refuse("connections");
    let share = share_of(UNREAD_BYTES, MAX_MESSAGE_BYTES);
    let incoming = intake::incoming(listener, CONNECTIONS, share, refused);
    tonic::transport::Server::builder()
        .max_concurrent_streams(Some(MAX_CALLS))
        .http2_keepalive_interval(Some(KEEPALIVE))
        .layer(crate::trace::RequestIds)
        .layer(gate(shared))
        .add_service(service)
        .add_service(reflection.max_decoding_message_size(FREE_BYTES))
        .serve_with_incoming_shutdown(incoming, draining.cancelled_owned())
        .await
        .map_err(|error| error.to_string())
}

fn gate(shared: &Arc<Shared>) -> Intake {
    let rule = |path: &str| match path {
        INFER => Rule { most: MAX_MESSAGE_BYTES, limit: "bytes of a request", whole: true },
        STREAM_INFER => Rule { most: MAX_MESSAGE_BYTES, limit: "bytes of a request", whole: false },
        path if path.starts_with("/grpc.reflection.") => Rule { whole: false, ..Rule::SMALL },
        _ => Rule::SMALL,
    };
    let shared = Arc::clone(shared);
    Intake::new(READ_TIMEOUT, UNREAD_BYTES, rule, move |refusal| shared.refuse(refusal))
}
