//! Proposals: the vote closes, the time lock runs, the change is made; always with the last block of an epoch.
//!
//! Votes weigh what is staked when the vote closes, so that no stake is counted twice by moving it.

mod action;

use std::collections::BTreeMap;

use acumen_protocol::{AccountId, Epoch, Nacu};

use crate::mint::{minus, plus};
use crate::state::Overlay;
use crate::{
    BlockContext, Event, Governance, Hotkey, LedgerError, Params, Proposal, ProposalStatus, StateKey, Tally,
    View,
};

pub(crate) use action::possible;

/// Most proposals under way: bounds what an epoch's last block has to count.
pub(crate) const MAX_LIVE: usize = 16;

/// Proposals kept for reading after newer ones were made.
pub(crate) const KEPT: u64 = 64;

const MILLION: u128 = 1_000_000;

/// Which proposals there are.
pub(crate) fn live(view: View<'_>) -> Result<Governance, LedgerError> {
    Ok(view.get(&StateKey::Governance)?.unwrap_or_default())
}

/// The open proposal with the least stake behind its hotkey now, the oldest among equals, if that is less than `stake`.
/// Whoever fills all places must have more behind each of them than anybody else has behind one.
pub(crate) fn weaker(
    view: View<'_>,
    governance: &Governance,
    stake: Nacu,
) -> Result<Option<u64>, LedgerError> {
    let mut least: Option<(Nacu, u64)> = None;
    for id in &governance.live {
        let proposal: Proposal = view.need(&StateKey::Proposal(*id))?;
        if proposal.status != ProposalStatus::Open {
            continue;
        }
        let behind = view.hotkey(proposal.proposer)?.map_or(Nacu::ZERO, |hotkey| hotkey.total_stake);
        if behind < stake && least.is_none_or(|least| (behind, *id) < least) {
            least = Some((behind, *id));
        }
    }
    Ok(least.map(|(_, id)| id))
}

/// Ends an open proposal without a decision, to make room. Its ballots, each of which was paid for, are forgotten.
pub(crate) fn displace(
    state: &mut Overlay<'_>,
    governance: &mut Governance,
    id: u64,
) -> Result<(), LedgerError> {
    let mut proposal: Proposal = View::new(state).need(&StateKey::Proposal(id))?;
    proposal.status = ProposalStatus::Void;
    state.put(&StateKey::Proposal(id), &proposal);
    governance.live.retain(|live| *live != id);
    for prefix in [StateKey::delegator_ballots_of(id), StateKey::ballots_of(id)] {
        for (key, _) in ballots(View::new(state), &prefix)? {
            state.delete(&key);
        }
    }
    Ok(())
}

/// Does what is due with the last block of an epoch.
pub(crate) fn end_epoch(
    state: &mut Overlay<'_>,
    params: &Params,
    context: &BlockContext,
) -> Result<Vec<Event>, LedgerError> {
    let mut governance = live(View::new(state))?;
    if governance.live.is_empty() {
        return Ok(Vec::new());
    }
    let epoch = params.epoch_of(context.height);
    let mut events = Vec::new();
    let mut still = Vec::new();
    for id in std::mem::take(&mut governance.live) {
        let key = StateKey::Proposal(id);
        let mut proposal: Proposal = View::new(state).need(&key)?;
        step(state, params, context, epoch, &mut proposal, &mut events)?;
        if matches!(proposal.status, ProposalStatus::Open | ProposalStatus::Adopted) {
            still.push(id);
        }
        state.put(&key, &proposal);
    }
    governance.live = still;
    state.put(&StateKey::Governance, &governance);
    Ok(events)
}

