//! A miner for the tests of those who ask miners: on a real socket, with real signatures, over a small real model, and
//! misbehaving as told; and a node that tells where miners are, or lies about it.
//!
//! A dependency of tests only. It verifies the asker's signatures as a real miner does, so that a test fails when an asker
//! signs wrongly; what it keeps of each stream tells a test what was asked. A fault of the set-up panics.
#![forbid(unsafe_code)]

mod behaviour;
mod ngram;
mod node;
mod service;
mod session;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use acumen_proto::inference_v1::inference_server::InferenceServer;
use acumen_protocol::call::Endpoint;
use acumen_protocol::{AccountId, Hash, Keypair};
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tonic::transport::server::TcpIncoming;

pub use behaviour::Behaviour;
pub use ngram::NGram;
pub use node::FakeNode;
use service::Service;

/// Shorter than the askers' own time limits in tests: a stream that only those end is one that nobody cancelled.
const WATCHDOG: Duration = Duration::from_secs(10);

/// A running miner; its server stops with the runtime.
#[derive(Debug)]
pub struct FakeMiner {
    /// Where it listens.
    pub address: SocketAddr,
    /// Who signs its answers.
    pub hotkey: AccountId,
    /// What it answers with.
    pub model: Arc<NGram>,
    seen: Arc<Seen>,
    live: watch::Receiver<usize>,
}

/// What a miner saw, and how it was told to stand.
#[derive(Debug)]
struct Seen {
    live: watch::Sender<usize>,
    down: AtomicBool,
    opened: Notify,
    ended: Notify,
    contexts: Mutex<Vec<Vec<u8>>>,
    request_ids: Mutex<Vec<String>>,
}

impl FakeMiner {
    /// A miner on a free port; `seed` makes its hotkey.
    pub async fn start(seed: u8, model: Arc<NGram>, behaviour: Behaviour) -> Self {
        let key = Keypair::from_seed(&[seed; 32]);
        let (listener, address) = bind().await;
        let (miner, seen) = Self::new(address, &key, Arc::clone(&model));
        let service = InferenceServer::new(Service { key, model, behaviour, seen });
        let server = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        miner
    }

    /// A miner that is listed but not there.
    pub async fn dead(seed: u8) -> Self {
        let (_, address) = bind().await;
        Self::new(address, &Keypair::from_seed(&[seed; 32]), Arc::new(NGram::train(0, b""))).0
    }

    fn new(address: SocketAddr, key: &Keypair, model: Arc<NGram>) -> (Self, Arc<Seen>) {
        let (sender, live) = watch::channel(0);
        let seen = Arc::new(Seen {
            live: sender,
            down: AtomicBool::new(false),
            opened: Notify::new(),
            ended: Notify::new(),
            contexts: Mutex::default(),
            request_ids: Mutex::default(),
        });
        (Self { address, hotkey: key.account(), model, seen: Arc::clone(&seen), live }, seen)
    }

    /// As the chain would publish it.
    ///
    /// # Panics
    /// Never: a socket's address is a URL that the protocol allows.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        let url = format!("http://{}", self.address);
        Endpoint::new(&url, Hash::ZERO, None).expect("a socket's address is a good endpoint")
    }

    /// Waits until so many streams are open.
    ///
    /// # Panics
    /// If that takes longer than ten seconds.
    pub async fn wait_for_streams(&self, count: usize) {
        let mut live = self.live.clone();
        let reached = tokio::time::timeout(WATCHDOG, live.wait_for(|live| *live == count)).await;
        assert!(matches!(reached, Ok(Ok(_))), "the streams open and close long before this");
    }

    /// Refuses streams from now on, or takes them again.
    pub fn set_down(&self, down: bool) {
        self.seen.down.store(down, Ordering::SeqCst);
    }

    /// Waits for an opening that nobody has waited for.
    pub async fn opened(&self) {
        self.seen.opened.notified().await;
    }

    /// Waits for the end of a stream that nobody has waited for.
    pub async fn ended(&self) {
        self.seen.ended.notified().await;
    }

    /// Contexts of all streams, in order.
    #[must_use]
    pub fn contexts(&self) -> Vec<Vec<u8>> {
        self.seen.contexts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets what was asked so far.
    pub fn forget(&self) {
        self.seen.contexts.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.seen.request_ids.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Request ids of all calls, in order.
    #[must_use]
    pub fn request_ids(&self) -> Vec<String> {
        self.seen.request_ids.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn bind() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let address = listener.local_addr().expect("a bound listener has an address");
    (listener, address)
}
