//! The connections to miners, one each: to the endpoint on the chain, or, where that did not lead to the miner, to the one
//! in the miner's own record (docs/spec/network.md, N-45).
//!
//! Invariant: a record's endpoint is used only after the chain's present one has failed, and no longer than the record
//! lives. When the chain says something new, or the record's endpoint fails too, the chain's comes first again. Whoever is
//! spoken to must prove to be the miner in each answer, so a wrong record costs a failed attempt and nothing else.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use acumen_miner_client::MinerClient;
use acumen_protocol::AccountId;
use acumen_protocol::call::Endpoint;
use acumen_protocol::miner_record::MinerRecord;
use serde::Serialize;
use tokio::time::Instant;

use super::backoff::Backoff;
use super::directory::Miner;

/// Who says where a miner serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointSource {
    /// The chain.
    Chain,
    /// The miner's own record, after the chain's endpoint had failed.
    Record,
}

#[derive(Debug)]
struct Contact {
    /// What the chain said when this was made.
    chain: Endpoint,
    /// Where the client leads, and until when if a record says so, in milliseconds since the Unix epoch.
    endpoint: Endpoint,
    expires_ms: Option<u64>,
    client: MinerClient,
}

impl Contact {
    fn is_good(&self, miner: &Miner, now_ms: u64) -> bool {
        self.chain == miner.endpoint && self.expires_ms.is_none_or(|expires| now_ms < expires)
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Contacts {
    contacts: BTreeMap<AccountId, Contact>,
    backoff: Backoff,
}

impl Contacts {
    /// Forgets those who are not listed any more.
    pub(super) fn retain(&mut self, listed: impl Fn(&AccountId) -> bool) {
        self.contacts.retain(|hotkey, _| listed(hotkey));
        self.backoff.retain(listed);
    }

    pub(super) fn may_ask(&self, hotkey: &AccountId, now: Instant) -> bool {
        self.backoff.may_ask(hotkey, now)
    }

    /// The connection to `miner`, if there is one of use.
    pub(super) fn get(&self, miner: &Miner) -> Option<(MinerClient, EndpointSource)> {
        let contact = self.contacts.get(&miner.hotkey).filter(|contact| contact.is_good(miner, wall_ms()))?;
        let source = contact.expires_ms.map_or(EndpointSource::Chain, |_| EndpointSource::Record);
        Some((contact.client.clone(), source))
    }

    /// A connection to the chain's endpoint of `miner`.
    pub(super) fn meet(&mut self, miner: &Miner, client: MinerClient) {
        let endpoint = miner.endpoint.clone();
        let contact = Contact { chain: endpoint.clone(), endpoint, expires_ms: None, client };
        self.contacts.insert(miner.hotkey, contact);
    }

    /// True if the record leads elsewhere than the chain, and than what is known.
    pub(super) fn is_news(&self, miner: &Miner, record: &MinerRecord) -> bool {
        let known = self.contacts.get(&miner.hotkey).filter(|known| known.is_good(miner, wall_ms()));
        record.endpoint != miner.endpoint && known.is_none_or(|known| known.endpoint != record.endpoint)
    }

    /// From now on `miner` is asked where its record says, at once; its failures are not forgotten by that.
    pub(super) fn follow(&mut self, miner: &Miner, record: &MinerRecord, client: MinerClient, now: Instant) {
        let contact = Contact {
            chain: miner.endpoint.clone(),
            endpoint: record.endpoint.clone(),
            expires_ms: Some(record.expires_ms),
            client,
        };
        self.contacts.insert(miner.hotkey, contact);
        self.backoff.lift(&miner.hotkey, now);
    }

    /// `hotkey` gave no answer of use. If a record had led to it, the chain's endpoint comes first again.
    pub(super) fn failed(&mut self, hotkey: AccountId, now: Instant, asked: Option<Duration>, astray: bool) {
        self.backoff.failed(hotkey, now, asked);
        if astray && self.contacts.get(&hotkey).is_some_and(|contact| contact.expires_ms.is_some()) {
            self.contacts.remove(&hotkey);
        }
    }

    pub(super) fn succeeded(&mut self, hotkey: &AccountId) {
        self.backoff.succeeded(hotkey);
    }
}

fn wall_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
