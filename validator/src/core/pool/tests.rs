//! The pool is judged on weights from the past only, and never gets worse by one useless or absent member.

use acumen_protocol::AccountId;

use super::*;
use crate::core::positions::WINDOW_POSITIONS;

fn key(id: u8) -> Hotkey {
    Hotkey(AccountId([id; 32]))
}

fn positions(rows: &[(u8, &[f32])]) -> Positions {
    Positions {
        reference: vec![0.01; rows[0].1.len()],
        miners: rows.iter().map(|(id, row)| (key(*id), row.iter().map(|&p| Some(p)).collect())).collect(),
    }
}

/// Measures with distributions over two bytes, of which 0 is the realised one.
fn measure(pool: &mut Pool, block: &Positions) {
    let rows: BTreeMap<Hotkey, Vec<Option<[f32; 2]>>> = block
        .miners
        .iter()
        .map(|(hotkey, probs)| (*hotkey, probs.iter().map(|prob| prob.map(|p| [p, 1.0 - p])).collect()))
        .collect();
    let at = |at: usize| {
        let answered = rows.iter().filter_map(|(hotkey, row)| Some((*hotkey, &row[at].as_ref()?[..])));
        Shapes { truth: 0, miners: answered.collect() }
    };
    let shapes: Vec<Shapes<'_>> = (0..block.reference.len()).map(at).collect();
    pool.measure(block, &shapes);
}

#[test]
fn the_first_epoch_only_fits() {
    let mut pool = Pool::default();
    let block = positions(&[(1, &[0.5; 8]), (2, &[0.25; 8])]);
    measure(&mut pool, &block);
    assert_eq!(pool.collective().bytes, 0);
    assert_eq!(pool.miner(&key(1)).bytes, 8, "shown until there is a second epoch");
    pool.learn(block.clone(), &[key(1), key(2)]);
    assert!(pool.weight(&key(1)) > 0.99);
    measure(&mut pool, &block);
    assert_eq!(pool.collective().bytes, 8);
    assert!((pool.collective().bits_per_byte() - 1.0).abs() < 1e-3);
    assert!((pool.miner(&key(1)).bits_per_byte() - 1.0).abs() < 1e-3);
    assert!((pool.miner(&key(2)).bits_per_byte() - 2.0).abs() < 1e-3);
}

#[test]
fn weights_come_from_earlier_epochs_only() {
    let mut pool = Pool::default();
    let members = [key(1), key(2)];
    let (first, second) =
        (positions(&[(1, &[0.5; 8]), (2, &[0.01; 8])]), positions(&[(1, &[0.01; 8]), (2, &[0.5; 8])]));
    pool.learn(first, &members);
    measure(&mut pool, &second);
    assert!(pool.collective().bits_per_byte() > 5.0, "hindsight would have given one bit");
}

#[test]
fn complements_share_the_weight_and_beat_both() {
    let mut pool = Pool::default();
    let (a, b): (Vec<f32>, Vec<f32>) =
        (0..64).map(|t| if t % 2 == 0 { (0.9, 0.05) } else { (0.05, 0.9) }).unzip();
    let block = positions(&[(1, &a), (2, &b)]);
    pool.learn(block.clone(), &[key(1), key(2)]);
    measure(&mut pool, &block);
    let best = pool.miner(&key(1)).bits_per_byte().min(pool.miner(&key(2)).bits_per_byte());
    assert!(pool.collective().bits_per_byte() < best - 0.5);
    assert!((pool.weight(&key(1)) - 0.5).abs() < 1e-2);
}

#[test]
fn an_absent_member_is_left_out_when_predicting_and_distrusted_when_fitting() {
    let mut pool = Pool::default();
    let both = positions(&[(1, &[0.5; 8]), (2, &[0.4, 0.6, 0.4, 0.6, 0.4, 0.6, 0.4, 0.6])]);
    pool.learn(both, &[key(1), key(2)]);
    let alone = positions(&[(2, &[0.5; 8])]);
    measure(&mut pool, &alone);
    assert!((pool.collective().bits_per_byte() - 1.0).abs() < 1e-3, "renormalised over who answered");
    for _ in 0..8 {
        pool.learn(alone.clone(), &[key(1), key(2)]);
    }
    assert!(pool.weight(&key(1)) < 0.2);
    let before = pool.collective().nats;
    measure(&mut pool, &Positions { reference: vec![0.25; 4], miners: BTreeMap::new() });
    let lost = pool.collective().nats - before;
    assert!((lost - 4.0 * 4f64.ln()).abs() < 1e-6, "nobody answered: the reference");
}

#[test]
fn the_window_is_bounded_and_members_without_positions_keep_the_old_weights() {
    let mut pool = Pool::default();
    let row = [0.5f32; 512];
    for _ in 0..20 {
        pool.learn(positions(&[(1, &row)]), &[key(1)]);
    }
    assert_eq!(pool.window.epochs().map(|p| p.reference.len()).sum::<usize>(), WINDOW_POSITIONS);
    pool.learn(positions(&[(1, &row)]), &[]);
    assert_eq!(pool.weight(&key(1)), 1.0);
}
