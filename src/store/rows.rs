//! Rows: how records are laid out in columns, and read back. Pure.

use std::sync::Arc;

use diesel::prelude::*;

use super::aside::{ASIDE_MAX, AsideReason, AsideRecord, SetAside, Subject};
use super::batch::{
    AnswerWrite, CustomerPaymentRecord, IdempotencyRecord, JournalRecord, MovementWrite, ReceiptRecord,
};
use super::error::StoreError;
use super::multi_row::{Cell, IN_THE_LINE, INSERT, Statement};
use super::parts::{PartKind, PartRecord};
use super::records::{
    Account, ApiKey, AuditPayment, AuditResource, DetailRecord, ImportRecord, ImportRow, ImportState,
    MovementRecord, NewAccount, RequestRecord, Session, WalletRecord,
};
use super::schema;
use super::sources::EventSource;
use crate::domain::account::{AccountFacts, AccountTerms, FeePlan};
use crate::domain::announcement::{Announcement, AnnouncementId, AnnouncementKind};
use crate::domain::country::Country;
use crate::domain::currency::Currency;
use crate::domain::event::Recorded;
use crate::domain::ids::{
    AccountId, ApiKeyId, BatchId, ClockId, CustomerId, ImportId, PartId, PaymentId, RequestId, SessionId,
};
use crate::domain::ledger::{Holdings, LedgerAccount, Movement};
use crate::domain::origin::Origin;
use crate::domain::payment::Payment;
use crate::domain::resource::{Body, Resource, States};
use crate::domain::statement::{LineId, LineKind, LinePlace, Side, StatementLine};
use crate::domain::subject as domain;
use crate::domain::submission::Submission;
use crate::domain::time::Timestamp;
use crate::domain::wallet::WalletId;

pub(super) static PAYMENT_INSERT: Statement = Statement {
    sqlite_verb: IN_THE_LINE,
    head: "payment (id,owner,kind,status,amount,currency,version,submission,history) VALUES ",
    columns: 9,
    mysql_tail: "",
    sqlite_tail: "",
};

pub(super) static PAYMENT_UPDATE: Statement = Statement {
    sqlite_verb: INSERT,
    head: "payment (id,owner,kind,status,amount,currency,version,submission,history) VALUES ",
    columns: 9,
    mysql_tail: " ON DUPLICATE KEY UPDATE status=VALUES(status),amount=VALUES(amount),version=VALUES(version),history=VALUES(history)",
    sqlite_tail: " ON CONFLICT(id) DO UPDATE SET status=excluded.status,amount=excluded.amount,version=excluded.version,history=excluded.history",
};

pub(super) static DUE_UPSERT: Statement = Statement {
    sqlite_verb: INSERT,
    head: "due (subject,clock,due_at) VALUES ",
    columns: 3,
    mysql_tail: " ON DUPLICATE KEY UPDATE due_at=VALUES(due_at)",
    sqlite_tail: " ON CONFLICT(subject,clock) DO UPDATE SET due_at=excluded.due_at",
};

pub(super) static BUSY_UPSERT: Statement = Statement {
    sqlite_verb: INSERT,
    head: "clock_busy (payment,clock) VALUES ",
    columns: 2,
    mysql_tail: " ON DUPLICATE KEY UPDATE clock=VALUES(clock)",
    sqlite_tail: " ON CONFLICT(payment) DO UPDATE SET clock=excluded.clock",
};

pub(super) static AWAKE_UPSERT: Statement = Statement {
    sqlite_verb: INSERT,
    head: "clock_awake (clock) VALUES ",
    columns: 1,
    mysql_tail: " ON DUPLICATE KEY UPDATE clock=VALUES(clock)",
    sqlite_tail: " ON CONFLICT(clock) DO NOTHING",
};

pub(super) static OPEN_WORK_UPSERT: Statement = Statement {
    sqlite_verb: INSERT,
    head: "open_work (payment) VALUES ",
    columns: 1,
    mysql_tail: " ON DUPLICATE KEY UPDATE payment=VALUES(payment)",
    sqlite_tail: " ON CONFLICT(payment) DO NOTHING",
};

pub(super) static PARKED_UPSERT: Statement = Statement {
    sqlite_verb: INSERT,
    head: "parked (payment,owner) VALUES ",
    columns: 2,
    mysql_tail: " ON DUPLICATE KEY UPDATE owner=VALUES(owner)",
    sqlite_tail: " ON CONFLICT(payment) DO UPDATE SET owner=excluded.owner",
};

/// The key of a payment of which something is due.
pub(super) fn due_key(payment: PaymentId) -> Vec<u8> {
    domain::Subject::from(payment).to_key().to_vec()
}

/// The payment under a key of `due`; `None` if it is that of something else.
pub(super) fn due_payment(key: &[u8]) -> Option<PaymentId> {
    domain::Subject::from_key(key).and_then(|subject| subject.payment())
}

/// The key of a clock.
pub(super) fn clock_key(clock: ClockId) -> Vec<u8> {
    clock.as_bytes().to_vec()
}

/// A clock's key, read back.
pub(super) fn clock_id(key: &[u8]) -> Result<ClockId, StoreError> {
    ClockId::from_slice(key).ok_or_else(|| damaged("clock"))
}

pub(super) static PART_INSERT: Statement = Statement {
    sqlite_verb: IN_THE_LINE,
    head: "part (id,owner,created,payment,kind) VALUES ",
    columns: 5,
    mysql_tail: "",
    sqlite_tail: "",
};

pub(super) static RECEIPT_INSERT: Statement = Statement {
    sqlite_verb: IN_THE_LINE,
    head: "receipt (payee,payment) VALUES ",
    columns: 2,
    mysql_tail: "",
    sqlite_tail: "",
};

