//! Values that no chain can run with.

use acumen_protocol::Nacu;
use acumen_protocol::limits::MAX_CONSENSUS_VALIDATORS;

use super::Params;

/// Longest tempo: upstream's limit, and a bound of the minting loop.
const MAX_TEMPO: u64 = 50_400;

/// Most epochs that anything waits for: bounds what waits for each stake.
const MAX_EPOCHS: u16 = 64;

/// Parts per million.
const MILLION: u32 = 1_000_000;

/// Issuance below 2^55 keeps every product of shares and stake in range (see `pool`).
pub(crate) const MAX_SUPPLY_LIMIT: Nacu = Nacu::new(1 << 55);

/// A parameter that no chain can run with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("parameter `{name}`: {reason}")]
pub struct ParamsError {
    /// The parameter.
    pub name: &'static str,
    /// What is wrong, and what is allowed.
    pub reason: String,
}

impl Params {
    /// Refuses values that no chain can run with.
    pub fn check(&self) -> Result<(), ParamsError> {
        let refuse = |name, reason: &str| Err(ParamsError { name, reason: reason.to_owned() });
        if !(2..=MAX_TEMPO).contains(&self.tempo_blocks) {
            return refuse("tempo_blocks", "must lie between 2 and 50400");
        }
        if self.max_uids == 0 || self.max_validators == 0 {
            return refuse("max_uids, max_validators", "must be above zero");
        }
        if self.max_take < self.default_take {
            return refuse("default_take", "is above max_take");
        }
        if self.epoch_records == 0 {
            return refuse("epoch_records", "must be above zero: payouts could not be read");
        }
        if self.max_supply > MAX_SUPPLY_LIMIT {
            return refuse("max_supply", "must not exceed 2^55 base units");
        }
        self.check_chain()?;
        self.consensus()
            .check()
            .map_err(|error| ParamsError { name: "consensus", reason: error.to_string() })?;
        self.try_price_rule().map(|_| ())
    }

    /// The rules of validators, slashing and governance.
    fn check_chain(&self) -> Result<(), ParamsError> {
        let refuse = |name, reason: String| Err(ParamsError { name, reason });
        let most = u16::try_from(MAX_CONSENSUS_VALIDATORS).unwrap_or(u16::MAX);
        if self.consensus_validators == 0 || self.consensus_validators > most {
            return refuse("consensus_validators", format!("must lie between 1 and {most}"));
        }
        if self.validator_min_stake == Nacu::ZERO {
            return refuse("validator_min_stake", "must be above zero: a voter needs power".to_owned());
        }
        let spans = [
            ("unbonding_epochs", self.unbonding_epochs),
            ("take_notice_epochs", self.take_notice_epochs),
            ("jail_epochs", self.jail_epochs),
            ("voting_epochs", self.voting_epochs),
            ("timelock_epochs", self.timelock_epochs),
        ];
        if let Some((name, _)) = spans.into_iter().find(|(_, epochs)| *epochs > MAX_EPOCHS) {
            return refuse(name, format!("must not exceed {MAX_EPOCHS} epochs"));
        }
        let parts = [
            ("slash_ppm", self.slash_ppm),
            ("reporter_ppm", self.reporter_ppm),
            ("quorum_ppm", self.quorum_ppm),
            ("approval_ppm", self.approval_ppm),
        ];
        match parts.into_iter().find(|(_, ppm)| *ppm > MILLION) {
            Some((name, _)) => refuse(name, format!("must not exceed {MILLION}")),
            None => Ok(()),
        }
    }
}
