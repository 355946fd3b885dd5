//! Events as people read them: one line each, amounts in ACU.

use core::fmt;

use acumen_protocol::{AccountId, Nacu};

use super::Event;

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Applied { id, fee } => write!(f, "transaction {id} applied, fee {}", acu(fee)),
            Self::Failed { id, fee, reason } => {
                write!(f, "transaction {id} failed, fee {}: {reason}", acu(fee))
            }
            Self::EpochEnded { track, epoch, paid } => {
                write!(f, "epoch {epoch} of track {track} ended and paid {}", acu(paid))
            }
            Self::Transferred { .. }
            | Self::Staked { .. }
            | Self::Unstaked { .. }
            | Self::UnbondingStarted { .. }
            | Self::Unbonded { .. } => self.money(f),
            Self::HandedOver { .. } | Self::ValidatorsChanged { .. } | Self::Equivocated { .. } => {
                self.validators(f)
            }
            Self::Proposed { .. }
            | Self::Voted { .. }
            | Self::DelegatorVoted { .. }
            | Self::ProposalDecided { .. }
            | Self::ProposalEnacted { .. }
            | Self::ProposalVoid { .. }
            | Self::TrackCreated { .. } => self.governance(f),
            _ => self.neurons(f),
        }
    }
}

fn acu(amount: &Nacu) -> String {
    amount.to_acu_string()
}

fn percent(take: u16) -> String {
    let thousandths = u32::from(take).saturating_mul(100_000).checked_div(65_535).unwrap_or(0);
    let (whole, rest) = (thousandths.checked_div(1_000), thousandths.checked_rem(1_000));
    format!("{}.{:03} %", whole.unwrap_or(0), rest.unwrap_or(0))
}

fn on(f: &mut fmt::Formatter<'_>, coldkey: &AccountId, what: &str, hotkey: &AccountId) -> fmt::Result {
    write!(f, "{coldkey} {what} {hotkey}")
}

impl Event {
    fn money(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transferred { from, to, amount } => write!(f, "{} from {from} to {to}", acu(amount)),
            Self::Staked { coldkey, hotkey, amount } => {
                on(f, coldkey, &format!("staked {} on", acu(amount)), hotkey)
            }
            Self::Unstaked { coldkey, hotkey, amount } => {
                on(f, coldkey, &format!("took {} off", acu(amount)), hotkey)
            }
            Self::UnbondingStarted { coldkey, hotkey, amount, due } => {
                on(f, coldkey, &format!("takes {} off", acu(amount)), hotkey)?;
                write!(f, ", free with block {due}")
            }
            Self::Unbonded { coldkey, hotkey, amount } => {
                on(f, coldkey, &format!("got {} back from", acu(amount)), hotkey)
            }
            _ => Ok(()),
        }
    }

    fn validators(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HandedOver { validators, stake } => {
                write!(f, "stake decides from now on: {validators} validators with {}", acu(stake))
            }
            Self::ValidatorsChanged { joined, left, validators, power, .. } => {
                let (joined, left) = (joined.len(), left.len());
                write!(f, "{validators} validators with power {power}: {joined} joined, {left} left")
            }
            Self::Equivocated { key, height, round, staked, unbonding, reward, .. } => {
                let (staked, unbonding, reward) = (acu(staked), acu(unbonding), acu(reward));
                write!(f, "consensus key {key} signed two things at height {height}, round {round}: ")?;
                write!(
                    f,
                    "{staked} of stake and {unbonding} of unbonding stake slashed, {reward} to the reporter"
                )
            }
            _ => Ok(()),
        }
    }

    fn governance(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proposed { proposal, hotkey, closes } => {
                write!(f, "proposal {proposal} of {hotkey}, votes count up to epoch {closes}")
            }
            Self::Voted { proposal, hotkey, approve } => {
                let side = if *approve { "for" } else { "against" };
                write!(f, "{hotkey} votes {side} proposal {proposal}")
            }
            Self::DelegatorVoted { proposal, hotkey, coldkey, approve } => {
                let side = if *approve { "for" } else { "against" };
                write!(f, "{coldkey} votes {side} proposal {proposal} with its stake on {hotkey}")
            }
            Self::ProposalDecided { proposal, adopted, approve, refuse, total } => {
                let result = if *adopted { "adopted" } else { "refused" };
                let (approve, refuse, total) = (acu(approve), acu(refuse), acu(total));
                write!(f, "proposal {proposal} {result}: {approve} for, {refuse} against, of {total}")
            }
            Self::ProposalEnacted { proposal } => write!(f, "proposal {proposal} is in force"),
            Self::ProposalVoid { proposal } => write!(f, "proposal {proposal} is void"),
            Self::TrackCreated { track } => write!(f, "track {track} opened"),
            _ => Ok(()),
        }
    }

    fn neurons(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registered { track, uid, hotkey, price } => {
                write!(f, "{hotkey} took slot {uid} of track {track} for {}", acu(price))
            }
            Self::Pruned { track, uid, hotkey } => write!(f, "{hotkey} lost slot {uid} of track {track}"),
            Self::Served { track, uid } => write!(f, "slot {uid} of track {track} published its endpoint"),
            Self::WeightsCommitted { track, uid, epoch } => {
                write!(f, "slot {uid} of track {track} committed weights in epoch {epoch}")
            }
            Self::WeightsRevealed { track, uid } => write!(f, "slot {uid} of track {track} revealed weights"),
            Self::WeightsSet { track, uid } => write!(f, "slot {uid} of track {track} set weights"),
            Self::TakeSet { hotkey, take } => write!(f, "the take of {hotkey} is {}", percent(*take)),
            Self::TakeAnnounced { hotkey, take, from } => {
                write!(f, "the take of {hotkey} will be {} from epoch {from} on", percent(*take))
            }
            Self::ConsensusKeySet { hotkey, key } => write!(f, "{hotkey} bound consensus key {key}"),
            other => write!(f, "{other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_line_that_a_person_can_read() {
        let (a, b) = (AccountId([1; 32]), AccountId([2; 32]));
        let event = Event::Transferred { from: a, to: b, amount: Nacu::new(1_500_000_000) };
        assert_eq!(event.to_string(), format!("1.5 ACU from {a} to {b}"));
        let event = Event::TakeSet { hotkey: a, take: 11_796 };
        assert_eq!(event.to_string(), format!("the take of {a} is 17.999 %"));
    }
}
