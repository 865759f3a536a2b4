//! The index's documents.

use super::*;

#[tokio::test]
async fn documents_are_worked_out_from_the_events_alone() {
    let (mut world, _) = World::sound();
    let parked = world.submit(2, Kind::Charge, 500);
    let ends: Vec<Response> = vec![
        Response::TechnicalFailure(crate::domain::event::TechnicalError::Timeout);
        Policy::default().retry_delays_ms.len() + 1
    ];
    for end in ends {
        world.answer(parked, end);
        let state = world.payment(parked);
        if state.due_at().is_some() {
            world.now_us = state.due_at().unwrap().micros();
            let events = world.decide(|context| decide::timer_due(context, &state));
            world.record(parked, None, &events);
        }
    }
    assert!(world.payment(parked).is_parked());
    for row in world.payments.values() {
        let payment = row.folded.as_ref().unwrap();
        for version in 1..=payment.version() {
            let then = payment.at_version(version).unwrap();
            let written: Vec<ScannedDocument> =
                PaymentDocument::of(&then, &()).iter().map(ScannedDocument::of).collect();
            let expected: Vec<_> = document::expected(&then, &()).iter().map(|one| one.document).collect();
            assert_eq!(expected, written, "{then:#?}");
        }
    }
}

#[tokio::test]
async fn documents_equal_their_payments() {
    let key = |payment| DocKey { payment, receipt_of: None };
    let (counts, _) = planted(|world, [charge, ..]| {
        world.documents.remove(&key(charge));
    })
    .await;
    assert_eq!(counts, only(Name::MissingDocument));
    let (counts, text) = planted(|world, [_, transfer, ..]| {
        let receipt = DocKey { payment: transfer, receipt_of: Some(world.account(2)) };
        assert!(world.documents.remove(&receipt).is_some());
    })
    .await;
    assert_eq!(counts, only(Name::MissingDocument));
    assert!(text.contains("receipt of acct_"), "{text}");
    for version in [1, 70] {
        let (counts, _) =
            planted(|world, [charge, ..]| world.documents.get_mut(&key(charge)).unwrap().version = version)
                .await;
        assert_eq!(counts, only(Name::StaleDocument));
    }
    let (counts, _) =
        planted(|world, [charge, ..]| world.documents.get_mut(&key(charge)).unwrap().fields ^= 1).await;
    assert_eq!(counts, only(Name::StaleDocument));
    for ghost in [PaymentId::from_bytes([0; 16]), PaymentId::from_bytes([0xff; 16])] {
        let (counts, _) = planted(|world, _| {
            world
                .documents
                .insert(key(ghost), ScannedDocument { key: key(ghost), version: 1, fields: 0, words: 0 });
        })
        .await;
        assert_eq!(counts, only(Name::ExtraDocument));
    }
}

#[tokio::test]
async fn documents_that_the_journal_still_holds_are_behind_and_not_wrong() {
    let (mut world, [.., declined]) = World::sound();
    world.documents.remove(&DocKey { payment: declined, receipt_of: None });
    world.cursors[0].1 = world.head - 1;
    let report = audit_world(&world, &options(), None).await;
    assert!(report.passed(), "{report}");
    assert!(report.summary().ends_with("4 documents (1 behind)"), "{report}");
    let strict = AuditOptions { at_rest: true, ..options() };
    assert!(audit_world(&world, &strict, None).await.counts().contains_key(&Name::MissingDocument));
}

#[tokio::test]
async fn nothing_is_waited_for_where_nothing_follows() {
    struct Alone(World);
    #[async_trait]
    impl Current for Alone {
        async fn payments(&self, ids: &[PaymentId]) -> Result<Vec<Payment>, AuditError> {
            Current::payments(&self.0, ids).await
        }
        async fn index_is_followed(&self) -> Result<bool, AuditError> {
            Ok(false)
        }
    }
    let (mut world, [charge, ..]) = World::sound();
    world.documents.remove(&DocKey { payment: charge, receipt_of: None });
    let (mut snapshot, mut view, current) = (world.clone(), world.clone(), Alone(world));
    let side = IndexSide { view: &mut view, current: &current };
    let patient = AuditOptions { index_lag: Duration::from_secs(3_600), ..options() };
    let report = audit(&mut snapshot, Some(side), None, &patient).await.unwrap();
    assert_eq!(report.counts(), &only(Name::MissingDocument), "{report}");
}
