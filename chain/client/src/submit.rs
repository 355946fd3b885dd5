//! Signing and submitting transactions, and waiting for them.

use std::sync::{Arc, PoisonError};

use acumen_chain_ledger::{Event, Rejection};
use acumen_proto::chain_v1 as wire;
use acumen_protocol::{AccountId, Call, Hash, Height, Keypair, Nacu, Nonce, SignedTransaction, Transaction};
use futures::StreamExt as _;

use crate::nodes::Node;
use crate::{ChainClient, ClientError, Included, TxId, VerifiedBlock};

/// Blocks for which a transaction stays valid: long enough for a busy chain, short enough that a stuck one does not
/// surprise its sender.
const VALID_BLOCKS: u64 = 256;

/// Attempts at a nonce that others of the same sender are taking at the same time.
const NONCE_ATTEMPTS: usize = 16;

impl ChainClient {
    /// Signs `call` with `key` and submits it: takes the sender's next nonce and an expiry. Several tasks, and several
    /// clients of one key, may do this at once.
    pub async fn submit(&self, call: Call, key: &Keypair) -> Result<TxId, ClientError> {
        self.submit_with_tip(call, Nacu::ZERO, key).await
    }

    /// The same with a tip on top of the fee, to stand before others in a full block.
    pub async fn submit_with_tip(&self, call: Call, tip: Nacu, key: &Keypair) -> Result<TxId, ClientError> {
        let sender = key.account();
        let turn = self.turn_of(sender);
        let _turn = turn.lock().await;
        let account = self.account(sender).await?;
        let valid_until = Height::new(account.at.height.get().saturating_add(VALID_BLOCKS));
        let mut nonce = account.value.nonce;
        let mut last = None;
        for _ in 0..NONCE_ATTEMPTS {
            let genesis = self.genesis_hash();
            let transaction = Transaction { genesis, sender, nonce, valid_until, tip, call: call.clone() };
            match self.submit_signed(&transaction.sign(key)).await {
                Err(ClientError::Rejected(Rejection::Nonce { expected, found })) if expected > found => {
                    nonce = expected;
                    last = Some(ClientError::Rejected(Rejection::Nonce { expected, found }));
                }
                result => return result,
            }
        }
        Err(last.unwrap_or(ClientError::Rejected(Rejection::Nonce { expected: nonce, found: Nonce::ZERO })))
    }

    /// Submits a transaction that is signed already. Submitting the same bytes twice is harmless.
    pub async fn submit_signed(&self, signed: &SignedTransaction) -> Result<TxId, ClientError> {
        let (bytes, id) = (signed.to_bytes(), signed.id());
        let valid_until = signed.unverified().valid_until;
        let attempt = |mut node: Node| {
            let request = wire::SubmitRequest { transaction_scale: bytes.clone() };
            async move {
                match node.grpc.submit(request).await {
                    Ok(_) => Ok(TxId { id, valid_until }),
                    Err(status) => match ClientError::from_status(&node.url, &status) {
                        // The node, or another one before it, may have taken these very bytes already.
                        error @ ClientError::Rejected(Rejection::Nonce { .. }) => {
                            match self.lookup(node, id).await {
                                Ok(wire::get_transaction_response::State::Unknown) | Err(_) => Err(error),
                                Ok(_) => Ok(TxId { id, valid_until }),
                            }
                        }
                        error => Err(error),
                    },
                }
            }
        };
        self.shared.nodes.ask(attempt).await
    }

    /// Waits until the transaction stands in a block, and verifies that block. A transaction that failed there is
    /// [`ClientError::Failed`]; one that was not included in time is [`ClientError::Expired`]. Waits as long as the
    /// chain takes: set a timeout around it.
    pub async fn wait_included(&self, tx: &TxId) -> Result<Included, ClientError> {
        let mut blocks = self.subscribe(None);
        if let Some(block) = self.block_with(tx.id).await? {
            return outcome_in(&block, tx.id);
        }
        let mut checked = false;
        while let Some(block) = blocks.next().await {
            let Ok(block) = block else { continue };
            if let Some(outcome) = outcome(&block, tx.id) {
                return outcome;
            }
            // Between the question above and the stream's first block the transaction may have been included.
            if !checked {
                checked = true;
                if let Some(block) = self.block_with(tx.id).await? {
                    return outcome_in(&block, tx.id);
                }
            }
            if block.header.height >= tx.valid_until {
                break;
            }
        }
        Err(ClientError::Expired { id: tx.id, valid_until: tx.valid_until })
    }

    /// Submits and waits.
    pub async fn submit_and_wait(&self, call: Call, key: &Keypair) -> Result<Included, ClientError> {
        let tx = self.submit(call, key).await?;
        self.wait_included(&tx).await
    }

    /// The block that holds the transaction, if a node has it. That it is in none is the word of those who answered: each
    /// is asked.
    async fn block_with(&self, id: Hash) -> Result<Option<VerifiedBlock>, ClientError> {
        let attempt = |mut node: Node| async move {
            let answer = node.grpc.get_transaction(wire::GetTransactionRequest { id: id.0.to_vec() }).await;
            let answer = answer.map_err(|status| ClientError::from_status(&node.url, &status))?.into_inner();
            if answer.state() != wire::get_transaction_response::State::Included {
                return Err(ClientError::Missing {
                    node: node.url,
                    what: format!("a block with transaction {id}"),
                });
            }
            let block = self.block_of(&mut node, Height::new(answer.height)).await?;
            if outcome(&block, id).is_none() {
                let reason = format!("transaction {id} is not in block {}", answer.height);
                return Err(ClientError::lying(&node.url, reason));
            }
            Ok(block)
        };
        match self.shared.nodes.ask_each(attempt).await {
            Ok(block) => Ok(Some(block)),
            Err(failures) if failures.iter().any(ClientError::is_denial) => Ok(None),
            Err(failures) => Err(ClientError::of_all(failures)),
        }
    }

    async fn lookup(
        &self,
        mut node: Node,
        id: Hash,
    ) -> Result<wire::get_transaction_response::State, ClientError> {
        let answer = node.grpc.get_transaction(wire::GetTransactionRequest { id: id.0.to_vec() }).await;
        Ok(answer.map_err(|status| ClientError::from_status(&node.url, &status))?.into_inner().state())
    }

    fn turn_of(&self, sender: AccountId) -> Arc<tokio::sync::Mutex<()>> {
        let mut senders = self.shared.senders.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(senders.entry(sender).or_default())
    }
}

/// The same of the block that was found with it.
fn outcome_in(block: &VerifiedBlock, id: Hash) -> Result<Included, ClientError> {
    let what = || format!("transaction {id} in block {}", block.header.height);
    outcome(block, id).unwrap_or_else(|| Err(ClientError::NotFound { what: what() }))
}

/// What the block's events say about the transaction, if it stands there.
fn outcome(block: &VerifiedBlock, id: Hash) -> Option<Result<Included, ClientError>> {
    let included = |fee: Nacu| Ok(Included { at: block.at(), fee });
    block.events.iter().find_map(|event| match event {
        Event::Applied { id: found, fee } if *found == id => Some(included(*fee)),
        Event::Failed { id: found, reason, .. } if *found == id => {
            Some(Err(ClientError::Failed { height: block.header.height, reason: reason.clone() }))
        }
        _ => None,
    })
}
