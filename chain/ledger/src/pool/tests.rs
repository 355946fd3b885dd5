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
        let bought = pool.buy(Nacu::new(amount)).unwrap();
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
    let mine = pool.buy(Nacu::new(1 << 54)).unwrap();
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
