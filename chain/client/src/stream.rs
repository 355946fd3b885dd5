//! Following finalised blocks.

use std::pin::Pin;
use std::time::Duration;

use acumen_proto::chain::FinalizedBlock;
use acumen_proto::chain_v1 as wire;
use acumen_protocol::{Hash, Height};
use futures::{Stream, StreamExt as _};
use tonic::Streaming;

use crate::error::Blame;
use crate::nodes::Node;
use crate::{ChainClient, ClientError, VerifiedBlock};

/// Verified blocks, each height exactly once and in order. An `Err` does not end the stream: it says why there is a
/// pause. Polling on tries again, after a growing wait.
pub type BlockStream = Pin<Box<dyn Stream<Item = Result<VerifiedBlock, ClientError>> + Send>>;

/// First and longest wait before a lost stream is opened again.
const WAITS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

impl ChainClient {
    /// Finalised blocks from height `from` on (`None`: from the next new one), then live. Reconnects by itself, to
    /// another node if need be, without a gap.
    #[must_use]
    pub fn subscribe(&self, from: Option<Height>) -> BlockStream {
        let client = self.clone();
        Box::pin(async_stream::stream! {
            let mut next = from;
            let mut parent = None;
            let mut wait = WAITS.0;
            // Nodes that do not have the next block, one after the other.
            let mut denials = 0;
            'open: loop {
                match client.open(next).await {
                    Err(error) => yield Err(error),
                    Ok((mut node, mut blocks)) => {
                        while let Some(message) = blocks.next().await {
                            match client.receive(&mut node, message, next, parent).await {
                                Ok(block) => {
                                    next = block.header.height.next();
                                    parent = Some(block.id);
                                    wait = WAITS.0;
                                    denials = 0;
                                    yield Ok(block);
                                }
                                Err(error) => {
                                    if error.try_another() {
                                        client.shared.nodes.pass_over(&node.url);
                                    }
                                    denials += usize::from(error.is_denial());
                                    if error.is_denial() && denials < client.shared.nodes.count() {
                                        continue 'open;
                                    }
                                    denials = 0;
                                    yield Err(error);
                                    break;
                                }
                            }
                        }
                    }
                }
                tokio::time::sleep(wait).await;
                wait = wait.saturating_mul(2).min(WAITS.1);
            }
        })
    }

    async fn open(
        &self,
        from: Option<Height>,
    ) -> Result<(Node, Streaming<wire::GetBlockResponse>), ClientError> {
        let request = wire::SubscribeRequest { from: from.map_or(0, Height::get) };
        let attempt = |mut node: Node| async move {
            let answer = node.grpc.subscribe(request).await;
            let stream = answer.map_err(|status| ClientError::from_status(&node.url, &status))?.into_inner();
            Ok((node, stream))
        };
        self.shared.nodes.ask(attempt).await
    }

    async fn receive(
        &self,
        node: &mut Node,
        message: Result<wire::GetBlockResponse, tonic::Status>,
        expected: Option<Height>,
        parent: Option<Hash>,
    ) -> Result<VerifiedBlock, ClientError> {
        let message = message.map_err(|status| ClientError::from_status(&node.url, &status))?;
        let block = FinalizedBlock::try_from(message).blame(&node.url)?;
        let header = &block.signed.header;
        if expected.is_some_and(|expected| expected != header.height) {
            return Err(ClientError::lying(
                &node.url,
                format!("its stream jumps to block {}", header.height),
            ));
        }
        if parent.is_some_and(|parent| parent != header.parent) {
            return Err(ClientError::lying(&node.url, "its stream is not one chain"));
        }
        self.verify_block(node, block).await
    }
}
