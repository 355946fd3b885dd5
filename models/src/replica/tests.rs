//! A replica refuses, forgets and recovers as promised. The model is a fake whose pace the test sets through channels,
//! so nothing here waits for time to pass.

use std::future::Future;
use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll, Waker};

use super::*;
use crate::Session;

const LIMITS: ReplicaLimits = ReplicaLimits {
    waiting_tokens: 10,
    waiting_requests: 3,
    session_tokens: 24,
    retry_after_ms: 7,
    hang_after_ms: 0,
    max_hangs: 3,
};

/// What the fake does with a token.
const PANIC: Token = 13;
/// It waits until the test lets it go on.
const WAIT: Token = 14;
const FAIL: Token = 15;

/// The test's side of the fake.
struct Strings {
    /// The model says here that it is waiting.
    waits: Receiver<()>,
    go: Sender<()>,
    opened: Arc<AtomicUsize>,
    open_now: Arc<AtomicUsize>,
}

struct Fake {
    info: ModelInfo,
    act: Arc<dyn Fn(Token) -> Result<(), ModelError>>,
    opened: Arc<AtomicUsize>,
    open_now: Arc<AtomicUsize>,
}

struct FakeSession {
    act: Arc<dyn Fn(Token) -> Result<(), ModelError>>,
    predictions: Vec<LogProbs>,
    open_now: Arc<AtomicUsize>,
}

impl Drop for FakeSession {
    fn drop(&mut self) {
        self.open_now.fetch_sub(1, Ordering::SeqCst);
    }
}

impl LanguageModel for Fake {
    fn info(&self) -> &ModelInfo {
        &self.info
    }

    fn open(&self, contexts: &[Vec<Token>]) -> Result<Box<dyn Session>, ModelError> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        contexts.iter().flatten().try_for_each(|token| (self.act)(*token))?;
        self.open_now.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(FakeSession {
            act: Arc::clone(&self.act),
            predictions: vec![vec![0.0]; contexts.len()],
            open_now: Arc::clone(&self.open_now),
        }))
    }
}

impl Session for FakeSession {
    fn predict(&self) -> &[LogProbs] {
        &self.predictions
    }

    fn advance(&mut self, tokens: &[Token]) -> Result<(), ModelError> {
        tokens.iter().try_for_each(|token| (self.act)(*token))?;
        self.predictions = tokens.iter().map(|token| vec![*token as f32]).collect();
        Ok(())
    }
}

/// A replica of the fake with a window of 8; `loaded` is asked at each loading.
fn replica(loaded: impl FnMut() -> Result<(), ModelError> + Send + 'static) -> (Replica, Strings) {
    replica_within(loaded, LIMITS)
}

fn replica_within(
    mut loaded: impl FnMut() -> Result<(), ModelError> + Send + 'static,
    limits: ReplicaLimits,
) -> (Replica, Strings) {
    let (say, waits) = channel();
    let (go, gone) = channel::<()>();
    let gone = Arc::new(Mutex::new(gone));
    let (opened, open_now) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counters = (Arc::clone(&opened), Arc::clone(&open_now));
    let loader = move || {
        loaded()?;
        let (say, gone) = (say.clone(), Arc::clone(&gone));
        let act = move |token| match token {
            PANIC => panic!("on token {token}"),
            FAIL => Err(ModelError::Engine("told to fail".into())),
            WAIT => {
                say.send(()).unwrap();
                gone.lock().unwrap().recv().unwrap();
                Ok(())
            }
            _ => Ok(()),
        };
        let info = ModelInfo {
            name: "fake".into(),
            architecture: "fake".into(),
            format: "none".into(),
            parameters: 0,
            vocab: 1,
            context: 8,
            digest: [0; 32],
            tokenizer: "bytes".into(),
        };
        let act: Arc<dyn Fn(Token) -> Result<(), ModelError>> = Arc::new(act);
        let (opened, open_now) = (Arc::clone(&counters.0), Arc::clone(&counters.1));
        Ok(Box::new(Fake { info, act, opened, open_now }) as Box<dyn LanguageModel>)
    };
    let replica = Replica::spawn(loader, limits).unwrap();
    (replica, Strings { waits, go, opened, open_now })
}

fn one(token: Token) -> Vec<Vec<Token>> {
    vec![vec![token]]
}

/// Polls a future once, as its caller would, and leaves it pending.
fn start<F: Future>(future: std::pin::Pin<&mut F>) {
    assert!(matches!(future.poll(&mut Context::from_waker(Waker::noop())), Poll::Pending));
}

/// Polls a request once and expects its refusal: one that was let in would wait for the busy model for ever.
fn refused<T>(open: impl Future<Output = Result<T, ReplicaError>>) -> ReplicaError {
    match pin!(open).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Err(error)) => error,
        _ => panic!("the request was let in"),
    }
}

