//! Reading state and blocks. Every value is checked against the state root of a certified header.

use acumen_chain_ledger::{
    Account, EpochRecord, Governance, Hotkey, KeyRecord, Params, Proposal, Stake, StateKey, Supply, Track,
    Unbonding,
};
use acumen_proto::chain::{FinalizedBlock, SignedHeader};
use acumen_proto::chain_v1 as wire;
use acumen_protocol::codec::{Decode, decode_all};
use acumen_protocol::{AccountId, ConsensusPublic, Epoch, Height, Nacu, TrackId, ValidatorSet};

use crate::error::Blame;
use crate::light::{check_body, verify_value};
use crate::nodes::Node;
use crate::{ChainClient, ClientError, SupplyReport, Verified, VerifiedAt, VerifiedBlock};

/// Most keys in one question; nodes refuse more.
pub(crate) const MAX_KEYS: usize = 4_096;

/// A coldkey's part in the stake on one hotkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The hotkey.
    pub hotkey: AccountId,
    /// What is staked, at its present worth.
    pub stake: Nacu,
    /// What is on its way back: the block of the payout, and the amount unless it is slashed.
    pub unbonding: Vec<(Height, Nacu)>,
}

/// Values of state keys, `None` where the state has none.
pub(crate) type Values = Vec<Option<Vec<u8>>>;

impl ChainClient {
    /// An account; one that the chain does not know is empty.
    pub async fn account(&self, id: AccountId) -> Result<Verified<Account>, ClientError> {
        Ok(self.value(StateKey::Account(id)).await?.map(Option::unwrap_or_default))
    }

    /// A hotkey with its owner and the stake behind it.
    pub async fn hotkey(&self, id: AccountId) -> Result<Verified<Option<Hotkey>>, ClientError> {
        self.value(StateKey::Hotkey(id)).await
    }

    /// Stake behind a hotkey, from all stakers; zero if the hotkey is not registered.
    pub async fn stake_of(&self, hotkey: AccountId) -> Result<Verified<Nacu>, ClientError> {
        Ok(self.hotkey(hotkey).await?.map(|found| found.map_or(Nacu::ZERO, |hotkey| hotkey.total_stake)))
    }

    /// Worth of one coldkey's stake on a hotkey.
    pub async fn stake_of_coldkey(
        &self,
        hotkey: AccountId,
        coldkey: AccountId,
    ) -> Result<Verified<Nacu>, ClientError> {
        let keys = [StateKey::Hotkey(hotkey), StateKey::Stake { hotkey, coldkey }];
        let Verified { value, at } = self.values(&keys, None).await?;
        let [pool, held] = value.as_slice() else { return Ok(Verified { value: Nacu::ZERO, at }) };
        let (pool, held): (Option<Hotkey>, Option<Stake>) = (decode(pool)?, decode(held)?);
        let worth = pool.zip(held).map_or(Nacu::ZERO, |(pool, held)| pool.value_of(held.shares));
        Ok(Verified { value: worth, at })
    }

    /// Everything that a coldkey has staked or is about to get back, by hotkey.
    pub async fn positions(&self, coldkey: AccountId) -> Result<Verified<Vec<Position>>, ClientError> {
        let Verified { value: hotkeys, at } =
            self.value::<Vec<AccountId>>(StateKey::Positions(coldkey)).await?;
        let hotkeys = hotkeys.unwrap_or_default();
        let keys = |hotkey: &AccountId| {
            let hotkey = *hotkey;
            [
                StateKey::Hotkey(hotkey),
                StateKey::Stake { hotkey, coldkey },
                StateKey::Unbonding { hotkey, coldkey },
            ]
        };
        let keys: Vec<StateKey> = hotkeys.iter().flat_map(keys).collect();
        let found = self.values(&keys, Some(at.height)).await?;
        let mut positions = Vec::with_capacity(hotkeys.len());
        for (hotkey, values) in hotkeys.into_iter().zip(found.value.chunks_exact(3)) {
            let [pool, held, waiting] = values else { continue };
            let (Some(pool), held, waiting) =
                (decode::<Hotkey>(pool)?, decode::<Stake>(held)?, decode::<Unbonding>(waiting)?)
            else {
                continue;
            };
            let stake = pool.value_of(held.unwrap_or_default().shares);
            let parts = waiting.unwrap_or_default().parts.into_iter();
            let unbonding = parts.map(|part| (part.due, pool.unbonding_value_of(part.shares))).collect();
            positions.push(Position { hotkey, stake, unbonding });
        }
        Ok(Verified { value: positions, at })
    }

