//! The sequencer when something goes wrong: the caller is answered in time and truthfully, and nobody else is harmed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use diesel_async::{AsyncConnection, AsyncMysqlConnection, SimpleAsyncConnection};
use paystorm::background::Tasks;
use paystorm::clock::Wall;
use paystorm::domain::command::{Action, IdempotencyKey, OperatePayment, PaymentCommand, SubmitPayment};
use paystorm::domain::event::CancelReason;
use paystorm::domain::idempotency::{KeySecret, RequestKey};
use paystorm::domain::ids::{AccountId, BatchId};
use paystorm::domain::submission::Kind;
use paystorm::domain::time::Timestamp;
use paystorm::engine::writer::{CommitListener, Committed, Writer};
use paystorm::engine::{Engine, EngineError, EngineSettings, batcher};
use paystorm::store::mysql::MySqlStore;
use paystorm::store::{BatchKeys, BatchWrite, Sequencer as _, Store, StoreSettings};

use crate::engine::{Seen, engine_on};
use crate::support::commands::{submission, submit};
use crate::support::stores::{both, mysql, sqlite};

use crate::support::commands::counters;

/// Far longer than anything here takes, on the busiest machine.
const GUARD: Duration = Duration::from_secs(60);

fn charge() -> PaymentCommand {
    submit(AccountId::generate(), Kind::Charge, 1_250)
}

/// An engine with these parts and the time limits that users have.
fn engine_of(
    store: &Arc<dyn Store>,
    clock: Wall,
    listener: Arc<dyn CommitListener>,
    tasks: &Tasks,
) -> Engine {
    let settings = EngineSettings::default();
    let (engine, lanes) = batcher::lanes(&settings);
    let writer = Writer::new(store.clone(), settings.policy(), clock, listener, counters());
    tokio::spawn(batcher::run(lanes, writer.listed(tasks), settings.batch_max));
    engine
}

