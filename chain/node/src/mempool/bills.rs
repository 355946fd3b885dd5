//! Who is to pay for what waits: for each payer the sum, and where the transactions are.

use std::collections::{BTreeMap, BTreeSet};

use acumen_protocol::AccountId;

use super::Place;
use super::queue::Entry;

/// One payer's part.
#[derive(Debug, Default, PartialEq, Eq)]
struct Bill {
    owed: u128,
    places: BTreeSet<Place>,
}

/// All payers' parts. A payer with nothing waiting has none.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Bills(BTreeMap<AccountId, Bill>);

impl Bills {
    pub(super) const fn new() -> Self {
        Self(BTreeMap::new())
    }

    pub(super) fn add(&mut self, entry: &Entry) {
        let bill = self.0.entry(entry.payer).or_default();
        bill.owed = bill.owed.saturating_add(u128::from(entry.fee.get()));
        bill.places.insert(entry.place());
    }

    pub(super) fn remove(&mut self, entry: &Entry) {
        let Some(bill) = self.0.get_mut(&entry.payer) else { return };
        bill.owed = bill.owed.saturating_sub(u128::from(entry.fee.get()));
        bill.places.remove(&entry.place());
        if bill.places.is_empty() {
            self.0.remove(&entry.payer);
        }
    }

    /// True if something waits that `payer` is to pay.
    pub(super) fn has(&self, payer: &AccountId) -> bool {
        self.0.contains_key(payer)
    }

    /// What `payer` is to pay in all.
    pub(super) fn owed(&self, payer: &AccountId) -> u128 {
        self.0.get(payer).map_or(0, |bill| bill.owed)
    }

    /// Where that which `payer` is to pay waits.
    pub(super) fn places(&self, payer: &AccountId) -> impl Iterator<Item = &Place> {
        self.0.get(payer).into_iter().flat_map(|bill| &bill.places)
    }
}
