//! Counts what the timers ask of the store while nothing happens, and while a clock waits for a slow acquirer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::Sabotage;
use super::broker::SimBroker;
use super::chance::Chance;
use super::clients::account;
use super::clocks::BEGIN_US;
use super::index::SimIndex;
use super::store::SimStore;
use crate::accounts::Directory;
use crate::app::pipeline::{Parts, Pipeline};
use crate::background::Tasks;
use crate::clock::Wall;
use crate::config::Settings;
use crate::domain::card::{Card, YearMonth};
use crate::domain::clock::{Clock, ClockPatch, ClockStatus};
use crate::domain::command::{PaymentCommand, SubmitPayment};
use crate::domain::currency::Currency;
use crate::domain::customer::Customer;
use crate::domain::ids::{ClockId, CustomerId, InstanceId, PaymentId};
use crate::domain::money::Money;
use crate::domain::resource::{Body, Change, ChangeResource, Patch};
use crate::domain::subject::Subject;
use crate::domain::submission::{CaptureMethod, Kind, Lane, Submission};
use crate::domain::time::Timestamp;
use crate::engine::Engine;
use crate::readers::live::LiveHub;
use crate::worker::Worlds;

/// How long the acquirer takes, in milliseconds.
const SLOW_MS: u64 = 30_000;
const BEGIN: Timestamp = Timestamp::from_micros(BEGIN_US);

/// A process in a world in which nothing breaks.
async fn start() -> (Pipeline, Arc<SimStore>) {
    let chance = Chance::new(1);
    chance.calm();
    let started = Instant::now();
    let wall = Wall::new(move || BEGIN.plus_ms(u64::try_from(started.elapsed().as_millis()).unwrap_or(0)));
    let store = Arc::new(SimStore::new(Arc::default(), chance.clone(), Sabotage::None));
    let (queue, wake) = (Arc::default(), Arc::new(Notify::new()));
    let directory = Arc::new(Directory::new(store.clone()));
    let mut settings = Settings::default();
    settings.simulator.latency_median_ms = 30_000.0;
    settings.simulator.latency_sigma = 0.0;
    let parts = Parts {
        store: store.clone(),
        broker: Arc::new(SimBroker::new(queue, wake, false, chance.clone(), Sabotage::None)),
        search: Arc::new(SimIndex::new(Arc::default(), true, chance, Sabotage::None)),
        directory: directory.clone(),
        hub: LiveHub::new(directory, wall.clone()),
        worlds: Worlds::new(&settings.simulator, wall.now()),
    };
    let instance = InstanceId::from_bytes([1; 16]);
    (
        Pipeline::start_at(&settings, parts, instance, wall.clone(), Tasks::new(wall))
            .await
            .expect("it starts"),
        store,
    )
}

/// A payment at a slow acquirer, of a customer who follows a clock.
async fn pay_by_clock(engine: &Engine, clock: ClockId) {
    let customer = CustomerId::from_bytes([4; 16]);
    let create = |subject: Subject, clock, body| ChangeResource {
        subject,
        actor: account(0),
        change: Change::Create { clock, body: Box::new(body) },
        answer: None,
        idempotency: None,
    };
    let body = Body::Clock(Clock::frozen(None, BEGIN, BEGIN));
    engine.change(create(clock.into(), ClockId::WALL, body)).await.expect("a clock");
    let body = Body::Customer(Customer::default());
    engine.change(create(customer.into(), clock, body)).await.expect("a customer");
    let submission = Submission {
        id: PaymentId::from_bytes([5; 16]),
        owner: account(0),
        kind: Kind::Charge,
        amount: Money::new(100, Currency::EUR),
        capture: CaptureMethod::Automatic,
        lane: Lane::Interactive,
        draw_key: 0,
        description: None,
        metadata: Vec::new(),
        run: None,
        customer: Some(customer),
        clock: ClockId::WALL,
    };
    let card = Card::from_token("pm_card_visa", &[7; 32], YearMonth { year: 2026, month: 1 });
    let instrument = Some(card.expect("a card").into());
    let submit = SubmitPayment { submission, instrument, confirm: true, idempotency: None };
    engine.execute(PaymentCommand::Submit(Box::new(submit))).await.expect("submitted");
}

fn status(store: &SimStore, clock: ClockId) -> ClockStatus {
    let data = store.data.lock();
    let (resource, _) = data.resources.get(&Subject::from(clock)).expect("it is there");
    match &resource.body {
        Some(Body::Clock(clock)) => clock.status(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn timers_ask_next_to_nothing_while_nothing_happens() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let (pipeline, store) = start().await;
        let asked = |of: &AtomicU64| of.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(asked(&store.asked_awake), 1, "which clocks there are, in ten minutes without any");
        let clock = ClockId::from_bytes([3; 16]);
        pay_by_clock(&pipeline.engine, clock).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = (asked(&store.asked_awake), asked(&store.asked_busy));
        let advance = ChangeResource {
            subject: clock.into(),
            actor: account(0),
            change: Change::Update(Patch::Clock(ClockPatch::Advance(BEGIN.plus_ms(60_000)))),
            answer: None,
            idempotency: None,
        };
        let began = Instant::now();
        pipeline.engine.change(advance).await.expect("on its way");
        while status(&store, clock) != ClockStatus::Ready {
            assert!(began.elapsed() < Duration::from_secs(120), "it arrives");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let took = began.elapsed();
        assert!(took > Duration::from_millis(SLOW_MS - 5_000), "it waited for the acquirer: {took:?}");
        let (awake, busy) = (asked(&store.asked_awake) - before.0, asked(&store.asked_busy) - before.1);
        println!("{took:?}: {awake} and {busy} questions");
        // Four a second, and a few at the beginning and the end; it was two hundred a second.
        assert!(busy <= SLOW_MS / 250 + 20, "{busy} questions in {took:?}");
        assert!(awake <= 10, "{awake} questions in {took:?}");
        pipeline.stop(Instant::now() + Duration::from_secs(40)).await;
    });
}
