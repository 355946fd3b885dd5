//! Row by row operations against their definitions in doubles.

use half::bf16;
use proptest::prelude::*;

use super::*;

fn store<T: Element>(values: &[f32]) -> Vec<T> {
    values.iter().map(|value| T::store(*value)).collect()
}

fn load<T: Element>(values: &[T]) -> Vec<f64> {
    values.iter().map(|value| f64::from(value.load())).collect()
}

fn near(found: &[f64], expected: &[f64], relative: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= relative * (expected.abs() + 1e-3), "{found} for {expected}");
    }
}

fn norm<T: Element>(values: &[f32], width: usize, relative: f64) {
    let x: Vec<T> = store(values);
    let weight = x[..width].to_vec();
    let mut y = vec![T::default(); x.len()];
    rms_norm(&x, &weight, 1e-5, &mut y);
    let weight = load(&weight);
    for (x, y) in load(&x).chunks(width).zip(load(&y).chunks(width)) {
        let scale = (x.iter().map(|x| x * x).sum::<f64>() / width as f64 + 1e-5).sqrt().recip();
        near(y, &x.iter().zip(&weight).map(|(x, w)| x * scale * w).collect::<Vec<_>>(), relative);
    }
}

fn gate<T: Element>(values: &[f32], width: usize, relative: f64) {
    let both: Vec<T> = store(values);
    let mut y = vec![T::default(); both.len() / 2];
    gate_silu(&both, width, &mut y);
    for (both, y) in load(&both).chunks(2 * width).zip(load(&y).chunks(width)) {
        let expected: Vec<f64> =
            (0..width).map(|at| both[at] / (1.0 + (-both[at]).exp()) * both[width + at]).collect();
        near(y, &expected, relative);
    }
}

/// Some even number of rows of some width.
fn matrix() -> impl Strategy<Value = (usize, Vec<f32>)> {
    (1usize..70, 1usize..5)
        .prop_flat_map(|(width, pairs)| (Just(width), prop::collection::vec(-9f32..9.0, 2 * width * pairs)))
}

proptest! {
    #[test]
    fn norms_and_gates_are_their_definitions((width, values) in matrix()) {
        norm::<f32>(&values, width, 1e-5);
        norm::<bf16>(&values, width, 1.0 / 200.0);
        gate::<f32>(&values, width, 1e-5);
        gate::<bf16>(&values, width, 1.0 / 200.0);
    }

    #[test]
    fn probabilities_sum_to_one(values in prop::collection::vec(-50f32..50.0, 1..300)) {
        let rows = log_softmax(&values, values.len());
        let most = values.iter().copied().fold(f32::MIN, f32::max);
        let sum: f64 = values.iter().map(|x| f64::from(x - most).exp()).sum();
        let shift = f64::from(most) + sum.ln();
        for (found, x) in rows[0].iter().zip(&values) {
            prop_assert!((f64::from(*found) - (f64::from(*x) - shift)).abs() < 1e-4);
        }
    }
}

#[test]
fn not_a_number_takes_its_whole_row_and_no_other() {
    let mut scores = vec![0.5f32; 80];
    scores[73] = f32::NAN;
    let rows = log_softmax(&scores, 40);
    assert!(rows[0].iter().all(|x| (x + 40f32.ln()).abs() < 1e-6));
    assert!(rows[1].iter().all(|x| x.is_nan()));
    assert_eq!(log_softmax(&[f32::NEG_INFINITY, 1.0], 2), [[f32::NEG_INFINITY, 0.0]]);
}

#[test]
fn heads_turn_and_values_do_not() {
    let (queries, keys, size) = (2, 1, 4);
    // A quarter of a turn: (a, b) becomes (−b, a).
    let rotation = Rotation { cos: &[0.0; 4], sin: &[1.0; 4], queries, keys, size, places: &[3, 1] };
    let mut rows: Vec<f32> = (0..32).map(|x| x as f32).collect();
    let mut cache = vec![-1f32; 4 * 8];
    rotate_and_store(&rotation, &mut rows, &mut cache);
    assert_eq!(rows[..8], [-2.0, -3.0, 0.0, 1.0, -6.0, -7.0, 4.0, 5.0]);
    assert_eq!(cache[24..], [-10.0, -11.0, 8.0, 9.0, 12.0, 13.0, 14.0, 15.0]);
    assert_eq!(cache[8..16], [-26.0, -27.0, 24.0, 25.0, 28.0, 29.0, 30.0, 31.0]);
    assert!(cache[..8].iter().chain(&cache[16..24]).all(|x| *x == -1.0));
}

#[test]
#[should_panic(expected = "two rows in one place")]
fn two_rows_in_one_place_are_refused() {
    let rotation = Rotation { cos: &[0.0; 2], sin: &[0.0; 2], queries: 1, keys: 1, size: 2, places: &[1, 1] };
    rotate_and_store(&rotation, &mut [0f32; 12], &mut [0f32; 8]);
}
