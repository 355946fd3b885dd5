//! Miners' records in Kademlia: stored only after they were checked, sent again while they live, and looked for on demand.
//! What a check costs is spent beside this task: see [`checks`].

mod checks;
mod search;

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use acumen_protocol::codec::Encode as _;
use acumen_protocol::miner_record::{RecordError, SignedMinerRecord};
use acumen_protocol::{AccountId, Hash};
use libp2p::kad::store::RecordStore as _;
use libp2p::{PeerId, kad};
use tokio::sync::oneshot;

use super::{Task, wall};
use crate::core::record::key_of;
use crate::core::record::shelf::Shelf;
use crate::core::reputation::Deed;
use crate::net::handle::{FindError, Stats};
use crate::net::registry::Registry;
use checks::{Checked, Checks, Source};
use search::Find;
pub(crate) use search::Found;

/// Records that were handed in here and are sent again: a node serves the miners of one operator.
const MAX_OWN: usize = 64;

/// A record is sent again after this time, in milliseconds: nodes that came meanwhile learn of it.
const REPUBLISH_MS: u64 = 600_000;

type Published = oneshot::Sender<Result<(), FindError>>;

/// What is known about miners' records.
#[derive(Debug)]
pub(crate) struct Records {
    genesis: Hash,
    registry: Option<Registry>,
    shelf: Shelf,
    checks: Checks,
    /// Miners whose records were handed in here, and when each is to be sent again.
    own: BTreeMap<AccountId, u64>,
    finds: HashMap<kad::QueryId, Find>,
    asked: BTreeMap<AccountId, u64>,
}

impl Records {
    pub(crate) fn new(genesis: Hash, registry: Option<Registry>) -> Self {
        Self {
            genesis,
            registry,
            shelf: Shelf::default(),
            checks: Checks::default(),
            own: BTreeMap::new(),
            finds: HashMap::new(),
            asked: BTreeMap::new(),
        }
    }

    /// The next record whose check is done.
    pub(in crate::net) async fn next_checked(&mut self) -> Checked {
        self.checks.next().await
    }

    /// Begins the check of a record that is worth one.
    fn check(&mut self, source: Source, record: SignedMinerRecord) -> Result<(), Refused> {
        let hotkey = record.record.hotkey;
        if let Err(error) = self.shelf.wants(&record) {
            return Err(Refused::Record(source, Box::new(error)));
        }
        let Some(registry) = &self.registry else {
            return Err(Refused::Record(source, Box::new(RecordError::Unregistered { hotkey })));
        };
        self.checks.begin((self.genesis, registry), source, record).map_err(Refused::Busy)
    }

    fn is_known(&self, record: &SignedMinerRecord) -> bool {
        self.shelf.get(&record.record.hotkey, wall_ms()) == Some(record)
    }

