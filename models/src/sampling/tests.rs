//! Vectors from an independent implementation (a few lines of Python over the published generator), and the shortcuts
//! against the definition.

use proptest::prelude::*;

use super::*;

fn logprobs() -> LogProbs {
    [0.5_f32, 0.25, 0.125, 0.0625, 0.0625].iter().map(|p| p.ln()).collect()
}

fn run(temperature: f64, top_p: f64) -> Vec<Token> {
    let sampler = Sampler { temperature, top_p, seed: 42 };
    (0..24).map(|position| sampler.choose(&logprobs(), position)).collect()
}

#[test]
fn the_noise_is_as_specified() {
    for (seed, position, id, expected) in [
        (0, 0, 0, 2.061_661_254_434_242),
        (7, 0, 65, 0.359_865_464_043_608_03),
        (7, 1, 65, 0.127_892_813_579_857_2),
        (u64::MAX, 1 << 40, 49_151, 2.343_807_825_949_020_6),
        (0x0123_4567_89ab_cdef, 12, 3, -0.959_237_128_069_689_2),
    ] {
        assert!((noise(seed, position, id) - expected).abs() < 1e-12, "{seed} {position} {id}");
    }
}

#[test]
fn the_choices_are_as_specified() {
    assert_eq!(run(1.0, 1.0), [0, 0, 0, 1, 2, 2, 0, 2, 0, 0, 0, 4, 0, 2, 0, 1, 0, 0, 0, 0, 0, 2, 1, 4]);
    assert_eq!(run(0.5, 1.0), [0, 0, 0, 0, 2, 0, 0, 2, 0, 0, 0, 0, 0, 2, 0, 1, 0, 0, 0, 0, 0, 1, 1, 1]);
    assert_eq!(run(1.0, 0.7), [0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1, 1]);
    assert_eq!(run(0.0, 1.0), [0; 24]);
}

#[test]
fn greedy_takes_the_smallest_id_among_equals() {
    let sampler = Sampler { temperature: 0.0, top_p: 1.0, seed: 1 };
    assert_eq!(sampler.choose(&vec![-2.0, -1.0, -1.0], 0), 1);
    assert_eq!(sampler.choose(&Vec::new(), 0), 0);
}

#[test]
fn what_is_impossible_is_never_chosen() {
    let sampler = Sampler { temperature: 100.0, top_p: 1.0, seed: 3 };
    let distribution = vec![f32::NEG_INFINITY, 0.0, f32::NEG_INFINITY];
    assert!((0..1_000).all(|position| sampler.choose(&distribution, position) == 1));
}

/// Chi-squared with 4 degrees of freedom is above 18.5 once in a thousand; the seed is fixed.
#[test]
fn frequencies_are_the_probabilities() {
    let sampler = Sampler { temperature: 1.0, top_p: 1.0, seed: 11 };
    let draws = 20_000;
    let mut counts = [0_f64; 5];
    for position in 0..draws {
        counts[sampler.choose(&logprobs(), position) as usize] += 1.0;
    }
    let expected = logprobs().into_iter().map(|logprob| f64::from(logprob).exp() * draws as f64);
    let chi: f64 = counts.iter().zip(expected).map(|(n, e)| (n - e) * (n - e) / e).sum();
    assert!(chi < 18.5, "{chi}: {counts:?}");
}

/// The definition, word for word.
fn by_definition(sampler: &Sampler, distribution: &LogProbs, position: u64) -> Token {
    let value = |id: Token| {
        f64::from(distribution[id as usize]) / sampler.temperature + noise(sampler.seed, position, id)
    };
    let ids = 0..u32::try_from(distribution.len()).unwrap();
    ids.reduce(|best, id| if value(id) > value(best) { id } else { best }).unwrap()
}

proptest! {
    #[test]
    fn shortcuts_change_nothing(
        raw in prop::collection::vec(-20.0_f32..0.0, 1..300),
        temperature in 0.05_f64..4.0,
        seed: u64,
        position: u64,
    ) {
        let sampler = Sampler { temperature, top_p: 1.0, seed };
        prop_assert_eq!(sampler.choose(&raw, position), by_definition(&sampler, &raw, position));
    }

    #[test]
    fn a_skipped_token_could_not_have_won(random in 0_u64..1 << 53, ones in 0_u32..53, distance in 0.0_f64..40.0) {
        // Uniform bits rarely begin with many ones, where the bound is tight.
        let random = random | ((1_u64 << ones) - 1) << (53 - ones);
        if cannot_exceed(random, distance) {
            prop_assert!(gumbel(random) < distance);
        }
    }
}
