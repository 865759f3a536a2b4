//! Consistent views for the auditor: everything that one reads is of one moment.

mod audit_payments;
mod audit_tables;
mod implementation;
mod records;

use async_trait::async_trait;

use crate::domain::announcement::Announcement;
use crate::domain::ids::{AccountId, PartId, PaymentId};
use crate::domain::scenario_revision::ScenarioRevision;
use crate::domain::statement::{LinePlace, StatementLine};
use crate::domain::subject::Subject as DomainSubject;
use crate::domain::time::Timestamp;
use crate::domain::wallet::WalletId;
use crate::store::StoreResult;
use crate::store::aside::AsideRecord;
use crate::store::details::DetailRecord;
use crate::store::error::StoreError;
use crate::store::event_sources::{EventSource, SourcePlace};
use crate::store::events::AnnouncementPlace;
use crate::store::idempotency::{AnswerWrite, IdempotencyRecord};
use crate::store::journal::JournalRecord;
use crate::store::ledger::{MovementRecord, WalletRecord};
use crate::store::parts::PartRecord;
use crate::store::payment_lists::{CustomerPaymentRecord, OwnerPayment, ReceiptRecord};
use crate::store::scenarios::RevisionRecord;
use crate::store::strays::Stray;

pub(in crate::store) use audit_payments::audit_payments;
pub(in crate::store) use audit_tables::audit_tables;
pub(in crate::store) use implementation::snapshot_store;
pub(in crate::store) use records::AuditRow;
pub use records::{AccountHead, AuditPayment, AuditResource, PaymentHead, TableCounts};

/// Opens consistent views.
#[async_trait]
pub trait Snapshots: Send + Sync + 'static {
    /// Opens one view.
    async fn snapshot(&self) -> StoreResult<Box<dyn Snapshot>> {
        let one = self.snapshots(1).await?.pop();
        one.ok_or_else(|| StoreError::Unavailable("no view could be opened".to_owned()))
    }

    /// Opens several views of the same moment, to be read at once; fewer if batches commit too fast for that, but at least one.
    async fn snapshots(&self, count: usize) -> StoreResult<Vec<Box<dyn Snapshot>>>;
}