pub(super) static IMPORT_ROW_INSERT: Statement = Statement {
    sqlite_verb: INSERT,
    head: "import_row (import,line,row_key,payment,column_name,message) VALUES ",
    columns: 6,
    mysql_tail: "",
    sqlite_tail: "",
};

pub(super) static MOVEMENT_INSERT: Statement = Statement {
    sqlite_verb: IN_THE_LINE,
    head: "movement (payment,version,n,debit,credit,amount,currency,seq,place) VALUES ",
    columns: 9,
    mysql_tail: "",
    sqlite_tail: "",
};

pub(super) static WALLET_UPSERT: Statement = Statement {
    sqlite_verb: INSERT,
    head: "wallet (id,balance,owed,pending) VALUES ",
    columns: 4,
    mysql_tail: " ON DUPLICATE KEY UPDATE balance=VALUES(balance),owed=VALUES(owed),pending=VALUES(pending)",
    sqlite_tail: " ON CONFLICT(id) DO UPDATE SET balance=excluded.balance,owed=excluded.owed,pending=excluded.pending",
};

pub(super) static STATEMENT_UPSERT: Statement = Statement {
    sqlite_verb: INSERT,
    head: "statement_line (wallet,seq,place,payment,version,side,kind,gross,fee,balance,at,available_at,part) VALUES ",
    columns: 13,
    mysql_tail: " ON DUPLICATE KEY UPDATE balance=VALUES(balance)",
    sqlite_tail: " ON CONFLICT(wallet,seq,place) DO UPDATE SET balance=excluded.balance",
};

pub(super) static EVENT_UPSERT: Statement = Statement {
    sqlite_verb: INSERT,
    head: "account_event (owner,at,subject,version,n,kind,wall) VALUES ",
    columns: 7,
    mysql_tail: " ON DUPLICATE KEY UPDATE kind=VALUES(kind)",
    sqlite_tail: " ON CONFLICT(owner,at,subject,version,n) DO UPDATE SET kind=excluded.kind",
};

pub(super) static SOURCE_INSERT: Statement = Statement {
    sqlite_verb: IN_THE_LINE,
    head: "event_source (owner,at,subject,version,wall,request,idempotency_key,states) VALUES ",
    columns: 8,
    mysql_tail: "",
    sqlite_tail: "",
};

pub(super) static IDEMPOTENCY_INSERT: Statement = Statement {
    sqlite_verb: IN_THE_LINE,
    head: "idempotency (k,owner,request,subject,version,answer,at) VALUES ",
    columns: 7,
    mysql_tail: "",
    sqlite_tail: "",
};

pub(super) static DETAIL_INSERT: Statement = Statement {
    sqlite_verb: IN_THE_LINE,
    head: "detail (subject,id,body) VALUES ",
    columns: 3,
    mysql_tail: "",
    sqlite_tail: "",
};

pub(super) static ANSWER_INSERT: Statement = Statement {
    sqlite_verb: IN_THE_LINE,
    head: "answer (k,owner,body) VALUES ",
    columns: 3,
    mysql_tail: "",
    sqlite_tail: "",
};

pub(super) static RESOURCE_UPSERT: Statement = Statement {
    sqlite_verb: INSERT,
    head: "resource (subject,owner,clock,created_at,version,deleted,seq,body) VALUES ",
    columns: 8,
    mysql_tail: " ON DUPLICATE KEY UPDATE version=VALUES(version),deleted=VALUES(deleted),seq=VALUES(seq),body=VALUES(body)",
    sqlite_tail: " ON CONFLICT(subject) DO UPDATE SET version=excluded.version,deleted=excluded.deleted,seq=excluded.seq,body=excluded.body",
};

pub(super) static CUSTOMER_PAYMENT_INSERT: Statement = Statement {
    sqlite_verb: IN_THE_LINE,
    head: "customer_payment (customer,payment) VALUES ",
    columns: 2,
    mysql_tail: "",
    sqlite_tail: "",
};

/// Only SQLite has this table. A row that is there already says the same.
pub(super) static OWNER_PAYMENT_INSERT: Statement = Statement {
    sqlite_verb: INSERT,
    head: "owner_payment (owner,payment,kind) VALUES ",
    columns: 3,
    mysql_tail: "",
    sqlite_tail: " ON CONFLICT DO NOTHING",
};

pub(super) static JOURNAL_INSERT: Statement = Statement {
    sqlite_verb: IN_THE_LINE,
    head: "journal (seq,batch_id,at,body) VALUES ",
    columns: 4,
    mysql_tail: "",
    sqlite_tail: "",
};

pub(super) static ACCOUNT_INSERT: Statement = Statement {
    sqlite_verb: INSERT,
    head: "account (id,email,name,password_hash,parent,created_at,country,currency,fee_basis_points,fee_fixed,payout_delay_days,lean) VALUES ",
    columns: 12,
    mysql_tail: "",
    sqlite_tail: "",
};

pub(super) static INSTALLATION_UPSERT: Statement = Statement {
    sqlite_verb: INSERT,
    head: "installation (name,value) VALUES ",
    columns: 2,
    mysql_tail: " ON DUPLICATE KEY UPDATE value=VALUES(value)",
    sqlite_tail: " ON CONFLICT(name) DO UPDATE SET value=excluded.value",
};

pub(super) static SET_ASIDE_UPSERT: Statement = Statement {
    sqlite_verb: INSERT,
    head: "set_aside (subject,reason,cause,first_at,last_at) VALUES ",
    columns: 5,
    mysql_tail: " ON DUPLICATE KEY UPDATE reason=VALUES(reason),cause=VALUES(cause),last_at=VALUES(last_at)",
    sqlite_tail: " ON CONFLICT(subject) DO UPDATE SET reason=excluded.reason,cause=excluded.cause,last_at=excluded.last_at",
};

