//! A payment that is amended again and again is written into the index about once a second, and as it is in the end.

use std::sync::Arc;
use std::time::Instant;

use paystorm::domain::amendment::{AmendPayment, PaymentPatch};
use paystorm::domain::command::PaymentCommand;
use paystorm::domain::event::{Event, Recorded};
use paystorm::domain::ids::AccountId;
use paystorm::domain::submission::Lane;
use paystorm::domain::time::Timestamp;
use paystorm::readers::batch::{Batch, Entry};
use paystorm::readers::follower::Reader as _;
use paystorm::readers::index::{Index, IndexListener, Indexed};
use paystorm::search::{Query, SearchRequest};

use super::engine::{charge, engine_on};
use super::search::subject::Subject;
use crate::support::commands::counters;
use crate::support::stores;

struct Nobody;

impl IndexListener for Nobody {
    fn indexed(&self, _payments: &[Indexed]) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn amendments_in_a_row_are_written_together() {
    let (subject, test, owner) = (Subject::embedded().await, stores::sqlite().await, AccountId::generate());
    let (engine, _, task) = engine_on(&test.store);
    let payment = engine.execute(charge(owner, 100, None)).await.expect("admitted").payment.id();
    let counters = counters();
    let mut reader = Index::new(
        test.store.clone(),
        Arc::clone(&subject.index),
        Arc::new(()),
        Arc::new(Nobody),
        Arc::clone(&counters),
    );
    let head = test.store.head().await.expect("a head");
    reader.begin(0, head).await.expect("begins");
    let (written, began) = (counters.documents.get(), Instant::now());
    for n in 0..40_u32 {
        let description = Some(Some(format!("amended {n}")));
        let patch = PaymentPatch { description, ..PaymentPatch::default() };
        let amend = AmendPayment { payment, actor: owner, patch, idempotency: None };
        engine.execute(PaymentCommand::Amend(Box::new(amend))).await.expect("amended");
        let (at, event) = (Timestamp::from_micros(0), Event::Amended { amount_minor: None, terms: Some(0) });
        let entry = Entry {
            payment_id: payment,
            owner,
            payee: None,
            lane: Lane::Interactive,
            run: None,
            first_version: n + 2,
            events: vec![Recorded::on_wall(at, event)],
            work: Vec::new(),
            open: None,
            // As if another process had done it.
            payment: None,
        };
        let seq = head + 1 + u64::from(n);
        reader.apply(&[Arc::new(Batch::new(seq, at, None, vec![entry]))]).await.expect("applied");
        reader.tick().await.expect("ticks");
    }
    let times = counters.documents.get() - written;
    assert!(times <= 1 + began.elapsed().as_secs(), "written {times} times in {:?}", began.elapsed());
    reader.finish().await.expect("ends");
    subject.index.refresh().await.expect("refreshed");
    let query = Query::parse("amended 39").expect("a query");
    let page = subject.index.find(&SearchRequest::new(owner, query)).await.expect("an answer");
    assert_eq!(page.hits.len(), 1);
    drop(engine);
    task.await.expect("the sequencer ends");
    subject.remove().await;
}
