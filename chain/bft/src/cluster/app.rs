//! A chain without a ledger: blocks that say who built them. Its memory plays the disk, and outlives a crash.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use acumen_protocol::{
    Block, Certificate, ConsensusPublic, Equivocation, Hash, Header, Height, TimestampMs, ValidatorSet,
};

use super::GENESIS;
use crate::application::{Application, Candidate, Observation, Origin};

/// The process has ended, before or after what it was doing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("crashed on purpose")]
pub(crate) struct Crash;

/// Where a node is to crash next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A proposal is stored, and nobody hears of it.
    AfterPropose,
    /// A candidate is stored, and nobody hears of it.
    AfterAssess,
    /// A block is decided and not committed.
    BeforeCommit,
    /// A block is committed, and the engine does not hear of it.
    AfterCommit,
}

/// What all nodes together have committed; panics at the first contradiction.
#[derive(Debug, Default)]
pub(crate) struct History {
    decided: Mutex<BTreeMap<u64, Hash>>,
    accused: Mutex<Vec<Equivocation>>,
    built: Mutex<BTreeMap<Hash, Block>>,
}

impl History {
    /// A block that some node has built.
    pub(crate) fn built(&self, id: &Hash) -> Option<Block> {
        self.built.lock().unwrap().get(id).cloned()
    }

    /// What was decided at a height; something else if that is not known.
    pub(crate) fn decided(&self, height: u64) -> Hash {
        let known = self.decided.lock().unwrap().get(&height).copied();
        known.unwrap_or(if height == 0 { GENESIS } else { Hash::ZERO })
    }

    fn commit(&self, node: usize, height: u64, block: Hash) {
        let mut decided = self.decided.lock().unwrap();
        let first = *decided.entry(height).or_insert(block);
        assert_eq!(first, block, "node {node} has another block at height {height}");
    }

    pub(crate) fn accused(&self) -> Vec<Equivocation> {
        self.accused.lock().unwrap().clone()
    }

    pub(crate) fn highest(&self) -> u64 {
        self.decided.lock().unwrap().last_key_value().map_or(0, |(height, _)| *height)
    }
}

#[derive(Debug, Default)]
struct Disk {
    blocks: Vec<(Block, Certificate)>,
    candidates: Vec<(bool, Candidate)>,
    fault: Option<Fault>,
}

/// One node's chain.
#[derive(Debug)]
pub(crate) struct TestApp {
    index: usize,
    sets: fn(Height) -> ValidatorSet,
    history: std::sync::Arc<History>,
    disk: Mutex<Disk>,
    clock_offset_ms: AtomicI64,
    pub(crate) synced: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) garbage: AtomicU64,
    pub(crate) lost_rounds: AtomicU64,
    /// How many blocks were built: answering again from the disk builds none.
    pub(crate) built: AtomicU64,
    /// How many blocks of others were executed to see whether they are correct.
    pub(crate) executed: AtomicU64,
}

impl TestApp {
    pub(crate) fn new(
        index: usize,
        sets: fn(Height) -> ValidatorSet,
        history: std::sync::Arc<History>,
    ) -> Self {
        Self {
            index,
            sets,
            history,
            disk: Mutex::default(),
            clock_offset_ms: AtomicI64::new(0),
            synced: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            garbage: AtomicU64::new(0),
            lost_rounds: AtomicU64::new(0),
            built: AtomicU64::new(0),
            executed: AtomicU64::new(0),
        }
    }

    pub(crate) fn height(&self) -> u64 {
        u64::try_from(self.disk.lock().unwrap().blocks.len()).unwrap()
    }

    pub(crate) fn crash_at(&self, fault: Fault) {
        self.disk.lock().unwrap().fault = Some(fault);
    }

    pub(crate) fn set_clock(&self, offset_ms: i64) {
        self.clock_offset_ms.store(offset_ms, Ordering::Relaxed);
    }

    /// As if the chain had been restored from a copy of when it had `height`.
    pub(crate) fn rewind(&self, height: usize) {
        let mut disk = self.disk.lock().unwrap();
        disk.blocks.truncate(height);
        disk.candidates.clear();
    }

    pub(crate) fn blocks(&self) -> Vec<(Block, Certificate)> {
        self.disk.lock().unwrap().blocks.clone()
    }

    /// The cluster's time with this node's error.
    fn clock(&self) -> u64 {
        let base = *START.get_or_init(tokio::time::Instant::now);
        let elapsed = tokio::time::Instant::now().saturating_duration_since(base);
        let now = 1_000_000 + u64::try_from(elapsed.as_millis()).unwrap();
        now.saturating_add_signed(self.clock_offset_ms.load(Ordering::Relaxed))
    }

    fn tip_header(disk: &Disk) -> (Hash, u64, u64) {
        disk.blocks.last().map_or((GENESIS, 0, 0), |(block, _)| {
            (block.header.id(), block.header.height.get(), block.header.time.get())
        })
    }
}

/// Clocks of all clusters of a process count from one moment, which is in nobody's future.
static START: std::sync::OnceLock<tokio::time::Instant> = std::sync::OnceLock::new();