pub(super) static REQUEST_INSERT: Statement = Statement {
    sqlite_verb: INSERT,
    head: "request_log (id,account,api_key,at,method,path,status,latency_us,missed,request,response) VALUES ",
    columns: 11,
    mysql_tail: "",
    sqlite_tail: "",
};

/// What most of them take, so that none has to move while it is written.
const ENCODED_BYTES: usize = 384;

/// Encodes a submission or a history: MessagePack with structs as arrays.
pub(super) fn encode<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::with_capacity(ENCODED_BYTES);
    rmp_serde::encode::write(&mut bytes, value).map_err(|error| StoreError::Refused(error.to_string()))?;
    Ok(bytes)
}

fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, StoreError> {
    rmp_serde::from_slice(bytes).map_err(|error| StoreError::Damaged(format!("{what}: {error}")))
}

/// A place in the line as stored.
pub(super) fn signed(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// A place in the line as read.
pub(super) fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

pub(super) fn version_column(version: u32) -> i32 {
    i32::try_from(version).unwrap_or(i32::MAX)
}

/// Appends a payment's row. `fresh`: all columns; otherwise the submission stays as stored.
pub(super) fn push_payment(cells: &mut Vec<Cell>, payment: &Payment, fresh: bool) -> Result<(), StoreError> {
    let submission = payment.submission();
    let state = payment.state();
    cells.extend([
        Cell::key(submission.id.as_bytes()),
        Cell::key(submission.owner.as_bytes()),
        Cell::Small(submission.kind.to_code()),
        Cell::Small(state.status.to_code()),
        Cell::Big(submission.amount.amount_minor),
        Cell::Text(submission.amount.currency.code().to_owned()),
        Cell::Int(version_column(payment.version())),
        Cell::Bytes(if fresh { encode(payment.submitted().as_ref())? } else { Vec::new() }),
        Cell::Bytes(encode(&payment.history())?),
    ]);
    Ok(())
}

pub(super) fn push_part(cells: &mut Vec<Cell>, part: &PartRecord) {
    cells.extend([
        Cell::key(part.id.as_bytes()),
        Cell::key(part.owner.as_bytes()),
        Cell::Big(part.created.micros()),
        Cell::key(part.payment.as_bytes()),
        Cell::Small(part.kind.to_code()),
    ]);
}

pub(super) fn push_receipt(cells: &mut Vec<Cell>, receipt: &ReceiptRecord) {
    cells.extend([Cell::key(receipt.payee.as_bytes()), Cell::key(receipt.payment.as_bytes())]);
}

pub(super) fn customer_payment(customer: &[u8], payment: &[u8]) -> Result<CustomerPaymentRecord, StoreError> {
    Ok(CustomerPaymentRecord {
        customer: CustomerId::from_slice(customer).ok_or_else(|| damaged("customer_payment.customer"))?,
        payment: PaymentId::from_slice(payment).ok_or_else(|| damaged("customer_payment.payment"))?,
    })
}

pub(super) fn answer((key, owner, body): (Vec<u8>, Vec<u8>, Vec<u8>)) -> Result<AnswerWrite, StoreError> {
    Ok(AnswerWrite { key: fixed(&key, "answer.k")?, owner: account_id(&owner)?, body: body.into() })
}

pub(super) fn receipt(payee: &[u8], payment: &[u8]) -> Result<ReceiptRecord, StoreError> {
    Ok(ReceiptRecord {
        payee: account_id(payee)?,
        payment: PaymentId::from_slice(payment).ok_or_else(|| damaged("receipt.payment"))?,
    })
}

pub(super) fn push_import_row(cells: &mut Vec<Cell>, import: ImportId, row: &ImportRow) {
    let (payment, fault) = match &row.outcome {
        Ok(payment) => (Some(payment.as_bytes().to_vec()), None),
        Err(fault) => (None, Some(fault)),
    };
    cells.extend([
        Cell::key(import.as_bytes()),
        Cell::Big(signed(row.line)),
        Cell::Text(row.key.clone()),
        Cell::MaybeBytes(payment),
        Cell::MaybeText(fault.map(|fault| fault.column.clone())),
        Cell::MaybeText(fault.map(|fault| fault.message.clone())),
    ]);
}

/// Appends a movement's row, of the batch at `seq`.
pub(super) fn push_movement(cells: &mut Vec<Cell>, write: &MovementWrite, seq: u64) {
    let movement = &write.movement;
    cells.extend([
        Cell::key(write.payment.as_bytes()),
        Cell::Int(version_column(write.version)),
        Cell::Small(i16::from(write.n)),
        Cell::key(&movement.debit.to_key()),
        Cell::key(&movement.credit.to_key()),
        Cell::Big(movement.amount_minor),
        Cell::Text(movement.currency.code().to_owned()),
        Cell::Big(signed(seq)),
        Cell::Int(version_column(write.place)),
    ]);
}

pub(super) fn push_wallet(cells: &mut Vec<Cell>, wallet: WalletId, held: Holdings) {
    cells.extend([
        Cell::key(&wallet.to_key()),
        Cell::Big(held.balance_minor),
        Cell::Big(held.owed_minor),
        Cell::Big(held.pending_minor),
    ]);
}

pub(super) fn push_idempotency(cells: &mut Vec<Cell>, record: &IdempotencyRecord) {
    cells.extend([
        Cell::key(&record.key),
        Cell::key(record.owner.as_bytes()),
        Cell::key(&record.request),
        Cell::key(&record.subject.to_key()),
        Cell::Int(version_column(record.version)),
        Cell::MaybeBig(record.answer.map(u64::cast_signed)),
        Cell::Big(record.at.micros()),
    ]);
}

pub(super) fn push_answer(cells: &mut Vec<Cell>, answer: &AnswerWrite) {
    cells.extend([
        Cell::key(&answer.key),
        Cell::key(answer.owner.as_bytes()),
        Cell::Bytes(answer.body.to_vec()),
    ]);
}

pub(super) fn push_detail(cells: &mut Vec<Cell>, detail: &DetailRecord) {
    cells.extend([
        Cell::key(&detail.subject),
        Cell::Big(detail.id.cast_signed()),
        Cell::Bytes(detail.body.clone()),
    ]);
}

pub(super) fn push_resource(cells: &mut Vec<Cell>, resource: &Resource, seq: u64) -> Result<(), StoreError> {
    cells.extend([
        Cell::key(&resource.subject.to_key()),
        Cell::key(resource.owner.as_bytes()),
        Cell::key(resource.clock.as_bytes()),
        Cell::Big(resource.created.micros()),
        Cell::Int(version_column(resource.version)),
        Cell::Small(i16::from(resource.body.is_none())),
        Cell::Big(signed(seq)),
        Cell::Bytes(resource.body.as_ref().map_or_else(|| Ok(Vec::new()), encode)?),
    ]);
    Ok(())
}

pub(super) fn push_customer_payment(cells: &mut Vec<Cell>, record: &CustomerPaymentRecord) {
    cells.extend([Cell::key(record.customer.as_bytes()), Cell::key(record.payment.as_bytes())]);
}

/// The columns that make a payment.
#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::payment)]
pub(super) struct PaymentRow {
    pub id: Vec<u8>,
    pub submission: Vec<u8>,
    pub history: Vec<u8>,
}

impl PaymentRow {
    pub(super) fn decode(&self) -> Result<Payment, StoreError> {
        let submission: Submission = decode(&self.submission, "submission")?;
        let history: Vec<Recorded> = decode(&self.history, "history")?;
        let id = submission.id;
        if id.as_bytes().as_slice() != self.id {
            return Err(StoreError::Damaged(format!("payment {id} stands under the id of another")));
        }
        Payment::fold(Arc::new(submission), &history)
            .map_err(|error| StoreError::Damaged(format!("payment {id}: {error}")))
    }
}

/// What was read, and what of it could not be: one row never hides the others.
#[derive(Debug)]
pub(super) struct Found<T> {
    pub rows: Vec<T>,
    /// At most [`ASIDE_MAX`].
    pub damaged: Vec<(Subject, String)>,
}

impl<T> Default for Found<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), damaged: Vec::new() }
    }
}

