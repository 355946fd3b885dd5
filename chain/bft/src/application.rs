//! What an ordering engine asks of a chain. Every call blocks; the engine makes them on threads for blocking work, one
//! at a time.

use acumen_protocol::{
    Block, Certificate, ConsensusPublic, Equivocation, Hash, Height, TimestampMs, ValidatorSet,
};

/// A block that is not decided yet, as a round of its height was about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The round.
    pub round: u32,
    /// An earlier round in which more than 2/3 prevoted for the block, if its proposer said so.
    pub pol_round: Option<u32>,
    /// Who proposed it in this round. The block's header names who built it: another one, if it is proposed again.
    pub proposer: ConsensusPublic,
    /// The block.
    pub block: Block,
}

/// Where a candidate comes from, and therefore what is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A proposal to vote on: everything, the proposer's clock too.
    Proposal,
    /// A peer says that it is decided, and brings a certificate: a clock cannot undo that.
    Decided,
}

/// The chain that is being ordered.
///
/// "Durable" means: survives the loss of the process and of power. An error is fatal and ends the engine.
pub trait Application: Send + Sync + 'static {
    /// Why the chain cannot go on.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The genesis hash, which every signature binds.
    fn genesis(&self) -> Hash;

    /// Height and time of the newest committed block.
    fn tip(&self) -> (Height, TimestampMs);

    /// The set that decides the block after the tip.
    fn validators(&self) -> Result<ValidatorSet, Self::Error>;

    /// The block that this node proposes in `round` of the height after the tip: the one on record, or a new one, which
    /// is durable before it is returned. Asked twice, also after a crash, the answer is the same. One block should do for
    /// all rounds of a height: only so many of one proposer are kept.
    fn propose(&self, round: u32, proposer: &ConsensusPublic) -> Result<Block, Self::Error>;

    /// Is this a correct block after the tip? If it is it is kept, durably, until its height is committed. `false` if it
    /// is not, or if no more proposals of its proposer are kept; of what is decided, everything is. Asked again about a
    /// block that is kept, whatever the round, it answers without executing it once more.
    fn assess(&self, candidate: &Candidate, origin: Origin) -> Result<bool, Self::Error>;

    /// Every candidate kept for the height after the tip, own ones too.
    fn candidates(&self) -> Result<Vec<Candidate>, Self::Error>;

    /// Commits the candidate with the certificate's id, durably. The certificate differs between nodes: it must not enter
    /// the state.
    fn commit(&self, certificate: Certificate) -> Result<(), Self::Error>;

    /// The committed blocks with these heights, as many from the first on as are there and fit into `max_bytes`; at least
    /// one, if it is there.
    fn decided(
        &self,
        heights: (Height, Height),
        max_bytes: usize,
    ) -> Result<Vec<(Block, Certificate)>, Self::Error>;

    /// The first height that [`Self::decided`] can answer.
    fn first(&self) -> Result<Height, Self::Error>;

    /// Takes the proof that a validator signed two contradicting messages.
    fn accuse(&self, equivocation: Equivocation) -> Result<(), Self::Error>;

    /// Hears what happens, for metrics. Must not block.
    fn observe(&self, _: Observation) {}
}

/// Something worth counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Observation {
    /// A round has begun.
    Round {
        /// Its height.
        height: Height,
        /// The round: above 0, another one was lost.
        round: u32,
        /// True if this node votes in it.
        voting: bool,
    },
    /// A block came from a peer with its certificate.
    Synced,
    /// A proposed block is not valid.
    Refused,
    /// A peer sent what a correct one does not send.
    Garbage,
    /// Peers connected.
    Peers(usize),
}
