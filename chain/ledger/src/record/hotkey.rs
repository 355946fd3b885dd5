//! A hotkey with the stake behind it, and stake on its way back to its owner.

use acumen_protocol::{AccountId, ConsensusPublic, Epoch, Height, Nacu};
use parity_scale_codec::{Decode, Encode};

use crate::pool::Pool;

/// A hotkey that has been registered at least once, and the pools of stake behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Hotkey {
    /// The coldkey that registered it, pays its fees and receives what it earns.
    pub owner: AccountId,
    /// Share of its delegators' dividends that it keeps, of 65,535; see [`Hotkey::take_in`].
    pub take: u16,
    /// A higher take that was announced.
    pub pending_take: Option<PendingTake>,
    /// Base units staked on it, by anybody.
    pub total_stake: Nacu,
    /// Shares in `total_stake`, all together.
    pub total_shares: u128,
    /// Base units that were taken off it and wait for the end of their unbonding time. They can still be slashed.
    pub unbonding_stake: Nacu,
    /// Shares in `unbonding_stake`, all together.
    pub unbonding_shares: u128,
    /// The key with which its node votes on blocks.
    pub consensus_key: Option<ConsensusPublic>,
    /// Before this height it may not bind a consensus key, because it has equivocated.
    pub jailed_until: Height,
}

/// An announced take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PendingTake {
    /// Of 65,535.
    pub take: u16,
    /// First epoch in whose payout it counts.
    pub from: Epoch,
}

/// A coldkey's part of a hotkey's stake, in shares: worth `floor(shares × total_stake / total_shares)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Stake {
    /// Number of shares, above zero.
    pub shares: u128,
}

/// What a coldkey has taken off a hotkey and not received yet, in order of `due`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Unbonding {
    /// One part for each epoch in which something was taken off; at most one more than the unbonding time has epochs.
    pub parts: Vec<UnbondingPart>,
}

/// Stake that was taken off in one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct UnbondingPart {
    /// The block with which it is paid out.
    pub due: Height,
    /// Shares in the hotkey's `unbonding_stake`.
    pub shares: u128,
}

/// Payouts that wait, first in, first out: entries `head..tail` are in the state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct UnbondingQueue {
    /// The next entry to be paid.
    pub head: u64,
    /// The number that the next entry gets.
    pub tail: u64,
}

impl Hotkey {
    /// A hotkey without stake.
    #[must_use]
    pub const fn new(owner: AccountId, take: u16) -> Self {
        Self {
            owner,
            take,
            pending_take: None,
            total_stake: Nacu::ZERO,
            total_shares: 0,
            unbonding_stake: Nacu::ZERO,
            unbonding_shares: 0,
            consensus_key: None,
            jailed_until: Height::ZERO,
        }
    }

    /// Worth of `shares` of the stake, rounded down; the dust stays with the pool.
    #[must_use]
    pub fn value_of(&self, shares: u128) -> Nacu {
        self.staked().worth(shares)
    }

    /// Worth of `shares` of what is unbonding, rounded down.
    #[must_use]
    pub fn unbonding_value_of(&self, shares: u128) -> Nacu {
        self.unbonding().worth(shares)
    }

    /// The take that counts in the payout of `epoch`.
    #[must_use]
    pub fn take_in(&self, epoch: Epoch) -> u16 {
        self.pending_take.filter(|pending| pending.from <= epoch).map_or(self.take, |pending| pending.take)
    }

    pub(crate) const fn staked(&self) -> Pool {
        Pool { stake: self.total_stake, shares: self.total_shares }
    }

    pub(crate) const fn set_staked(&mut self, pool: Pool) {
        self.total_stake = pool.stake;
        self.total_shares = pool.shares;
    }

    pub(crate) const fn unbonding(&self) -> Pool {
        Pool { stake: self.unbonding_stake, shares: self.unbonding_shares }
    }

    pub(crate) const fn set_unbonding(&mut self, pool: Pool) {
        self.unbonding_stake = pool.stake;
        self.unbonding_shares = pool.shares;
    }
}
