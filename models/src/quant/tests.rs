//! The packed products against the plain ones on the same numbers.

use tch::{Device, Kind, Tensor};

use super::{GROUP, Groups, Int4, Int8};
use crate::gguf::quant::GgmlType;
use crate::nn::Linear;
use crate::options::Dtype;
use crate::testing::tokens;
use crate::weights::Target;

/// bf16 keeps eight bits: rounding is off by this much of a value at most.
const ROUNDING: f64 = 1.0 / 256.0;

fn target(dtype: Dtype, dense: bool) -> Target {
    Target::new(dtype, Device::Cpu).with_dense_copy(dense)
}

/// Random bytes as blocks whose scales are ordinary numbers.
fn blocks(kind: GgmlType, rows: usize, inputs: usize, seed: u64) -> Vec<u8> {
    let size = kind.block_bytes();
    let mut bytes: Vec<u8> = tokens(seed, rows * inputs / kind.block_values() * size)
        .into_iter()
        .map(|token| token as u8)
        .collect();
    for (place, block) in bytes.chunks_exact_mut(size).enumerate() {
        let scale = half::f16::from_f32(0.01 + (place % 7) as f32 * 0.003);
        block[..2].copy_from_slice(&scale.to_le_bytes());
        if kind != GgmlType::Q4_0 {
            let least = half::f16::from_f32(if kind == GgmlType::Q4_1 { -0.1 } else { 0.05 });
            block[2..4].copy_from_slice(&least.to_le_bytes());
        }
    }
    bytes
}

fn dequantised(kind: GgmlType, bytes: &[u8], rows: i64) -> Tensor {
    let mut values = vec![0.0; bytes.len() / kind.block_bytes() * kind.block_values()];
    kind.dequantize(bytes, &mut values);
    Tensor::from_slice(&values).view([rows, -1])
}

/// Activations that bf16 holds exactly.
fn activations(rows: i64, inputs: i64) -> Tensor {
    tch::manual_seed(7);
    Tensor::randn([rows, inputs], (Kind::Float, Device::Cpu)).to_kind(Kind::BFloat16)
}

/// Whether each output is as near to `x · wᵀ` as rounding every weight and the result to bf16 allows.
fn assert_near(found: &Tensor, x: &Tensor, w: &Tensor, factor: f64, what: &str) {
    let (x, found) = (x.to_kind(Kind::Float), found.to_kind(Kind::Float));
    let exact = x.matmul(&w.tr());
    let bound = (x.abs().matmul(&w.abs().tr()) * factor + exact.abs()) * ROUNDING + 1e-4;
    let excess = ((found - &exact).abs() - bound).max().double_value(&[]);
    assert!(excess <= 0.0, "{what}: beyond the bound by {excess}");
}

#[test]
fn four_bit_blocks_give_the_product_of_their_values() {
    let _alone = crate::testing::generator();
    let (outputs, inputs) = (48usize, 512usize);
    for kind in [GgmlType::Q4_0, GgmlType::Q4_1, GgmlType::Q4K] {
        let bytes = blocks(kind, outputs, inputs, 3);
        let weights = dequantised(kind, &bytes, outputs as i64);
        assert!(Groups::accepts(kind, inputs));
        for dense in [false, true] {
            let mut groups = Groups::default();
            groups.push(kind, &bytes);
            let layer = groups.pack(outputs, inputs, None, &target(Dtype::Int4, dense)).unwrap();
            for rows in [1, 3, 16, 33] {
                let x = activations(rows, inputs as i64);
                let y = layer.forward(&x).unwrap();
                assert_eq!((y.size(), y.kind()), (vec![rows, outputs as i64], Kind::BFloat16));
                // Scale and zero are rounded: the value of a weight near 0 is a difference of two that are not.
                assert_near(&y, &x, &weights, 4.0, &format!("{kind}, {rows} rows, dense copy {dense}"));
            }
        }
    }
}

#[test]
fn scale_and_zero_are_those_of_the_block() {
    // Scales that bf16 holds: nothing is rounded but the result.
    let mut bytes = blocks(GgmlType::Q4_1, 16, 32, 5);
    for block in bytes.chunks_exact_mut(20) {
        block[..2].copy_from_slice(&half::f16::from_f32(0.25).to_le_bytes());
        block[2..4].copy_from_slice(&half::f16::from_f32(-1.5).to_le_bytes());
    }
    let mut groups = Groups::default();
    groups.push(GgmlType::Q4_1, &bytes);
    let layer = groups.pack(16, 32, None, &target(Dtype::Int4, false)).unwrap();
    // One-hot activations read the weights back.
    let one_hot = Tensor::eye(32, (Kind::BFloat16, Device::Cpu));
    let read = layer.forward(&one_hot).unwrap().to_kind(Kind::Float).tr();
    assert_eq!(read, dequantised(GgmlType::Q4_1, &bytes, 16));
}

