//! Transactions in and out. Nothing is passed on before the node has found it valid.

use std::collections::VecDeque;
use std::sync::Arc;

use libp2p::PeerId;
use libp2p::gossipsub::{self, Event, MessageAcceptance, PublishError};

use super::{Task, wall};
use crate::core::reputation::{BAN_SECONDS, Deed};
use crate::net::handle::{Incoming, Stats, Ticket, Verdict};

/// What comes before the transaction in a message on [`crate::Names::waiting`].
const STAMP_BYTES: usize = 8;

/// Own messages kept while nobody can be sent them; beyond that the oldest goes.
const MAX_UNSENT: usize = 1_024;

/// Their bytes: as many as the pool holds.
const MAX_UNSENT_BYTES: usize = 16 << 20;

impl Task {
    pub(super) fn on_gossip(&mut self, event: Event) {
        match event {
            Event::Message { propagation_source: from, message_id: message, message: content } => {
                self.on_message(Ticket { message, from }, content);
            }
            Event::Subscribed { peer_id, topic } if topic == self.topic.hash() => {
                self.peers.set_subscribed(peer_id, true);
                self.show();
                self.publish_unsent();
            }
            Event::Unsubscribed { peer_id, topic } if topic == self.topic.hash() => {
                self.peers.set_subscribed(peer_id, false);
                self.show();
            }
            _ => {}
        }
    }

    fn on_message(&mut self, ticket: Ticket, mut content: gossipsub::Message) {
        if content.topic == self.waiting.hash() {
            // Without a stamp nothing is left, which is no transaction either.
            content.data.drain(..STAMP_BYTES.min(content.data.len()));
        }
        let now = self.now_ms();
        let from = ticket.from;
        if !self.peers.may_send(&from, content.data.len(), now) {
            Stats::add(&self.stats.over_rate);
            self.settle(&ticket, MessageAcceptance::Ignore);
            self.blame(from, Deed::TooMuch);
            return;
        }
        let kib = u32::try_from(content.data.len() / 1_024 + 1).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).try_acquire_many_owned(kib);
        let handed = room.is_ok_and(|room| {
            let incoming = Incoming { bytes: content.data, ticket: ticket.clone(), _room: room };
            self.incoming.try_send(incoming).is_ok()
        });
        if !handed {
            // The node is busy; that is nobody's fault.
            Stats::add(&self.stats.dropped);
            self.settle(&ticket, MessageAcceptance::Ignore);
            return;
        }
        Stats::add(&self.stats.received);
    }

    pub(super) fn report(&mut self, ticket: &Ticket, verdict: Verdict) {
        match verdict {
            Verdict::Accept => {
                if self.settle(ticket, MessageAcceptance::Accept) {
                    Stats::add(&self.stats.forwarded);
                }
                let now = self.now_ms();
                self.peers.note(ticket.from, Deed::Useful, now);
            }
            Verdict::Ignore => {
                self.settle(ticket, MessageAcceptance::Ignore);
            }
            Verdict::Reject => {
                Stats::add(&self.stats.rejected);
                self.settle(ticket, MessageAcceptance::Reject);
                self.blame(ticket.from, Deed::Invalid);
            }
        }
    }

    fn settle(&mut self, ticket: &Ticket, acceptance: MessageAcceptance) -> bool {
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        gossip.report_message_validation_result(&ticket.message, &ticket.from, acceptance)
    }

    /// Notes an offence, and bans who has committed too many.
    pub(super) fn blame(&mut self, peer: PeerId, deed: Deed) {
        let now = self.now_ms();
        if self.peers.note(peer, deed, now) {
            tracing::warn!(%peer, ?deed, seconds = BAN_SECONDS, "banning a peer");
            Stats::add(&self.stats.banned);
            self.ban(peer, BAN_SECONDS);
            return;
        }
        // At most a few hundred points either way, exact as a float.
        let points = self.peers.points(&peer, now) as f64;
        self.swarm.behaviour_mut().gossip.set_application_score(&peer, points);
    }

    pub(super) fn publish(&mut self, bytes: Vec<u8>) {
        let topic = self.topic.clone();
        match self.swarm.behaviour_mut().gossip.publish(topic, bytes.clone()) {
            Ok(_) => Stats::add(&self.stats.published),
            Err(PublishError::NoPeersSubscribedToTopic) => {
                self.unsent.push_back(bytes);
                let size = |unsent: &VecDeque<Vec<u8>>| unsent.iter().map(Vec::len).sum::<usize>();
                while self.unsent.len() > MAX_UNSENT || size(&self.unsent) > MAX_UNSENT_BYTES {
                    self.unsent.pop_front();
                }
            }
            // Somebody else was faster with the same transaction.
            Err(PublishError::Duplicate) => {}
            Err(error) => tracing::debug!(%error, "a transaction was not published"),
        }
    }

    /// Sends a transaction that the network has had already, to peers that may not have been there.
    pub(super) fn remind(&mut self, bytes: &[u8]) {
        let stamp = u64::try_from(wall().as_millis()).unwrap_or(u64::MAX).to_le_bytes();
        let message = [stamp.as_slice(), bytes].concat();
        // Who is alone reminds nobody; the next round comes.
        if self.swarm.behaviour_mut().gossip.publish(self.waiting.clone(), message).is_ok() {
            Stats::add(&self.stats.reminded);
        }
    }

    fn publish_unsent(&mut self) {
        for bytes in std::mem::take(&mut self.unsent) {
            self.publish(bytes);
        }
    }
}
