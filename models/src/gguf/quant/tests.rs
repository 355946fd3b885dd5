//! Against vectors of another implementation, and the laws of quantisation.

use proptest::prelude::*;

use super::*;

#[derive(serde::Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    r#type: String,
    bytes: String,
    f32: String,
}

fn values(kind: GgmlType, bytes: &[u8]) -> Vec<f32> {
    let mut out = vec![0.0; bytes.len() / kind.block_bytes() * kind.block_values()];
    kind.dequantize(bytes, &mut out);
    out
}

#[test]
fn every_type_gives_the_values_of_the_reference() {
    let text = include_str!("../../../tests/data/gguf_quants.json");
    let vectors: Vectors = serde_json::from_str(text).unwrap();
    let mut seen = Vec::new();
    for case in vectors.cases {
        let kind = GgmlType::ALL.into_iter().find(|kind| kind.to_string() == case.r#type).unwrap();
        seen.push(kind);
        let expected: Vec<f32> = hex::decode(case.f32)
            .unwrap()
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()))
            .collect();
        let found = values(kind, &hex::decode(case.bytes).unwrap());
        assert_eq!(found.len(), expected.len(), "{kind}");
        for (place, (found, expected)) in found.iter().zip(&expected).enumerate() {
            // One rounding apart at most: the order of two multiplications is the implementation's choice.
            let near = (found - expected).abs() <= expected.abs() * f32::EPSILON;
            assert!(near, "{kind} value {place}: {found}, expected {expected}");
        }
    }
    GgmlType::ALL.iter().for_each(|kind| assert!(seen.contains(kind), "{kind} has no vector"));
}

#[test]
fn sizes_are_those_of_the_format() {
    let sizes = GgmlType::ALL.map(|kind| (kind.block_values(), kind.block_bytes()));
    let expected = [
        (1, 4),
        (1, 2),
        (1, 2),
        (32, 34),
        (32, 18),
        (32, 20),
        (32, 22),
        (32, 24),
        (256, 144),
        (256, 176),
        (256, 210),
    ];
    assert_eq!(sizes, expected);
}

#[test]
fn an_unknown_type_is_named() {
    let error = GgmlType::from_number(10).unwrap_err();
    assert!(error.contains("Q2_K") && error.contains("Q4_K"), "{error}");
    assert!(GgmlType::from_number(4).is_err() && GgmlType::from_number(u32::MAX).is_err());
}

/// Quantises 32 values to `levels` steps between their least and greatest, as Q4_1 and Q5_1 do.
fn scale_and_minimum(values: &[f32], levels: f32) -> (f16, f16) {
    let least = values.iter().copied().fold(f32::INFINITY, f32::min);
    let greatest = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    (f16::from_f32((greatest - least) / levels), f16::from_f32(least))
}

proptest! {
    #[test]
    fn q4_1_is_within_half_a_step(values_in in prop::collection::vec(-8f32..8.0, BLOCK)) {
        let (scale, minimum) = scale_and_minimum(&values_in, 15.0);
        let level = |value: f32| {
            let steps = (value - minimum.to_f32()) / scale.to_f32();
            if steps.is_finite() { steps.round().clamp(0.0, 15.0) as u8 } else { 0 }
        };
        let mut block = [scale.to_le_bytes(), minimum.to_le_bytes()].concat();
        block.extend((0..16).map(|i| level(values_in[i]) | (level(values_in[i + 16]) << 4)));
        // Half a step, and what the f16 scale and minimum lost.
        let bound = scale.to_f32() / 2.0 + 0.03;
        for (found, expected) in values(GgmlType::Q4_1, &block).iter().zip(&values_in) {
            prop_assert!((found - expected).abs() <= bound, "{} and {}", found, expected);
        }
    }

    #[test]
    fn q8_0_is_within_half_a_step(values_in in prop::collection::vec(-8f32..8.0, BLOCK)) {
        let greatest = values_in.iter().fold(0f32, |most, value| most.max(value.abs()));
        let scale = f16::from_f32(greatest / 127.0);
        let mut block = scale.to_le_bytes().to_vec();
        block.extend(values_in.iter().map(|value| {
            let steps = (value / scale.to_f32()).round().clamp(-127.0, 127.0);
            (if steps.is_finite() { steps as i8 } else { 0 }).cast_unsigned()
        }));
        let bound = scale.to_f32() / 2.0 + 0.01;
        for (found, expected) in values(GgmlType::Q8_0, &block).iter().zip(&values_in) {
            prop_assert!((found - expected).abs() <= bound, "{} and {}", found, expected);
        }
    }

    #[test]
    fn blocks_do_not_touch_each_other(
        which in 0..GgmlType::ALL.len(),
        seed in prop::collection::vec(any::<u8>(), 420),
    ) {
        let kind = GgmlType::ALL[which];
        let size = kind.block_bytes();
        let blocks: Vec<u8> = seed.iter().copied().take(2 * size).collect();
        let both = values(kind, &blocks);
        let apart = [values(kind, &blocks[..size]), values(kind, &blocks[size..])].concat();
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&both), bits(&apart));
    }

    #[test]
    fn a_length_that_is_not_whole_blocks_is_no_panic(
        which in 0..GgmlType::ALL.len(),
        bytes in prop::collection::vec(any::<u8>(), 0..500),
        room in 0usize..600,
    ) {
        let mut out = vec![7.0; room];
        GgmlType::ALL[which].dequantize(&bytes, &mut out);
    }
}
