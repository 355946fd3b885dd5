//! The calls of KServe v2.

use std::pin::Pin;
use std::sync::Arc;

use acumen_models::{ModelError, ReplicaError};
use acumen_proto::kserve_v2 as wire;
use acumen_proto::kserve_v2::grpc_inference_service_server::GrpcInferenceService;
use acumen_proto::kserve_v2::model_infer_response::InferOutputTensor;
use acumen_proto::kserve_v2::model_metadata_response::TensorMetadata;
use acumen_proto::kserve_v2::repository_index_response::ModelIndex;
use futures::{Stream, StreamExt as _};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::config::TensorConfig;
use super::models::{Model, Models, VERSION};
use super::tensors;

/// What KServe's clients are told that the modules run on.
const PLATFORM: &str = "pytorch_libtorch";

/// Why a module is not ready.
const HUNG: &str = "the module does not come back from a request; restart the miner if it goes on";

/// The service.
#[derive(Clone, Debug)]
pub(super) struct Kserve {
    pub(super) models: Arc<Models>,
    pub(super) draining: CancellationToken,
}

type Infers = Pin<Box<dyn Stream<Item = Result<wire::ModelStreamInferResponse, Status>> + Send>>;

#[tonic::async_trait]
impl GrpcInferenceService for Kserve {
    type ModelStreamInferStream = Infers;

    async fn server_live(
        &self,
        _: Request<wire::ServerLiveRequest>,
    ) -> Result<Response<wire::ServerLiveResponse>, Status> {
        Ok(Response::new(wire::ServerLiveResponse { live: true }))
    }

    async fn server_ready(
        &self,
        _: Request<wire::ServerReadyRequest>,
    ) -> Result<Response<wire::ServerReadyResponse>, Status> {
        let ready = !self.draining.is_cancelled() && self.models.all().all(Model::is_ready);
        Ok(Response::new(wire::ServerReadyResponse { ready }))
    }

    async fn model_ready(
        &self,
        request: Request<wire::ModelReadyRequest>,
    ) -> Result<Response<wire::ModelReadyResponse>, Status> {
        let wire::ModelReadyRequest { name, version } = request.into_inner();
        let ready = self.models.find(&name, &version).is_ok_and(Model::is_ready);
        let ready = ready && !self.draining.is_cancelled();
        Ok(Response::new(wire::ModelReadyResponse { ready }))
    }

    async fn server_metadata(
        &self,
        _: Request<wire::ServerMetadataRequest>,
    ) -> Result<Response<wire::ServerMetadataResponse>, Status> {
        Ok(Response::new(wire::ServerMetadataResponse {
            name: "acumen".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            extensions: vec!["model_configuration".to_owned(), "model_repository".to_owned()],
        }))
    }

    async fn model_metadata(
        &self,
        request: Request<wire::ModelMetadataRequest>,
    ) -> Result<Response<wire::ModelMetadataResponse>, Status> {
        let wire::ModelMetadataRequest { name, version } = request.into_inner();
        let config = &self.models.find(&name, &version)?.config;
        let describe = |tensor: &TensorConfig| TensorMetadata {
            name: tensor.name.clone(),
            datatype: tensor.datatype.clone(),
            shape: tensor.shape.clone(),
        };
        Ok(Response::new(wire::ModelMetadataResponse {
            name,
            versions: vec![VERSION.to_owned()],
            platform: PLATFORM.to_owned(),
            inputs: config.inputs.iter().map(describe).collect(),
            outputs: config.outputs.iter().map(describe).collect(),
        }))
    }

    async fn model_infer(
        &self,
        request: Request<wire::ModelInferRequest>,
    ) -> Result<Response<wire::ModelInferResponse>, Status> {
        infer(&self.models, request.into_inner()).await.map(Response::new)
    }

