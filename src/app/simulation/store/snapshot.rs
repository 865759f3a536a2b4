//! The snapshot that the auditor reads.

use std::sync::Arc;

use async_trait::async_trait;

use super::data::Data;
use crate::domain::announcement::Announcement;
use crate::domain::ids::{AccountId, ClockId, PartId, PaymentId};
use crate::domain::ledger::Holdings;
use crate::domain::payment::Payment;
use crate::domain::resource::Resource;
use crate::domain::statement::{LinePlace, StatementLine};
use crate::domain::subject::Subject;
use crate::domain::wallet::WalletId;
use crate::readers::CURSORS;
use crate::store::{
    AccountHead, AnnouncementPlace, AnswerWrite, AuditPayment, AuditResource, CustomerPaymentRecord,
    DetailRecord, EventSource, IdempotencyRecord, JournalRecord, MovementRecord, PartRecord, ReceiptRecord,
    Snapshot, SourcePlace, StoreResult, TableCounts, WalletRecord,
};

pub struct SimSnapshot(pub Data);

impl SimSnapshot {
    fn audit_row(&self, payment: &Payment) -> AuditPayment {
        let (submission, id) = (payment.submission(), payment.id());
        AuditPayment {
            id,
            folded: payment.refolded().map_err(|error| error.to_string()),
            owner: payment.owner(),
            status: payment.state().status.to_code(),
            kind: submission.kind.payment_kind().to_code(),
            amount_minor: submission.amount.amount_minor,
            currency: submission.amount.currency.code().to_owned(),
            version: payment.version(),
            due: self
                .0
                .due
                .range((id, ClockId::WALL)..=(id, ClockId::from_bytes([0xff; 16])))
                .map(|((_, clock), at)| (*clock, *at))
                .collect(),
            busy: self.0.busy.get(&id).copied(),
            clock_gone: self.0.is_gone(payment.clock()),
            has_open_work: self.0.open_work.contains(&id),
            parked: self.0.parked.get(&id).copied(),
        }
    }
}

impl SimSnapshot {
    fn audit_resource(&self, (resource, seq): &(Arc<Resource>, u64)) -> AuditResource {
        let awake = resource.subject.clock().is_some_and(|clock| self.0.awake.contains(&clock));
        AuditResource { resource: Resource::clone(resource), seq: *seq, awake }
    }
}

#[async_trait]
impl Snapshot for SimSnapshot {
    async fn head(&mut self) -> StoreResult<u64> {
        Ok(self.0.head)
    }

    async fn counts(&mut self) -> StoreResult<TableCounts> {
        let Data { payments, parts, movements, wallets, idempotency, journal, .. } = &self.0;
        Ok(TableCounts {
            payments: payments.len() as u64,
            parts: parts.len() as u64,
            movements: movements.len() as u64,
            wallets: wallets.len() as u64,
            idempotency: idempotency.len() as u64,
            journal: journal.len() as u64,
        })
    }

    async fn payments(&mut self, after: Option<PaymentId>, limit: u32) -> StoreResult<Vec<AuditPayment>> {
        let later = self.0.payments.iter().filter(|(id, _)| after.is_none_or(|after| **id > after));
        Ok(later.map(|(_, payment)| self.audit_row(payment)).take(limit as usize).collect())
    }

    async fn payments_by_id(&mut self, ids: &[PaymentId]) -> StoreResult<Vec<AuditPayment>> {
        Ok(ids
            .iter()
            .filter_map(|id| self.0.payments.get(id))
            .map(|payment| self.audit_row(payment))
            .collect())
    }

    async fn accounts(&mut self, _after: Option<AccountId>, _limit: u32) -> StoreResult<Vec<AccountHead>> {
        Ok(Vec::new())
    }

    async fn details(
        &mut self,
        after: Option<([u8; 16], u64)>,
        limit: u32,
    ) -> StoreResult<Vec<DetailRecord>> {
        let later = self.0.details.iter().filter(|(key, _)| after.is_none_or(|after| **key > after));
        let record = |((subject, id), body): (&([u8; 16], u64), &Vec<u8>)| DetailRecord {
            subject: *subject,
            id: *id,
            body: body.clone(),
        };
        Ok(later.map(record).take(limit as usize).collect())
    }

    async fn details_of(&mut self, keys: &[([u8; 16], u64)]) -> StoreResult<Vec<DetailRecord>> {
        Ok(self.0.details_of(keys))
    }

    async fn movements(
        &mut self,
        after: Option<(PaymentId, u32, u8)>,
        limit: u32,
    ) -> StoreResult<Vec<MovementRecord>> {
        let later = self.0.movements.iter().filter(|(key, _)| after.is_none_or(|after| **key > after));
        Ok(later.map(|(_, row)| *row).take(limit as usize).collect())
    }

