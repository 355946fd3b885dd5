//! Behaviour of whole epochs that the vectors and the oracle do not name: threads, order of input,
//! extremes, refusals, and the two quirks that are kept on purpose.

use crate::tests_support::{network, rows};
use crate::{EpochInput, EpochOutput, Error, LiquidAlpha, Neuron, Params, SparseRows, epoch};

/// A network large enough to be split among threads, with every value different.
fn busy(n: usize, validators: usize) -> EpochInput {
    let stakes: Vec<u64> = (0..n).map(|i| if i < validators { 1_000 + 37 * i as u64 } else { 0 }).collect();
    let permitted: Vec<usize> = (0..validators).collect();
    let mut input = network(&stakes, &permitted);
    input.weights = spread(n, validators, 7);
    input.bonds = spread(n, validators, 11);
    input
}

fn spread(n: usize, validators: usize, seed: usize) -> SparseRows {
    let cell = |i: usize, j: usize| (1 + (i * seed + j * 31) * 2_654_435_761 % 65_535) as u16;
    let row =
        |i: usize| (0..n).filter(move |j| !(i + j).is_multiple_of(3)).map(move |j| (j as u16, cell(i, j)));
    let all = (0..n).map(|i| if i < validators { row(i).collect() } else { Vec::new() });
    SparseRows::new(n, all.collect()).unwrap()
}

fn forms() -> [Params; 4] {
    let base = Params::default();
    let liquid = Params { liquid_alpha: Some(LiquidAlpha::default()), ..base };
    let half = Params { bonds_penalty: 32_768, ..liquid };
    let original = Params { yuma3: false, ..base };
    [base, liquid, half, original]
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let input = busy(700, 40);
    for params in forms() {
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| epoch(&params, &input).unwrap())
        };
        let one = run(1);
        assert!(one.dividends.iter().any(|&d| d > 0));
        assert_eq!(one, run(2));
        assert_eq!(one, run(8));
    }
}

#[test]
fn the_order_of_a_rows_entries_changes_nothing() {
    let input = busy(60, 10);
    let mut shuffled = input.clone();
    let mut entries = input.weights.to_rows();
    for row in &mut entries {
        row.reverse();
        let by = row.len().min(3);
        row.rotate_left(by);
    }
    shuffled.weights = SparseRows::from_unsorted(60, entries).unwrap();
    for params in forms() {
        assert_eq!(epoch(&params, &input), epoch(&params, &shuffled));
    }
}

#[test]
fn renaming_the_uids_renames_the_result() {
    let n = 60;
    let input = busy(n, 10);
    let to = |uid: usize| (uid * 7 + 3) % n;
    let mut renamed = input.clone();
    for uid in 0..n {
        renamed.neurons[to(uid)] = input.neurons[uid].clone();
    }
    let rename = |rows: &SparseRows| {
        let mut all = vec![Vec::new(); n];
        for (i, row) in rows.to_rows().into_iter().enumerate() {
            let entry = |(j, w): (u16, u16)| (to(usize::from(j)) as u16, w);
            all[to(i)] = row.into_iter().map(entry).collect();
        }
        SparseRows::from_unsorted(n, all).unwrap()
    };
    renamed.weights = rename(&input.weights);
    renamed.bonds = rename(&input.bonds);
    for params in forms() {
        let (a, b) = (epoch(&params, &input).unwrap(), epoch(&params, &renamed).unwrap());
        let small = |o: &EpochOutput, uid: usize| {
            [
                o.consensus[uid],
                o.incentive[uid],
                o.dividends[uid],
                o.validator_trust[uid],
                o.stake_weight[uid],
            ]
        };
        let units = |o: &EpochOutput, uid: usize| {
            [o.emission[uid], o.server_emission[uid], o.validator_emission[uid]]
        };
        for uid in 0..n {
            assert_eq!(small(&a, uid), small(&b, to(uid)));
            assert_eq!(units(&a, uid), units(&b, to(uid)));
            assert_eq!(a.validator_permits[uid], b.validator_permits[to(uid)]);
        }
        assert_eq!(rename(&a.bonds), b.bonds);
    }
}

