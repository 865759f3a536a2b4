//! A sound world passes; each corruption, planted alone, is named.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use async_trait::async_trait;

use super::index::{Current, IndexView};
use super::*;
use crate::domain::card::{Card, YearMonth};
use crate::domain::command::{Action, Answer, OperatePayment, Outcome, SubmitPayment};
use crate::domain::currency::Currency;
use crate::domain::decide::{self, Context, Events, Policy};
use crate::domain::event::{Event, Recorded};
use crate::domain::ids::{BatchId, PaymentId, RefundId};
use crate::domain::ledger::{LedgerAccount, WalletId, effect};
use crate::domain::money::Money;
use crate::domain::payment::{Payment, WorkKey};
use crate::domain::submission::{CaptureMethod, Kind, Lane, Submission};
use crate::domain::time::Timestamp;
use crate::engine::journal::{JournalEntry, encode};
use crate::search::{DocKey, PaymentDocument, ScannedDocument};
use crate::store::{
    AccountHead, AuditPayment, IdempotencyRecord, JournalRecord, MovementRecord, ReceiptRecord, RefundRecord,
    StoreResult, TableCounts, WalletRecord,
};

/// A store in memory, made by the same rules as the real ones, with every row open to corruption.
#[derive(Clone, Default)]
struct World {
    payments: BTreeMap<PaymentId, AuditPayment>,
    refunds: BTreeMap<RefundId, RefundRecord>,
    receipts: BTreeSet<ReceiptRecord>,
    movements: Vec<MovementRecord>,
    wallets: BTreeMap<Vec<u8>, WalletRecord>,
    idempotency: Vec<IdempotencyRecord>,
    accounts: BTreeSet<AccountId>,
    journal: Vec<JournalRecord>,
    cursors: Vec<(String, u64)>,
    head: u64,
    documents: BTreeMap<DocKey, ScannedDocument>,
    now_us: i64,
}

const CARD_KEY: [u8; 32] = [7; 32];

impl World {
    fn account(&self, n: u8) -> AccountId {
        AccountId::from_bytes([n; 16])
    }

    fn balance(&self, wallet: WalletId) -> i64 {
        self.wallets.get(&wallet.to_key()).map_or(0, |row| row.balance_minor)
    }

    fn payment(&self, id: PaymentId) -> Payment {
        self.payments[&id].folded.clone().unwrap()
    }

