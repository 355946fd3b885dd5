//! Values of the state, one type for each kind of [`crate::StateKey`].

mod consensus;
mod epoch;
mod governance;
mod hotkey;
mod neuron;

use acumen_protocol::{AccountId, Height, Nacu, Nonce, TimestampMs};
use parity_scale_codec::{Decode, Encode};

pub use consensus::{KeyRecord, Offence, Term, Terms};
pub use epoch::EpochRecord;
pub use governance::{Governance, Proposal, ProposalStatus, Tally};
pub use hotkey::{Hotkey, PendingTake, Stake, Unbonding, UnbondingPart, UnbondingQueue};
pub use neuron::{Commit, Commits, Neuron, WeightsRow};

/// Version of the state's layout: of keys and records. A program of another version refuses the state.
pub const STATE_LAYOUT: u16 = 3;

/// What the chain is called and when it began.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ChainInfo {
    /// [`STATE_LAYOUT`] of the program that made genesis.
    pub layout: u16,
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
    /// A track without neurons, opened with the block at `height`.
    #[must_use]
    pub const fn new(
        name: String,
        owner: AccountId,
        emission_share: u16,
        price: Nacu,
        height: Height,
    ) -> Self {
        Self { name, owner, emission_share, neurons: 0, price, price_height: height, last_epoch: None }
    }

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
