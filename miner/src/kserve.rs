//! KServe's Open Inference Protocol, version 2: any TorchScript module, tensors in and tensors out.
//!
//! Its clients (PyPI's `tritonclient`, for one) do not sign, so this server has a listener of its own, off by default and
//! on a loopback address unless `allow_remote` says otherwise. It shares nothing with the signed service but the process.
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

use acumen_models::ModelError;
use acumen_proto::kserve_v2::grpc_inference_service_server::GrpcInferenceServiceServer;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::server::NamedService;
use tonic::transport::server::TcpIncoming;

use config::KserveConfig;
use models::Models;
use service::Kserve;

/// Largest request and answer: 16 million values of FP32. Buffers are made as the bytes come.
const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// Calls at once on one connection.
const MAX_CALLS: u32 = 256;

/// Loads the modules; blocks meanwhile.
///
/// # Errors
/// The first module that cannot be loaded.
pub(crate) fn load(config: &KserveConfig) -> Result<Models, ModelError> {
    Models::load(config)
}

/// Serves until `stop`; running calls are finished.
pub(crate) async fn serve(
    listener: TcpListener,
    models: Models,
    draining: CancellationToken,
) -> Result<(), String> {
    let service =
        GrpcInferenceServiceServer::new(Kserve { models: Arc::new(models), draining: draining.clone() })
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(acumen_proto::FILE_DESCRIPTOR_SET)
        .with_service_name(<GrpcInferenceServiceServer<Kserve> as NamedService>::NAME)
        .build_v1()
        .map_err(|error| error.to_string())?;
    tonic::transport::Server::builder()
        .max_concurrent_streams(Some(MAX_CALLS))
        .layer(crate::trace::RequestIds)
        .add_service(service)
        .add_service(reflection)
        .serve_with_incoming_shutdown(
            TcpIncoming::from(listener).with_nodelay(Some(true)),
            draining.cancelled_owned(),
        )
        .await
        .map_err(|error| error.to_string())
}
