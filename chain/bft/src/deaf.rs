//! Peers that are connected and do not hear this node.
//!
//! In gossipsub a node tells a peer which topics it wants when the first connection to that peer opens. If the peer has given up
//! a connection that the node still holds, and opens another one, it is not told again: it sends the node nothing any more, although
//! both are connected and it hears the node itself. After links were down, or a node was frozen, a chain of four came to stand
//! that way. A peer that wants nothing is never in the mesh; so, as long as the mesh is smaller than gossipsub keeps it, a peer that
//! stays outside of it is connected anew, and tells and is told again (C23, ADR 27).
//!
//! No clock: time passes by looks at the peers, one a second.

use std::collections::{BTreeMap, BTreeSet};

/// While the mesh of a topic has fewer peers than this, gossipsub takes in everybody who wants the topic: the engine is
/// configured so (`mesh_n_low`).
pub(crate) const MESH: usize = 16;

/// Looks that find a peer outside before something is done: one would do, since the engine knows its mesh to the second.
const PATIENCE: u32 = 3;

/// Looks after which a peer that was connected anew may be so again: the other end may hold one more connection that is
/// dead, of which it learns within some seconds. Doubled each time that it did not help, up to five minutes.
const PAUSE: u32 = 10;
const LONGEST_PAUSE: u32 = 300;

/// The peers with the topics for which they are in this node's mesh.
pub(crate) type Meshes<P> = BTreeMap<P, BTreeSet<String>>;

#[derive(Debug, Default)]
struct Suspect {
    /// Looks in a row that found it outside.
    outside: u32,
    /// Looks for which it is left alone.
    pause: u32,
    /// Times that it was connected anew and was not inside after that.
    tries: u32,
}

/// What is remembered of peers: of those outside, and for a while of those that were connected anew.
#[derive(Debug)]
pub(crate) struct Deaf<P> {
    suspects: BTreeMap<P, Suspect>,
}

impl<P: Copy + Ord> Deaf<P> {
    pub(crate) const fn new() -> Self {
        Self { suspects: BTreeMap::new() }
    }

    /// Looks at the peers of a node that wants `topics`; those that should be connected anew.
    pub(crate) fn look<'a>(
        &mut self,
        topics: impl IntoIterator<Item = &'a String>,
        peers: &Meshes<P>,
    ) -> Vec<P> {
        let outside: BTreeSet<P> = topics.into_iter().flat_map(|topic| outsiders(topic, peers)).collect();
        self.suspects.retain(|peer, suspect| {
            suspect.pause = suspect.pause.saturating_sub(1);
            if !outside.contains(peer) {
                suspect.outside = 0;
            }
            outside.contains(peer) || (suspect.pause > 0 && !peers.contains_key(peer))
        });
        outside.into_iter().filter(|peer| self.suspects.entry(*peer).or_default().is_deaf()).collect()
    }
}

impl Suspect {
    /// Counts one more look that found it outside; true if it should be connected anew.
    fn is_deaf(&mut self) -> bool {
        self.outside = self.outside.saturating_add(1);
        if self.outside < PATIENCE || self.pause > 0 {
            return false;
        }
        let pause =
            PAUSE.saturating_mul(1_u32.checked_shl(self.tries).unwrap_or(LONGEST_PAUSE)).min(LONGEST_PAUSE);
        *self = Self { outside: 0, pause, tries: self.tries.saturating_add(1) };
        true
    }
}

/// Who is not in the mesh of a topic that has room.
fn outsiders<P: Copy>(topic: &str, peers: &Meshes<P>) -> Vec<P> {
    let (inside, outside): (Vec<_>, Vec<_>) = peers.iter().partition(|(_, topics)| topics.contains(topic));
    if inside.len() >= MESH {
        return Vec::new();
    }
    outside.into_iter().map(|(peer, _)| *peer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topics(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn wanted() -> BTreeSet<String> {
        topics(&["votes", "parts"])
    }

    /// Peers 1, 2, … with these topics.
    fn peers(all: &[&[&str]]) -> Meshes<u8> {
        (1..).zip(all).map(|(peer, names)| (peer, topics(names))).collect()
    }

    #[test]
    fn a_peer_that_stays_outside_of_a_small_mesh_is_connected_anew_less_and_less_often() {
        let mut deaf = Deaf::new();
        let found = peers(&[&["votes", "parts"], &["votes"], &[]]);
        let looks = (1..=800).map(|look| (look, deaf.look(&wanted(), &found)));
        let cut: Vec<u32> = looks.filter(|(_, cut)| *cut == [2, 3]).map(|(look, _)| look).collect();
        assert_eq!(
            cut,
            [3, 13, 33, 73, 153, 313, 613],
            "ten looks, then twice as many each time, then three hundred"
        );
    }

    #[test]
    fn who_comes_in_time_stays() {
        let mut deaf = Deaf::new();
        let (without, with) = (peers(&[&[]]), peers(&[&["votes", "parts"]]));
        for _ in 0..20 {
            for _ in 1..PATIENCE {
                assert!(deaf.look(&wanted(), &without).is_empty());
            }
            assert!(deaf.look(&wanted(), &with).is_empty());
        }
        assert!(deaf.suspects.is_empty());
    }

    #[test]
    fn looks_count_in_a_row_during_a_pause_too() {
        let mut deaf = Deaf::new();
        let (gone, without) = (Meshes::new(), peers(&[&[]]));
        for _ in 0..PATIENCE {
            deaf.look(&wanted(), &without);
        }
        for _ in 0..2 {
            assert!(deaf.look(&wanted(), &without).is_empty());
        }
        for _ in 0..PAUSE - 4 {
            assert!(deaf.look(&wanted(), &gone).is_empty());
        }
        let cut: Vec<bool> = (0..4).map(|_| !deaf.look(&wanted(), &without).is_empty()).collect();
        assert_eq!(cut, [false, false, true, false]);
    }

    #[test]
    fn a_mesh_that_is_full_enough_leaves_peers_outside_without_harm() {
        let mut deaf = Deaf::new();
        let mut all = vec![["votes"].as_slice(); MESH + 1];
        all.extend([["parts"].as_slice(); MESH]);
        for _ in 0..100 {
            assert!(deaf.look(&wanted(), &peers(&all)).is_empty());
        }
        all.truncate(2 * MESH);
        for _ in 1..PATIENCE {
            deaf.look(&wanted(), &peers(&all));
        }
        assert_eq!(deaf.look(&wanted(), &peers(&all)).len(), MESH + 1, "the other topic has room");
    }

    #[test]
    fn who_is_gone_is_forgotten() {
        let mut deaf = Deaf::new();
        for _ in 0..PATIENCE {
            deaf.look(&wanted(), &peers(&[&[]]));
        }
        for _ in 0..=PAUSE {
            assert!(deaf.look(&wanted(), &Meshes::<u8>::new()).is_empty());
        }
        assert!(deaf.suspects.is_empty());
    }
}
