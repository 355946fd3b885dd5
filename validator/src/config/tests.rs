//! The least configuration works; what cannot work is refused by name.

use super::*;

const LEAST: &str = "
nodes = [\"http://127.0.0.1:9944\"]
held_out = \"held-out\"
data_dir = \"data\"
listen = \"127.0.0.1:8191\"
";

fn parse(extra: &str) -> Result<Config, toml::de::Error> {
    toml::from_str(&format!("{LEAST}{extra}"))
}

#[test]
fn four_fields_are_enough_and_paths_follow_the_file() {
    let mut config = parse("").unwrap();
    assert_eq!(config.check(), Ok(()));
    assert_eq!((config.documents, config.context_bytes, config.scored_bytes), (16, 96, 32));
    config.resolve_paths(Path::new("/etc/acumen"));
    assert_eq!(config.held_out, Path::new("/etc/acumen/held-out"));
    assert_eq!(config.data_dir, Path::new("/etc/acumen/data"));
}

#[test]
fn unknown_keys_are_refused() {
    assert!(parse("answer_timeout = 3").unwrap_err().to_string().contains("answer_timeout_ms"));
}

#[test]
fn impossible_values_are_refused_by_name() {
    let cases = [
        ("documents = 2", "documents"),
        ("documents = 100000", "documents"),
        ("scored_bytes = 0", "scored_bytes"),
        ("context_bytes = 5000", "scored_bytes"),
        ("concurrency = 0", "concurrency"),
        ("alpha = 1.5", "alpha"),
        ("alpha = nan", "alpha"),
        ("cluster_tau = -0.1", "cluster_tau"),
        ("least_added = 2.0", "least_added"),
        ("genesis = \"0x12\"", "genesis"),
        ("track = 1", "track"),
        ("answer_timeout_ms = 0", "answer_timeout_ms, half_life_bytes"),
    ];
    for (line, field) in cases {
        assert_eq!(parse(line).unwrap().check().unwrap_err().field, field, "{line}");
    }
}
