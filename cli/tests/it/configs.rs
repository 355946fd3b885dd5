//! `check-config`: what it lets pass starts, what it refuses is named with file, line and key; and the documentation
//! knows every key.

use std::path::Path;

use crate::{repository, run, stderr};

const MINER: &str = "listen = \"127.0.0.1:0\"\npublic_url = \"http://127.0.0.1:1\"\ndata_dir = \"d\"\n\
                     nodes = [\"http://127.0.0.1:1\"]\n";
const VALIDATOR: &str =
    "listen = \"127.0.0.1:0\"\ndata_dir = \"d\"\nnodes = [\"http://127.0.0.1:1\"]\nheld_out = \"texts\"\n";
const GATEWAY: &str = "nodes = [\"http://127.0.0.1:1\"]\n";
const NODE: &str = "listen = \"127.0.0.1:0\"\ndata_dir = \"d\"\ngenesis = \"genesis.json\"\n";

struct Folder(tempfile::TempDir);

impl Folder {
    /// With a wallet, so that nothing but the configuration is at fault.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = run(&["keys", "new", "--only", "hotkey", "--wallet.path", text(folder.path())]);
        assert!(made.status.success(), "{}", stderr(&made));
        Self(folder)
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.0.path().join(name), content).unwrap();
    }

    /// What `check-config` says against this content; empty if nothing.
    fn check(&self, role: &str, content: &str) -> String {
        self.write("c.toml", &format!("{content}\n[wallet]\npath = \".\"\n"));
        let path = self.0.path().join("c.toml");
        let output = run(&[role, "check-config", "--config", text(&path)]);
        let message = stderr(&output);
        assert_eq!(output.status.code(), Some(i32::from(!message.is_empty())), "{message}");
        message
    }

    #[track_caller]
    fn refuses(&self, role: &str, content: &str, words: &[&str]) {
        let message = self.check(role, content);
        for word in words {
            assert!(message.contains(word), "`{word}` is missing in: {message}");
        }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn small() -> String {
    format!("[model]\npath = {:?}\n", repository("models/checkpoints/gpt-small.safetensors"))
}

#[test]
fn every_file_of_a_miner_is_opened() {
    let folder = Folder::new();
    let good = format!("{MINER}{}", small());
    assert_eq!(folder.check("miner", &good), "");
    folder.write("junk.pt", "junk");
    let junk = format!("{MINER}[model]\npath = \"junk.pt\"\n");
    folder.refuses("miner", &junk, &["c.toml", "`model.path`", "junk.pt", "not a TorchScript file"]);
    let trace = folder.check("miner", &junk);
    assert!(
        !trace.contains("frame #") && trace.lines().count() == 1,
        "libtorch's trace is no message: {trace}"
    );
    folder.refuses("miner", &format!("{good}device = \"cuda:0\"\n"), &["`model.device`", "processor only"]);
    folder.refuses("miner", &format!("{good}[encoder]\npath = \"gone\"\n"), &["`encoder.path`", "gone"]);
    let tls = good.replace("http://127.0.0.1:1\"\ndata", "https://127.0.0.1:1\"\ndata");
    let tls = format!("{tls}[tls]\ncertificate = \"gone.pem\"\nkey = \"gone.key\"\n");
    folder.refuses("miner", &tls, &["`tls.certificate`", "gone.pem"]);
    let module = "[kserve]\nlisten = \"127.0.0.1:0\"\n[[kserve.model]]\nname = \"m\"\npath = \"gone.pt\"\n\
                  inputs = [{ name = \"a\", datatype = \"FP32\", shape = [1] }]\n\
                  outputs = [{ name = \"b\", datatype = \"FP32\", shape = [1] }]\n";
    folder.refuses("miner", &format!("{good}{module}"), &["`kserve.model.path`", "gone.pt"]);
}

/// The engine need not run, its key has to be there.
#[test]
fn a_miner_before_another_engine_needs_no_file() {
    let folder = Folder::new();
    let engine = "[model.upstream]\nurl = \"http://127.0.0.1:1/v1\"\nmodel = \"m\"\n";
    assert_eq!(folder.check("miner", &format!("{MINER}{engine}")), "");
    let keyed = format!("{MINER}{engine}api_key_file = \"gone.key\"\n");
    folder.refuses("miner", &keyed, &["`model.upstream.api_key_file`", "gone.key"]);
}

#[test]
fn what_validators_and_gateways_read_is_read() {
    let folder = Folder::new();
    folder.refuses("validator", VALIDATOR, &["texts"]);
    std::fs::create_dir(folder.0.path().join("texts")).unwrap();
    folder.refuses("validator", VALIDATOR, &["texts", "*.txt", "128 bytes"]);
    folder.write("texts/a.txt", &"held out ".repeat(64));
    assert_eq!(folder.check("validator", VALIDATOR), "");
    assert_eq!(folder.check("gateway", GATEWAY), "");
    folder.write("keys.txt", "a key in plain text");
    folder.refuses("gateway", &format!("{GATEWAY}api_keys = \"keys.txt\"\n"), &["`api_keys`", "line 1"]);
}

#[test]
fn addresses_and_values_are_named_with_their_place() {
    let folder = Folder::new();
    let bare = |config: &str| config.replace("[\"http://127.0.0.1:1\"]", "[\"127.0.0.1:1\"]");
    for (role, content) in [("miner", format!("{MINER}{}", small())), ("validator", VALIDATOR.to_owned())] {
        folder.refuses(role, &bare(&content), &["`nodes`", "`127.0.0.1:1`", "http://HOST:PORT"]);
    }
    folder.refuses("gateway", &bare(GATEWAY), &["`nodes`", "http://HOST:PORT"]);
    let validators = format!("{GATEWAY}validators = [\"127.0.0.1:1\"]\n");
    folder.refuses("gateway", &validators, &["`validators`", "http://HOST:PORT"]);
    folder.refuses("gateway", &format!("{GATEWAY}genesis = \"0x12\"\n"), &["`genesis`", "64 hex digits"]);
    folder.refuses("gateway", &format!("{GATEWAY}miners = \"5\"\n"), &["line 2: `miners`", "a whole number"]);
    folder.refuses("gateway", "nodes = \"a\n", &["line 1"]);
}

/// Each table of each role, by an unknown key: the refusal lists the keys that there are.
#[test]
fn every_key_is_documented() {
    let folder = Folder::new();
    let read = |name: &str| std::fs::read_to_string(repository(&format!("docs/{name}.md"))).unwrap();
    let documented = ["configuration", "gateway", "miner"].map(read).concat();
    let upstream = "[model.upstream]\nurl = \"http://a:1\"\nmodel = \"m\"\n";
    let tables = [
        ("miner", format!("zz = 1\n{MINER}")),
        ("miner", format!("{MINER}{}zz = 1\n", small())),
        ("miner", format!("{MINER}{upstream}zz = 1\n")),
        ("miner", format!("{MINER}{}[access]\nzz = 1\n", small())),
        ("miner", format!("{MINER}{}[limits]\nzz = 1\n", small())),
        ("miner", format!("{MINER}{}[tls]\nzz = 1\n", small())),
        ("miner", format!("{MINER}{}[encoder]\nzz = 1\n", small())),
        ("miner", format!("{MINER}{}[kserve]\nzz = 1\n", small())),
        ("validator", format!("zz = 1\n{VALIDATOR}")),
        ("gateway", format!("zz = 1\n{GATEWAY}")),
        ("node", format!("zz = 1\n{NODE}")),
        ("node", format!("{NODE}[consensus]\nzz = 1\n")),
        ("node", format!("{NODE}[network]\nzz = 1\n")),
    ];
    for (role, content) in tables {
        let message = folder.check(role, &content);
        assert!(message.contains("unknown key `zz`"), "{message}");
        let keys: Vec<&str> = message.split('`').skip(3).step_by(2).collect();
        assert!(keys.len() > 1, "{message}");
        for key in keys {
            let told = documented.lines().any(|line| {
                line.trim_start_matches(['#', ' ']).starts_with(&format!("{key} = "))
                    || line.contains(&format!("`{key}`"))
                    || line.contains(&format!(".{key}`"))
                    || line.contains(&format!("[{key}]"))
                    || line.contains(&format!(".{key}]"))
            });
            assert!(told, "docs/configuration.md does not have `{key}` of a {role}");
        }
    }
}
