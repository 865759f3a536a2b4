//! A store in memory, and how it is audited.

use super::*;
use crate::domain::tests::life::to_follow_up;

/// A store in memory, made by the same rules as the real ones, with every row open to corruption.
#[derive(Clone, Default)]
pub struct World {
    pub payments: BTreeMap<PaymentId, AuditPayment>,
    pub parts: BTreeMap<PartId, PartRecord>,
    pub receipts: BTreeSet<ReceiptRecord>,
    pub movements: Vec<MovementRecord>,
    pub wallets: BTreeMap<Vec<u8>, WalletRecord>,
    pub idempotency: Vec<IdempotencyRecord>,
    pub accounts: BTreeSet<AccountId>,
    pub journal: Vec<JournalRecord>,
    pub cursors: Vec<(String, u64)>,
    pub head: u64,
    pub documents: BTreeMap<DocKey, ScannedDocument>,
    pub now_us: i64,
}

pub const CARD_KEY: [u8; 32] = [7; 32];

impl World {
    pub fn account(&self, n: u8) -> AccountId {
        AccountId::from_bytes([n; 16])
    }

    pub fn held(&self, wallet: WalletId) -> Holdings {
        self.wallets.get(wallet.to_key().as_slice()).map_or_else(Holdings::default, |row| row.holdings)
    }

    pub fn payment(&self, id: PaymentId) -> Payment {
        self.payments[&id].folded.clone().unwrap()
    }

