//! Why the ledger refuses a call, with all that has to change: it names the fee alone while that is not covered, and a
//! person wants to fund an account once.

use acumen_chain_client::ChainClient;
use acumen_chain_client::ledger::Rejection;
use acumen_protocol::{Call, Nacu};

/// The reason for people.
pub(super) async fn explain(client: &ChainClient, call: &Call, reason: &Rejection) -> String {
    let Rejection::Balance { account, has, needs } = reason else { return reason.to_string() };
    let spends = spends(client, call).await;
    match in_all(*needs, spends) {
        Some(all) => Rejection::Balance { account: *account, has: *has, needs: all }.to_string(),
        None => reason.to_string(),
    }
}

/// Fee and amount together, where the ledger has named the fee alone.
fn in_all(needs: Nacu, spends: Option<Nacu>) -> Option<Nacu> {
    let spends = spends.filter(|spends| needs < *spends)?;
    needs.checked_add(spends)
}

/// What a call takes from its sender besides the fee.
async fn spends(client: &ChainClient, call: &Call) -> Option<Nacu> {
    match call {
        Call::Transfer { amount, .. } | Call::Stake { amount, .. } => Some(*amount),
        Call::Register { track, .. } => {
            let params = client.params().await.ok()?.value;
            let found = client.track(*track).await.ok()?;
            Some(found.value.price_at(&params, found.at.height))
        }
        Call::Batch { calls } => Nacu::checked_sum(calls.iter().filter_map(|call| match call {
            Call::Transfer { amount, .. } | Call::Stake { amount, .. } => Some(*amount),
            _ => None,
        })),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fee_and_amount_are_told_together_once() {
        let (fee, amount) = (Nacu::new(118_600), Nacu::new(5_000_000_000));
        assert_eq!(in_all(fee, Some(amount)), Some(Nacu::new(5_000_118_600)));
        let both = Nacu::new(5_000_118_600);
        assert_eq!(in_all(both, Some(amount)), None, "the ledger has added them already");
        assert_eq!(in_all(fee, None), None);
        assert_eq!(in_all(fee, Some(Nacu::new(u64::MAX))), None);
    }
}