fn nothing_done(outcome: &Result<paystorm::engine::Done, EngineError>) -> bool {
    matches!(outcome, Err(EngineError::Unavailable { maybe_done: false }))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_that_the_store_refuses_stops_nobody_else() {
    let test = mysql().await;
    let (engine, ..) = engine_on(&test.store);
    let mut bad = submission(AccountId::generate(), Kind::Charge, 5);
    // More than any column holds, which no intake lets through.
    bad.submission.description = Some("x".repeat(17 << 20));
    let mut replies: Vec<_> = (0..15).map(|_| engine.submit(charge()).expect("room")).collect();
    let bad = engine.submit(PaymentCommand::Submit(Box::new(bad))).expect("room");
    replies.extend((0..15).map(|_| engine.submit(charge()).expect("room")));
    for reply in replies {
        reply.outcome().await.expect("done");
    }
    assert!(matches!(bad.outcome().await, Err(EngineError::Damaged(_))));
    test.remove().await;
}

fn keyed_cancel(done: &paystorm::engine::Done, key: &str, parameters: &[u8]) -> PaymentCommand {
    let name = RequestKey::Text(key.to_owned());
    PaymentCommand::Operate(OperatePayment {
        payment: done.payment.id(),
        actor: done.payment.owner(),
        action: Action::Cancel { reason: CancelReason::RequestedByCustomer },
        idempotency: Some(IdempotencyKey::new(&name, parameters, &KeySecret::derive(&[7; 32]))),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_an_operation_that_changes_nothing_is_remembered() {
    for test in both().await {
        let (engine, seen, task) = engine_on(&test.store);
        let owner = AccountId::generate();
        let made = engine.execute(submit(owner, Kind::Charge, 700)).await.expect("done");
        let wished = engine.execute(keyed_cancel(&made, "first", b"a")).await.expect("done");
        // It is to be canceled already: nothing happens, alone in its batch.
        let idle = engine.execute(keyed_cancel(&made, "second", b"a")).await.expect("done");
        assert_eq!((idle.version, idle.replayed), (wished.version, false), "{}", test.name);
        drop(engine);
        task.await.expect("the sequencer ends");
        let (engine, ..) = engine_on(&test.store);
        let again = engine.execute(keyed_cancel(&made, "second", b"a")).await.expect("replayed");
        assert_eq!((again.version, again.replayed), (idle.version, true), "{}", test.name);
        let other = engine.execute(keyed_cancel(&made, "second", b"b")).await.expect_err("other parameters");
        assert!(other.to_string().contains("same parameters"), "{}: {other}", test.name);
        // It took a position in the journal, by which an unknown commit of it would be found.
        assert_eq!(seen.places(), [1, 2, 3], "{}", test.name);
        assert_eq!(test.store.journal_read(2, 10).await.expect("read").len(), 1, "{}", test.name);
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_while_deciding_is_its_commands_alone() {
    for test in both().await {
        let planted = Arc::new(AtomicBool::new(false));
        let plant = Arc::clone(&planted);
        let clock = Wall::new(move || {
            assert!(!planted.swap(false, Ordering::Relaxed), "planted");
            Timestamp::now()
        });
        let engine = engine_of(&test.store, clock, Arc::new(Seen::default()), &Tasks::new(Wall::system()));
        plant.store(true, Ordering::Relaxed);
        let planted = engine.execute(charge()).await;
        assert!(matches!(planted, Err(EngineError::Damaged(_))), "{}", test.name);
        engine.execute(charge()).await.expect("the next is done");
        assert_eq!(test.store.head().await.expect("head"), 1, "{}", test.name);
        test.remove().await;
    }
}

/// Panics over the first commit it is notified of.
#[derive(Default)]
struct Fainting(AtomicU32);

impl CommitListener for Fainting {
    fn committed(&self, _batch: Committed) {
        assert!(self.0.fetch_add(1, Ordering::Relaxed) > 0, "planted");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_whose_answer_was_lost_to_a_panic_after_the_commit_learns_that_it_may_be_done() {
    let test = sqlite().await;
    let tasks = Tasks::new(Wall::system());
    let engine = engine_of(&test.store, Wall::system(), Arc::new(Fainting::default()), &tasks);
    let lost = engine.execute(charge()).await;
    assert!(matches!(lost, Err(EngineError::Unavailable { maybe_done: true })), "{lost:?}");
    assert_eq!(test.store.head().await.expect("head"), 1, "it was done");
    engine.execute(charge()).await.expect("the sequencer goes on");
    let all = tasks.all();
    assert!(all.len() == 1 && all[0].0 == "sequencer" && all[0].1.crashes == 1 && all[0].1.alive, "{all:?}");
    test.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_waited_too_long_is_refused_and_never_decided() {
    let test = sqlite().await;
    let settings = EngineSettings { answer_within_ms: 200, ..EngineSettings::default() };
    let (engine, lanes) = batcher::lanes(&settings);
    // Nothing decides yet.
    assert!(nothing_done(&engine.execute(charge()).await));
    // This caller went away, which is a reason not to do it once its time has passed.
    drop(engine.submit(charge()).expect("room"));
    tokio::time::sleep(Duration::from_millis(250)).await;
    let writer = Writer::new(
        test.store.clone(),
        settings.policy(),
        Wall::system(),
        Arc::new(Seen::default()),
        counters(),
    );
    drop(engine);
    batcher::run(lanes, writer, settings.batch_max).await;
    assert_eq!(test.store.head().await.expect("head"), 0);
    test.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_intake_is_bounded_in_bytes() {
    let settings = EngineSettings { intake_memory_bytes: 1 << 20, ..EngineSettings::default() };
    let (engine, lanes) = batcher::lanes(&settings);
    let large = || {
        let mut large = submission(AccountId::generate(), Kind::Charge, 5);
        large.submission.metadata = vec![("key".to_owned(), "x".repeat(100_000))];
        PaymentCommand::Submit(Box::new(SubmitPayment { idempotency: None, ..large }))
    };
    let admitted: Vec<_> = std::iter::from_fn(|| engine.submit(large()).ok()).take(100).collect();
    assert_eq!(admitted.len(), 10);
    assert!(matches!(engine.submit(large()), Err(EngineError::Busy)));
    engine.submit(charge()).expect("a small one still fits");
    // Room comes back with the envelopes.
    drop(lanes);
    assert!(matches!(engine.submit(large()), Err(EngineError::Stopping)));
}

/// Whatever holds the head, for whatever reason: everyone else is answered in time that nothing was changed.
#[tokio::test(flavor = "multi_thread")]
async fn callers_are_answered_in_time_while_another_holds_the_head() {
    let test = mysql().await;
    let store = test.opened_as_users_do().await;
    let engine = engine_of(&store, Wall::system(), Arc::new(Seen::default()), &Tasks::new(Wall::system()));
    let mut holder =
        AsyncMysqlConnection::establish(test.settings.url.expose()).await.expect("MySQL answers");
    holder.batch_execute("BEGIN; UPDATE head SET seq = seq WHERE shard = 0").await.expect("held");
    for round in 0..3 {
        let command = charge();
        let id = command.payment();
        let began = Instant::now();
        let outcome = engine.execute(command).await;
        println!("round {round}: answered after {:?}", began.elapsed());
        assert!(nothing_done(&outcome) && began.elapsed() < GUARD, "{outcome:?}");
        assert!(test.store.payment_get(&[id]).await.expect("read").is_empty());
    }
    holder.batch_execute("ROLLBACK").await.expect("let go");
    let began = Instant::now();
    while engine.execute(charge()).await.is_err() {
        assert!(began.elapsed() < GUARD, "the sequencer goes on");
    }
    println!("done again after {:?}", began.elapsed());
    assert_eq!(test.store.head().await.expect("head"), 1, "and nothing that was refused is done late");
    test.remove().await;
}

/// A process that stops in the middle of a transaction, as a frozen one does.
#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_freezes_with_the_head_holds_nobody_up() {
    let test = mysql().await;
    let (thaw, holds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (thawed, held) = (Arc::clone(&thaw), Arc::clone(&holds));
    let settings = StoreSettings { url: test.settings.url.clone(), ..StoreSettings::default() };
    // Another process, as far as the runtime is concerned: all of it stands still.
    let freezing = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut freeze = |_head, _loaded| {
                held.store(true, Ordering::Release);
                while !thawed.load(Ordering::Acquire) {
                    std::thread::sleep(Duration::from_millis(10));
                }
                BatchWrite { journal: Some(Vec::new()), at: Timestamp::now(), ..BatchWrite::default() }
            };
            let store = MySqlStore::open(&settings).await.expect("MySQL opens");
            loop {
                let keys = BatchKeys::default();
                let outcome =
                    store.commit_batch(BatchId::generate(), Timestamp::now(), &keys, &mut freeze).await;
                if held.load(Ordering::Acquire) {
                    return outcome;
                }
            }
        })
    });
    while !holds.load(Ordering::Acquire) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (engine, ..) = engine_on(&test.store);
    let began = Instant::now();
    engine.execute(charge()).await.expect("done, while the other is still frozen");
    println!("the head was free after {:?}", began.elapsed());
    thaw.store(true, Ordering::Release);
    let error = freezing.join().expect("no panic").expect_err("its session is gone");
    assert!(error.is_transient(), "{error}");
    assert_eq!(test.store.head().await.expect("head"), 1, "nothing of the frozen one was written");
    test.remove().await;
}

/// A connection that still owes an answer would give it to the next caller.
#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_is_given_up_leaves_no_answer_behind() {
    let test = mysql().await;
    let owner = AccountId::generate();
    let (engine, ..) = engine_on(&test.store);
    let mut ids = Vec::new();
    for n in 0..20 {
        ids.push(engine.execute(submit(owner, Kind::Charge, 100 + n)).await.expect("done").payment.id());
    }
    for round in 0..400_u64 {
        let id = ids[usize::try_from(round).expect("small") % ids.len()];
        // Given up at every point, as by callers that go away.
        let given_up = Duration::from_micros(20 * (round % 100));
        drop(tokio::time::timeout(given_up, test.store.payment_get(&[id])).await);
        let other = ids[usize::try_from(round + 7).expect("small") % ids.len()];
        let found = test.store.payment_get(&[other]).await.expect("read");
        assert_eq!(found.iter().map(|payment| payment.id()).collect::<Vec<_>>(), [other], "round {round}");
    }
    test.remove().await;
}
