//! Every epoch: reveal, evaluate, commit, in this order, and never in the wrong epoch.

use proptest::prelude::*;

use super::*;

fn height(h: u64) -> Height {
    Height::new(h)
}

fn progress(epoch: u64, committed: bool) -> Progress {
    Progress { epoch: Epoch::new(epoch), committed, revealed: false }
}

#[test]
fn an_epoch_of_twenty_blocks() {
    let rhythm = Rhythm::new(20);
    let done = Some(Epoch::new(1));
    assert_eq!(rhythm.action(height(20), &[progress(1, true)], done), Action::Reveal(Epoch::new(1)));
    assert_eq!(rhythm.action(height(20), &[], done), Action::Wait, "before 15 %");
    let evaluate = Action::Evaluate { epoch: Epoch::new(2), close: height(34) };
    assert_eq!(rhythm.action(height(23), &[], done), evaluate);
    assert_eq!(rhythm.action(height(33), &[], done), evaluate);
    assert_eq!(rhythm.action(height(34), &[], done), Action::Wait, "too late to be finished");
    assert_eq!(rhythm.action(height(25), &[], Some(Epoch::new(2))), Action::Wait, "once per epoch");
    assert_eq!(rhythm.action(height(39), &[progress(2, false)], done), Action::Commit(Epoch::new(2)));
    let uncertain = rhythm.action(height(40), &[progress(2, false)], done);
    assert_eq!(uncertain, Action::Reveal(Epoch::new(2)), "it may have been committed just before a crash");
}

#[test]
fn what_missed_its_epoch_is_dropped() {
    let rhythm = Rhythm::new(20);
    assert!(rhythm.is_alive(&progress(2, false), height(39)));
    assert!(!rhythm.is_alive(&progress(2, false), height(60)), "never committed");
    assert!(rhythm.is_alive(&progress(2, true), height(59)));
    assert!(!rhythm.is_alive(&progress(2, true), height(60)), "never revealed");
    assert!(!rhythm.is_alive(&Progress { revealed: true, ..progress(2, true) }, height(41)));
}

proptest! {
    #[test]
    fn a_validator_that_does_what_it_is_told_reveals_every_epoch(tempo in 3u64..400, epochs in 2u64..6) {
        let rhythm = Rhythm::new(tempo);
        let (mut commitments, mut evaluated, mut reveals) = (Vec::<Progress>::new(), None, Vec::new());
        for tip in 0..tempo * epochs {
            let tip = height(tip);
            // One action per block, as if each took a block to be included.
            match rhythm.action(tip, &commitments, evaluated) {
                Action::Reveal(epoch) => {
                    prop_assert_eq!(epoch.next(), Some(rhythm.running(tip)));
                    commitments.iter_mut().filter(|p| p.epoch == epoch).for_each(|p| p.revealed = true);
                    reveals.push(epoch.get());
                }
                Action::Commit(epoch) => {
                    prop_assert_eq!(epoch, rhythm.running(tip));
                    commitments.iter_mut().filter(|p| p.epoch == epoch).for_each(|p| p.committed = true);
                }
                Action::Evaluate { epoch, close } => {
                    prop_assert_eq!(epoch, rhythm.running(tip));
                    prop_assert!(close > tip && rhythm.running(close) == epoch);
                    evaluated = Some(epoch);
                    commitments.push(Progress { epoch, committed: false, revealed: false });
                }
                Action::Wait => {}
            }
            commitments.retain(|p| rhythm.is_alive(p, tip));
        }
        prop_assert_eq!(reveals, (1..epochs).collect::<Vec<_>>());
    }
}
