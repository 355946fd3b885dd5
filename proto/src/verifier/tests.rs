//! Together and alone say the same; forgeries are found in company; whoever goes away leaves nobody waiting.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use acumen_protocol::Keypair;
use futures::future::join_all;

use super::*;

fn claims(count: u8) -> Vec<Claim> {
    let claim = |index: u8| {
        let key = Keypair::from_seed(&[index % 3; 32]);
        let message = vec![index; usize::from(index)];
        Claim { signer: key.account(), signature: key.sign(&message), message }
    };
    (0..count).map(claim).collect()
}

async fn verdicts(verifier: &Verifier, claims: &[Claim]) -> Vec<bool> {
    join_all(claims.iter().cloned().map(|claim| verifier.verify(claim))).await
}

#[tokio::test]
async fn what_is_signed_holds_in_sets_of_every_size() {
    let verifier = Verifier::new();
    for count in [1, 2, 3, 31, 32, 33, 100] {
        assert!(verdicts(&verifier, &claims(count)).await.into_iter().all(|holds| holds), "{count}");
        assert_eq!(verifier.caution.load(Ordering::Relaxed), 0, "{count} were not checked together");
    }
}

#[tokio::test]
async fn a_forgery_is_found_among_others_and_only_it() {
    let honest = claims(20);
    let bend: [fn(&mut Claim); 5] = [
        |claim| claim.message.push(0),
        |claim| claim.signature.0[0] ^= 1,
        |claim| claim.signature.0[40] ^= 1,
        // No signature of this scheme at all: the marking bit is gone.
        |claim| claim.signature.0[63] &= 0x7f,
        |claim| claim.signer = AccountId([0xff; 32]),
    ];
    for bend in bend {
        let verifier = Verifier::new();
        let mut claims = honest.clone();
        bend(&mut claims[7]);
        let found = verdicts(&verifier, &claims).await;
        let alone: Vec<bool> = claims.iter().map(Claim::holds).collect();
        assert_eq!(found, alone);
        assert_eq!(found.iter().filter(|holds| !**holds).count(), 1);
    }
}

/// Two signatures of one key whose errors cancel each other in a plain sum.
#[tokio::test]
async fn errors_that_cancel_are_found() {
    let mut claims = claims(6);
    // s of both signatures, little endian, one more and one less: the sum of both is that of the true ones.
    claims[0].signature.0[32] = claims[0].signature.0[32].wrapping_add(1);
    claims[3].signature.0[32] = claims[3].signature.0[32].wrapping_sub(1);
    assert_eq!(claims[0].signer, claims[3].signer);
    let found = verdicts(&Verifier::new(), &claims).await;
    assert_eq!(found, [false, true, true, false, true, true]);
}

#[tokio::test]
async fn after_a_forgery_nobody_is_judged_in_company_for_a_while() {
    let verifier = Verifier::new();
    let mut forged = claims(2);
    forged[1].message.push(1);
    assert_eq!(verdicts(&verifier, &forged).await, [true, false]);
    assert_eq!(verifier.caution.load(Ordering::Relaxed), CAUTION);
    let honest = claims(32);
    for _ in 0..CAUTION / 32 {
        assert!(verdicts(&verifier, &honest).await.into_iter().all(|holds| holds));
    }
    assert_eq!(verifier.caution.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_lead_that_goes_away_leaves_nobody_waiting() {
    let verifier = Arc::new(Verifier::new());
    let mut claims = claims(2);
    let second = claims.pop().unwrap();
    let mut first = Box::pin(verifier.verify(claims.pop().unwrap()));
    // Polled once: it leads now, and has stepped back.
    assert!(futures::poll!(first.as_mut()).is_pending());
    let mut second = Box::pin(verifier.verify(second));
    assert!(futures::poll!(second.as_mut()).is_pending());
    drop(first);
    assert!(second.await);
    assert!(verifier.lock().is_empty());
}

#[tokio::test]
async fn who_was_alone_for_long_still_finds_company() {
    let verifier = Verifier::new();
    let claims = claims(32);
    for _ in 0..LOOK_AGAIN {
        assert!(verifier.verify(claims[0].clone()).await);
    }
    assert_eq!(verifier.lonely.load(Ordering::Relaxed), LOOK_AGAIN);
    let lonely = verifier.verify(claims[0].clone()).await && verifier.verify(claims[1].clone()).await;
    assert!(lonely && !verifier.expects_company());
    assert!(verdicts(&verifier, &claims).await.into_iter().all(|holds| holds));
    assert_eq!(verifier.lonely.load(Ordering::Relaxed), 0);
}
