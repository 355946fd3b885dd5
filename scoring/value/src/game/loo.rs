//! Values with a closed form: own gain, leave-one-out, loss of the pool. O(nT) each.

use super::Game;
use super::logsum::ln_product;

/// g_i = mean_t [ln p_it − ln q_t]: what each miner knows beyond the reference, in nats per token.
///
/// The logarithmic score is strictly proper: reporting one's belief is the only optimum. It is blind to redundancy.
#[must_use]
pub fn own_gain(game: &Game) -> Vec<f64> {
    let base = game.mean_ln_reference();
    let tokens = game.tokens() as f64;
    (0..game.miners()).map(|miner| ln_product(game.probs(miner)) / tokens - base).collect()
}

/// v(N) − v(N∖i) for each miner, in nats per token: what the pool loses without it.
///
/// With a_it the share of miner i in the pooled probability, this is mean_t[−ln(1−a_it)] + ln(1−w_i). The rest of the
/// pool is taken as the sum of the miners before and after i rather than as a difference, so a miner that holds nearly
/// all of the mass does not cancel the digits of the others.
#[must_use]
pub fn loo(game: &Game) -> Vec<f64> {
    let (n, tokens) = (game.miners(), game.tokens());
    if n == 1 {
        return own_gain(game);
    }
    let rows = game.weighted();
    let after = sums_after(&rows, n, tokens);
    let mut before = vec![0.0; tokens];
    let mut rest = vec![0.0; tokens];
    let mut values = Vec::with_capacity(n);
    let mut weight_before = 0.0;
    for miner in 0..n {
        let tail = &after[miner * tokens..][..tokens];
        for (out, (a, b)) in rest.iter_mut().zip(before.iter().zip(tail)) {
            *out = a + b;
        }
        let weight_rest = weight_before + game.weights()[miner + 1..].iter().sum::<f64>();
        values.push(ln_product(&rest) / tokens as f64 - weight_rest.ln());
        let row = &rows[miner * tokens..][..tokens];
        before.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        weight_before += game.weights()[miner];
    }
    let whole = ln_product(&before) / tokens as f64 - weight_before.ln();
    values.into_iter().map(|without| whole - without).collect()
}

/// −mean_t ln Σ_i w_i p_it: the loss of the pool of all miners, in nats per token.
#[must_use]
pub fn pool_loss(game: &Game) -> f64 {
    let rows = game.weighted();
    let mut pooled = vec![0.0; game.tokens()];
    for row in rows.chunks_exact(game.tokens()) {
        pooled.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
    }
    -ln_product(&pooled) / game.tokens() as f64
}

/// Row i holds the sum of the rows after i.
fn sums_after(rows: &[f64], n: usize, tokens: usize) -> Vec<f64> {
    let mut after = vec![0.0; n * tokens];
    for miner in (0..n - 1).rev() {
        let (head, tail) = after.split_at_mut((miner + 1) * tokens);
        let next = &rows[(miner + 1) * tokens..][..tokens];
        for (out, (sum, x)) in head[miner * tokens..].iter_mut().zip(tail.iter().zip(next)) {
            *out = sum + x;
        }
    }
    after
}
