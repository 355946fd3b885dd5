//! Certificates that are made, kept, read and refused.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

#[test]
fn an_own_certificate_is_made_once_and_its_key_is_private() {
    let dir = tempfile::tempdir().unwrap();
    let load = || TlsConfig::default().load(dir.path(), "miner.example").unwrap();
    let first = load();
    assert_eq!(first.hash(), load().hash(), "a restart publishes nothing new");
    let mode = std::fs::metadata(dir.path().join(KEY_FILE)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    std::fs::remove_file(dir.path().join(CERTIFICATE_FILE)).unwrap();
    assert_ne!(first.hash(), load().hash(), "half of a pair is no pair");
    assert!(!format!("{first:?}").contains("PRIVATE"));
}

#[test]
fn the_operators_certificate_is_read_and_what_is_none_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let made = TlsConfig::default().load(dir.path(), "127.0.0.1").unwrap();
    let mut config = TlsConfig { certificate: Some(CERTIFICATE_FILE.into()), key: Some(KEY_FILE.into()) };
    config.resolve_paths(dir.path());
    assert_eq!(config.load(Path::new("/nowhere"), "x").unwrap().hash(), made.hash());
    let swapped = TlsConfig { certificate: config.key.clone(), key: config.certificate.clone() };
    let error = swapped.load(dir.path(), "x").unwrap_err();
    assert!(error.field == "tls.certificate" && error.reason.contains(KEY_FILE), "{error}");
    let missing = TlsConfig { key: Some("/nowhere/key.pem".into()), ..config.clone() };
    assert_eq!(missing.load(dir.path(), "x").unwrap_err().field, "tls.key");
    assert!(TlsConfig { key: None, ..config }.check().is_err());
    assert!(TlsConfig::default().check().is_ok());
}

#[test]
fn hosts_of_urls() {
    for (url, expected) in [
        ("https://a.example:443", "a.example"),
        ("https://[::1]:80", "::1"),
        ("http://127.0.0.1:1", "127.0.0.1"),
    ] {
        assert_eq!(host(url), expected);
    }
}
