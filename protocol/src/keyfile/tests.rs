//! Files made by PyPI's `bittensor-wallet` open here and ours have its fields.

use super::*;

const PLAIN: &[u8] = include_bytes!("../../vectors/keyfile/coldkey.json");
const PUBLIC: &[u8] = include_bytes!("../../vectors/keyfile/coldkeypub.txt");
const ENCRYPTED: &[u8] = include_bytes!("../../vectors/keyfile/coldkey.nacl");
const PASSWORD: &str = "correct horse";
const ADDRESS: &str = "5CJDYfn4jeAd5KAF3bAojB1CVxpas4UvhjkSYqmmWiuP3RTY";

#[test]
fn bittensor_files_open() {
    let key = StoredKey::open(PLAIN, None).unwrap();
    assert_eq!(key.keypair().account().to_string(), ADDRESS);
    assert_eq!(read_address(PUBLIC).unwrap().to_string(), ADDRESS);
    assert!(matches!(StoredKey::open(PUBLIC, None), Err(KeyfileError::PublicOnly { .. })));
}

#[test]
fn an_encrypted_bittensor_file_opens_with_its_password_only() {
    let key = StoredKey::open(ENCRYPTED, Some(PASSWORD)).unwrap();
    assert_eq!(key.keypair().account().to_string(), "5Ckqv2qfmYEXKBrXq4FnqvddEogJG4D7VmgUPZajq93XjW2W");
    assert_eq!(StoredKey::open(ENCRYPTED, None).unwrap_err(), KeyfileError::NeedsPassword);
    assert_eq!(StoredKey::open(ENCRYPTED, Some("wrong")).unwrap_err(), KeyfileError::WrongPassword);
    assert_eq!(StoredKey::open(&ENCRYPTED[..20], Some(PASSWORD)).unwrap_err(), KeyfileError::WrongPassword);
}

#[test]
fn the_written_json_has_the_same_fields_as_bittensors() {
    let key = StoredKey::open(PLAIN, None).unwrap();
    let read = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
    assert_eq!(read(&key.to_json()), read(PLAIN));
}

#[test]
fn phrase_seed_and_private_key_lead_to_one_key() {
    let full: serde_json::Value = serde_json::from_slice(PLAIN).unwrap();
    for kept in ["secretPhrase", "secretSeed", "privateKey"] {
        let only = serde_json::json!({ kept: full[kept], "ss58Address": ADDRESS }).to_string();
        assert_eq!(
            StoredKey::open(only.as_bytes(), None).unwrap().keypair().account().to_string(),
            ADDRESS,
            "{kept}"
        );
    }
}

#[test]
fn encryption_round_trips() {
    let key = StoredKey::from_seed([7; 32]);
    let sealed = key.to_encrypted("päss", [9; NONCE_BYTES]).unwrap();
    assert!(is_encrypted(&sealed));
    let opened = StoredKey::open(&sealed, Some("päss")).unwrap();
    assert_eq!(opened.keypair().account(), key.keypair().account());
}

#[test]
fn damaged_files_are_refused_without_repeating_a_secret() {
    let swapped =
        String::from_utf8(PLAIN.to_vec()).unwrap().replace(ADDRESS, &AccountId([1; 32]).to_string());
    assert!(matches!(StoredKey::open(swapped.as_bytes(), None), Err(KeyfileError::AddressMismatch { .. })));
    for bytes in
        [&b""[..], b"{", b"{}", b"\"secretPhrase\"", b"$ANSIBLE_VAULT;1.1", b"gAAAAABk", &[0; 20_000]]
    {
        let message = StoredKey::open(bytes, None).unwrap_err().to_string();
        assert!(!message.contains("secretPhrase"), "{message}");
    }
}
