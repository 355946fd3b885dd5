//! The network between the nodes of a cluster: delays, losses, cuts, and a look at every vote that passes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use acumen_protocol::{Hash, VoteKind};
use arc_malachitebft_app_channel::NetworkMsg;
use arc_malachitebft_app_channel::app::engine::network::{NetworkEvent, NetworkRef, Subscriber};
use arc_malachitebft_app_channel::app::net::Multiaddr;
use arc_malachitebft_app_channel::app::types::{Keypair, PeerId};
use arc_malachitebft_sync::OutboundRequestId;
use ractor::Actor;
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use tokio::sync::mpsc;

use super::History;
use super::port::Port;
use super::vice::Vice;
use crate::types::{Cast, Chain};

pub(super) type Event = NetworkEvent<Chain>;
type Ear = Box<dyn Subscriber<Event>>;

pub(super) struct Slot {
    pub(super) peer: PeerId,
    /// Counts starts: what is on its way to an earlier run is lost.
    pub(super) run: u64,
    pub(super) up: bool,
    ears: Vec<Ear>,
    vice: Option<Vice>,
    /// Nothing arrives before this moment.
    frozen: Option<tokio::time::Instant>,
}

pub(super) struct Inner {
    rng: ChaCha8Rng,
    pub(super) slots: Vec<Slot>,
    /// Pairs that do not hear each other.
    cut: BTreeSet<(usize, usize)>,
    loss_per_mille: u32,
    delay_ms: (u64, u64),
    /// Requests on their way: who asked, and under which name.
    pub(super) requests: BTreeMap<String, (usize, OutboundRequestId)>,
    pub(super) asked: u64,
    /// What each voter has said in each step of each round.
    said: BTreeMap<(Hash, u64, u32, VoteKind), Option<Hash>>,
    /// How often each node has voted at a height.
    voted: BTreeMap<(usize, u64), usize>,
    history: Arc<History>,
}

/// The network. Clones share it.
#[derive(Clone)]
pub(crate) struct Hub(Arc<Mutex<Inner>>);

