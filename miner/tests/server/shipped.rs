//! The shipped checkpoints through the whole server, as `run` puts it together, while no node answers; and what generic
//! gRPC tools see.

use std::path::Path;
use std::sync::Arc;

use acumen_miner::Miner;
use acumen_miner::chain::NodeView;
use acumen_miner_client::{ClientOptions, MinerClient};
use acumen_models::{LoadOptions, load};
use acumen_protocol::call::Endpoint;
use acumen_protocol::{Hash, TrackId};
use tokio_util::sync::CancellationToken;
use tonic_reflection::pb::v1 as reflection;

use crate::rig::{PATIENCE, Rig, config, contexts, eventually, friend, key, miner};

async fn serves(file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/checkpoints").join(file);
    let dir = tempfile::tempdir().unwrap();
    let server = Miner::bind(config(dir.path()), key(1)).await.unwrap();
    let endpoint = Endpoint::new(&format!("http://{}", server.address()), Hash::ZERO, None).unwrap();
    // Port 1 answers nobody.
    let chain = NodeView::new(vec!["http://127.0.0.1:1".to_owned()], None, TrackId::ZERO, key(1));
    let shutdown = CancellationToken::new();
    let of_server = path.clone();
    let loader = move || load(&of_server, &LoadOptions::default());
    let task = tokio::spawn(server.serve(chain, loader, shutdown.clone()));
    let options = ClientOptions { answer_timeout: PATIENCE, ..ClientOptions::default() };
    let client = MinerClient::connect_lazy(&endpoint, miner(), Arc::new(friend()), options).unwrap();
    eventually("the model has loaded", || async { client.info().await.is_ok() }).await;

    let documents = contexts(&["My fellow Americans", "", "Call me Ish"]);
    let model = load(&path, &LoadOptions::default()).unwrap();
    let mut direct = model.open(&documents).unwrap();
    let (mut stream, mut answers) = client.open(documents, None).await.unwrap();
    for tokens in [vec![44, 84, 109], vec![32, 104, 97]] {
        for (answer, logprobs) in answers.iter().zip(direct.predict()) {
            assert_eq!(&answer.logprobs, logprobs, "{file}");
        }
        direct.advance(&tokens).unwrap();
        answers = stream.step(tokens).await.unwrap();
    }
    drop(stream);
    shutdown.cancel();
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn every_shipped_format_is_served_as_it_computes() {
    for file in ["gpt-small.safetensors", "gpt-traced.pt", "bytes.ngram"] {
        serves(file).await;
    }
}

#[tokio::test]
async fn reflection_lists_the_services() {
    let rig = Rig::start(|_| ()).await;
    let mut client = reflection::server_reflection_client::ServerReflectionClient::new(rig.channel());
    let request = reflection::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(reflection::server_reflection_request::MessageRequest::ListServices(
            String::new(),
        )),
    };
    let mut answers = client.server_reflection_info(tokio_stream::once(request)).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
    let reflection::server_reflection_response::MessageResponse::ListServicesResponse(list) = answer else {
        panic!("{answer:?}");
    };
    let names: Vec<String> = list.service.into_iter().map(|service| service.name).collect();
    for name in ["acumen.inference.v1.Inference", "grpc.health.v1.Health"] {
        assert!(names.iter().any(|found| found == name), "{name} is not in {names:?}");
    }
    assert!(!names.iter().any(|name| name.contains("chain")), "what is not served is not told: {names:?}");
}
