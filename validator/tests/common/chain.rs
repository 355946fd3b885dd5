//! A chain in memory: the test sets its height and sees every call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use acumen_protocol::call::Endpoint;
use acumen_protocol::{AccountId, Call, Hash, Height, Keypair};
use acumen_validator::{Chain, ChainError, Miner, View};
use tokio::sync::{mpsc, watch};

#[derive(Clone, Debug)]
pub struct Ledger {
    tips: Arc<watch::Sender<Height>>,
    calls: mpsc::UnboundedSender<Call>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
pub struct State {
    pub miners: Vec<Miner>,
    pub registered: bool,
    /// Where miners say that they serve.
    pub records: BTreeMap<AccountId, Endpoint>,
    /// While set, transactions are seen and not included.
    pub refuses: bool,
}

pub const TEMPO: u64 = 20;

impl Ledger {
    /// The chain and the calls that reach it, included or not.
    pub fn new(miners: Vec<Miner>) -> (Self, mpsc::UnboundedReceiver<Call>) {
        let (calls, seen) = mpsc::unbounded_channel();
        let state = State { miners, registered: true, records: BTreeMap::new(), refuses: false };
        let tips = Arc::new(watch::channel(Height::ZERO).0);
        (Self { tips, calls, state: Arc::new(Mutex::new(state)) }, seen)
    }

    pub fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    pub fn advance_to(&self, height: u64) {
        self.tips.send_replace(Height::new(height));
    }
}

impl Chain for Ledger {
    fn genesis(&self) -> Hash {
        Hash([5; 32])
    }

    fn tips(&self) -> watch::Receiver<Height> {
        self.tips.subscribe()
    }

    async fn tempo(&self) -> Result<u64, ChainError> {
        Ok(TEMPO)
    }

    async fn view(&self, _: AccountId) -> Result<View, ChainError> {
        let state = self.state.lock().unwrap();
        Ok(View { registered: state.registered, permit: true, miners: state.miners.clone() })
    }

    async fn record_of(&self, hotkey: AccountId) -> Option<Endpoint> {
        self.state.lock().unwrap().records.get(&hotkey).cloned()
    }

    async fn submit(&self, call: Call, _: &Keypair) -> Result<(), ChainError> {
        let refuses = self.state.lock().unwrap().refuses;
        self.calls.send(call).unwrap();
        if refuses { Err(ChainError::Retry("the node is gone".to_owned())) } else { Ok(()) }
    }
}
