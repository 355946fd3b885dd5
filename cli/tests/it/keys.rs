//! `acumen keys`.

use crate::{acumen, run, stderr, stdout};

#[test]
fn a_wallet_is_made_shown_and_signs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let made = run(&["keys", "new", "--no-password", "--json", "--wallet.path", path]);
    assert!(made.status.success(), "{}", stderr(&made));
    let shown = run(&["keys", "show", "--json", "--wallet.path", path]);
    assert_eq!(stdout(&made), stdout(&shown));
    let addresses: serde_json::Value = serde_json::from_str(&stdout(&shown)).unwrap();
    let hotkey = addresses["hotkey"].as_str().unwrap().to_owned();

    let signed = run(&["keys", "sign", "--message", "hello", "--json", "--wallet.path", path]);
    let signed: serde_json::Value = serde_json::from_str(&stdout(&signed)).unwrap();
    let signature = signed["signature"].as_str().unwrap();
    let verify = |message: &str| {
        run(&["keys", "verify", "--address", &hotkey, "--message", message, "--signature", signature])
    };
    assert_eq!(verify("hello").status.code(), Some(0));
    assert_eq!(verify("hullo").status.code(), Some(1));
}

/// Addresses of subkey for the development phrase, hard, soft and with a password; `//Alice` is everybody's.
#[test]
fn a_derived_key_is_imported_as_subkey_derives_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let words = "bottom drive obey lake curtain smoke basket hold race lonely fit walk";
    let imported = |option: &str, secret: &str| {
        let import = ["keys", "import", "--as", "hotkey", "--overwrite", "--json", "--wallet.path", path];
        let output = run(&[import.as_slice(), &[option, secret]].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        let json: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
        // The keyfile alone has to restore the key.
        let signed = run(&["keys", "sign", "--message", "m", "--wallet.path", path]);
        let address = json["address"].as_str().unwrap().to_owned();
        let signature = stdout(&signed).trim().to_owned();
        let verify =
            run(&["keys", "verify", "--address", &address, "--message", "m", "--signature", &signature]);
        assert!(verify.status.success(), "{}", stdout(&verify));
        address
    };
    let alice = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
    assert_eq!(imported("--phrase", "//Alice"), alice);
    assert_eq!(imported("--phrase", &format!("{words}//Alice")), alice);
    let seed = "0xfac7959dbfe72f052e5a0c3c8d6530f202b02fd8f9f5ca3580ec8deb7797479e";
    assert_eq!(imported("--seed", &format!("{seed}//Alice")), alice);
    assert_eq!(imported("--seed", seed), imported("--phrase", words));
    assert_ne!(imported("--phrase", &format!("{words}///secret")), imported("--phrase", words));
    assert_ne!(imported("--phrase", &format!("{words}/soft")), imported("--phrase", words));
}

#[test]
fn an_existing_key_is_never_overwritten_by_accident() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let make = || run(&["keys", "new", "--no-password", "--json", "--wallet.path", path]);
    let first = stdout(&make());
    let second = make();
    assert_eq!(second.status.code(), Some(1));
    assert!(stderr(&second).contains("nothing was written"), "{}", stderr(&second));
    assert_eq!(stdout(&run(&["keys", "show", "--json", "--wallet.path", path])), first);
}

#[test]
fn a_bittensor_coldkey_opens_with_its_password_only() {
    let folder = tempfile::tempdir().unwrap();
    let wallet = folder.path().join("bt");
    std::fs::create_dir(&wallet).unwrap();
    let vector = crate::repository("protocol/vectors/keyfile/coldkey.nacl");
    std::fs::copy(vector, wallet.join("coldkey")).unwrap();
    let sign = |password: &str| {
        acumen()
            .args([
                "keys",
                "sign",
                "--message",
                "m",
                "--key",
                "coldkey",
                "--wallet.name",
                "bt",
                "--wallet.path",
            ])
            .arg(folder.path())
            .env("ACUMEN_WALLET_PASSWORD", password)
            .output()
            .unwrap()
    };
    assert!(sign("correct horse").status.success());
    let wrong = sign("wrong");
    assert_eq!(wrong.status.code(), Some(1));
    assert!(stderr(&wrong).contains("wrong password"), "{}", stderr(&wrong));
}

#[test]
fn a_transaction_in_disguise_is_not_signed_as_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    run(&["keys", "new", "--no-password", "--json", "--wallet.path", path]);
    let refused = run(&["keys", "sign", "--message", "acumen-auth/1\nsr25519", "--wallet.path", path]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("in disguise"), "{}", stderr(&refused));
}
