//! The port of the store: what the engine, the readers and the pages need kept, in the domain's words.
//!
//! Adapters are `sqlite` and `mysql`; only `app` names them. Depends on the domain alone. The contract that both
//! adapters meet is one test suite in `tests/it/store.rs`.

pub mod aside;
mod at_once;
mod batch;
mod charges;
mod connect;
mod error;
mod facts;
mod files;
pub mod form;
mod head;
mod implement;
mod known;
mod line;
mod multi_row;
pub mod mysql;
mod page;
mod parts;
mod place;
mod queries;
mod readers;
mod records;
mod rows;
mod schema;
mod settings;
mod sources;
pub mod sqlite;
mod stall;
mod strays;
mod trouble;

use std::time::Duration;

use async_trait::async_trait;

pub use aside::{AsideChanges, AsideReason, AsideRecord, SetAside, Subject};
pub use batch::{
    AnswerWrite, BatchKeys, BatchWrite, Beside, CustomerPaymentRecord, Head, IdempotencyRecord,
    JournalRecord, Loaded, MovementWrite, Projected, ReceiptRecord,
};
pub use charges::{Charged, charge_list};
pub use error::StoreError;
pub use known::Known;
pub use page::Page;
pub use parts::{PartFilter, PartKind, PartRecord};
pub use records::{
    Account, AccountHead, AnnouncementPlace, ApiKey, AuditPayment, AuditResource, AwakeClock, DetailRecord,
    Durability, EventFilter, ImportRecord, ImportRow, ImportState, Lease, MovementRecord, NewAccount,
    NewApiKey, NewSession, OwnerPayment, PaymentFilter, PaymentHead, Pruned, RequestFilter, RequestRecord,
    ResourceFilter, RowFault, Session, StatementFilter, TableCounts, WalletRecord,
};
pub use settings::{Access, StoreKind, StoreSettings};
pub use sources::{EventSource, SourcePlace};
pub use strays::{Stray, StrayKind};
pub use trouble::StoreTrouble;

use crate::domain::announcement::Announcement;
use crate::domain::ids::{
    AccountId, ApiKeyId, BatchId, ClockId, CustomerId, ImportId, InstanceId, PartId, PaymentId, RequestId,
    SessionId,
};
use crate::domain::payment::Payment;
use crate::domain::resource::Resource;
use crate::domain::statement::{LinePlace, StatementLine};
use crate::domain::subject::Subject as DomainSubject;
use crate::domain::time::Timestamp;
use crate::domain::wallet::WalletId;

/// The result of every store call.
pub type StoreResult<T> = Result<T, StoreError>;

/// Decides a batch between its reads and its writes. Called at most once per attempt; pure.
pub type DecideBatch<'a> = &'a mut (dyn FnMut(Head, Loaded) -> BatchWrite + Send);