    /// The proposals that are open or wait to be enacted, oldest first, then the newest decided ones.
    pub async fn proposals(&self) -> Result<Verified<Vec<Proposal>>, ClientError> {
        /// Decided ones that are shown.
        const SHOWN: u64 = 16;
        let Verified { value, at } = self.value::<Governance>(StateKey::Governance).await?;
        let governance = value.unwrap_or_default();
        let first = governance.last.saturating_sub(SHOWN).saturating_add(1).max(1);
        let old = governance.live.iter().copied().filter(|id| *id < first);
        let ids: Vec<u64> = old.chain(first..=governance.last).collect();
        let keys: Vec<StateKey> = ids.into_iter().map(StateKey::Proposal).collect();
        let found = self.values(&keys, Some(at.height)).await?;
        let proposals = found.value.iter().map(decode::<Proposal>).collect::<Result<Vec<_>, _>>()?;
        Ok(Verified { value: proposals.into_iter().flatten().collect(), at })
    }

    /// The set that decides the next block, from the state.
    pub async fn validator_set(&self) -> Result<Verified<ValidatorSet>, ClientError> {
        self.needed(StateKey::Validators, "the validator set").await
    }

    /// Who has bound a consensus key, and whether it is banned.
    pub async fn consensus_keys(
        &self,
        keys: &[ConsensusPublic],
    ) -> Result<Verified<Vec<Option<KeyRecord>>>, ClientError> {
        let keys: Vec<StateKey> = keys.iter().copied().map(StateKey::ConsensusKey).collect();
        let Verified { value, at } = self.values(&keys, None).await?;
        let records = value.iter().map(decode::<KeyRecord>).collect::<Result<Vec<_>, _>>()?;
        Ok(Verified { value: records, at })
    }

    /// The parameters.
    pub async fn params(&self) -> Result<Verified<Params>, ClientError> {
        self.needed(StateKey::Params, "the parameters").await
    }

    /// A track.
    pub async fn track(&self, track: TrackId) -> Result<Verified<Track>, ClientError> {
        self.needed(StateKey::Track(track), &format!("track {track}")).await
    }

    /// What an epoch decided and paid. Chains keep a bounded number of these.
    pub async fn epoch_record(
        &self,
        track: TrackId,
        epoch: Epoch,
    ) -> Result<Verified<EpochRecord>, ClientError> {
        let what = format!("the record of epoch {epoch} in track {track} (not ended yet, or no longer kept)");
        self.needed(StateKey::EpochRecord { track, epoch }, &what).await
    }

    /// Issuance, minted and burned, as the ledger counts them.
    pub async fn issuance(&self) -> Result<Verified<Supply>, ClientError> {
        self.needed(StateKey::Supply, "the supply").await
    }

    /// Issuance beside the sum of all balances, as a node has added them up: **not verified**, see [`SupplyReport`].
    pub async fn supply(&self) -> Result<SupplyReport, ClientError> {
        self.supply_at(Height::ZERO).await
    }

    /// [`Self::supply`] as it was after the block at `height`, which must have ended an epoch (0: the newest).
    pub async fn supply_at(&self, height: Height) -> Result<SupplyReport, ClientError> {
        let attempt = |mut node: Node| async move {
            let answer = node.grpc.get_supply(wire::GetSupplyRequest { height: height.get() }).await;
            let answer = answer.map_err(|status| ClientError::from_status(&node.url, &status))?.into_inner();
            Ok(SupplyReport {
                height: Height::new(answer.height),
                issuance: Nacu::new(answer.issuance),
                minted: Nacu::new(answer.minted),
                burned: Nacu::new(answer.burned),
                balances_total: Nacu::new(answer.balances_total),
            })
        };
        self.shared.nodes.ask(attempt).await
    }

    /// One block with its transactions and events.
    pub async fn block(&self, height: Height) -> Result<VerifiedBlock, ClientError> {
        self.shared.nodes.ask(|mut node| async move { self.block_of(&mut node, height).await }).await
    }

    /// The block at `height` as one node has it, verified.
    pub(crate) async fn block_of(
        &self,
        node: &mut Node,
        height: Height,
    ) -> Result<VerifiedBlock, ClientError> {
        let answer = node.grpc.get_block(wire::GetBlockRequest { height: height.get() }).await;
        let answer = answer.map_err(|status| ClientError::from_status(&node.url, &status))?.into_inner();
        let block = FinalizedBlock::try_from(answer).blame(&node.url)?;
        if block.signed.header.height != height {
            return Err(ClientError::lying(&node.url, format!("asked for block {height}, got another")));
        }
        self.verify_block(node, block).await
    }

