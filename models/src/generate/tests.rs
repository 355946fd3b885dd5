//! Sampling: greedy ties, frequencies, replay.

use super::*;

fn distribution(probabilities: &[f64]) -> LogProbs {
    probabilities.iter().map(|p| p.ln() as f32).collect()
}

#[test]
fn greedy_takes_the_first_of_the_likeliest() {
    let greedy = Sampling { temperature: 0.0, seed: 1 };
    assert_eq!(choose(&distribution(&[0.2, 0.4, 0.4]), greedy, 7), 1);
}

#[test]
fn sampling_follows_the_distribution() {
    let probabilities = [0.5, 0.3, 0.15, 0.05];
    let mut counts = [0.0; 4];
    for position in 0..10_000 {
        let sampling = Sampling { temperature: 1.0, seed: 3 };
        counts[choose(&distribution(&probabilities), sampling, position) as usize] += 1.0;
    }
    for (count, p) in counts.iter().zip(probabilities) {
        // Four standard deviations; the seed is fixed.
        let spread = 4.0 * (10_000.0 * p * (1.0 - p)).sqrt();
        assert!((count - 10_000.0 * p).abs() < spread, "{counts:?}");
    }
}

#[test]
fn temperature_sharpens() {
    let flat = distribution(&[0.4, 0.35, 0.25]);
    let share = |temperature| {
        let chosen = (0..2000).map(|position| choose(&flat, Sampling { temperature, seed: 5 }, position));
        chosen.filter(|token| *token == 0).count()
    };
    // 0.4^5 / (0.4^5 + 0.35^5 + 0.25^5) = 0.63.
    assert!((1150..1370).contains(&share(0.2)), "{}", share(0.2));
}

#[test]
fn the_noise_depends_on_seed_and_position_only() {
    let flat = distribution(&[0.25; 4]);
    let draw = |seed, position| choose(&flat, Sampling { temperature: 1.0, seed }, position);
    let all: Vec<Token> = (0..64).map(|position| draw(1, position)).collect();
    assert_eq!(all, (0..64).map(|position| draw(1, position)).collect::<Vec<_>>());
    assert_ne!(all, (0..64).map(|position| draw(2, position)).collect::<Vec<_>>());
    assert!(all.iter().any(|token| *token != all[0]));
}
