//! The miner's certificate: the operator's, or one of its own making.
//!
//! Whoever asks the miner does not look for a name in the certificate and trusts no authority: the chain says which
//! certificate is the miner's, by the blake2b-256 of its DER form. A certificate that the miner has made is kept in
//! `data_dir`, so that a restart publishes nothing new.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use acumen_protocol::Hash;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};

use crate::config::ConfigError;

#[cfg(test)]
mod tests;

/// Largest file of certificates or key.
const MAX_PEM_BYTES: u64 = 1 << 20;

/// Names of the miner's own files in `data_dir`.
const CERTIFICATE_FILE: &str = "tls-certificate.pem";
const KEY_FILE: &str = "tls-key.pem";

/// The table `[tls]`. Empty: the miner makes a certificate of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// PEM file: the certificate, then those of its authorities if it has any.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    /// PEM file: its private key.
    #[serde(default)]
    pub key: Option<PathBuf>,
}

/// A certificate with its key.
#[derive(Clone)]
pub(crate) struct Identity {
    certificate: Vec<u8>,
    key: Vec<u8>,
    hash: Hash,
}

impl std::fmt::Debug for Identity {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("hash", &self.hash).finish_non_exhaustive()
    }
}

impl TlsConfig {
    /// Makes relative paths relative to `base`.
    pub(crate) fn resolve_paths(&mut self, base: &Path) {
        for path in [&mut self.certificate, &mut self.key].into_iter().flatten() {
            *path = base.join(&*path);
        }
    }

    /// Refuses half a configuration.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.certificate.is_some() == self.key.is_some() {
            return Ok(());
        }
        let reason = "`certificate` and `key` go together; without both the miner makes its own".to_owned();
        Err(ConfigError { field: "tls", reason })
    }

    /// Reads the certificate, or makes one for `host` in `data_dir`.
    pub(crate) fn load(&self, data_dir: &Path, host: &str) -> Result<Identity, ConfigError> {
        let (certificate, key) = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => (certificate.clone(), key.clone()),
            _ => own(data_dir, host)?,
        };
        Identity::read(&certificate, &key)
    }
}

fn refuse<T>(field: &'static str, path: &Path, reason: impl std::fmt::Display) -> Result<T, ConfigError> {
    Err(ConfigError { field, reason: format!("{}: {reason}", path.display()) })
}

impl Identity {
    fn read(certificate: &Path, key: &Path) -> Result<Self, ConfigError> {
        let read = |field, path: &Path| match std::fs::metadata(path).map(|file| file.len()) {
            Ok(length) if length > MAX_PEM_BYTES => {
                refuse(field, path, format!("{length} bytes is no PEM file"))
            }
            Ok(_) => std::fs::read(path).or_else(|error| refuse(field, path, error)),
            Err(error) => refuse(field, path, error),
        };
        let chain = read("tls.certificate", certificate)?;
        let leaf = CertificateDer::from_pem_slice(&chain).or_else(|error| {
            refuse("tls.certificate", certificate, format!("no certificate in it: {error}"))
        })?;
        let hash = Hash::of(&leaf);
        let secret = read("tls.key", key)?;
        rustls_pki_types::PrivateKeyDer::from_pem_slice(&secret)
            .or_else(|error| refuse("tls.key", key, format!("no private key in it: {error}")))?;
        Ok(Self { certificate: chain, key: secret, hash })
    }

    /// What the chain is told.
    pub(crate) const fn hash(&self) -> Hash {
        self.hash
    }

    /// For tonic's server.
    pub(crate) fn server(&self) -> tonic::transport::ServerTlsConfig {
        let identity = tonic::transport::Identity::from_pem(&self.certificate, &self.key);
        tonic::transport::ServerTlsConfig::new().identity(identity)
    }
}

/// The miner's own certificate, made if it is not there yet.
fn own(data_dir: &Path, host: &str) -> Result<(PathBuf, PathBuf), ConfigError> {
    let (certificate, key) = (data_dir.join(CERTIFICATE_FILE), data_dir.join(KEY_FILE));
    if certificate.exists() && key.exists() {
        return Ok((certificate, key));
    }
    let made = rcgen::generate_simple_self_signed([host.to_owned()]).or_else(|error| {
        refuse("public_url", Path::new(host), format!("no name for a certificate: {error}"))
    })?;
    std::fs::create_dir_all(data_dir).or_else(|error| refuse("data_dir", data_dir, error))?;
    // The key first: a crash between the two leaves no certificate, and both are made afresh.
    for (path, text) in [(&key, made.key_pair.serialize_pem()), (&certificate, made.cert.pem())] {
        write(path, &text).or_else(|error| refuse("data_dir", path, error))?;
    }
    Ok((certificate, key))
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// The host of a URL that `Endpoint` accepts.
pub(crate) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let host = rest.rsplit_once(':').map_or(rest, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}
