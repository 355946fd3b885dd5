//! Pools against plain arithmetic (L-15 to L-18).

use proptest::prelude::*;

use super::*;

/// `a × b` in four limbs of 64 bits, so that the long way can be checked by multiplying back.
fn product(a: u128, b: u128) -> (u128, u128) {
    let (low, mask) = (|x: u128| x & u128::from(u64::MAX), u128::from(u64::MAX));
    let (a1, a0, b1, b0) = (a >> 64, low(a), b >> 64, low(b));
    let (p00, p01, p10, p11) = (a0 * b0, a0 * b1, a1 * b0, a1 * b1);
    let middle = (p00 >> 64) + (p01 & mask) + (p10 & mask);
    ((p11 + (p01 >> 64) + (p10 >> 64) + (middle >> 64)), (p00 & mask) | (middle << 64))
}

proptest! {
    #[test]
    fn the_long_way_is_exact(a in 0..1_u128 << 120, b in 0..1_u128 << 120, c in 1..1_u128 << 125) {
        let Some((quotient, rest)) = mul_div(a, b, c) else {
            // The quotient alone leaves 128 bits.
            prop_assert!(product(a, b).0 >= c);
            return Ok(());
        };
        let (high, low) = product(a, b);
        let (back_high, back_low) = product(quotient, c);
        let left = low.wrapping_sub(back_low);
        prop_assert_eq!(high.wrapping_sub(back_high).wrapping_sub(u128::from(low < back_low)), 0);
        prop_assert!(left < c);
        prop_assert_eq!(left > 0, rest);
    }

    #[test]
    fn nobody_gains_by_moving(stake in 1..1_u64 << 55, shares in 1..1_u128 << 100, amount in 1..1_u64 << 54) {
        let mut pool = Pool { stake: Nacu::new(stake), shares };
        if shares > u128::from(stake) << 64 {
            return Ok(());
        }
        let before = pool;
        let bought = pool.earn(Nacu::new(amount)).unwrap();
        prop_assert!(pool.worth(bought) <= Nacu::new(amount));
        prop_assert!(pool.worth(before.shares) >= before.stake);
        let out = pool.redeem(bought).unwrap();
        prop_assert!(out <= Nacu::new(amount) && pool.shares == before.shares);
    }
}

#[test]
fn slashing_again_and_again_leaves_a_pool_that_works() {
    let mut pool = Pool { stake: Nacu::ZERO, shares: 0 };
    assert_eq!(pool.slash(1_000_000).unwrap(), Nacu::ZERO, "nothing to take");
    let (mine, _) = pool.buy(Nacu::new(1 << 54)).unwrap();
    assert_eq!(pool.slash(50_000).unwrap().get(), (1_u64 << 54) / 20);
    for _ in 0..100 {
        pool.slash(1_000_000).unwrap();
        assert!(pool.stake > Nacu::ZERO);
        pool.buy(Nacu::new(1 << 40)).unwrap();
    }
    assert!(pool.shares <= u128::from(pool.stake.get()) << 64);
    let others = pool.shares - mine;
    let sum = pool.redeem(mine).unwrap().get() + pool.worth(others).get();
    assert!(sum <= pool.stake.get() + 1 + pool.worth(others).get());
    pool.redeem(others).unwrap();
    assert_eq!(pool, Pool { stake: Nacu::ZERO, shares: 0 }, "the last one takes the dust");
}

/// A move of one of three holders.
#[derive(Clone, Debug)]
enum Move {
    Buy(usize, u64),
    /// Of what the holder's shares are worth: so many 1,000ths, and so many base units more or less.
    Sell(usize, u64, i64),
    Earn(usize, u64),
    Dividend(u64),
    Slash(u32),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let amount = || prop_oneof![1..4_u64, 1..5_000_u64, 1..2_000_000_000_000_u64];
    let holder = || 0..3_usize;
    let one = prop_oneof![
        4 => (holder(), amount()).prop_map(|(who, amount)| Move::Buy(who, amount)),
        4 => (holder(), 0..=1_000_u64, -2..=2_i64).prop_map(|(who, part, more)| Move::Sell(who, part, more)),
        2 => (holder(), Just(1_000), -3..=0_i64).prop_map(|(who, part, more)| Move::Sell(who, part, more)),
        1 => (holder(), amount()).prop_map(|(who, amount)| Move::Earn(who, amount)),
        2 => amount().prop_map(Move::Dividend),
        1 => (0..=1_000_000_u32).prop_map(Move::Slash),
    ];
    prop::collection::vec(one, 1..400)
}

/// What everybody has: shares, and base units taken out less those paid in.
struct Holders {
    pool: Pool,
    shares: [u128; 3],
    purse: [i128; 3],
}

impl Holders {
    fn wealth(&self, who: usize) -> i128 {
        self.purse[who] + i128::from(self.pool.worth(self.shares[who]).get())
    }

