//! The architecture in tables: which crates there are, at which level, and which of them are pure.
//!
//! A crate may use every crate of a lower level. What a crate may use of its own level is listed with it. A crate that
//! is not here fails the check, so a new one begins with a line in this file.

/// A level of the workspace; arrows point to a smaller number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Domain types, codec, keys.
    Protocol,
    /// What a response is worth, and what the validators agree on.
    Scoring,
    /// The pure state machine.
    Ledger,
    /// Wire, disk, models: what the shells reach the world with.
    Adapter,
    /// Servers. They talk to each other over the wire, never by import.
    Shell,
    /// What a person starts.
    Top,
    /// Development only: uses none of the others, and none uses it.
    Tool,
}

/// One crate of the workspace.
#[derive(Debug)]
pub(super) struct Crate {
    /// `acumen-` and its folder.
    pub(super) name: &'static str,
    pub(super) level: Level,
    /// Crates of the same level that it may use, too.
    pub(super) beside: &'static [&'static str],
    /// Set if two machines must agree on what it computes: the external crates it may use, each with the reason why
    /// that does not bring in a clock, input or output, floats or randomness.
    pub(super) pure: Option<&'static [(&'static str, &'static str)]>,
}

const fn shell(name: &'static str) -> Crate {
    Crate { name, level: Level::Shell, beside: &[], pure: None }
}

const fn scoring(name: &'static str) -> Crate {
    Crate { name, level: Level::Scoring, beside: &[], pure: None }
}

const fn adapter(name: &'static str, beside: &'static [&'static str]) -> Crate {
    Crate { name, level: Level::Adapter, beside, pure: None }
}

/// Every crate.
pub(super) const CRATES: &[Crate] = &[
    Crate { name: "acumen-protocol", level: Level::Protocol, beside: &[], pure: Some(PROTOCOL_MAY_USE) },
    Crate {
        name: "acumen-scoring-consensus",
        level: Level::Scoring,
        beside: &[],
        pure: Some(CONSENSUS_MAY_USE),
    },
    scoring("acumen-scoring-value"),
    scoring("acumen-scoring-tasks"),
    Crate { name: "acumen-chain-ledger", level: Level::Ledger, beside: &[], pure: Some(LEDGER_MAY_USE) },
    adapter("acumen-proto", &[]),
    adapter("acumen-models-kernels", &[]),
    adapter("acumen-models", &["acumen-models-kernels"]),
    adapter("acumen-chain-store", &[]),
    adapter("acumen-chain-client", &["acumen-proto"]),
    adapter("acumen-chain-bft", &[]),
    adapter("acumen-chain-network", &[]),
    adapter("acumen-miner-client", &["acumen-proto"]),
    adapter("acumen-miner-testing", &["acumen-proto"]),
    adapter("acumen-serving", &["acumen-proto"]),
    shell("acumen-chain-node"),
    shell("acumen-miner"),
    shell("acumen-validator"),
    shell("acumen-gateway"),
    Crate { name: "acumen-simulations", level: Level::Top, beside: &[], pure: None },
    Crate { name: "acumen-cli", level: Level::Top, beside: &["acumen-simulations"], pure: None },
    Crate { name: "xtask", level: Level::Tool, beside: &[], pure: None },
];

const PROTOCOL_MAY_USE: &[(&str, &str)] = &[
    ("sp-core", "sr25519 and SS58; signing draws a nonce, on which nothing that is agreed on depends"),
    ("parity-scale-codec", "the canonical encoding"),
    ("parity-bip39", "mnemonics; their entropy is an argument"),
    ("ed25519-dalek", "consensus and session keys; verification is deterministic"),
    ("blake2", "hashing"),
    ("argon2", "the key derivation of encrypted keyfiles"),
    ("crypto_secretbox", "encrypted keyfiles; nonces are arguments"),
    ("zeroize", "wipes secrets"),
    ("hex", "text form of bytes"),
    ("serde", "derives; never signed or hashed"),
    ("serde_json", "the keyfile format; never signed or hashed"),
    ("thiserror", "derives"),
];

const CONSENSUS_MAY_USE: &[(&str, &str)] = &[
    ("substrate-fixed", "fixed-point arithmetic, exact on every machine"),
    (
        "rayon",
        "independent columns in parallel, collected in order: the thread count does not show in the result",
    ),
    ("serde", "derives for test vectors and parameters; never hashed"),
    ("serde_json", "reads cases of `eval yuma`; never hashed"),
    ("thiserror", "derives"),
];

const LEDGER_MAY_USE: &[(&str, &str)] = &[
    ("parity-scale-codec", "the canonical encoding"),
    ("blake2", "hashing"),
    ("jmt", "the authenticated tree; where its nodes lie is an argument"),
    ("borsh", "the byte form of the tree's nodes and proofs"),
    ("anyhow", "the error type of jmt's reader trait; never crosses our interface"),
    ("serde", "derives of genesis and parameters; never hashed"),
    ("serde_json", "reads the genesis file's text; never hashed"),
    ("thiserror", "derives"),
];

/// The line of a crate, if it has one.
pub(super) fn find(name: &str) -> Option<&'static Crate> {
    CRATES.iter().find(|entry| entry.name == name)
}

/// The crates on whose results machines must agree.
pub(super) fn pure_crates() -> impl Iterator<Item = &'static Crate> {
    CRATES.iter().filter(|entry| entry.pure.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_crate_is_listed_twice() {
        let mut names: Vec<_> = CRATES.iter().map(|entry| entry.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CRATES.len());
    }

    #[test]
    fn what_a_crate_may_use_beside_it_is_of_its_level_and_uses_nothing_beside_itself() {
        for entry in CRATES {
            for name in entry.beside {
                let other = find(name).unwrap_or_else(|| panic!("{name} is not listed"));
                assert_eq!(other.level, entry.level, "{} -> {name}", entry.name);
                assert!(other.beside.is_empty(), "{} -> {name} -> … may become a circle", entry.name);
            }
        }
    }

    #[test]
    fn shells_use_no_shell() {
        for entry in CRATES.iter().filter(|entry| entry.level == Level::Shell) {
            assert!(entry.beside.is_empty(), "{}", entry.name);
        }
    }

    #[test]
    fn everything_allowed_in_a_pure_crate_has_a_reason() {
        for (name, reason) in pure_crates().filter_map(|entry| entry.pure).flatten() {
            assert!(!reason.trim().is_empty(), "{name}");
        }
    }
}
