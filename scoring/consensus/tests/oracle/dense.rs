//! Yuma written down once more, dense and slow: an `n × n` table with holes, the library's own
//! arithmetic and exponential, quick-select with the middle pivot. It shares no code with the crate.

use acumen_scoring_consensus::{EpochInput, Params, SparseRows};
use substrate_fixed::transcendental::exp;
use substrate_fixed::types::{I32F32, I64F64, I96F32};

type F = I32F32;
type Table = Vec<Vec<Option<F>>>;

/// The numbers that an epoch must reproduce.
#[derive(Debug, PartialEq)]
pub(crate) struct Expected {
    pub(crate) consensus: Vec<u16>,
    pub(crate) incentive: Vec<u16>,
    pub(crate) dividends: Vec<u16>,
    pub(crate) validator_trust: Vec<u16>,
    pub(crate) stake_weight: Vec<u16>,
    pub(crate) validator_permits: Vec<bool>,
    pub(crate) bonds: Vec<Vec<(u16, u16)>>,
    pub(crate) server_emission: Vec<u64>,
    pub(crate) validator_emission: Vec<u64>,
    pub(crate) emission: Vec<u64>,
}

fn f(x: impl substrate_fixed::traits::ToFixed) -> F {
    F::saturating_from_num(x)
}

fn quotient(a: F, b: F) -> F {
    a.checked_div(b).unwrap_or_default()
}

fn normalized(xs: &[F]) -> Vec<F> {
    let total: F = xs.iter().sum();
    xs.iter().map(|&x| if total == f(0) { x } else { quotient(x, total) }).collect()
}

fn u16_of(x: F) -> u16 {
    x.saturating_mul(f(u16::MAX)).saturating_to_num()
}

fn all_u16(xs: &[F]) -> Vec<u16> {
    xs.iter().map(|&x| u16_of(x)).collect()
}

pub(crate) fn epoch(p: &Params, input: &EpochInput) -> Expected {
    let stake = stake_shares(p, input);
    let (permits, next_permits) = permits(p, input, &stake);
    let voting: Vec<F> = (0..stake.len())
        .map(|i| {
            let inactive = input.neurons[i].last_update + p.activity_cutoff < input.block;
            if inactive || !permits[i] { f(0) } else { stake[i] }
        })
        .collect();
    let voting = normalized(&voting);
    let weights = weights(p, input, &permits);
    let kappa = quotient(f(p.kappa), f(u16::MAX));
    let consensus = medians(&voting, &weights, kappa);
    let clipped = map(&weights, |_, j, w| {
        if w > consensus[j] && consensus[j] == f(0) { None } else { Some(w.min(consensus[j])) }
    });
    let trust: Vec<F> = clipped.iter().map(|row| row.iter().flatten().sum()).collect();
    let ranks: Vec<F> = (0..stake.len())
        .map(|j| {
            let parts = (0..stake.len()).filter_map(|i| Some(voting[i].saturating_mul(clipped[i][j]?)));
            parts.fold(f(0), F::saturating_add)
        })
        .collect();
    let incentive = normalized(&ranks);
    let followed = followed(p, &weights, &clipped);
    let old = old_bonds(p, input);
    let (bonds, dividends) = if p.yuma3 {
        yuma3(p, &followed, &old, &consensus, &incentive, &voting)
    } else {
        original(p, &followed, &old, &incentive, &voting)
    };
    let (server, validator, combined) = pay(&incentive, &dividends, &voting, &stake, input.emission);
    Expected {
        consensus: all_u16(&consensus),
        incentive: all_u16(&incentive),
        dividends: all_u16(&dividends),
        validator_trust: all_u16(&trust),
        stake_weight: all_u16(&stake),
        bonds: stored(&bonds, &next_permits),
        validator_permits: next_permits,
        server_emission: server,
        validator_emission: validator,
        emission: combined,
    }
}

fn stake_shares(p: &Params, input: &EpochInput) -> Vec<F> {
    let counted: Vec<I64F64> = input
        .neurons
        .iter()
        .enumerate()
        .map(|(uid, neuron)| {
            let owner = input.owner_uid.map(usize::from) == Some(uid);
            let low = neuron.stake < p.min_stake && !owner;
            I64F64::saturating_from_num(if low { 0 } else { neuron.stake })
        })
        .collect();
    let total: I64F64 = counted.iter().sum();
    counted.iter().map(|&s| F::saturating_from_num(s.checked_div(total).unwrap_or_default())).collect()
}

fn permits(p: &Params, input: &EpochInput, stake: &[F]) -> (Vec<bool>, Vec<bool>) {
    let mut old: Vec<bool> = input.neurons.iter().map(|neuron| neuron.permit).collect();
    let mut next = vec![false; stake.len()];
    for _ in 0..p.max_allowed_validators {
        let best = (0..stake.len()).filter(|&i| !next[i] && stake[i] > f(0)).max_by_key(|&i| (stake[i], i));
        if let Some(best) = best {
            next[best] = true;
        }
    }
    if let Some(owner) = input.owner_uid {
        old[usize::from(owner)] = true;
        next[usize::from(owner)] = true;
    }
    (old, next)
}

