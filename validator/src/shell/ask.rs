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
use tonic::Code;

use super::chain::Miner;
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

/// Asks `miner` all questions, in calls named by the request id.
pub(crate) async fn ask(
    miner: &Miner,
    (key, request_id): (Arc<Keypair>, RequestId),
    questions: &[Question],
    answer_timeout: Duration,
    slot: &Shared,
) {
    slot.lock().asked = true;
    let options = ClientOptions { answer_timeout, vocabulary: VOCABULARY, ..ClientOptions::default() };
    let asked = async {
        let client = MinerClient::connect_lazy(&miner.endpoint, miner.hotkey, key, options)?;
        session(&client.with_request_id(request_id), questions, slot).await
    };
    if let Err(fault) = asked.await {
        tracing::debug!(miner = %miner.hotkey, kind = fault.kind.name(), fault.reason, "gave no more answers");
        slot.lock().sheet.end(fault);
    }
}

async fn session(client: &MinerClient, questions: &[Question], slot: &Shared) -> Result<(), Fault> {
    let (mut session, mut answer) = open(client, questions, slot).await?;
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

/// Opens a session; a miner that is busy or restarting gets a few tries.
async fn open(
    client: &MinerClient,
    questions: &[Question],
    slot: &Shared,
) -> Result<(PredictSession, Vec<Distribution>), Fault> {
    let mut tries = 1;
    loop {
        match try_open(client, questions, slot).await {
            Err(Opening::Busy(pause, _)) if tries < OPENINGS => {
                tries += 1;
                tokio::time::sleep(pause.min(MAX_PAUSE)).await;
            }
            Err(Opening::Busy(_, fault) | Opening::Fault(fault)) => return Err(fault),
            Ok(opened) => return Ok(opened),
        }
    }
}

/// Why a session did not open.
enum Opening {
    /// It may open after this pause.
    Busy(Duration, Fault),
    Fault(Fault),
}

impl From<ClientError> for Opening {
    fn from(error: ClientError) -> Self {
        let pause = match &error {
            ClientError::Unreachable { .. } => Some(PAUSE),
            ClientError::Refused {
                code: Code::Unavailable | Code::ResourceExhausted, retry_after, ..
            } => Some(retry_after.unwrap_or(PAUSE)),
            _ => None,
        };
        match pause {
            Some(pause) => Self::Busy(pause, error.into()),
            None => Self::Fault(error.into()),
        }
    }
}

async fn try_open(
    client: &MinerClient,
    questions: &[Question],
    slot: &Shared,
) -> Result<(PredictSession, Vec<Distribution>), Opening> {
    let info = client.info().await?;
    slot.lock().model = info.model;
    if info.vocabulary != VOCABULARY {
        let reason = format!("serves a vocabulary of {}, this track's has {VOCABULARY}", info.vocabulary);
        return Err(Opening::Fault(Fault { kind: Kind::Vocabulary, reason }));
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
