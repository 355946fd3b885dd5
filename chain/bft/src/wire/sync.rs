//! Catching up: who is how far, and decided blocks with their certificates.

use acumen_protocol::codec::{DecodeError, decode_all};
use acumen_protocol::{Certificate, Header};
use arc_malachitebft_app_channel::app::types::PeerId;
use arc_malachitebft_app_channel::app::types::codec::{Codec, HasEncodedLen};
use arc_malachitebft_app_channel::app::types::core::{ExtendedCommitCertificate, VoteExtensions};
use arc_malachitebft_app_channel::app::types::sync::{RawDecidedValue, Request, Response, Status};
use arc_malachitebft_sync::{ValueRequest, ValueResponse};
use bytes::Bytes;
use parity_scale_codec::{Decode, Encode};

use super::certificates::{certificate, commit};
use super::{Form, Scale, codec};
use crate::types::{At, Chain};

codec! {
    "request to catch up": RequestForm => Request<Chain>,
}

impl Codec<Response<Chain>> for Scale {
    type Error = DecodeError;

    /// An answer whose blocks are not the ones that its certificates are about is none: what comes further is kept without
    /// a limit, once the engine has checked the certificate.
    fn decode(&self, bytes: Bytes) -> Result<Response<Chain>, DecodeError> {
        let form: ResponseForm = decode_all(ANSWER, &bytes)?;
        form.blocks.iter().try_for_each(DecidedForm::check)?;
        Ok(form.back())
    }

    fn encode(&self, value: &Response<Chain>) -> Result<Bytes, DecodeError> {
        Ok(ResponseForm::of(value).encode().into())
    }
}

const ANSWER: &str = "answer to catch up with";

impl HasEncodedLen<Response<Chain>> for Scale {
    fn encoded_len(&self, value: &Response<Chain>) -> Result<usize, DecodeError> {
        Ok(ResponseForm::of(value).encoded_size())
    }
}

/// A decided block as it is sent: encoding of the block, certificate.
#[derive(Encode, Decode)]
struct DecidedForm {
    block: Vec<u8>,
    certificate: Certificate,
}

impl DecidedForm {
    fn check(&self) -> Result<(), DecodeError> {
        let wrong = |reason: String| DecodeError { what: ANSWER, reason };
        // A block begins with its header, and its id is the header's.
        let header = Header::decode(&mut self.block.as_slice()).map_err(|error| wrong(error.to_string()))?;
        let Certificate { height, block, .. } = &self.certificate;
        if header.id() == *block && header.height == *height {
            return Ok(());
        }
        Err(wrong(format!("the certificate is about block {height}, {block}, the block is {}", header.id())))
    }
}

/// The engine's form of a decided block.
pub(crate) fn decided(block: Vec<u8>, certificate: Certificate) -> RawDecidedValue<Chain> {
    let bare = VoteExtensions::default();
    let extended =
        ExtendedCommitCertificate::from_commit_certificate_and_extensions(commit(certificate), bare);
    RawDecidedValue::new(block.into(), extended)
}

#[derive(Encode, Decode)]
struct RequestForm {
    first: u64,
    last: u64,
}

impl Form<Request<Chain>> for RequestForm {
    fn of(value: &Request<Chain>) -> Self {
        let Request::ValueRequest(request) = value;
        Self { first: request.range.start().0, last: request.range.end().0 }
    }

    fn back(self) -> Request<Chain> {
        Request::ValueRequest(ValueRequest::new(At(self.first)..=At(self.last)))
    }
}

#[derive(Encode, Decode)]
struct ResponseForm {
    first: u64,
    blocks: Vec<DecidedForm>,
}

impl Form<Response<Chain>> for ResponseForm {
    fn of(value: &Response<Chain>) -> Self {
        let Response::ValueResponse(response) = value;
        let form = |raw: &RawDecidedValue<Chain>| DecidedForm {
            block: raw.value_bytes.to_vec(),
            certificate: certificate(&raw.certificate.trim_vote_extensions()),
        };
        Self { first: response.start_height.0, blocks: response.values.iter().map(form).collect() }
    }

    fn back(self) -> Response<Chain> {
        let blocks = self.blocks.into_iter().map(|form| decided(form.block, form.certificate));
        Response::ValueResponse(ValueResponse::new(At(self.first), blocks.collect()))
    }
}

#[derive(Encode, Decode)]
struct StatusForm {
    peer: Vec<u8>,
    tip: u64,
    first: u64,
}

impl Codec<Status<Chain>> for Scale {
    type Error = DecodeError;

    fn decode(&self, bytes: Bytes) -> Result<Status<Chain>, DecodeError> {
        let form: StatusForm = decode_all("status of a peer", &bytes)?;
        let peer_id = PeerId::from_bytes(&form.peer);
        let wrong = |error| DecodeError { what: "name of a peer", reason: format!("{error:?}") };
        let peer_id = peer_id.map_err(wrong)?;
        Ok(Status { peer_id, tip_height: At(form.tip), history_min_height: At(form.first) })
    }

    fn encode(&self, value: &Status<Chain>) -> Result<Bytes, DecodeError> {
        let peer = value.peer_id.to_bytes();
        let form = StatusForm { peer, tip: value.tip_height.0, first: value.history_min_height.0 };
        Ok(form.encode().into())
    }
}