impl<T> Found<T> {
    /// Adds what else was found.
    pub(super) fn add(&mut self, other: Self) {
        self.rows.extend(other.rows);
        self.damaged.extend(other.damaged);
        self.damaged.truncate(ASIDE_MAX);
    }

    /// Adds what `made` makes of this row, if it can be read.
    pub(super) fn push(&mut self, row: &PaymentRow, made: impl FnOnce(Payment) -> T) {
        match row.decode() {
            Ok(payment) => self.rows.push(made(payment)),
            Err(error) => self.damage(row.subject(), error.to_string()),
        }
    }

    /// Sets aside what could not be read, and hands out the rest.
    pub(super) fn sort_out(self, aside: &SetAside) -> Vec<T> {
        for (subject, cause) in self.damaged {
            aside.note(subject, AsideReason::Unreadable, &cause);
        }
        self.rows
    }

    pub(super) fn damage(&mut self, subject: Subject, cause: String) {
        if self.damaged.len() < ASIDE_MAX {
            self.damaged.push((subject, cause));
        }
    }
}

/// A row that holds a payment.
pub(super) trait OfPayment {
    /// The payment; `None` where it is not legal.
    fn payment(&mut self) -> Option<&mut Payment>;
}

impl OfPayment for Payment {
    fn payment(&mut self) -> Option<&mut Payment> {
        Some(self)
    }
}

impl OfPayment for AuditPayment {
    fn payment(&mut self) -> Option<&mut Payment> {
        self.folded.as_mut().ok()
    }
}

impl<T: OfPayment> Found<T> {
    /// Takes out payments whose amendments are gone or cannot be read: nobody is told what was said before them.
    pub(super) fn without_unread(mut self) -> Self {
        let mut unread = Vec::new();
        self.rows.retain_mut(|row| {
            let found = row.payment().filter(|payment| payment.unread_terms().is_some());
            unread.extend(found.as_ref().map(|payment| payment.id()));
            found.is_none()
        });
        for id in unread {
            let cause = format!("payment {id}: what it was amended to is gone, or cannot be read");
            self.damage(Subject::Payment(id), cause);
        }
        self
    }
}

impl Found<Resource> {
    /// Adds what this row tells of, if it can be read.
    pub(super) fn push_resource(&mut self, row: &ResourceRow) {
        match row.decode() {
            Ok(resource) => self.rows.push(resource),
            Err(error) => self.damage(Subject::row("resource", &row.subject), error.to_string()),
        }
    }
}

impl PaymentRow {
    fn subject(&self) -> Subject {
        PaymentId::from_slice(&self.id).map_or_else(|| Subject::row("payment", &self.id), Subject::Payment)
    }
}

#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::set_aside)]
pub(super) struct SetAsideRow {
    subject: String,
    reason: i16,
    cause: String,
    first_at: i64,
    last_at: i64,
}

