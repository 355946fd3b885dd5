//! Random epochs: small networks with every mask, boundary and extreme often hit.

use acumen_scoring_consensus::{EpochInput, LiquidAlpha, Neuron, Params, SparseRows};

/// SplitMix64: a seed names a case for ever.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }

    /// A `u16`, often one of the ends.
    fn edgy(&mut self) -> u16 {
        let any = self.next() as u16;
        let small = any % 4;
        self.pick(&[any, any, any, 0, 1, small, 32_767, 32_768, u16::MAX])
    }
}

pub(crate) fn params(r: &mut Random) -> Params {
    let (a, b) = (r.edgy(), r.edgy());
    let any_ma = r.below(1_000_001);
    let steepness = r.next() as i16;
    let liquid = LiquidAlpha {
        low: a.min(b),
        high: a.max(b),
        steepness: r.pick(&[1_000, 200, -1_000, steepness, i16::MIN, i16::MAX, 0]),
    };
    let n = r.below(6) as u16;
    Params {
        kappa: r.edgy(),
        bonds_moving_average: r.pick(&[900_000, 975_000, 0, 1_000_000, any_ma]),
        bonds_penalty: r.edgy(),
        yuma3: r.chance(60),
        liquid_alpha: r.chance(50).then_some(liquid),
        activity_cutoff: r.pick(&[0, 3, 5_000]),
        max_allowed_validators: r.pick(&[64, n, 3]),
        min_stake: r.pick(&[0, 0, 2, 1_000]),
        commit_reveal: r.chance(50),
        bonds_reset: r.chance(30),
    }
}

pub(crate) fn input(r: &mut Random, n: usize) -> EpochInput {
    let scale = r.pick(&[3, 1_000, 1 << 40, (1 << 62) / n as u64]);
    let registered = r.pick(&[1, 20]);
    let neurons = (0..n)
        .map(|_| Neuron {
            stake: if r.chance(25) { 0 } else { r.below(scale) },
            last_update: 90 + r.below(11),
            block_at_registration: if r.chance(80) { r.below(registered) } else { 88 + r.below(13) },
            permit: r.chance(75),
            commit_block: r.chance(40).then_some(85 + r.below(14)),
            bonds_reset: r.chance(20),
        })
        .collect();
    let owner = r.below(n as u64) as u16;
    let density = r.pick(&[10, 50, 90, 100]);
    let any = r.next();
    EpochInput {
        block: 100,
        last_tempo: r.chance(80).then_some(95),
        tempo: r.pick(&[5, 200]),
        owner_uid: r.chance(40).then_some(owner),
        neurons,
        weights: matrix(r, n, density),
        bonds: matrix(r, n, density),
        emission: r.pick(&[1_000_000_000, 1, 0, u64::MAX, any]),
    }
}

fn matrix(r: &mut Random, n: usize, density: u64) -> SparseRows {
    let level = r.edgy();
    let alike = r.chance(30);
    let rows = (0..n)
        .map(|_| {
            (0..n as u16)
                .filter_map(|j| {
                    let value = if alike { level } else { r.edgy() };
                    r.chance(density).then_some((j, value))
                })
                .collect()
        })
        .collect();
    SparseRows::new(n, rows).unwrap()
}
