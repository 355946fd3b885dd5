//! What every answer has in common: it carries a receipt over the conversation that includes it.

use acumen_protocol::Signature;
use prost::Message;

use crate::error::bytes;
use crate::{WireError, inference_v1 as wire};

/// A message of the miner that carries a receipt.
pub trait Answer: Message + Default + Clone {
    /// The receipt's bytes.
    fn receipt(&self) -> &[u8];

    /// Replaces the receipt and returns the one before.
    fn set_receipt(&mut self, receipt: Vec<u8>) -> Vec<u8>;

    /// The bytes that are hashed: the message without its receipt.
    fn bytes(&mut self) -> Vec<u8> {
        let receipt = self.set_receipt(Vec::new());
        let bytes = self.encode_to_vec();
        self.set_receipt(receipt);
        bytes
    }

    /// The receipt as a signature.
    ///
    /// # Errors
    /// If it has another length.
    fn proof(&self) -> Result<Signature, WireError> {
        Ok(Signature(bytes("receipt", self.receipt())?))
    }
}

macro_rules! answer {
    ($($message:ident),*) => {$(
        impl Answer for wire::$message {
            fn receipt(&self) -> &[u8] {
                &self.receipt
            }
            fn set_receipt(&mut self, receipt: Vec<u8>) -> Vec<u8> {
                std::mem::replace(&mut self.receipt, receipt)
            }
        }
    )*};
}
answer!(PredictResponse, GenerateResponse, TokenizeResponse, DetokenizeResponse, EmbedResponse);

/// Why a generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// `max_tokens` are there.
    Length,
    /// A stop id was chosen.
    Stop,
}

impl Finish {
    /// The name that OpenAI's API gives it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::Stop => "stop",
        }
    }

    /// From the wire; `None` while there is more to come.
    #[must_use]
    pub const fn from_wire(reason: wire::FinishReason) -> Option<Self> {
        match reason {
            wire::FinishReason::Unspecified => None,
            wire::FinishReason::Length => Some(Self::Length),
            wire::FinishReason::Stop => Some(Self::Stop),
        }
    }
}

impl From<Finish> for wire::FinishReason {
    fn from(finish: Finish) -> Self {
        match finish {
            Finish::Length => Self::Length,
            Finish::Stop => Self::Stop,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_receipt_is_left_out_of_what_it_covers() {
        let plain = wire::TokenizeResponse { ids: vec![1, 300], receipt: Vec::new() };
        let mut signed = wire::TokenizeResponse { receipt: vec![9; 64], ..plain.clone() };
        assert_eq!(signed.bytes(), plain.encode_to_vec());
        assert_eq!(signed.proof().unwrap(), Signature([9; 64]), "it is put back");
        assert!(plain.proof().is_err());
    }
}
