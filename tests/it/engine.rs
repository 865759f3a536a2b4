//! The engine on both stores: what is decided is what is stored, and the ledger balances.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use paystorm::clock::Wall;
use paystorm::domain::card::{Card, YearMonth};
use paystorm::domain::command::{
    AuthorizationAnswer, AuthorizationResponse, IdempotencyKey, PaymentCommand, SubmitPayment,
};
use paystorm::domain::currency::Currency;
use paystorm::domain::idempotency::{KeySecret, RequestKey};
use paystorm::domain::ids::{AccountId, ClockId, PaymentId};
use paystorm::domain::money::Money;
use paystorm::domain::payment::{Payment, WorkKey};
use paystorm::domain::submission::{CaptureMethod, Kind, Lane, Submission};
use paystorm::domain::time::Timestamp;
use paystorm::engine::writer::{CommitListener, Committed, Writer};
use paystorm::engine::{Engine, EngineSettings, batcher};
use paystorm::store::Store;

use crate::support::stores;

use crate::support::commands::counters;

/// Remembers the position of every commit.
#[derive(Default)]
pub struct Seen(Mutex<Vec<u64>>);

impl Seen {
    /// In the order of their commits.
    pub fn places(&self) -> Vec<u64> {
        self.0.lock().expect("not poisoned").clone()
    }
}

impl CommitListener for Seen {
    fn committed(&self, batch: Committed) {
        self.0.lock().expect("not poisoned").push(batch.seq);
    }
}

pub fn engine_on(store: &Arc<dyn Store>) -> (Engine, Arc<Seen>, tokio::task::JoinHandle<()>) {
    engine_by(store, Wall::system())
}

/// The same by another clock.
fn engine_by(store: &Arc<dyn Store>, wall: Wall) -> (Engine, Arc<Seen>, tokio::task::JoinHandle<()>) {
    // Nobody is refused because the machine is busy.
    let settings = EngineSettings { answer_within_ms: 60_000, ..EngineSettings::default() };
    let (engine, lanes) = batcher::lanes(&settings);
    let seen = Arc::new(Seen::default());
    let writer = Writer::new(store.clone(), settings.policy(), wall, seen.clone(), counters());
    (engine, seen, tokio::spawn(batcher::run(lanes, writer, settings.batch_max)))
}

pub fn charge(owner: AccountId, amount_minor: i64, key: Option<&str>) -> PaymentCommand {
    let card = Card::from_token("pm_card_visa", &[7; 32], YearMonth { year: 2026, month: 1 })
        .expect("a known token");
    PaymentCommand::Submit(Box::new(SubmitPayment {
        submission: Submission {
            id: PaymentId::generate(),
            owner,
            kind: Kind::Charge,
            amount: Money::new(amount_minor, Currency::EUR),
            capture: CaptureMethod::Automatic,
            lane: Lane::Interactive,
            draw_key: 1,
            description: None,
            metadata: Vec::new(),
            run: None,
            customer: None,
            clock: ClockId::WALL,
        },
        instrument: Some(card.into()),
        confirm: true,
        idempotency: key.map(|key| {
            let name = RequestKey::Text(key.to_owned());
            IdempotencyKey::new(&name, amount_minor.to_string().as_bytes(), &KeySecret::derive(&[7; 32]))
        }),
    }))
}

fn approval(work: WorkKey) -> AuthorizationAnswer {
    AuthorizationAnswer { work, started_at: Timestamp::now(), response: AuthorizationResponse::Approved }
}

