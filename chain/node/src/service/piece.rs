//! Pieces of a state, for new nodes.

use acumen_chain_store::{Branch, Piece, Prefix};
use acumen_proto::chain_v1 as wire;
use acumen_proto::chain_v1::get_state_piece_response::Piece as WirePiece;
use acumen_protocol::Height;
use tonic::Status;

use super::failed;
use crate::executor::Executor;

/// What lies at a place of a kept state's tree.
pub(super) fn piece(
    executor: &Executor,
    request: wire::GetStatePieceRequest,
) -> Result<wire::GetStatePieceResponse, Status> {
    let prefix = Prefix::new(request.prefix);
    let prefix = prefix.map_err(|error| Status::invalid_argument(format!("field `prefix`: {error}")))?;
    let found =
        executor.store().piece(Height::new(request.height), &prefix).map_err(|error| failed(&error))?;
    let found = found.ok_or_else(|| Status::not_found("the tree has no node at this place"))?;
    Ok(wire::GetStatePieceResponse { piece: Some(to_wire(found)) })
}

fn to_wire(piece: Piece) -> WirePiece {
    match piece {
        Piece::Leaves(leaves) => {
            let leaves = leaves.into_iter().map(|(key, value)| wire::StateLeaf { key, value }).collect();
            WirePiece::Leaves(wire::StateLeaves { leaves })
        }
        Piece::Branches(branches) => {
            let branch = |branch: Option<Branch>| match branch {
                Some(branch) => wire::StateBranch { hash: branch.hash.0.to_vec(), leaf: branch.leaf },
                None => wire::StateBranch::default(),
            };
            WirePiece::Branches(wire::StateBranches { branches: branches.into_iter().map(branch).collect() })
        }
    }
}