impl SetAsideRow {
    pub(super) fn decode(self) -> AsideRecord {
        AsideRecord {
            subject: Subject::from_key(&self.subject),
            reason: AsideReason::from_code(self.reason),
            cause: self.cause,
            first_at: Timestamp::from_micros(self.first_at),
            last_at: Timestamp::from_micros(self.last_at),
        }
    }
}

pub(super) fn push_aside(cells: &mut Vec<Cell>, record: &AsideRecord) {
    cells.extend([
        Cell::Text(record.subject.to_key()),
        Cell::Small(record.reason.to_code()),
        Cell::Text(record.cause.clone()),
        Cell::Big(record.first_at.micros()),
        Cell::Big(record.last_at.micros()),
    ]);
}

/// Every column, for the auditor.
#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::payment)]
pub(super) struct AuditRow {
    pub id: Vec<u8>,
    pub owner: Vec<u8>,
    pub kind: i16,
    pub status: i16,
    pub amount: i64,
    pub currency: String,
    pub version: i32,
    #[diesel(embed)]
    pub body: PaymentRow,
}

impl AuditRow {
    /// What stands in other tables is added to it.
    pub(super) fn decode(self) -> Result<AuditPayment, StoreError> {
        Ok(AuditPayment {
            id: PaymentId::from_slice(&self.id).ok_or_else(|| damaged("payment.id"))?,
            folded: self.body.decode().map_err(|error| error.to_string()),
            owner: account_id(&self.owner)?,
            status: self.status,
            kind: self.kind,
            amount_minor: self.amount,
            currency: self.currency,
            version: u32::try_from(self.version).unwrap_or(0),
            due: Vec::new(),
            busy: None,
            clock_gone: false,
            has_open_work: false,
            parked: None,
        })
    }
}

/// Rows read at most of a table of a few.
pub(super) const SMALL_MAX: u32 = 10_000;

/// A detail as stored: subject, id, body.
pub(super) type DetailRow = (Vec<u8>, i64, Vec<u8>);

pub(super) fn detail((subject, id, body): DetailRow) -> Result<DetailRecord, StoreError> {
    Ok(DetailRecord { subject: fixed(&subject, "detail.subject")?, id: id.cast_unsigned(), body })
}

pub(super) fn damaged(what: &str) -> StoreError {
    StoreError::Damaged(format!("{what} cannot be read"))
}

pub(super) fn account_id(bytes: &[u8]) -> Result<AccountId, StoreError> {
    AccountId::from_slice(bytes).ok_or_else(|| damaged("account id"))
}

fn currency(text: &str) -> Result<Currency, StoreError> {
    text.parse().map_err(|_| damaged("currency"))
}

fn fixed<const N: usize>(bytes: &[u8], what: &str) -> Result<[u8; N], StoreError> {
    <[u8; N]>::try_from(bytes).map_err(|_| damaged(what))
}

#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::part)]
pub(super) struct PartRow {
    id: Vec<u8>,
    owner: Vec<u8>,
    created: i64,
    payment: Vec<u8>,
    kind: i16,
}

impl PartRow {
    pub(super) fn decode(&self) -> Result<PartRecord, StoreError> {
        Ok(PartRecord {
            id: PartId::from_slice(&self.id).ok_or_else(|| damaged("part.id"))?,
            owner: account_id(&self.owner)?,
            created: Timestamp::from_micros(self.created),
            payment: PaymentId::from_slice(&self.payment).ok_or_else(|| damaged("part.payment"))?,
            kind: PartKind::from_code(self.kind).ok_or_else(|| damaged("part.kind"))?,
        })
    }
}

#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::movement)]
pub(super) struct MovementRow {
    payment: Vec<u8>,
    version: i32,
    n: i16,
    debit: Vec<u8>,
    credit: Vec<u8>,
    amount: i64,
    currency: String,
    seq: i64,
    place: i32,
}

impl MovementRow {
    pub(super) fn decode(&self) -> Result<MovementRecord, StoreError> {
        let account = |key: &[u8]| LedgerAccount::from_key(key).ok_or_else(|| damaged("movement account"));
        Ok(MovementRecord {
            payment: PaymentId::from_slice(&self.payment).ok_or_else(|| damaged("movement.payment"))?,
            version: u32::try_from(self.version).unwrap_or(0),
            n: u8::try_from(self.n).map_err(|_| damaged("movement.n"))?,
            movement: Movement {
                debit: account(&self.debit)?,
                credit: account(&self.credit)?,
                amount_minor: self.amount,
                currency: currency(&self.currency)?,
            },
            seq: unsigned(self.seq),
            place: u32::try_from(self.place).map_err(|_| damaged("movement.place"))?,
        })
    }
}

#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::wallet)]
pub(super) struct WalletRow {
    id: Vec<u8>,
    balance: i64,
    owed: i64,
    pending: i64,
}

impl WalletRow {
    pub(super) fn decode(&self) -> Result<WalletRecord, StoreError> {
        Ok(WalletRecord {
            wallet: WalletId::from_key(&self.id).ok_or_else(|| damaged("wallet.id"))?,
            holdings: Holdings {
                balance_minor: self.balance,
                owed_minor: self.owed,
                pending_minor: self.pending,
            },
        })
    }
}

/// The key of a wallet, read back.
pub(super) fn wallet_id(bytes: &[u8]) -> Result<WalletId, StoreError> {
    WalletId::from_key(bytes).ok_or_else(|| damaged("wallet key"))
}

