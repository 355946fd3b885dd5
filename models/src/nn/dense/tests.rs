//! A packed layer against libtorch's own.

use proptest::prelude::*;
use tch::Device;

use super::*;

/// Whether two results of sums over `inputs` products below 1 are the same but for rounding.
fn assert_same(found: &Tensor, expected: &Tensor, inputs: i64, what: &str) {
    assert_eq!(found.size(), expected.size(), "{what}");
    let bound = if expected.kind() == Kind::Float { 1e-5 } else { 0.02 } * (inputs as f64).sqrt();
    let error = (found.to_kind(Kind::Float) - expected.to_kind(Kind::Float)).abs().max().double_value(&[]);
    assert!(error <= bound, "{what}: off by {error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn is_libtorchs_linear(rows in prop_oneof![1i64..40, 47i64..140], outputs in 1i64..80, inputs in 1i64..80, biased in any::<bool>()) {
        for kind in [Kind::Float, Kind::BFloat16] {
            let random = |shape: &[i64]| Tensor::rand(shape, (Kind::Float, Device::Cpu)).to_kind(kind) - 0.5;
            // Tiles want inputs in thirties-two.
            for inputs in [inputs, inputs * 32] {
                let (weight, x, sum) = (random(&[outputs, inputs]), random(&[rows, inputs]), random(&[rows, outputs]));
                let bias = biased.then(|| random(&[outputs]));
                let expected = x.linear(&weight, bias.as_ref());
                let layer = Dense::new(weight.shallow_clone(), bias).unwrap();
                assert_same(&layer.forward(&x).unwrap(), &expected, inputs, "forward");
                assert_same(&layer.scores(&x).unwrap(), &expected, inputs, "scores");
                let more = &sum + &expected;
                assert_same(&layer.add_to(sum.copy(), &x).unwrap(), &more, inputs, "add_to");
                // Rows in more dimensions, and rows with gaps between them.
                let stacked = layer.forward(&x.unsqueeze(0)).unwrap();
                assert_same(&stacked.squeeze_dim(0), &expected, inputs, "stacked");
                let gaps = Tensor::cat(&[&x, &x], 1).narrow(1, 0, inputs);
                assert_same(&layer.forward(&gaps).unwrap(), &expected, inputs, "gaps");
            }
        }
    }
}

#[test]
fn activations_of_another_width_or_type_are_an_error() {
    let layer = Dense::new(Tensor::zeros([32, 64], (Kind::Float, Device::Cpu)), None).unwrap();
    if matches!(layer, Dense::Packed { .. }) {
        let of = |width: i64, kind| layer.forward(&Tensor::zeros([2, width], (kind, Device::Cpu)));
        assert!(of(64, Kind::Float).is_ok());
        assert!(of(63, Kind::Float).unwrap_err().to_string().contains("(32, 64)"));
        assert!(of(64, Kind::BFloat16).is_err());
        let x = Tensor::zeros([2, 64], (Kind::Float, Device::Cpu));
        assert!(layer.add_to(Tensor::zeros([3, 32], (Kind::Float, Device::Cpu)), &x).is_err());
    }
}
