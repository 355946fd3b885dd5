//! A request's body on its way in: counted, timed, and held back while there is no room.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::future::BoxFuture;
use http_body::{Body as _, Frame, SizeHint};
use tokio::time::Sleep;
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::Bytes;

use super::frames::Frames;
use super::{Claim, FREE_BYTES, Gate, Rule, Share, claim};
use crate::refusal::Refusal;

type Wanted = BoxFuture<'static, Option<Claim>>;

/// A body. What it holds is given back when its message has been handed on, or when it is dropped.
pub(super) struct Reading {
    inner: Body,
    rule: Rule,
    share: Share,
    gate: Arc<Gate>,
    frames: Frames,
    deadline: Option<Pin<Box<Sleep>>>,
    /// Came, and waits for room.
    next: Option<Frame<Bytes>>,
    wanted: Option<Wanted>,
    held: Vec<Claim>,
    over: bool,
}

impl Reading {
    pub(super) fn new(inner: Body, rule: Rule, share: Share, gate: Arc<Gate>) -> Self {
        let deadline = rule.whole.then(|| Box::pin(tokio::time::sleep(gate.deadline)));
        Self {
            inner,
            rule,
            share,
            gate,
            frames: Frames::default(),
            deadline,
            next: None,
            wanted: None,
            held: Vec::new(),
            over: false,
        }
    }

    /// Ends the body.
    fn end(&mut self, refusal: &Refusal) -> Status {
        self.over = true;
        (self.wanted, self.next, self.deadline) = (None, None, None);
        self.held.clear();
        // Of a stream the opening says why, and counts it.
        if self.rule.whole { (self.gate.refuse)(refusal) } else { refusal.status() }
    }

    /// Looks at what has come before it is handed on.
    fn look(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let begun = self.frames.follow(bytes);
        let Rule { most, limit, whole } = self.rule;
        if let Some(length) = begun.iter().find(|length| **length > most) {
            let (found, allowed) = (*length as u64, most as u64);
            return Err(Refusal::Limit { what: "the message's length in bytes", limit, found, allowed });
        }
        let messages = self.frames.messages() as u64;
        if whole && messages > 1 {
            let (what, limit) = ("the number of messages", "messages of one request");
            return Err(Refusal::Limit { what, limit, found: messages, allowed: 1 });
        }
        let large = begun.into_iter().filter(|length| *length > FREE_BYTES).max();
        if let Some(length) = large {
            self.wanted =
                Some(Box::pin(claim(Arc::clone(&self.share), Arc::clone(&self.gate.unread), length)));
        }
        Ok(())
    }

    /// The next piece, when there is room for it.
    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        loop {
            if let Some(wanted) = &mut self.wanted {
                self.held.extend(ready!(wanted.as_mut().poll(context)));
                self.wanted = None;
            }
            if let Some(frame) = self.next.take() {
                if !self.rule.whole && self.frames.is_between() {
                    // The message is complete: from here on it counts with the queue.
                    self.held.clear();
                }
                return Poll::Ready(Some(Ok(frame)));
            }
            let frame = match ready!(Pin::new(&mut self.inner).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                other => {
                    (self.over, self.deadline) = (true, None);
                    return Poll::Ready(other);
                }
            };
            if let Some(Err(refusal)) = frame.data_ref().map(|bytes| self.look(bytes)) {
                return Poll::Ready(Some(Err(self.end(&refusal))));
            }
            self.next = Some(frame);
        }
    }
}

impl http_body::Body for Reading {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if this.over {
            return Poll::Ready(None);
        }
        // What has come is handed on first: an answer that is ready is never late.
        if let Poll::Ready(piece) = this.poll_piece(context) {
            return Poll::Ready(piece);
        }
        let Some(deadline) = &mut this.deadline else { return Poll::Pending };
        ready!(deadline.as_mut().poll(context));
        let refusal = Refusal::OpeningTimeout(this.gate.deadline);
        Poll::Ready(Some(Err(this.end(&refusal))))
    }

    fn is_end_stream(&self) -> bool {
        self.over || (self.next.is_none() && self.inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        if self.over || self.next.is_some() { SizeHint::default() } else { self.inner.size_hint() }
    }
}
