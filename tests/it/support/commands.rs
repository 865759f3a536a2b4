//! Commands, made up, and a way to decide them on a store without an engine around it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use paystorm::clock::Wall;
use paystorm::domain::account::AccountTerms;
use paystorm::domain::card::{Card, YearMonth};
use paystorm::domain::command::{
    Action, Asked, AuthorizationAnswer, AuthorizationResponse as Response, FollowUpAnswer, FollowUpResponse,
    IdempotencyKey, OperatePayment, PaymentCommand, SubmitPayment, SystemCommand,
};
use paystorm::domain::context::Policy;
use paystorm::domain::currency::Currency;
use paystorm::domain::customer::{Customer, CustomerPatch};
use paystorm::domain::idempotency::{KeySecret, RequestKey};
use paystorm::domain::ids::{AccountId, BatchId, ClockId, CustomerId, InstanceId, PaymentId};
use paystorm::domain::money::Money;
use paystorm::domain::payment::Payment;
use paystorm::domain::resource::{AnswerForm, Body, Change, ChangeResource, Patch};
use paystorm::domain::subject::Subject;
use paystorm::domain::submission::{CaptureMethod, Kind, Lane, Submission};
use paystorm::domain::time::Timestamp;
use paystorm::engine::Counters;
use paystorm::engine::decide_batch::{CallerCommand, Commands, DecidedBatch, decide_batch, keys_of};
use paystorm::readers::follower::Follower;
use paystorm::readers::open_work::{self, OpenWork};
use paystorm::readers::ring::Ring;
use paystorm::store::{Head, Loaded, NewAccount, Store, StoreResult};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How many were made up in this process: their ids are of the time at which the first of them can be decided.
static MADE: AtomicU64 = AtomicU64::new(0);

/// Counters of a process, all at zero.
pub fn counters() -> Arc<Counters> {
    Arc::new(Counters::new().expect("names that Prometheus takes"))
}

pub fn at(ms: u64) -> Timestamp {
    Timestamp::from_micros(1_769_817_600_000_000).plus_ms(ms)
}

/// An account that nobody can sign in to.
pub fn account(id: AccountId, name: &str, created_at: Timestamp) -> NewAccount {
    let (name, terms) = (name.to_owned(), AccountTerms::default());
    NewAccount { id, email: None, name, password_hash: None, parent: None, scenario: None, terms, created_at }
}

pub fn submission(owner: AccountId, kind: Kind, amount_minor: i64) -> SubmitPayment {
    let card = Card::from_token("pm_card_visa", &[7; 32], YearMonth { year: 2026, month: 1 });
    let submission = Submission {
        id: PaymentId::numbered(at(0), MADE.fetch_add(1, Ordering::Relaxed)),
        owner,
        kind,
        amount: Money::new(amount_minor, Currency::EUR),
        capture: CaptureMethod::Automatic,
        lane: Lane::Bulk,
        draw_key: 1,
        description: Some("a few words".to_owned()),
        metadata: vec![("order".to_owned(), "42".to_owned())],
        run: None,
        customer: None,
        clock: ClockId::WALL,
    };
    let instrument = (!kind.takes_from_wallet()).then(|| card.expect("a known token").into());
    SubmitPayment { submission, instrument, confirm: true, idempotency: None }
}

pub fn submit(owner: AccountId, kind: Kind, amount_minor: i64) -> PaymentCommand {
    PaymentCommand::Submit(Box::new(submission(owner, kind, amount_minor)))
}

pub fn keyed(owner: AccountId, key: &str) -> PaymentCommand {
    let name = RequestKey::Text(key.to_owned());
    let idempotency = Some(IdempotencyKey::new(&name, b"the same", &KeySecret::derive(&[7; 32])));
    PaymentCommand::Submit(Box::new(SubmitPayment { idempotency, ..submission(owner, Kind::Charge, 100) }))
}

/// The acquirer's answer to the first operation in the queue.
pub fn answer(payment: &Payment, response: Response) -> SystemCommand {
    let operation = payment.queued_operations().next().expect("queued work");
    let work = payment.work_of(operation);
    if operation.kind.follow_up().is_none() {
        return AuthorizationAnswer { work, started_at: Timestamp::now(), response }.into();
    }
    let response = match response {
        Response::Approved => FollowUpResponse::Approved,
        Response::Declined(reason) => FollowUpResponse::Declined(reason),
        Response::ApprovedThen(aftermath) => FollowUpResponse::ApprovedThen(aftermath),
        Response::TechnicalFailure(cause) => FollowUpResponse::TechnicalFailure(cause),
        Response::ActionRequired | Response::Pending { .. } => panic!("{response:?} to {operation:?}"),
    };
    FollowUpAnswer { work, response }.into()
}

pub fn operate(payment: &Payment, action: Action) -> PaymentCommand {
    PaymentCommand::Operate(OperatePayment {
        payment: payment.id(),
        actor: payment.owner(),
        action,
        idempotency: None,
    })
}

/// A command of whatever sort, so that tests can list them side by side.
#[derive(Debug, Clone)]
pub enum Command {
    Payment(Asked),
    Change(Asked<ChangeResource>),
    System(SystemCommand),
}