/// Everything kept.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    // ---- the one ordered line ----

    /// Runs one transaction of the ordered line: takes the head lock, loads what `keys` name, lets `decide` turn it
    /// into writes, and commits. Returns the batch's place in the journal. `wall` is the clock of this process.
    ///
    /// # Errors
    /// [`StoreError::CommitUnknown`] if the outcome of the commit could not be told; settle it with
    /// [`Store::batch_committed`]. Anything else means that nothing was written.
    async fn line_execute(
        &self,
        batch: BatchId,
        wall: Timestamp,
        keys: &BatchKeys,
        decide: DecideBatch<'_>,
    ) -> StoreResult<u64>;

    /// Whether [`Store::line_execute`] blocks the thread it is polled on; the line needs one of its own then.
    fn line_blocks(&self) -> bool;

    /// Whether the batch at `seq` is the one named.
    async fn batch_committed(&self, seq: u64, batch: BatchId) -> StoreResult<bool>;

    /// The last place taken in the line.
    async fn head(&self) -> StoreResult<u64>;

    /// The wall of the last batch; long ago in a new store.
    async fn head_wall(&self) -> StoreResult<Timestamp>;

    // ---- the journal and its readers ----

    /// Journal rows after `after`, in order, at most `limit`.
    async fn journal_read(&self, after: u64, limit: u32) -> StoreResult<Vec<JournalRecord>>;

    /// When the first batch after `after` was decided; `None` if there is none.
    async fn journal_time(&self, after: u64) -> StoreResult<Option<Timestamp>>;

    /// Deletes journal rows at or below `seq` written before `before`; returns how many.
    async fn journal_prune(&self, seq: u64, before: Timestamp) -> StoreResult<u64>;

    /// Where a reader stands; zero if it never stood anywhere.
    async fn cursor_get(&self, reader: &str) -> StoreResult<u64>;

    /// Moves a reader forward. Refused (`false`) if `holder` has lost its lease.
    async fn cursor_set(&self, reader: &str, holder: InstanceId, seq: u64) -> StoreResult<bool>;

    /// Puts a reader to `seq` whoever holds it, forward or back (reindexing, redriving).
    async fn cursor_reset(&self, reader: &str, seq: u64) -> StoreResult<()>;

    /// Every reader's name and cursor.
    async fn cursor_list(&self) -> StoreResult<Vec<(String, u64)>>;

    /// Takes or renews a lease for `ttl` from the store's point of view of `now`.
    async fn lease_take(
        &self,
        name: &str,
        holder: InstanceId,
        now: Timestamp,
        ttl: Duration,
    ) -> StoreResult<Lease>;

    /// When a lease ends or has ended; zero if it was given back or never taken.
    async fn lease_end(&self, name: &str) -> StoreResult<Timestamp>;

    /// Gives a lease back, so that another need not wait for its end.
    async fn lease_release(&self, name: &str, holder: InstanceId) -> StoreResult<()>;

    // ---- payments ----

    /// The payments with these ids, in no particular order; unknown ones are left out, and those that cannot be read are
    /// set aside. The same holds for every list of payments.
    async fn payment_get(&self, ids: &[PaymentId]) -> StoreResult<Vec<Payment>>;

    /// One payment.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] also where it is there and cannot be read: that is not the same as there being none.
    async fn payment_one(&self, id: PaymentId) -> StoreResult<Option<Payment>> {
        let found = self.payment_get(&[id]).await?.into_iter().next();
        match self.aside().unreadable(id) {
            Some(cause) if found.is_none() => Err(StoreError::Damaged(cause)),
            Some(_) | None => Ok(found),
        }
    }

    /// A page of an owner's payments by id, newest first unless the filter says otherwise.
    async fn payment_list(&self, owner: AccountId, filter: &PaymentFilter) -> StoreResult<Vec<Payment>>;

    /// All payments by keyset on id, for rebuilding the index.
    async fn payment_scan(&self, after: Option<PaymentId>, limit: u32) -> StoreResult<Vec<Payment>>;

    /// Payments of which something is due on a clock at or before `upto`, earliest first, and when it was.
    async fn payment_due(
        &self,
        clock: ClockId,
        upto: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<(PaymentId, Timestamp)>>;

    /// The earliest time after that one at which something is due on a clock.
    async fn payment_next_due(&self, clock: ClockId, after: Timestamp) -> StoreResult<Option<Timestamp>>;

    /// Payments whose open work has a row, by their ids, after `after`. Of others the journal tells,
    /// beyond the cursor of whoever writes these rows.
    async fn work_open(&self, after: Option<PaymentId>, limit: u32) -> StoreResult<Vec<Payment>>;

    /// How many payments have such a row.
    async fn work_open_count(&self) -> StoreResult<u64>;

    /// Payments of an owner with a parked operation, newest first.
    async fn payment_parked(&self, owner: AccountId, limit: u32) -> StoreResult<Vec<Payment>>;

    /// What is set aside, as this process knows it.
    fn aside(&self) -> &SetAside;

    /// What any instance has set aside, the latest first.
    async fn aside_list(&self, limit: u32) -> StoreResult<Vec<AsideRecord>>;

    /// Writes what [`SetAside::changes`] says has changed.
    async fn aside_save(&self, changes: &AsideChanges) -> StoreResult<()>;

    /// What is remembered of this key of that owner.
    async fn idempotency_get(
        &self,
        key: &[u8; 32],
        owner: AccountId,
    ) -> StoreResult<Option<IdempotencyRecord>>;

    /// Looks at idempotency keys after `after`, in their order, at most `limit`, and deletes those written before `before`.
    async fn idempotency_prune(&self, after: &[u8], before: Timestamp, limit: u32) -> StoreResult<Pruned>;

    /// The answer that is kept for this key of that owner.
    async fn answer_get(&self, key: &[u8; 32], owner: AccountId) -> StoreResult<Option<Vec<u8>>>;

    // ---- plain resources ----

    /// A resource, deleted or not.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] also where it is there and cannot be read.
    async fn resource_get(&self, subject: DomainSubject) -> StoreResult<Option<Resource>>;

    /// A page of an owner's resources of one kind by id, newest first unless the filter says otherwise. Those that cannot be
    /// read are left out and noted.
    async fn resource_list(&self, owner: AccountId, filter: &ResourceFilter) -> StoreResult<Vec<Resource>>;

    /// Clocks that have to be looked after, in the order of their ids.
    async fn clock_awake(&self, after: ClockId, limit: u32) -> StoreResult<Vec<AwakeClock>>;

    /// Payments for which a clock waits before it goes on: their work is in the queue, or is tried again.
    async fn clock_busy(&self, clock: ClockId, limit: u32) -> StoreResult<Vec<PaymentId>>;

    /// Looks after a clock no longer that is gone, unless anything is due on it. Nothing new ever is.
    async fn clock_rest(&self, clock: ClockId) -> StoreResult<bool>;

    /// Clocks made before a time and not deleted, the oldest first.
    async fn clock_made_before(&self, before: Timestamp, limit: u32) -> StoreResult<Vec<Resource>>;

    /// A page of the payments that name a customer, newest first. Kinds are not narrowed.
    async fn customer_payments(
        &self,
        customer: CustomerId,
        filter: &PaymentFilter,
    ) -> StoreResult<Vec<Payment>>;

    /// Where a part of a payment is told.
    async fn part_get(&self, id: PartId) -> StoreResult<Option<PartRecord>>;

    /// An owner's parts of one kind, newest first.
    async fn part_list(
        &self,
        owner: AccountId,
        kind: PartKind,
        filter: &PartFilter,
    ) -> StoreResult<Vec<PartRecord>>;

    /// Keeps what belongs to one attempt of a payment, or to a refund, and is too big or too rare for its history. What is
    /// there already stays.
    async fn detail_put(&self, subject: [u8; 16], id: u64, body: &[u8]) -> StoreResult<()>;

    /// The details of payments and refunds with these names, in no particular order.
    async fn detail_get(&self, keys: &[([u8; 16], u64)]) -> StoreResult<Vec<DetailRecord>>;

    // ---- the ledger ----

    /// An owner's wallets.
    async fn wallet_list(&self, owner: AccountId) -> StoreResult<Vec<WalletRecord>>;

    /// The movements of these payments, in the order of their ids and versions.
    async fn movement_list(&self, payments: &[PaymentId]) -> StoreResult<Vec<MovementRecord>>;

    // ---- statements ----

    /// Moves a projection's cursor and writes what it made on the way, in one transaction. Refused (`false`), and nothing is
    /// written, if `holder` has lost its lease or the cursor stands elsewhere than at `from`.
    async fn project(
        &self,
        reader: &str,
        holder: InstanceId,
        from: u64,
        upto: u64,
        made: &Projected,
    ) -> StoreResult<bool>;

    /// Writes lines; of one that is there already only the balance changes.
    async fn statement_put(&self, lines: &[StatementLine]) -> StoreResult<()>;

    /// Lines of a wallet, newest first.
    async fn statement_list(
        &self,
        wallet: WalletId,
        filter: &StatementFilter,
    ) -> StoreResult<Vec<StatementLine>>;

    /// Wallets that have lines, in the order of their keys.
    async fn statement_wallets(&self, after: Option<WalletId>, limit: u32) -> StoreResult<Vec<WalletId>>;

    /// Deletes the lines of a wallet up to a place in the line; returns how many.
    async fn statement_delete(&self, wallet: WalletId, upto: u64) -> StoreResult<u64>;

    // ---- events of accounts ----

    /// Writes announcements of accounts; what is there already stays.
    async fn event_put(&self, events: &[(AccountId, Announcement)]) -> StoreResult<()>;

    /// An account's announcements, newest first.
    async fn event_list(&self, owner: AccountId, filter: &EventFilter) -> StoreResult<Vec<Announcement>>;

    /// Accounts that have announcements, in the order of their ids.
    async fn event_owners(&self, after: Option<AccountId>, limit: u32) -> StoreResult<Vec<AccountId>>;

    /// Deletes an account's announcements of before a time by their clock, and before another by the wall, and after them what is kept
    /// beside them: no announcement that is there lacks it. Returns how many rows it were.
    async fn event_delete(
        &self,
        owner: AccountId,
        before: Timestamp,
        wall_before: Timestamp,
    ) -> StoreResult<u64>;

    /// Deletes an account's announcements of payments, which follow from their histories; returns how many.
    async fn event_clear(&self, owner: AccountId) -> StoreResult<u64>;

    /// When the announcement happened by the wall that is followed by `kept` newer ones; `None` if there are not so many.
    async fn event_surplus(&self, owner: AccountId, kept: u32) -> StoreResult<Option<Timestamp>>;

    /// The sources at these places, in no particular order; where there is none it is left out.
    async fn source_get(&self, places: &[SourcePlace]) -> StoreResult<Vec<EventSource>>;

    // ---- imports ----

    /// Adds an import. `false` if its id is taken.
    async fn import_insert(&self, import: &ImportRecord) -> StoreResult<bool>;

    /// Adds rows to an import, then its state, counts and cause as `import` has them.
    async fn import_save(&self, import: &ImportRecord, rows: &[ImportRow]) -> StoreResult<()>;

    /// An owner's import.
    async fn import_get(&self, owner: AccountId, id: ImportId) -> StoreResult<Option<ImportRecord>>;

    /// An owner's imports, newest first.
    async fn import_list(&self, owner: AccountId, limit: u32) -> StoreResult<Vec<ImportRecord>>;

    /// The rows of an import after a line, in the order of the file; only refused ones if asked for.
    async fn import_rows(
        &self,
        import: ImportId,
        after_line: u64,
        refused_only: bool,
        limit: u32,
    ) -> StoreResult<Vec<ImportRow>>;

    // ---- people ----

    /// Adds an account. `false` if the e-mail address is taken.
    async fn account_insert(&self, account: &NewAccount) -> StoreResult<bool>;

    /// Adds many accounts without e-mail address at once (throw-away accounts of load runs).
    async fn account_insert_many(&self, accounts: &[NewAccount]) -> StoreResult<()>;

    /// The account whose e-mail address is exactly this text.
    async fn account_by_email(&self, email: &str) -> StoreResult<Option<Account>>;

    /// The accounts with these ids.
    async fn account_get(&self, ids: &[AccountId]) -> StoreResult<Vec<Account>>;

    /// The accounts made by this one, closed ones left out.
    async fn account_children(
        &self,
        parent: AccountId,
        after: Option<AccountId>,
        limit: u32,
    ) -> StoreResult<Vec<Account>>;

    /// Replaces the password hash.
    async fn account_set_password(&self, id: AccountId, hash: &str) -> StoreResult<()>;

    /// Closes an account and those it made: they lose address and password, their sessions end, their keys are revoked.
    /// Their rows stay. It takes a place in the line, after which no batch takes them for open. `false` if it is closed
    /// already.
    async fn account_close(&self, id: AccountId, now: Timestamp) -> StoreResult<bool>;

    /// Has what an account makes go by a clock from now on, unless a customer says otherwise. `false`, and nothing is changed, if
    /// the account is closed or the clock is not there.
    async fn account_set_clock(&self, id: AccountId, clock: ClockId, now: Timestamp) -> StoreResult<bool>;

    /// Remembers something about an account by name; what is remembered already keeps its time.
    async fn mark_set(&self, account: AccountId, name: &str, now: Timestamp) -> StoreResult<()>;

    /// Forgets it.
    async fn mark_delete(&self, account: AccountId, name: &str) -> StoreResult<()>;

    /// Everything remembered about an account: names and when.
    async fn mark_list(&self, account: AccountId) -> StoreResult<Vec<(String, Timestamp)>>;

    /// Adds a session.
    async fn session_insert(&self, session: &NewSession) -> StoreResult<()>;

    /// The session with this token hash that has not expired at `now`.
    async fn session_get(&self, token_hash: &[u8; 32], now: Timestamp) -> StoreResult<Option<Session>>;

    /// Notes that a session was used.
    async fn session_seen(&self, id: SessionId, now: Timestamp) -> StoreResult<()>;

    /// The sessions of an account.
    async fn session_list(&self, account: AccountId) -> StoreResult<Vec<Session>>;

    /// Ends a session of this account; `false` if there was none.
    async fn session_delete(&self, account: AccountId, id: SessionId) -> StoreResult<bool>;

    /// Adds an API key.
    async fn api_key_insert(&self, key: &NewApiKey) -> StoreResult<()>;

    /// The key with this secret hash, revoked or not.
    async fn api_key_get(&self, secret_hash: &[u8; 32]) -> StoreResult<Option<ApiKey>>;

    /// The keys of an account, revoked ones included.
    async fn api_key_list(&self, account: AccountId) -> StoreResult<Vec<ApiKey>>;

    /// Revokes a key of this account; `false` if there was none to revoke.
    async fn api_key_revoke(&self, account: AccountId, id: ApiKeyId, now: Timestamp) -> StoreResult<bool>;

    // ---- calls of the API ----

    /// Adds calls, whose bodies must be masked already.
    async fn request_insert(&self, requests: &[RequestRecord]) -> StoreResult<()>;

    /// A page of an account's calls, newest first, without their bodies.
    async fn request_list(
        &self,
        account: AccountId,
        filter: &RequestFilter,
    ) -> StoreResult<Vec<RequestRecord>>;

    /// One call of this account, with its bodies.
    async fn request_get(&self, account: AccountId, id: RequestId) -> StoreResult<Option<RequestRecord>>;

    /// Deletes all but the newest `keep` calls of an account; returns how many.
    async fn request_prune(&self, account: AccountId, keep: u32) -> StoreResult<u64>;

    /// Deletes calls of all accounts made before `before`, at most `limit` of them; returns how many.
    async fn request_expire(&self, before: Timestamp, limit: u32) -> StoreResult<u64>;

    // ---- the installation ----

    /// A named value of this installation (keys, flags).
    async fn installation_get(&self, name: &str) -> StoreResult<Option<Vec<u8>>>;

    /// Sets it unless it is set; returns what is set afterwards.
    async fn installation_set_once(&self, name: &str, value: &[u8]) -> StoreResult<Vec<u8>>;

    /// Sets it, whatever it was.
    async fn installation_set(&self, name: &str, value: &[u8]) -> StoreResult<()>;

    /// Applies all pending migrations; returns the names of those applied.
    ///
    /// # Errors
    /// [`StoreError::OtherForm`] if another version of the program made the tables meanwhile.
    async fn migrate(&self) -> StoreResult<Vec<String>>;

    /// The settings that durability rests on, read back from the running store.
    async fn durability(&self) -> StoreResult<Durability>;

    /// Opens a consistent view for the auditor: everything it reads is of one moment.
    async fn snapshot(&self) -> StoreResult<Box<dyn Snapshot>> {
        let one = self.snapshots(1).await?.pop();
        one.ok_or_else(|| StoreError::Unavailable("no view could be opened".to_owned()))
    }

    /// Opens several of one and the same moment, to be read at once; fewer where the line moves on too fast for that, but
    /// at least one.
    async fn snapshots(&self, count: usize) -> StoreResult<Vec<Box<dyn Snapshot>>>;

    /// Whether the store answers.
    async fn ping(&self) -> StoreResult<()>;

    /// What keeps it from taking payments, as its last real operations met it (there are some every other second: the leases of
    /// the readers); `None` while they went well. A ping says nothing of a full disk.
    fn trouble(&self) -> Option<StoreTrouble> {
        None
    }
}

/// A consistent read of the whole store, for the auditor. All by keyset; nothing is held in memory.
#[async_trait]
pub trait Snapshot: Send {
    /// The head of the line.
    async fn head(&mut self) -> StoreResult<u64>;
    /// Row counts by table.
    async fn counts(&mut self) -> StoreResult<TableCounts>;
    /// Payments with the columns stored beside their histories.
    async fn payments(&mut self, after: Option<PaymentId>, limit: u32) -> StoreResult<Vec<AuditPayment>>;
    /// The payments with these ids, columns included.
    async fn payments_by_id(&mut self, ids: &[PaymentId]) -> StoreResult<Vec<AuditPayment>>;
    /// Of the payments with these ids, what rows that point at them are compared with.
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
    /// Plain resources by subject.
    async fn resources(
        &mut self,
        after: Option<DomainSubject>,
        limit: u32,
    ) -> StoreResult<Vec<AuditResource>>;
    /// Those with these keys.
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
    /// Rows that contradict one another; of each kind the first.
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