#[test]
fn other_types_and_odd_sizes_are_not_packed() {
    assert!(!Groups::accepts(GgmlType::Q8_0, 32) && !Groups::accepts(GgmlType::Q6K, 256));
    assert!(!Groups::accepts(GgmlType::Q4_1, 33));
    assert!(Int4::fits(16, 32) && !Int4::fits(15, 32) && !Int4::fits(16, 31) && !Int4::fits(0, 32));
}

#[test]
fn a_rounded_matrix_is_within_half_a_step() {
    let _alone = crate::testing::generator();
    let weight = Tensor::randn([32, 96], (Kind::Float, Device::Cpu));
    let one_hot = Tensor::eye(96, (Kind::BFloat16, Device::Cpu));
    let read = |y: Tensor| y.to_kind(Kind::Float).tr();
    let int8 = Int8::quantise(&weight, None, &target(Dtype::Int8, false)).unwrap();
    let most = weight.abs().amax([1], true);
    let step = &most / 127.0;
    // Half a step, and two roundings to bf16 of a value up to the largest.
    let bound = &step * 0.5 + &most * (2.0 * ROUNDING);
    let far = (read(int8.forward(&one_hot).unwrap()) - &weight).abs() - bound;
    assert!(far.max().double_value(&[]) <= 0.0);
    let int4 = Int4::quantise(&weight, None, &target(Dtype::Int4, false)).unwrap();
    let groups = weight.view([32, -1, GROUP as i64]);
    let span = groups.amax([2], true) - groups.amin([2], true);
    let bound = (&span / 30.0 + &span * (2.0 * ROUNDING)).expand([32, 3, 32], false).reshape([32, 96]);
    let far = (read(int4.forward(&one_hot).unwrap()) - &weight).abs() - bound;
    assert!(far.max().double_value(&[]) <= 0.0);
}

#[test]
fn a_matrix_of_zeros_stays_one() {
    let _alone = crate::testing::generator();
    let weight = Tensor::zeros([16, 32], (Kind::Float, Device::Cpu));
    let x = activations(2, 32);
    for dtype in [Dtype::Int8, Dtype::Int4] {
        let layer = Linear::new(weight.copy(), None, &target(dtype, false)).unwrap();
        assert_eq!(layer.forward(&x).unwrap().abs().max().double_value(&[]), 0.0, "{dtype}");
    }
}

#[test]
fn bias_and_leading_dimensions_are_kept() {
    let _alone = crate::testing::generator();
    let weight = Tensor::randn([16, 64], (Kind::Float, Device::Cpu));
    let bias = Tensor::arange(16, (Kind::BFloat16, Device::Cpu));
    for (dtype, dense) in
        [(Dtype::Int8, false), (Dtype::Int8, true), (Dtype::Int4, false), (Dtype::Int4, true)]
    {
        let with = Linear::new(weight.copy(), Some(bias.copy()), &target(dtype, dense)).unwrap();
        let without = Linear::new(weight.copy(), None, &target(dtype, dense)).unwrap();
        for shape in [[2i64, 1, 64], [4, 8, 64]] {
            let x = activations(shape[0] * shape[1], 64).view(shape);
            let (with, without) = (with.forward(&x).unwrap(), without.forward(&x).unwrap());
            assert_eq!(with.size(), [shape[0], shape[1], 16]);
            let added = (with.to_kind(Kind::Float) - without.to_kind(Kind::Float) - &bias).abs();
            // Sums of some tens are rounded to bf16.
            assert!(added.max().double_value(&[]) <= 0.5, "{dtype}");
        }
    }
}

#[test]
fn a_width_that_four_bits_cannot_take_is_kept_in_eight() {
    let _alone = crate::testing::generator();
    let weight = Tensor::randn([15, 40], (Kind::Float, Device::Cpu));
    let layer = Linear::new(weight, None, &target(Dtype::Int4, false)).unwrap();
    assert!(matches!(layer, Linear::Int8(_)));
}

#[test]
fn packed_layers_are_the_processors() {
    let to = Target::new(Dtype::Int8, Device::Cuda(0));
    let weight = Tensor::zeros([16, 32], (Kind::Float, Device::Cpu));
    let error = Int8::quantise(&weight, None, &to).unwrap_err().to_string();
    assert!(error.contains("int8") && error.contains("bf16"), "{error}");
}
