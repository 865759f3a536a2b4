//! The port's implementation, written once and expanded for each adapter: every call takes a connection (for reading or
//! for writing) and runs a shared query, all within a limit of time. What really differs are the adapter's inherent methods
//! named at the end. How each call ends is told to the adapter's [`Outage`], so that nobody else need log that the store is
//! away.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use super::{StoreError, StoreResult, trouble};
use crate::outage::{Outage, Way};

/// What is said where our own limit of time ended the waiting.
pub(super) const NO_ANSWER_IN_TIME: &str = "no answer in time";

/// Rows that a store writes well within what a caller waits. Of more it may need a while.
pub(super) const ROWS_IN_TIME: usize = 512;

/// How long calls may take in all, from asking for a connection to the last row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Where a caller waits for it.
    pub caller: Duration,
    /// In the background: long enough for a large deletion, short enough that a lost server is noticed.
    pub background: Duration,
}

impl Limits {
    pub(super) fn new(caller_ms: u64) -> Self {
        Self { caller: Duration::from_millis(caller_ms), background: Duration::from_secs(30) }
    }
}

/// A connection on loan.
pub(super) trait Held: Sized + Send {
    /// Looks at what came of its use, and gives it back if it can be used again. A connection that is dropped instead may
    /// still have an answer coming, which the next one to use it must not take for its own.
    fn settle<T: Send>(self, outcome: StoreResult<T>) -> impl Future<Output = StoreResult<T>> + Send {
        async { outcome }
    }
}

/// What comes of it by then.
///
/// # Errors
/// Its own, and [`StoreError::Unavailable`] past that time.
pub(super) async fn by<T>(until: Instant, work: impl Future<Output = StoreResult<T>>) -> StoreResult<T> {
    let late = || StoreError::Unavailable(NO_ANSWER_IN_TIME.to_owned());
    tokio::time::timeout_at(until, work).await.unwrap_or_else(|_| Err(late()))
}

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

/// Borrows a connection from the store and uses it, all within one of its [`Limits`].
macro_rules! held {
    ($store:expr, reader, $limit:ident, $conn:ident => $call:expr) => {
        held!($store, reader, Read, $limit, std::convert::identity, $conn => $call)
    };
    ($store:expr, writer, $limit:ident, $conn:ident => $call:expr) => {
        held!($store, writer, Write, $limit, $crate::store::StoreError::of_sent, $conn => $call)
    };
    ($store:expr, $borrow:ident, $way:ident, $limit:ident, $of_sent:expr, $conn:ident => $call:expr) => {{
        use $crate::store::implement::{Held as _, by, watched};
        let used = async {
            let until = tokio::time::Instant::now() + $store.limits.$limit;
            let mut held = by(until, $store.$borrow()).await?;
            let $conn = &mut *held;
            let outcome = by(until, $call).await.map_err($of_sent);
            held.settle(outcome).await
        };
        watched(&$store.outage, $crate::outage::Way::$way, used).await
    }};
}
pub(super) use held;

