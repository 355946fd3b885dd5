//! The engine's tokens to a distribution over our vocabulary.
//!
//! Invariant: the listed probabilities and the tail sum to 1 within rounding, and nothing is in the list that the engine
//! did not list: what it left out, and what cannot be placed, is tail.

use std::collections::BTreeMap;

use acumen_proto::inference_v1 as wire;

use super::answer::Listed;

/// The prompt for a context of bytes, and the bytes after it that are only the beginning of a character.
pub(super) fn prompt_of(context: &[u32]) -> (String, Vec<u8>) {
    let bytes: Vec<u8> = context.iter().filter_map(|id| u8::try_from(*id).ok()).collect();
    // Cut from the left, a window may begin inside of a character too.
    let pending = match std::str::from_utf8(&bytes) {
        Err(error) if error.error_len().is_none() => bytes.len() - error.valid_up_to(),
        _ => 0,
    };
    let (whole, pending) = bytes.split_at(bytes.len() - pending);
    (String::from_utf8_lossy(whole).into_owned(), pending.to_vec())
}

/// Sums the tokens' mass by the byte that follows `pending`. Tokens that do not begin with `pending` are known to be
/// wrong by now: the rest is renormalised over what is still possible, the tail included.
pub(super) fn to_bytes(tokens: &[Listed], pending: &[u8]) -> wire::Distribution {
    let mut mass: BTreeMap<u32, f64> = BTreeMap::new();
    let mut excluded = 0.0;
    for token in tokens {
        let probability = token.logprob.exp();
        match token.bytes.as_deref() {
            Some(bytes) if bytes.starts_with(pending) => {
                if let Some(next) = bytes.get(pending.len()) {
                    *mass.entry(u32::from(*next)).or_default() += probability;
                }
            }
            // A token that ends inside of `pending` may be followed by the right one: it stays in the tail.
            Some(bytes) if pending.starts_with(bytes) => {}
            Some(_) => excluded += probability,
            None => {}
        }
    }
    let possible = (1.0 - excluded).max(f64::MIN_POSITIVE);
    let listed: Vec<(u32, f64)> = mass.into_iter().map(|(id, mass)| (id, mass / possible)).collect();
    distribution(listed)
}

/// The tokens under their own ids.
pub(super) fn to_ids(tokens: &[Listed], vocabulary: u32) -> wire::Distribution {
    let mut mass: BTreeMap<u32, f64> = BTreeMap::new();
    for token in tokens {
        if let Some(id) = token.id.filter(|id| *id < vocabulary) {
            // Named twice, a token is still one.
            mass.entry(id).or_insert_with(|| token.logprob.exp());
        }
    }
    distribution(mass.into_iter().collect())
}

/// Best first, equal ones by id; the tail is what is missing to 1.
fn distribution(mut listed: Vec<(u32, f64)>) -> wire::Distribution {
    listed.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let sum: f64 = listed.iter().map(|(_, mass)| mass).sum();
    // An engine's rounding may bring the sum above 1: nobody may be credited with more than there is.
    let scale = if sum > 1.0 { 1.0 / sum } else { 1.0 };
    let ids = listed.iter().map(|(id, _)| *id).collect();
    let logprobs = listed.iter().map(|(_, mass)| (mass * scale).ln() as f32).collect();
    wire::Distribution { ids, logprobs, tail: (1.0 - sum).clamp(0.0, 1.0) as f32 }
}
