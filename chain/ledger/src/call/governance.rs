//! Proposing and voting, by the coldkey in the name of its hotkey.

use acumen_protocol::call::Action;
use acumen_protocol::{AccountId, Nacu};

use super::{Done, Failure, registered, spend};
use crate::governance::{KEPT, MAX_LIVE, displace, live, possible, weaker};
use crate::mint::burn;
use crate::state::Overlay;
use crate::{
    BlockContext, Event, Hotkey, LedgerError, Params, Proposal, ProposalStatus, Rejection, StateKey, View,
};

pub(super) fn propose(
    state: &mut Overlay<'_>,
    params: &Params,
    context: &BlockContext,
    sender: AccountId,
    hotkey: AccountId,
    action: &Action,
) -> Done {
    let view = View::new(state);
    let stake = with_a_say(view, params, sender, hotkey)?.total_stake;
    let mut governance = live(view)?;
    for proposal in &governance.live {
        let found: Proposal = view.need(&StateKey::Proposal(*proposal))?;
        if found.proposer == hotkey {
            return Err(Rejection::ProposalPending { hotkey, proposal: *proposal }.into());
        }
    }
    possible(view, action)?.map_err(|reason| Rejection::Proposal { reason })?;
    let mut events = Vec::new();
    if governance.live.len() >= MAX_LIVE {
        let Some(weakest) = weaker(view, &governance, stake)? else {
            let live = u32::try_from(governance.live.len()).unwrap_or(u32::MAX);
            return Err(Rejection::TooManyProposals { live }.into());
        };
        displace(state, &mut governance, weakest)?;
        events.push(Event::ProposalVoid { proposal: weakest });
    }
    spend(state, sender, params.proposal_price)?;
    burn(state, params.proposal_price)?;
    let id = governance.last.checked_add(1).ok_or(LedgerError::Overflow { what: "proposals" })?;
    let closes = params.epochs_after(context.height, params.voting_epochs);
    let (status, action) = (ProposalStatus::Open, action.clone());
    let proposal = Proposal { id, proposer: hotkey, action, closes, enacts: closes, status, tally: None };
    governance.last = id;
    governance.live.push(id);
    state.put(&StateKey::Proposal(id), &proposal);
    state.put(&StateKey::Governance, &governance);
    if let Some(old) = id.checked_sub(KEPT).filter(|old| !governance.live.contains(old)) {
        state.delete(&StateKey::Proposal(old));
    }
    events.push(Event::Proposed { proposal: id, hotkey, closes });
    Ok(events)
}

/// Votes with all that is staked on a hotkey, if its owner signs, or with the signer's own part of it.
pub(super) fn vote(
    state: &mut Overlay<'_>,
    params: &Params,
    sender: AccountId,
    hotkey: AccountId,
    proposal: u64,
    approve: bool,
) -> Done {
    let view = View::new(state);
    let owner = registered(view, hotkey)?.owner;
    if owner == sender {
        with_a_say(view, params, sender, hotkey)?;
    } else {
        delegator(view, params, sender, hotkey)?;
    }
    let found: Option<Proposal> = view.get(&StateKey::Proposal(proposal))?;
    if found.is_none_or(|found| found.status != ProposalStatus::Open) {
        return Err(Rejection::ProposalClosed { proposal }.into());
    }
    if owner == sender {
        state.put(&StateKey::Ballot { proposal, hotkey }, &approve);
        return Ok(vec![Event::Voted { proposal, hotkey, approve }]);
    }
    let coldkey = sender;
    state.put(&StateKey::DelegatorBallot { proposal, hotkey, coldkey }, &approve);
    Ok(vec![Event::DelegatorVoted { proposal, hotkey, coldkey, approve }])
}

/// Somebody with enough stake of their own on the hotkey: the supply bounds the number of these as well.
fn delegator(view: View<'_>, params: &Params, coldkey: AccountId, hotkey: AccountId) -> Result<(), Failure> {
    let info = registered(view, hotkey)?;
    let shares = view.stake(hotkey, coldkey)?.shares;
    if shares == 0 {
        return Err(Rejection::NotOwner { hotkey, owner: info.owner }.into());
    }
    let (has, needs) = (info.value_of(shares), params.stake_threshold.max(Nacu::new(1)));
    if has < needs {
        return Err(Rejection::TooLittleStake { hotkey, has, needs }.into());
    }
    Ok(())
}

/// The owner of a hotkey with enough stake behind it: what bounds the number of voters is the supply.
fn with_a_say(
    view: View<'_>,
    params: &Params,
    sender: AccountId,
    hotkey: AccountId,
) -> Result<Hotkey, Failure> {
    let info = registered(view, hotkey)?;
    if info.owner != sender {
        return Err(Rejection::NotOwner { hotkey, owner: info.owner }.into());
    }
    let (has, needs) = (info.total_stake, params.stake_threshold.max(Nacu::new(1)));
    if has < needs {
        return Err(Rejection::TooLittleStake { hotkey, has, needs }.into());
    }
    Ok(info)
}
