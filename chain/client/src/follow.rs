//! Following finality: one header of each epoch leads to the newest set, and back in time to any header.

use acumen_proto::chain::SignedHeader;
use acumen_proto::chain_v1 as wire;
use acumen_protocol::{Hash, Header, Height};

use crate::client::{fetch_header, fetch_headers, not_kept};
use crate::error::Blame;
use crate::light::{LightClient, LightError, verify_parent};
use crate::nodes::Node;
use crate::{ChainClient, ClientError};

/// Headers asked for at a time: what nodes hand out at most.
const HEADERS_AT_A_TIME: u32 = 256;

/// How far before a checkpoint the chain of parents is walked: about 5 MB of headers.
const MAX_PARENTS: u64 = 16_384;

impl ChainClient {
    /// Verifies a header that `node` gave. Newer ones move the tip; for older ones the set of their time is found.
    pub(crate) async fn follow(&self, node: &mut Node, signed: &SignedHeader) -> Result<Hash, ClientError> {
        let (result, known) = {
            let mut light = self.light();
            (light.advance(signed), light.height())
        };
        let height = signed.header.height;
        match result {
            Err(LightError::UnknownSet { .. }) if height > known => {
                let mut ahead = self.light().clone();
                self.epochs(node, &mut ahead, height).await?;
                let id = ahead.advance(signed).blame(&node.url)?;
                // Another task may have come further meanwhile: what is ahead wins.
                let mut light = self.light();
                if light.height() < ahead.height() {
                    *light = ahead;
                }
                Ok(id)
            }
            Err(LightError::UnknownSet { .. }) if height <= self.anchor() => self.parents(node, signed).await,
            Err(LightError::UnknownSet { .. }) => {
                let mut again = self.shared.anchor.clone();
                self.epochs(node, &mut again, height).await?;
                again.advance(signed).blame(&node.url)
            }
            result => result.blame(&node.url),
        }
    }

    /// Takes `light` along the last blocks of the epochs that end before `target`: nowhere else does the set change. A
    /// node that began with a state answers with what it has from a height on, whatever the step; what is not the end of
    /// an epoch is not needed.
    async fn epochs(
        &self,
        node: &mut Node,
        light: &mut LightClient,
        target: Height,
    ) -> Result<(), ClientError> {
        let tempo = self.shared.genesis.params.tempo_blocks.max(1);
        let mut next = (light.height().get() / tempo).saturating_add(1).saturating_mul(tempo);
        while next < target.get() {
            let left = (target.get() - next).div_ceil(tempo);
            let limit = u32::try_from(left).unwrap_or(HEADERS_AT_A_TIME).min(HEADERS_AT_A_TIME);
            let request = wire::GetHeadersRequest { from: next, limit, step: tempo };
            let headers = fetch_headers(node, request).await?;
            if headers.is_empty() {
                return Err(ClientError::lying(&node.url, format!("it has no header {next} below its tip")));
            }
            let mut last = next.saturating_sub(1);
            for signed in &headers {
                let found = signed.header.height;
                if found.get() <= last {
                    let reason = format!("asked for headers after {last}, got {found}");
                    return Err(ClientError::lying(&node.url, reason));
                }
                last = found.get();
                if last > next {
                    return Err(not_kept(&node.url, next, found));
                }
                if last == next {
                    light.advance(signed).blame(&node.url)?;
                    next = next.saturating_add(tempo);
                }
            }
        }
        Ok(())
    }

    /// Verifies a header up to the checkpoint: each header names its parent, back from the checkpoint.
    async fn parents(&self, node: &mut Node, signed: &SignedHeader) -> Result<Hash, ClientError> {
        let anchor = self.shared.anchor.tip();
        let (height, from) = (signed.header.height, anchor.height);
        if from.get().saturating_sub(height.get()) > MAX_PARENTS {
            let reason = format!(
                "block {height} is more than {MAX_PARENTS} blocks before the checkpoint at {from}: begin with an older \
                 checkpoint, or with genesis"
            );
            return Err(ClientError::TooOld { reason });
        }
        let mut child = anchor.clone();
        while child.height > height {
            let limit = child.height.get().saturating_sub(height.get()).min(u64::from(HEADERS_AT_A_TIME));
            let first = child.height.get().saturating_sub(limit);
            let parents = self.headers_from(node, first, limit).await?;
            for parent in parents.into_iter().rev() {
                verify_parent(&child, &parent).blame(&node.url)?;
                child = parent;
            }
        }
        if child != signed.header {
            return Err(ClientError::lying(&node.url, format!("it tells two stories about block {height}")));
        }
        Ok(child.id())
    }

    async fn headers_from(
        &self,
        node: &mut Node,
        first: u64,
        count: u64,
    ) -> Result<Vec<Header>, ClientError> {
        let mut headers: Vec<Header> = Vec::new();
        // A node may answer with fewer than it was asked for; the rest is asked for again.
        while let Some(left) = count.checked_sub(headers.len() as u64).filter(|left| *left > 0) {
            let limit = u32::try_from(left).unwrap_or(HEADERS_AT_A_TIME);
            let from = first.saturating_add(count).saturating_sub(left);
            let found = fetch_headers(node, wire::GetHeadersRequest { from, limit, step: 1 }).await?;
            if found.is_empty() || found.len() as u64 > left {
                return Err(ClientError::lying(&node.url, format!("headers from {from} on are missing")));
            }
            for (wanted, signed) in (from..).zip(found) {
                let header = signed.header;
                if header.height.get() > wanted {
                    return Err(not_kept(&node.url, wanted, header.height));
                }
                headers.push(header);
            }
        }
        Ok(headers)
    }

    /// The trusted block at `height`, to begin from elsewhere.
    pub async fn checkpoint(&self, height: Height) -> Result<crate::Checkpoint, ClientError> {
        let header = self.header(height).await?;
        Ok(crate::Checkpoint { height, block: header.id() })
    }

    /// Asks one node for its header at `height` and verifies it.
    pub(crate) async fn header_of(
        &self,
        mut node: Node,
        height: Height,
    ) -> Result<SignedHeader, ClientError> {
        let signed = fetch_header(&mut node, height.get()).await?;
        self.follow(&mut node, &signed).await?;
        Ok(signed)
    }
}