    async fn model_stream_infer(
        &self,
        request: Request<Streaming<wire::ModelInferRequest>>,
    ) -> Result<Response<Infers>, Status> {
        let models = Arc::clone(&self.models);
        let answers = request.into_inner().then(move |message| {
            let models = Arc::clone(&models);
            async move {
                // One bad request does not end the stream: its error is an answer.
                Ok(match infer(&models, message?).await {
                    Ok(response) => wire::ModelStreamInferResponse {
                        infer_response: Some(response),
                        ..Default::default()
                    },
                    Err(status) => wire::ModelStreamInferResponse {
                        error_message: status.message().to_owned(),
                        infer_response: None,
                    },
                })
            }
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn model_config(
        &self,
        request: Request<wire::ModelConfigRequest>,
    ) -> Result<Response<wire::ModelConfigResponse>, Status> {
        let wire::ModelConfigRequest { name, version } = request.into_inner();
        let config = &self.models.find(&name, &version)?.config;
        let data_type = |tensor: &TensorConfig| {
            wire::DataType::from_str_name(&format!("TYPE_{}", tensor.datatype))
                .unwrap_or(wire::DataType::TypeInvalid)
        };
        let input = config.inputs.iter().map(|tensor| wire::ModelInput {
            name: tensor.name.clone(),
            data_type: data_type(tensor).into(),
            dims: tensor.shape.clone(),
        });
        let output = config.outputs.iter().map(|tensor| wire::ModelOutput {
            name: tensor.name.clone(),
            data_type: data_type(tensor).into(),
            dims: tensor.shape.clone(),
        });
        let config = wire::ModelConfig {
            name,
            platform: PLATFORM.to_owned(),
            max_batch_size: 0,
            input: input.collect(),
            output: output.collect(),
            backend: "pytorch".to_owned(),
        };
        Ok(Response::new(wire::ModelConfigResponse { config: Some(config) }))
    }

    async fn repository_index(
        &self,
        _: Request<wire::RepositoryIndexRequest>,
    ) -> Result<Response<wire::RepositoryIndexResponse>, Status> {
        let describe = |model: &Model| ModelIndex {
            name: model.config.name.clone(),
            version: VERSION.to_owned(),
            state: if model.is_ready() { "READY" } else { "UNAVAILABLE" }.to_owned(),
            reason: if model.is_ready() { String::new() } else { HUNG.to_owned() },
        };
        Ok(Response::new(wire::RepositoryIndexResponse { models: self.models.all().map(describe).collect() }))
    }
}

async fn infer(
    models: &Models,
    request: wire::ModelInferRequest,
) -> Result<wire::ModelInferResponse, Status> {
    let model = models.find(&request.model_name, &request.model_version)?;
    if !model.is_ready() {
        return Err(Status::unavailable(HUNG));
    }
    let names: Vec<String> = request.outputs.iter().map(|output| output.name.clone()).collect();
    let wanted = tensors::wanted_outputs(&model.config, &names)?;
    let (model_name, id) = (request.model_name.clone(), request.id.clone());
    let inputs = tensors::inputs(&model.config, request)?;
    let mut answers = model.module.run(inputs).await.map_err(|error| status(&error))?;
    if answers.len() != model.config.outputs.len() {
        let (found, said) = (answers.len(), model.config.outputs.len());
        return Err(Status::internal(format!(
            "the module answers with {found} tensors, the configuration says {said}"
        )));
    }
    let mut response = wire::ModelInferResponse {
        model_name,
        model_version: VERSION.to_owned(),
        id,
        ..wire::ModelInferResponse::default()
    };
    for (index, config) in wanted {
        let answer = &mut answers[index];
        tensors::check_output(config, answer)?;
        response.outputs.push(InferOutputTensor {
            name: config.name.clone(),
            datatype: config.datatype.clone(),
            shape: answer.shape.clone(),
            ..InferOutputTensor::default()
        });
        // A name that is asked for twice is sent twice.
        response.raw_output_contents.push(answer.bytes.clone());
    }
    Ok(response)
}

fn status(error: &ReplicaError) -> Status {
    match error {
        ReplicaError::Overloaded { .. } => Status::resource_exhausted(error.to_string()),
        ReplicaError::Model(ModelError::Config { .. }) => Status::invalid_argument(error.to_string()),
        // Most often tensors of sizes that do not go together: the module's own words say which.
        ReplicaError::Model(ModelError::Engine(_)) => Status::internal(error.to_string()),
        _ => Status::unavailable(error.to_string()),
    }
}
