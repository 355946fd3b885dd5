//! What a proposal can do, and whether it could be done now.

use acumen_protocol::call::Action;
use acumen_protocol::{Height, TrackId};

use crate::genesis::{MAX_TRACKS, is_name};
use crate::params::ChangeError;
use crate::rejection::ProposalFault;
use crate::state::Overlay;
use crate::{BlockContext, Event, LedgerError, Params, StateKey, Track, View};

/// Longest parameter name that is repeated in a refusal.
const MAX_NAME: usize = 64;

/// Could `action` be done in the present state?
pub(crate) fn possible(view: View<'_>, action: &Action) -> Result<Result<(), ProposalFault>, LedgerError> {
    Ok(match action {
        Action::SetParameter { name, value } => {
            view.params()?.with(name, value).map(|_| ()).map_err(|error| {
                let name = name.chars().take(MAX_NAME).collect();
                match error {
                    ChangeError::Unknown => ProposalFault::Unknown { name },
                    ChangeError::Fixed => ProposalFault::Fixed { name },
                    ChangeError::Value { .. } => ProposalFault::Value { name },
                    ChangeError::Bounds(_) => ProposalFault::Bounds { name },
                }
            })
        }
        Action::CreateTrack { name, .. } => {
            let tracks: u16 = view.need(&StateKey::Tracks)?;
            if !is_name(name) {
                Err(ProposalFault::TrackName)
            } else if usize::from(tracks) >= MAX_TRACKS {
                Err(ProposalFault::TooManyTracks { tracks })
            } else {
                Ok(())
            }
        }
        Action::SetTrackShare { track, .. } => match view.track(*track)? {
            Some(_) => Ok(()),
            None => Err(ProposalFault::UnknownTrack { track: *track }),
        },
        // A later version's action: nobody can propose what this one does not know.
        _ => Err(ProposalFault::Unknown { name: String::new() }),
    })
}

/// Does it; `None` if it is no longer possible.
pub(super) fn enact(
    state: &mut Overlay<'_>,
    context: &BlockContext,
    action: &Action,
) -> Result<Option<Vec<Event>>, LedgerError> {
    if possible(View::new(state), action)?.is_err() {
        return Ok(None);
    }
    let view = View::new(state);
    match action {
        Action::SetParameter { name, value } => {
            let Ok(params) = view.params()?.with(name, value) else { return Ok(None) };
            state.put(&StateKey::Params, &params);
        }
        Action::CreateTrack { name, owner, emission_share } => {
            let params = view.params()?;
            let count: u16 = view.need(&StateKey::Tracks)?;
            let track = open(&params, context.height, name, *owner, *emission_share);
            state.put(&StateKey::Track(TrackId::new(count)), &track);
            state.put(&StateKey::Tracks, &count.saturating_add(1));
            return Ok(Some(vec![Event::TrackCreated { track: TrackId::new(count) }]));
        }
        Action::SetTrackShare { track, emission_share } => {
            let Some(record) = view.track(*track)? else { return Ok(None) };
            state.put(&StateKey::Track(*track), &Track { emission_share: *emission_share, ..record });
        }
        _ => return Ok(None),
    }
    Ok(Some(Vec::new()))
}

fn open(
    params: &Params,
    height: Height,
    name: &str,
    owner: acumen_protocol::AccountId,
    emission_share: u16,
) -> Track {
    Track::new(name.to_owned(), owner, emission_share, params.initial_price, height)
}
