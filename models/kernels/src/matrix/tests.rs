//! Products of packed matrices against sums in doubles, for every number of rows and odd sizes.

use half::bf16;
use proptest::prelude::*;

use super::*;

fn numbers<T: Element>(seed: u64, count: usize) -> Vec<T> {
    let mut state = seed | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| T::store(next())).collect()
}

/// Compares with the definition in 64-bit floats. `bound` is relative to the sum of the products' sizes.
fn check<X: Element, Y: Element>(
    matrix: &Matrix,
    weight: &[X],
    bias: Option<&[f32]>,
    (rows, outputs, inputs): (usize, usize, usize),
    bound: f64,
) {
    let x: Vec<X> = numbers(rows as u64 + 7, rows * inputs);
    let before: Vec<Y> = numbers(5, rows * outputs);
    for add in [false, true] {
        let mut y = before.clone();
        matrix.multiply(&x, &mut y, add);
        for (index, found) in y.iter().enumerate() {
            let (row, output) = (index / outputs, index % outputs);
            let product = |at: usize| {
                f64::from(x[row * inputs + at].load()) * f64::from(weight[output * inputs + at].load())
            };
            let bias = bias.map_or(0.0, |bias| f64::from(bias[output]));
            let more = if add { f64::from(before[index].load()) } else { 0.0 };
            let expected = (0..inputs).map(product).sum::<f64>() + bias + more;
            let size = (0..inputs).map(|at| product(at).abs()).sum::<f64>() + bias.abs() + more.abs();
            let error = (f64::from(found.load()) - expected).abs();
            assert!(error <= bound * size + 1e-9, "row {row}, output {output}: off by {error} of {size}");
        }
    }
}

fn sizes() -> impl Strategy<Value = (usize, usize, usize)> {
    let inputs = prop::sample::select(vec![1usize, 2, 7, 30, 32, 64, 96, 130, 257, 320, 514]);
    let rows =
        prop_oneof![1usize..14, prop::sample::select(vec![15usize, 16, 17, 31, 32, 33, 48, 50, 65, 133])];
    (rows, prop_oneof![1usize..100, Just(128usize)], inputs)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn floats_are_exact((rows, outputs, inputs) in sizes(), biased in any::<bool>(), halves in any::<bool>()) {
        let mut weight: Vec<f32> = numbers(1, outputs * inputs);
        if halves {
            weight.iter_mut().for_each(|w| *w = <bf16 as Element>::store(*w).load());
        }
        let bias: Option<Vec<f32>> = biased.then(|| numbers(2, outputs));
        if let Some(matrix) = Matrix::floats(&weight, outputs, inputs, bias.as_deref()) {
            prop_assert_eq!(matches!(matrix.weights, Weights::Pairs(_)), halves && inputs % 2 == 0);
            check::<f32, f32>(&matrix, &weight, bias.as_deref(), (rows, outputs, inputs), 1e-6);
        }
    }

    #[test]
    fn bf16_is_rounded_once((rows, outputs, inputs) in sizes(), biased in any::<bool>(), tiles in any::<bool>()) {
        let weight: Vec<bf16> = numbers(1, outputs * inputs);
        let bias: Option<Vec<f32>> = biased.then(|| numbers(2, outputs));
        let cpu = Cpu { amx_bf16: tiles && Cpu::this().amx_bf16, ..Cpu::this() };
        if let Some(matrix) = Matrix::pairs_on(cpu, &weight, outputs, inputs, bias.as_deref()) {
            let size = (rows, outputs, inputs);
            check::<bf16, f32>(&matrix, &weight, bias.as_deref(), size, 1e-6);
            check::<bf16, bf16>(&matrix, &weight, bias.as_deref(), size, 1.0 / 256.0);
        }
    }
}

#[test]
fn a_row_does_not_depend_on_the_others() {
    let (outputs, inputs, rows) = (70, 352, 130);
    let x: Vec<f32> = numbers(3, rows * inputs);
    let weight: Vec<f32> = numbers(4, outputs * inputs);
    let halves: Vec<bf16> = weight.iter().map(|w| Element::store(*w)).collect();
    let short: Vec<bf16> = x.iter().map(|x| Element::store(*x)).collect();
    let alone = |matrix: &Matrix| {
        let (mut all, mut one) = (vec![0f32; rows * outputs], vec![0f32; outputs]);
        for row in [0, 7, 39, 129] {
            if matrix.arithmetic == Arithmetic::Floats {
                matrix.multiply(&x, &mut all, false);
                matrix.multiply(&x[row * inputs..][..inputs], &mut one, false);
            } else {
                matrix.multiply(&short, &mut all, false);
                matrix.multiply(&short[row * inputs..][..inputs], &mut one, false);
            }
            assert_eq!(all[row * outputs..][..outputs], one, "{:?}", matrix.arithmetic);
        }
    };
    let vectors = Cpu { amx_bf16: false, ..Cpu::this() };
    let exact: Vec<f32> = halves.iter().map(|w| w.load()).collect();
    let packed = [
        Matrix::floats(&exact, outputs, inputs, None),
        Matrix::floats(&weight, outputs, inputs, None),
        Matrix::pairs(&halves, outputs, inputs, None),
        Matrix::pairs_on(vectors, &halves, outputs, inputs, None),
    ];
    packed.iter().flatten().for_each(alone);
}

#[test]
fn a_processor_without_the_instructions_packs_nothing() {
    assert!(Matrix::floats_on(Cpu::PORTABLE, &[0.0; 64], 2, 32, None).is_none());
    assert!(Matrix::pairs_on(Cpu::PORTABLE, &[bf16::ZERO; 64], 2, 32, None).is_none());
}

#[test]
fn not_a_number_stays_in_its_row() {
    let weight: Vec<f32> = numbers(4, 40 * 32);
    let Some(matrix) = Matrix::floats(&weight, 40, 32, None) else { return };
    let mut x: Vec<f32> = numbers(3, 3 * 32);
    x[33] = f32::NAN;
    let mut y = vec![0f32; 3 * 40];
    matrix.multiply(&x, &mut y, false);
    assert!(y[..40].iter().chain(&y[80..]).all(|y| y.is_finite()) && y[40..80].iter().all(|y| y.is_nan()));
}
