//! The network between the nodes of a cluster: delays, losses, cuts, and a look at every vote that passes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use acumen_protocol::{Hash, VoteKind};
use arc_malachitebft_app_channel::NetworkMsg;
use arc_malachitebft_app_channel::app::consensus::LivenessMsg;
use arc_malachitebft_app_channel::app::engine::network::{Msg, NetworkEvent, NetworkRef, Status, Subscriber};
use arc_malachitebft_app_channel::app::net::Multiaddr;
use arc_malachitebft_app_channel::app::types::{Keypair, PeerId, SignedConsensusMsg};
use arc_malachitebft_sync::{InboundRequestId, OutboundRequestId};
use async_trait::async_trait;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use tokio::sync::mpsc;

use super::History;
use super::vice::Vice;
use crate::types::{Cast, Chain};

type Event = NetworkEvent<Chain>;
type Ear = Box<dyn Subscriber<Event>>;

struct Slot {
    peer: PeerId,
    /// Counts starts: what is on its way to an earlier run is lost.
    run: u64,
    up: bool,
    ears: Vec<Ear>,
    vice: Option<Vice>,
    /// Nothing arrives before this moment.
    frozen: Option<tokio::time::Instant>,
}

struct Inner {
    rng: ChaCha8Rng,
    slots: Vec<Slot>,
    /// Pairs that do not hear each other.
    cut: BTreeSet<(usize, usize)>,
    loss_per_mille: u32,
    delay_ms: (u64, u64),
    /// Requests on their way: who asked, and under which name.
    requests: BTreeMap<String, (usize, OutboundRequestId)>,
    asked: u64,
    /// What each voter has said in each step of each round.
    said: BTreeMap<(Hash, u64, u32, VoteKind), Option<Hash>>,
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
            history,
        })))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
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
    fn broadcast(&self, from: usize, event: &Event) {
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
    fn send(&self, from: usize, to: usize, event: Event, may_be_lost: bool) {
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
    fn overhear(&self, from: usize, cast: &Cast) {
        let mut inner = self.lock();
        if inner.slots[from].vice.is_some() {
            return;
        }
        let vote = cast.vote();
        let step = (Hash(vote.voter.0), vote.height.get(), vote.round, vote.kind);
        let first = *inner.said.entry(step).or_insert(vote.block);
        assert_eq!(first, vote.block, "node {from} contradicts itself: {vote:?}");
        let highest = inner.history.highest();
        assert!(vote.height.get() <= highest + 1, "nobody votes on what cannot be known yet");
    }

    fn subscribe(&self, index: usize, run: u64, ear: Ear) {
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

/// One node's door to the network.
struct Port {
    hub: Hub,
    index: usize,
    run: u64,
}

impl Port {
    fn index_of(&self, peer: &PeerId) -> Option<usize> {
        self.hub.lock().slots.iter().position(|slot| slot.peer == *peer)
    }

    fn peer(&self) -> PeerId {
        self.hub.lock().slots[self.index].peer
    }

    fn ask(
        &self,
        peer: &PeerId,
        request: arc_malachitebft_sync::Request<Chain>,
    ) -> Option<OutboundRequestId> {
        let to = self.index_of(peer)?;
        let name = {
            let mut inner = self.hub.lock();
            inner.asked += 1;
            let name = inner.asked.to_string();
            inner.requests.insert(name.clone(), (self.index, OutboundRequestId::new(&name)));
            name
        };
        let event = NetworkEvent::SyncRequest(InboundRequestId::new(&name), self.peer(), request);
        self.hub.send(self.index, to, event, false);
        Some(OutboundRequestId::new(name))
    }

    fn reply(&self, id: &InboundRequestId, response: arc_malachitebft_sync::Response<Chain>) {
        let asked = self.hub.lock().requests.remove(&id.to_string());
        if let Some((to, name)) = asked {
            let event = NetworkEvent::SyncResponse(name, self.peer(), Some(response));
            self.hub.send(self.index, to, event, false);
        }
    }
}

#[async_trait]
impl Actor for Port {
    type Msg = Msg<Chain>;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        message: Self::Msg,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        let alive = {
            let inner = self.hub.lock();
            inner.slots[self.index].up && inner.slots[self.index].run == self.run
        };
        if !alive {
            return Ok(());
        }
        let (hub, peer) = (&self.hub, self.peer());
        match message {
            Msg::Subscribe(ear) => hub.subscribe(self.index, self.run, ear),
            Msg::PublishConsensusMsg(SignedConsensusMsg::Vote(vote)) => {
                hub.overhear(self.index, &vote.message);
                hub.broadcast(self.index, &NetworkEvent::Vote(peer, vote));
            }
            Msg::PublishConsensusMsg(SignedConsensusMsg::Proposal(proposal)) => {
                hub.broadcast(self.index, &NetworkEvent::Proposal(peer, proposal));
            }
            Msg::PublishLivenessMsg(message) => hub.broadcast(
                self.index,
                &match message {
                    LivenessMsg::Vote(vote) => NetworkEvent::Vote(peer, vote),
                    LivenessMsg::PolkaCertificate(polka) => NetworkEvent::PolkaCertificate(peer, polka),
                    LivenessMsg::SkipRoundCertificate(skip) => NetworkEvent::RoundCertificate(peer, skip),
                },
            ),
            Msg::PublishProposalPart(part) => {
                hub.broadcast(self.index, &NetworkEvent::ProposalPart(peer, Some(peer), part));
            }
            Msg::BroadcastStatus(Status { tip_height, history_min_height }) => {
                hub.broadcast(
                    self.index,
                    &NetworkEvent::Status(peer, Status::new(tip_height, history_min_height)),
                );
            }
            Msg::OutgoingRequest(to, request, reply) => {
                if let Some(id) = self.ask(&to, request) {
                    let _ = reply.send(id);
                }
            }
            Msg::OutgoingResponse(id, response) => self.reply(&id, response),
            Msg::DumpState(reply) => {
                let _ = reply.send(None);
            }
            _ => {}
        }
        Ok(())
    }
}