macro_rules! implement_store {
    ($Store:ty, $Snapshot:ty, line_blocks = $blocks:literal) => {
        #[async_trait::async_trait]
        impl $crate::store::Store for $Store {
            async fn line_execute(
                &self,
                batch: BatchId,
                wall: Timestamp,
                keys: &BatchKeys,
                decide: DecideBatch<'_>,
            ) -> StoreResult<u64> {
                let deciding = self.line_transaction(batch, wall, keys, decide);
                $crate::store::implement::watched(&self.outage, $crate::outage::Way::Write, deciding).await
            }
            fn line_blocks(&self) -> bool {
                $blocks
            }
            fn trouble(&self) -> Option<$crate::store::StoreTrouble> {
                let stalled = || self.line_stalls().then_some($crate::store::StoreTrouble::Away);
                $crate::store::StoreTrouble::of(&self.outage).or_else(stalled)
            }
            async fn batch_committed(&self, seq: u64, batch: BatchId) -> StoreResult<bool> {
                let looking = self.line_settle(seq, batch);
                $crate::store::implement::watched(&self.outage, $crate::outage::Way::Write, looking).await
            }
            async fn head(&self) -> StoreResult<u64> {
                held!(self, reader, background, conn => head(conn))
            }
            async fn head_wall(&self) -> StoreResult<Timestamp> {
                held!(self, reader, background, conn => head_wall(conn))
            }
            async fn journal_read(&self, after: u64, limit: u32) -> StoreResult<Vec<JournalRecord>> {
                held!(self, reader, background, conn => journal_read(conn, after, limit))
            }
            async fn journal_time(&self, after: u64) -> StoreResult<Option<Timestamp>> {
                held!(self, reader, background, conn => journal_time(conn, after))
            }
            async fn journal_prune(&self, seq: u64, before: Timestamp) -> StoreResult<u64> {
                held!(self, writer, background, conn => journal_prune(conn, seq, before))
            }
            async fn cursor_get(&self, reader: &str) -> StoreResult<u64> {
                held!(self, reader, background, conn => cursor_get(conn, reader))
            }
            async fn cursor_set(&self, reader: &str, holder: InstanceId, seq: u64) -> StoreResult<bool> {
                held!(self, writer, background, conn => cursor_set(conn, reader, holder, seq))
            }
            async fn cursor_reset(&self, reader: &str, seq: u64) -> StoreResult<()> {
                held!(self, writer, background, conn => cursor_reset(conn, reader, seq))
            }
            async fn cursor_list(&self) -> StoreResult<Vec<(String, u64)>> {
                held!(self, reader, background, conn => cursor_list(conn))
            }
            async fn lease_take(
                &self,
                name: &str,
                holder: InstanceId,
                now: Timestamp,
                ttl: std::time::Duration,
            ) -> StoreResult<Lease> {
                let until = now.plus_ms(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
                held!(self, writer, background, conn => lease_take(conn, name, holder, now, until))
            }
            async fn lease_end(&self, name: &str) -> StoreResult<Timestamp> {
                held!(self, reader, background, conn => lease_end(conn, name))
            }
            async fn lease_release(&self, name: &str, holder: InstanceId) -> StoreResult<()> {
                held!(self, writer, background, conn => lease_release(conn, name, holder))
            }
            async fn payment_get(&self, ids: &[PaymentId]) -> StoreResult<Vec<Payment>> {
                held!(self, reader, caller, conn => payment_get(conn, ids)).map(|found| found.sort_out(&self.aside))
            }
            async fn payment_list(
                &self,
                owner: AccountId,
                filter: &PaymentFilter,
            ) -> StoreResult<Vec<Payment>> {
                let unlisted = self.unlisted(owner).await?;
                held!(self, reader, caller, conn => payment_list(conn, owner, filter, &unlisted)).map(|found| found.sort_out(&self.aside))
            }
            async fn payment_scan(&self, after: Option<PaymentId>, limit: u32) -> StoreResult<Vec<Payment>> {
                held!(self, reader, background, conn => payment_scan(conn, after, limit)).map(|found| found.sort_out(&self.aside))
            }
            async fn payment_due(
                &self,
                clock: ClockId,
                upto: Timestamp,
                limit: u32,
            ) -> StoreResult<Vec<(PaymentId, Timestamp)>> {
                held!(self, reader, background, conn => payment_due(conn, clock, upto, limit))
            }
            async fn payment_next_due(
                &self,
                clock: ClockId,
                after: Timestamp,
            ) -> StoreResult<Option<Timestamp>> {
                held!(self, reader, background, conn => payment_next_due(conn, clock, after))
            }
            async fn clock_awake(
                &self,
                after: ClockId,
                limit: u32,
            ) -> StoreResult<Vec<$crate::store::AwakeClock>> {
                held!(self, reader, background, conn => clock_awake(conn, after, limit)).map(|found| found.sort_out(&self.aside))
            }
            async fn clock_busy(&self, clock: ClockId, limit: u32) -> StoreResult<Vec<PaymentId>> {
                held!(self, reader, background, conn => clock_busy(conn, clock, limit))
            }
            async fn clock_rest(&self, clock: ClockId) -> StoreResult<bool> {
                held!(self, writer, background, conn => clock_rest(conn, clock))
            }
            async fn clock_made_before(
                &self,
                before: Timestamp,
                limit: u32,
            ) -> StoreResult<Vec<$crate::domain::resource::Resource>> {
                held!(self, reader, background, conn => clock_made_before(conn, before, limit)).map(|found| found.sort_out(&self.aside))
            }
            async fn idempotency_get(
                &self,
                key: &[u8; 32],
                owner: AccountId,
            ) -> StoreResult<Option<IdempotencyRecord>> {
                held!(self, reader, caller, conn => idempotency_get(conn, key, owner))
            }
            async fn answer_get(&self, key: &[u8; 32], owner: AccountId) -> StoreResult<Option<Vec<u8>>> {
                held!(self, reader, caller, conn => answer_get(conn, key, owner))
            }
            async fn resource_get(
                &self,
                subject: $crate::domain::subject::Subject,
            ) -> StoreResult<Option<$crate::domain::resource::Resource>> {
                let found = held!(self, reader, caller, conn => resource_rows(conn, &[subject]))?;
                found.into_iter().next().map(|row| row.decode()).transpose()
            }
            async fn resource_list(
                &self,
                owner: AccountId,
                filter: &$crate::store::ResourceFilter,
            ) -> StoreResult<Vec<$crate::domain::resource::Resource>> {
                held!(self, reader, caller, conn => resource_list(conn, owner, filter)).map(|found| found.sort_out(&self.aside))
            }
            async fn customer_payments(
                &self,
                customer: $crate::domain::ids::CustomerId,
                filter: &PaymentFilter,
            ) -> StoreResult<Vec<Payment>> {
                held!(self, reader, caller, conn => customer_payments(conn, customer, filter)).map(|found| found.sort_out(&self.aside))
            }
            async fn idempotency_prune(
                &self,
                after: &[u8],
                before: Timestamp,
                limit: u32,
            ) -> StoreResult<Pruned> {
                held!(self, writer, background, conn => idempotency_prune(conn, after, before, limit))
            }
            fn aside(&self) -> &$crate::store::SetAside {
                &self.aside
            }
            async fn aside_list(&self, limit: u32) -> StoreResult<Vec<AsideRecord>> {
                held!(self, reader, background, conn => aside_list(conn, limit))
            }
            async fn aside_save(&self, changes: &AsideChanges) -> StoreResult<()> {
                held!(self, writer, background, conn => aside_save(conn, changes))
            }
            async fn work_open(&self, after: Option<PaymentId>, limit: u32) -> StoreResult<Vec<Payment>> {
                held!(self, reader, background, conn => work_open(conn, after, limit)).map(|found| found.sort_out(&self.aside))
            }
            async fn work_open_count(&self) -> StoreResult<u64> {
                held!(self, reader, background, conn => work_open_count(conn))
            }
            async fn payment_parked(&self, owner: AccountId, limit: u32) -> StoreResult<Vec<Payment>> {
                held!(self, reader, caller, conn => payment_parked(conn, owner, limit)).map(|found| found.sort_out(&self.aside))
            }
            async fn part_get(&self, id: PartId) -> StoreResult<Option<PartRecord>> {
                held!(self, reader, caller, conn => part_get(conn, id))
            }
            async fn part_list(
                &self,
                owner: AccountId,
                kind: PartKind,
                filter: &PartFilter,
            ) -> StoreResult<Vec<PartRecord>> {
                held!(self, reader, caller, conn => part_list(conn, owner, kind, filter))
            }
            async fn wallet_list(&self, owner: AccountId) -> StoreResult<Vec<WalletRecord>> {
                held!(self, reader, caller, conn => wallet_list(conn, owner))
            }
            async fn movement_list(&self, payments: &[PaymentId]) -> StoreResult<Vec<MovementRecord>> {
                held!(self, reader, caller, conn => movement_list(conn, payments))
            }
            async fn import_insert(&self, import: &ImportRecord) -> StoreResult<bool> {
                held!(self, writer, caller, conn => import_insert(conn, import))
            }
            async fn event_put(&self, events: &[(AccountId, Announcement)]) -> StoreResult<()> {
                held!(self, writer, background, conn => event_put(conn, events))
            }
            async fn event_list(
                &self,
                owner: AccountId,
                filter: &EventFilter,
            ) -> StoreResult<Vec<Announcement>> {
                held!(self, reader, caller, conn => event_list(conn, owner, filter))
            }
            async fn event_owners(
                &self,
                after: Option<AccountId>,
                limit: u32,
            ) -> StoreResult<Vec<AccountId>> {
                held!(self, reader, background, conn => event_owners(conn, after, limit))
            }
            async fn event_delete(
                &self,
                owner: AccountId,
                before: Timestamp,
                wall_before: Timestamp,
            ) -> StoreResult<u64> {
                held!(self, writer, background, conn => event_delete(conn, owner, before, wall_before))
            }
            async fn event_clear(&self, owner: AccountId) -> StoreResult<u64> {
                held!(self, writer, background, conn => event_clear(conn, owner))
            }
            async fn event_surplus(&self, owner: AccountId, kept: u32) -> StoreResult<Option<Timestamp>> {
                held!(self, reader, background, conn => event_surplus(conn, owner, kept))
            }
            async fn source_get(&self, places: &[SourcePlace]) -> StoreResult<Vec<EventSource>> {
                held!(self, reader, caller, conn => source_get(conn, places))
            }
            async fn project(
                &self,
                reader: &str,
                holder: InstanceId,
                from: u64,
                upto: u64,
                made: &$crate::store::Projected,
            ) -> StoreResult<bool> {
                let projecting = self.project_at(reader, holder, (from, upto), made);
                $crate::store::implement::watched(&self.outage, $crate::outage::Way::Write, projecting).await
            }
            async fn statement_put(&self, lines: &[StatementLine]) -> StoreResult<()> {
                held!(self, writer, background, conn => statement_put(conn, lines))
            }
            async fn statement_list(
                &self,
                wallet: WalletId,
                filter: &StatementFilter,
            ) -> StoreResult<Vec<StatementLine>> {
                held!(self, reader, caller, conn => statement_list(conn, wallet, filter))
            }
            async fn statement_wallets(
                &self,
                after: Option<WalletId>,
                limit: u32,
            ) -> StoreResult<Vec<WalletId>> {
                held!(self, reader, background, conn => statement_wallets(conn, after, limit))
            }
            async fn statement_delete(&self, wallet: WalletId, upto: u64) -> StoreResult<u64> {
                held!(self, writer, background, conn => statement_delete(conn, wallet, upto))
            }
            async fn import_save(&self, import: &ImportRecord, rows: &[ImportRow]) -> StoreResult<()> {
                held!(self, writer, caller, conn => import_save(conn, import, rows))
            }
            async fn import_get(&self, owner: AccountId, id: ImportId) -> StoreResult<Option<ImportRecord>> {
                held!(self, reader, caller, conn => import_get(conn, owner, id))
            }
            async fn import_list(&self, owner: AccountId, limit: u32) -> StoreResult<Vec<ImportRecord>> {
                held!(self, reader, caller, conn => import_list(conn, owner, limit))
            }
            async fn import_rows(
                &self,
                import: ImportId,
                after_line: u64,
                refused_only: bool,
                limit: u32,
            ) -> StoreResult<Vec<ImportRow>> {
                held!(self, reader, caller, conn => import_rows(conn, import, after_line, refused_only, limit))
            }
            async fn account_insert(&self, account: &NewAccount) -> StoreResult<bool> {
                held!(self, writer, caller, conn => account_insert(conn, account))
            }
            async fn account_insert_many(&self, accounts: &[NewAccount]) -> StoreResult<()> {
                if accounts.len() <= $crate::store::implement::ROWS_IN_TIME {
                    return held!(self, writer, caller, conn => account_insert_many(conn, accounts));
                }
                held!(self, writer, background, conn => account_insert_many(conn, accounts))
            }
            async fn account_by_email(&self, email: &str) -> StoreResult<Option<Account>> {
                held!(self, reader, caller, conn => account_by_email(conn, email))
            }
            async fn account_get(&self, ids: &[AccountId]) -> StoreResult<Vec<Account>> {
                held!(self, reader, caller, conn => account_get(conn, ids))
            }
            async fn account_children(
                &self,
                parent: AccountId,
                after: Option<AccountId>,
                limit: u32,
            ) -> StoreResult<Vec<Account>> {
                held!(self, reader, caller, conn => account_children(conn, parent, after, limit))
            }
            async fn account_set_password(&self, id: AccountId, hash: &str) -> StoreResult<()> {
                held!(self, writer, caller, conn => account_set_password(conn, id, hash))
            }
            async fn account_set_clock(
                &self,
                id: AccountId,
                clock: ClockId,
                now: Timestamp,
            ) -> StoreResult<bool> {
                let keys = BatchKeys { accounts: vec![id], clocks: vec![clock], ..BatchKeys::default() };
                let mut set = |head: Head, loaded: Loaded| $crate::store::batch::setting_clock((id, clock), head, &loaded);
                let setting = self.line_transaction(BatchId::generate(), now, &keys, &mut set);
                let set = $crate::store::implement::watched(&self.outage, $crate::outage::Way::Write, setting).await;
                match set {
                    Ok(seq) => Ok(seq > 0),
                    Err(StoreError::CommitUnknown { cause, .. }) => Err(StoreError::Unanswered(cause)),
                    Err(error) => Err(error),
                }
            }
            async fn account_close(&self, id: AccountId, now: Timestamp) -> StoreResult<bool> {
                let closing = self.line_close(id, now);
                let closed = $crate::store::implement::watched(&self.outage, $crate::outage::Way::Write, closing).await;
                match closed {
                    Ok(seq) => Ok(seq > 0),
                    Err(StoreError::CommitUnknown { cause, .. }) => Err(StoreError::Unanswered(cause)),
                    Err(error) => Err(error),
                }
            }
            async fn mark_set(&self, account: AccountId, name: &str, now: Timestamp) -> StoreResult<()> {
                held!(self, writer, caller, conn => mark_set(conn, account, name, now))
            }
            async fn mark_delete(&self, account: AccountId, name: &str) -> StoreResult<()> {
                held!(self, writer, caller, conn => mark_delete(conn, account, name))
            }
            async fn mark_list(&self, account: AccountId) -> StoreResult<Vec<(String, Timestamp)>> {
                held!(self, reader, caller, conn => mark_list(conn, account))
            }
            async fn session_insert(&self, session: &NewSession) -> StoreResult<()> {
                held!(self, writer, caller, conn => session_insert(conn, session))
            }
            async fn session_get(
                &self,
                token_hash: &[u8; 32],
                now: Timestamp,
            ) -> StoreResult<Option<Session>> {
                held!(self, reader, caller, conn => session_get(conn, token_hash, now))
            }
            async fn session_seen(&self, id: SessionId, now: Timestamp) -> StoreResult<()> {
                held!(self, writer, caller, conn => session_seen(conn, id, now))
            }
            async fn session_list(&self, account: AccountId) -> StoreResult<Vec<Session>> {
                held!(self, reader, caller, conn => session_list(conn, account))
            }
            async fn session_delete(&self, account: AccountId, id: SessionId) -> StoreResult<bool> {
                held!(self, writer, caller, conn => session_delete(conn, account, id))
            }
            async fn api_key_insert(&self, key: &NewApiKey) -> StoreResult<()> {
                held!(self, writer, caller, conn => api_key_insert(conn, key))
            }
            async fn api_key_get(&self, secret_hash: &[u8; 32]) -> StoreResult<Option<ApiKey>> {
                held!(self, reader, caller, conn => api_key_get(conn, secret_hash))
            }
            async fn api_key_list(&self, account: AccountId) -> StoreResult<Vec<ApiKey>> {
                held!(self, reader, caller, conn => api_key_list(conn, account))
            }
            async fn api_key_revoke(
                &self,
                account: AccountId,
                id: ApiKeyId,
                now: Timestamp,
            ) -> StoreResult<bool> {
                held!(self, writer, caller, conn => api_key_revoke(conn, account, id, now))
            }
            async fn request_insert(&self, requests: &[RequestRecord]) -> StoreResult<()> {
                held!(self, writer, background, conn => request_insert(conn, requests))
            }
            async fn request_list(
                &self,
                account: AccountId,
                filter: &RequestFilter,
            ) -> StoreResult<Vec<RequestRecord>> {
                held!(self, reader, caller, conn => request_list(conn, account, filter))
            }
            async fn request_get(
                &self,
                account: AccountId,
                id: RequestId,
            ) -> StoreResult<Option<RequestRecord>> {
                held!(self, reader, caller, conn => request_get(conn, account, id))
            }
            async fn request_prune(&self, account: AccountId, keep: u32) -> StoreResult<u64> {
                held!(self, writer, background, conn => request_prune(conn, account, keep))
            }
            async fn request_expire(&self, before: Timestamp, limit: u32) -> StoreResult<u64> {
                held!(self, writer, background, conn => request_expire(conn, before, limit))
            }
            async fn detail_put(&self, subject: [u8; 16], id: u64, body: &[u8]) -> StoreResult<()> {
                held!(self, writer, caller, conn => detail_put(conn, subject, id, body))
            }
            async fn detail_get(
                &self,
                keys: &[([u8; 16], u64)],
            ) -> StoreResult<Vec<$crate::store::DetailRecord>> {
                held!(self, reader, caller, conn => detail_get(conn, keys))
            }
            async fn installation_get(&self, name: &str) -> StoreResult<Option<Vec<u8>>> {
                held!(self, reader, caller, conn => installation_get(conn, name))
            }
            async fn installation_set_once(&self, name: &str, value: &[u8]) -> StoreResult<Vec<u8>> {
                held!(self, writer, caller, conn => installation_set_once(conn, name, value))
            }
            async fn installation_set(&self, name: &str, value: &[u8]) -> StoreResult<()> {
                held!(self, writer, caller, conn => installation_set(conn, name, value))
            }
            async fn migrate(&self) -> StoreResult<Vec<String>> {
                let applied = self.run_migrations().await?;
                self.admit(held!(self, reader, background, conn => stored_form(conn))?)?;
                Ok(applied)
            }
            async fn durability(&self) -> StoreResult<$crate::store::Durability> {
                self.read_durability().await
            }
            async fn snapshots(&self, count: usize) -> StoreResult<Vec<Box<dyn $crate::store::Snapshot>>> {
                let views = self.open_snapshots(count.max(1)).await?;
                Ok(views.into_iter().map(|view| Box::new(view) as Box<dyn $crate::store::Snapshot>).collect())
            }
            async fn ping(&self) -> StoreResult<()> {
                held!(self, reader, caller, conn => head(conn)).map(|_| ())
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
                aside_list(&mut self.conn, rows::SMALL_MAX).await
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
            async fn parts(
                &mut self,
                after: Option<PartId>,
                limit: u32,
            ) -> StoreResult<Vec<PartRecord>> {
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
pub(super) use implement_store;