/// The cells of a statement's line.
pub(super) fn line_cells(line: &StatementLine) -> [Cell; 13] {
    [
        Cell::key(&line.wallet.to_key()),
        Cell::Big(signed(line.place.seq)),
        Cell::Int(version_column(line.place.place)),
        Cell::key(line.id.payment.as_bytes()),
        Cell::Int(version_column(line.id.version)),
        Cell::Small(line.id.side.to_code()),
        Cell::Small(line.kind.to_code()),
        Cell::Big(line.gross_minor),
        Cell::Big(line.fee_minor),
        Cell::Big(line.balance_minor),
        Cell::Big(line.at.micros()),
        Cell::Big(line.available_at.micros()),
        Cell::MaybeBytes(line.part.map(|part| part.as_bytes().to_vec())),
    ]
}

#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::statement_line)]
pub(super) struct LineRow {
    wallet: Vec<u8>,
    seq: i64,
    place: i32,
    payment: Vec<u8>,
    version: i32,
    side: i16,
    kind: i16,
    gross: i64,
    fee: i64,
    balance: i64,
    at: i64,
    available_at: i64,
    part: Option<Vec<u8>>,
}

impl LineRow {
    pub(super) fn decode(&self) -> Result<StatementLine, StoreError> {
        let part = |bytes: &Vec<u8>| PartId::from_slice(bytes).ok_or_else(|| damaged("statement_line.part"));
        Ok(StatementLine {
            id: LineId {
                payment: PaymentId::from_slice(&self.payment)
                    .ok_or_else(|| damaged("statement_line.payment"))?,
                version: u32::try_from(self.version).unwrap_or(0),
                side: Side::from_code(self.side).ok_or_else(|| damaged("statement_line.side"))?,
            },
            wallet: wallet_id(&self.wallet)?,
            place: LinePlace {
                seq: unsigned(self.seq),
                place: u32::try_from(self.place).map_err(|_| damaged("statement_line.place"))?,
            },
            kind: LineKind::from_code(self.kind).ok_or_else(|| damaged("statement_line.kind"))?,
            gross_minor: self.gross,
            fee_minor: self.fee,
            balance_minor: self.balance,
            at: Timestamp::from_micros(self.at),
            available_at: Timestamp::from_micros(self.available_at),
            part: self.part.as_ref().map(part).transpose()?,
        })
    }
}

/// The cells of an announcement.
pub(super) fn event_cells((owner, event): &(AccountId, Announcement)) -> [Cell; 7] {
    [
        Cell::key(owner.as_bytes()),
        Cell::Big(event.at.micros()),
        Cell::key(&event.id.subject.to_key()),
        Cell::Int(version_column(event.id.version)),
        Cell::Small(i16::from(event.id.n)),
        Cell::Small(event.kind.to_code()),
        Cell::Big(event.wall.micros()),
    ]
}

#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::account_event)]
pub(super) struct EventRow {
    owner: Vec<u8>,
    at: i64,
    subject: Vec<u8>,
    version: i32,
    n: i16,
    kind: i16,
    wall: i64,
}

impl EventRow {
    pub(super) fn decode(&self) -> Result<(AccountId, Announcement), StoreError> {
        let id = AnnouncementId {
            subject: domain::Subject::from_key(&self.subject)
                .ok_or_else(|| damaged("account_event.subject"))?,
            version: u32::try_from(self.version).unwrap_or(0),
            n: u8::try_from(self.n).map_err(|_| damaged("account_event.n"))?,
        };
        let kind = AnnouncementKind::from_code(self.kind).ok_or_else(|| damaged("account_event.kind"))?;
        let (at, wall) = (Timestamp::from_micros(self.at), Timestamp::from_micros(self.wall));
        Ok((account_id(&self.owner)?, Announcement { at, id, kind, wall }))
    }
}

/// The cells of a source.
pub(super) fn push_source(cells: &mut Vec<Cell>, source: &EventSource) {
    let origin = source.origin.as_ref();
    let key = origin.and_then(|origin| origin.key.as_ref());
    cells.extend([
        Cell::key(source.owner.as_bytes()),
        Cell::Big(source.at.micros()),
        Cell::key(&source.subject.to_key()),
        Cell::Int(version_column(source.version)),
        Cell::Big(source.wall.micros()),
        Cell::MaybeBytes(origin.map(|origin| origin.request.as_bytes().to_vec())),
        Cell::MaybeText(key.map(ToString::to_string)),
        Cell::MaybeBytes(source.states.as_ref().map(States::to_bytes)),
    ]);
}

#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::event_source)]
pub(super) struct SourceRow {
    owner: Vec<u8>,
    at: i64,
    subject: Vec<u8>,
    version: i32,
    wall: i64,
    request: Option<Vec<u8>>,
    idempotency_key: Option<String>,
    states: Option<Vec<u8>>,
}

impl SourceRow {
    pub(super) fn decode(self) -> Result<EventSource, StoreError> {
        let request =
            |bytes: Vec<u8>| RequestId::from_slice(&bytes).ok_or_else(|| damaged("event_source.request"));
        let states =
            |bytes: Vec<u8>| States::from_bytes(&bytes).ok_or_else(|| damaged("event_source.states"));
        let subject = domain::Subject::from_key(&self.subject);
        let key = self.idempotency_key.map(String::into_boxed_str);
        Ok(EventSource {
            owner: account_id(&self.owner)?,
            at: Timestamp::from_micros(self.at),
            subject: subject.ok_or_else(|| damaged("event_source.subject"))?,
            version: u32::try_from(self.version).unwrap_or(0),
            wall: Timestamp::from_micros(self.wall),
            origin: self.request.map(request).transpose()?.map(|request| Origin { request, key }),
            states: self.states.map(states).transpose()?,
        })
    }
}

#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::idempotency)]
pub(super) struct IdempotencyRow {
    k: Vec<u8>,
    owner: Vec<u8>,
    request: Vec<u8>,
    subject: Vec<u8>,
    version: i32,
    answer: Option<i64>,
    at: i64,
}

