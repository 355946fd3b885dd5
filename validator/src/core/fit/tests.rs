//! The fit recovers what was put in, whatever cells are missing, and is the weighted mean when none is.

use proptest::prelude::*;

use super::*;

#[test]
fn complete_data_give_the_weighted_mean() {
    let values = [[1.0, 2.0, 6.0], [0.0, 4.0, 5.0]];
    let weights = [1.0, 2.0, 1.0];
    let cells: Vec<Cell> = (0..2)
        .flat_map(|miner| (0..3).map(move |epoch| Cell { miner, epoch, value: values[miner][epoch] }))
        .collect();
    let fitted = additive(2, &weights, &cells);
    for (miner, row) in values.iter().enumerate() {
        let mean = row.iter().zip(&weights).map(|(value, weight)| value * weight).sum::<f64>() / 4.0;
        assert!((fitted[miner].unwrap() - mean).abs() < 1e-8);
    }
}

#[test]
fn being_away_in_a_hard_epoch_is_no_advantage() {
    // Miner 0 is better by 0.1 in every epoch; miner 1 skipped the hard one.
    let cells = [
        Cell { miner: 0, epoch: 0, value: 2.1 },
        Cell { miner: 0, epoch: 1, value: 0.5 },
        Cell { miner: 1, epoch: 0, value: 2.0 },
    ];
    let fitted = additive(3, &[1.0, 1.0], &cells);
    assert!((fitted[0].unwrap() - fitted[1].unwrap() - 0.1).abs() < 1e-8, "{fitted:?}");
    assert_eq!(fitted[2], None, "nothing is known of a miner without a cell");
}

proptest! {
    #[test]
    fn additive_values_are_recovered(
        miners in prop::collection::vec(-2.0f64..2.0, 2..6),
        epochs in prop::collection::vec(-2.0f64..2.0, 2..6),
        missing in prop::collection::vec(any::<bool>(), 36),
    ) {
        // The first row and the first column are complete, so all cells are connected.
        let mut cells = Vec::new();
        for (miner, a) in miners.iter().enumerate() {
            for (epoch, b) in epochs.iter().enumerate() {
                if miner == 0 || epoch == 0 || !missing[miner * 6 + epoch] {
                    cells.push(Cell { miner, epoch, value: a + b });
                }
            }
        }
        let fitted = additive(miners.len(), &vec![1.0; epochs.len()], &cells);
        let mean = epochs.iter().sum::<f64>() / epochs.len() as f64;
        for (found, a) in fitted.iter().zip(&miners) {
            prop_assert!((found.unwrap() - a - mean).abs() < 1e-6);
        }
    }
}