/// A whole round trip: everything sent before it has been done when it returns.
async fn round_trip(replica: &Replica) {
    drop(replica.open(one(1)).await.unwrap());
}

#[tokio::test]
async fn a_session_answers_each_step() {
    let (replica, _strings) = replica(|| Ok(()));
    assert!(replica.is_ready());
    assert_eq!(replica.info().name, "fake");
    let (mut session, first) = replica.open(vec![vec![1, 2], vec![]]).await.unwrap();
    assert_eq!((session.documents(), first), (2, vec![vec![0.0]; 2]));
    assert_eq!(session.advance(vec![3, 4]).await.unwrap(), [vec![3.0], vec![4.0]]);
    let kv_used = replica.load().kv_used;
    assert_eq!(kv_used, 16, "two documents of a window of 8");
}

#[tokio::test]
async fn a_full_queue_refuses_by_tokens() {
    let (replica, strings) = replica(|| Ok(()));
    let (mut busy, _) = replica.open(one(1)).await.unwrap();
    let mut running = pin!(busy.advance(vec![WAIT]));
    start(running.as_mut());
    strings.waits.recv().unwrap();

    let mut long = pin!(replica.open(vec![vec![1; 9]]));
    start(long.as_mut());
    let load = replica.load();
    assert_eq!((load.running, load.waiting, load.waiting_tokens), (1, 1, 9));
    assert_eq!(
        refused(replica.open(vec![vec![1; 2]])),
        ReplicaError::Overloaded { retry_after_ms: 7 },
        "9 + 2 tokens of 10"
    );
    strings.go.send(()).unwrap();
    running.await.unwrap();
    drop(long.await.unwrap());
}

#[tokio::test]
async fn a_full_queue_refuses_by_requests() {
    let (replica, strings) = replica(|| Ok(()));
    let (mut busy, _) = replica.open(one(1)).await.unwrap();
    let mut running = pin!(busy.advance(vec![WAIT]));
    start(running.as_mut());
    strings.waits.recv().unwrap();
    let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(replica.open(Vec::new()))).collect();
    waiting.iter_mut().for_each(|open| start(open.as_mut()));
    assert_eq!(
        refused(replica.open(Vec::new())),
        ReplicaError::Overloaded { retry_after_ms: 7 },
        "3 requests wait"
    );
    strings.go.send(()).unwrap();
    running.await.unwrap();
}

#[tokio::test]
async fn the_cache_refuses_what_it_cannot_hold_and_is_given_back() {
    let (replica, strings) = replica(|| Ok(()));
    let (session, _) = replica.open(vec![vec![1], vec![1]]).await.unwrap();
    assert_eq!(refused(replica.open(vec![vec![1], vec![1]])), ReplicaError::Overloaded { retry_after_ms: 7 });
    drop(session);
    drop(replica.open(vec![vec![1], vec![1]]).await.unwrap());
    assert_eq!(replica.load().kv_used, 0);
    // Sessions that were dropped are closed before any later request runs.
    let last = replica.open(one(1)).await.unwrap();
    assert_eq!(strings.open_now.load(Ordering::SeqCst), 1, "all but the last are closed");
    drop(last);
    let never = replica.open(vec![Vec::new(); 4]).await.unwrap_err();
    assert!(matches!(never, ReplicaError::Model(ModelError::Config { field: "contexts", .. })));
}

#[tokio::test]
async fn a_request_whose_caller_has_gone_is_never_run() {
    let (replica, strings) = replica(|| Ok(()));
    let (mut busy, _) = replica.open(one(1)).await.unwrap();
    let mut running = pin!(busy.advance(vec![WAIT]));
    start(running.as_mut());
    strings.waits.recv().unwrap();
    {
        let mut gone = pin!(replica.open(vec![vec![PANIC; 5]; 2]));
        start(gone.as_mut());
        assert_eq!(replica.load().kv_used, 24);
    }
    // Its places in the queue and in the cache go to the next one that needs them.
    let mut next = pin!(replica.open(vec![vec![1; 10]]));
    start(next.as_mut());
    strings.go.send(()).unwrap();
    running.await.unwrap();
    drop(next.await.unwrap());
    assert_eq!(strings.opened.load(Ordering::SeqCst), 2);
    assert!(replica.is_ready());
}

#[tokio::test]
async fn a_panic_fails_one_request_and_reloads_the_model() {
    let (say, reloading) = channel();
    let (go, gone) = channel();
    let mut loads = 0;
    let (replica, _strings) = replica(move || {
        loads += 1;
        if loads == 2 {
            say.send(()).unwrap();
            gone.recv().unwrap();
        }
        Ok(())
    });
    // Dropped before the replica, which would otherwise wait for a loader that waits for this.
    let go = go;
    let (mut healthy, _) = replica.open(one(1)).await.unwrap();
    let (mut broken, _) = replica.open(one(1)).await.unwrap();
    let error = broken.advance(vec![PANIC]).await.unwrap_err();
    assert_eq!(error, ReplicaError::Model(ModelError::Panicked("on token 13".into())));
    reloading.recv().unwrap();
    assert!(!replica.is_ready());
    go.send(()).unwrap();
    assert_eq!(healthy.advance(vec![5]).await.unwrap(), [vec![5.0]]);
    assert!(replica.is_ready());
    let lost = broken.advance(vec![1]).await.unwrap_err();
    assert_eq!(lost, ReplicaError::Model(ModelError::SessionLost));
}