impl IdempotencyRow {
    pub(super) fn decode(&self) -> Result<IdempotencyRecord, StoreError> {
        Ok(IdempotencyRecord {
            key: fixed(&self.k, "idempotency.k")?,
            owner: account_id(&self.owner)?,
            request: fixed(&self.request, "idempotency.request")?,
            subject: subject(&self.subject, "idempotency.subject")?,
            version: u32::try_from(self.version).unwrap_or(0),
            answer: self.answer.map(i64::cast_unsigned),
            at: Timestamp::from_micros(self.at),
        })
    }
}

fn subject(key: &[u8], what: &str) -> Result<domain::Subject, StoreError> {
    domain::Subject::from_key(key).ok_or_else(|| damaged(what))
}

#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::resource)]
pub(super) struct ResourceRow {
    subject: Vec<u8>,
    owner: Vec<u8>,
    clock: Vec<u8>,
    created_at: i64,
    version: i32,
    deleted: i16,
    seq: i64,
    body: Vec<u8>,
}

impl ResourceRow {
    /// The subject under whose key it stands.
    pub(super) fn key(&self) -> Option<domain::Subject> {
        domain::Subject::from_key(&self.subject)
    }

    pub(super) fn decode(&self) -> Result<Resource, StoreError> {
        let subject = subject(&self.subject, "resource.subject")?;
        let body: Option<Body> = match (self.deleted, self.body.as_slice()) {
            (0, body) => Some(decode(body, "resource.body")?),
            (1, []) => None,
            (_, _) => return Err(damaged("resource.deleted")),
        };
        if body.as_ref().is_some_and(|body| body.kind() != subject.kind()) {
            return Err(StoreError::Damaged(format!("resource {subject} is of another kind")));
        }
        Ok(Resource {
            subject,
            owner: account_id(&self.owner)?,
            version: u32::try_from(self.version).unwrap_or(0),
            clock: ClockId::from_slice(&self.clock).ok_or_else(|| damaged("resource.clock"))?,
            created: Timestamp::from_micros(self.created_at),
            body,
        })
    }

    pub(super) fn audited(&self) -> Result<AuditResource, StoreError> {
        Ok(AuditResource { resource: self.decode()?, seq: unsigned(self.seq), awake: false })
    }
}

#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::journal)]
pub(super) struct JournalRow {
    seq: i64,
    batch_id: Vec<u8>,
    at: i64,
    body: Vec<u8>,
}

impl JournalRow {
    pub(super) fn decode(self) -> Result<JournalRecord, StoreError> {
        Ok(JournalRecord {
            seq: unsigned(self.seq),
            batch: BatchId::from_slice(&self.batch_id).ok_or_else(|| damaged("journal.batch_id"))?,
            at: Timestamp::from_micros(self.at),
            body: self.body,
        })
    }
}

/// The columns that hold what an account was created with.
#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::account)]
pub(super) struct TermsRow {
    country: String,
    currency: String,
    fee_basis_points: i32,
    fee_fixed: i64,
    payout_delay_days: i32,
    lean: i16,
}

impl TermsRow {
    fn decode(&self) -> Result<AccountTerms, StoreError> {
        Ok(AccountTerms {
            country: Country::parse(&self.country).ok_or_else(|| damaged("account.country"))?,
            currency: self.currency.parse().map_err(|_| damaged("account.currency"))?,
            fee: FeePlan {
                basis_points: u16::try_from(self.fee_basis_points)
                    .map_err(|_| damaged("account.fee_basis_points"))?,
                fixed_minor: self.fee_fixed,
            },
            payout_delay_days: u16::try_from(self.payout_delay_days)
                .map_err(|_| damaged("account.payout_delay_days"))?,
            lean: self.lean != 0,
        })
    }
}

/// What the line knows of an account.
#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::account)]
pub(super) struct FactsRow {
    id: Vec<u8>,
    closed_at: Option<i64>,
    clock: Option<Vec<u8>>,
    #[diesel(embed)]
    terms: TermsRow,
}

impl FactsRow {
    pub(super) fn decode(&self) -> Result<(AccountId, AccountFacts), StoreError> {
        let facts = AccountFacts {
            closed: self.closed_at.is_some(),
            terms: self.terms.decode()?,
            clock: self.clock.as_deref().map_or(Ok(ClockId::WALL), clock_id)?,
        };
        Ok((account_id(&self.id)?, facts))
    }
}

#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::account)]
pub(super) struct AccountRow {
    id: Vec<u8>,
    email: Option<String>,
    name: String,
    password_hash: Option<String>,
    parent: Option<Vec<u8>>,
    clock: Option<Vec<u8>>,
    created_at: i64,
    closed_at: Option<i64>,
    #[diesel(embed)]
    terms: TermsRow,
}

impl AccountRow {
    pub(super) fn decode(self) -> Result<Account, StoreError> {
        Ok(Account {
            id: account_id(&self.id)?,
            email: self.email,
            name: self.name,
            password_hash: self.password_hash,
            parent: self.parent.as_deref().map(account_id).transpose()?,
            clock: self.clock.as_deref().map_or(Ok(ClockId::WALL), clock_id)?,
            terms: self.terms.decode()?,
            created_at: Timestamp::from_micros(self.created_at),
            closed_at: self.closed_at.map(Timestamp::from_micros),
        })
    }
}

#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::session)]
pub(super) struct SessionRow {
    id: Vec<u8>,
    account: Vec<u8>,
    created_at: i64,
    expires_at: i64,
    user_agent: String,
    seen_at: i64,
}

