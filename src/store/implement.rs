//! The port's implementation, written once and expanded for each adapter: every call takes a connection (for reading or
//! for writing) and runs a shared query. What really differs are the adapter's inherent methods named at the end. How each
//! call ends is told to the adapter's [`Outage`], so that nobody else need log that the store is away.

use std::future::Future;

use super::{StoreResult, trouble};
use crate::outage::{Outage, Way};

/// Runs an operation and notes whether the store was there for it.
pub(super) async fn watched<T>(
    outage: &Outage,
    way: Way,
    operation: impl Future<Output = StoreResult<T>> + Send,
) -> StoreResult<T> {
    let result = operation.await;
    match &result {
        Err(error) if trouble::is_of_file(error) => outage.damaged(error),
        Err(error) if error.is_transient() => outage.failed(way, error),
        // Refused or damaged, it answered.
        Ok(_) | Err(_) => outage.worked(way),
    }
    result
}

macro_rules! implement_store {
    ($Store:ty, $Snapshot:ty, line_blocks = $blocks:literal) => {
        use $crate::outage::Way;
        use $crate::store::implement::watched;

        #[async_trait::async_trait]
        impl $crate::store::Store for $Store {
            async fn line_execute(
                &self,
                batch: BatchId,
                keys: &BatchKeys,
                decide: DecideBatch<'_>,
            ) -> StoreResult<u64> {
                watched(&self.outage, Way::Write, self.line_transaction(batch, keys, decide)).await
            }
            fn line_blocks(&self) -> bool {
                $blocks
            }
            fn trouble(&self) -> Option<$crate::store::StoreTrouble> {
                $crate::store::StoreTrouble::of(&self.outage)
            }
            async fn batch_committed(&self, seq: u64, batch: BatchId) -> StoreResult<bool> {
                let looking = async {
                    self.line_quiet().await?;
                    batch_committed(&mut *self.reader().await?, seq, batch).await
                };
                watched(&self.outage, Way::Write, looking).await
            }
            async fn head(&self) -> StoreResult<u64> {
                watched(&self.outage, Way::Read, async { head(&mut *self.reader().await?).await }).await
            }
            async fn journal_read(&self, after: u64, limit: u32) -> StoreResult<Vec<JournalRecord>> {
                watched(&self.outage, Way::Read, async {
                    journal_read(&mut *self.reader().await?, after, limit).await
                })
                .await
            }
            async fn journal_time(&self, after: u64) -> StoreResult<Option<Timestamp>> {
                watched(&self.outage, Way::Read, async {
                    journal_time(&mut *self.reader().await?, after).await
                })
                .await
            }
            async fn journal_prune(&self, seq: u64, before: Timestamp) -> StoreResult<u64> {
                watched(&self.outage, Way::Write, async {
                    journal_prune(&mut *self.writer().await?, seq, before).await
                })
                .await
            }
            async fn cursor_get(&self, reader: &str) -> StoreResult<u64> {
                watched(&self.outage, Way::Read, async {
                    cursor_get(&mut *self.reader().await?, reader).await
                })
                .await
            }
            async fn cursor_set(&self, reader: &str, holder: InstanceId, seq: u64) -> StoreResult<bool> {
                watched(&self.outage, Way::Write, async {
                    cursor_set(&mut *self.writer().await?, reader, holder, seq).await
                })
                .await
            }
            async fn cursor_reset(&self, reader: &str, seq: u64) -> StoreResult<()> {
                watched(&self.outage, Way::Write, async {
                    cursor_reset(&mut *self.writer().await?, reader, seq).await
                })
                .await
            }
            async fn cursor_list(&self) -> StoreResult<Vec<(String, u64)>> {
                watched(&self.outage, Way::Read, async { cursor_list(&mut *self.reader().await?).await })
                    .await
            }
            async fn lease_take(
                &self,
                name: &str,
                holder: InstanceId,
                now: Timestamp,
                ttl: std::time::Duration,
            ) -> StoreResult<Lease> {
                let until = now.plus_ms(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
                watched(&self.outage, Way::Write, async {
                    lease_take(&mut *self.writer().await?, name, holder, now, until).await
                })
                .await
            }
            async fn lease_end(&self, name: &str) -> StoreResult<Timestamp> {
                watched(&self.outage, Way::Read, async { lease_end(&mut *self.reader().await?, name).await })
                    .await
            }
            async fn lease_release(&self, name: &str, holder: InstanceId) -> StoreResult<()> {
                watched(&self.outage, Way::Write, async {
                    lease_release(&mut *self.writer().await?, name, holder).await
                })
                .await
            }
            async fn payment_get(&self, ids: &[PaymentId]) -> StoreResult<Vec<Payment>> {
                watched(&self.outage, Way::Read, async {
                    Ok(self.aside.sort_out(payment_get(&mut *self.reader().await?, ids).await?))
                })
                .await
            }
            async fn payment_list(
                &self,
                owner: AccountId,
                filter: &PaymentFilter,
            ) -> StoreResult<Vec<Payment>> {
                watched(&self.outage, Way::Read, async {
                    Ok(self.aside.sort_out(payment_list(&mut *self.reader().await?, owner, filter).await?))
                })
                .await
            }
            async fn payment_scan(&self, after: Option<PaymentId>, limit: u32) -> StoreResult<Vec<Payment>> {
                watched(&self.outage, Way::Read, async {
                    Ok(self.aside.sort_out(payment_scan(&mut *self.reader().await?, after, limit).await?))
                })
                .await
            }
            async fn payment_due(&self, now: Timestamp, limit: u32) -> StoreResult<Vec<PaymentId>> {
                watched(&self.outage, Way::Read, async {
                    payment_due(&mut *self.reader().await?, now, limit).await
                })
                .await
            }
            async fn payment_next_due(&self, after: Timestamp) -> StoreResult<Option<Timestamp>> {
                watched(&self.outage, Way::Read, async {
                    payment_next_due(&mut *self.reader().await?, after).await
                })
                .await
            }
            async fn idempotency_get(
                &self,
                key: &[u8; 32],
                owner: AccountId,
            ) -> StoreResult<Option<IdempotencyRecord>> {
                watched(&self.outage, Way::Read, async {
                    idempotency_get(&mut *self.reader().await?, key, owner).await
                })
                .await
            }
            async fn idempotency_prune(
                &self,
                after: &[u8],
                before: Timestamp,
                limit: u32,
            ) -> StoreResult<Pruned> {
                watched(&self.outage, Way::Write, async {
                    idempotency_prune(&mut *self.writer().await?, after, before, limit).await
                })
                .await
            }
            fn aside(&self) -> &$crate::store::SetAside {
                &self.aside
            }
            async fn aside_list(&self, limit: u32) -> StoreResult<Vec<AsideRecord>> {
                watched(&self.outage, Way::Read, async {
                    aside_list(&mut *self.reader().await?, limit).await
                })
                .await
            }
            async fn aside_save(&self, changes: &AsideChanges) -> StoreResult<()> {
                watched(&self.outage, Way::Write, async {
                    aside_save(&mut *self.writer().await?, changes).await
                })
                .await
            }
            async fn work_open(
                &self,
                after: (u64, Option<PaymentId>),
                limit: u32,
            ) -> StoreResult<Vec<OpenWork>> {
                watched(&self.outage, Way::Read, async {
                    Ok(self.aside.sort_out(work_open(&mut *self.reader().await?, after, limit).await?))
                })
                .await
            }
            async fn work_open_count(&self) -> StoreResult<u64> {
                watched(&self.outage, Way::Read, async { work_open_count(&mut *self.reader().await?).await })
                    .await
            }
            async fn payment_parked(&self, owner: AccountId, limit: u32) -> StoreResult<Vec<Payment>> {
                watched(&self.outage, Way::Read, async {
                    Ok(self.aside.sort_out(payment_parked(&mut *self.reader().await?, owner, limit).await?))
                })
                .await
            }
            async fn refund_get(&self, id: RefundId) -> StoreResult<Option<RefundRecord>> {
                watched(&self.outage, Way::Read, async { refund_get(&mut *self.reader().await?, id).await })
                    .await
            }
            async fn refund_list(
                &self,
                owner: AccountId,
                before: Option<RefundId>,
                limit: u32,
            ) -> StoreResult<Vec<RefundRecord>> {
                watched(&self.outage, Way::Read, async {
                    refund_list(&mut *self.reader().await?, owner, before, limit).await
                })
                .await
            }
            async fn wallet_list(&self, owner: AccountId) -> StoreResult<Vec<WalletRecord>> {
                watched(&self.outage, Way::Read, async {
                    wallet_list(&mut *self.reader().await?, owner).await
                })
                .await
            }
            async fn movement_list(&self, payments: &[PaymentId]) -> StoreResult<Vec<MovementRecord>> {
                watched(&self.outage, Way::Read, async {
                    movement_list(&mut *self.reader().await?, payments).await
                })
                .await
            }
            async fn import_insert(&self, import: &ImportRecord) -> StoreResult<bool> {
                watched(&self.outage, Way::Write, async {
                    import_insert(&mut *self.writer().await?, import).await
                })
                .await
            }
            async fn import_save(&self, import: &ImportRecord, rows: &[ImportRow]) -> StoreResult<()> {
                watched(&self.outage, Way::Write, async {
                    import_save(&mut *self.writer().await?, import, rows).await
                })
                .await
            }
            async fn import_get(&self, owner: AccountId, id: ImportId) -> StoreResult<Option<ImportRecord>> {
                watched(&self.outage, Way::Read, async {
                    import_get(&mut *self.reader().await?, owner, id).await
                })
                .await
            }
            async fn import_list(&self, owner: AccountId, limit: u32) -> StoreResult<Vec<ImportRecord>> {
                watched(&self.outage, Way::Read, async {
                    import_list(&mut *self.reader().await?, owner, limit).await
                })
                .await
            }
            async fn import_rows(
                &self,
                import: ImportId,
                after_line: u64,
                refused_only: bool,
                limit: u32,
            ) -> StoreResult<Vec<ImportRow>> {
                watched(&self.outage, Way::Read, async {
                    import_rows(&mut *self.reader().await?, import, after_line, refused_only, limit).await
                })
                .await
            }
            async fn account_insert(&self, account: &NewAccount) -> StoreResult<bool> {
                watched(&self.outage, Way::Write, async {
                    account_insert(&mut *self.writer().await?, account).await
                })
                .await
            }
            async fn account_insert_many(&self, accounts: &[NewAccount]) -> StoreResult<()> {
                watched(&self.outage, Way::Write, async {
                    account_insert_many(&mut *self.writer().await?, accounts).await
                })
                .await
            }
            async fn account_by_email(&self, email: &str) -> StoreResult<Option<Account>> {
                watched(&self.outage, Way::Read, async {
                    account_by_email(&mut *self.reader().await?, email).await
                })
                .await
            }
            async fn account_get(&self, ids: &[AccountId]) -> StoreResult<Vec<Account>> {
                watched(&self.outage, Way::Read, async { account_get(&mut *self.reader().await?, ids).await })
                    .await
            }
            async fn account_children(
                &self,
                parent: AccountId,
                after: Option<AccountId>,
                limit: u32,
            ) -> StoreResult<Vec<Account>> {
                watched(&self.outage, Way::Read, async {
                    account_children(&mut *self.reader().await?, parent, after, limit).await
                })
                .await
            }
            async fn account_set_password(&self, id: AccountId, hash: &str) -> StoreResult<()> {
                watched(&self.outage, Way::Write, async {
                    account_set_password(&mut *self.writer().await?, id, hash).await
                })
                .await
            }
            async fn account_close(&self, id: AccountId, now: Timestamp) -> StoreResult<bool> {
                watched(&self.outage, Way::Write, async {
                    account_close(&mut *self.writer().await?, id, now).await
                })
                .await
            }
            async fn mark_set(&self, account: AccountId, name: &str, now: Timestamp) -> StoreResult<()> {
                watched(&self.outage, Way::Write, async {
                    mark_set(&mut *self.writer().await?, account, name, now).await
                })
                .await
            }
            async fn mark_delete(&self, account: AccountId, name: &str) -> StoreResult<()> {
                watched(&self.outage, Way::Write, async {
                    mark_delete(&mut *self.writer().await?, account, name).await
                })
                .await
            }
            async fn mark_list(&self, account: AccountId) -> StoreResult<Vec<(String, Timestamp)>> {
                watched(&self.outage, Way::Read, async {
                    mark_list(&mut *self.reader().await?, account).await
                })
                .await
            }
            async fn session_insert(&self, session: &NewSession) -> StoreResult<()> {
                watched(&self.outage, Way::Write, async {
                    session_insert(&mut *self.writer().await?, session).await
                })
                .await
            }
            async fn session_get(
                &self,
                token_hash: &[u8; 32],
                now: Timestamp,
            ) -> StoreResult<Option<Session>> {
                watched(&self.outage, Way::Read, async {
                    session_get(&mut *self.reader().await?, token_hash, now).await
                })
                .await
            }
            async fn session_seen(&self, id: SessionId, now: Timestamp) -> StoreResult<()> {
                watched(&self.outage, Way::Write, async {
                    session_seen(&mut *self.writer().await?, id, now).await
                })
                .await
            }
            async fn session_list(&self, account: AccountId) -> StoreResult<Vec<Session>> {
                watched(&self.outage, Way::Read, async {
                    session_list(&mut *self.reader().await?, account).await
                })
                .await
            }
            async fn session_delete(&self, account: AccountId, id: SessionId) -> StoreResult<bool> {
                watched(&self.outage, Way::Write, async {
                    session_delete(&mut *self.writer().await?, account, id).await
                })
                .await
            }
            async fn api_key_insert(&self, key: &NewApiKey) -> StoreResult<()> {
                watched(&self.outage, Way::Write, async {
                    api_key_insert(&mut *self.writer().await?, key).await
                })
                .await
            }
            async fn api_key_get(&self, secret_hash: &[u8; 32]) -> StoreResult<Option<ApiKey>> {
                watched(&self.outage, Way::Read, async {
                    api_key_get(&mut *self.reader().await?, secret_hash).await
                })
                .await
            }
            async fn api_key_list(&self, account: AccountId) -> StoreResult<Vec<ApiKey>> {
                watched(&self.outage, Way::Read, async {
                    api_key_list(&mut *self.reader().await?, account).await
                })
                .await
            }
            async fn api_key_revoke(
                &self,
                account: AccountId,
                id: ApiKeyId,
                now: Timestamp,
            ) -> StoreResult<bool> {
                watched(&self.outage, Way::Write, async {
                    api_key_revoke(&mut *self.writer().await?, account, id, now).await
                })
                .await
            }
            async fn request_insert(&self, requests: &[RequestRecord]) -> StoreResult<()> {
                watched(&self.outage, Way::Write, async {
                    request_insert(&mut *self.writer().await?, requests).await
                })
                .await
            }
            async fn request_list(
                &self,
                account: AccountId,
                filter: &RequestFilter,
            ) -> StoreResult<Vec<RequestRecord>> {
                watched(&self.outage, Way::Read, async {
                    request_list(&mut *self.reader().await?, account, filter).await
                })
                .await
            }
            async fn request_get(
                &self,
                account: AccountId,
                id: RequestId,
            ) -> StoreResult<Option<RequestRecord>> {
                watched(&self.outage, Way::Read, async {
                    request_get(&mut *self.reader().await?, account, id).await
                })
                .await
            }
            async fn request_prune(&self, account: AccountId, keep: u32) -> StoreResult<u64> {
                watched(&self.outage, Way::Write, async {
                    request_prune(&mut *self.writer().await?, account, keep).await
                })
                .await
            }
            async fn request_expire(&self, before: Timestamp, limit: u32) -> StoreResult<u64> {
                watched(&self.outage, Way::Write, async {
                    request_expire(&mut *self.writer().await?, before, limit).await
                })
                .await
            }
            async fn detail_put(&self, subject: [u8; 16], id: u64, body: &[u8]) -> StoreResult<()> {
                detail_put(&mut *self.writer().await?, subject, id, body).await
            }
            async fn detail_get(
                &self,
                subjects: &[[u8; 16]],
            ) -> StoreResult<Vec<$crate::store::DetailRecord>> {
                detail_get(&mut *self.reader().await?, subjects).await
            }
            async fn installation_get(&self, name: &str) -> StoreResult<Option<Vec<u8>>> {
                watched(&self.outage, Way::Read, async {
                    installation_get(&mut *self.reader().await?, name).await
                })
                .await
            }
            async fn installation_set_once(&self, name: &str, value: &[u8]) -> StoreResult<Vec<u8>> {
                watched(&self.outage, Way::Write, async {
                    installation_set_once(&mut *self.writer().await?, name, value).await
                })
                .await
            }
            async fn installation_set(&self, name: &str, value: &[u8]) -> StoreResult<()> {
                watched(&self.outage, Way::Write, async {
                    installation_set(&mut *self.writer().await?, name, value).await
                })
                .await
            }
            async fn migrate(&self) -> StoreResult<Vec<String>> {
                let applied = self.run_migrations().await?;
                let mended = due_mend(&mut *self.writer().await?).await?;
                if mended > 0 {
                    tracing::info!(
                        payments = mended,
                        "parked captures were given the deadline that they lacked"
                    );
                }
                Ok(applied)
            }
            async fn durability(&self) -> StoreResult<$crate::store::Durability> {
                self.read_durability().await
            }
            async fn schema_state(&self) -> StoreResult<$crate::store::SchemaState> {
                schema_state(&mut *self.reader().await?).await
            }
            async fn snapshots(&self, count: usize) -> StoreResult<Vec<Box<dyn $crate::store::Snapshot>>> {
                let views = self.open_snapshots(count.max(1)).await?;
                Ok(views.into_iter().map(|view| Box::new(view) as Box<dyn $crate::store::Snapshot>).collect())
            }
            async fn ping(&self) -> StoreResult<()> {
                watched(&self.outage, Way::Read, async { head(&mut *self.reader().await?).await.map(|_| ()) })
                    .await
            }
        }

        #[async_trait::async_trait]
        impl $crate::store::Snapshot for $Snapshot {
            async fn head(&mut self) -> StoreResult<u64> {
                head(&mut self.conn).await
            }
            async fn counts(&mut self) -> StoreResult<TableCounts> {
                counts(&mut self.conn).await
            }
            async fn payments(
                &mut self,
                after: Option<PaymentId>,
                limit: u32,
            ) -> StoreResult<Vec<AuditPayment>> {
                audit_payments(&mut self.conn, after, limit).await
            }
            async fn payments_by_id(&mut self, ids: &[PaymentId]) -> StoreResult<Vec<AuditPayment>> {
                audit_payments_by_id(&mut self.conn, ids).await
            }
            async fn payment_heads(&mut self, ids: &[PaymentId]) -> StoreResult<Vec<PaymentHead>> {
                audit_payment_heads(&mut self.conn, ids).await
            }
            async fn payments_open(
                &mut self,
                after: (u64, Option<PaymentId>),
                upto: u64,
                limit: u32,
            ) -> StoreResult<Vec<AuditPayment>> {
                audit_payments_open(&mut self.conn, after, upto, limit).await
            }
            async fn accounts(
                &mut self,
                after: Option<AccountId>,
                limit: u32,
            ) -> StoreResult<Vec<AccountHead>> {
                audit_accounts(&mut self.conn, after, limit).await
            }
            async fn refunds(
                &mut self,
                after: Option<RefundId>,
                limit: u32,
            ) -> StoreResult<Vec<RefundRecord>> {
                audit_refunds(&mut self.conn, after, limit).await
            }
            async fn receipts(
                &mut self,
                after: Option<$crate::store::ReceiptRecord>,
                limit: u32,
            ) -> StoreResult<Vec<$crate::store::ReceiptRecord>> {
                audit_receipts(&mut self.conn, after, limit).await
            }
            async fn movements(
                &mut self,
                after: Option<(PaymentId, u32)>,
                limit: u32,
            ) -> StoreResult<Vec<MovementRecord>> {
                audit_movements(&mut self.conn, after, limit).await
            }
            async fn wallets(
                &mut self,
                after: Option<Vec<u8>>,
                limit: u32,
            ) -> StoreResult<Vec<WalletRecord>> {
                audit_wallets(&mut self.conn, after, limit).await
            }
            async fn idempotency(
                &mut self,
                after: Option<([u8; 32], AccountId)>,
                limit: u32,
            ) -> StoreResult<Vec<IdempotencyRecord>> {
                audit_idempotency(&mut self.conn, after, limit).await
            }
            async fn journal(&mut self, after: u64, limit: u32) -> StoreResult<Vec<JournalRecord>> {
                journal_read(&mut self.conn, after, limit).await
            }
            async fn cursors(&mut self) -> StoreResult<Vec<(String, u64)>> {
                cursor_list(&mut self.conn).await
            }
        }
    };
}
pub(super) use implement_store;
