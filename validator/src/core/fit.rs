//! Values over epochs, paired on the same questions.
//!
//! Epochs differ in difficulty by far more than good miners differ from one another, so a plain mean would reward a
//! miner for having been away when the questions were hard. The fit is additive: value(miner, epoch) = a(miner) +
//! b(epoch), by least squares weighted with each epoch's weight, over the cells that exist. What is returned is
//! a(miner) + mean b: the value as if the miner had been asked in every epoch. If all were, it is exactly the weighted
//! mean. A miner that was not asked in an epoch has no cell there: it is not decayed.

/// One measured value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// Index of the miner.
    pub miner: usize,
    /// Index of the epoch.
    pub epoch: usize,
    /// The value.
    pub value: f64,
}

/// Alternating steps at most; complete data need two.
const MAX_STEPS: usize = 500;

/// Change below which the fit is done.
const TOLERANCE: f64 = 1e-10;

/// Value of each miner over all epochs; `None` without a cell. `weights` has one positive number per epoch.
#[must_use]
pub fn additive(miners: usize, weights: &[f64], cells: &[Cell]) -> Vec<Option<f64>> {
    let mut miner = vec![0.0; miners];
    let mut epoch = vec![0.0; weights.len()];
    for _ in 0..MAX_STEPS {
        let moved_epochs = refit(&mut epoch, cells, |cell| (cell.epoch, cell.value - miner[cell.miner], 1.0));
        let moved_miners = refit(&mut miner, cells, |cell| {
            (cell.miner, cell.value - epoch[cell.epoch], weights[cell.epoch])
        });
        if moved_epochs.max(moved_miners) < TOLERANCE {
            break;
        }
    }
    let seen: Vec<bool> = (0..weights.len()).map(|at| cells.iter().any(|cell| cell.epoch == at)).collect();
    let (mut total, mut mean) = (0.0, 0.0);
    for ((weight, level), _) in weights.iter().zip(&epoch).zip(&seen).filter(|(_, seen)| **seen) {
        total += weight;
        mean += weight * level;
    }
    let mean = if total > 0.0 { mean / total } else { 0.0 };
    let known = |at: usize| cells.iter().any(|cell| cell.miner == at);
    (0..miners).map(|at| known(at).then_some(miner[at] + mean)).collect()
}

/// Sets each level to the weighted mean of its cells; returns the largest change.
fn refit(levels: &mut [f64], cells: &[Cell], of: impl Fn(&Cell) -> (usize, f64, f64)) -> f64 {
    let mut sums = vec![(0.0, 0.0); levels.len()];
    for cell in cells {
        let (at, value, weight) = of(cell);
        sums[at].0 += weight * value;
        sums[at].1 += weight;
    }
    let mut moved: f64 = 0.0;
    for (level, (sum, weight)) in levels.iter_mut().zip(sums).filter(|(_, (_, weight))| *weight > 0.0) {
        moved = moved.max((sum / weight - *level).abs());
        *level = sum / weight;
    }
    moved
}

#[cfg(test)]
mod tests;
