//! Single linkage, and the numbering of unordered pairs.
//!
//! Pair (i, j), i < j, has index j(j−1)/2 + i. Single linkage is the connected components of the links: if a is a copy
//! of b and b of c, all three are one player, whatever the distance of a and c.

/// Index of the pair i < j.
pub(super) fn index(i: usize, j: usize) -> usize {
    j * (j - 1) / 2 + i
}

/// The pair i < j of an index.
pub(super) fn members(index: usize) -> (usize, usize) {
    let j = (8 * index + 1).isqrt().div_ceil(2);
    (index - j * (j - 1) / 2, j)
}

/// Index of the senior member of each miner's component.
pub(super) fn label(
    miners: usize,
    links: impl Iterator<Item = (usize, usize)>,
    seniority: &[u64],
) -> Vec<usize> {
    let mut parent: Vec<usize> = (0..miners).collect();
    for (a, b) in links {
        let (a, b) = (root(&mut parent, a), root(&mut parent, b));
        parent[a.max(b)] = a.min(b);
    }
    let rank = |miner: usize| (seniority.get(miner).copied().unwrap_or(u64::MAX), miner);
    let mut senior: Vec<usize> = (0..miners).collect();
    for miner in 0..miners {
        let component = root(&mut parent, miner);
        if rank(miner) < rank(senior[component]) {
            senior[component] = miner;
        }
    }
    (0..miners).map(|miner| senior[root(&mut parent, miner)]).collect()
}

fn root(parent: &mut [usize], mut miner: usize) -> usize {
    while parent[miner] != miner {
        parent[miner] = parent[parent[miner]];
        miner = parent[miner];
    }
    miner
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbering_is_a_bijection() {
        let mut next = 0;
        for j in 1..60 {
            for i in 0..j {
                assert_eq!(index(i, j), next);
                assert_eq!(members(next), (i, j));
                next += 1;
            }
        }
    }

    #[test]
    fn chains_are_one_component_named_by_its_senior() {
        let labels = label(5, [(0, 2), (2, 4)].into_iter(), &[9, 1, 8, 1, 3]);
        assert_eq!(labels, [4, 1, 4, 3, 4]);
        assert_eq!(label(3, [(0, 1)].into_iter(), &[7, 7, 7]), [0, 0, 2], "ties go to the lower index");
    }
}
