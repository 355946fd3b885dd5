//! Miners' records in Kademlia: stored only after they were checked, sent again while they live, and looked for on demand.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use acumen_protocol::codec::Encode as _;
use acumen_protocol::{AccountId, Hash};
use libp2p::kad::store::RecordStore as _;
use libp2p::{PeerId, kad};
use tokio::sync::oneshot;

use super::{Task, wall};
use crate::core::record::shelf::Shelf;
use crate::core::record::{RecordError, SignedMinerRecord, key_of};
use crate::core::reputation::Deed;
use crate::net::handle::{FindError, Stats};
use crate::net::registry::Registry;

/// Records that were handed in here and are sent again: a node serves the miners of one operator.
const MAX_OWN: usize = 64;

/// A record is sent again after this time, in milliseconds: nodes that came meanwhile learn of it.
const REPUBLISH_MS: u64 = 600_000;

/// Questions to the network at the same time; each asks some twenty peers.
const MAX_FINDS: usize = 32;

/// What the network said about a miner is not asked again for so long, in milliseconds.
const ASKED_MS: u64 = 10_000;

/// Miners of whom is remembered when they were asked for.
const MAX_ASKED: usize = 1_024;

pub(crate) type Found = Result<Option<SignedMinerRecord>, FindError>;

/// What is known about miners' records.
#[derive(Debug)]
pub(crate) struct Records {
    genesis: Hash,
    registry: Option<Registry>,
    shelf: Shelf,
    /// Miners whose records were handed in here, and when each is to be sent again.
    own: BTreeMap<AccountId, u64>,
    finds: HashMap<kad::QueryId, Find>,
    asked: BTreeMap<AccountId, u64>,
}

#[derive(Debug)]
struct Find {
    hotkey: AccountId,
    answers: Vec<oneshot::Sender<Found>>,
}

impl Records {
    pub(crate) fn new(genesis: Hash, registry: Option<Registry>) -> Self {
        let (own, finds, asked) = (BTreeMap::new(), HashMap::new(), BTreeMap::new());
        Self { genesis, registry, shelf: Shelf::default(), own, finds, asked }
    }

    /// Reads and checks a record, cheapest question first, and keeps it.
    fn take(&mut self, key: Option<&[u8]>, bytes: &[u8], now: u64) -> Result<SignedMinerRecord, RecordError> {
        let record = SignedMinerRecord::from_bytes(bytes)?;
        let hotkey = record.record.hotkey;
        if key.is_some_and(|key| key != record.key()) {
            return Err(RecordError::WrongKey { hotkey });
        }
        self.shelf.wants(&record)?;
        if !self.registry.as_ref().is_some_and(|registry| registry.knows(&hotkey)) {
            return Err(RecordError::Unregistered { hotkey });
        }
        record.check(&self.genesis, now)?;
        self.shelf.put(record.clone())?;
        Ok(record)
    }

    /// Those whose records are to be sent again now.
    fn due(&mut self, now: u64) -> Vec<AccountId> {
        let due: Vec<AccountId> =
            self.own.iter().filter(|(_, at)| **at <= now).map(|(hotkey, _)| *hotkey).collect();
        for hotkey in &due {
            self.own.insert(*hotkey, now.saturating_add(REPUBLISH_MS));
        }
        due
    }
}

impl Task {
    /// A record from the miner itself: kept, and sent to the nodes next to its key.
    pub(super) fn publish_record(&mut self, bytes: &[u8]) -> Result<(), RecordError> {
        let now = wall_ms();
        let known = bytes_hotkey(bytes).is_some_and(|hotkey| self.records.own.contains_key(&hotkey));
        if !known && self.records.own.len() >= MAX_OWN {
            return Err(RecordError::Full { limit: MAX_OWN });
        }
        let record = self.records.take(None, bytes, now)?;
        self.records.own.insert(record.record.hotkey, now.saturating_add(REPUBLISH_MS));
        self.put(&record);
        Ok(())
    }

    /// Stores a checked record here and asks the nodes next to its key to do the same.
    fn put(&mut self, record: &SignedMinerRecord) {
        let entry = entry(record, wall_ms());
        if let Err(error) = self.swarm.behaviour_mut().kademlia.put_record(entry, kad::Quorum::One) {
            tracing::debug!(%error, "a miner's record was not put into Kademlia");
        }
    }

    /// A record that a peer wants stored here. Kademlia stores none by itself (`FilterBoth`).
    pub(super) fn on_inbound_record(&mut self, from: PeerId, entry: &kad::Record) {
        let now = self.now_ms();
        if !self.peers.may_store(&from, now) {
            Stats::add(&self.stats.over_rate);
            self.blame(from, Deed::TooMuch);
            return;
        }
        self.keep(Some(from), entry);
    }

