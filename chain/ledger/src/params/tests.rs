//! Bounds of parameters, and where epochs end.

use super::*;

#[test]
fn epochs_end_with_multiples_of_the_tempo() {
    let params = Params { tempo_blocks: 5, ..Params::default() };
    let epochs: Vec<u64> = (0..=11).map(|h| params.epoch_of(Height::new(h)).get()).collect();
    assert_eq!(epochs, [0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3]);
    let ends: Vec<u64> = (0..=11).filter(|h| params.ends_epoch(Height::new(*h))).collect();
    assert_eq!(ends, [5, 10]);
}

#[test]
fn impossible_parameters_are_refused() {
    assert_eq!(Params::default().check(), Ok(()));
    let changes: [fn(&mut Params); 10] = [
        |p| p.consensus_validators = 101,
        |p| p.validator_min_stake = Nacu::ZERO,
        |p| p.unbonding_epochs = 65,
        |p| p.slash_ppm = 1_000_001,
        |p| p.tempo_blocks = 1,
        |p| p.max_uids = 0,
        |p| p.default_take = u16::MAX,
        |p| p.bonds_moving_average_ppm = 1_000_001,
        |p| p.min_price = Nacu::new(u64::MAX),
        |p| p.max_supply = Nacu::new(1 << 56),
    ];
    for change in changes {
        let mut params = Params::default();
        change(&mut params);
        assert!(params.check().is_err(), "{params:?}");
    }
}
