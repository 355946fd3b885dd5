//! Values of the state, one type for each kind of [`crate::StateKey`].

mod epoch;
mod neuron;

use acumen_protocol::{AccountId, ConsensusPublic, Height, Nacu, Nonce, TimestampMs};
use parity_scale_codec::{Decode, Encode};

pub use epoch::EpochRecord;
pub use neuron::{Commit, Commits, Neuron, WeightsRow};

/// What the chain is called and when it began.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ChainInfo {
    /// Its name.
    pub name: String,
    /// Time of genesis.
    pub time: TimestampMs,
}

/// An account. Absent from the state means [`Account::default`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Account {
    /// What the account can spend.
    pub free: Nacu,
    /// Transactions sent: the next one must carry this number.
    pub nonce: Nonce,
}

/// A hotkey that has been registered at least once, and the pool of stake behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Hotkey {
    /// The coldkey that registered it, pays its fees and receives what it earns.
    pub owner: AccountId,
    /// Share of its delegators' dividends that it keeps, of 65,535.
    pub take: u16,
    /// Base units staked on it, by anybody.
    pub total_stake: Nacu,
    /// Shares in `total_stake`, all together.
    pub total_shares: u128,
    /// The key with which its node votes on blocks.
    pub consensus_key: Option<ConsensusPublic>,
}

/// A coldkey's part of a hotkey's stake, in shares: worth `floor(shares × total_stake / total_shares)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Stake {
    /// Number of shares, above zero.
    pub shares: u128,
}

impl Hotkey {
    /// A hotkey without stake.
    #[must_use]
    pub const fn new(owner: AccountId, take: u16) -> Self {
        Self { owner, take, total_stake: Nacu::ZERO, total_shares: 0, consensus_key: None }
    }

    /// Worth of `shares`, rounded down; the dust stays with the pool.
    #[must_use]
    pub fn value_of(&self, shares: u128) -> Nacu {
        let product = shares.checked_mul(u128::from(self.total_stake.get()));
        let value = product.and_then(|product| product.checked_div(self.total_shares));
        Nacu::new(value.and_then(|value| u64::try_from(value).ok()).unwrap_or(0))
    }
}

/// One task with its own weight matrix.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Track {
    /// Its name.
    pub name: String,
    /// Coldkey that receives the owner's cut.
    pub owner: AccountId,
    /// Part of each epoch's emission, relative to the other tracks'.
    pub emission_share: u16,
    /// Slots in use: uids are `0..neurons`.
    pub neurons: u16,
    /// Price of a registration at `price_height`; it decays from there, see [`Track::price_at`].
    pub price: Nacu,
    /// Height to which `price` belongs.
    pub price_height: Height,
    /// Height of the last epoch; `None` before the first.
    pub last_epoch: Option<Height>,
}

/// How many tokens there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Supply {
    /// Base units in existence: genesis + minted - burned.
    pub issuance: Nacu,
    /// Minted since genesis.
    pub minted: Nacu,
    /// Burned since genesis.
    pub burned: Nacu,
    /// The part of `burned` since the last epoch.
    pub burned_in_epoch: Nacu,
}

impl Track {
    /// The price of a registration at `height`, which must not lie before `price_height`.
    #[must_use]
    pub fn price_at(&self, params: &crate::Params, height: Height) -> Nacu {
        let rule = params.price_rule();
        let (mut price, mut left) = (self.price.get(), height.get().saturating_sub(self.price_height.get()));
        while left > 0 {
            let next = rule.next_block(price);
            if next == price {
                break;
            }
            (price, left) = (next, left.saturating_sub(1));
        }
        Nacu::new(price)
    }
}
