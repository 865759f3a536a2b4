//! The port's implementation, written once and expanded for each adapter: every call takes a connection (for reading or
//! for writing) and runs a shared query. What really differs are the adapter's inherent methods named at the end.

macro_rules! implement_store {
    ($Store:ty, $Snapshot:ty, line_blocks = $blocks:literal) => {
        #[async_trait::async_trait]
        impl $crate::store::Store for $Store {
            async fn line_execute(
                &self,
                batch: BatchId,
                keys: &BatchKeys,
                decide: DecideBatch<'_>,
            ) -> StoreResult<u64> {
                self.line_transaction(batch, keys, decide).await
            }
            fn line_blocks(&self) -> bool {
                $blocks
            }
            async fn batch_committed(&self, seq: u64, batch: BatchId) -> StoreResult<bool> {
                self.line_quiet().await?;
                batch_committed(&mut *self.reader().await?, seq, batch).await
            }
            async fn head(&self) -> StoreResult<u64> {
                head(&mut *self.reader().await?).await
            }
            async fn journal_read(&self, after: u64, limit: u32) -> StoreResult<Vec<JournalRecord>> {
                journal_read(&mut *self.reader().await?, after, limit).await
            }
            async fn journal_time(&self, after: u64) -> StoreResult<Option<Timestamp>> {
                journal_time(&mut *self.reader().await?, after).await
            }
            async fn journal_prune(&self, seq: u64, before: Timestamp) -> StoreResult<u64> {
                journal_prune(&mut *self.writer().await?, seq, before).await
            }
            async fn cursor_get(&self, reader: &str) -> StoreResult<u64> {
                cursor_get(&mut *self.reader().await?, reader).await
            }
            async fn cursor_set(&self, reader: &str, holder: InstanceId, seq: u64) -> StoreResult<bool> {
                cursor_set(&mut *self.writer().await?, reader, holder, seq).await
            }
            async fn cursor_reset(&self, reader: &str, seq: u64) -> StoreResult<()> {
                cursor_reset(&mut *self.writer().await?, reader, seq).await
            }
            async fn cursor_list(&self) -> StoreResult<Vec<(String, u64)>> {
                cursor_list(&mut *self.reader().await?).await
            }
            async fn lease_take(
                &self,
                name: &str,
                holder: InstanceId,
                now: Timestamp,
                ttl: std::time::Duration,
            ) -> StoreResult<Lease> {
                let until = now.plus_ms(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
                lease_take(&mut *self.writer().await?, name, holder, now, until).await
            }
            async fn lease_release(&self, name: &str, holder: InstanceId) -> StoreResult<()> {
                lease_release(&mut *self.writer().await?, name, holder).await
            }
            async fn payment_get(&self, ids: &[PaymentId]) -> StoreResult<Vec<Payment>> {
                payment_get(&mut *self.reader().await?, ids).await
            }
            async fn payment_list(
                &self,
                owner: AccountId,
                filter: &PaymentFilter,
            ) -> StoreResult<Vec<Payment>> {
                payment_list(&mut *self.reader().await?, owner, filter).await
            }
            async fn payment_scan(&self, after: Option<PaymentId>, limit: u32) -> StoreResult<Vec<Payment>> {
                payment_scan(&mut *self.reader().await?, after, limit).await
            }
            async fn payment_due(&self, now: Timestamp, limit: u32) -> StoreResult<Vec<PaymentId>> {
                payment_due(&mut *self.reader().await?, now, limit).await
            }
            async fn payment_next_due(&self) -> StoreResult<Option<Timestamp>> {
                payment_next_due(&mut *self.reader().await?).await
            }
            async fn work_open(
                &self,
                after: (u64, Option<PaymentId>),
                limit: u32,
            ) -> StoreResult<Vec<OpenWork>> {
                work_open(&mut *self.reader().await?, after, limit).await
            }
            async fn work_open_count(&self) -> StoreResult<u64> {
                work_open_count(&mut *self.reader().await?).await
            }
            async fn payment_parked(&self, owner: AccountId, limit: u32) -> StoreResult<Vec<Payment>> {
                payment_parked(&mut *self.reader().await?, owner, limit).await
            }
            async fn refund_get(&self, id: RefundId) -> StoreResult<Option<RefundRecord>> {
                refund_get(&mut *self.reader().await?, id).await
            }
            async fn refund_list(
                &self,
                owner: AccountId,
                before: Option<RefundId>,
                limit: u32,
            ) -> StoreResult<Vec<RefundRecord>> {
                refund_list(&mut *self.reader().await?, owner, before, limit).await
            }
            async fn wallet_list(&self, owner: AccountId) -> StoreResult<Vec<WalletRecord>> {
                wallet_list(&mut *self.reader().await?, owner).await
            }
            async fn movement_list(&self, payments: &[PaymentId]) -> StoreResult<Vec<MovementRecord>> {
                movement_list(&mut *self.reader().await?, payments).await
            }
            async fn import_insert(&self, import: &ImportRecord) -> StoreResult<bool> {
                import_insert(&mut *self.writer().await?, import).await
            }
            async fn import_save(&self, import: &ImportRecord, rows: &[ImportRow]) -> StoreResult<()> {
                import_save(&mut *self.writer().await?, import, rows).await
            }
            async fn import_get(&self, owner: AccountId, id: ImportId) -> StoreResult<Option<ImportRecord>> {
                import_get(&mut *self.reader().await?, owner, id).await
            }
            async fn import_list(&self, owner: AccountId, limit: u32) -> StoreResult<Vec<ImportRecord>> {
                import_list(&mut *self.reader().await?, owner, limit).await
            }
            async fn import_rows(
                &self,
                import: ImportId,
                after_line: u64,
                refused_only: bool,
                limit: u32,
            ) -> StoreResult<Vec<ImportRow>> {
                import_rows(&mut *self.reader().await?, import, after_line, refused_only, limit).await
            }
            async fn account_insert(&self, account: &NewAccount) -> StoreResult<bool> {
                account_insert(&mut *self.writer().await?, account).await
            }
            async fn account_insert_many(&self, accounts: &[NewAccount]) -> StoreResult<()> {
                account_insert_many(&mut *self.writer().await?, accounts).await
            }
            async fn account_by_email(&self, email: &str) -> StoreResult<Option<Account>> {
                account_by_email(&mut *self.reader().await?, email).await
            }
            async fn account_get(&self, ids: &[AccountId]) -> StoreResult<Vec<Account>> {
                account_get(&mut *self.reader().await?, ids).await
            }
            async fn account_children(
                &self,
                parent: AccountId,
                after: Option<AccountId>,
                limit: u32,
            ) -> StoreResult<Vec<Account>> {
                account_children(&mut *self.reader().await?, parent, after, limit).await
            }
            async fn account_set_password(&self, id: AccountId, hash: &str) -> StoreResult<()> {
                account_set_password(&mut *self.writer().await?, id, hash).await
            }
            async fn account_close(&self, id: AccountId, now: Timestamp) -> StoreResult<bool> {
                account_close(&mut *self.writer().await?, id, now).await
            }
            async fn mark_set(&self, account: AccountId, name: &str, now: Timestamp) -> StoreResult<()> {
                mark_set(&mut *self.writer().await?, account, name, now).await
            }
            async fn mark_delete(&self, account: AccountId, name: &str) -> StoreResult<()> {
                mark_delete(&mut *self.writer().await?, account, name).await
            }
            async fn mark_list(&self, account: AccountId) -> StoreResult<Vec<(String, Timestamp)>> {
                mark_list(&mut *self.reader().await?, account).await
            }
            async fn session_insert(&self, session: &NewSession) -> StoreResult<()> {
                session_insert(&mut *self.writer().await?, session).await
            }
            async fn session_get(
                &self,
                token_hash: &[u8; 32],
                now: Timestamp,
            ) -> StoreResult<Option<Session>> {
                session_get(&mut *self.reader().await?, token_hash, now).await
            }
            async fn session_seen(&self, id: SessionId, now: Timestamp) -> StoreResult<()> {
                session_seen(&mut *self.writer().await?, id, now).await
            }
            async fn session_list(&self, account: AccountId) -> StoreResult<Vec<Session>> {
                session_list(&mut *self.reader().await?, account).await
            }
            async fn session_delete(&self, account: AccountId, id: SessionId) -> StoreResult<bool> {
                session_delete(&mut *self.writer().await?, account, id).await
            }
            async fn api_key_insert(&self, key: &NewApiKey) -> StoreResult<()> {
                api_key_insert(&mut *self.writer().await?, key).await
            }
            async fn api_key_get(&self, secret_hash: &[u8; 32]) -> StoreResult<Option<ApiKey>> {
                api_key_get(&mut *self.reader().await?, secret_hash).await
            }
            async fn api_key_list(&self, account: AccountId) -> StoreResult<Vec<ApiKey>> {
                api_key_list(&mut *self.reader().await?, account).await
            }
            async fn api_key_revoke(
                &self,
                account: AccountId,
                id: ApiKeyId,
                now: Timestamp,
            ) -> StoreResult<bool> {
                api_key_revoke(&mut *self.writer().await?, account, id, now).await
            }
            async fn request_insert(&self, requests: &[RequestRecord]) -> StoreResult<()> {
                request_insert(&mut *self.writer().await?, requests).await
            }
            async fn request_list(
                &self,
                account: AccountId,
                filter: &RequestFilter,
            ) -> StoreResult<Vec<RequestRecord>> {
                request_list(&mut *self.reader().await?, account, filter).await
            }
            async fn request_get(
                &self,
                account: AccountId,
                id: RequestId,
            ) -> StoreResult<Option<RequestRecord>> {
                request_get(&mut *self.reader().await?, account, id).await
            }
            async fn request_prune(&self, account: AccountId, keep: u32) -> StoreResult<u64> {
                request_prune(&mut *self.writer().await?, account, keep).await
            }
            async fn request_expire(&self, before: Timestamp, limit: u32) -> StoreResult<u64> {
                request_expire(&mut *self.writer().await?, before, limit).await
            }
            async fn installation_get(&self, name: &str) -> StoreResult<Option<Vec<u8>>> {
                installation_get(&mut *self.reader().await?, name).await
            }
            async fn installation_set_once(&self, name: &str, value: &[u8]) -> StoreResult<Vec<u8>> {
                installation_set_once(&mut *self.writer().await?, name, value).await
            }
            async fn installation_set(&self, name: &str, value: &[u8]) -> StoreResult<()> {
                installation_set(&mut *self.writer().await?, name, value).await
            }
            async fn migrate(&self) -> StoreResult<Vec<String>> {
                self.run_migrations().await
            }
            async fn durability(&self) -> StoreResult<$crate::store::Durability> {
                self.read_durability().await
            }
            async fn snapshot(&self) -> StoreResult<Box<dyn $crate::store::Snapshot>> {
                Ok(Box::new(self.open_snapshot().await?))
            }
            async fn ping(&self) -> StoreResult<()> {
                head(&mut *self.reader().await?).await.map(|_| ())
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
            ) -> StoreResult<Vec<IdempotencyAudit>> {
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