#[test]
fn nobody_and_one() {
    for params in forms() {
        let nobody = epoch(&params, &network(&[], &[])).unwrap();
        assert_eq!(nobody.emission, [0u64; 0]);
        assert_eq!(nobody.remainder(5), 5);
        let one = epoch(&params, &network(&[7], &[0])).unwrap();
        assert_eq!((one.emission, one.stake_weight), (vec![1_000_000_000], vec![65_535]));
    }
}

#[test]
fn without_any_stake_nobody_is_paid() {
    let mut input = network(&[0, 0, 0], &[0]);
    input.weights = rows(3, &[(0, &[(1, 65_535)])]);
    for params in forms() {
        let out = epoch(&params, &input).unwrap();
        assert_eq!(out.emission, [0, 0, 0]);
        assert_eq!(out.remainder(input.emission), input.emission);
        assert_eq!(out.validator_permits, [false; 3]);
    }
}

#[test]
fn weights_of_zero_leave_the_emission_to_stake() {
    let mut input = network(&[3, 1, 0], &[0, 1]);
    input.weights = rows(3, &[(0, &[(2, 0)]), (1, &[(2, 0)])]);
    for params in forms() {
        let out = epoch(&params, &input).unwrap();
        assert_eq!(out.validator_emission, [750_000_000, 250_000_000, 0]);
        assert_eq!(out.server_emission, [0, 0, 0]);
    }
}

#[test]
fn every_number_at_its_largest() {
    let mut input = network(&[u64::MAX; 5], &[0, 1, 2, 3, 4]);
    for neuron in &mut input.neurons {
        neuron.last_update = u64::MAX;
        neuron.commit_block = Some(u64::MAX);
    }
    (input.block, input.tempo, input.last_tempo) = (u64::MAX, u64::MAX, Some(u64::MAX));
    input.emission = u64::MAX;
    let full: Vec<(u16, u16)> = (0..5).map(|j| (j, u16::MAX)).collect();
    input.weights = SparseRows::new(5, vec![full; 5]).unwrap();
    input.bonds = input.weights.clone();
    for mut params in forms() {
        (params.activity_cutoff, params.min_stake) = (u64::MAX, u64::MAX);
        let out = epoch(&params, &input).unwrap();
        assert_eq!(out.stake_weight, [13_106; 5]);
        assert_eq!(out.incentive, [13_106; 5]);
        assert!(out.remainder(u64::MAX) < 20 << 32);
    }
}

/// One row over all 65 535 uids sums to more than 32 integer bits hold; its shares are still exact,
/// and so are those of a column in which every uid holds a bond.
#[test]
fn as_many_neurons_as_uids() {
    let n = crate::MAX_NEURONS;
    let mut input = network(&vec![1; n], &[0]);
    let full = (0..n as u16).map(|j| (j, u16::MAX)).collect();
    let mut weights = vec![Vec::new(); n];
    weights[0] = full;
    input.weights = SparseRows::new(n, weights).unwrap();
    input.bonds = SparseRows::new(n, vec![vec![(1, u16::MAX)]; n]).unwrap();
    for params in forms() {
        let out = epoch(&params, &input).unwrap();
        assert_eq!(out.validator_trust[0], 65_534);
        assert_eq!(out.dividends[0], u16::MAX);
        let miners = &out.server_emission[1..];
        assert!(miners.iter().all(|&e| e == miners[0] && e > 0));
    }
}