impl SessionRow {
    pub(super) fn decode(self) -> Result<Session, StoreError> {
        Ok(Session {
            id: SessionId::from_slice(&self.id).ok_or_else(|| damaged("session.id"))?,
            account: account_id(&self.account)?,
            created_at: Timestamp::from_micros(self.created_at),
            expires_at: Timestamp::from_micros(self.expires_at),
            user_agent: self.user_agent,
            // Rows from before this was kept were seen when they began.
            seen_at: Timestamp::from_micros(self.seen_at.max(self.created_at)),
        })
    }
}

#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::api_key)]
pub(super) struct ApiKeyRow {
    id: Vec<u8>,
    account: Vec<u8>,
    last4: String,
    name: String,
    created_at: i64,
    revoked_at: Option<i64>,
}

impl ApiKeyRow {
    pub(super) fn decode(self) -> Result<ApiKey, StoreError> {
        Ok(ApiKey {
            id: ApiKeyId::from_slice(&self.id).ok_or_else(|| damaged("api_key.id"))?,
            account: account_id(&self.account)?,
            last4: self.last4,
            name: self.name,
            created_at: Timestamp::from_micros(self.created_at),
            revoked_at: self.revoked_at.map(Timestamp::from_micros),
        })
    }
}

#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::import)]
pub(super) struct ImportTableRow {
    id: Vec<u8>,
    owner: Vec<u8>,
    name: String,
    state: i16,
    created_at: i64,
    updated_at: i64,
    rows_read: i64,
    rows_accepted: i64,
    rows_known: i64,
    rows_refused: i64,
    cause: Option<String>,
}

impl ImportTableRow {
    pub(super) fn decode(self) -> Result<ImportRecord, StoreError> {
        Ok(ImportRecord {
            id: ImportId::from_slice(&self.id).ok_or_else(|| damaged("import.id"))?,
            owner: account_id(&self.owner)?,
            name: self.name,
            state: ImportState::from_code(self.state).ok_or_else(|| damaged("import.state"))?,
            created_at: Timestamp::from_micros(self.created_at),
            updated_at: Timestamp::from_micros(self.updated_at),
            rows_read: unsigned(self.rows_read),
            rows_accepted: unsigned(self.rows_accepted),
            rows_known: unsigned(self.rows_known),
            rows_refused: unsigned(self.rows_refused),
            cause: self.cause,
        })
    }
}

#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::import_row)]
pub(super) struct ImportRowRow {
    line: i64,
    row_key: String,
    payment: Option<Vec<u8>>,
    column_name: Option<String>,
    message: Option<String>,
}

impl ImportRowRow {
    pub(super) fn decode(self) -> Result<ImportRow, StoreError> {
        let outcome = match self.payment {
            Some(id) => Ok(PaymentId::from_slice(&id).ok_or_else(|| damaged("import_row.payment"))?),
            None => Err(super::records::RowFault {
                column: self.column_name.unwrap_or_default(),
                message: self.message.unwrap_or_default(),
            }),
        };
        Ok(ImportRow { line: unsigned(self.line), key: self.row_key, outcome })
    }
}

/// A call of the API, without its bodies: what a list shows.
#[derive(Queryable, Selectable)]
#[diesel(table_name = schema::request_log)]
pub(super) struct RequestRow {
    id: Vec<u8>,
    account: Vec<u8>,
    api_key: Option<Vec<u8>>,
    at: i64,
    method: String,
    path: String,
    status: i16,
    latency_us: i64,
    missed: i64,
}

impl RequestRow {
    pub(super) fn decode(
        self,
        request: Option<String>,
        response: Option<String>,
    ) -> Result<RequestRecord, StoreError> {
        Ok(RequestRecord {
            id: RequestId::from_slice(&self.id).ok_or_else(|| damaged("request_log.id"))?,
            account: account_id(&self.account)?,
            key: self.api_key.as_deref().and_then(ApiKeyId::from_slice),
            at: Timestamp::from_micros(self.at),
            method: self.method,
            path: self.path,
            status: u16::try_from(self.status).unwrap_or(0),
            latency_us: unsigned(self.latency_us),
            missed: unsigned(self.missed),
            request,
            response,
        })
    }
}

/// The cells of an account's row.
pub(super) fn account_cells(account: &NewAccount) -> [Cell; 12] {
    [
        Cell::key(account.id.as_bytes()),
        Cell::MaybeText(account.email.clone()),
        Cell::Text(account.name.clone()),
        Cell::MaybeText(account.password_hash.clone()),
        Cell::MaybeBytes(account.parent.map(|parent| parent.as_bytes().to_vec())),
        Cell::Big(account.created_at.micros()),
        Cell::Text(account.terms.country.to_string()),
        Cell::Text(account.terms.currency.code().to_owned()),
        Cell::Int(i32::from(account.terms.fee.basis_points)),
        Cell::Big(account.terms.fee.fixed_minor),
        Cell::Int(i32::from(account.terms.payout_delay_days)),
        Cell::Small(i16::from(account.terms.lean)),
    ]
}

/// The cells of a call's row.
pub(super) fn request_cells(record: &RequestRecord) -> [Cell; 11] {
    [
        Cell::key(record.id.as_bytes()),
        Cell::key(record.account.as_bytes()),
        Cell::MaybeBytes(record.key.map(|key| key.as_bytes().to_vec())),
        Cell::Big(record.at.micros()),
        Cell::Text(record.method.clone()),
        Cell::Text(record.path.clone()),
        Cell::Small(i16::try_from(record.status).unwrap_or(0)),
        Cell::Big(signed(record.latency_us)),
        Cell::Big(signed(record.missed)),
        Cell::MaybeText(record.request.clone()),
        Cell::MaybeText(record.response.clone()),
    ]
}
