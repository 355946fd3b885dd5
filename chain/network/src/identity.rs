//! The node's identity among peers: an ed25519 key in a file of its own, made at the first start. It signs connections,
//! never transactions or blocks; losing it costs the node its name and nothing else.

use std::io::Write as _;
use std::path::Path;

use libp2p::identity::Keypair;
use zeroize::Zeroizing;

use crate::error::NetworkError;

/// Reads the identity from `path`: 64 hex digits, the ed25519 seed. If there is no file, makes one that only its owner
/// can read.
pub fn load_or_create(path: &Path) -> Result<Keypair, NetworkError> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(path, &Zeroizing::new(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => create(path),
        Err(error) => Err(failed(path, format!("cannot be read: {error}"))),
    }
}

fn parse(path: &Path, text: &str) -> Result<Keypair, NetworkError> {
    let wrong =
        || failed(path, "holds no network identity: write 64 hex digits, or remove it to get a new one");
    let digits = text.trim();
    let mut seed = Zeroizing::new([0_u8; 32]);
    hex::decode_to_slice(digits.strip_prefix("0x").unwrap_or(digits), seed.as_mut_slice())
        .map_err(|_| wrong())?;
    Keypair::ed25519_from_bytes(seed.as_mut_slice()).map_err(|_| wrong())
}

fn create(path: &Path) -> Result<Keypair, NetworkError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let io = |error: std::io::Error| failed(path, format!("cannot be written: {error}"));
    let pair = libp2p::identity::ed25519::Keypair::generate();
    let seed = Zeroizing::new(hex::encode(pair.secret().as_ref()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(io)?;
    }
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(io)?;
    writeln!(file, "{}", *seed).and_then(|()| file.sync_all()).map_err(io)?;
    Ok(Keypair::from(pair))
}

fn failed(path: &Path, reason: impl Into<String>) -> NetworkError {
    NetworkError::Identity { path: path.to_owned(), reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn an_identity_is_made_once_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys/network.key");
        let made = load_or_create(&path).unwrap();
        let read = load_or_create(&path).unwrap();
        assert_eq!(made.public(), read.public());
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, "not a key").unwrap();
        assert!(load_or_create(&path).unwrap_err().to_string().contains("64 hex digits"));
    }
}
