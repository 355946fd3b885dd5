//! TLS: the certificate is the one that the chain names, or nothing is said.

use std::sync::Arc;

use acumen_miner_client::{ClientError, ClientOptions, MinerClient};
use acumen_protocol::Hash;
use acumen_protocol::call::Endpoint;
use tonic_health::ServingStatus;

use crate::chain::FakeChain;
use crate::rig::{Rig, contexts, eventually, friend, miner};

/// A miner with TLS, and a client that expects a certificate with this hash.
async fn start() -> (Rig, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let rig = Rig::start_in(dir.path().to_owned(), FakeChain::default(), |config| {
        config.public_url = "https://127.0.0.1:8091".to_owned();
        config.tls = Some(acumen_miner::config::TlsConfig::default());
    })
    .await;
    (rig, dir)
}

fn client(rig: &Rig, url: &str, hash: Option<Hash>) -> Result<MinerClient, ClientError> {
    let endpoint = Endpoint::new(&format!("{url}://{}", rig.address), Hash::ZERO, hash).unwrap();
    MinerClient::connect_lazy(&endpoint, miner(), Arc::new(friend()), ClientOptions::default())
}

#[tokio::test]
async fn the_certificate_of_the_chain_is_the_one_that_is_spoken_to() {
    let (rig, _dir) = start().await;
    rig.chain.register(miner(), 0);
    eventually("the endpoint is published", || async { !rig.chain.published().is_empty() }).await;
    let published = rig.chain.published().remove(0);
    assert!(published.url().starts_with("https://") && published.certificate == rig.certificate);
    let honest = client(&rig, "https", published.certificate).unwrap();
    eventually("the model has loaded", || async { honest.info().await.is_ok() }).await;
    let (mut stream, _) = honest.open(contexts(&["abc"]), None).await.unwrap();
    assert_eq!(stream.step(vec![1]).await.unwrap().len(), 1);

    let other = client(&rig, "https", Some(Hash::of(b"another"))).unwrap();
    let error = other.open(contexts(&["abc"]), None).await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
    let plain = client(&rig, "http", None).unwrap();
    let error = plain.open(contexts(&["abc"]), None).await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "plain gRPC is not answered: {error}");
}

#[tokio::test]
async fn a_record_that_cannot_be_checked_is_refused_at_once() {
    let rig = Rig::start(|_| ()).await;
    for (url, hash) in [("https", None), ("http", Some(Hash::ZERO))] {
        let refused = client(&rig, url, hash);
        assert!(matches!(refused, Err(ClientError::Endpoint { .. })), "{url}");
    }
    rig.wait_for(ServingStatus::Serving).await;
    let error = client(&rig, "https", Some(Hash::ZERO)).unwrap().info().await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "a miner without TLS: {error}");
}
