//! Implements consistent views, for both adapters.

macro_rules! snapshot_store {
    ($Store:ty, $Snapshot:ty) => {
        #[async_trait::async_trait]
        impl $crate::store::Snapshots for $Store {
            async fn snapshots(&self, count: usize) -> StoreResult<Vec<Box<dyn $crate::store::Snapshot>>> {
                let views = self.open_snapshots(count.max(1)).await?;
                Ok(views.into_iter().map(|view| Box::new(view) as Box<dyn $crate::store::Snapshot>).collect())
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
            async fn accounts(
                &mut self,
                after: Option<AccountId>,
                limit: u32,
            ) -> StoreResult<Vec<AccountHead>> {
                audit_accounts(&mut self.conn, after, limit).await
            }
            async fn details(
                &mut self,
                after: Option<([u8; 16], u64)>,
                limit: u32,
            ) -> StoreResult<Vec<$crate::store::DetailRecord>> {
                audit_details(&mut self.conn, after, limit).await
            }
            async fn details_of(
                &mut self,
                keys: &[([u8; 16], u64)],
            ) -> StoreResult<Vec<$crate::store::DetailRecord>> {
                detail_get(&mut self.conn, keys).await
            }
            async fn scenario_revisions_of(
                &mut self,
                revisions: &[$crate::domain::scenario_revision::ScenarioRevision],
            ) -> StoreResult<Vec<$crate::store::RevisionRecord>> {
                scenario_revisions(&mut self.conn, revisions).await
            }
            async fn scenario_files(
                &mut self,
                after: Option<[u8; 32]>,
                limit: u32,
            ) -> StoreResult<Vec<([u8; 32], Vec<u8>)>> {
                audit_scenario_files(&mut self.conn, after, limit).await
            }
            async fn resources(
                &mut self,
                after: Option<$crate::domain::subject::Subject>,
                limit: u32,
            ) -> StoreResult<Vec<$crate::store::AuditResource>> {
                audit_resources(&mut self.conn, after, limit).await
            }
            async fn resources_of(
                &mut self,
                subjects: &[$crate::domain::subject::Subject],
            ) -> StoreResult<Vec<$crate::store::AuditResource>> {
                audit_resources_of(&mut self.conn, subjects).await
            }
            async fn answers(
                &mut self,
                after: Option<([u8; 32], AccountId)>,
                limit: u32,
            ) -> StoreResult<Vec<$crate::store::AnswerWrite>> {
                audit_answers(&mut self.conn, after, limit).await
            }
            async fn customer_payments(
                &mut self,
                after: Option<$crate::store::CustomerPaymentRecord>,
                limit: u32,
            ) -> StoreResult<Vec<$crate::store::CustomerPaymentRecord>> {
                audit_customer_payments(&mut self.conn, after, limit).await
            }
            async fn owner_payments_below(&mut self) -> StoreResult<Option<PaymentId>> {
                self.listed_below().await
            }
            async fn owner_payments(
                &mut self,
                after: Option<(AccountId, PaymentId)>,
                limit: u32,
            ) -> StoreResult<Vec<$crate::store::OwnerPayment>> {
                self.listed(after, limit).await
            }
            async fn aside(&mut self) -> StoreResult<Vec<AsideRecord>> {
                aside_list(&mut self.conn, columns::SMALL_MAX).await
            }
            async fn leases(&mut self) -> StoreResult<Vec<(String, Timestamp)>> {
                audit_leases(&mut self.conn).await
            }
            async fn secret(&mut self, name: &str) -> StoreResult<Option<Vec<u8>>> {
                installation_get(&mut self.conn, name).await
            }
            async fn strays(&mut self) -> StoreResult<Vec<$crate::store::Stray>> {
                audit_strays(&mut self.conn).await
            }
            async fn parts(&mut self, after: Option<PartId>, limit: u32) -> StoreResult<Vec<PartRecord>> {
                audit_parts(&mut self.conn, after, limit).await
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
                after: Option<(PaymentId, u32, u8)>,
                limit: u32,
            ) -> StoreResult<Vec<MovementRecord>> {
                audit_movements(&mut self.conn, after, limit).await
            }
            async fn movements_of(&mut self, payments: &[PaymentId]) -> StoreResult<Vec<MovementRecord>> {
                movement_list(&mut self.conn, payments).await
            }
            async fn statement(
                &mut self,
                after: Option<(WalletId, LinePlace)>,
                limit: u32,
            ) -> StoreResult<Vec<StatementLine>> {
                audit_statement(&mut self.conn, after, limit).await
            }
            async fn events(
                &mut self,
                after: Option<(AccountId, AnnouncementPlace)>,
                limit: u32,
            ) -> StoreResult<Vec<(AccountId, Announcement)>> {
                audit_events(&mut self.conn, after, limit).await
            }
            async fn sources(
                &mut self,
                after: Option<SourcePlace>,
                limit: u32,
            ) -> StoreResult<Vec<EventSource>> {
                audit_sources(&mut self.conn, after, limit).await
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
pub(in crate::store) use snapshot_store;
