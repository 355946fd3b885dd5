//! Who is paid in place of whom, and what for: the rule of validators, which the simulations use as it is.
//!
//! Copies by distance ([`super::clusters`]) act as their senior member; a senior that adds nothing to one before it counts
//! as its copy ([`Window::encompasses`]). What a miner adds is judged on earlier epochs, so that nothing it says in this
//! one can change whether it is paid for it. The reasons are in docs/adr/0012-copies.md.

use acumen_protocol::{Height, Uid};
use acumen_scoring_value::encompass::{EncompassRule, settle};
use acumen_scoring_value::reward::combine;

use super::clusters::components;
use super::history::Value;
use super::hotkey::Hotkey;
use super::positions::Window;

/// A registered miner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Its slot.
    pub uid: Uid,
    /// Its hotkey.
    pub hotkey: Hotkey,
    /// Block of its registration.
    pub registered_at: Height,
    /// It gives no answers now: its copies are not held back by it.
    pub silent: bool,
}

impl Member {
    /// Lowest is senior: silent after all others, then by height, then by uid. Heights are far below 2^46.
    fn rank(&self) -> u64 {
        let height = self.registered_at.get().min(1 << 46) << 16;
        u64::from(self.silent) << 63 | height | u64::from(self.uid.get())
    }
}

/// Index of the miner that is paid in place of each: of those `links` tie together, and of those that `window` shows to
/// add nothing, the senior one.
#[must_use]
pub fn seniors(
    members: &[Member],
    links: &[(Hotkey, Hotkey)],
    window: &Window,
    rule: &EncompassRule,
) -> Vec<usize> {
    let keys: Vec<Hotkey> = members.iter().map(|member| member.hotkey).collect();
    let rank: Vec<u64> = members.iter().map(Member::rank).collect();
    settle(&components(&keys, &rank, links), &rank, |senior, junior| {
        window.encompasses(&keys[senior], &keys[junior], rule)
    })
}

/// α · share of own gain + (1 − α) · share of marginal value, over the seniors that answer.
#[must_use]
pub fn rewards(members: &[Member], senior: &[usize], values: &[Option<Value>], alpha: f64) -> Vec<f64> {
    let paid = |at: usize, part: fn(&Value) -> f64| match &values[at] {
        Some(value) if senior[at] == at && !members[at].silent => part(value),
        _ => 0.0,
    };
    let all = 0..members.len();
    let gains: Vec<f64> = all.clone().map(|at| paid(at, |value| value.gain)).collect();
    let marginals: Vec<f64> = all.map(|at| paid(at, |value| value.marginal)).collect();
    combine(&gains, &marginals, alpha)
}
