//! Many transactions in one call: each is answered in its place, and none lets another through.

mod common;

use acumen_proto::chain_v1 as wire;
use acumen_proto::chain_v1::chain_client::ChainClient as Grpc;
use acumen_protocol::{Call, Hash, Height, Nacu, Nonce, SignedTransaction, Transaction};
use common::{Running, account, acu, config, genesis, key};

fn transfer(tag: u8, nonce: u64) -> SignedTransaction {
    let transaction = Transaction {
        genesis: genesis().hash().unwrap(),
        sender: account(tag),
        nonce: Nonce::new(nonce),
        valid_until: Height::new(u64::MAX),
        tip: Nacu::ZERO,
        call: Call::Transfer { to: account(9), amount: acu(1) },
    };
    transaction.sign(&key(tag))
}

#[tokio::test]
async fn each_of_many_is_answered_in_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let node = Running::start(config(dir.path(), &genesis())).await;
    let mut grpc = Grpc::connect(node.url.clone()).await.unwrap();
    let good = [transfer(1, 0), transfer(2, 0), transfer(1, 1)];
    let mut forged = transfer(3, 0).to_bytes();
    *forged.last_mut().unwrap() ^= 1;
    let poor = transfer(20, 0).to_bytes();
    let transactions_scale = vec![
        good[0].to_bytes(),
        forged,
        vec![1, 2, 3],
        good[1].to_bytes(),
        poor,
        good[2].to_bytes(),
        good[0].to_bytes(),
    ];
    let answer = grpc.submit_many(wire::SubmitManyRequest { transactions_scale }).await.unwrap();
    let results = answer.into_inner().results;
    let codes: Vec<i32> = results.iter().map(|result| result.code).collect();
    let (invalid, refused) = (tonic::Code::InvalidArgument.into(), tonic::Code::FailedPrecondition.into());
    assert_eq!(codes, [0, invalid, invalid, 0, refused, 0, 0], "{results:?}");
    assert!(results[1].reason.contains("sign it again"), "{}", results[1].reason);
    assert!(!results[4].rejection_scale.is_empty());
    let id = |place: usize| Hash(results[place].id.clone().try_into().unwrap());
    assert_eq!([id(0), id(3), id(5), id(6)], [good[0].id(), good[1].id(), good[2].id(), good[0].id()]);

    let client = node.client().await;
    for signed in &good {
        let waiting = acumen_chain_client::TxId { id: signed.id(), valid_until: Height::new(u64::MAX) };
        client.wait_included(&waiting).await.unwrap();
    }
    // What is in a block is refused by its nonce.
    let again = wire::SubmitManyRequest { transactions_scale: vec![good[0].to_bytes()] };
    assert_eq!(grpc.submit_many(again).await.unwrap().into_inner().results[0].code, refused);
    let supply = grpc.get_supply(wire::GetSupplyRequest { height: 0 }).await.unwrap().into_inner();
    assert_eq!(supply.balances_total, supply.issuance);
    assert!(supply.height > 0 && supply.burned > 0);

    let many = wire::SubmitManyRequest { transactions_scale: vec![Vec::new(); 1_025] };
    assert_eq!(grpc.submit_many(many).await.unwrap_err().code(), tonic::Code::InvalidArgument);
    node.stop().await;
}