    fn decide<T>(&mut self, decision: impl FnOnce(&Context<'_>) -> T) -> T {
        self.now_us += 1_000;
        let policy = Policy::default();
        let balance = |wallet| self.balance(wallet);
        decision(&Context {
            now: Timestamp::from_micros(self.now_us),
            policy: &policy,
            balance: &balance,
            closed: &|_| false,
        })
    }

    fn submit(&mut self, owner: u8, kind: Kind, amount_minor: i64) -> PaymentId {
        let id = PaymentId::generate();
        let submission = Submission {
            id,
            owner: self.account(owner),
            kind,
            amount: Money::new(amount_minor, Currency::EUR),
            capture: CaptureMethod::Automatic,
            lane: Lane::Bulk,
            created_at: Timestamp::from_micros(self.now_us),
            draw_key: 1,
            description: None,
            metadata: Vec::new(),
            run: None,
        };
        let card = Card::from_token("pm_card_visa", &CARD_KEY, YearMonth { year: 2026, month: 1 }).unwrap();
        let card = (!kind.takes_from_wallet()).then_some(card);
        let command = SubmitPayment { submission, card, confirm: true, idempotency: None };
        let events = self.decide(|context| decide::submit(context, &command)).unwrap();
        let n = u8::try_from(self.idempotency.len()).unwrap();
        let (owner, at) = (self.account(owner), Timestamp::from_micros(self.now_us));
        let version = u32::try_from(events.len()).unwrap();
        let row =
            IdempotencyRecord { key: [b'a' + n; 32], owner, request: [n; 16], payment: id, version, at };
        self.accounts.extend(
            [Some(owner), command.submission.payee_wallet().map(|wallet| wallet.owner)].into_iter().flatten(),
        );
        self.record_keyed(id, Some(command.submission), &events, vec![row.fingerprint()]);
        self.idempotency.push(row);
        id
    }

    fn answer(&mut self, payment: PaymentId, outcome: Outcome) {
        let state = self.payment(payment);
        let work: WorkKey = state.queued_work().next().unwrap();
        let answer = Answer { work, started_at: Timestamp::from_micros(self.now_us), outcome };
        let events = self.decide(|context| decide::answer(context, &state, &answer));
        self.record(payment, None, &events);
    }

    fn refund(&mut self, payment: PaymentId, amount_minor: i64) {
        let state = self.payment(payment);
        let refund = RefundId::generate();
        let action = Action::Refund { refund, amount_minor: Some(amount_minor) };
        let command = OperatePayment { payment, actor: state.owner(), action, idempotency: None };
        let events = self.decide(|context| decide::operate(context, &state, &command)).unwrap();
        self.refunds.insert(refund, RefundRecord { id: refund, owner: state.owner(), payment });
        self.record(payment, None, &events);
    }

    /// One batch with these events.
    fn record(&mut self, id: PaymentId, new: Option<Submission>, events: &Events) {
        self.record_keyed(id, new, events, Vec::new());
    }

    fn record_keyed(&mut self, id: PaymentId, new: Option<Submission>, events: &Events, keys: Vec<u64>) {
        let work_before: Vec<WorkKey> = self
            .payments
            .get(&id)
            .map(|row| row.folded.as_ref().unwrap().queued_work().collect())
            .unwrap_or_default();
        let open_before = self.payments.get(&id).and_then(|row| row.open_seq);
        let at = Timestamp::from_micros(self.now_us);
        let mut payment = self.payments.get(&id).map(|row| row.folded.clone().unwrap());
        let first_version = payment.as_ref().map_or(1, |payment| payment.version() + 1);
        let submission = new.map(std::sync::Arc::new);
        for event in events {
            let recorded = Recorded { at, event: *event };
            let before = payment.clone();
            match payment.as_mut() {
                Some(payment) => payment.apply(recorded).unwrap(),
                None => payment = Some(Payment::open(submission.clone().unwrap(), recorded).unwrap()),
            }
            let after = payment.as_ref().unwrap();
            if let Some(movement) = effect(before.as_ref().unwrap_or(after), event) {
                self.book(id, after.version(), movement, at);
            }
        }
        let payment = payment.unwrap();
        if let Some(payee) = super::rows::received_by(&payment) {
            self.receipts.insert(ReceiptRecord { payee, payment: id });
        }
        self.head += 1;
        let entry = JournalEntry {
            payment: id,
            owner: payment.owner(),
            payee: payment.submission().payee_wallet().map(|wallet| wallet.owner),
            lane: Lane::Bulk,
            run: None,
            first_version,
            events: events.iter().map(|event| Recorded { at, event: *event }).collect(),
            work: payment
                .queued_work()
                .filter(|work| !work_before.contains(work))
                .map(|work| (work.operation, work.attempt))
                .collect(),
            keys,
        };
        let body = encode(&[&entry]).unwrap();
        self.journal.push(JournalRecord { seq: self.head, batch: BatchId::generate(), at, body });
        for document in PaymentDocument::of(&payment, &()) {
            let scanned =
                ScannedDocument { key: document.key, version: document.version, digest: document.digest() };
            self.documents.insert(document.key, scanned);
        }
        // Where the oldest work that is still open was opened.
        let still = payment.queued_work().any(|work| work_before.contains(&work));
        let open_seq = if still { open_before } else { payment.queued_work().next().map(|_| self.head) };
        self.payments.insert(id, columns(&payment, open_seq));
    }

    fn book(&mut self, payment: PaymentId, version: u32, m: crate::domain::ledger::Movement, at: Timestamp) {
        let crate::domain::ledger::Movement { debit, credit, amount_minor, currency } = m;
        self.movements.push(MovementRecord { payment, version, debit, credit, amount_minor, currency, at });
        for (account, change) in [(debit, -amount_minor), (credit, amount_minor)] {
            if let LedgerAccount::Wallet(wallet) = account {
                let row = WalletRecord { account, wallet, balance_minor: 0 };
                self.wallets.entry(account.to_key()).or_insert(row).balance_minor += change;
            }
        }
    }

    /// Three accounts, every kind of payment, finished and open.
    fn sound() -> (Self, [PaymentId; 4]) {
        let mut world = Self { now_us: 1_000_000, ..Self::default() };
        let charge = world.submit(1, Kind::Charge, 1_000);
        world.answer(charge, Outcome::Approved);
        let transfer = world.submit(1, Kind::Transfer { payee: world.account(2) }, 300);
        world.answer(transfer, Outcome::Approved);
        world.refund(charge, 200);
        world.answer(charge, Outcome::Approved);
        world.refund(charge, 100);
        let open = world.submit(1, Kind::Transfer { payee: world.account(3) }, 50);
        let declined = world.submit(3, Kind::TopUp, 70);
        world.answer(declined, Outcome::Declined(crate::domain::decline::DeclineReason::LostCard));
        world.cursors.push(("index".to_owned(), world.head));
        (world, [charge, transfer, open, declined])
    }

    fn movement(&mut self, payment: PaymentId, version: u32) -> &mut MovementRecord {
        self.movements.iter_mut().find(|m| m.payment == payment && m.version == version).unwrap()
    }

    fn row(&mut self, payment: PaymentId) -> &mut AuditPayment {
        self.payments.get_mut(&payment).unwrap()
    }
}

fn columns(payment: &Payment, open_seq: Option<u64>) -> AuditPayment {
    let submission = payment.submission();
    AuditPayment {
        id: payment.id(),
        owner: payment.owner(),
        status: payment.state().status.to_code(),
        kind: submission.kind.to_code(),
        amount_minor: submission.amount.amount_minor,
        currency: submission.amount.currency.code().to_owned(),
        version: payment.version(),
        due_at: payment.due_at(),
        open_seq,
        parked: payment.is_parked(),
        folded: Ok(payment.clone()),
    }
}

#[async_trait]
impl Snapshot for World {
    async fn head(&mut self) -> StoreResult<u64> {
        Ok(self.head)
    }
    async fn counts(&mut self) -> StoreResult<TableCounts> {
        Ok(TableCounts::default())
    }
    async fn payments(&mut self, after: Option<PaymentId>, limit: u32) -> StoreResult<Vec<AuditPayment>> {
        let rows = self.payments.values().filter(|row| after.is_none_or(|after| row.id > after));
        Ok(rows.take(limit as usize).cloned().collect())
    }
    async fn payments_by_id(&mut self, ids: &[PaymentId]) -> StoreResult<Vec<AuditPayment>> {
        Ok(ids.iter().filter_map(|id| self.payments.get(id)).cloned().collect())
    }
    async fn payments_open(
        &mut self,
        after: (u64, Option<PaymentId>),
        upto: u64,
        limit: u32,
    ) -> StoreResult<Vec<AuditPayment>> {
        let place = |row: &AuditPayment| row.open_seq.map(|seq| (seq, Some(row.id)));
        let mut rows: Vec<_> = self
            .payments
            .values()
            .filter(|row| place(row).is_some_and(|place| place > after && place.0 <= upto))
            .cloned()
            .collect();
        rows.sort_by_key(place);
        rows.truncate(limit as usize);
        Ok(rows)
    }
    async fn accounts(&mut self, after: Option<AccountId>, limit: u32) -> StoreResult<Vec<AccountHead>> {
        let later = self.accounts.iter().filter(|id| after.is_none_or(|after| **id > after));
        Ok(later.take(limit as usize).map(|id| AccountHead { id: *id, parent: None }).collect())
    }
    async fn refunds(&mut self, after: Option<RefundId>, limit: u32) -> StoreResult<Vec<RefundRecord>> {
        let rows = self.refunds.values().filter(|row| after.is_none_or(|after| row.id > after));
        Ok(rows.take(limit as usize).copied().collect())
    }
    async fn receipts(
        &mut self,
        after: Option<ReceiptRecord>,
        limit: u32,
    ) -> StoreResult<Vec<ReceiptRecord>> {
        let rows = self.receipts.iter().filter(|row| after.is_none_or(|after| **row > after));
        Ok(rows.take(limit as usize).copied().collect())
    }
    async fn movements(
        &mut self,
        after: Option<(PaymentId, u32)>,
        limit: u32,
    ) -> StoreResult<Vec<MovementRecord>> {
        self.movements.sort_by_key(|m| (m.payment, m.version));
        let rows = self.movements.iter().filter(|m| after.is_none_or(|after| (m.payment, m.version) > after));
        Ok(rows.take(limit as usize).copied().collect())
    }
    async fn wallets(&mut self, after: Option<Vec<u8>>, limit: u32) -> StoreResult<Vec<WalletRecord>> {
        let rows = self.wallets.iter().filter(|(key, _)| after.as_ref().is_none_or(|after| *key > after));
        Ok(rows.take(limit as usize).map(|(_, row)| *row).collect())
    }
    async fn idempotency(
        &mut self,
        after: Option<([u8; 32], AccountId)>,
        limit: u32,
    ) -> StoreResult<Vec<IdempotencyRecord>> {
        let rows =
            self.idempotency.iter().filter(|row| after.is_none_or(|after| (row.key, row.owner) > after));
        Ok(rows.take(limit as usize).copied().collect())
    }
    async fn journal(&mut self, after: u64, limit: u32) -> StoreResult<Vec<JournalRecord>> {
        Ok(self.journal.iter().filter(|row| row.seq > after).take(limit as usize).cloned().collect())
    }
    async fn cursors(&mut self) -> StoreResult<Vec<(String, u64)>> {
        Ok(self.cursors.clone())
    }
}

#[async_trait]
impl IndexView for World {
    async fn scan(&self, after: Option<DocKey>, limit: usize) -> Result<Vec<ScannedDocument>, String> {
        let rows = self.documents.values().filter(|document| after.is_none_or(|after| document.key > after));
        Ok(rows.take(limit).copied().collect())
    }
    async fn refresh(&self) -> Result<(), String> {
        Ok(())
    }
}

#[async_trait]
impl Current for World {
    async fn payments(&self, ids: &[PaymentId]) -> Result<Vec<Payment>, AuditError> {
        Ok(ids
            .iter()
            .filter_map(|id| self.payments.get(id))
            .filter_map(|row| row.folded.clone().ok())
            .collect())
    }
}

/// Small pages, so that every keyset is turned over.
fn options() -> AuditOptions {
    AuditOptions { page: 2, index_lag: Duration::ZERO, accounts: true, ..AuditOptions::default() }
}

async fn audit_world(world: &World, options: &AuditOptions, acks: Option<AckFile>) -> Report {
    let (mut snapshot, mut view, current) = (world.clone(), world.clone(), world.clone());
    let side = IndexSide { view: &mut view, current: &current };
    audit(&mut snapshot, Some(side), acks, options).await.unwrap()
}

/// Plants one corruption and returns what the audit lists.
async fn planted(corrupt: impl FnOnce(&mut World, [PaymentId; 4])) -> (BTreeMap<Name, u64>, String) {
    let (mut world, ids) = World::sound();
    corrupt(&mut world, ids);
    let report = audit_world(&world, &options(), None).await;
    assert!(!report.passed());
    (report.counts().clone(), report.to_string())
}

fn only(name: Name) -> BTreeMap<Name, u64> {
    BTreeMap::from([(name, 1)])
}

#[tokio::test]
async fn a_sound_world_passes_and_is_counted() {
    let (world, _) = World::sound();
    for page in [1, 2, 1_000] {
        let report = audit_world(&world, &AuditOptions { page, ..options() }, None).await;
        assert!(report.passed(), "{report}");
        assert_eq!(
            report.summary(),
            "verified: 4 payments, 2 refunds, 7 movements, 2 wallets, 10 journal rows (13 events, head 10), 4 idempotency keys, 5 documents"
        );
    }
}

#[tokio::test]
async fn an_empty_world_passes() {
    assert!(audit_world(&World::default(), &options(), None).await.passed());
}

#[tokio::test]
async fn a_lost_movement_is_named() {
    let (counts, text) = planted(|world, [charge, ..]| {
        world.movements.retain(|m| !(m.payment == charge && m.version == 3));
        let wallet = world.wallets.values_mut().next().unwrap();
        wallet.balance_minor -= 1_000;
    })
    .await;
    assert_eq!(counts[&Name::LostMovement], 1);
    assert!(
        text.contains("lost movement: payment pi_")
            && text.contains("version 3: €10.00 EUR from acquirer to wallet:"),
        "{text}"
    );
}

#[tokio::test]
async fn a_doubled_effect_is_named() {
    let (counts, _) = planted(|world, [charge, ..]| {
        let twice = MovementRecord { version: 9, ..*world.movement(charge, 3) };
        world.movements.push(twice);
        world.wallets.values_mut().next().unwrap().balance_minor += 1_000;
    })
    .await;
    assert_eq!(counts, only(Name::DoubledEffect));
}

#[tokio::test]
async fn altered_and_unexplained_movements_are_named() {
    let (counts, _) = planted(|world, [charge, ..]| {
        world.movement(charge, 3).amount_minor += 1;
        world.wallets.values_mut().next().unwrap().balance_minor += 1;
    })
    .await;
    assert_eq!(counts, only(Name::AlteredAmount));
    let (counts, _) =
        planted(|world, [charge, ..]| world.movement(charge, 3).debit = LedgerAccount::Bank).await;
    assert_eq!(counts, only(Name::AlteredMovement));
    let (counts, _) = planted(|world, [charge, ..]| {
        let more = MovementRecord { version: 9, amount_minor: 5, ..*world.movement(charge, 3) };
        world.movements.push(more);
        world.wallets.values_mut().next().unwrap().balance_minor += 5;
    })
    .await;
    assert_eq!(counts, only(Name::UnexplainedMovement));
    let (counts, text) = planted(|world, [charge, ..]| {
        let orphan = MovementRecord {
            payment: PaymentId::from_bytes([0xff; 16]),
            debit: LedgerAccount::Acquirer,
            credit: LedgerAccount::Bank,
            ..*world.movement(charge, 3)
        };
        world.movements.push(orphan);
    })
    .await;
    assert_eq!(counts, only(Name::OrphanMovement), "{text}");
}

#[tokio::test]
async fn balances_are_checked() {
    let first = |world: &mut World| world.wallets.keys().next().cloned().unwrap();
    let (counts, text) = planted(|world, _| {
        let key = first(world);
        world.wallets.get_mut(&key).unwrap().balance_minor += 1;
    })
    .await;
    assert_eq!(counts, only(Name::WrongBalance));
    assert!(text.contains("is stored, its movements sum to 350"), "{text}");
    let (counts, _) = planted(|world, _| {
        let key = first(world);
        world.wallets.remove(&key);
    })
    .await;
    assert_eq!(counts, only(Name::MissingWallet));
    let (counts, _) = planted(|world, _| {
        let key = first(world);
        world.wallets.get_mut(&key).unwrap().balance_minor = -1;
    })
    .await;
    assert_eq!(counts, BTreeMap::from([(Name::WrongBalance, 1), (Name::NegativeBalance, 1)]));
}

#[tokio::test]
async fn columns_are_compared_with_the_history() {
    type Corruption = fn(&mut AuditPayment);
    let cases: [(&str, Corruption); 9] = [
        ("owner is", |row| row.owner = AccountId::from_bytes([9; 16])),
        ("status is", |row| row.status += 1),
        ("kind is", |row| row.kind += 1),
        ("amount is", |row| row.amount_minor += 1),
        ("currency is", |row| row.currency = "USD".to_owned()),
        ("version is", |row| row.version += 1),
        ("due_at is", |row| row.due_at = Some(Timestamp::from_micros(1))),
        ("open_seq set is", |row| row.open_seq = row.open_seq.is_none().then_some(1)),
        ("parked is", |row| row.parked = true),
    ];
    for (words, corrupt) in cases {
        let (counts, text) = planted(|world, [charge, ..]| corrupt(world.row(charge))).await;
        // A key is compared with the column that says whose the payment is.
        let expected = match words {
            "owner is" => BTreeMap::from([(Name::WrongColumn, 1), (Name::DanglingKey, 1)]),
            _ => only(Name::WrongColumn),
        };
        assert_eq!(counts, expected, "{words}: {text}");
        assert!(text.contains(words), "{text}");
    }
}

#[tokio::test]
async fn an_illegal_history_is_named() {
    let (counts, _) =
        planted(|world, [charge, ..]| world.row(charge).folded = Err("event x is not legal".to_owned()))
            .await;
    assert!(counts.contains_key(&Name::IllegalHistory));
    // Legal by status, but a refund is answered twice.
    let (counts, text) = planted(|world, [charge, ..]| {
        let payment = world.payment(charge);
        let answered = payment
            .history()
            .iter()
            .find(|r| matches!(r.event, Event::RefundSucceeded { .. }))
            .unwrap()
            .event;
        world.record(charge, None, &vec![answered]);
        world.cursors[0].1 = world.head;
    })
    .await;
    assert!(counts.contains_key(&Name::IllegalHistory), "{text}");
    assert!(text.contains("of a refund that was already answered"), "{text}");
}

#[tokio::test]
async fn money_in_transit_is_what_open_work_holds() {
    let (counts, text) = planted(|world, [_, _, open, _]| {
        // The reservation of an open transfer never left the wallet.
        world.movements.retain(|m| m.payment != open);
        world.wallets.values_mut().next().unwrap().balance_minor += 50;
    })
    .await;
    assert_eq!(counts, BTreeMap::from([(Name::LostMovement, 1), (Name::WrongInTransit, 1)]), "{text}");
    assert!(text.contains("EUR: 100 are booked, open payments and refunds hold 150"), "{text}");
}

#[tokio::test]
async fn the_journal_has_no_holes_and_tells_the_histories() {
    let (counts, text) = planted(|world, _| {
        world.journal.remove(3);
    })
    .await;
    assert_eq!(counts, only(Name::JournalHole));
    assert!(text.contains("journal hole: row 4 is missing"), "{text}");
    let (counts, text) = planted(|world, _| world.journal.truncate(6)).await;
    assert!(counts.contains_key(&Name::JournalHole) && text.contains("rows 7 to 10 are missing"), "{text}");
    let (counts, _) = planted(|world, _| world.journal[2].body.truncate(5)).await;
    assert!(counts.contains_key(&Name::DamagedJournal));
    let (counts, _) = planted(|world, _| world.journal[2].body = world.journal[3].body.clone()).await;
    assert!(counts.contains_key(&Name::WrongJournalEntry));
    let (counts, _) = planted(|world, [charge, ..]| {
        let mut entry = crate::engine::journal::decode(&world.journal[0].body).unwrap().remove(0);
        assert_eq!(entry.payment, charge);
        entry.first_version = 2;
        world.journal[0].body = encode(&[&entry]).unwrap();
    })
    .await;
    assert_eq!(counts, only(Name::WrongJournalEntry));
}

#[tokio::test]
async fn a_pruned_journal_passes_until_a_reader_is_cut_off() {
    let (mut world, _) = World::sound();
    world.journal.drain(..5);
    assert!(audit_world(&world, &options(), None).await.passed());
    world.journal.clear();
    assert!(audit_world(&world, &options(), None).await.passed());
    let (counts, _) = planted(|world, _| {
        world.journal.drain(..5);
        world.cursors[0].1 = 2;
    })
    .await;
    assert_eq!(counts, only(Name::WrongCursor));
    let (counts, _) = planted(|world, _| world.cursors[0].1 = 99).await;
    assert_eq!(counts, only(Name::WrongCursor));
}

#[tokio::test]
async fn refund_rows_match_histories() {
    let lost = planted(|world, _| world.refunds.pop_first().map_or((), drop)).await;
    assert_eq!(lost.0.keys().copied().collect::<Vec<_>>(), [Name::MissingRefund], "{}", lost.1);
    let moved = planted(|world, ids| {
        world.refunds.values_mut().take(1).for_each(|row| row.payment = ids[1]);
    });
    let (counts, _) = moved.await;
    assert_eq!(counts.keys().copied().collect::<Vec<_>>(), [Name::MissingRefund, Name::DanglingRefund]);
}

#[tokio::test]
async fn receipts_match_histories() {
    let lost = planted(|world, _| world.receipts.pop_first().map_or((), drop)).await;
    assert_eq!(lost.0.keys().copied().collect::<Vec<_>>(), [Name::MissingReceipt], "{}", lost.1);
    let planted_one = planted(|world, ids| {
        let payee = AccountId::from_bytes([0xee; 16]);
        world.receipts.insert(ReceiptRecord { payee, payment: ids[1] });
    });
    assert_eq!(planted_one.await.0, only(Name::DanglingReceipt));
}

#[tokio::test]
async fn idempotency_rows_point_at_versions_that_were() {
    let (counts, _) =
        planted(|world, _| world.idempotency[1].payment = PaymentId::from_bytes([0xee; 16])).await;
    // It is none of those that the journal vouches for either.
    let expected = BTreeMap::from([(Name::DanglingKey, 1), (Name::MissingKey, 1)]);
    assert_eq!(counts, expected);
    let (counts, _) = planted(|world, _| world.idempotency[3].version = 40).await;
    assert_eq!(counts, expected);
}

#[tokio::test]
async fn idempotency_rows_are_there_and_are_their_owners() {
    let (counts, text) = planted(|world, _| world.idempotency.truncate(3)).await;
    assert_eq!(counts, only(Name::MissingKey), "{text}");
    let (counts, _) = planted(|world, _| world.idempotency[2].request = [0xee; 16]).await;
    assert_eq!(counts, only(Name::MissingKey));
    let (counts, text) = planted(|world, [.., declined]| world.idempotency[0].payment = declined).await;
    assert_eq!(counts, BTreeMap::from([(Name::MissingKey, 1), (Name::DanglingKey, 1)]), "{text}");
    assert!(text.contains("is of acct_"), "{text}");
    // What may have been deleted is not missed.
    let (mut world, _) = World::sound();
    world.idempotency.remove(0);
    let later = world.journal[1].at;
    let report = audit_world(&world, &AuditOptions { keys_since: later, ..options() }, None).await;
    assert!(report.passed(), "{report}");
    world.journal.drain(..1);
    assert!(audit_world(&world, &options(), None).await.passed());
}

#[tokio::test]
async fn a_movement_happens_with_its_event() {
    let (counts, text) =
        planted(|world, [charge, ..]| world.movement(charge, 3).at = Timestamp::from_micros(5)).await;
    assert_eq!(counts, only(Name::AlteredTime), "{text}");
}

#[tokio::test]
async fn whoever_owns_or_receives_has_an_account() {
    let (counts, text) =
        planted(|world, _| assert!(world.accounts.remove(&AccountId::from_bytes([2; 16])))).await;
    assert_eq!(counts, only(Name::MissingAccount), "{text}");
    assert!(text.contains("the payee of payment"), "{text}");
    let (counts, _) =
        planted(|world, _| assert!(world.accounts.remove(&AccountId::from_bytes([3; 16])))).await;
    assert_eq!(counts, BTreeMap::from([(Name::MissingAccount, 2)]));
}

#[tokio::test]
async fn open_work_is_found_where_it_was_opened() {
    for (seq, words) in [
        (1, "a row that opened nothing of it"),
        (10, "work that is still open was opened with row"),
        (99, "the head of the line"),
    ] {
        let (counts, text) = planted(|world, [_, _, open, _]| world.row(open).open_seq = Some(seq)).await;
        assert!(counts.keys().eq([&Name::WrongColumn]) && text.contains(words), "{seq}: {text}");
    }
    let (counts, text) = planted(|world, _| {
        let mut entry = crate::engine::journal::decode(&world.journal[0].body).unwrap().remove(0);
        entry.work.clear();
        world.journal[0].body = encode(&[&entry]).unwrap();
    })
    .await;
    assert_eq!(counts, only(Name::WrongJournalEntry), "{text}");
}

#[tokio::test]
async fn versions_follow_one_another_in_the_line() {
    let swap = |world: &mut World, one: usize, other: usize| {
        let seqs = (world.journal[one].seq, world.journal[other].seq);
        (world.journal[other].seq, world.journal[one].seq) = seqs;
        world.journal.swap(one, other);
    };
    // The charge and its approval, each whole and in the other's place.
    let (counts, text) = planted(|world, _| swap(world, 0, 1)).await;
    assert!(counts.contains_key(&Name::OutOfOrder), "{text}");
    // The same where the journal was pruned before it.
    let (counts, text) = planted(|world, _| {
        swap(world, 4, 5);
        world.journal.drain(..3);
    })
    .await;
    assert!(counts.contains_key(&Name::OutOfOrder), "{text}");
}

#[tokio::test]
async fn a_wallet_is_never_below_zero_after_a_batch() {
    // The transfer goes out before the charge that pays for it comes in, and all sums are right in the end.
    let (counts, text) = planted(|world, _| {
        for (seq, at) in (1..).zip([2, 3, 0, 1, 4, 5, 6, 7, 8, 9]) {
            world.journal[at].seq = seq;
        }
        world.journal.sort_by_key(|row| row.seq);
    })
    .await;
    assert_eq!(counts[&Name::NegativeBalance], 1, "{text}");
    assert!(
        text.contains("it was -€3.00 EUR after row") || text.contains("it was €-3.00 EUR after row"),
        "{text}"
    );
}

#[test]
fn several_readers_find_what_one_finds() {
    let run = |world: &World, readers: usize| {
        let mut snapshots = vec![world.clone(); readers];
        let (mut view, current) = (world.clone(), world.clone());
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let side = IndexSide { view: &mut view, current: &current };
            let snapshots = snapshots.iter_mut().map(|one| one as &mut dyn Snapshot).collect();
            audit_at_once(snapshots, Some(side), None, &options(), &()).await.unwrap()
        })
    };
    let (mut world, [charge, ..]) = World::sound();
    for n in 0..40 {
        world.submit(n % 3 + 1, Kind::TopUp, 100);
    }
    world.cursors[0].1 = world.head;
    let sound = run(&world, 1);
    assert!(sound.passed(), "{sound}");
    for readers in [2, 5] {
        assert_eq!(run(&world, readers).to_string(), sound.to_string());
    }
    world.movement(charge, 3).amount_minor += 1;
    world.journal.remove(20);
    world.idempotency.remove(30);
    assert_eq!(run(&world, 4).counts(), run(&world, 1).counts());
}