    async fn movements_of(&mut self, payments: &[PaymentId]) -> StoreResult<Vec<MovementRecord>> {
        Ok(self.0.movements_of(payments))
    }

    async fn events(
        &mut self,
        after: Option<(AccountId, AnnouncementPlace)>,
        limit: u32,
    ) -> StoreResult<Vec<(AccountId, Announcement)>> {
        let place = |(owner, event): &(AccountId, Announcement)| (*owner, (event.at, event.id));
        let later = self.0.events.iter().filter(|one| after.is_none_or(|after| place(one) > after));
        Ok(later.copied().take(limit as usize).collect())
    }

    async fn sources(&mut self, after: Option<SourcePlace>, limit: u32) -> StoreResult<Vec<EventSource>> {
        let later = self.0.sources.iter().filter(|(place, _)| after.is_none_or(|after| **place > after));
        Ok(later.map(|(_, source)| source.clone()).take(limit as usize).collect())
    }

    async fn statement(
        &mut self,
        after: Option<(WalletId, LinePlace)>,
        limit: u32,
    ) -> StoreResult<Vec<StatementLine>> {
        let later = self.0.lines.iter().filter(|(key, _)| after.is_none_or(|after| **key > after));
        Ok(later.map(|(_, line)| *line).take(limit as usize).collect())
    }

    async fn parts(&mut self, after: Option<PartId>, limit: u32) -> StoreResult<Vec<PartRecord>> {
        let later = self.0.parts.values().filter(|record| after.is_none_or(|after| record.id > after));
        Ok(later.copied().take(limit as usize).collect())
    }

    async fn receipts(
        &mut self,
        after: Option<ReceiptRecord>,
        limit: u32,
    ) -> StoreResult<Vec<ReceiptRecord>> {
        let later = self.0.receipts.iter().filter(|record| after.is_none_or(|after| **record > after));
        Ok(later.copied().take(limit as usize).collect())
    }

    async fn resources(&mut self, after: Option<Subject>, limit: u32) -> StoreResult<Vec<AuditResource>> {
        let later =
            self.0.resources.iter().filter(|(subject, _)| after.is_none_or(|after| **subject > after));
        Ok(later.map(|(_, row)| self.audit_resource(row)).take(limit as usize).collect())
    }

    async fn resources_of(&mut self, subjects: &[Subject]) -> StoreResult<Vec<AuditResource>> {
        Ok(subjects
            .iter()
            .filter_map(|subject| self.0.resources.get(subject))
            .map(|row| self.audit_resource(row))
            .collect())
    }

    async fn answers(
        &mut self,
        after: Option<([u8; 32], AccountId)>,
        limit: u32,
    ) -> StoreResult<Vec<AnswerWrite>> {
        let later = self.0.answers.iter().filter(|(key, _)| after.is_none_or(|after| **key > after));
        let write = |((key, owner), body): (&([u8; 32], AccountId), &Arc<[u8]>)| AnswerWrite {
            key: *key,
            owner: *owner,
            body: Arc::clone(body),
        };
        Ok(later.map(write).take(limit as usize).collect())
    }

    async fn customer_payments(
        &mut self,
        after: Option<CustomerPaymentRecord>,
        limit: u32,
    ) -> StoreResult<Vec<CustomerPaymentRecord>> {
        let later = self.0.customer_payments.iter().filter(|row| after.is_none_or(|after| **row > after));
        Ok(later.copied().take(limit as usize).collect())
    }

    async fn wallets(&mut self, after: Option<Vec<u8>>, limit: u32) -> StoreResult<Vec<WalletRecord>> {
        let after = after.unwrap_or_default();
        let later = self.0.wallets.iter().filter(|(wallet, _)| wallet.to_key().as_slice() > after.as_slice());
        let record = |(wallet, holdings): (&WalletId, &Holdings)| WalletRecord {
            wallet: *wallet,
            holdings: *holdings,
        };
        Ok(later.map(record).take(limit as usize).collect())
    }

    async fn idempotency(
        &mut self,
        after: Option<([u8; 32], AccountId)>,
        limit: u32,
    ) -> StoreResult<Vec<IdempotencyRecord>> {
        let later = self.0.idempotency.iter().filter(|(key, _)| after.is_none_or(|after| **key > after));
        Ok(later.map(|(_, record)| *record).take(limit as usize).collect())
    }

    async fn journal(&mut self, after: u64, limit: u32) -> StoreResult<Vec<JournalRecord>> {
        Ok(self.0.journal.range(after + 1..).map(|(_, row)| row.clone()).take(limit as usize).collect())
    }

    async fn cursors(&mut self) -> StoreResult<Vec<(String, u64)>> {
        let cursor = |name: &str| Some((name.to_owned(), self.0.readers.get(name)?.position));
        Ok(CURSORS.into_iter().filter_map(cursor).collect())
    }
}