    /// May the record of `hotkey` be one of those that are sent again from here?
    fn has_room_for(&self, hotkey: &AccountId) -> bool {
        self.own.contains_key(hotkey) || self.own.len() < MAX_OWN
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

/// No check was begun.
enum Refused {
    Record(Source, Box<RecordError>),
    Busy(Source),
}

impl Task {
    /// A record from the miner itself: kept, and sent to the nodes next to its key. Handed in once more it is sent once
    /// more: the answer to the first time may have been lost.
    pub(super) fn publish_record(&mut self, bytes: &[u8], answer: Published) {
        let record = match SignedMinerRecord::from_bytes(bytes) {
            Ok(record) => record,
            Err(error) => return answer_with(answer, Err(error.into())),
        };
        if !self.records.has_room_for(&record.record.hotkey) {
            return answer_with(answer, Err(RecordError::Full { limit: MAX_OWN }.into()));
        }
        if self.records.is_known(&record) {
            self.adopt(&record);
            return answer_with(answer, Ok(()));
        }
        match self.records.check(Source::Miner(answer), record) {
            Err(Refused::Record(Source::Miner(answer), error)) => answer_with(answer, Err((*error).into())),
            Err(Refused::Busy(Source::Miner(answer))) => answer_with(answer, Err(FindError::Busy)),
            _ => {}
        }
    }

    /// Sends a record that is kept, now and again.
    fn adopt(&mut self, record: &SignedMinerRecord) {
        self.records.own.insert(record.record.hotkey, wall_ms().saturating_add(REPUBLISH_MS));
        self.put(record);
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
        self.examine(Some(from), Source::Peer(from), entry);
    }

    /// Looks at what came from a peer, cheapest question first, and has it checked if it is worth that. True if a check
    /// was begun.
    fn examine(&mut self, peer: Option<PeerId>, source: Source, received: &kad::Record) -> bool {
        let record = match SignedMinerRecord::from_bytes(&received.value) {
            Ok(record) => record,
            Err(error) => {
                self.refuse(peer, &error);
                return false;
            }
        };
        let hotkey = record.record.hotkey;
        if received.key.as_ref() != key_of(&hotkey) {
            self.refuse(peer, &RecordError::WrongKey { hotkey });
            return false;
        }
        // The same record once more is no offence: that is what being sent again means.
        let from_peer = matches!(source, Source::Peer(_));
        if self.records.is_known(&record) || from_peer && self.records.checks.has(&record) {
            return false;
        }
        match self.records.check(source, record) {
            Ok(()) => true,
            Err(Refused::Record(_, error)) => {
                self.refuse(peer, &error);
                false
            }
            Err(Refused::Busy(_)) => {
                Stats::add(&self.stats.dropped);
                false
            }
        }
    }

    /// Holds a record against the peer that sent it.
    fn refuse(&mut self, peer: Option<PeerId>, error: &RecordError) {
        let Some(peer) = peer else { return };
        Stats::add(&self.stats.refused_records);
        tracing::debug!(%peer, %error, "a miner's record was refused");
        self.blame(peer, if error.is_forgery() { Deed::Invalid } else { Deed::BadRecord });
    }

    /// A check is done: keeps the record, or holds it against whoever sent it.
    pub(super) fn on_checked(&mut self, checked: Checked) {
        let Checked { source, record, verdict } = checked;
        match source {
            Source::Miner(answer) => self.settle_own(answer, record, verdict),
            Source::Peer(peer) => self.settle_found(Some(peer), record, verdict),
            Source::Search { query, peer } => {
                self.settle_found(peer, record, verdict);
                if let Some(find) = self.records.finds.get_mut(&query) {
                    find.checking = find.checking.saturating_sub(1);
                }
                self.answer_find(query);
            }
        }
        self.show_records();
    }

    fn settle_own(
        &mut self,
        answer: Published,
        record: SignedMinerRecord,
        verdict: Option<Result<(), RecordError>>,
    ) {
        // A check that broke leaves the answer out: whoever waits hears that nothing more comes.
        let Some(verdict) = verdict else { return };
        let room = || {
            let full = RecordError::Full { limit: MAX_OWN };
            self.records.has_room_for(&record.record.hotkey).then_some(()).ok_or(full)
        };
        let kept = verdict.and_then(|()| room());
        let kept = kept.and_then(|()| match self.records.is_known(&record) {
            // A peer was faster with it.
            true => Ok(()),
            false => self.records.shelf.put(record.clone()),
        });
        if kept.is_ok() {
            self.adopt(&record);
        }
        answer_with(answer, kept.map_err(FindError::from));
    }

    fn settle_found(
        &mut self,
        peer: Option<PeerId>,
        record: SignedMinerRecord,
        verdict: Option<Result<(), RecordError>>,
    ) {
        let Some(verdict) = verdict else { return };
        match verdict.and_then(|()| self.records.shelf.put(record.clone())) {
            Ok(()) => {
                Stats::add(&self.stats.records);
                // The store has room for as many as the shelf.
                let _ = self.swarm.behaviour_mut().kademlia.store_mut().put(entry(&record, wall_ms()));
            }
            // It came twice, and the other one was checked first.
            Err(_) if self.records.is_known(&record) => {}
            Err(error) => self.refuse(peer, &error),
        }
    }

    /// Tells the node how many records there are.
    fn show_records(&self) {
        let records = self.records.shelf.len();
        self.state.send_if_modified(|state| std::mem::replace(&mut state.records, records) != records);
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
        self.answer_late(now);
        self.show_records();
    }
}

/// Whoever handed it in may have gone.
fn answer_with(answer: Published, result: Result<(), FindError>) {
    let _ = answer.send(result);
}

/// As Kademlia keeps it: until it expires by what the miner signed, whatever a peer says.
fn entry(record: &SignedMinerRecord, now_ms: u64) -> kad::Record {
    let left = Duration::from_millis(record.record.expires_ms.saturating_sub(now_ms));
    let mut entry = kad::Record::new(key_of(&record.record.hotkey), record.encode());
    entry.expires = Instant::now().checked_add(left);
    entry
}

fn wall_ms() -> u64 {
    u64::try_from(wall().as_millis()).unwrap_or(u64::MAX)
}
