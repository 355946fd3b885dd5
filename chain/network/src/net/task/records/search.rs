//! Searches for miners' records in the network: bounded, and answered when all that was found is checked.

use acumen_protocol::AccountId;
use acumen_protocol::miner_record::SignedMinerRecord;
use libp2p::kad;
use tokio::sync::oneshot;

use super::checks::Source;
use super::{Records, Task, wall_ms};
use crate::core::record::key_of;
use crate::net::handle::FindError;

/// Questions to the network at the same time; each asks some twenty peers.
const MAX_FINDS: usize = 32;

/// What the network said about a miner is not asked again for so long, in milliseconds.
const ASKED_MS: u64 = 10_000;

/// Whoever asks waits no longer than this, in milliseconds: peers that are gone are given up after 10 s each, which is when
/// a client gives up this node.
const PATIENCE_MS: u64 = 5_000;

/// Miners of whom is remembered when they were asked for.
const MAX_ASKED: usize = 1_024;

pub(crate) type Found = Result<Option<SignedMinerRecord>, FindError>;

/// A search that runs.
#[derive(Debug)]
pub(super) struct Find {
    pub(super) hotkey: AccountId,
    pub(super) begun_ms: u64,
    pub(super) answers: Vec<oneshot::Sender<Found>>,
    /// Records found that are still being checked.
    pub(super) checking: usize,
    /// Nothing more will be found.
    pub(super) ended: bool,
}

impl Task {
    /// Answers with the newest record of `hotkey`, which was asked for in the network unless that was done just now.
    pub(in crate::net::task) fn find_record(&mut self, hotkey: AccountId, answer: oneshot::Sender<Found>) {
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
        let find = Find { hotkey, begun_ms: now, answers: vec![answer], checking: 0, ended: false };
        self.records.finds.insert(query, find);
    }

    /// A step of a search. Each record found is checked like one that was sent.
    pub(in crate::net::task) fn on_found(
        &mut self,
        query: kad::QueryId,
        result: kad::GetRecordResult,
        last: bool,
    ) {
        let mut begun = false;
        if let Ok(kad::GetRecordOk::FoundRecord(found)) = result {
            begun = self.examine(found.peer, Source::Search { query, peer: found.peer }, &found.record);
        }
        if let Some(find) = self.records.finds.get_mut(&query) {
            find.checking = find.checking.saturating_add(usize::from(begun));
            find.ended |= last;
        }
        self.answer_find(query);
    }

    /// Answers those who have waited long enough with what is known; the search goes on for those who ask next.
    pub(super) fn answer_late(&mut self, now: u64) {
        let Records { finds, shelf, .. } = &mut self.records;
        for find in finds.values_mut().filter(|find| now.abs_diff(find.begun_ms) >= PATIENCE_MS) {
            for answer in find.answers.drain(..) {
                let _ = answer.send(Ok(shelf.get(&find.hotkey, now).cloned()));
            }
        }
    }

    /// Answers those who wait for a search, if all that it found was checked.
    pub(super) fn answer_find(&mut self, query: kad::QueryId) {
        if !self.records.finds.get(&query).is_some_and(|find| find.ended && find.checking == 0) {
            return;
        }
        let Some(find) = self.records.finds.remove(&query) else { return };
        let kept = self.records.shelf.get(&find.hotkey, wall_ms()).cloned();
        for answer in find.answers {
            let _ = answer.send(Ok(kept.clone()));
        }
    }
}
