//! Attention of single queries against libtorch's `scaled_dot_product_attention`.

use acumen_models_kernels::Query;
use proptest::prelude::*;
use tch::Kind;

use super::*;

/// What libtorch gives for one row: every head that asks has a copy of its keys and values.
fn expected(heads: &Attention, seen: Query, q: &Tensor, cache: &Tensor) -> Tensor {
    let shared = dim(heads.queries / heads.keys);
    let seen = cache.narrow(0, dim(seen.first), dim(seen.tokens)).to_kind(Kind::Double);
    let seen = seen.unflatten(1, [2, dim(heads.keys), dim(heads.size)]).permute([1, 2, 0, 3]);
    let [keys, values] = [0, 1].map(|part| seen.get(part).repeat_interleave_self_int(shared, 0, None));
    let q = q.to_kind(Kind::Double).view([dim(heads.queries), 1, dim(heads.size)]);
    let scale = f64::from(heads.scale);
    Tensor::scaled_dot_product_attention(&q, &keys, &values, None::<Tensor>, 0.0, false, scale, false)
        .reshape([-1])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn is_libtorchs(
        keys in 1usize..4,
        shared in 1usize..6,
        width in prop::sample::select(vec![8usize, 16, 32, 48, 64, 96, 128]),
        rows in prop::collection::vec((0usize..20, 1usize..70), 1..5),
        seed in 0i64..1000,
    ) {
        tch::manual_seed(seed);
        let heads = Attention { queries: keys * shared, keys, size: width, scale: (width as f32).powf(-0.5) };
        let rows: Vec<Query> = rows.into_iter().map(|(first, tokens)| Query { first, tokens }).collect();
        let tokens = rows.iter().map(|row| row.first + row.tokens).max().unwrap_or(0);
        let asked = heads.queries * width;
        for (kind, bound) in [(Kind::Float, 1e-5), (Kind::BFloat16, 0.02)] {
            let random = |sizes: [usize; 2]| Tensor::randn(sizes.map(dim), (Kind::Float, Device::Cpu)).to_kind(kind);
            let (q, cache) = (random([rows.len(), asked]), random([tokens, 2 * keys * width]));
            let mut mixed = q.empty_like();
            by_kind!(q, T => heads.attend(&rows, (read::<T>(&q), asked), read(&cache), write(&mut mixed)));
            for (row, seen) in rows.iter().enumerate() {
                let expected = expected(&heads, *seen, &q.get(dim(row)), &cache);
                let error = (mixed.get(dim(row)).to_kind(Kind::Double) - expected).abs().max().double_value(&[]);
                prop_assert!(error <= bound, "{kind:?}, row {row}: off by {error}");
            }
        }
    }
}