    pub(crate) async fn verify_block(
        &self,
        node: &mut Node,
        block: FinalizedBlock,
    ) -> Result<VerifiedBlock, ClientError> {
        let events = check_body(&block).blame(&node.url)?;
        let id = self.follow(node, &block.signed).await?;
        let (header, transactions) = (block.signed.header, block.transactions);
        Ok(VerifiedBlock { header, id, transactions, events })
    }

    async fn value<T: Decode>(&self, key: StateKey) -> Result<Verified<Option<T>>, ClientError> {
        let Verified { value, at } = self.values(&[key], None).await?;
        Ok(Verified { value: decode(value.first().unwrap_or(&None))?, at })
    }

    async fn needed<T: Decode>(&self, key: StateKey, what: &str) -> Result<Verified<T>, ClientError> {
        let Verified { value, at } = self.value::<T>(key).await?;
        let value = value.ok_or_else(|| ClientError::NotFound { what: what.to_owned() })?;
        Ok(Verified { value, at })
    }

    /// Values of any keys at one block: the newest, or the one at `height`.
    pub async fn values(
        &self,
        keys: &[StateKey],
        height: Option<Height>,
    ) -> Result<Verified<Values>, ClientError> {
        let (known, height) = (self.tip().height, height.or(self.pinned));
        if height == Some(Height::ZERO) {
            return self.genesis_values(keys);
        }
        self.shared.nodes.ask(|node| self.values_from(node, keys, height, known)).await
    }

    /// The state at genesis follows from the document: no node is asked.
    fn genesis_values(&self, keys: &[StateKey]) -> Result<Verified<Values>, ClientError> {
        let computed = self.genesis().state().and_then(|state| Ok((state, self.genesis().header()?)));
        let (state, header) =
            computed.map_err(|error| ClientError::Incompatible { reason: error.to_string() })?;
        let value = keys.iter().map(|key| state.get(&key.to_bytes()).cloned().flatten()).collect();
        Ok(Verified { value, at: VerifiedAt::from(&header) })
    }

    async fn values_from(
        &self,
        mut node: Node,
        keys: &[StateKey],
        height: Option<Height>,
        known: Height,
    ) -> Result<Verified<Values>, ClientError> {
        let mut values = Vec::with_capacity(keys.len());
        let mut wanted = height;
        let mut at = None;
        for part in keys.chunks(MAX_KEYS) {
            let found = self.some_values(&mut node, part, wanted, known).await?;
            wanted = Some(found.at.height);
            at = Some(found.at);
            values.extend(found.value);
        }
        Ok(Verified { value: values, at: at.unwrap_or_else(|| self.tip()) })
    }

    async fn some_values(
        &self,
        node: &mut Node,
        keys: &[StateKey],
        height: Option<Height>,
        known: Height,
    ) -> Result<Verified<Values>, ClientError> {
        let request = wire::GetStateRequest {
            keys: keys.iter().map(StateKey::to_bytes).collect(),
            height: height.map_or(0, Height::get),
        };
        let answer = node.grpc.get_state(request).await;
        let answer = answer.map_err(|status| ClientError::from_status(&node.url, &status))?.into_inner();
        let signed =
            answer.header.ok_or_else(|| ClientError::lying(&node.url, "no header beside the values"))?;
        let signed: SignedHeader = SignedHeader::try_from(signed).blame(&node.url)?;
        let at = VerifiedAt::from(&signed.header);
        self.check_height(node, at.height, height, known)?;
        self.follow(node, &signed).await?;
        if answer.values.len() != keys.len() {
            return Err(ClientError::lying(&node.url, "not one value for each key"));
        }
        for (key, proven) in keys.iter().zip(&answer.values) {
            verify_value(&signed.header, key, proven.value.as_deref(), &proven.proof).blame(&node.url)?;
        }
        Ok(Verified { value: answer.values.into_iter().map(|proven| proven.value).collect(), at })
    }

    /// The height asked for, or at least what was known when the question was sent.
    fn check_height(
        &self,
        node: &Node,
        found: Height,
        wanted: Option<Height>,
        known: Height,
    ) -> Result<(), ClientError> {
        match wanted {
            Some(wanted) if wanted != found => {
                Err(ClientError::lying(&node.url, format!("asked for height {wanted}, got {found}")))
            }
            None if found < known => Err(ClientError::Stale { node: node.url.clone(), height: found, known }),
            _ => Ok(()),
        }
    }
}

/// A proven value of another shape than expected means that this software is older or newer than the chain.
pub(crate) fn decode<T: Decode>(value: &Option<Vec<u8>>) -> Result<Option<T>, ClientError> {
    let decoded = value.as_deref().map(|bytes| decode_all("state value", bytes)).transpose();
    decoded.map_err(|error| ClientError::Incompatible { reason: error.to_string() })
}