impl From<PaymentCommand> for Command {
    fn from(command: PaymentCommand) -> Self {
        Self::Payment(command.into())
    }
}

impl From<Asked> for Command {
    fn from(asked: Asked) -> Self {
        Self::Payment(asked)
    }
}

impl From<ChangeResource> for Command {
    fn from(change: ChangeResource) -> Self {
        Self::Change(change.into())
    }
}

impl From<SystemCommand> for Command {
    fn from(command: SystemCommand) -> Self {
        Self::System(command)
    }
}

/// These as the sequencer takes them: the system's first.
pub fn sorted(commands: &[Command]) -> Commands<'_> {
    let mut sorted = Commands::default();
    for command in commands {
        match command {
            Command::Payment(asked) => sorted.callers.push(CallerCommand::Payment(asked)),
            Command::Change(asked) => sorted.callers.push(CallerCommand::Change(asked)),
            Command::System(command) => sorted.system.push(command),
        }
    }
    sorted
}

/// Decides these in one transaction; returns its position in the journal and the batch without its rows.
pub async fn decide(
    store: &dyn Store,
    commands: &[impl Clone + Into<Command>],
    now: Timestamp,
) -> StoreResult<(u64, DecidedBatch)> {
    let commands: Vec<Command> = commands.iter().cloned().map(Into::into).collect();
    let commands = sorted(&commands);
    let keys = keys_of(&commands);
    let policy = Policy { retry_delays_ms: vec![1_000], ..Policy::default() };
    let mut decided = DecidedBatch::default();
    let mut run = |_head: Head, loaded: Loaded| {
        // As along the journal: after what happened to these payments before.
        let before = loaded.payments.values().map(|payment| payment.wall().next());
        let wall = before.fold(now, Timestamp::max);
        decided = decide_batch(&commands, loaded, &policy, wall);
        std::mem::take(&mut decided.write)
    };
    let seq = store.commit_batch(BatchId::generate(), now, &keys, &mut run).await?;
    Ok((seq, decided))
}

/// The reader of open work as a process runs it, and what stops it.
pub async fn follow_open_work(store: &Arc<dyn Store>) -> (CancellationToken, JoinHandle<()>) {
    let (instance, stop) = (InstanceId::generate(), CancellationToken::new());
    let ring = Arc::new(Ring::new(1, store.head().await.expect("a head")));
    let follower = Follower::leased(store.clone(), ring, Wall::system(), instance);
    let reader = Box::new(OpenWork::new(store.clone(), instance));
    (stop.clone(), tokio::spawn(follower.run(reader, stop)))
}

/// Writes down what is open, as its reader does when its process stops.
pub async fn write_down_open_work(store: &Arc<dyn Store>) {
    let (stop, task) = follow_open_work(store).await;
    while store.lease_end(open_work::NAME).await.expect("read") == Timestamp::default() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stop.cancel();
    task.await.expect("it stops");
    assert_eq!(store.cursor_get(open_work::NAME).await.expect("read"), store.head().await.expect("a head"));
}

/// Decides one command about a payment that must be admitted; returns the payment after it.
pub async fn one(store: &dyn Store, command: impl Into<Command>, now: Timestamp) -> Payment {
    let (_, mut decided) = decide(store, &[command.into()], now).await.expect("committed");
    assert!(decided.system.iter().all(Result::is_ok), "{decided:?}");
    match (decided.payments.pop(), decided.changes.pop()) {
        (Some(decision), _) => {
            let payment = decision.expect("admitted").payment.expect("it was loaded");
            Payment::clone(&payment)
        }
        (None, Some((_, payment))) => Payment::clone(&payment),
        (None, None) => panic!("no payment: {decided:?}"),
    }
}

/// What a change answers: the resource in words.
pub fn in_words() -> AnswerForm {
    AnswerForm::new(|resource| {
        format!("{} {} {:?}", resource.subject, resource.version, resource.body).into()
    })
}

pub fn change(owner: AccountId, subject: Subject, change: Change, key: Option<&str>) -> ChangeResource {
    let idempotency = key.map(|key| {
        let name = RequestKey::Text(key.to_owned());
        IdempotencyKey::new(&name, b"the same", &KeySecret::derive(&[7; 32]))
    });
    let answer = Some(in_words());
    ChangeResource { subject, actor: owner, change, answer, idempotency }
}

/// A new customer of this name.
pub fn customer(owner: AccountId, name: &str, key: Option<&str>) -> (CustomerId, ChangeResource) {
    let id = CustomerId::generate();
    let body = Body::Customer(Customer { name: Some(name.to_owned()), ..Customer::default() });
    (id, change(owner, id.into(), Change::Create { clock: ClockId::WALL, body: Box::new(body) }, key))
}

/// A customer's new name.
pub fn renamed(name: &str) -> Change {
    let patch = CustomerPatch { name: Some(Some(name.to_owned())), ..CustomerPatch::default() };
    Change::Update(Patch::Customer(Box::new(patch)))
}
