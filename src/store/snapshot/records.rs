//! Records that only the auditor reads.

use diesel::prelude::*;

use crate::domain::ids::{AccountId, ClockId, PaymentId};
use crate::domain::payment::Payment;
use crate::domain::resource::Resource;
use crate::domain::time::Timestamp;
use crate::store::columns::{account_id, damaged};
use crate::store::error::StoreError;
use crate::store::payments::PaymentRow;
use crate::store::schema;

/// A payment with the columns and rows stored beside its history, for the auditor.
#[derive(Debug, Clone)]
pub struct AuditPayment {
    /// The key of the row.
    pub id: PaymentId,
    /// What the history folds to, or in words why it is not legal.
    pub folded: Result<Payment, String>,
    /// Column `owner`.
    pub owner: AccountId,
    /// Column `status`.
    pub status: i16,
    /// Column `kind`.
    pub kind: i16,
    /// Column `amount`.
    pub amount_minor: i64,
    /// Column `currency`.
    pub currency: String,
    /// Column `version`.
    pub version: u32,
    /// Its rows of `due`, in the order of the clocks.
    pub due: Vec<(ClockId, Timestamp)>,
    /// The clock of its row of `clock_busy`.
    pub busy: Option<ClockId>,
    /// Whether the clock that it was created on is gone.
    pub clock_gone: bool,
    /// Whether it has a row of `open_work`.
    pub has_open_work: bool,
    /// The owner in its row of `parked`.
    pub parked: Option<AccountId>,
}

/// A plain resource with the columns stored beside it, for the auditor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditResource {
    /// What the row says.
    pub resource: Resource,
    /// Column `seq`.
    pub seq: u64,
    /// Whether it has a row of `clock_awake`.
    pub awake: bool,
}

/// What a row that points at a payment is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaymentHead {
    /// The primary key.
    pub id: PaymentId,
    /// Column `owner`.
    pub owner: AccountId,
    /// Column `version`.
    pub version: u32,
}

/// An account, for the auditor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountHead {
    /// The primary key.
    pub id: AccountId,
    /// The account that created it, for throw-away accounts.
    pub parent: Option<AccountId>,
    /// The name shown to others.
    pub name: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// Whether it has no statements.
    pub lean: bool,
}

/// Row counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableCounts {
    /// Payments.
    pub payments: u64,
    /// Parts of payments.
    pub parts: u64,
    /// Movements.
    pub movements: u64,
    /// Wallets and receivables.
    pub wallets: u64,
    /// Idempotency rows.
    pub idempotency: u64,
    /// Journal rows.
    pub journal: u64,
}

/// Every column, for the auditor.
#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::payment)]
pub(in crate::store) struct AuditRow {
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
    /// The caller adds what is in other tables.
    pub(in crate::store) fn decode(self) -> Result<AuditPayment, StoreError> {
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
