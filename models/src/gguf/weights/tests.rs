//! Names, row orders and packed layers, on files whose values say where they come from.

use tch::Device;

use super::*;
use crate::gguf::testing::Writer;

/// Two query heads and one key head of four rows each, over inputs of 32.
fn llama() -> Writer {
    let rows = |count: u64, base: f32| (0..count * 32).map(|at| base + (at / 32) as f32).collect::<Vec<_>>();
    Writer::default()
        .text("general.architecture", "llama")
        .u32("llama.attention.head_count", 2)
        .u32("llama.attention.head_count_kv", 1)
        .floats("blk.0.attn_q.weight", &[8, 32], &rows(8, 0.0))
        .floats("blk.0.attn_k.weight", &[4, 32], &rows(4, 100.0))
        .floats("blk.0.attn_v.weight", &[4, 32], &rows(4, 200.0))
}

fn source(writer: &Writer) -> GgufSource {
    GgufSource::new(writer.open().unwrap()).unwrap()
}

fn first_column(tensor: &Tensor) -> Vec<f32> {
    Vec::try_from(tensor.select(1, 0)).unwrap()
}

#[test]
fn rotary_pairs_become_halves() {
    let mut source = source(&llama());
    let name = |part: &str| format!("model.layers.0.self_attn.{part}_proj.weight");
    let q = source.take(&name("q"), &[8, 32]).unwrap();
    // In the file a head is (first half, second half) interleaved.
    assert_eq!(first_column(&q), [0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0]);
    let k = source.take(&name("k"), &[4, 32]).unwrap();
    assert_eq!(first_column(&k), [100.0, 102.0, 101.0, 103.0]);
    let v = source.take(&name("v"), &[4, 32]).unwrap();
    assert_eq!(first_column(&v), [200.0, 201.0, 202.0, 203.0]);
    assert!(source.unused().is_empty());
}

#[test]
fn qwen_keeps_its_rows() {
    let values: Vec<f32> = (0..8).map(|at| at as f32).collect();
    let writer = Writer::default()
        .text("general.architecture", "qwen2")
        .u32("qwen2.attention.head_count", 2)
        .floats("blk.3.attn_q.bias", &[8], &values);
    let bias = source(&writer).take("model.layers.3.self_attn.q_proj.bias", &[8]).unwrap();
    assert_eq!(Vec::<f32>::try_from(bias).unwrap(), values);
}