fn table(n: usize) -> Table {
    vec![vec![None; n]; n]
}

fn map(t: &Table, g: impl Fn(usize, usize, F) -> Option<F>) -> Table {
    let row = |(i, row): (usize, &Vec<Option<F>>)| {
        let cell = |(j, x): (usize, &Option<F>)| x.and_then(|x| g(i, j, x));
        row.iter().enumerate().map(cell).collect()
    };
    t.iter().enumerate().map(row).collect()
}

fn load(rows: &SparseRows) -> Table {
    let mut t = table(rows.n());
    for (i, cells) in t.iter_mut().enumerate() {
        for (j, value) in rows.row(i) {
            cells[usize::from(j)] = Some(f(value));
        }
    }
    t
}

fn weights(p: &Params, input: &EpochInput, permits: &[bool]) -> Table {
    let masked = map(&load(&input.weights), |i, j, w| {
        let (from, to) = (&input.neurons[i], &input.neurons[j]);
        let own = i == j && input.owner_uid.map(usize::from) != Some(i);
        let outdated = from.last_update <= to.block_at_registration;
        let early = from.commit_block.is_some_and(|block| block < to.block_at_registration);
        let dropped = !permits[i] || own || outdated || (p.commit_reveal && early);
        (!dropped).then_some(w)
    });
    let sums: Vec<F> = masked.iter().map(|row| row.iter().flatten().sum()).collect();
    map(&masked, |i, _, w| Some(if sums[i] > f(0) { quotient(w, sums[i]) } else { w }))
}

fn medians(voting: &[F], weights: &Table, kappa: F) -> Vec<F> {
    let who: Vec<usize> = (0..voting.len()).filter(|&i| voting[i] > f(0)).collect();
    let stake = normalized(&who.iter().map(|&i| voting[i]).collect::<Vec<F>>());
    let total: F = stake.iter().sum();
    (0..voting.len())
        .map(|j| {
            let score: Vec<F> = who.iter().map(|&i| weights[i][j].unwrap_or_default()).collect();
            select(&stake, &score, total - kappa, total)
        })
        .collect()
}

/// Quick-select: the middle of what is left is the pivot.
fn select(stake: &[F], score: &[F], minority: F, total: F) -> F {
    let mut left: Vec<usize> = (0..stake.len()).collect();
    let (mut low, mut high) = (f(0), total);
    while let Some(&middle) = left.get(left.len() / 2) {
        let pivot = score[middle];
        let (below, rest): (Vec<usize>, Vec<usize>) = left.iter().partition(|&&i| score[i] < pivot);
        let above: Vec<usize> = rest.into_iter().filter(|&i| score[i] > pivot).collect();
        let sum = |of: &[usize]| -> F { of.iter().map(|&i| stake[i]).sum() };
        if minority < low + sum(&below) && !below.is_empty() {
            high = low + sum(&below);
            left = below;
        } else if high - sum(&above) <= minority && !above.is_empty() {
            low = high - sum(&above);
            left = above;
        } else {
            return pivot;
        }
    }
    f(0)
}

fn followed(p: &Params, weights: &Table, clipped: &Table) -> Table {
    let ratio = quotient(f(p.bonds_penalty), f(u16::MAX));
    match p.bonds_penalty {
        0 => weights.clone(),
        u16::MAX => clipped.clone(),
        _ => map(weights, |i, j, w| {
            let step = clipped[i][j].unwrap_or_default().saturating_sub(w);
            Some(w.saturating_add(ratio.saturating_mul(step))).filter(|&x| x > f(0))
        }),
    }
}

fn old_bonds(p: &Params, input: &EpochInput) -> Table {
    let horizon = input.last_tempo.unwrap_or_else(|| input.block.saturating_sub(input.tempo));
    map(&load(&input.bonds), |_, j, b| {
        let reset = p.bonds_reset && input.neurons[j].bonds_reset;
        (input.neurons[j].block_at_registration < horizon && !reset).then_some(b)
    })
}

fn column_normalized(t: &Table) -> Table {
    let n = t.len();
    let sums: Vec<F> = (0..n).map(|j| (0..n).filter_map(|i| t[i][j]).fold(f(0), F::saturating_add)).collect();
    map(t, |_, j, x| Some(if sums[j] == f(0) { x } else { quotient(x, sums[j]) }))
}

fn fresh(p: &Params) -> F {
    let kept = I64F64::saturating_from_num(p.bonds_moving_average)
        .checked_div(I64F64::saturating_from_num(1_000_000))
        .unwrap();
    f(1) - F::saturating_from_num(kept)
}