fn step(
    state: &mut Overlay<'_>,
    params: &Params,
    context: &BlockContext,
    epoch: Epoch,
    proposal: &mut Proposal,
    events: &mut Vec<Event>,
) -> Result<(), LedgerError> {
    let id = proposal.id;
    if proposal.status == ProposalStatus::Open && proposal.closes <= epoch {
        let tally = count(state, id)?;
        let adopted = is_adopted(params, &tally);
        proposal.status = if adopted { ProposalStatus::Adopted } else { ProposalStatus::Refused };
        proposal.tally = Some(tally);
        proposal.enacts = params.epochs_after(context.height, params.timelock_epochs);
        let Tally { approve, refuse, total } = tally;
        events.push(Event::ProposalDecided { proposal: id, adopted, approve, refuse, total });
    }
    if proposal.status == ProposalStatus::Adopted && proposal.enacts <= epoch {
        match action::enact(state, context, &proposal.action)? {
            Some(more) => {
                proposal.status = ProposalStatus::Enacted;
                events.push(Event::ProposalEnacted { proposal: id });
                events.extend(more);
            }
            None => {
                proposal.status = ProposalStatus::Void;
                events.push(Event::ProposalVoid { proposal: id });
            }
        }
    }
    Ok(())
}

/// Counts the ballots and forgets them. A delegator's own vote counts with its stake, and what is left on the hotkey with
/// the owner's vote.
fn count(state: &mut Overlay<'_>, proposal: u64) -> Result<Tally, LedgerError> {
    let view = View::new(state);
    let mut total = Some(Nacu::ZERO);
    view.each::<Hotkey>(&StateKey::hotkeys(), |_, hotkey| {
        total = total.and_then(|sum| sum.checked_add(hotkey.total_stake));
    })?;
    let mut tally = Tally {
        total: total.ok_or(LedgerError::Overflow { what: "the sum of stakes" })?,
        ..Tally::default()
    };
    let mut spoken: BTreeMap<AccountId, Nacu> = BTreeMap::new();
    for (key, approve) in ballots(view, &StateKey::delegator_ballots_of(proposal))? {
        let StateKey::DelegatorBallot { hotkey, coldkey, .. } = key else { continue };
        let (view, info) = (View::new(state), View::new(state).hotkey(hotkey)?);
        let shares = view.stake(hotkey, coldkey)?.shares;
        let stake = info.map_or(Nacu::ZERO, |info| info.value_of(shares));
        let sum = spoken.entry(hotkey).or_default();
        *sum = plus(*sum, stake, "votes")?;
        tally.add(approve, stake)?;
        state.delete(&key);
    }
    for (key, approve) in ballots(View::new(state), &StateKey::ballots_of(proposal))? {
        let StateKey::Ballot { hotkey, .. } = key else { continue };
        let stake = View::new(state).hotkey(hotkey)?.map_or(Nacu::ZERO, |info| info.total_stake);
        let spoken = spoken.get(&hotkey).copied().unwrap_or_default();
        tally.add(approve, minus(stake, spoken, "votes")?)?;
        state.delete(&key);
    }
    Ok(tally)
}

fn ballots(view: View<'_>, prefix: &[u8]) -> Result<Vec<(StateKey, bool)>, LedgerError> {
    let mut found = Vec::new();
    view.each::<bool>(prefix, |key, approve| found.push((key, approve)))?;
    Ok(found)
}

impl Tally {
    fn add(&mut self, approve: bool, stake: Nacu) -> Result<(), LedgerError> {
        let side = if approve { &mut self.approve } else { &mut self.refuse };
        *side = plus(*side, stake, "votes")?;
        Ok(())
    }
}

/// Enough of all stake has voted, and enough of that in favour.
fn is_adopted(params: &Params, tally: &Tally) -> bool {
    let [approve, refuse, total] = [tally.approve, tally.refuse, tally.total].map(|n| u128::from(n.get()));
    let voted = approve.saturating_add(refuse);
    let quorum = total.saturating_mul(u128::from(params.quorum_ppm));
    let bar = voted.saturating_mul(u128::from(params.approval_ppm));
    voted > 0 && voted.saturating_mul(MILLION) >= quorum && approve.saturating_mul(MILLION) > bar
}
