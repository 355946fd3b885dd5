//! Who gives way to whom.
//!
//! A sender's use is the larger of its shares of the streams and of the positions (dominant resource fairness, Ghodsi et al.,
//! NSDI 2011), divided by the weight that its stake gives it in the waiting queue. A sender that asks has more right to a place
//! than one whose use is above its own with what it asks for. Hence giving way ends: each time the larger of two uses falls.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use acumen_protocol::AccountId;
use tokio_util::sync::CancellationToken;

/// Units of a share.
const SCALE: u128 = 1_000_000_000_000;

/// An amount of both things that there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) streams: usize,
    pub(super) positions: usize,
}

/// What one stream holds.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) sender: AccountId,
    pub(super) weight: u128,
    pub(super) size: Size,
    /// It waits for its client; no step is under way.
    pub(super) idle: bool,
    /// When it last began or ended a step.
    pub(super) touched: u64,
    /// Cancelled when it has to leave.
    pub(super) leave: CancellationToken,
}

/// What somebody asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asks {
    pub(super) sender: AccountId,
    pub(super) weight: u128,
    pub(super) size: Size,
}

impl Size {
    pub(super) const fn plus(self, other: Self) -> Self {
        Self {
            streams: self.streams.saturating_add(other.streams),
            positions: self.positions.saturating_add(other.positions),
        }
    }

    const fn minus(self, other: Self) -> Self {
        Self {
            streams: self.streams.saturating_sub(other.streams),
            positions: self.positions.saturating_sub(other.positions),
        }
    }

    pub(super) const fn fits(self, all: Self) -> bool {
        self.streams <= all.streams && self.positions <= all.positions
    }

    /// The larger share, by weight.
    fn used(self, all: Self, weight: u128) -> u128 {
        let share = |part: usize, whole: usize| part as u128 * SCALE / (whole as u128).max(1);
        share(self.streams, all.streams).max(share(self.positions, all.positions)) / weight.max(1)
    }
}

pub(super) fn sum<'a>(held: impl Iterator<Item = &'a Held>) -> Size {
    held.fold(Size::default(), |sum, held| sum.plus(held.size))
}

fn stays(held: &Held) -> bool {
    !held.leave.is_cancelled()
}

/// What a sender, or all together, hold that need not leave.
pub(super) fn booked(held: &BTreeMap<u64, Held>, sender: Option<AccountId>) -> Size {
    let counts = |held: &&Held| stays(held) && sender.is_none_or(|sender| held.sender == sender);
    sum(held.values().filter(counts))
}

/// Who has to leave so that there is room for what is asked for: nobody where there is. None if those with less right to
/// their places do not hold enough.
pub(super) fn victims(held: &BTreeMap<u64, Held>, asks: &Asks, all: Size) -> Option<Vec<u64>> {
    let mut left = booked(held, None).plus(asks.size);
    let mut uses: HashMap<AccountId, Size> = HashMap::new();
    for held in held.values().filter(|held| stays(held)) {
        let mine = uses.entry(held.sender).or_default();
        *mine = mine.plus(held.size);
    }
    let own = uses.get(&asks.sender).copied().unwrap_or_default().plus(asks.size).used(all, asks.weight);
    let mut leaving = Vec::new();
    while !left.fits(all) {
        let helps = |held: &Held| left.streams > all.streams || held.size.positions > 0;
        let candidates = held.iter().filter(|(id, held)| {
            stays(held) && held.sender != asks.sender && helps(held) && !leaving.contains(*id)
        });
        let used = |held: &Held| uses.get(&held.sender).copied().unwrap_or_default().used(all, held.weight);
        let less_right = candidates.filter(|(_, held)| used(held) > own);
        let (id, victim) =
            less_right.max_by_key(|(_, held)| (held.idle, used(held), Reverse(held.touched)))?;
        let (sender, size) = (victim.sender, victim.size);
        leaving.push(*id);
        left = left.minus(size);
        uses.entry(sender).and_modify(|used| *used = used.minus(size));
    }
    Some(leaving)
}
