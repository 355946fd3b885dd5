//! Blocks that are not decided yet: own ones, those of others, and those that peers say are decided.

use acumen_protocol::codec::decode_all;
use acumen_protocol::{Block, Hash};
use arc_malachitebft_app_channel::app::engine::host::SyncedValueOutcome;
use arc_malachitebft_app_channel::app::types::core::{Round, Validity};
use arc_malachitebft_app_channel::app::types::streaming::StreamMessage;
use arc_malachitebft_app_channel::app::types::{LocallyProposedValue, PeerId, ProposedValue};
use arc_malachitebft_app_channel::{NetworkMsg, Reply};

use super::{Driver, Outcome, answer};
use crate::application::{Application, Candidate, Observation, Origin};
use crate::error::Error;
use crate::parts::Gathered;
use crate::types::{At, BlockId, Chain, Part, Voter};

fn value(height: At, candidate: &Candidate, id: Hash, valid: bool) -> ProposedValue<Chain> {
    ProposedValue {
        height,
        round: Round::new(candidate.round),
        valid_round: candidate.pol_round.into(),
        proposer: Voter(candidate.proposer),
        value: BlockId(id),
        validity: Validity::from_bool(valid),
    }
}

impl<A: Application> Driver<A> {
    /// What this node already has for the round that begins: from before a crash, or because it came early. With the first
    /// round of a height that this process sees, everything of the height: a block may be proposed in any of them.
    pub(super) async fn known_values(&mut self, height: At) -> Outcome<Vec<ProposedValue<Chain>>, A> {
        if height != self.next() {
            return Ok(Vec::new());
        }
        let first = std::mem::replace(&mut self.told, height) != height;
        for candidate in self.parts.due(height, &self.set) {
            self.assess(candidate, Origin::Proposal).await?;
        }
        let round = self.now.round;
        let kept = self.ask(Application::candidates).await?.into_iter();
        let kept = kept.filter(|candidate| first || candidate.round == round);
        Ok(kept.map(|candidate| value(height, &candidate, candidate.block.header.id(), true)).collect())
    }

    /// This node's turn: the block is durable before the engine hears of it, and the engine before the others.
    pub(super) async fn propose(
        &mut self,
        height: At,
        round: Round,
        reply: Reply<LocallyProposedValue<Chain>>,
    ) -> Outcome<(), A> {
        let key = self.hand.as_ref().map(|hand| hand.key.public());
        let (Some(proposer), true) = (key, height == self.next() && !self.behind()) else {
            // Not this node's turn after all, or nobody waits for it any more; the round will end without it.
            return Ok(());
        };
        let number = round.as_u32().unwrap_or(0);
        let block = self.ask(move |app| app.propose(number, &proposer)).await?;
        answer(reply, LocallyProposedValue::new(height, round, BlockId(block.header.id())));
        let candidate = Candidate { round: number, pol_round: None, proposer, block };
        let messages = self.hand.as_ref().map(|hand| self.streams.split(&candidate, hand));
        self.publish(messages.unwrap_or_default()).await
    }

    /// Sends a block once more, for those that do not have it: this node proposes it again, or is locked on what another
    /// has proposed and, if it still has it, sends that one's signature along.
    pub(super) async fn restream(
        &mut self,
        height: At,
        round: Round,
        pol_round: Round,
        proposer: Voter,
        id: BlockId,
    ) -> Outcome<(), A> {
        if height != self.next() {
            return Ok(());
        }
        let kept = self.ask(Application::candidates).await?;
        let Some(found) = kept.into_iter().find(|candidate| candidate.block.header.id() == id.0) else {
            tracing::debug!(%height, block = %id, "a block to be sent again is not here");
            return Ok(());
        };
        let (round, pol_round) = (round.as_u32().unwrap_or(0), pol_round.as_u32());
        let signed = self.parts.opening((height.0, round, proposer.0), &id.0);
        let messages = match (&self.hand, signed) {
            (Some(hand), _) if hand.key.public() == proposer.0 => {
                let candidate = Candidate { round, pol_round, proposer: proposer.0, block: found.block };
                self.streams.split(&candidate, hand)
            }
            (Some(_), Some(opening)) => self.streams.carry(opening, &found.block),
            _ => Vec::new(),
        };
        self.publish(messages).await
    }

    async fn publish(&self, messages: Vec<StreamMessage<Part>>) -> Outcome<(), A> {
        let Some(publish) = &self.publish else { return Ok(()) };
        for message in messages {
            let sent = publish.send(NetworkMsg::PublishProposalPart(message)).await;
            sent.map_err(|_| Error::Ended { reason: "its network has ended".to_owned() })?;
        }
        Ok(())
    }

    /// A part has come: the value, if it was the last one of a block of the next height.
    pub(super) async fn part(
        &mut self,
        publisher: PeerId,
        message: StreamMessage<Part>,
    ) -> Outcome<Option<ProposedValue<Chain>>, A> {
        match self.parts.take(publisher.to_bytes(), message, self.now, &self.set) {
            Gathered::Nothing => Ok(None),
            Gathered::Garbage(reason) => {
                tracing::debug!(%publisher, reason, "refused a part of a block");
                self.app.observe(Observation::Garbage);
                Ok(None)
            }
            Gathered::Block(height, candidate) if At(height) == self.next() => {
                self.assess(*candidate, Origin::Proposal).await.map(Some)
            }
            Gathered::Block(_, candidate) => {
                self.parts.wait(*candidate, &self.set);
                Ok(None)
            }
        }
    }

    async fn assess(&self, candidate: Candidate, origin: Origin) -> Outcome<ProposedValue<Chain>, A> {
        let height = At::from(candidate.block.header.height);
        self.ask(move |app| {
            let valid = app.assess(&candidate, origin)?;
            if !valid {
                app.observe(Observation::Refused);
            }
            Ok(value(height, &candidate, candidate.block.header.id(), valid))
        })
        .await
    }

    /// A peer sent a block that it says is decided. The engine checks the certificate, and that it is about this block.
    pub(super) async fn synced(
        &mut self,
        height: At,
        round: Round,
        proposer: Voter,
        bytes: &[u8],
    ) -> Outcome<SyncedValueOutcome<Chain>, A> {
        if height != self.next() {
            return Ok(SyncedValueOutcome::LocalTransientError);
        }
        let Ok(block) = decode_all::<Block>("block", bytes) else {
            return Ok(SyncedValueOutcome::PeerFault);
        };
        if At::from(block.header.height) != height {
            return Ok(SyncedValueOutcome::PeerFault);
        }
        let round = round.as_u32().unwrap_or(0);
        let candidate = Candidate { round, pol_round: None, proposer: proposer.0, block };
        let assessed = self.assess(candidate, Origin::Decided).await?;
        self.app.observe(Observation::Synced);
        Ok(SyncedValueOutcome::Verdict(assessed))
    }
}
