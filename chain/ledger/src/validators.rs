//! Who decides blocks: elected by stake at the end of each epoch.
//!
//! The set that decides block *h + 1* is in the state after block *h*, and its hash in the header of *h*: a change is
//! announced one block ahead, and falls on the block after an epoch's last only. The set is never empty.

use acumen_protocol::{AccountId, ConsensusPublic, ConsensusValidator, Nacu, ValidatorSet};

use crate::record::Terms;
use crate::state::Overlay;
use crate::{BlockContext, Event, Hotkey, KeyRecord, LedgerError, Params, StateKey, View};

/// A hotkey that qualifies.
struct Candidate {
    key: ConsensusPublic,
    stake: Nacu,
}

/// Elects the set that decides from the next block on.
pub(crate) fn elect(
    state: &mut Overlay<'_>,
    params: &Params,
    context: &BlockContext,
) -> Result<Vec<Event>, LedgerError> {
    let present = View::new(state).validators()?;
    let mut events = Vec::new();
    let candidates = candidates(View::new(state), params)?;
    let voters = if by_stake(state, params, context, &candidates, &mut events)? {
        candidates
            .iter()
            .map(|found| ConsensusValidator { key: found.key, power: found.stake.get() })
            .collect()
    } else {
        unpunished(View::new(state), &present)?
    };
    // Nobody qualifies, or everybody was punished: whoever decides now goes on, or the chain would stand still for good.
    let next = if voters.is_empty() { present.clone() } else { ValidatorSet::new(voters)? };
    if next != present {
        state.put(&StateKey::Validators, &next);
        change_terms(state, params, context, &present, &next)?;
        events.push(changed(&present, &next));
    }
    Ok(events)
}

/// Hotkeys with a consensus key and enough stake, most stake first, among equals the smaller key first, no more than
/// there are seats.
fn candidates(view: View<'_>, params: &Params) -> Result<Vec<Candidate>, LedgerError> {
    let mut hotkeys = Vec::new();
    view.each::<bool>(&StateKey::candidates(), |key, _| {
        if let StateKey::Candidate(hotkey) = key {
            hotkeys.push(hotkey);
        }
    })?;
    let mut found = Vec::new();
    for hotkey in hotkeys {
        let info: Hotkey = view.need(&StateKey::Hotkey(hotkey))?;
        let enough = info.total_stake >= params.validator_min_stake && info.total_stake > Nacu::ZERO;
        if let Some(key) = info.consensus_key.filter(|_| enough) {
            found.push(Candidate { key, stake: info.total_stake });
        }
    }
    found.sort_by(|a, b| b.stake.cmp(&a.stake).then(a.key.cmp(&b.key)));
    found.truncate(usize::from(params.consensus_validators));
    Ok(found)
}

/// Has stake the vote? Genesis' validators keep it until enough hotkeys with enough stake qualify; from then on it is
/// never given back.
fn by_stake(
    state: &mut Overlay<'_>,
    params: &Params,
    context: &BlockContext,
    candidates: &[Candidate],
    events: &mut Vec<Event>,
) -> Result<bool, LedgerError> {
    if View::new(state).get::<acumen_protocol::Height>(&StateKey::Handover)?.is_some() {
        return Ok(true);
    }
    let stake = Nacu::checked_sum(candidates.iter().map(|found| found.stake));
    let stake = stake.ok_or(LedgerError::Overflow { what: "the validators' stake" })?;
    let validators = u16::try_from(candidates.len()).unwrap_or(u16::MAX);
    if validators < params.bootstrap_validators.max(1) || stake < params.bootstrap_stake {
        return Ok(false);
    }
    state.put(&StateKey::Handover, &context.height);
    events.push(Event::HandedOver { validators, stake });
    Ok(true)
}

/// The present set without those that were proven to equivocate.
fn unpunished(view: View<'_>, present: &ValidatorSet) -> Result<Vec<ConsensusValidator>, LedgerError> {
    let mut kept = Vec::with_capacity(present.validators().len());
    for voter in present.validators() {
        let record: Option<KeyRecord> = view.get(&StateKey::ConsensusKey(voter.key))?;
        if record.is_none_or(|record| record.offence.is_none()) {
            kept.push(*voter);
        }
    }
    Ok(kept)
}

/// Keys in `of` that are not in `from`.
fn missing(from: &ValidatorSet, of: &ValidatorSet) -> Vec<ConsensusPublic> {
    let keys = of.validators().iter().map(|voter| voter.key);
    keys.filter(|key| from.power(key).is_none()).collect()
}

/// Writes down for whom a term begins with the next block, and for whom it ends with this one.
fn change_terms(
    state: &mut Overlay<'_>,
    params: &Params,
    context: &BlockContext,
    present: &ValidatorSet,
    next: &ValidatorSet,
) -> Result<(), LedgerError> {
    let (height, oldest) = (context.height, params.oldest_evidence(context.height));
    let mut change = |key, change: &dyn Fn(&mut Terms)| {
        let mut terms: Terms = View::new(state).get(&StateKey::Terms(key))?.unwrap_or_default();
        terms.forget(params.first_block_of(oldest));
        change(&mut terms);
        state.put(&StateKey::Terms(key), &terms);
        Ok::<(), LedgerError>(())
    };
    for key in missing(next, present) {
        change(key, &|terms| terms.end(height))?;
    }
    for key in missing(present, next) {
        change(key, &|terms| terms.begin(height.next().unwrap_or(height)))?;
    }
    Ok(())
}

fn changed(present: &ValidatorSet, next: &ValidatorSet) -> Event {
    let power = next.validators().iter().fold(0_u64, |sum, voter| sum.saturating_add(voter.power));
    Event::ValidatorsChanged {
        joined: missing(present, next),
        left: missing(next, present),
        validators: u16::try_from(next.validators().len()).unwrap_or(u16::MAX),
        power,
        hash: next.hash(),
    }
}

/// Ends a hotkey's candidature.
pub(crate) fn withdraw(state: &mut Overlay<'_>, hotkey: AccountId) {
    state.delete(&StateKey::Candidate(hotkey));
}