    /// Checks what came from a peer and keeps it, or holds it against the peer.
    fn keep(&mut self, from: Option<PeerId>, received: &kad::Record) {
        let now = wall_ms();
        match self.records.take(Some(received.key.as_ref()), &received.value, now) {
            Ok(record) => {
                Stats::add(&self.stats.records);
                // The store has room for as many as the shelf.
                let _ = self.swarm.behaviour_mut().kademlia.store_mut().put(entry(&record, now));
            }
            Err(error) => {
                let Some(from) = from else { return };
                if self.is_known(&received.value) {
                    return;
                }
                Stats::add(&self.stats.refused_records);
                tracing::debug!(peer = %from, %error, "a miner's record was refused");
                self.blame(from, if error.is_forgery() { Deed::Invalid } else { Deed::BadRecord });
            }
        }
    }

    /// The same record once more is no offence: that is what being sent again means.
    fn is_known(&self, bytes: &[u8]) -> bool {
        let kept = bytes_hotkey(bytes).and_then(|hotkey| self.records.shelf.get(&hotkey, wall_ms()));
        kept.is_some_and(|kept| kept.encode() == bytes)
    }

    /// Answers with the newest record of `hotkey`, which was asked for in the network unless that was done just now.
    pub(super) fn find_record(&mut self, hotkey: AccountId, answer: oneshot::Sender<Found>) {
        let now = wall_ms();
        if let Some(find) = self.records.finds.values_mut().find(|find| find.hotkey == hotkey) {
            if find.answers.len() < MAX_FINDS {
                find.answers.push(answer);
            } else {
                let _ = answer.send(Err(FindError::Busy));
            }
            return;
        }
        let asked = self.records.asked.get(&hotkey).is_some_and(|at| now < at.saturating_add(ASKED_MS));
        if asked || self.records.registry.is_none() {
            let kept = self.records.shelf.get(&hotkey, now).cloned();
            // Whoever has asked may have gone.
            let _ = answer.send(Ok(kept));
            return;
        }
        if self.records.finds.len() >= MAX_FINDS {
            let _ = answer.send(Err(FindError::Busy));
            return;
        }
        self.records.asked.retain(|_, at| now < at.saturating_add(ASKED_MS));
        if self.records.asked.len() < MAX_ASKED {
            self.records.asked.insert(hotkey, now);
        }
        let query = self.swarm.behaviour_mut().kademlia.get_record(key_of(&hotkey).into());
        self.records.finds.insert(query, Find { hotkey, answers: vec![answer] });
    }

    /// A step of a search. Each record found is checked like one that was sent.
    pub(super) fn on_found(&mut self, query: kad::QueryId, result: kad::GetRecordResult, last: bool) {
        if let Ok(kad::GetRecordOk::FoundRecord(found)) = result {
            self.keep(found.peer, &found.record);
        }
        if !last {
            return;
        }
        let Some(find) = self.records.finds.remove(&query) else { return };
        let kept = self.records.shelf.get(&find.hotkey, wall_ms()).cloned();
        for answer in find.answers {
            let _ = answer.send(Ok(kept.clone()));
        }
    }

    /// Forgets what has expired, and sends again what was handed in here.
    pub(super) fn tend_records(&mut self) {
        let now = wall_ms();
        for hotkey in self.records.shelf.expire(now) {
            self.records.own.remove(&hotkey);
            self.swarm.behaviour_mut().kademlia.remove_record(&key_of(&hotkey).into());
        }
        for hotkey in self.records.due(now) {
            if let Some(record) = self.records.shelf.get(&hotkey, now).cloned() {
                self.put(&record);
            }
        }
    }
}

fn bytes_hotkey(bytes: &[u8]) -> Option<AccountId> {
    SignedMinerRecord::from_bytes(bytes).ok().map(|read| read.record.hotkey)
}

/// As Kademlia keeps it: until it expires by what the miner signed, whatever a peer says.
fn entry(record: &SignedMinerRecord, now_ms: u64) -> kad::Record {
    let left = Duration::from_millis(record.record.expires_ms.saturating_sub(now_ms));
    let mut entry = kad::Record::new(record.key(), record.encode());
    entry.expires = Instant::now().checked_add(left);
    entry
}

fn wall_ms() -> u64 {
    u64::try_from(wall().as_millis()).unwrap_or(u64::MAX)
}