    fn go(&mut self, one: &Move) {
        match *one {
            Move::Buy(who, amount) => {
                let (bought, cost) = self.pool.buy(Nacu::new(amount)).unwrap();
                assert!(cost.get() <= amount && (cost == Nacu::ZERO) == (bought == 0));
                self.shares[who] += bought;
                self.purse[who] -= i128::from(cost.get());
            }
            Move::Sell(who, part, more) => {
                let (held, worth) = (self.shares[who], self.pool.worth(self.shares[who]).get());
                let amount = u64::try_from(u128::from(worth) * u128::from(part) / 1_000).unwrap();
                let amount = amount.saturating_add_signed(more).min(worth);
                let share = self.pool.worth(1).get();
                if amount > 0 {
                    let (sold, paid) = self.pool.sell(held, Nacu::new(amount)).unwrap();
                    assert!((amount..=worth.min(amount + share)).contains(&paid.get()));
                    assert!(share > 0 || paid.get() == amount, "to the last unit while shares are small");
                    self.shares[who] -= sold;
                    self.purse[who] += i128::from(paid.get());
                }
            }
            Move::Earn(who, amount) => self.shares[who] += self.pool.earn(Nacu::new(amount)).unwrap(),
            Move::Dividend(amount) => {
                if self.pool.shares > 0 {
                    self.pool.stake = plus(self.pool.stake, Nacu::new(amount), "stake").unwrap();
                }
            }
            Move::Slash(ppm) => {
                self.pool.slash(ppm).unwrap();
            }
        }
    }
}

fn big(of: u128) -> num_bigint::BigInt {
    of.into()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// From pools of every kind, those with fewer shares than base units first of all (L-15 to L-17).
    #[test]
    fn no_sequence_leaves_stake_to_nobody_or_takes_from_others(
        start in prop_oneof![
            Just((0_u128, 0_u64)),
            (1..4_u128, 1..9_u64),
            (1..90_u128, 1..1_u64 << 50),
            (1_u128 << 16..1_u128 << 80, 1_u64 << 17..1_u64 << 50),
        ],
        sequence in moves(),
    ) {
        let (shares, stake) = start;
        let mut all = Holders { pool: Pool { stake: Nacu::new(stake), shares }, shares: [shares, 0, 0], purse: [0; 3] };
        for one in &sequence {
            let (before, wealth) = (all.pool, [0, 1, 2].map(|who| all.wealth(who)));
            all.go(one);
            let after = all.pool;
            prop_assert_eq!(after.stake == Nacu::ZERO, after.shares == 0, "{:?} left {:?}", one, after);
            prop_assert_eq!(all.shares.iter().sum::<u128>(), after.shares);
            prop_assert!(after.shares <= u128::from(after.stake.get()) << 64);
            let (Move::Buy(who, _) | Move::Sell(who, ..)) = *one else { continue };
            // A share is worth no less for those who stay, and who moves gains nothing and loses a base unit at most.
            let price = |pool: Pool, other: Pool| big(pool.stake.get().into()) * big(other.shares);
            prop_assert!(before.shares == 0 || after.shares == 0 || price(after, before) >= price(before, after));
            for other in (0..3).filter(|other| *other != who) {
                prop_assert!(all.wealth(other) >= wealth[other]);
            }
            let lost = wealth[who] - all.wealth(who);
            prop_assert!((0..=1).contains(&lost), "{:?} cost {} in {:?}", one, lost, before);
        }
    }
}

#[test]
fn the_last_holder_of_a_dear_pool_leaves_nothing_behind() {
    // 1,000 base units in 3 shares: 999 cost all of them.
    let mut pool = Pool { stake: Nacu::new(1_000), shares: 3 };
    assert_eq!(pool.sell(3, Nacu::new(999)).unwrap(), (3, Nacu::new(1_000)));
    assert_eq!(pool, Pool { stake: Nacu::ZERO, shares: 0 });
    // A part costs whole shares too, and brings what they are worth.
    let mut pool = Pool { stake: Nacu::new(1_000), shares: 3 };
    assert_eq!(pool.sell(3, Nacu::new(400)).unwrap(), (2, Nacu::new(666)));
    assert_eq!(pool, Pool { stake: Nacu::new(334), shares: 1 });
}

#[test]
fn a_dear_pool_takes_no_more_than_its_shares_cost() {
    let mut pool = Pool { stake: Nacu::new(100_000), shares: 1 };
    assert_eq!(pool.buy(Nacu::new(99_999)).unwrap(), (0, Nacu::ZERO));
    assert_eq!(pool.buy(Nacu::new(199_999)).unwrap(), (1, Nacu::new(100_000)));
    assert_eq!(pool.worth(1).get(), 100_000, "the first one gains nothing by the second one's rounding");
}
