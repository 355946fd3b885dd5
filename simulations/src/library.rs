//! The scenarios that are built in. The first line of each file is its description.

use crate::{Scenario, ScenarioError};

/// A built-in scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// What to call it by.
    pub name: &'static str,
    /// What it shows, in a line.
    pub about: &'static str,
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
pub fn list() -> impl Iterator<Item = Listed> {
    SHIPPED.into_iter().map(|(name, toml)| {
        let about = toml.lines().next().unwrap_or_default().trim_start_matches('#').trim();
        Listed { name, about, toml }
    })
}

/// The built-in scenario called `name`, with or without `.toml`; `None` if there is none.
#[must_use]
pub fn shipped(name: &str) -> Option<Result<Scenario, ScenarioError>> {
    let name = name.strip_suffix(".toml").unwrap_or(name);
    list().find(|listed| listed.name == name).map(|listed| Scenario::from_toml(listed.toml))
}