#[tokio::test]
async fn documents_are_worked_out_from_the_events_alone() {
    let (mut world, _) = World::sound();
    let parked = world.submit(2, Kind::Charge, 500);
    let ends: Vec<Outcome> = vec![
        Outcome::Broken(crate::domain::event::TechnicalError::Timeout);
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
            let written: Vec<ScannedDocument> = PaymentDocument::of(&then, &())
                .iter()
                .map(|d| ScannedDocument { key: d.key, version: d.version, digest: d.digest() })
                .collect();
            assert_eq!(document::expected(&then), written, "{then:#?}");
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
        planted(|world, [charge, ..]| world.documents.get_mut(&key(charge)).unwrap().digest ^= 1).await;
    assert_eq!(counts, only(Name::StaleDocument));
    for ghost in [PaymentId::from_bytes([0; 16]), PaymentId::from_bytes([0xff; 16])] {
        let (counts, _) = planted(|world, _| {
            world.documents.insert(key(ghost), ScannedDocument { key: key(ghost), version: 1, digest: 0 });
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

#[tokio::test]
async fn open_operations_are_forbidden_at_rest_only() {
    let (mut world, [charge, _, open, _]) = World::sound();
    let at_rest = AuditOptions { at_rest: true, ..options() };
    let report = audit_world(&world, &at_rest, None).await;
    assert_eq!(report.counts(), &BTreeMap::from([(Name::OpenOperation, 2)]), "{report}");
    world.answer(open, Outcome::Approved);
    world.answer(charge, Outcome::Approved);
    world.cursors[0].1 = world.head;
    assert!(audit_world(&world, &at_rest, None).await.passed());
}

#[tokio::test]
async fn acknowledged_payments_exist_and_rest() {
    let (world, [charge, transfer, open, declined]) = World::sound();
    let file = |lines: &str| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(lines.as_bytes()).unwrap();
        let acks = AckFile::open(file.path()).unwrap();
        // Later lines are not read.
        file.write_all(b"nonsense\n").unwrap();
        acks
    };
    let good = format!("{charge}\n{}\n{declined}\n", transfer.with_prefix("tr_"));
    let report = audit_world(&world, &options(), Some(file(&good))).await;
    assert!(report.passed(), "{report}");
    assert!(report.summary().ends_with("3 acknowledged"), "{report}");
    let told = format!(
        "{charge} charge 1000 eur\n{charge} charge 1000 eur succeeded\n{charge} refund 200 eur\n{declined} topup 70 eur declined\n"
    );
    let report = audit_world(&world, &options(), Some(file(&told))).await;
    assert!(report.passed(), "{report}");
    assert!(report.summary().ends_with("1 acknowledged"), "{report}");
    for altered in [
        format!("{charge} transfer 1000 eur"),
        format!("{charge} charge 1001 eur"),
        format!("{charge} charge 1000 usd"),
        format!("{charge} refund 201 eur"),
        format!("{charge} charge 1000 eur canceled"),
        format!("{declined} topup 70 eur succeeded"),
        format!("{transfer} transfer 300 eur declined"),
    ] {
        let report = audit_world(&world, &options(), Some(file(&format!("{altered}\n")))).await;
        assert_eq!(report.counts(), &only(Name::AlteredAcknowledged), "{altered}: {report}");
    }
    for unreadable in [
        "{charge} charge",
        "{charge} charge x eur",
        "{charge} charge 1 eur soon",
        "{charge} charge 1 eur succeeded x",
    ] {
        let line = unreadable.replace("{charge}", &charge.to_string());
        let report = audit_world(&world, &options(), Some(file(&format!("{line}\n")))).await;
        assert_eq!(report.counts(), &only(Name::UnreadableAck), "{line}: {report}");
    }
    let lost = PaymentId::from_bytes([5; 16]);
    let bad = format!("{lost}\n{open}\nhello\n{charge}\npi_half");
    let report = audit_world(&world, &options(), Some(file(&bad))).await;
    let expected = [(Name::LostAcknowledged, 1), (Name::UnfinishedAcknowledged, 1), (Name::UnreadableAck, 1)];
    assert_eq!(report.counts(), &BTreeMap::from(expected), "{report}");
}

#[test]
fn long_lists_are_cut() {
    let mut report = Report::default();
    (0..50).for_each(|n| report.violation(Name::LostMovement, format!("number {n}")));
    let text = report.to_string();
    assert!(
        text.contains("number 19")
            && !text.contains("number 20")
            && text.contains("lost movement: … and 30 more"),
        "{text}"
    );
    assert!(text.lines().last().unwrap().starts_with("FAILED, 50 violations: 0 payments"));
}
