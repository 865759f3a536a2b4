//! The redrive of a start while the sequencer goes on: no operation falls between what the redrive reads and what the journal shows.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use paystorm::broker::Broker;
use paystorm::broker::embedded::EmbeddedBroker;
use paystorm::broker::settings::BrokerSettings;
use paystorm::clock::Wall;
use paystorm::domain::command::{Action, AuthorizationResponse as Response, PaymentCommand};
use paystorm::domain::event::CancelReason;
use paystorm::domain::ids::{AccountId, InstanceId, PaymentId, RefundId};
use paystorm::domain::payment::Payment;
use paystorm::domain::submission::{Kind, Lane};
use paystorm::readers::dispatch::Dispatch;
use paystorm::readers::follower::Follower;
use paystorm::readers::ring::Ring;
use paystorm::store::Store;
use tokio_util::sync::CancellationToken;

use crate::support::binary::{self, counted, eventually, on};
use crate::support::commands::{answer, at, decide, one, operate, submit};
use crate::support::socket::Socket;
use crate::support::stores::both;

use crate::support::commands::counters;

/// A guard against hanging, not a measure.
const GUARD: Duration = Duration::from_secs(60);
/// More than a redrive reads at once, and more than the queue holds.
const CHARGES: usize = 800;

/// Dispatch as a process starts it, on a queue that nothing has been put into yet.
struct Dispatching {
    broker: Arc<EmbeddedBroker>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Dispatching {
    async fn start(store: &Arc<dyn Store>, queue_capacity: usize) -> Self {
        let settings = BrokerSettings { queue_capacity, ..BrokerSettings::default() };
        let broker = Arc::new(EmbeddedBroker::new(&settings).expect("a queue"));
        let clock = Wall::system();
        let dispatch = Dispatch::new(Lane::Bulk, store.clone(), broker.clone(), clock.clone(), counters());
        let ring = Arc::new(Ring::new(1, store.head().await.expect("the head")));
        let follower = Follower::leased(store.clone(), ring, clock, InstanceId::generate());
        let stop = CancellationToken::new();
        let task = tokio::spawn(follower.run(Box::new(dispatch), stop.clone()));
        Self { broker, stop, task }
    }

    /// Takes messages until all of these are there; duplicates are harmless.
    async fn wait_for(&self, wanted: usize) -> HashSet<(PaymentId, u16, u16)> {
        let mut seen = HashSet::new();
        while seen.len() < wanted {
            let taken = tokio::time::timeout(GUARD, self.broker.receive(64)).await;
            let taken = taken.unwrap_or_else(|_| panic!("only {} of {wanted} were dispatched", seen.len()));
            for delivery in taken.expect("open") {
                let key = delivery.message.key;
                seen.insert((key.payment, key.operation, key.attempt));
                delivery.ack();
            }
        }
        seen
    }

    async fn end(self) {
        self.stop.cancel();
        self.broker.close(GUARD).await;
        self.task.await.expect("it stops");
    }
}

async fn full(broker: &EmbeddedBroker) {
    let waiting = async || broker.depth().await.expect("open").bulk;
    while waiting().await == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_touched_during_a_redrive_is_dispatched() {
    for test in both().await {
        let store = &test.store;
        let owner = AccountId::generate();
        let charges: Vec<PaymentCommand> = (0..CHARGES).map(|_| submit(owner, Kind::Charge, 5)).collect();
        decide(store.as_ref(), &charges, at(0)).await.expect("committed");
        let dispatching = Dispatching::start(store, 4).await;
        full(&dispatching.broker).await;
        // The redrive waits for room; what it has not read yet is asked to be canceled.
        let ids: Vec<PaymentId> = charges.iter().rev().take(20).map(PaymentCommand::payment).collect();
        for payment in store.payment_get(&ids).await.expect("read") {
            let reason = CancelReason::RequestedByCustomer;
            one(store.as_ref(), operate(&payment, Action::Cancel { reason }), at(1)).await;
        }
        dispatching.wait_for(CHARGES).await;
        dispatching.end().await;
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refunds_opened_during_a_redrive_do_not_hide_those_opened_before() {
    for test in both().await {
        let store = &test.store;
        let owner = AccountId::generate();
        let refund = || Action::Refund { refund: RefundId::generate(), amount_minor: Some(1), detail: None };
        let charges: Vec<PaymentCommand> = (0..CHARGES).map(|_| submit(owner, Kind::Charge, 5)).collect();
        let (_, decided) = decide(store.as_ref(), &charges, at(0)).await.expect("committed");
        let answers: Vec<_> =
            decided.changes.iter().map(|(_, payment)| answer(payment, Response::Approved)).collect();
        let (_, decided) = decide(store.as_ref(), &answers, at(1)).await.expect("committed");
        let paid: Vec<Arc<Payment>> = decided.changes.into_iter().map(|(_, payment)| payment).collect();
        let refunds: Vec<PaymentCommand> = paid.iter().map(|payment| operate(payment, refund())).collect();
        decide(store.as_ref(), &refunds, at(2)).await.expect("committed");
        let dispatching = Dispatching::start(store, 4).await;
        full(&dispatching.broker).await;
        let again: Vec<PaymentCommand> =
            paid.iter().rev().take(20).map(|payment| operate(payment, refund())).collect();
        decide(store.as_ref(), &again, at(3)).await.expect("committed");
        dispatching.wait_for(CHARGES + again.len()).await;
        dispatching.end().await;
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_stays_queued_when_payments_are_canceled_right_after_a_crash() {
    on(binary::Kind::Embedded, async |stack| {
        let key = stack.api_key().await;
        // Nothing is answered before the crash, and nearly everything at once after it.
        stack.set("simulator.latency_max_ms", 600_000);
        stack.set("simulator.latency_median_ms", 600_000);
        let mut server = stack.serve().await;
        let mut socket = Socket::open(&server.url, &key).await;
        let payment = serde_json::json!({
            "kind": "charge", "amount": 1250, "currency": "eur", "payment_method": "pm_card_visa",
        });
        let message =
            serde_json::json!({"type": "payment.submit_batch", "id": 1, "payments": vec![payment; CHARGES]});
        let ack = socket.ask(message).await;
        let ids: Vec<String> = ack["results"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|one| Some(one["payment"]["id"].as_str()?.to_owned()))
            .collect();
        assert_eq!(ids.len(), CHARGES, "{ack}");
        server.kill();
        stack.set("simulator.latency_median_ms", 5);
        let server = stack.serve().await;
        let mut socket = Socket::open(&server.url, &key).await;
        for id in ids.iter().rev().take(20) {
            let cancel = serde_json::json!({
                "type": "operation.submit", "id": 2, "payment_id": id, "operation": "cancel",
            });
            // One that is done already cannot be canceled.
            socket.ask_anyway(cancel).await;
        }
        eventually("all come to rest", async || stack.unfinished().await == 0).await;
        server.stop().await;
        let summary = stack.verify(&[], true).await;
        assert_eq!(counted(&summary, "payments"), u64::try_from(CHARGES).expect("few"));
    })
    .await;
}
