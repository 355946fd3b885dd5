//! The calls, one function each. A rejected call may leave writes behind in its overlay: the caller drops them.

pub(crate) mod evidence;
mod governance;
mod hotkey;
mod register;
mod stake;
mod weights;

use acumen_protocol::call::MAX_BATCH_CALLS;
use acumen_protocol::{AccountId, Call, Nacu, TrackId, Transaction};

use self::evidence::Verdict;
use crate::mint::{credit, debit};
use crate::state::{Overlay, StateError};
use crate::{BlockContext, Event, Hotkey, LedgerError, Neuron, Params, Rejection, Track, View};

/// Why a call has no effect.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The sender's fault or bad luck.
    Rejected(Rejection),
    /// The state is damaged.
    Fatal(LedgerError),
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        Self::Fatal(error)
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        Self::Fatal(error.into())
    }
}

/// What a call did.
type Done = Result<Vec<Event>, Failure>;

/// What a call is applied in.
#[derive(Clone, Copy)]
struct Scene<'a> {
    params: &'a Params,
    context: &'a BlockContext,
    sender: AccountId,
    /// On the report that is the whole transaction.
    verdict: Option<&'a Verdict>,
}

/// Applies `transaction`'s call; its fee is paid already.
pub(crate) fn apply(
    state: &mut Overlay<'_>,
    params: &Params,
    context: &BlockContext,
    transaction: &Transaction,
    verdict: Option<&Verdict>,
) -> Done {
    let scene = Scene { params, context, sender: transaction.sender, verdict };
    match &transaction.call {
        Call::Batch { calls } => batch(state, scene, calls),
        call => single(state, scene, call),
    }
}

/// All calls or none: the first that fails fails the batch, and the caller drops what the others have written.
fn batch(state: &mut Overlay<'_>, scene: Scene<'_>, calls: &[Call]) -> Done {
    if calls.is_empty() || calls.len() > MAX_BATCH_CALLS || !calls.iter().all(Call::is_single) {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        return Err(Rejection::Batch { calls: number(calls.len()), max: number(MAX_BATCH_CALLS) }.into());
    }
    let mut events = Vec::new();
    for (index, call) in (0_u32..).zip(calls) {
        events.extend(single(state, scene, call).map_err(|failure| match failure {
            Failure::Rejected(reason) => {
                Failure::Rejected(Rejection::InBatch { index, reason: Box::new(reason) })
            }
            fatal @ Failure::Fatal(_) => fatal,
        })?);
    }
    Ok(events)
}

fn single(state: &mut Overlay<'_>, scene: Scene<'_>, call: &Call) -> Done {
    let Scene { params, context, sender, verdict } = scene;
    match call {
        Call::Transfer { to, amount } => transfer(state, sender, *to, *amount),
        Call::Stake { hotkey, amount } => stake::stake(state, sender, *hotkey, *amount),
        Call::Unstake { hotkey, amount } => stake::unstake(state, params, context, sender, *hotkey, *amount),
        Call::Register { track, hotkey, max_price } => register::register(
            state,
            params,
            context,
            register::Request { sender, track: *track, hotkey: *hotkey, max_price: *max_price },
        ),
        Call::Serve { track, endpoint } => hotkey::serve(state, sender, *track, endpoint),
        Call::CommitWeights { track, commitment } => {
            weights::commit(state, params, context, sender, *track, *commitment)
        }
        Call::RevealWeights { track, weights, salt } => {
            weights::reveal(state, params, context, sender, weights::Reveal { track: *track, weights, salt })
        }
        Call::SetWeights { track, weights } => weights::set(state, params, context, sender, *track, weights),
        Call::SetTake { hotkey, take } => hotkey::set_take(state, params, context, sender, *hotkey, *take),
        Call::RegisterConsensusKey { key, proof } => {
            hotkey::register_consensus_key(state, context, sender, *key, proof)
        }
        Call::ReportEquivocation { evidence } => {
            evidence::report(state, params, context, sender, evidence, verdict)
        }
        Call::Propose { hotkey, action } => {
            governance::propose(state, params, context, sender, *hotkey, action)
        }
        Call::Vote { hotkey, proposal, approve } => {
            governance::vote(state, params, sender, *hotkey, *proposal, *approve)
        }
        _ => Err(Rejection::UnknownCall.into()),
    }
}

fn transfer(state: &mut Overlay<'_>, from: AccountId, to: AccountId, amount: Nacu) -> Done {
    above_zero(amount)?;
    spend(state, from, amount)?;
    credit(state, to, amount)?;
    Ok(vec![Event::Transferred { from, to, amount }])
}

fn above_zero(amount: Nacu) -> Result<(), Failure> {
    if amount == Nacu::ZERO { Err(Rejection::ZeroAmount.into()) } else { Ok(()) }
}

fn spend(state: &mut Overlay<'_>, account: AccountId, amount: Nacu) -> Result<(), Failure> {
    match debit(state, account, amount)? {
        None => Ok(()),
        Some(has) => Err(Rejection::Balance { account, has, needs: amount }.into()),
    }
}

fn registered(view: View<'_>, hotkey: AccountId) -> Result<Hotkey, Failure> {
    Ok(view.hotkey(hotkey)?.ok_or(Rejection::NotRegistered { hotkey })?)
}

fn known_track(view: View<'_>, track: TrackId) -> Result<Track, Failure> {
    Ok(view.track(track)?.ok_or(Rejection::UnknownTrack { track })?)
}

fn slot_of(view: View<'_>, track: TrackId, hotkey: AccountId) -> Result<Neuron, Failure> {
    known_track(view, track)?;
    let uid = view.uid_of(track, hotkey)?.ok_or(Rejection::NotInTrack { hotkey, track })?;
    Ok(view.neuron(track, uid)?)
}
