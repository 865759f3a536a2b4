//! What is kept beside payments and refunds.

use std::collections::BTreeSet;

use paystorm::domain::ids::{PaymentId, RefundId};
use paystorm::store::DetailRecord;

use crate::support::stores::both;

fn sorted(mut found: Vec<DetailRecord>) -> Vec<([u8; 16], u64, Vec<u8>)> {
    found.sort_unstable_by_key(|record| (record.subject, record.id));
    found.into_iter().map(|record| (record.subject, record.id, record.body)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn details_are_kept_once_and_found_by_what_they_belong_to() {
    for test in both().await {
        let store = test.store.as_ref();
        let (payment, refund) = (*PaymentId::generate().as_bytes(), *RefundId::generate().as_bytes());
        let big = vec![0xfe_u8; 200_000];
        // Names use all 64 bits.
        for (subject, id, body) in
            [(payment, 1, b"one".as_slice()), (payment, u64::MAX, &big), (refund, 0, b"\x00\xff'")]
        {
            store.detail_put(subject, id, body).await.expect("put");
            // What is there stays.
            store.detail_put(subject, id, b"other").await.expect("put");
        }
        let keys = [(payment, 1), (payment, u64::MAX)];
        let of_payment = sorted(store.detail_get(&keys).await.expect("read"));
        assert_eq!(of_payment, [(payment, 1, b"one".to_vec()), (payment, u64::MAX, big)], "{}", test.name);
        let nobody = *PaymentId::generate().as_bytes();
        let keys = [(nobody, 1), (refund, 0), (payment, 2)];
        let found = sorted(store.detail_get(&keys).await.expect("read"));
        assert_eq!(found, [(refund, 0, b"\x00\xff'".to_vec())], "{}", test.name);
        assert_eq!(store.detail_get(&[]).await.expect("read"), [], "{}", test.name);
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_details_are_found_at_once_and_gone_through_in_order() {
    for test in both().await {
        let store = test.store.as_ref();
        let subjects: Vec<[u8; 16]> = (0..700).map(|_| *PaymentId::generate().as_bytes()).collect();
        let keys: Vec<([u8; 16], u64)> =
            subjects.iter().flat_map(|subject| [(*subject, 5), (*subject, u64::MAX)]).collect();
        for subject in subjects.iter().step_by(7) {
            for id in [5, u64::MAX] {
                store.detail_put(*subject, id, b"{}").await.expect("put");
            }
        }
        assert_eq!(store.detail_get(&keys).await.expect("read").len(), 200, "{}", test.name);
        let mut snapshot = store.snapshot().await.expect("snapshot");
        for limit in [1, 3, 1_000] {
            let (mut after, mut seen) = (None, Vec::new());
            loop {
                let page = snapshot.details(after, limit).await.expect("read");
                let Some(last) = page.last() else { break };
                after = Some((last.subject, last.id));
                seen.extend(page.iter().map(|record| (record.subject, record.id)));
            }
            assert_eq!(seen.len(), 200, "{}: {limit}", test.name);
            assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 200, "{}: {limit}", test.name);
        }
        assert_eq!(snapshot.details_of(&keys).await.expect("read").len(), 200, "{}", test.name);
        drop(snapshot);
        test.remove().await;
    }
}
