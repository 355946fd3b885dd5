//! Handing over what the engine has seen of validators that contradict themselves.

use acumen_protocol::Equivocation;
use arc_malachitebft_app_channel::app::types::MisbehaviorEvidence;

use super::{Driver, Outcome};
use crate::application::Application;
use crate::types::Chain;
use crate::wire::{signed_proposal, signed_vote};

impl<A: Application> Driver<A> {
    /// Accuses everybody against whom there is proof. The engine also collects pairs that prove nothing here, such as one
    /// block announced twice with different rounds of its polka.
    pub(super) async fn accuse(&self, evidence: &MisbehaviorEvidence<Chain>) -> Outcome<(), A> {
        if evidence.is_empty() {
            return Ok(());
        }
        let votes = evidence.votes.iter().flat_map(|(_, pairs)| pairs);
        let votes = votes.map(|(a, b)| Equivocation::votes(signed_vote(a), signed_vote(b)));
        let proposals = evidence.proposals.iter().flat_map(|(_, pairs)| pairs);
        let proposals =
            proposals.map(|(a, b)| Equivocation::proposals(signed_proposal(a), signed_proposal(b)));
        let genesis = self.app.genesis();
        let proven: Vec<Equivocation> =
            votes.chain(proposals).filter(|one| one.verify(&genesis).is_ok()).collect();
        for equivocation in proven {
            let (offender, height) = (equivocation.offender(), equivocation.height());
            tracing::warn!(%offender, %height, round = equivocation.round(), "a validator contradicts itself");
            self.ask(move |app| app.accuse(equivocation)).await?;
        }
        Ok(())
    }
}