    pub fn decide<T>(&mut self, decision: impl FnOnce(&Context<'_>) -> T) -> T {
        self.now_us += 1_000;
        let policy = Policy::default();
        let wallet = |id| self.held(id);
        decision(&Context {
            now: Timestamp::from_micros(self.now_us),
            wall: Timestamp::from_micros(self.now_us),
            policy: &policy,
            wallet: &wallet,
            account: &|_| AccountFacts::default(),
            time_of: &|_| Timestamp::from_micros(self.now_us),
            resource: &|_| None,
        })
    }

    pub fn submit(&mut self, owner: u8, kind: Kind, amount_minor: i64) -> PaymentId {
        let number = u64::try_from(self.payments.len()).unwrap();
        let id = PaymentId::numbered(Timestamp::from_micros(self.now_us), number);
        let submission = Submission {
            id,
            owner: self.account(owner),
            kind,
            amount: Money::new(amount_minor, Currency::EUR),
            capture: CaptureMethod::Automatic,
            lane: Lane::Bulk,
            draw_key: 1,
            description: None,
            metadata: Vec::new(),
            run: None,
            customer: None,
            clock: crate::domain::ids::ClockId::WALL,
        };
        let card = Card::from_token("pm_card_visa", &CARD_KEY, YearMonth { year: 2026, month: 1 }).unwrap();
        let instrument = (!kind.takes_from_wallet()).then(|| card.into());
        let command = SubmitPayment { submission, instrument, confirm: true, idempotency: None };
        let opening = self.decide(|context| decide::submit(context, &command)).unwrap();
        let events: Events = [opening.created].into_iter().chain(opening.declined).collect();
        let n = u8::try_from(self.idempotency.len()).unwrap();
        let (owner, at) = (self.account(owner), Timestamp::from_micros(self.now_us));
        let version = u32::try_from(events.len()).unwrap();
        let row = IdempotencyRecord {
            key: [b'a' + n; 32],
            owner,
            request: [n; 16],
            subject: id.into(),
            version,
            answer: None,
            at,
        };
        self.accounts.extend(
            [Some(owner), command.submission.payee_wallet().map(|wallet| wallet.owner)].into_iter().flatten(),
        );
        self.record_keyed(id, Some(command.submission), &events, vec![row.fingerprint()]);
        self.idempotency.push(row);
        id
    }

    pub fn answer(&mut self, payment: PaymentId, response: Response) {
        let state = self.payment(payment);
        let work: WorkKey = state.queued_work().next().unwrap();
        let operation = state.operation(work.operation).unwrap();
        let events = match operation.kind.follow_up() {
            Some(_) => {
                let answer = FollowUpAnswer { work, response: to_follow_up(response) };
                self.decide(|context| decide::follow_up_answered(context, &state, &answer))
            }
            None => {
                let started_at = Timestamp::from_micros(self.now_us);
                let answer = AuthorizationAnswer { work, started_at, response };
                self.decide(|context| decide::authorization_answered(context, &state, &answer))
            }
        };
        self.record(payment, None, &events);
    }

    pub fn refund(&mut self, payment: PaymentId, amount_minor: i64) {
        let state = self.payment(payment);
        let refund = RefundId::generate();
        let action = Action::Refund { refund, amount_minor: Some(amount_minor), detail: None };
        let command = OperatePayment { payment, actor: state.owner(), action, idempotency: None };
        let events =
            self.decide(|context| crate::domain::operate::operate(context, &state, &command)).unwrap();
        self.record(payment, None, &events);
    }

    /// One batch with these events.
    pub fn record(&mut self, id: PaymentId, new: Option<Submission>, events: &Events) {
        self.record_keyed(id, new, events, Vec::new());
    }

    pub fn record_keyed(&mut self, id: PaymentId, new: Option<Submission>, events: &Events, keys: Vec<u64>) {
        let work_before: Vec<WorkKey> = self
            .payments
            .get(&id)
            .map(|row| row.folded.as_ref().unwrap().queued_work().collect())
            .unwrap_or_default();
        let at = Timestamp::from_micros(self.now_us);
        let mut payment = self.payments.get(&id).map(|row| row.folded.clone().unwrap());
        let first_version = payment.as_ref().map_or(1, |payment| payment.version() + 1);
        let submission = new.map(std::sync::Arc::new);
        let (seq, mut place) = (self.head + 1, 0);
        for event in events {
            let recorded = Recorded::on_wall(at, *event);
            let before = payment.clone();
            match payment.as_mut() {
                Some(payment) => payment.apply(recorded).unwrap(),
                None => payment = Some(Payment::open(submission.clone().unwrap(), recorded).unwrap()),
            }
            let after = payment.as_ref().unwrap();
            for (n, movement) in (0..).zip(effects(before.as_ref().unwrap_or(after), event)) {
                self.book(MovementRecord { payment: id, version: after.version(), n, movement, seq, place });
                place += 1;
            }
        }
        let payment = payment.unwrap();
        if let Some(payee) = super::rows::received_by(&payment) {
            self.receipts.insert(ReceiptRecord { payee, payment: id });
        }
        self.parts.extend(super::rows::parts_of(&payment).into_iter().map(|part| (part.id, part)));
        self.head += 1;
        let is_open = payment.queued_work().next().is_some();
        let entry = JournalEntry {
            payment: id,
            owner: payment.owner(),
            payee: payment.submission().payee_wallet().map(|wallet| wallet.owner),
            lane: Lane::Bulk,
            run: None,
            first_version,
            events: events.iter().map(|event| Recorded::on_wall(at, *event)).collect(),
            work: payment
                .queued_work()
                .filter(|work| !work_before.contains(work))
                .map(|work| (work.operation, work.attempt))
                .collect(),
            keys,
            open: (work_before.is_empty() == is_open).then_some(is_open),
        };
        let body = encode(&[&entry], &[]).unwrap();
        self.journal.push(JournalRecord { seq: self.head, batch: BatchId::generate(), at, body });
        for document in PaymentDocument::of(&payment, &()) {
            let scanned = ScannedDocument::of(&document);
            self.documents.insert(document.key, scanned);
        }
        self.payments.insert(id, columns(&payment));
    }

    pub fn book(&mut self, record: MovementRecord) {
        self.movements.push(record);
        let movement = record.movement;
        for account in [movement.debit, movement.credit] {
            if let LedgerAccount::Wallet(wallet) | LedgerAccount::Receivable(wallet) = account {
                let row = WalletRecord { wallet, holdings: Holdings::default() };
                let held = &mut self.wallets.entry(wallet.to_key().to_vec()).or_insert(row).holdings;
                *held = held.moved(account, movement.change_of(account)).unwrap();
            }
        }
    }

    /// Three accounts, every kind of payment, finished and open.
    pub fn sound() -> (Self, [PaymentId; 4]) {
        let mut world = Self { now_us: 1_000_000, ..Self::default() };
        let charge = world.submit(1, Kind::Charge, 1_000);
        world.answer(charge, Response::Approved);
        let transfer = world.submit(1, Kind::Transfer { payee: world.account(2) }, 300);
        world.answer(transfer, Response::Approved);
        world.refund(charge, 200);
        world.answer(charge, Response::Approved);
        world.refund(charge, 100);
        let open = world.submit(1, Kind::Transfer { payee: world.account(3) }, 50);
        let declined = world.submit(3, Kind::TopUp, 70);
        world.answer(declined, Response::Declined(crate::domain::decline::DeclineReason::LostCard));
        world.cursors = options().journal_readers.into_iter().rev().map(|name| (name, world.head)).collect();
        (world, [charge, transfer, open, declined])
    }

    pub fn movement(&mut self, payment: PaymentId, version: u32) -> &mut MovementRecord {
        self.movements.iter_mut().find(|m| m.payment == payment && m.version == version).unwrap()
    }

    pub fn row(&mut self, payment: PaymentId) -> &mut AuditPayment {
        self.payments.get_mut(&payment).unwrap()
    }
}

/// As everything is where the cursors stand at the head.
pub fn columns(payment: &Payment) -> AuditPayment {
    let submission = payment.submission();
    AuditPayment {
        id: payment.id(),
        owner: payment.owner(),
        status: payment.state().status.to_code(),
        kind: submission.kind.payment_kind().to_code(),
        amount_minor: submission.amount.amount_minor,
        currency: submission.amount.currency.code().to_owned(),
        version: payment.version(),
        due: payment.due_at().map(|at| (ClockId::WALL, at)).into_iter().collect(),
        busy: None,
        clock_gone: false,
        has_open_work: payment.queued_work().next().is_some(),
        parked: payment.is_parked().then_some(payment.owner()),
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
    async fn accounts(&mut self, after: Option<AccountId>, limit: u32) -> StoreResult<Vec<AccountHead>> {
        let later = self.accounts.iter().filter(|id| after.is_none_or(|after| **id > after));
        let head = |id: &AccountId| AccountHead {
            lean: false,
            id: *id,
            parent: None,
            name: String::new(),
            created_at: Timestamp::default(),
        };
        Ok(later.take(limit as usize).map(head).collect())
    }
    async fn parts(&mut self, after: Option<PartId>, limit: u32) -> StoreResult<Vec<PartRecord>> {
        let rows = self.parts.values().filter(|row| after.is_none_or(|after| row.id > after));
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
        after: Option<(PaymentId, u32, u8)>,
        limit: u32,
    ) -> StoreResult<Vec<MovementRecord>> {
        let place = |m: &MovementRecord| (m.payment, m.version, m.n);
        self.movements.sort_by_key(place);
        let rows = self.movements.iter().filter(|m| after.is_none_or(|after| place(m) > after));
        Ok(rows.take(limit as usize).copied().collect())
    }
    async fn movements_of(&mut self, payments: &[PaymentId]) -> StoreResult<Vec<MovementRecord>> {
        Ok(self.movements.iter().filter(|m| payments.contains(&m.payment)).copied().collect())
    }
    async fn wallets(&mut self, after: Option<Vec<u8>>, limit: u32) -> StoreResult<Vec<WalletRecord>> {
        let rows = self.wallets.iter().filter(|(key, _)| after.as_ref().is_none_or(|after| *key > after));
        Ok(rows.take(limit as usize).map(|(_, row)| *row).collect())
    }
    async fn resources(&mut self, _: Option<Subject>, _: u32) -> StoreResult<Vec<AuditResource>> {
        Ok(Vec::new())
    }
    async fn resources_of(&mut self, _: &[Subject]) -> StoreResult<Vec<AuditResource>> {
        Ok(Vec::new())
    }
    async fn answers(&mut self, _: Option<([u8; 32], AccountId)>, _: u32) -> StoreResult<Vec<AnswerWrite>> {
        Ok(Vec::new())
    }
    async fn customer_payments(
        &mut self,
        _: Option<CustomerPaymentRecord>,
        _: u32,
    ) -> StoreResult<Vec<CustomerPaymentRecord>> {
        Ok(Vec::new())
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
pub fn options() -> AuditOptions {
    AuditOptions { page: 2, index_lag: Duration::ZERO, accounts: true, ..AuditOptions::default() }
}

pub async fn audit_world(world: &World, options: &AuditOptions, acks: Option<AckFile>) -> Report {
    let (mut snapshot, mut view, current) = (world.clone(), world.clone(), world.clone());
    let side = IndexSide { view: &mut view, current: &current };
    audit(&mut snapshot, Some(side), acks, options).await.unwrap()
}

/// Plants one corruption and returns what the audit lists.
pub async fn planted(corrupt: impl FnOnce(&mut World, [PaymentId; 4])) -> (BTreeMap<Name, u64>, String) {
    let (mut world, ids) = World::sound();
    corrupt(&mut world, ids);
    let report = audit_world(&world, &options(), None).await;
    assert!(!report.passed());
    (report.counts().clone(), report.to_string())
}

pub fn only(name: Name) -> BTreeMap<Name, u64> {
    BTreeMap::from([(name, 1)])
}
