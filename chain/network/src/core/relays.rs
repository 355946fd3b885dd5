//! At which relays a node listens while others cannot reach it: a few of those that it dialled itself, which shows that
//! they can be reached. One that refuses or hangs up is asked again after a pause. Time is in milliseconds since the start.

use std::collections::BTreeMap;

use libp2p::{Multiaddr, PeerId};

/// Relays listened at: one may go away.
pub const MAX_RELAYS: usize = 2;

/// Pause after a relay has refused or a reservation has ended, in milliseconds; it doubles with each further refusal. A
/// relay that has just started does not know its own addresses for some seconds, and cannot hand out any.
pub const FIRST_PAUSE_MS: u64 = 4_000;

/// Longest pause: within that, a relay that was full may have room.
pub const LONGEST_PAUSE_MS: u64 = 300_000;

/// What a relay has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Asked,
    Held,
}

#[derive(Clone, Debug)]
struct Relay {
    /// Where this node reached it.
    address: Multiaddr,
    state: State,
    refusals: u32,
    ask_after: u64,
}

/// The relays among the connected peers, which bound their number.
#[derive(Clone, Debug, Default)]
pub struct Relays {
    known: BTreeMap<PeerId, Relay>,
}

impl Relays {
    /// A connected peer that relays, and the address at which this node dialled it.
    pub fn offer(&mut self, relay: PeerId, address: Multiaddr) {
        let new = Relay { address, state: State::Idle, refusals: 0, ask_after: 0 };
        self.known.entry(relay).or_insert(new);
    }

    /// The last connection to `relay` has ended, and whatever it promised with it.
    pub fn gone(&mut self, relay: &PeerId) {
        self.known.remove(relay);
    }

    /// Whom to ask for a reservation now, and where: it counts as asked.
    pub fn to_ask(&mut self, now: u64) -> Vec<(PeerId, Multiaddr)> {
        let busy = self.known.values().filter(|relay| relay.state != State::Idle).count();
        let mut due: Vec<_> = self
            .known
            .iter_mut()
            .filter(|(_, relay)| relay.state == State::Idle && relay.ask_after <= now)
            .collect();
        due.sort_by_key(|(_, relay)| relay.refusals);
        due.into_iter()
            .take(MAX_RELAYS.saturating_sub(busy))
            .map(|(peer, relay)| {
                relay.state = State::Asked;
                (*peer, relay.address.clone())
            })
            .collect()
    }

    /// `relay` has reserved a place for this node.
    pub fn accepted(&mut self, relay: &PeerId) {
        if let Some(relay) = self.known.get_mut(relay) {
            (relay.state, relay.refusals) = (State::Held, 0);
        }
    }

    /// `relay` refused, or what it had reserved has ended.
    pub fn ended(&mut self, relay: &PeerId, now: u64) {
        let Some(relay) = self.known.get_mut(relay) else { return };
        let pause = FIRST_PAUSE_MS.saturating_mul(1 << u64::from(relay.refusals.min(16)));
        relay.refusals = relay.refusals.saturating_add(1);
        (relay.state, relay.ask_after) = (State::Idle, now.saturating_add(pause.min(LONGEST_PAUSE_MS)));
    }

    /// Relays that this node listens at.
    #[must_use]
    pub fn held(&self) -> Vec<PeerId> {
        let held = self.known.iter().filter(|(_, relay)| relay.state == State::Held);
        held.map(|(peer, _)| *peer).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(count: usize) -> (Relays, Vec<PeerId>) {
        let mut relays = Relays::default();
        let peers: Vec<PeerId> = (0..count).map(|_| PeerId::random()).collect();
        for peer in &peers {
            relays.offer(*peer, "/ip4/9.9.9.9/tcp/1".parse().unwrap());
        }
        (relays, peers)
    }

    fn asked(relays: &mut Relays, now: u64) -> Vec<PeerId> {
        relays.to_ask(now).into_iter().map(|(peer, _)| peer).collect()
    }

    #[test]
    fn a_few_are_asked_and_no_more() {
        let (mut relays, _) = offered(5);
        let first = asked(&mut relays, 0);
        assert_eq!(first.len(), MAX_RELAYS);
        assert!(asked(&mut relays, 0).is_empty(), "those asked may still answer");
        relays.accepted(&first[0]);
        assert_eq!(relays.held(), [first[0]]);
        relays.ended(&first[1], 0);
        let next = asked(&mut relays, 0);
        assert!(next.len() == 1 && !first.contains(&next[0]), "another one comes before who refused");
    }

    #[test]
    fn who_refuses_is_asked_again_after_longer_and_longer_pauses() {
        let (mut relays, peers) = offered(1);
        let mut now = 0;
        for pause in [4_000, 8_000, 16_000] {
            assert_eq!(asked(&mut relays, now), peers);
            relays.ended(&peers[0], now);
            assert!(asked(&mut relays, now + pause - 1).is_empty());
            now += pause;
        }
        assert_eq!(asked(&mut relays, now), peers);
        relays.accepted(&peers[0]);
        // What was held and is lost is asked for soon, for as long as the relay is there.
        relays.ended(&peers[0], now);
        assert_eq!((relays.held(), asked(&mut relays, now + FIRST_PAUSE_MS)), (Vec::new(), peers.clone()));
        for _ in 0..100 {
            relays.ended(&peers[0], 0);
        }
        assert_eq!(asked(&mut relays, LONGEST_PAUSE_MS), peers);
        relays.gone(&peers[0]);
        assert!(asked(&mut relays, u64::MAX).is_empty());
    }
}
