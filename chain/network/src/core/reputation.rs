//! What we think of a peer. Offences cost points, good messages earn a few, time heals; who falls to [`BAN_AT`] is banned
//! for [`BAN_SECONDS`]. Honest nodes check a transaction before they pass it on, so an invalid one says something about
//! whoever sent it, and not about its author.

/// What a peer did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Sent a transaction that we had not seen and that is valid.
    Useful,
    /// Sent something that cannot be a valid transaction on this chain.
    Invalid,
    /// Sent a miner's record that is outdated, or of nobody who is registered here: this node may be the one behind.
    BadRecord,
    /// Sent more than it may.
    TooMuch,
}

impl Deed {
    /// Points for it.
    const fn points(self) -> i64 {
        match self {
            Self::Useful => 1,
            Self::Invalid => -40,
            Self::TooMuch | Self::BadRecord => -5,
        }
    }
}

/// Points at which a peer is banned: three invalid transactions, or twenty messages above the rate, in a few minutes.
pub const BAN_AT: i64 = -100;

/// Most points that a peer can earn, so that a long good life does not buy much mischief.
pub const MAX_POINTS: i64 = 20;

/// Time in which one point of guilt is forgotten, in milliseconds.
pub const HEAL_MS: u64 = 6_000;

/// How long a ban lasts: longer than an attacker likes to wait, short enough for a mistake that was mended.
pub const BAN_SECONDS: u64 = 3_600;

/// One peer's points.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reputation {
    points: i64,
    at_ms: u64,
}

impl Reputation {
    /// Notes a deed at `now_ms`. True if the peer is to be banned now.
    pub fn note(&mut self, deed: Deed, now_ms: u64) -> bool {
        self.heal(now_ms);
        self.points = self.points.saturating_add(deed.points()).min(MAX_POINTS);
        self.points <= BAN_AT
    }

    /// Points at the last deed, healed up to `now_ms`.
    #[must_use]
    pub fn points(mut self, now_ms: u64) -> i64 {
        self.heal(now_ms);
        self.points
    }

    fn heal(&mut self, now_ms: u64) {
        let steps = now_ms.saturating_sub(self.at_ms) / HEAL_MS;
        self.at_ms = self.at_ms.saturating_add(steps.saturating_mul(HEAL_MS));
        if self.points < 0 {
            self.points = self.points.saturating_add_unsigned(steps).min(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_invalid_messages_in_a_row_are_a_ban_and_spread_over_time_are_not() {
        let mut quick = Reputation::default();
        assert_eq!([1, 2, 3].map(|now| quick.note(Deed::Invalid, now)), [false, false, true]);
        let mut slow = Reputation::default();
        let day = 24 * 3_600 * 1_000;
        assert!((0..100).all(|n| !slow.note(Deed::Invalid, n * day)));
    }

    #[test]
    fn good_deeds_buy_at_most_one_more_mistake() {
        let mut peer = Reputation::default();
        (0..10_000).for_each(|_| assert!(!peer.note(Deed::Useful, 0)));
        assert_eq!(peer.points(0), MAX_POINTS);
        let mistakes = (0..10).take_while(|_| !peer.note(Deed::Invalid, 0)).count();
        assert_eq!(mistakes, 2, "the third one is too many");
    }

    #[test]
    fn guilt_heals_and_merit_does_not_fade() {
        let mut peer = Reputation::default();
        peer.note(Deed::Invalid, 0);
        assert_eq!(peer.points(10 * HEAL_MS), -30);
        assert_eq!(peer.points(1_000 * HEAL_MS), 0);
        let mut good = Reputation::default();
        good.note(Deed::Useful, 0);
        assert_eq!(good.points(u64::MAX), 1);
    }
}
