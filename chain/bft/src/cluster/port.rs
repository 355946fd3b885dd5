//! A node's door to the network of a cluster: the actor that its engine talks to.

use arc_malachitebft_app_channel::app::consensus::LivenessMsg;
use arc_malachitebft_app_channel::app::engine::network::{Msg, NetworkEvent, Status};
use arc_malachitebft_app_channel::app::types::{PeerId, SignedConsensusMsg};
use arc_malachitebft_sync::{InboundRequestId, OutboundRequestId};
use async_trait::async_trait;
use ractor::{Actor, ActorProcessingErr, ActorRef};

use super::hub::{Event, Hub};
use crate::types::Chain;

/// One node's door to the network.
pub(super) struct Port {
    pub(super) hub: Hub,
    pub(super) index: usize,
    pub(super) run: u64,
}

impl Port {
    fn index_of(&self, peer: &PeerId) -> Option<usize> {
        self.hub.lock().slots.iter().position(|slot| slot.peer == *peer)
    }

    fn peer(&self) -> PeerId {
        self.hub.lock().slots[self.index].peer
    }

    fn alive(&self) -> bool {
        let inner = self.hub.lock();
        inner.slots[self.index].up && inner.slots[self.index].run == self.run
    }

    /// What everybody hears of it.
    fn said(&self, message: Msg<Chain>) -> Option<Event> {
        let peer = self.peer();
        Some(match message {
            Msg::PublishConsensusMsg(SignedConsensusMsg::Vote(vote)) => {
                self.hub.overhear(self.index, &vote.message);
                NetworkEvent::Vote(peer, vote)
            }
            Msg::PublishConsensusMsg(SignedConsensusMsg::Proposal(proposal)) => {
                NetworkEvent::Proposal(peer, proposal)
            }
            Msg::PublishLivenessMsg(LivenessMsg::Vote(vote)) => NetworkEvent::Vote(peer, vote),
            Msg::PublishLivenessMsg(LivenessMsg::PolkaCertificate(polka)) => {
                NetworkEvent::PolkaCertificate(peer, polka)
            }
            Msg::PublishLivenessMsg(LivenessMsg::SkipRoundCertificate(skip)) => {
                NetworkEvent::RoundCertificate(peer, skip)
            }
            Msg::PublishProposalPart(part) => NetworkEvent::ProposalPart(peer, Some(peer), part),
            Msg::BroadcastStatus(Status { tip_height, history_min_height }) => {
                NetworkEvent::Status(peer, Status::new(tip_height, history_min_height))
            }
            _ => return None,
        })
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
        if !self.alive() {
            return Ok(());
        }
        match message {
            Msg::Subscribe(ear) => self.hub.subscribe(self.index, self.run, ear),
            Msg::OutgoingRequest(to, request, reply) => {
                if let Some(id) = self.ask(&to, request) {
                    let _ = reply.send(id);
                }
            }
            Msg::OutgoingResponse(id, response) => self.reply(&id, response),
            Msg::DumpState(reply) => {
                let _ = reply.send(None);
            }
            other => {
                if let Some(event) = self.said(other) {
                    self.hub.broadcast(self.index, &event);
                }
            }
        }
        Ok(())
    }
}
