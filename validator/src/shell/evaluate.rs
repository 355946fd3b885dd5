//! Asking all miners at once, until all have answered or the evaluation is closed.

use std::sync::Arc;
use std::time::Duration;

use acumen_proto::RequestId;
use acumen_protocol::{Hash, Keypair};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tracing::Instrument as _;

use super::ask::{Asker, Shared, ask};
use super::chain::{Chain, Miner};
use crate::core::hotkey::Hotkey;
use crate::core::plan::Question;
use crate::core::score::Candidate;
use crate::core::sheet::Sheet;

/// How miners are asked.
#[derive(Debug, Clone)]
pub(crate) struct Manner {
    pub(crate) key: Arc<Keypair>,
    pub(crate) answer_timeout: Duration,
    pub(crate) concurrency: usize,
    pub(crate) max_miners: usize,
}

/// Who is asked, and who knows where they are if the chain's endpoint does not lead to them.
#[derive(Debug)]
pub(crate) struct Field<C> {
    pub(crate) miners: Vec<Miner>,
    pub(crate) chain: Arc<C>,
}

/// What tells one evaluation from others.
#[derive(Debug, Clone)]
pub(crate) struct Occasion {
    /// Of the order in which miners are asked.
    pub(crate) seed: Hash,
    /// Of every call, here and in the miners' logs.
    pub(crate) request_id: RequestId,
}

/// Asks the miners of `field` the same `questions` until `closed` resolves, and returns every one of them with what it answered.
///
/// Miners beyond `max_miners`, chosen by the occasion's seed, and those whose turn did not come are not asked.
pub(crate) async fn evaluate<C: Chain>(
    Field { miners, chain }: Field<C>,
    questions: Arc<Vec<Question>>,
    manner: &Manner,
    occasion: &Occasion,
    closed: impl Future<Output = ()>,
) -> Vec<Candidate> {
    let steps = questions.first().map_or(0, |question| question.truth.len());
    let slots: Vec<Shared> = miners.iter().map(|_| Shared::new(questions.len(), steps)).collect();
    let permits = Arc::new(Semaphore::new(manner.concurrency));
    let mut sessions = JoinSet::new();
    for at in order(&miners, occasion.seed).into_iter().take(manner.max_miners) {
        let (miner, slot, questions) = (miners[at].clone(), slots[at].clone(), Arc::clone(&questions));
        let (permits, manner, id) = (Arc::clone(&permits), manner.clone(), occasion.request_id.clone());
        let chain = Arc::clone(&chain);
        let session = async move {
            // Closed never: the semaphore lives as long as the sessions.
            let Ok(_permit) = permits.acquire().await else { return };
            let asker = Asker { key: manner.key, request_id: id, answer_timeout: manner.answer_timeout };
            ask(&miner, &*chain, asker, &questions, &slot).await;
        };
        sessions.spawn(session.in_current_span());
    }
    let finished = async { while sessions.join_next().await.is_some() {} };
    tokio::select! {
        () = finished => {}
        () = closed => tracing::warn!("the evaluation is closed before every miner has answered"),
    }
    sessions.shutdown().await;
    miners.into_iter().zip(slots).map(|(miner, slot)| candidate(&miner, &slot)).collect()
}

/// Indices in an order that nobody can foresee.
fn order(miners: &[Miner], seed: Hash) -> Vec<usize> {
    let mut order: Vec<usize> = (0..miners.len()).collect();
    order.sort_by_cached_key(|&at| Hash::of_encoded(&(seed, miners[at].hotkey)));
    order
}

fn candidate(miner: &Miner, slot: &Shared) -> Candidate {
    let mut slot = slot.lock();
    let sheet = std::mem::replace(&mut slot.sheet, Sheet::new(0, 0));
    Candidate {
        uid: miner.uid,
        hotkey: Hotkey(miner.hotkey),
        registered_at: miner.registered_at,
        model: std::mem::take(&mut slot.model),
        sheet: slot.asked.then_some(sheet),
    }
}
