//! Nodes as processes of their own, over real connections and a real disk, which are killed, frozen, cut off and damaged.
//!
//! The test starts itself as the nodes (by an environment variable). A few faults in the tests; `ACUMEN_FAULTS=50` runs
//! as many of each kind, and the kinds that take minutes: see docs/reliability.md.

mod clocks;
#[path = "../common/mod.rs"]
mod common;
mod disks;
mod frozen;
mod kills;
mod net;
mod partitions;
mod sandbox;
mod shim;
mod switch;
mod weather;

/// How often each fault is tried.
fn faults(few: usize) -> usize {
    wanted().unwrap_or(few)
}

fn wanted() -> Option<usize> {
    std::env::var("ACUMEN_FAULTS").ok().and_then(|text| text.parse().ok())
}