fn average(alpha: F, new: &Table, old: &Table) -> Table {
    let mut t = table(new.len());
    for (i, row) in t.iter_mut().enumerate() {
        for (j, cell) in row.iter_mut().enumerate() {
            let part = |share: F, x: Option<F>| share.saturating_mul(x.unwrap_or_default());
            let sum = part(alpha, new[i][j]).saturating_add(part(f(1) - alpha, old[i][j]));
            *cell = Some(sum).filter(|&x| x > f(0));
        }
    }
    t
}

fn liquid(p: &Params, new: &Table, old: &Table, consensus: &[F]) -> Table {
    let bounds = p.liquid_alpha.unwrap();
    let low = quotient(f(bounds.low), f(u16::MAX));
    let high = quotient(f(bounds.high), f(u16::MAX));
    let slope = f(bounds.steepness).saturating_div(f(-100));
    map(new, |i, j, w| {
        let b = old[i][j].unwrap_or_default();
        let distance = if w >= b { w - consensus[j] } else { b - w };
        let distance = distance.max(f(0)).min(f(1));
        let exponent = slope.saturating_mul(distance - F::from_num(0.5));
        let e: F = exp(exponent.max(f(-20)).min(f(20))).unwrap();
        let sigmoid = f(1).saturating_div(f(1) + e);
        let alpha = low.saturating_add(sigmoid.saturating_mul(high - low));
        let alpha = alpha.min(high).max(low);
        let kept = (f(1) - alpha).saturating_mul(b);
        Some(kept.saturating_add(alpha.saturating_mul(w)).min(f(1))).filter(|&x| x > f(0))
    })
}

fn yuma3(
    p: &Params,
    new: &Table,
    old: &Table,
    consensus: &[F],
    incentive: &[F],
    voting: &[F],
) -> (Table, Vec<F>) {
    let old = map(old, |_, _, b| Some(quotient(b, f(u16::MAX))));
    let bonds = if p.liquid_alpha.is_some() && consensus.iter().any(|&c| c != f(0)) {
        liquid(p, new, &old, consensus)
    } else {
        average(fresh(p), new, &old)
    };
    let earned = earned(&column_normalized(&bonds), incentive);
    let dividends: Vec<F> = earned.iter().zip(voting).map(|(e, &s)| e.checked_mul(s).unwrap()).collect();
    (bonds, normalized(&dividends))
}

fn original(p: &Params, new: &Table, old: &Table, incentive: &[F], voting: &[F]) -> (Table, Vec<F>) {
    let bought = map(new, |i, _, w| Some(w.saturating_mul(voting[i])));
    let averaged = average(fresh(p), &column_normalized(&bought), &column_normalized(old));
    let bonds = column_normalized(&averaged);
    let dividends = normalized(&earned(&bonds, incentive));
    let largest: Vec<F> =
        (0..new.len()).map(|j| bonds.iter().filter_map(|row| row[j]).max().unwrap_or_default()).collect();
    (map(&bonds, |_, j, b| Some(quotient(b, largest[j]))), dividends)
}

fn earned(bonds: &Table, incentive: &[F]) -> Vec<F> {
    let share = |(b, &i): (&Option<F>, &F)| b.unwrap_or_default().saturating_mul(i);
    bonds.iter().map(|row| row.iter().zip(incentive).map(share).sum()).collect()
}

fn pay(
    incentive: &[F],
    dividends: &[F],
    voting: &[F],
    stake: &[F],
    emission: u64,
) -> (Vec<u64>, Vec<u64>, Vec<u64>) {
    let units = |shares: &[F]| -> Vec<u64> {
        let total = I96F32::saturating_from_num(emission);
        let unit = |&s: &F| I96F32::saturating_from_num(s).saturating_mul(total);
        shares.iter().map(|s| unit(s).saturating_to_num()).collect()
    };
    let both: Vec<F> = incentive.iter().zip(dividends).map(|(&i, &d)| i + d).collect();
    let total: F = both.iter().sum();
    if total == f(0) {
        let none: F = voting.iter().sum();
        let by = if none == f(0) { stake } else { voting };
        return (vec![0; stake.len()], units(by), units(by));
    }
    let of = |xs: &[F]| -> Vec<F> { xs.iter().map(|&x| quotient(x, total)).collect() };
    (units(&of(incentive)), units(&of(dividends)), units(&normalized(&both)))
}

fn stored(bonds: &Table, keep: &[bool]) -> Vec<Vec<(u16, u16)>> {
    bonds
        .iter()
        .zip(keep)
        .map(|(row, &keep)| {
            (0u16..).zip(row).filter_map(|(j, b)| Some((j, u16_of((*b)?)))).filter(|_| keep).collect()
        })
        .collect()
}
