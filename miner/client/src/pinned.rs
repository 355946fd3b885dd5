//! TLS to a miner whose certificate the chain names.
//!
//! Neither names nor authorities count: the certificate is the miner's if its blake2b-256 is the one in the chain's
//! record, which the miner's hotkey has signed. That the other side holds its key is proven by the handshake, as always.

use std::sync::Arc;

use acumen_protocol::Hash;
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint, Uri};

/// HTTP/2, as gRPC needs it.
const ALPN_H2: &[u8] = b"h2";

/// Accepts one certificate.
#[derive(Debug)]
struct Pinned {
    hash: Hash,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if Hash::of(certificate) == self.hash {
            return Ok(ServerCertVerified::assertion());
        }
        Err(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A lazy channel to `endpoint` (whose scheme must be `http`: what is inside of the tunnel) that accepts the certificate
/// with this hash and no other.
pub(crate) fn channel(endpoint: &Endpoint, hash: Hash) -> Result<Channel, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Arc::new(Pinned { hash, provider: Arc::clone(&provider) });
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols.push(ALPN_H2.to_vec());
    let connector = TlsConnector::from(Arc::new(config));
    let connect = tower::service_fn(move |uri: Uri| {
        let connector = connector.clone();
        async move { connect(connector, uri).await.map(TokioIo::new) }
    });
    Ok(endpoint.connect_with_connector_lazy(connect))
}

async fn connect(connector: TlsConnector, uri: Uri) -> std::io::Result<TlsStream<TcpStream>> {
    let bad = |reason: String| std::io::Error::new(std::io::ErrorKind::InvalidInput, reason);
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = uri.port_u16().ok_or_else(|| bad(format!("{uri} has no port")))?;
    let stream = TcpStream::connect((host.as_str(), port)).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from(host).map_err(|error| bad(error.to_string()))?;
    connector.connect(name, stream).await
}
