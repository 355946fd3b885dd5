//! The scenarios that are built in. The first line of each file is its description.

use crate::{Scenario, ScenarioError};

/// A built-in scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// What to call it by.
    pub name: &'static str,
    /// What it shows, in a line.
    pub description: &'static str,
    /// The file.
    pub toml: &'static str,
}

macro_rules! scenarios {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../scenarios/", $name, ".toml")))),*]
    };
}

const SHIPPED: [(&str, &str); 11] = scenarios![
    "thousand-epochs",
    "exact-clone",
    "near-clones",
    "weight-copier",
    "lazy-validator",
    "newcomer",
    "dying-miner",
    "collusion",
    "exaggerator",
    "two-faced",
    "full-track",
];

/// The built-in scenarios.
#[must_use]
pub fn list() -> Vec<Listed> {
    let read = |(name, toml): (&'static str, &'static str)| {
        let description = toml.lines().next().unwrap_or_default().trim_start_matches('#').trim();
        Listed { name, description, toml }
    };
    SHIPPED.into_iter().map(read).collect()
}

/// The built-in scenario called `name`, with or without `.toml`; `None` if there is none.
#[must_use]
pub fn shipped(name: &str) -> Option<Result<Scenario, ScenarioError>> {
    let name = name.strip_suffix(".toml").unwrap_or(name);
    list().into_iter().find(|listed| listed.name == name).map(|listed| Scenario::from_toml(listed.toml))
}