impl Disk {
    fn crash(&mut self, at: Fault) -> Result<(), Crash> {
        if self.fault == Some(at) {
            self.fault = None;
            return Err(Crash);
        }
        Ok(())
    }
}

/// As the node's own rule: how far a proposal's time may be ahead.
const MAX_AHEAD_MS: u64 = 10_000;

impl Application for TestApp {
    type Error = Crash;

    fn genesis(&self) -> Hash {
        GENESIS
    }

    fn tip(&self) -> (Height, TimestampMs) {
        let (_, height, time) = Self::tip_header(&self.disk.lock().unwrap());
        (Height::new(height), TimestampMs::new(time))
    }

    fn validators(&self) -> Result<ValidatorSet, Crash> {
        Ok((self.sets)(Height::new(self.height() + 1)))
    }

    fn propose(&self, round: u32, proposer: &ConsensusPublic) -> Result<Block, Crash> {
        let mut disk = self.disk.lock().unwrap();
        if let Some((_, found)) = disk.candidates.iter().find(|(own, _)| *own) {
            return Ok(found.block.clone());
        }
        let built = self.built.fetch_add(1, Ordering::Relaxed);
        let (parent, height, time) = Self::tip_header(&disk);
        let set = (self.sets)(Height::new(height + 1));
        let header = Header {
            height: Height::new(height + 1),
            parent,
            time: TimestampMs::new(self.clock().max(time + 1)),
            proposer: *proposer,
            transactions_root: Hash::ZERO,
            events_root: Hash::ZERO,
            // Tells two blocks of one node apart, also if it builds them in the same millisecond.
            state_root: Hash::of(
                &[u64::try_from(self.index).unwrap().to_le_bytes(), built.to_le_bytes()].concat(),
            ),
            validators_hash: set.hash(),
            next_validators_hash: (self.sets)(Height::new(height + 2)).hash(),
        };
        let block = Block { header, transactions: Vec::new() };
        self.history.built.lock().unwrap().insert(block.header.id(), block.clone());
        let candidate = Candidate { round, pol_round: None, proposer: *proposer, block: block.clone() };
        disk.candidates.push((true, candidate));
        disk.crash(Fault::AfterPropose)?;
        Ok(block)
    }

    fn assess(&self, candidate: &Candidate, origin: Origin) -> Result<bool, Crash> {
        let mut disk = self.disk.lock().unwrap();
        let header = &candidate.block.header;
        if disk.candidates.iter().any(|(_, found)| found.block.header.id() == header.id()) {
            return Ok(true);
        }
        self.executed.fetch_add(1, Ordering::Relaxed);
        let (parent, height, time) = Self::tip_header(&disk);
        let late = header.time.get() > time;
        let timely = origin == Origin::Decided || header.time.get() <= self.clock() + MAX_AHEAD_MS;
        if header.parent != parent || header.height.get() != height + 1 || !late || !timely {
            return Ok(false);
        }
        disk.candidates.push((false, candidate.clone()));
        disk.crash(Fault::AfterAssess)?;
        Ok(true)
    }

    fn candidates(&self) -> Result<Vec<Candidate>, Crash> {
        Ok(self.disk.lock().unwrap().candidates.iter().map(|(_, candidate)| candidate.clone()).collect())
    }

    fn commit(&self, certificate: Certificate) -> Result<(), Crash> {
        let mut disk = self.disk.lock().unwrap();
        disk.crash(Fault::BeforeCommit)?;
        let found = disk.candidates.iter().find(|(_, found)| found.block.header.id() == certificate.block);
        let block = found.expect("what is decided is on disk").1.block.clone();
        let height = block.header.height.get();
        assert_eq!(
            height,
            u64::try_from(disk.blocks.len()).unwrap() + 1,
            "node {}: heights follow",
            self.index
        );
        certificate.verify(&GENESIS, &(self.sets)(block.header.height)).unwrap();
        self.history.commit(self.index, height, certificate.block);
        disk.blocks.push((block, certificate));
        disk.candidates.clear();
        disk.crash(Fault::AfterCommit)
    }

    fn decided(&self, (first, last): (Height, Height), _: usize) -> Result<Vec<(Block, Certificate)>, Crash> {
        let blocks = self.blocks().into_iter();
        Ok(blocks.filter(|(block, _)| block.header.height >= first && block.header.height <= last).collect())
    }

    fn first(&self) -> Result<Height, Crash> {
        Ok(Height::new(1))
    }

    fn accuse(&self, equivocation: Equivocation) -> Result<(), Crash> {
        equivocation.verify(&GENESIS).unwrap();
        self.history.accused.lock().unwrap().push(equivocation);
        Ok(())
    }

    fn observe(&self, observation: Observation) {
        let counter = match observation {
            Observation::Synced => &self.synced,
            Observation::Refused => &self.refused,
            Observation::Garbage => &self.garbage,
            Observation::Round { round, .. } if round > 0 => &self.lost_rounds,
            _ => return,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