/// Liquid alpha follows present entries only: what is not named is dropped at once, what is named
/// with zero decays. Upstream's sparse path, kept.
#[test]
fn an_absent_weight_drops_the_bond_and_a_zero_lets_it_decay() {
    let mut input = network(&[1, 0, 0, 0], &[0]);
    input.weights = rows(4, &[(0, &[(1, 65_535), (2, 0)])]);
    input.bonds = rows(4, &[(0, &[(1, 30_000), (2, 30_000), (3, 30_000)])]);
    let [plain, liquid, ..] = forms();
    let columns = |params: &Params| -> Vec<u16> {
        let params = Params { bonds_penalty: 0, ..*params };
        epoch(&params, &input).unwrap().bonds.row(0).map(|(j, _)| j).collect()
    };
    assert_eq!(columns(&liquid), [1, 2]);
    assert_eq!(columns(&plain), [1, 2, 3]);
}

#[test]
fn a_requested_reset_clears_the_column_where_allowed() {
    let mut input = network(&[1, 0, 0], &[0]);
    input.bonds = rows(3, &[(0, &[(1, 60_000), (2, 60_000)])]);
    input.neurons[1].bonds_reset = true;
    let columns = |bonds_reset| -> Vec<u16> {
        let params = Params { bonds_reset, ..Params::default() };
        epoch(&params, &input).unwrap().bonds.row(0).map(|(j, _)| j).collect()
    };
    assert_eq!(columns(false), [1, 2]);
    assert_eq!(columns(true), [2]);
}

#[test]
fn an_inactive_validator_has_no_say_and_only_newcomers_lose_old_bonds() {
    let mut input = network(&[9, 1, 0, 0], &[0, 1]);
    input.weights = rows(4, &[(0, &[(2, 65_535)]), (1, &[(3, 65_535)])]);
    let params = Params { activity_cutoff: 5, ..Params::default() };
    input.neurons[0].last_update = 5;
    let out = epoch(&params, &input).unwrap();
    assert_eq!(out.active, [false, true, true, true]);
    assert_eq!(out.incentive, [0, 0, 0, 65_535]);
    input.neurons[0].last_update = 6;
    assert_eq!(epoch(&params, &input).unwrap().incentive, [0, 0, 65_535, 0]);
}

#[test]
fn bad_input_is_named() {
    let input = network(&[1, 2], &[0]);
    let params = Params::default();
    let refused = |change: &dyn Fn(&mut EpochInput, &mut Params)| -> Error {
        let (mut input, mut params) = (input.clone(), params);
        change(&mut input, &mut params);
        epoch(&params, &input).unwrap_err()
    };
    let size = |rows| Error::RowCount { n: 2, rows };
    assert_eq!(refused(&|i, _| i.weights = rows(3, &[])), size(3));
    assert_eq!(refused(&|i, _| i.bonds = rows(1, &[])), size(1));
    assert_eq!(refused(&|i, _| i.owner_uid = Some(2)), Error::OwnerOutOfRange { owner: 2, n: 2 });
    assert_eq!(
        refused(&|_, p| p.bonds_moving_average = 1_000_001),
        Error::BondsMovingAverage { ppm: 1_000_001 }
    );
    let upside_down = LiquidAlpha { low: 2, high: 1, steepness: 1_000 };
    assert_eq!(
        refused(&|_, p| p.liquid_alpha = Some(upside_down)),
        Error::LiquidAlphaRange { low: 2, high: 1 }
    );
    let many = |i: &mut EpochInput, _: &mut Params| i.neurons = vec![Neuron::default(); 65_536];
    assert_eq!(refused(&many), Error::TooManyNeurons { n: 65_536, max: 65_535 });
}

#[test]
fn results_have_one_element_per_uid() {
    let out: EpochOutput = epoch(&Params::default(), &busy(33, 5)).unwrap();
    let lengths = [
        out.consensus.len(),
        out.incentive.len(),
        out.dividends.len(),
        out.validator_trust.len(),
        out.stake_weight.len(),
        out.active.len(),
        out.validator_permits.len(),
        out.bonds.n(),
        out.server_emission.len(),
        out.validator_emission.len(),
        out.emission.len(),
    ];
    assert_eq!(lengths, [33; 11]);
}