#[tokio::test]
async fn a_failure_of_the_model_ends_only_its_session() {
    let (replica, _strings) = replica(|| Ok(()));
    let (mut session, _) = replica.open(one(1)).await.unwrap();
    let failed = session.advance(vec![FAIL]).await.unwrap_err();
    assert_eq!(failed, ReplicaError::Model(ModelError::Engine("told to fail".into())));
    let lost = session.advance(vec![1]).await.unwrap_err();
    assert_eq!(lost, ReplicaError::Model(ModelError::SessionLost));
    assert!(replica.is_ready());
    round_trip(&replica).await;
}

#[tokio::test]
async fn a_model_that_cannot_be_loaded_again_ends_the_replica() {
    let mut loads = 0;
    let (replica, _strings) = replica(move || {
        loads += 1;
        if loads == 1 { Ok(()) } else { Err(ModelError::NoDocuments) }
    });
    let (mut session, _) = replica.open(one(1)).await.unwrap();
    replica.open(one(PANIC)).await.unwrap_err();
    assert_eq!(session.advance(vec![1]).await.unwrap_err(), ReplicaError::Dead);
    assert_eq!(replica.open(one(1)).await.unwrap_err(), ReplicaError::Dead);
    assert!(!replica.is_ready());
}

#[tokio::test]
async fn a_dropped_replica_answers_dead() {
    let (replica, _strings) = replica(|| Ok(()));
    let (mut session, _) = replica.open(one(1)).await.unwrap();
    drop(replica);
    assert_eq!(session.advance(vec![1]).await.unwrap_err(), ReplicaError::Dead);
}

#[tokio::test]
async fn a_model_that_hangs_is_left_behind() {
    let (replica, strings) = replica_within(|| Ok(()), ReplicaLimits { hang_after_ms: 200, ..LIMITS });
    let (mut stuck, _) = replica.open(one(1)).await.unwrap();
    let (mut other, _) = replica.open(one(1)).await.unwrap();
    let mut running = pin!(stuck.advance(vec![WAIT]));
    start(running.as_mut());
    strings.waits.recv().unwrap();
    // Waits in the queue meanwhile: the next thread answers it.
    let mut waiting = pin!(replica.open(one(2)));
    start(waiting.as_mut());
    assert_eq!(running.await.unwrap_err(), ReplicaError::Model(ModelError::Hung));
    drop(waiting.await.unwrap());
    assert!(replica.is_ready());
    let lost = other.advance(vec![1]).await.unwrap_err();
    assert_eq!(lost, ReplicaError::Model(ModelError::SessionLost), "sessions end with their thread");
    round_trip(&replica).await;
    // The thread that was left behind comes back, and changes nothing.
    strings.go.send(()).unwrap();
    round_trip(&replica).await;
    assert!(replica.is_ready());
}

#[tokio::test]
async fn a_model_that_hangs_too_often_ends_the_replica() {
    let mut loads = 0;
    let (say, loaded) = channel();
    let count = move || {
        loads += 1;
        say.send(loads).unwrap();
        Ok(())
    };
    let limits = ReplicaLimits { hang_after_ms: 50, max_hangs: 2, ..LIMITS };
    let (replica, strings) = replica_within(count, limits);
    for hangs in 1..=2 {
        assert!(!replica.is_dead());
        let error = replica.open(one(WAIT)).await.unwrap_err();
        assert_eq!(error, ReplicaError::Model(ModelError::Hung));
        assert_eq!(replica.hangs(), hangs);
    }
    assert_eq!(replica.open(one(1)).await.unwrap_err(), ReplicaError::Dead);
    assert!(replica.is_dead() && !replica.is_ready());
    assert_eq!(loaded.try_iter().collect::<Vec<_>>(), [1, 2], "no third is loaded");
    drop(replica);
    // Those that were left behind end.
    strings.go.send(()).unwrap();
    strings.go.send(()).unwrap();
}

#[test]
fn a_loader_that_fails_or_panics_is_reported() {
    let error = Replica::spawn(|| Err(ModelError::NoDocuments), LIMITS).unwrap_err();
    assert_eq!(error, ModelError::NoDocuments);
    let error = Replica::spawn(|| panic!("no weights"), LIMITS).unwrap_err();
    assert_eq!(error, ModelError::Panicked("no weights".into()));
}