impl Hub {
    pub(crate) fn new(rng: ChaCha8Rng, count: usize, history: Arc<History>) -> Self {
        let slot = |index: usize| {
            let keys = Keypair::ed25519_from_bytes([u8::try_from(index).unwrap() + 1; 32]).unwrap();
            let peer = PeerId::from_bytes(&keys.public().to_peer_id().to_bytes()).unwrap();
            Slot { peer, run: 0, up: false, ears: Vec::new(), vice: None, frozen: None }
        };
        Self(Arc::new(Mutex::new(Inner {
            rng,
            slots: (0..count).map(slot).collect(),
            cut: BTreeSet::new(),
            loss_per_mille: 0,
            delay_ms: (1, 5),
            requests: BTreeMap::new(),
            asked: 0,
            said: BTreeMap::new(),
            voted: BTreeMap::new(),
            history,
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    /// A number below `bound`, from the seed.
    pub(crate) fn draw(&self, bound: u64) -> u64 {
        self.lock().rng.random_range(0..bound)
    }

    pub(crate) fn set_loss(&self, per_mille: u32) {
        self.lock().loss_per_mille = per_mille;
    }

    pub(crate) fn set_delay(&self, from_ms: u64, to_ms: u64) {
        self.lock().delay_ms = (from_ms, to_ms);
    }

    /// Cuts every link between `side` and the others.
    pub(crate) fn split(&self, side: &[usize]) {
        let mut inner = self.lock();
        let count = inner.slots.len();
        let within = |index: usize| side.contains(&index);
        let pairs = (0..count).flat_map(|a| (0..count).map(move |b| (a, b)));
        inner.cut = pairs.filter(|(a, b)| within(*a) != within(*b)).collect();
    }

    pub(crate) fn heal(&self) {
        let mut inner = self.lock();
        inner.cut.clear();
        inner.loss_per_mille = 0;
        inner.delay_ms = (1, 20);
    }

    /// Holds back everything that is sent to and from a node for a while.
    pub(crate) fn freeze(&self, index: usize, time: Duration) {
        self.lock().slots[index].frozen = Some(tokio::time::Instant::now() + time);
    }

    /// Makes a node lie from now on.
    pub(crate) fn corrupt(&self, index: usize, vice: Vice) {
        self.lock().slots[index].vice = Some(vice);
    }

    /// How often a node has voted at these heights so far.
    pub(crate) fn votes(&self, index: usize, heights: std::ops::RangeInclusive<u64>) -> usize {
        let inner = self.lock();
        inner.voted.range((index, *heights.start())..=(index, *heights.end())).map(|(_, count)| *count).sum()
    }

    /// A network actor for a node that starts.
    pub(crate) async fn attach(&self, index: usize) -> (NetworkRef<Chain>, mpsc::Sender<NetworkMsg<Chain>>) {
        {
            let mut inner = self.lock();
            let slot = &mut inner.slots[index];
            (slot.run, slot.up) = (slot.run + 1, true);
            slot.ears.clear();
        }
        let run = self.lock().slots[index].run;
        let port = Port { hub: self.clone(), index, run };
        let (network, _) = Actor::spawn(None, port, ()).await.unwrap();
        let (sender, mut parts) = mpsc::channel::<NetworkMsg<Chain>>(64);
        let actor = network.clone();
        tokio::spawn(async move {
            while let Some(message) = parts.recv().await {
                if actor.cast(message.into()).is_err() {
                    break;
                }
            }
        });
        (network, sender)
    }

    /// The node is gone: nothing reaches it, and nothing more comes from it.
    pub(crate) fn detach(&self, index: usize) {
        let mut inner = self.lock();
        let peer = inner.slots[index].peer;
        inner.slots[index].up = false;
        inner.slots[index].ears.clear();
        drop(inner);
        self.tell_others(index, &NetworkEvent::PeerDisconnected(peer));
    }

    fn tell_others(&self, from: usize, event: &Event) {
        let inner = self.lock();
        let others = inner.slots.iter().enumerate().filter(|(to, slot)| *to != from && slot.up);
        for ear in others.flat_map(|(_, slot)| &slot.ears) {
            ear.send(event.clone());
        }
    }

    /// To everybody who can be heard.
    pub(super) fn broadcast(&self, from: usize, event: &Event) {
        let count = self.lock().slots.len();
        for to in 0..count {
            if to != from {
                let twisted = {
                    let inner = self.lock();
                    inner.slots[from].vice.as_ref().map(|vice| vice.twist(to, event, &inner.history))
                };
                for event in twisted.unwrap_or_else(|| vec![event.clone()]) {
                    self.send(from, to, event, true);
                }
            }
        }
    }

    /// On its way, if the link is there; requests and answers are not lost on it, only slow.
    pub(super) fn send(&self, from: usize, to: usize, event: Event, may_be_lost: bool) {
        let (arrival, run) = {
            let mut inner = self.lock();
            let (first, last) = inner.delay_ms;
            let delay = inner.rng.random_range(first..=last);
            let lost = inner.rng.random_range(0..1_000) < inner.loss_per_mille;
            if inner.cut.contains(&(from, to)) || (may_be_lost && lost) || !inner.slots[to].up {
                return;
            }
            let now = tokio::time::Instant::now();
            let thaw = |index: usize| inner.slots[index].frozen.map_or(now, |moment| moment.max(now));
            let arrival = thaw(from).max(thaw(to)) + Duration::from_millis(delay);
            (arrival, inner.slots[to].run)
        };
        let hub = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep_until(arrival).await;
            let inner = hub.lock();
            let slot = &inner.slots[to];
            if slot.up && slot.run == run && !inner.cut.contains(&(from, to)) {
                slot.ears.iter().for_each(|ear| ear.send(event.clone()));
            }
        });
    }

    /// No honest voter says two things in one step, whatever happens to it in between.
    pub(super) fn overhear(&self, from: usize, cast: &Cast) {
        let mut inner = self.lock();
        if inner.slots[from].vice.is_some() {
            return;
        }
        let vote = cast.vote();
        *inner.voted.entry((from, vote.height.get())).or_default() += 1;
        let step = (Hash(vote.voter.0), vote.height.get(), vote.round, vote.kind);
        let first = *inner.said.entry(step).or_insert(vote.block);
        assert_eq!(first, vote.block, "node {from} contradicts itself: {vote:?}");
        let highest = inner.history.highest();
        assert!(vote.height.get() <= highest + 1, "nobody votes on what cannot be known yet");
    }

    pub(super) fn subscribe(&self, index: usize, run: u64, ear: Ear) {
        let mut inner = self.lock();
        if inner.slots[index].run != run || !inner.slots[index].up {
            return;
        }
        ear.send(NetworkEvent::Listening(Multiaddr::empty()));
        for (other, slot) in inner.slots.iter().enumerate() {
            if other != index && slot.up {
                ear.send(NetworkEvent::PeerConnected(slot.peer));
            }
        }
        let peer = inner.slots[index].peer;
        inner.slots[index].ears.push(ear);
        drop(inner);
        self.tell_others(index, &NetworkEvent::PeerConnected(peer));
    }
}