#[test]
fn matrices_of_gpt2_are_turned() {
    let writer = Writer::default()
        .text("general.architecture", "gpt2")
        .floats("blk.0.ffn_up.weight", &[3, 2], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
        .floats("token_embd.weight", &[2, 2], &[0.0, 1.0, 2.0, 3.0]);
    let mut source = source(&writer);
    let up = source.take("transformer.h.0.mlp.c_fc.weight", &[2, 3]).unwrap();
    assert_eq!(Vec::<f32>::try_from(up.reshape(6)).unwrap(), [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
    assert_eq!(source.values_of(0), [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
    let embedding = source.take("transformer.wte.weight", &[2, 2]).unwrap();
    assert_eq!(Vec::<f32>::try_from(embedding.reshape(4)).unwrap(), [0.0, 1.0, 2.0, 3.0]);
}

#[test]
fn a_wrong_shape_or_name_is_an_error_with_the_tensor() {
    let mut source = source(&llama().floats("blk.0.odd.weight", &[1], &[0.0]));
    let error = source.take("model.layers.0.self_attn.q_proj.weight", &[8, 33]).unwrap_err().to_string();
    assert!(error.contains("`blk.0.attn_q.weight`") && error.contains("[8, 33]"), "{error}");
    assert!(
        source.take("lm_head.weight", &[1]).unwrap_err().to_string().contains("`lm_head.weight`: missing")
    );
    assert!(source.unused().contains(&"blk.0.odd.weight".to_owned()));
}

#[test]
fn rows_that_are_not_whole_heads_are_refused() {
    for (heads, rows) in [(3, 8), (8, 8), (0, 8)] {
        let writer = Writer::default()
            .text("general.architecture", "llama")
            .u32("llama.attention.head_count", heads)
            .floats("blk.0.attn_q.weight", &[rows, 1], &[0.0; 8]);
        let error = source(&writer).take("model.layers.0.self_attn.q_proj.weight", &[8, 1]).unwrap_err();
        assert!(error.to_string().contains("`blk.0.attn_q.weight`"), "{error}");
    }
}

/// A block of Q4_1 with scale 1 and minimum 0 whose values are all `value`.
fn block(value: u8) -> Vec<u8> {
    let one = half::f16::from_f32(1.0).to_le_bytes();
    [&one[..], &[0, 0], &[value | (value << 4); 16]].concat()
}

#[test]
fn stacked_four_bit_matrices_are_packed_in_the_right_order() {
    let blocks = |from: u8| (0..8).flat_map(|row| block(from + row)).collect::<Vec<u8>>();
    let writer = Writer::default()
        .text("general.architecture", "llama")
        .u32("llama.attention.head_count", 2)
        .tensor("blk.0.attn_q.weight", &[8, 32], 3, &blocks(0))
        .tensor("blk.0.attn_v.weight", &[8, 32], 3, &blocks(8));
    let mut source = source(&writer);
    let rows = ["q", "v"].map(|part| Rows {
        weight: format!("model.layers.0.self_attn.{part}_proj.weight"),
        outputs: 8,
        inputs: 32,
    });
    let to = |dtype| Target::new(dtype, Device::Cpu);
    assert!(source.packed(&rows, None, &to(Dtype::Bf16)).unwrap().is_none());
    let layer = source.packed(&rows, None, &to(Dtype::Int4)).unwrap().unwrap();
    assert!(matches!(layer, Linear::Int4(_)) && source.unused().is_empty());
    let mut one = [0.0; 32];
    one[5] = 1.0;
    let x = Tensor::from_slice(&one).view([1, 32]).to_kind(Kind::BFloat16);
    let y = layer.forward(&x).unwrap().to_kind(Kind::Float).view(16);
    let expected = [0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0];
    assert_eq!(Vec::<f32>::try_from(y).unwrap(), expected);
}

#[test]
fn more_than_four_bits_are_kept_in_eight_and_floats_are_left_to_the_layer() {
    let eight = [&half::f16::from_f32(0.5).to_le_bytes()[..], &[3; 32]].concat().repeat(16);
    let writer = |kind: u32, bytes: &[u8]| {
        Writer::default().text("general.architecture", "llama").tensor(
            "output.weight",
            &[16, 32],
            kind,
            bytes,
        )
    };
    let rows = [Rows { weight: "lm_head.weight".into(), outputs: 16, inputs: 32 }];
    let to = Target::new(Dtype::Int4, Device::Cpu);
    let layer = source(&writer(8, &eight)).packed(&rows, None, &to).unwrap();
    assert!(matches!(layer, Some(Linear::Int8(_))));
    assert!(source(&writer(1, &[0; 1024])).packed(&rows, None, &to).unwrap().is_none());
}

/// A block of Q8_0 with scale 1/2, or with `scale`.
fn eight_bits(scale: f32) -> Vec<u8> {
    let mut block = half::f16::from_f32(scale).to_le_bytes().to_vec();
    block.extend((0..32).map(|value| value * 3));
    block
}

/// One layer of GPT-2 with 32 inputs and 16 outputs.
fn gpt2(kind: u32, bytes: &[u8]) -> Linear {
    let writer = Writer::default()
        .text("general.architecture", "gpt2")
        .tensor("blk.0.ffn_up.weight", &[16, 32], kind, bytes)
        .floats("blk.0.ffn_up.bias", &[16], &[0.0; 16]);
    let mut source = source(&writer);
    let name = |part: &str| format!("transformer.h.0.mlp.c_fc.{part}");
    let mut builder = crate::weights::Builder::new(&mut source, Target::new(Dtype::Int4, Device::Cpu));
    let layer = builder.transposed(&name("weight"), &name("bias"), [32, 16]).unwrap();
    assert_eq!(builder.parameters(), 16 * 32 + 16);
    builder.finish(&|_| false).unwrap();
    layer
}

#[test]
fn layers_of_gpt2_are_not_rounded_again() {
    assert!(matches!(gpt2(8, &eight_bits(0.5).repeat(16)), Linear::Int8(_)));
    // Q4_1 whose step is a quarter and whose values do not use all of its span.
    let quarter = half::f16::from_f32(0.25).to_le_bytes();
    let bytes: Vec<u8> = (0..16u8)
        .flat_map(|row| [&quarter[..], &[0, 0], &[(row % 7) | ((3 + row % 5) << 4); 16]].concat())
        .collect();
    let layer = gpt2(3, &bytes);
    assert!(matches!(layer, Linear::Int4(_)));
    let one_hot = Tensor::eye(32, (Kind::BFloat16, Device::Cpu));
    let read = layer.forward(&one_hot).unwrap().to_kind(Kind::Float).tr();
    let mut values = vec![0.0; 16 * 32];
    GgmlType::Q4_1.dequantize(&bytes, &mut values);
    assert_eq!(Vec::<f32>::try_from(read.reshape(16 * 32)).unwrap(), values);
}

#[test]
fn what_is_not_a_number_is_refused_by_name_in_packed_layers_too() {
    let four = |step: f32, least: f32| {
        let number = |value: f32| half::f16::from_f32(value).to_le_bytes();
        [&number(step)[..], &number(least)[..], &[0x21; 16]].concat()
    };
    let rows = [Rows { weight: "lm_head.weight".into(), outputs: 16, inputs: 32 }];
    for (kind, block) in [
        (3, four(f32::INFINITY, 0.0)),
        (3, four(0.5, f32::NAN)),
        (3, four(0.5, f32::NEG_INFINITY)),
        (8, eight_bits(f32::INFINITY)),
        (8, eight_bits(f32::NAN)),
    ] {
        let good = if kind == 3 { four(0.5, 0.25) } else { eight_bits(0.5) };
        let bytes = [good.repeat(15), block].concat();
        let writer = Writer::default().text("general.architecture", "llama").tensor(
            "output.weight",
            &[16, 32],
            kind,
            &bytes,
        );
        let error = source(&writer).packed(&rows, None, &Target::new(Dtype::Int4, Device::Cpu));
        let error = error.map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("`lm_head.weight`") && error.contains("NaN or infinity"), "{error}");
    }
}