/// A consistent read of the whole store, for the auditor. All by keyset; nothing is held in memory.
#[async_trait]
pub trait Snapshot: Send {
    /// The last position taken in the journal.
    async fn head(&mut self) -> StoreResult<u64>;
    /// Row counts by table.
    async fn counts(&mut self) -> StoreResult<TableCounts>;
    /// Payments with the columns stored beside their histories.
    async fn payments(&mut self, after: Option<PaymentId>, limit: u32) -> StoreResult<Vec<AuditPayment>>;
    /// The payments with these ids, columns included.
    async fn payments_by_id(&mut self, ids: &[PaymentId]) -> StoreResult<Vec<AuditPayment>>;
    /// What rows that point at these payments are compared with.
    async fn payment_heads(&mut self, ids: &[PaymentId]) -> StoreResult<Vec<PaymentHead>> {
        let head = |row: AuditPayment| PaymentHead { id: row.id, owner: row.owner, version: row.version };
        Ok(self.payments_by_id(ids).await?.into_iter().map(head).collect())
    }
    /// Accounts by id.
    async fn accounts(&mut self, after: Option<AccountId>, limit: u32) -> StoreResult<Vec<AccountHead>>;
    /// Details by (subject, id).
    async fn details(
        &mut self,
        _after: Option<([u8; 16], u64)>,
        _limit: u32,
    ) -> StoreResult<Vec<DetailRecord>> {
        Ok(Vec::new())
    }
    /// The details of payments and refunds with these names.
    async fn details_of(&mut self, _keys: &[([u8; 16], u64)]) -> StoreResult<Vec<DetailRecord>> {
        Ok(Vec::new())
    }
    /// These revisions of scenarios.
    async fn scenario_revisions_of(
        &mut self,
        _revisions: &[ScenarioRevision],
    ) -> StoreResult<Vec<RevisionRecord>> {
        Ok(Vec::new())
    }
    /// Scenario files by hash.
    async fn scenario_files(
        &mut self,
        _after: Option<[u8; 32]>,
        _limit: u32,
    ) -> StoreResult<Vec<([u8; 32], Vec<u8>)>> {
        Ok(Vec::new())
    }
    /// Plain resources by subject.
    async fn resources(
        &mut self,
        after: Option<DomainSubject>,
        limit: u32,
    ) -> StoreResult<Vec<AuditResource>>;
    /// The resources with these subjects.
    async fn resources_of(&mut self, subjects: &[DomainSubject]) -> StoreResult<Vec<AuditResource>>;
    /// Answers by (key, owner).
    async fn answers(
        &mut self,
        after: Option<([u8; 32], AccountId)>,
        limit: u32,
    ) -> StoreResult<Vec<AnswerWrite>>;
    /// Payments of customers by (customer, payment).
    async fn customer_payments(
        &mut self,
        after: Option<CustomerPaymentRecord>,
        limit: u32,
    ) -> StoreResult<Vec<CustomerPaymentRecord>>;
    /// The mark below which every payment is in its owner's list; `None` where there is none, or nothing to audit because the
    /// database keeps such lists by itself.
    async fn owner_payments_below(&mut self) -> StoreResult<Option<PaymentId>> {
        Ok(None)
    }
    /// Rows of those lists by (owner, payment).
    async fn owner_payments(
        &mut self,
        _after: Option<(AccountId, PaymentId)>,
        _limit: u32,
    ) -> StoreResult<Vec<OwnerPayment>> {
        Ok(Vec::new())
    }
    /// What is set aside.
    async fn aside(&mut self) -> StoreResult<Vec<AsideRecord>> {
        Ok(Vec::new())
    }
    /// Names of leases, and when each ends.
    async fn leases(&mut self) -> StoreResult<Vec<(String, Timestamp)>> {
        Ok(Vec::new())
    }
    /// A named value of the installation.
    async fn secret(&mut self, _name: &str) -> StoreResult<Option<Vec<u8>>> {
        Ok(None)
    }
    /// Rows that contradict one another; the first of each kind.
    async fn strays(&mut self) -> StoreResult<Vec<Stray>> {
        Ok(Vec::new())
    }
    /// Parts of payments by id.
    async fn parts(&mut self, after: Option<PartId>, limit: u32) -> StoreResult<Vec<PartRecord>>;
    /// Receipts by (payee, payment).
    async fn receipts(&mut self, after: Option<ReceiptRecord>, limit: u32)
    -> StoreResult<Vec<ReceiptRecord>>;
    /// Movements by (payment, version, n).
    async fn movements(
        &mut self,
        after: Option<(PaymentId, u32, u8)>,
        limit: u32,
    ) -> StoreResult<Vec<MovementRecord>>;
    /// The movements of these payments.
    async fn movements_of(&mut self, payments: &[PaymentId]) -> StoreResult<Vec<MovementRecord>>;
    /// Lines of statements by (wallet, place).
    async fn statement(
        &mut self,
        _after: Option<(WalletId, LinePlace)>,
        _limit: u32,
    ) -> StoreResult<Vec<StatementLine>> {
        Ok(Vec::new())
    }
    /// Announcements by (account, place).
    async fn events(
        &mut self,
        _after: Option<(AccountId, AnnouncementPlace)>,
        _limit: u32,
    ) -> StoreResult<Vec<(AccountId, Announcement)>> {
        Ok(Vec::new())
    }
    /// Sources of events by place.
    async fn sources(&mut self, _after: Option<SourcePlace>, _limit: u32) -> StoreResult<Vec<EventSource>> {
        Ok(Vec::new())
    }
    /// Balances by key.
    async fn wallets(&mut self, after: Option<Vec<u8>>, limit: u32) -> StoreResult<Vec<WalletRecord>>;
    /// Idempotency rows by (key, owner).
    async fn idempotency(
        &mut self,
        after: Option<([u8; 32], AccountId)>,
        limit: u32,
    ) -> StoreResult<Vec<IdempotencyRecord>>;
    /// Journal rows in order.
    async fn journal(&mut self, after: u64, limit: u32) -> StoreResult<Vec<JournalRecord>>;
    /// Cursors by reader.
    async fn cursors(&mut self) -> StoreResult<Vec<(String, u64)>>;
}
