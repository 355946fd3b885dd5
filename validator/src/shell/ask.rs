//! One miner's session: contexts out, an answer back, one truth per document out, and so on.
//!
//! Invariant: a realised byte leaves this process only after the answer for its position was judged. The sheet lives
//! outside of the task, so that what was answered counts when the evaluation is closed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use acumen_miner_client::{ClientError, ClientOptions, MinerClient, PredictSession};
use acumen_proto::RequestId;
use acumen_proto::inference::Distribution;
use acumen_protocol::Keypair;
use acumen_protocol::call::Endpoint;
use tonic::Code;

use super::chain::{Chain, Miner};
use crate::core::plan::Question;
use crate::core::reference::VOCABULARY;
use crate::core::sheet::{Claim, Fault, Kind, Sheet};

/// Tries of an opening that a busy or restarting miner refuses, and the pause between them unless it asks for another.
const OPENINGS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(300);

/// Longest pause that a miner may ask for.
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// What is known of one miner so far.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) sheet: Sheet,
    pub(crate) model: String,
    /// Whether it was asked at all.
    pub(crate) asked: bool,
}

/// A slot that the session fills and the evaluation reads.
#[derive(Debug, Clone)]
pub(crate) struct Shared(Arc<Mutex<Slot>>);

impl Shared {
    pub(crate) fn new(documents: usize, steps: usize) -> Self {
        let slot = Slot { sheet: Sheet::new(documents, steps), model: String::new(), asked: false };
        Self(Arc::new(Mutex::new(slot)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// On whose behalf, in calls of which name, and with how much patience.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    pub(crate) key: Arc<Keypair>,
    pub(crate) request_id: RequestId,
    pub(crate) answer_timeout: Duration,
}

/// Asks `miner` all questions. If the chain's endpoint does not lead to it, the one in its own record is tried once: what is
/// scored are answers that bear the hotkey's receipt, wherever they come from, so a record moves no weight by itself.
pub(crate) async fn ask<C: Chain>(
    miner: &Miner,
    chain: &C,
    asker: Asker,
    questions: &[Question],
    slot: &Shared,
) {
    slot.lock().asked = true;
    let asked = async {
        let opened = match open(miner, &miner.endpoint, &asker, questions, slot).await {
            Err(failure) if failure.astray => match chain.record_of(miner.hotkey).await {
                Some(endpoint) if endpoint != miner.endpoint => {
                    let url = endpoint.url();
                    tracing::info!(miner = %miner.hotkey, url, reason = failure.fault.reason, "asked where its record says");
                    open(miner, &endpoint, &asker, questions, slot).await
                }
                _ => Err(failure),
            },
            opened => opened,
        };
        session(opened.map_err(|failure| failure.fault)?, questions, slot).await
    };
    if let Err(fault) = asked.await {
        tracing::debug!(miner = %miner.hotkey, kind = fault.kind.name(), fault.reason, "gave no more answers");
        slot.lock().sheet.end(fault);
    }
}

/// A session and its first answer.
type Opened = (PredictSession, Vec<Distribution>);

async fn session(
    (mut session, mut answer): Opened,
    questions: &[Question],
    slot: &Shared,
) -> Result<(), Fault> {
    let steps = questions.first().map_or(0, |question| question.truth.len());
    let compared: Vec<bool> = questions.iter().map(Question::is_held_out).collect();
    for step in 0..steps {
        let truths: Vec<u8> =
            questions.iter().filter_map(|question| question.truth.get(step)).copied().collect();
        judge(&answer, &truths, &compared, slot);
        if step + 1 < steps {
            answer = session.step(truths.iter().map(|byte| u32::from(*byte)).collect()).await?;
        }
    }
    Ok(())
}

fn judge(answer: &[Distribution], truths: &[u8], compared: &[bool], slot: &Shared) {
    let claims: Vec<Claim<'_>> = answer
        .iter()
        .map(|claim| Claim { ids: &claim.ids, logprobs: &claim.logprobs, tail: claim.tail })
        .collect();
    slot.lock().sheet.record(&claims, truths, compared);
}

/// Opens a session at `endpoint`; a miner that is busy or restarting gets a few tries.
async fn open(
    miner: &Miner,
    endpoint: &Endpoint,
    asker: &Asker,
    questions: &[Question],
    slot: &Shared,
) -> Result<Opened, Failure> {
    let options = ClientOptions {
        answer_timeout: asker.answer_timeout,
        vocabulary: VOCABULARY,
        ..ClientOptions::default()
    };
    let client = MinerClient::connect_lazy(endpoint, miner.hotkey, Arc::clone(&asker.key), options)?;
    let client = client.with_request_id(asker.request_id.clone());
    let mut tries = 1;
    loop {
        match try_open(&client, questions, slot).await {
            Err(Failure { pause: Some(pause), .. }) if tries < OPENINGS => {
                tries += 1;
                tokio::time::sleep(pause.min(MAX_PAUSE)).await;
            }
            opened => return opened,
        }
    }
}

/// Why a session did not open.
struct Failure {
    fault: Fault,
    /// It may open after this pause.
    pause: Option<Duration>,
    /// The miner may serve somewhere else now.
    astray: bool,
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let pause = match &error {
            ClientError::Unreachable { .. } => Some(PAUSE),
            ClientError::Refused {
                code: Code::Unavailable | Code::ResourceExhausted, retry_after, ..
            } => Some(retry_after.unwrap_or(PAUSE)),
            _ => None,
        };
        Self { pause, astray: error.may_have_moved(), fault: error.into() }
    }
}

async fn try_open(client: &MinerClient, questions: &[Question], slot: &Shared) -> Result<Opened, Failure> {
    let info = client.info().await?;
    slot.lock().model = info.model;
    if info.vocabulary != VOCABULARY {
        let reason = format!("serves a vocabulary of {}, this track's has {VOCABULARY}", info.vocabulary);
        let fault = Fault { kind: Kind::Vocabulary, reason };
        return Err(Failure { fault, pause: None, astray: false });
    }
    let ids = |question: &Question| question.context.iter().map(|byte| u32::from(*byte)).collect();
    Ok(client.open(questions.iter().map(ids).collect(), None).await?)
}

impl From<ClientError> for Fault {
    fn from(error: ClientError) -> Self {
        let kind = match &error {
            ClientError::Late { .. } => Kind::Late,
            ClientError::Unreachable { .. } | ClientError::Endpoint { .. } => Kind::Unreachable,
            ClientError::Malformed(_) => Kind::Invalid,
            _ => Kind::Protocol,
        };
        Self { kind, reason: error.to_string() }
    }
}
