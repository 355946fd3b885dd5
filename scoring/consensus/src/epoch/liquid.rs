//! Yuma 3 with liquid alpha (step 11): each bond has its own moving average.

use super::bonds::merge;
use super::curve::{Curve, LANES, distance};
use super::follow::Market;
use super::part::Part;
use crate::share::{Share, at};

/// Entries whose alphas are computed together: 16 KiB of them stay in the fastest cache.
const BATCH: usize = 512;

/// New bonds. One without a present weight falls to zero at once, while a weight of zero lets it
/// decay: upstream's sparse path, kept on purpose.
pub(super) fn followed(market: &Market<'_>, curve: &Curve) -> Vec<Part> {
    market.parts(|i, targets, batch: &mut Batch, part| {
        merge(targets.iter().copied(), market.old.row(i), |j, new, bond| {
            let Some(weight) = new else { return };
            let bond = bond.map_or(Share::ZERO, Share::of_u16);
            let distance = distance(at(market.consensus, j), weight, bond);
            batch.push(Entry { column: j, weight, bond, alpha: curve.at_zero() }, distance);
            if batch.entries.len() >= BATCH {
                batch.flush(curve, part);
            }
        });
        batch.flush(curve, part);
    })
}

/// A bond to be.
struct Entry {
    column: u16,
    weight: Share,
    bond: Share,
    alpha: Share,
}

/// Entries of one row, of which those at a distance wait for their alpha.
#[derive(Default)]
struct Batch {
    entries: Vec<Entry>,
    /// Which of `entries`, and their distance.
    far: Vec<(usize, Share)>,
}

impl Batch {
    fn push(&mut self, entry: Entry, distance: Share) {
        if distance > Share::ZERO {
            self.far.push((self.entries.len(), distance));
        }
        self.entries.push(entry);
    }

    fn flush(&mut self, curve: &Curve, part: &mut Part) {
        for group in self.far.chunks(LANES) {
            let mut distances = [Share::ZERO; LANES];
            for (cell, &(_, distance)) in distances.iter_mut().zip(group) {
                *cell = distance;
            }
            for (alpha, &(k, _)) in curve.alphas(distances).into_iter().zip(group) {
                if let Some(entry) = self.entries.get_mut(k) {
                    entry.alpha = alpha;
                }
            }
        }
        self.far.clear();
        for entry in self.entries.drain(..) {
            part.push(entry.column, capped_average(entry.alpha, entry.weight, entry.bond));
        }
    }
}

/// `alpha · new + (1 - alpha) · old`, at most one.
pub(crate) fn capped_average(alpha: Share, new: Share, old: Share) -> Share {
    let kept = Share::ONE.minus(alpha).times(old);
    kept.plus(alpha.times(new)).min(Share::ONE)
}
