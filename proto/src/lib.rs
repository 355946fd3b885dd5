//! The wire: versioned protobuf packages, and total conversions between their messages and the domain types.
//!
//! Protobuf is transport only. What is hashed or signed is SCALE (see `acumen_protocol::codec`), except the bytes of a
//! stream's own messages, which are hashed as sent. A conversion into a domain type refuses whatever the domain cannot
//! hold; a conversion out of one cannot fail.

pub mod auth;
pub mod chain;
pub mod error;
pub mod inference;
pub mod request_id;
pub mod verifier;

pub use error::WireError;
pub use request_id::RequestId;

/// Generated code. Its items are documented in the `.proto` files.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::too_many_lines, rustdoc::all)]
mod generated {
    pub mod inference {
        tonic::include_proto!("acumen.inference.v1");
    }
    pub mod chain {
        tonic::include_proto!("acumen.chain.v1");
    }
    pub mod kserve {
        tonic::include_proto!("inference");
    }
    pub mod validation {
        tonic::include_proto!("acumen.validation.v1");
    }
}

pub use generated::chain as chain_v1;
pub use generated::inference as inference_v1;
pub use generated::kserve as kserve_v2;
pub use generated::validation as validation_v1;

/// Descriptors of all packages, for gRPC reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// gRPC path of the Predict stream: part of what a request's signature covers.
pub const PREDICT_PATH: &str = "/acumen.inference.v1.Inference/Predict";
/// gRPC path of GetInfo.
pub const GET_INFO_PATH: &str = "/acumen.inference.v1.Inference/GetInfo";
/// gRPC path of GetLoad.
pub const GET_LOAD_PATH: &str = "/acumen.inference.v1.Inference/GetLoad";
/// gRPC path of Generate.
pub const GENERATE_PATH: &str = "/acumen.inference.v1.Inference/Generate";
/// gRPC path of Tokenize.
pub const TOKENIZE_PATH: &str = "/acumen.inference.v1.Inference/Tokenize";
/// gRPC path of Detokenize.
pub const DETOKENIZE_PATH: &str = "/acumen.inference.v1.Inference/Detokenize";
/// gRPC path of Embed.
pub const EMBED_PATH: &str = "/acumen.inference.v1.Inference/Embed";
