//! Quorum arithmetic and every way in which a certificate can lie.

use super::*;

const GENESIS: Hash = Hash([1; 32]);
const BLOCK: Hash = Hash([2; 32]);

fn keys(count: u8) -> Vec<ConsensusKeypair> {
    let mut keys: Vec<_> = (1..=count).map(|i| ConsensusKeypair::from_seed(&[i; 32])).collect();
    keys.sort_by_key(ConsensusKeypair::public);
    keys
}

fn set(keys: &[ConsensusKeypair]) -> ValidatorSet {
    ValidatorSet::new(keys.iter().map(|key| ConsensusValidator { key: key.public(), power: 1 }).collect())
        .unwrap()
}

fn certificate(signers: &[ConsensusKeypair]) -> Certificate {
    let height = Height::new(5);
    let signatures = signers
        .iter()
        .map(|key| (key.public(), Certificate::vote(key, &GENESIS, height, 0, &BLOCK)))
        .collect();
    Certificate { height, round: 0, block: BLOCK, signatures }
}

#[test]
fn more_than_two_thirds_decide() {
    let keys = keys(4);
    assert_eq!(certificate(&keys[..3]).verify(&GENESIS, &set(&keys)), Ok(()));
    let two = certificate(&keys[..2]).verify(&GENESIS, &set(&keys));
    assert_eq!(two, Err(CertificateError::NoQuorum { signed: 2, total: 4 }));
    // Exactly two thirds are not enough.
    assert!(certificate(&keys[..2]).verify(&GENESIS, &set(&keys[..3])).is_err());
}

#[test]
fn a_vote_binds_chain_height_round_and_block() {
    let keys = keys(1);
    let good = certificate(&keys);
    let changes: [fn(&mut Certificate); 3] =
        [|c| c.height = Height::new(6), |c| c.round = 1, |c| c.block = Hash([3; 32])];
    for change in changes {
        let mut forged = good.clone();
        change(&mut forged);
        assert!(matches!(forged.verify(&GENESIS, &set(&keys)), Err(CertificateError::BadSignature { .. })));
    }
    assert!(good.verify(&Hash([9; 32]), &set(&keys)).is_err());
}

#[test]
fn a_voter_counts_once_and_only_if_known() {
    let keys = keys(4);
    let mut twice = certificate(&keys[..2]);
    twice.signatures.extend(twice.signatures.clone());
    assert!(matches!(twice.verify(&GENESIS, &set(&keys)), Err(CertificateError::Disorder { .. })));
    let stranger = certificate(&keys[..3]).verify(&GENESIS, &set(&keys[1..]));
    assert!(matches!(stranger, Err(CertificateError::UnknownVoter { .. })));
}

#[test]
fn sets_refuse_nonsense() {
    let validator = |seed: u8, power| ConsensusValidator {
        key: ConsensusKeypair::from_seed(&[seed; 32]).public(),
        power,
    };
    assert_eq!(ValidatorSet::new(vec![]), Err(ValidatorSetError::Empty));
    assert!(matches!(
        ValidatorSet::new(vec![validator(1, 1), validator(1, 2)]),
        Err(ValidatorSetError::Duplicate { .. })
    ));
    assert_eq!(ValidatorSet::new(vec![validator(1, 0)]), Err(ValidatorSetError::Power));
    assert_eq!(
        ValidatorSet::new(vec![validator(1, u64::MAX), validator(2, 1)]),
        Err(ValidatorSetError::Power)
    );
}
