//! A file as an operator writes it, and the mistakes that are made in one.

use super::*;

const FILE: &str = r#"
listen = "127.0.0.1:8091"
public_url = "http://miner.example:8091"
data_dir = "data"
nodes = ["http://127.0.0.1:9944"]
[model]
path = "gpt.safetensors"
[access]
min_stake = "1000"
allow = ["5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"]
[limits]
drain_timeout_ms = 1000
"#;

fn parse(text: &str) -> Result<Config, toml::de::Error> {
    toml::from_str(text)
}

#[test]
fn a_short_file_is_enough() {
    let mut config = parse(FILE).unwrap();
    config.resolve_paths(Path::new("/etc/acumen"));
    assert_eq!(config.check(), Ok(()));
    assert_eq!(config.data_dir, Path::new("/etc/acumen/data"));
    assert_eq!(config.model.path, Path::new("/etc/acumen/gpt.safetensors"));
    assert_eq!(config.min_stake().unwrap(), Nacu::from_acu(1_000).unwrap());
    assert_eq!(config.limits, Limits { drain_timeout_ms: 1_000, ..Limits::default() });
    let written = toml::to_string(&config).unwrap();
    assert_eq!(parse(&written).unwrap(), config, "what is written reads back");
}

#[test]
fn unknown_keys_are_refused() {
    for (known, unknown) in [("listen", "listn"), ("path", "pth"), ("allow", "allowed"), ("drain_", "dran_")]
    {
        let error = parse(&FILE.replacen(known, unknown, 1)).unwrap_err().to_string();
        assert!(error.contains("unknown field"), "{error}");
    }
}

#[test]
fn a_field_that_cannot_work_is_named() {
    for (field, from, to) in [
        ("public_url", "http://miner.example:8091", "miner.example"),
        ("public_url", "http://miner.example:8091", "https://miner.example:8091"),
        ("public_url", "[model]", "[tls]\n[model]"),
        ("kserve.listen", "[model]", "[kserve]\nlisten = \"0.0.0.0:8001\"\n[model]"),
        ("kserve.model", "[model]", "[kserve]\nlisten = \"127.0.0.1:8001\"\n[model]"),
        ("nodes", "[\"http://127.0.0.1:9944\"]", "[]"),
        ("access.min_stake", "\"1000\"", "\"lots\""),
        ("genesis", "nodes =", "genesis = \"0x12\"\nnodes ="),
        ("limits.max_streams", "drain_timeout_ms = 1000", "max_streams = 0"),
        ("limits.max_documents", "drain_timeout_ms = 1000", "max_documents = 257"),
        ("limits.burst_seconds", "drain_timeout_ms = 1000", "burst_seconds = -1.0"),
        ("limits.opens_per_second", "drain_timeout_ms = 1000", "opens_per_second = nan"),
    ] {
        let config = parse(&FILE.replacen(from, to, 1)).unwrap();
        assert_eq!(config.check().unwrap_err().field, field, "{to}");
    }
}
