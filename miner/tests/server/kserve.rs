//! KServe v2 through the generated client; docs/examples/kserve_client.py does the same with PyPI's `tritonclient`.

use std::path::{Path, PathBuf};

use acumen_miner::config::{KserveConfig, KserveModel, TensorConfig};
use acumen_models::{LoadOptions, load};
use acumen_proto::kserve_v2 as wire;
use acumen_proto::kserve_v2::grpc_inference_service_client::GrpcInferenceServiceClient;
use acumen_proto::kserve_v2::model_infer_request::InferInputTensor;
use tonic::Code;
use tonic::transport::Channel;

use crate::rig::{Rig, eventually};

fn traced() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/checkpoints/gpt-traced.pt")
}

async fn start(models: Vec<KserveModel>) -> (Rig, GrpcInferenceServiceClient<Channel>) {
    let rig = Rig::start(|config| {
        config.model.path = traced();
        config.kserve = Some(KserveConfig {
            listen: ([127, 0, 0, 1], 0).into(),
            allow_remote: false,
            threads: 1,
            hang_timeout_ms: 120_000,
            models,
        });
    })
    .await;
    let channel = Channel::from_shared(format!("http://{}", rig.kserve.unwrap())).unwrap().connect_lazy();
    let client = GrpcInferenceServiceClient::new(channel);
    let asked = client.clone();
    eventually("the module has loaded", || {
        let mut client = asked.clone();
        async move {
            client.server_ready(wire::ServerReadyRequest {}).await.is_ok_and(|answer| answer.get_ref().ready)
        }
    })
    .await;
    (rig, client)
}

fn question(name: &str, ids: &[i64]) -> wire::ModelInferRequest {
    wire::ModelInferRequest {
        model_name: "gpt-traced".to_owned(),
        id: "7".to_owned(),
        inputs: vec![InferInputTensor {
            name: name.to_owned(),
            datatype: "INT64".to_owned(),
            shape: vec![1, i64::try_from(ids.len()).unwrap()],
            ..Default::default()
        }],
        raw_input_contents: vec![ids.iter().flat_map(|id| id.to_le_bytes()).collect()],
        ..Default::default()
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect()
}

#[tokio::test]
async fn the_miners_own_module_is_served_as_it_computes() {
    let (_rig, mut client) = start(Vec::new()).await;
    let metadata = wire::ModelMetadataRequest { name: "gpt-traced".to_owned(), version: String::new() };
    let metadata = client.model_metadata(metadata).await.unwrap().into_inner();
    assert_eq!((metadata.inputs[0].name.as_str(), metadata.outputs[0].datatype.as_str()), ("ids", "FP32"));
    // Every document begins with a newline that a context does not hold.
    let answer = client.model_infer(question("ids", &[10, 84, 104])).await.unwrap().into_inner();
    assert_eq!((answer.id.as_str(), answer.outputs[0].shape.as_slice()), ("7", [1, 3, 256].as_slice()));
    let logits = floats(&answer.raw_output_contents[0]);
    let last = &logits[2 * 256..];
    let sum: f32 = last.iter().map(|logit| logit.exp()).sum();
    let model = load(&traced(), &LoadOptions::default()).unwrap();
    let session = model.open(&[vec![84, 104]]).unwrap();
    for (logit, logprob) in last.iter().zip(&session.predict()[0]) {
        assert!((logit - sum.ln() - logprob).abs() < 1e-4);
    }
}

#[tokio::test]
async fn a_stream_answers_each_request_and_survives_a_bad_one() {
    let (_rig, mut client) = start(Vec::new()).await;
    let requests = tokio_stream::iter([question("ids", &[1]), question("none", &[1]), question("ids", &[2])]);
    let mut answers = client.model_stream_infer(requests).await.unwrap().into_inner();
    let mut outcomes = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        outcomes.push(answer.error_message.is_empty() && answer.infer_response.is_some());
    }
    assert_eq!(outcomes, [true, false, true]);
}

#[tokio::test]
async fn names_come_from_the_configuration() {
    let tensor = |name: &str, datatype: &str, shape: &[i64]| TensorConfig {
        name: name.to_owned(),
        datatype: datatype.to_owned(),
        shape: shape.to_vec(),
    };
    let model = |name: &str, outputs| KserveModel {
        name: name.to_owned(),
        path: traced(),
        inputs: vec![tensor("INPUT0", "INT64", &[-1, -1])],
        outputs,
    };
    let right = model("gpt-traced", vec![tensor("OUTPUT0", "FP32", &[-1, -1, 256])]);
    let wrong = model("wrong", vec![tensor("OUTPUT0", "INT32", &[-1])]);
    let (_rig, mut client) = start(vec![right, wrong]).await;
    let mut asked = question("INPUT0", &[1, 2]);
    let answer = client.model_infer(asked.clone()).await.unwrap().into_inner();
    assert_eq!(
        (answer.outputs[0].name.as_str(), answer.raw_output_contents[0].len()),
        ("OUTPUT0", 2 * 256 * 4)
    );
    asked.model_name = "wrong".to_owned();
    assert_eq!(client.model_infer(asked.clone()).await.unwrap_err().code(), Code::Internal);
    asked.model_name = "absent".to_owned();
    assert_eq!(client.model_infer(asked).await.unwrap_err().code(), Code::NotFound);
    let index = client.repository_index(wire::RepositoryIndexRequest::default()).await.unwrap().into_inner();
    assert_eq!(
        index.models.iter().map(|model| model.name.as_str()).collect::<Vec<_>>(),
        ["gpt-traced", "wrong"]
    );
    let request = wire::ModelConfigRequest { name: "wrong".to_owned(), version: "1".to_owned() };
    let config = client.model_config(request).await.unwrap().into_inner().config.unwrap();
    assert_eq!(
        (config.input[0].data_type(), config.output[0].data_type()),
        (wire::DataType::TypeInt64, wire::DataType::TypeInt32)
    );
    for (name, version, ready) in [("wrong", "1", true), ("wrong", "2", false), ("absent", "", false)] {
        let request = wire::ModelReadyRequest { name: name.to_owned(), version: version.to_owned() };
        assert_eq!(client.model_ready(request).await.unwrap().into_inner().ready, ready, "{name} {version}");
    }
}