async fn settle(engine: &Engine, payment: &Payment) {
    let work = payment.queued_work().next().expect("queued work");
    let answer = approval(work);
    let done = engine.answer(answer).await.expect("admitted").outcome().await.expect("done");
    assert_eq!(done.version, payment.version() + 2, "taken up, and succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_settles_once_and_its_key_replays() {
    for test in stores::both().await {
        let (engine, seen, task) = engine_on(&test.store);
        let owner = AccountId::generate();
        let first = engine.execute(charge(owner, 1250, Some("order-1"))).await.expect("admitted");
        assert!(!first.replayed, "{}", test.name);
        settle(&engine, &first.payment).await;
        let again = engine.execute(charge(owner, 1250, Some("order-1"))).await.expect("replayed");
        assert!(again.replayed && again.payment.id() == first.payment.id(), "{}", test.name);
        let other = engine.execute(charge(owner, 1, Some("order-1"))).await.expect_err("other parameters");
        assert!(other.to_string().contains("same parameters"), "{other}");
        // A second answer to the same attempt is a no-op and takes no position in the journal.
        let work = first.payment.queued_work().next().expect("queued work");
        let late = approval(work);
        let late = engine.answer(late).await.expect("admitted").outcome().await.expect("done");
        assert_eq!(late.seq, 0, "{}", test.name);
        let wallets = test.store.wallet_list(owner).await.expect("wallets");
        assert_eq!(
            wallets.iter().map(|wallet| wallet.holdings.balance_minor).collect::<Vec<_>>(),
            [1250],
            "{}",
            test.name
        );
        let stored = test.store.payment_get(&[first.payment.id()]).await.expect("payments");
        assert_eq!(stored.first(), Some(&*again.payment), "{}", test.name);
        assert_eq!(*seen.0.lock().expect("not poisoned"), [1, 2], "{}", test.name);
        assert_eq!(test.store.head().await.expect("head"), 2, "{}", test.name);
        drop(engine);
        task.await.expect("the sequencer ends");
        test.remove().await;
    }
}

/// Two instances whose clocks are 1.5 s apart take turns on one journal: time goes forward along it, each payment's as well, and both
/// see the same.
#[tokio::test(flavor = "multi_thread")]
async fn instances_whose_clocks_are_apart_agree_on_every_time() {
    const ROUNDS: usize = 20;
    for test in stores::both().await {
        let (late, _, late_task) = engine_by(&test.store, Wall::off_by(-750_000));
        let (early, _, early_task) = engine_by(&test.store, Wall::off_by(750_000));
        let owner = AccountId::generate();
        let mut made = Vec::new();
        for round in 0..ROUNDS {
            let (one, other) = if round % 2 == 0 { (&early, &late) } else { (&late, &early) };
            let done = one.execute(charge(owner, 100, None)).await.expect("admitted");
            settle(other, &done.payment).await;
            made.push(done.payment.id());
        }
        let payments = test.store.payment_get(&made).await.expect("read");
        let mut walls = Vec::new();
        for id in &made {
            let payment = payments.iter().find(|payment| payment.id() == *id).expect("it is there");
            let history = payment.history();
            assert!(history.iter().all(|recorded| recorded.at == recorded.wall), "{}", test.name);
            assert!(payment.id().made_at() <= payment.created_at(), "{}", test.name);
            walls.extend([history[0].wall, history[1].wall]);
            assert_eq!(history[1].wall, history[2].wall, "{}: one batch, one wall", test.name);
        }
        assert!(walls.is_sorted_by(|one, next| one < next), "{}: {walls:?}", test.name);
        let rows = test.store.journal_read(0, 100).await.expect("read");
        assert_eq!(rows.iter().map(|row| row.at).collect::<Vec<_>>(), walls, "{}", test.name);
        // Every caller sees what was written, by whichever instance.
        assert_eq!(
            test.store.head_wall().await.expect("read"),
            *walls.last().expect("some"),
            "{}",
            test.name
        );
        drop((late, early));
        late_task.await.expect("the sequencer ends");
        early_task.await.expect("the sequencer ends");
        test.remove().await;
    }
}

/// Remembers what the payments of each batch hold.
#[derive(Default)]
struct Held(Mutex<Vec<usize>>);

impl CommitListener for Held {
    fn committed(&self, batch: Committed) {
        let bytes = batch.changes.iter().map(|(_, payment)| payment.memory_bytes()).sum();
        self.0.lock().expect("not poisoned").push(bytes);
    }
}

/// Answers weigh next to nothing, and the payments that they are about are all in memory while a batch is decided.
#[tokio::test(flavor = "multi_thread")]
async fn answers_about_large_payments_are_decided_a_few_at_a_time() {
    const LARGE: usize = 100_000;
    const COUNT: usize = 200;
    for test in stores::both().await {
        let (engine, _, task) = engine_on(&test.store);
        let owner = AccountId::generate();
        let mut answers = Vec::new();
        for n in 0..COUNT {
            let PaymentCommand::Submit(mut submit) = charge(owner, 100, None) else { panic!("it submits") };
            // One large one is more than many small ones.
            let bytes = if n % 2 == 0 { LARGE } else { 10 };
            submit.submission.metadata = vec![("much".to_owned(), "x".repeat(bytes))];
            let done = engine.execute(PaymentCommand::Submit(submit)).await.expect("admitted");
            let work = done.payment.queued_work().next().expect("queued work");
            answers.push(approval(work));
        }
        drop(engine);
        task.await.expect("the sequencer ends");
        let settings = EngineSettings::default();
        let (engine, lanes) = batcher::lanes(&settings);
        let held = Arc::new(Held::default());
        let clock = Wall::system();
        let writer = Writer::new(test.store.clone(), settings.policy(), clock, held.clone(), counters());
        // All of them are there when the sequencer begins.
        let mut replies = Vec::new();
        for answer in answers {
            replies.push(engine.answer(answer).await.expect("admitted"));
        }
        let task = tokio::spawn(batcher::run(lanes, writer, settings.batch_max));
        for reply in replies {
            let done = reply.outcome().await.expect("done");
            assert_eq!(done.version, 3, "created, taken up, and succeeded");
        }
        drop(engine);
        task.await.expect("the sequencer ends");
        let held = held.0.lock().expect("not poisoned").clone();
        assert!(held.iter().sum::<usize>() > LARGE * COUNT / 2, "{held:?}");
        assert!(held.iter().all(|bytes| *bytes < 9 << 20), "{}: {held:?}", test.name);
        test.remove().await;
    }
}

/// The bare sequencer's speed, for a person to read: `cargo test --release -- --ignored --nocapture sequencer_speed`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "prints figures; no assertion on speed"]
async fn sequencer_speed() {
    for test in stores::both().await {
        let (engine, seen, task) = engine_on(&test.store);
        let owner = AccountId::generate();
        let (count, window) = (100_000_usize, 2_000_usize);
        let start = Instant::now();
        let mut made = 0;
        while made < count {
            let replies: Vec<_> = (made..made + window)
                .map(|index| {
                    engine.submit(charge(owner, 100, Some(&format!("run-{index:09}")))).expect("room")
                })
                .collect();
            made += window;
            let mut answers = Vec::with_capacity(window);
            for reply in replies {
                let done = reply.outcome().await.expect("done");
                let work = done.payment.queued_work().next().expect("work");
                let answer = approval(work);
                answers.push(engine.answer(answer).await.expect("admitted"));
            }
            for answer in answers {
                answer.outcome().await.expect("done");
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        let commits = seen.0.lock().expect("not poisoned").len();
        println!(
            "{}: {:.0} payments/s, {:.4} commits per payment",
            test.name,
            count as f64 / seconds,
            commits as f64 / count as f64
        );
        drop(engine);
        task.await.expect("the sequencer ends");
        test.remove().await;
    }
}
