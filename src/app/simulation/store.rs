//! A store in memory that outlives the simulated process, with everything that can go wrong around a commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::Sabotage;
use super::chance::Chance;
use crate::domain::announcement::Announcement;
use crate::domain::ids::{
    AccountId, ApiKeyId, BatchId, ClockId, CustomerId, ImportId, InstanceId, PartId, PaymentId, RequestId,
    SessionId,
};
use crate::domain::ledger::Holdings;
use crate::domain::payment::Payment;
use crate::domain::resource::{Body, Resource};
use crate::domain::statement::{LinePlace, StatementLine};
use crate::domain::subject::Subject;
use crate::domain::time::Timestamp;
use crate::domain::wallet::WalletId;
use crate::feed::CURSORS;
use crate::store::{
    Account, AccountHead, AnnouncementPlace, AnswerWrite, ApiKey, AsideChanges, AsideRecord, AuditPayment,
    AuditResource, AwakeClock, BatchKeys, BatchWrite, CustomerPaymentRecord, DecideBatch, DetailRecord,
    Durability, EventFilter, EventSource, Head, IdempotencyRecord, ImportRecord, ImportRow, JournalRecord,
    Lease, Loaded, MovementRecord, NewAccount, NewApiKey, NewSession, PartFilter, PartKind, PartRecord,
    PaymentFilter, Projected, Pruned, ReceiptRecord, RequestFilter, RequestRecord, ResourceFilter, Session,
    SetAside, Snapshot, SourcePlace, StatementFilter, Store, StoreError, StoreResult, TableCounts,
    WalletRecord,
};

/// What is on the disk.
#[derive(Clone, Default)]
pub struct Data {
    pub head: u64,
    /// The latest time of a batch.
    pub wall: Timestamp,
    pub payments: BTreeMap<PaymentId, Payment>,
    due: BTreeMap<(PaymentId, ClockId), Timestamp>,
    busy: BTreeMap<PaymentId, ClockId>,
    awake: BTreeSet<ClockId>,
    pub open_work: BTreeSet<PaymentId>,
    parked: BTreeMap<PaymentId, AccountId>,
    pub movements: BTreeMap<(PaymentId, u32, u8), MovementRecord>,
    pub wallets: BTreeMap<WalletId, Holdings>,
    pub parts: BTreeMap<PartId, PartRecord>,
    pub receipts: BTreeSet<ReceiptRecord>,
    pub idempotency: BTreeMap<([u8; 32], AccountId), IdempotencyRecord>,
    pub answers: BTreeMap<([u8; 32], AccountId), Arc<[u8]>>,
    /// With the place in the line of the last change.
    pub resources: BTreeMap<Subject, (Arc<Resource>, u64)>,
    pub customer_payments: BTreeSet<CustomerPaymentRecord>,
    pub details: BTreeMap<([u8; 16], u64), Vec<u8>>,
    pub journal: BTreeMap<u64, JournalRecord>,
    pub lines: BTreeMap<(WalletId, LinePlace), StatementLine>,
    pub events: BTreeSet<(AccountId, Announcement)>,
    pub sources: BTreeMap<SourcePlace, EventSource>,
    pub readers: BTreeMap<String, Reader>,
    pub installation: BTreeMap<String, Vec<u8>>,
    /// The versions that payments had at the ends of batches: what anyone may ever have seen.
    pub ends: BTreeSet<(PaymentId, u32)>,
    /// What a writer took for stored, and was not.
    pub stale: Vec<String>,
}

/// A cursor and its lease.
#[derive(Clone, Copy, Default)]
pub struct Reader {
    pub position: u64,
    holder: Option<InstanceId>,
    until: Timestamp,
}

impl Data {
    /// `seq` is the place of the batch, or what the writer is made to take for it.
    fn load(&self, seq: u64, keys: &BatchKeys) -> Loaded {
        let mut loaded = Loaded::default();
        let (unknown, _) = keys.take_payments(seq, &mut loaded);
        let found = unknown.iter().filter_map(|id| self.payments.get(id)).cloned().map(Arc::new);
        loaded.payments.extend(found.map(|payment| (payment.id(), payment)));
        let mut wallets = keys.wallets.clone();
        for payment in loaded.payments.values() {
            wallets.push(payment.submission().own_wallet());
            wallets.extend(payment.submission().payee_wallet());
        }
        for (resource, _) in keys.resources.iter().filter_map(|subject| self.resources.get(subject)) {
            loaded.resources.insert(resource.subject, Resource::clone(resource));
        }
        self.load_clocks(keys, &mut loaded);
        keys.take_wallets(seq, &mut wallets, &mut loaded);
        loaded
            .wallets
            .extend(wallets.iter().filter_map(|wallet| Some((*wallet, *self.wallets.get(wallet)?))));
        let known = self.idempotency.iter().filter(|((key, _), _)| keys.idempotency.contains(key));
        loaded.idempotency.extend(known.map(|(key, record)| (*key, *record)));
        loaded
    }

    fn is_gone(&self, clock: ClockId) -> bool {
        let found = self.resources.get(&Subject::from(clock));
        !clock.is_wall() && found.is_none_or(|(resource, _)| resource.body.is_none())
    }

    /// What is due on a clock, and when.
    fn due_on(&self, clock: ClockId) -> impl Iterator<Item = (Timestamp, PaymentId)> {
        self.due.iter().filter(move |((_, on), _)| *on == clock).map(|((id, _), at)| (*at, *id))
    }

    /// The clocks that anything loaded goes by.
    fn load_clocks(&self, keys: &BatchKeys, loaded: &mut Loaded) {
        let of_payments = loaded.payments.values().map(|payment| payment.clock());
        let of_resources = loaded.resources.values().map(|resource| resource.clock);
        let named: BTreeSet<ClockId> =
            keys.clocks.iter().copied().chain(of_payments).chain(of_resources).collect();
        for id in named {
            let Some((resource, _)) = self.resources.get(&Subject::from(id)) else { continue };
            if let Some(Body::Clock(clock)) = &resource.body {
                loaded.clocks.insert(id, (resource.owner, Arc::new(clock.clone())));
            }
        }
        for owner in &keys.clock_owners {
            let own = self.resources.values().filter(|(resource, _)| {
                resource.owner == *owner && resource.subject.clock().is_some() && resource.body.is_some()
            });
            loaded.clock_counts.insert(*owner, u32::try_from(own.count()).unwrap_or(u32::MAX));
        }
    }

    /// Notes what of a batch's load does not stand here.
    fn compare(&mut self, loaded: &Loaded) {
        for (id, payment) in &loaded.payments {
            if self.payments.get(id).is_none_or(|stored| stored.history() != payment.history()) {
                self.stale.push(format!("payment {id} was taken for {payment:?}"));
            }
        }
        for (wallet, held) in &loaded.wallets {
            if self.wallets.get(wallet) != Some(held) {
                self.stale.push(format!("{wallet:?} was taken for {held:?}"));
            }
        }
    }

    /// All of a batch, or nothing of it.
    fn keep(&mut self, seq: u64, batch: BatchId, write: &BatchWrite, body: Vec<u8>) -> StoreResult<()> {
        let taken = write.inserts.iter().any(|insert| self.payments.contains_key(&insert.id()))
            || write
                .movements
                .iter()
                .any(|row| self.movements.contains_key(&(row.payment, row.version, row.n)))
            || write.parts.iter().any(|row| self.parts.contains_key(&row.id))
            || write.receipts.iter().any(|row| self.receipts.contains(row))
            || write.customer_payments.iter().any(|row| self.customer_payments.contains(row))
            || write.details.iter().any(|row| self.details.contains_key(&(row.subject, row.id)))
            || write.sources.iter().any(|row| self.sources.contains_key(&row.place()))
            || write.answers.iter().any(|row| self.answers.contains_key(&(row.key, row.owner)))
            || write.idempotency.iter().any(|row| self.idempotency.contains_key(&(row.key, row.owner)));
        if taken {
            return Err(StoreError::Refused("duplicate key".to_owned()));
        }
        for payment in write.inserts.iter().chain(&write.updates) {
            self.ends.insert((payment.id(), payment.version()));
            self.payments.insert(payment.id(), Payment::clone(payment));
        }
        self.due.retain(|(id, _), _| !write.due.remove.contains(id));
        self.due.extend(write.due.put.iter().map(|(id, clock, at)| ((*id, *clock), *at)));
        self.busy.retain(|id, _| !write.busy.remove.contains(id));
        self.busy.extend(write.busy.put.iter().copied());
        for (clock, awake) in &write.clocks {
            if *awake {
                self.awake.insert(*clock);
            } else {
                self.awake.remove(clock);
            }
        }
        self.parked.retain(|id, _| !write.parked.remove.contains(id));
        self.parked.extend(write.parked.put.iter().copied());
        self.movements.extend(write.movements.iter().map(|row| {
            let record = MovementRecord {
                payment: row.payment,
                version: row.version,
                n: row.n,
                movement: row.movement,
                seq,
                place: row.place,
            };
            ((row.payment, row.version, row.n), record)
        }));
        self.wallets.extend(write.wallets.iter().copied());
        self.idempotency.extend(write.idempotency.iter().map(|record| ((record.key, record.owner), *record)));
        self.parts.extend(write.parts.iter().map(|record| (record.id, *record)));
        self.receipts.extend(write.receipts.iter().copied());
        let resource = |resource: &Arc<Resource>| (resource.subject, (Arc::clone(resource), seq));
        self.resources.extend(write.resources.iter().map(resource));
        self.customer_payments.extend(write.customer_payments.iter().copied());
        let detail = |detail: &DetailRecord| ((detail.subject, detail.id), detail.body.clone());
        self.details.extend(write.details.iter().map(detail));
        self.events.extend(write.events.iter().copied());
        self.sources.extend(write.sources.iter().map(|source| (source.place(), source.clone())));
        let answer = |answer: &AnswerWrite| ((answer.key, answer.owner), Arc::clone(&answer.body));
        self.answers.extend(write.answers.iter().map(answer));
        self.head = seq;
        self.wall = self.wall.max(write.at);
        self.journal.insert(seq, JournalRecord { seq, batch, at: write.at, body });
        Ok(())
    }

    fn movements_of(&self, payments: &[PaymentId]) -> Vec<MovementRecord> {
        let of = |id: &PaymentId| self.movements.range((*id, 0, 0)..=(*id, u32::MAX, u8::MAX));
        payments.iter().flat_map(of).map(|(_, row)| *row).collect()
    }

    fn append(
        &mut self,
        reader: &str,
        holder: InstanceId,
        (from, upto): (u64, u64),
        made: &Projected,
    ) -> bool {
        let owned = self.readers.get_mut(reader);
        let owned = owned.filter(|reader| reader.holder == Some(holder) && reader.position == from);
        let Some(reader) = owned else { return false };
        reader.position = upto;
        self.lines.extend(made.lines.iter().map(|line| ((line.wallet, line.place), *line)));
        self.events.extend(made.events.iter().copied());
        self.open_work.retain(|id| !made.open_work.remove.contains(id));
        self.open_work.extend(&made.open_work.put);
        true
    }

    /// As the filters of places ask; the others are not simulated.
    fn statement(&self, wallet: WalletId, filter: &StatementFilter) -> Vec<StatementLine> {
        let ours = self.lines.iter().filter(|((of, _), _)| *of == wallet).map(|(_, line)| *line);
        let mut lines: Vec<StatementLine> = ours
            .filter(|line| filter.before.is_none_or(|before| line.place < before))
            .filter(|line| filter.after.is_none_or(|after| line.place > after))
            .collect();
        let limit = filter.limit as usize;
        if filter.after.is_some() {
            lines.truncate(limit);
            lines.reverse();
        } else {
            lines.reverse();
            lines.truncate(limit);
        }
        lines
    }

    fn details_of(&self, keys: &[([u8; 16], u64)]) -> Vec<DetailRecord> {
        let record = |key: &([u8; 16], u64)| {
            let body = self.details.get(key)?.clone();
            Some(DetailRecord { subject: key.0, id: key.1, body })
        };
        keys.iter().filter_map(record).collect()
    }

    /// Payments with work in the queue and their owners, the latest opened first.
    pub fn open_payments(&self) -> impl Iterator<Item = (PaymentId, AccountId)> + use<> {
        let oldest = |payment: &Payment| payment.queued_operations().map(|open| open.queued_at).min();
        let open = self
            .payments
            .values()
            .filter_map(|payment| Some((oldest(payment)?, payment.id(), payment.owner())));
        let mut open: Vec<_> = open.collect();
        open.sort_unstable();
        open.into_iter().rev().map(|(_, payment, owner)| (payment, owner))
    }

    /// Whether nothing is queued and nothing is due.
    pub fn is_at_rest(&self) -> bool {
        self.open_payments().next().is_none() && self.due.is_empty()
    }
}

/// The store of one life of the process, or of two processes that live at once.
pub struct SimStore {
    pub data: Arc<Mutex<Data>>,
    chance: Chance,
    sabotage: Sabotage,
    line: tokio::sync::Mutex<()>,
    aside: SetAside,
    /// How often it was asked which clocks have to be looked after.
    pub asked_awake: AtomicU64,
    /// How often it was asked what a clock waits for.
    pub asked_busy: AtomicU64,
}

impl SimStore {
    pub fn new(data: Arc<Mutex<Data>>, chance: Chance, sabotage: Sabotage) -> Self {
        let (line, aside) = (tokio::sync::Mutex::new(()), SetAside::default());
        let (asked_awake, asked_busy) = (AtomicU64::default(), AtomicU64::default());
        Self { data, chance, sabotage, line, aside, asked_awake, asked_busy }
    }

    /// Time passes, and perhaps the store is away.
    async fn reach(&self) -> StoreResult<()> {
        self.chance.delay().await;
        if self.chance.breaks(15) {
            return Err(StoreError::Unavailable("simulated".to_owned()));
        }
        Ok(())
    }

    async fn read<T>(&self, read: impl FnOnce(&Data) -> T + Send) -> StoreResult<T> {
        self.reach().await?;
        Ok(read(&self.data.lock()))
    }

    /// The defects that a checker must see.
    fn spoil(&self, write: &mut BatchWrite) {
        match self.sabotage {
            Sabotage::EffectTwice => {
                if let Some(first) = write.movements.first().copied() {
                    write
                        .movements
                        .push(crate::store::MovementWrite { version: first.version + 100, ..first });
                }
            }
            Sabotage::LostMovement => drop(write.movements.pop()),
            Sabotage::WrongBalance => {
                write.wallets.iter_mut().take(1).for_each(|(_, held)| held.balance_minor += 1)
            }
            Sabotage::ForgottenKey => write.idempotency.clear(),
            Sabotage::LostUpdate => drop(write.updates.pop()),
            Sabotage::LostChange => drop(write.resources.pop()),
            Sabotage::LostAmendment => drop(write.details.pop()),
            Sabotage::AlteredAnswer => {
                write.answers.iter_mut().for_each(|answer| answer.body = Arc::from([]))
            }
            Sabotage::None
            | Sabotage::AckBeforeCommit
            | Sabotage::JournalHole
            | Sabotage::LostMessage
            | Sabotage::ForgottenWork
            | Sabotage::LostDocument
            | Sabotage::ForgottenOperation
            | Sabotage::MiddleVersion
            | Sabotage::UnsettledCommit
            | Sabotage::StaleMemory => {}
        }
    }
}

fn not_simulated<T>() -> StoreResult<T> {
    Err(StoreError::Refused("not simulated".to_owned()))
}

#[async_trait]
impl Store for SimStore {
    async fn line_execute(
        &self,
        batch: BatchId,
        wall: Timestamp,
        keys: &BatchKeys,
        decide: DecideBatch<'_>,
    ) -> StoreResult<u64> {
        let _line = self.line.lock().await;
        self.reach().await?;
        let (head, loaded) = {
            let mut data = self.data.lock();
            let head = Head { seq: data.head + 1, wall: wall.max(data.wall.next()), settings_seq: 0 };
            let taken_for = match self.sabotage {
                Sabotage::StaleMemory => keys.known.as_ref().map_or(head.seq, |known| known.holds_at()),
                _ => head.seq,
            };
            let loaded = data.load(taken_for, keys);
            if self.sabotage == Sabotage::None {
                data.compare(&loaded);
            }
            (head, loaded)
        };
        let seq = head.seq;
        let mut write = decide(head, loaded);
        let Some(body) = write.journal.take() else {
            return Ok(0);
        };
        if self.sabotage == Sabotage::ForgottenOperation
            && write.inserts.is_empty()
            && write.updates.is_empty()
        {
            return Ok(0);
        }
        self.spoil(&mut write);
        // A crash here: nothing was written, and nobody was told.
        self.reach().await?;
        if self.chance.breaks(10) {
            return Err(StoreError::Refused("simulated".to_owned()));
        }
        let unknown = StoreError::CommitUnknown { seq, cause: "simulated".to_owned() };
        let (happens, told) = match self.chance.breaks(40) {
            true => (self.chance.percent(50), false),
            false => (!(self.sabotage == Sabotage::AckBeforeCommit && self.chance.percent(5)), true),
        };
        if happens {
            let mut data = self.data.lock();
            data.keep(seq, batch, &write, body)?;
            if self.sabotage == Sabotage::JournalHole && self.chance.percent(20) {
                data.journal.remove(&seq);
            }
        }
        // A crash here: all was written, and nobody was told.
        self.chance.delay().await;
        if told { Ok(seq) } else { Err(unknown) }
    }

    fn line_blocks(&self) -> bool {
        false
    }

    async fn batch_committed(&self, seq: u64, batch: BatchId) -> StoreResult<bool> {
        if self.sabotage == Sabotage::UnsettledCommit {
            return Ok(false);
        }
        self.read(|data| data.journal.get(&seq).is_some_and(|row| row.batch == batch)).await
    }

    async fn head(&self) -> StoreResult<u64> {
        self.read(|data| data.head).await
    }

    async fn head_wall(&self) -> StoreResult<Timestamp> {
        self.read(|data| data.wall).await
    }

    async fn journal_read(&self, after: u64, limit: u32) -> StoreResult<Vec<JournalRecord>> {
        let limit = limit.min(1 + u32::try_from(self.chance.below(8)).unwrap_or(0));
        self.read(|data| {
            data.journal.range(after + 1..).map(|(_, row)| row.clone()).take(limit as usize).collect()
        })
        .await
    }

    async fn journal_time(&self, after: u64) -> StoreResult<Option<Timestamp>> {
        self.read(|data| data.journal.range(after + 1..).next().map(|(_, row)| row.at)).await
    }

    async fn journal_prune(&self, seq: u64, before: Timestamp) -> StoreResult<u64> {
        self.reach().await?;
        let mut data = self.data.lock();
        let rows = data.journal.len();
        data.journal.retain(|place, row| *place > seq || row.at >= before);
        Ok((rows - data.journal.len()) as u64)
    }

    async fn cursor_get(&self, reader: &str) -> StoreResult<u64> {
        self.read(|data| data.readers.get(reader).map_or(0, |reader| reader.position)).await
    }

    async fn cursor_set(&self, reader: &str, holder: InstanceId, seq: u64) -> StoreResult<bool> {
        self.reach().await?;
        let mut data = self.data.lock();
        let owned = data.readers.get_mut(reader).filter(|reader| reader.holder == Some(holder));
        Ok(owned.map(|reader| reader.position = seq).is_some())
    }

    async fn cursor_reset(&self, reader: &str, seq: u64) -> StoreResult<()> {
        self.data.lock().readers.entry(reader.to_owned()).or_default().position = seq;
        Ok(())
    }

    async fn cursor_list(&self) -> StoreResult<Vec<(String, u64)>> {
        self.read(|data| data.readers.iter().map(|(name, reader)| (name.clone(), reader.position)).collect())
            .await
    }

    async fn lease_take(
        &self,
        name: &str,
        holder: InstanceId,
        now: Timestamp,
        ttl: Duration,
    ) -> StoreResult<Lease> {
        self.reach().await?;
        let mut data = self.data.lock();
        let reader = data.readers.entry(name.to_owned()).or_default();
        let until = now.plus_ms(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
        match reader.holder {
            Some(other) if other != holder && reader.until >= now => {
                Ok(Lease::Taken { holder: other, until: reader.until })
            }
            Some(_) | None => {
                (reader.holder, reader.until) = (Some(holder), until);
                Ok(Lease::Held { until })
            }
        }
    }

    async fn lease_end(&self, name: &str) -> StoreResult<Timestamp> {
        Ok(self.data.lock().readers.get(name).map_or_else(Timestamp::default, |reader| reader.until))
    }

    async fn lease_release(&self, name: &str, holder: InstanceId) -> StoreResult<()> {
        self.reach().await?;
        let mut data = self.data.lock();
        if let Some(reader) = data.readers.get_mut(name).filter(|reader| reader.holder == Some(holder)) {
            (reader.holder, reader.until) = (None, Timestamp::default());
        }
        Ok(())
    }

    async fn payment_get(&self, ids: &[PaymentId]) -> StoreResult<Vec<Payment>> {
        self.read(|data| ids.iter().filter_map(|id| data.payments.get(id).cloned()).collect()).await
    }

    async fn payment_list(&self, _owner: AccountId, _filter: &PaymentFilter) -> StoreResult<Vec<Payment>> {
        not_simulated()
    }

    async fn payment_scan(&self, after: Option<PaymentId>, limit: u32) -> StoreResult<Vec<Payment>> {
        self.read(|data| {
            let later = data.payments.iter().filter(|(id, _)| after.is_none_or(|after| **id > after));
            later.map(|(_, payment)| payment.clone()).take(limit as usize).collect()
        })
        .await
    }

    async fn payment_due(
        &self,
        clock: ClockId,
        upto: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<(PaymentId, Timestamp)>> {
        self.read(|data| {
            let mut due: Vec<_> = data.due_on(clock).filter(|(at, _)| *at <= upto).collect();
            due.sort_unstable();
            due.into_iter().map(|(at, id)| (id, at)).take(limit as usize).collect()
        })
        .await
    }

    async fn payment_next_due(&self, clock: ClockId, after: Timestamp) -> StoreResult<Option<Timestamp>> {
        self.read(|data| data.due_on(clock).map(|(at, _)| at).filter(|at| *at > after).min()).await
    }

    async fn clock_awake(&self, after: ClockId, limit: u32) -> StoreResult<Vec<AwakeClock>> {
        self.asked_awake.fetch_add(1, Ordering::Relaxed);
        self.read(|data| {
            let awake = data.awake.iter().filter(|clock| **clock > after);
            let found = awake.filter_map(|clock| data.resources.get(&Subject::from(*clock)));
            let clock = |(resource, _): &(Arc<Resource>, u64)| AwakeClock {
                resource: Resource::clone(resource),
                closed: false,
            };
            found.map(clock).take(limit as usize).collect()
        })
        .await
    }

    async fn clock_busy(&self, clock: ClockId, limit: u32) -> StoreResult<Vec<PaymentId>> {
        self.asked_busy.fetch_add(1, Ordering::Relaxed);
        self.read(|data| {
            let busy = data.busy.iter().filter(|(_, on)| **on == clock);
            busy.map(|(id, _)| *id).take(limit as usize).collect()
        })
        .await
    }

    async fn clock_rest(&self, clock: ClockId) -> StoreResult<bool> {
        self.reach().await?;
        let mut data = self.data.lock();
        let rests = data.due_on(clock).next().is_none();
        Ok(rests && data.awake.remove(&clock))
    }

    async fn clock_made_before(&self, _before: Timestamp, _limit: u32) -> StoreResult<Vec<Resource>> {
        self.read(|_| Vec::new()).await
    }

    async fn idempotency_get(
        &self,
        key: &[u8; 32],
        owner: AccountId,
    ) -> StoreResult<Option<IdempotencyRecord>> {
        self.read(|data| data.idempotency.get(&(*key, owner)).copied()).await
    }

    async fn answer_get(&self, key: &[u8; 32], owner: AccountId) -> StoreResult<Option<Vec<u8>>> {
        self.read(|data| data.answers.get(&(*key, owner)).map(|answer| answer.to_vec())).await
    }

    async fn resource_get(&self, subject: Subject) -> StoreResult<Option<Resource>> {
        self.read(|data| data.resources.get(&subject).map(|(resource, _)| Resource::clone(resource))).await
    }

    async fn resource_list(&self, _owner: AccountId, _filter: &ResourceFilter) -> StoreResult<Vec<Resource>> {
        not_simulated()
    }

    async fn customer_payments(
        &self,
        _customer: CustomerId,
        _filter: &PaymentFilter,
    ) -> StoreResult<Vec<Payment>> {
        not_simulated()
    }

    async fn idempotency_prune(&self, after: &[u8], before: Timestamp, limit: u32) -> StoreResult<Pruned> {
        self.reach().await?;
        let mut data = self.data.lock();
        let place = |(key, owner): &([u8; 32], AccountId)| [key.as_slice(), owner.as_bytes()].concat();
        let page = data.idempotency.iter().filter(|(key, _)| place(key).as_slice() > after);
        let page: Vec<_> = page.take(limit as usize).map(|(key, record)| (*key, record.at)).collect();
        let next = page.last().map(|(key, _)| place(key));
        let old: Vec<_> = page.into_iter().filter(|(_, at)| *at < before).collect();
        let deleted = old.len() as u64;
        for (key, _) in old {
            data.idempotency.remove(&key);
            data.answers.remove(&key);
        }
        Ok(Pruned { next, deleted })
    }

    fn aside(&self) -> &SetAside {
        &self.aside
    }

    async fn aside_list(&self, _limit: u32) -> StoreResult<Vec<AsideRecord>> {
        Ok(Vec::new())
    }

    async fn aside_save(&self, _changes: &AsideChanges) -> StoreResult<()> {
        Ok(())
    }

    async fn work_open(&self, after: Option<PaymentId>, limit: u32) -> StoreResult<Vec<Payment>> {
        let limit = limit.min(1 + u32::try_from(self.chance.below(6)).unwrap_or(0));
        self.read(|data| {
            let later = data.open_work.iter().filter(|id| after.is_none_or(|after| **id > after));
            later.filter_map(|id| data.payments.get(id).cloned()).take(limit as usize).collect()
        })
        .await
    }

    async fn work_open_count(&self) -> StoreResult<u64> {
        self.read(|data| data.open_work.len() as u64).await
    }

    async fn payment_parked(&self, _owner: AccountId, _limit: u32) -> StoreResult<Vec<Payment>> {
        not_simulated()
    }

    async fn part_get(&self, id: PartId) -> StoreResult<Option<PartRecord>> {
        self.read(|data| data.parts.get(&id).copied()).await
    }

    async fn part_list(
        &self,
        _owner: AccountId,
        _kind: PartKind,
        _filter: &PartFilter,
    ) -> StoreResult<Vec<PartRecord>> {
        not_simulated()
    }

    async fn wallet_list(&self, _owner: AccountId) -> StoreResult<Vec<WalletRecord>> {
        not_simulated()
    }

    async fn movement_list(&self, payments: &[PaymentId]) -> StoreResult<Vec<MovementRecord>> {
        self.read(|data| data.movements_of(payments)).await
    }

    async fn event_put(&self, events: &[(AccountId, Announcement)]) -> StoreResult<()> {
        self.reach().await?;
        self.data.lock().events.extend(events.iter().copied());
        Ok(())
    }

    async fn event_list(&self, _owner: AccountId, _filter: &EventFilter) -> StoreResult<Vec<Announcement>> {
        not_simulated()
    }

    async fn event_owners(&self, after: Option<AccountId>, limit: u32) -> StoreResult<Vec<AccountId>> {
        self.read(|data| {
            let owners: BTreeSet<AccountId> = data.events.iter().map(|(owner, _)| *owner).collect();
            let later = owners.into_iter().filter(|owner| after.is_none_or(|after| *owner > after));
            later.take(limit as usize).collect()
        })
        .await
    }

    async fn event_delete(
        &self,
        owner: AccountId,
        before: Timestamp,
        wall_before: Timestamp,
    ) -> StoreResult<u64> {
        self.reach().await?;
        let mut data = self.data.lock();
        let kept = data.events.len() + data.sources.len();
        let old = |at, wall| at < before && wall < wall_before;
        data.events.retain(|(of, event)| *of != owner || !old(event.at, event.wall));
        data.sources.retain(|(of, ..), source| *of != owner || !old(source.at, source.wall));
        Ok((kept - data.events.len() - data.sources.len()) as u64)
    }

    async fn event_clear(&self, owner: AccountId) -> StoreResult<u64> {
        self.reach().await?;
        let mut data = self.data.lock();
        let kept = data.events.len();
        data.events.retain(|(of, event)| *of != owner || event.id.subject.payment().is_none());
        Ok((kept - data.events.len()) as u64)
    }

    async fn event_surplus(&self, _owner: AccountId, _kept: u32) -> StoreResult<Option<Timestamp>> {
        Ok(None)
    }

    async fn source_get(&self, _places: &[SourcePlace]) -> StoreResult<Vec<EventSource>> {
        not_simulated()
    }

    async fn project(
        &self,
        reader: &str,
        holder: InstanceId,
        from: u64,
        upto: u64,
        made: &Projected,
    ) -> StoreResult<bool> {
        self.reach().await?;
        let unknown = self.chance.breaks(10);
        if unknown && self.chance.percent(50) {
            return Err(StoreError::Unavailable("simulated".to_owned()));
        }
        let mut made = made.clone();
        if self.sabotage == Sabotage::ForgottenWork {
            made.open_work.put.clear();
        }
        let kept = self.data.lock().append(reader, holder, (from, upto), &made);
        // Written, and nobody was told.
        if unknown { Err(StoreError::Unavailable("simulated".to_owned())) } else { Ok(kept) }
    }

    async fn statement_put(&self, lines: &[StatementLine]) -> StoreResult<()> {
        self.reach().await?;
        let mut data = self.data.lock();
        data.lines.extend(lines.iter().map(|line| ((line.wallet, line.place), *line)));
        Ok(())
    }

    async fn statement_list(
        &self,
        wallet: WalletId,
        filter: &StatementFilter,
    ) -> StoreResult<Vec<StatementLine>> {
        self.read(|data| data.statement(wallet, filter)).await
    }

    async fn statement_wallets(&self, after: Option<WalletId>, limit: u32) -> StoreResult<Vec<WalletId>> {
        self.read(|data| {
            let wallets: BTreeSet<WalletId> = data.lines.keys().map(|(wallet, _)| *wallet).collect();
            let later = wallets.into_iter().filter(|wallet| after.is_none_or(|after| *wallet > after));
            later.take(limit as usize).collect()
        })
        .await
    }

    async fn statement_delete(&self, wallet: WalletId, upto: u64) -> StoreResult<u64> {
        self.reach().await?;
        let mut data = self.data.lock();
        let before = data.lines.len();
        data.lines.retain(|(of, place), _| *of != wallet || place.seq > upto);
        Ok((before - data.lines.len()) as u64)
    }

    async fn import_insert(&self, _import: &ImportRecord) -> StoreResult<bool> {
        not_simulated()
    }

    async fn import_save(&self, _import: &ImportRecord, _rows: &[ImportRow]) -> StoreResult<()> {
        not_simulated()
    }

    async fn import_get(&self, _owner: AccountId, _id: ImportId) -> StoreResult<Option<ImportRecord>> {
        not_simulated()
    }

    async fn import_list(&self, _owner: AccountId, _limit: u32) -> StoreResult<Vec<ImportRecord>> {
        not_simulated()
    }

    async fn import_rows(
        &self,
        _import: ImportId,
        _after_line: u64,
        _refused_only: bool,
        _limit: u32,
    ) -> StoreResult<Vec<ImportRow>> {
        not_simulated()
    }

    async fn account_insert(&self, _account: &NewAccount) -> StoreResult<bool> {
        not_simulated()
    }

    async fn account_insert_many(&self, _accounts: &[NewAccount]) -> StoreResult<()> {
        not_simulated()
    }

    async fn account_by_email(&self, _email: &str) -> StoreResult<Option<Account>> {
        not_simulated()
    }

    async fn account_get(&self, _ids: &[AccountId]) -> StoreResult<Vec<Account>> {
        Ok(Vec::new())
    }

    async fn account_children(
        &self,
        _parent: AccountId,
        _after: Option<AccountId>,
        _limit: u32,
    ) -> StoreResult<Vec<Account>> {
        not_simulated()
    }

    async fn account_set_password(&self, _id: AccountId, _hash: &str) -> StoreResult<()> {
        not_simulated()
    }

    async fn session_insert(&self, _session: &NewSession) -> StoreResult<()> {
        not_simulated()
    }

    async fn session_get(&self, _token_hash: &[u8; 32], _now: Timestamp) -> StoreResult<Option<Session>> {
        not_simulated()
    }

    async fn session_list(&self, _account: AccountId) -> StoreResult<Vec<Session>> {
        not_simulated()
    }

    async fn session_delete(&self, _account: AccountId, _id: SessionId) -> StoreResult<bool> {
        not_simulated()
    }

    async fn account_set_clock(&self, _id: AccountId, _clock: ClockId, _now: Timestamp) -> StoreResult<bool> {
        not_simulated()
    }

    async fn account_close(&self, _id: AccountId, _now: Timestamp) -> StoreResult<bool> {
        not_simulated()
    }

    async fn mark_set(&self, _account: AccountId, _name: &str, _now: Timestamp) -> StoreResult<()> {
        not_simulated()
    }

    async fn mark_delete(&self, _account: AccountId, _name: &str) -> StoreResult<()> {
        not_simulated()
    }

    async fn mark_list(&self, _account: AccountId) -> StoreResult<Vec<(String, Timestamp)>> {
        not_simulated()
    }

    async fn session_seen(&self, _id: SessionId, _now: Timestamp) -> StoreResult<()> {
        not_simulated()
    }

    async fn api_key_insert(&self, _key: &NewApiKey) -> StoreResult<()> {
        not_simulated()
    }

    async fn api_key_get(&self, _secret_hash: &[u8; 32]) -> StoreResult<Option<ApiKey>> {
        not_simulated()
    }

    async fn api_key_list(&self, _account: AccountId) -> StoreResult<Vec<ApiKey>> {
        not_simulated()
    }

    async fn api_key_revoke(&self, _account: AccountId, _id: ApiKeyId, _now: Timestamp) -> StoreResult<bool> {
        not_simulated()
    }

    async fn request_insert(&self, _requests: &[RequestRecord]) -> StoreResult<()> {
        not_simulated()
    }

    async fn request_list(
        &self,
        _account: AccountId,
        _filter: &RequestFilter,
    ) -> StoreResult<Vec<RequestRecord>> {
        not_simulated()
    }

    async fn request_get(&self, _account: AccountId, _id: RequestId) -> StoreResult<Option<RequestRecord>> {
        not_simulated()
    }

    async fn request_prune(&self, _account: AccountId, _keep: u32) -> StoreResult<u64> {
        not_simulated()
    }

    async fn request_expire(&self, _before: Timestamp, _limit: u32) -> StoreResult<u64> {
        not_simulated()
    }

    async fn detail_put(&self, _subject: [u8; 16], _id: u64, _body: &[u8]) -> StoreResult<()> {
        not_simulated()
    }

    async fn detail_get(&self, keys: &[([u8; 16], u64)]) -> StoreResult<Vec<DetailRecord>> {
        self.read(|data| data.details_of(keys)).await
    }

    async fn installation_get(&self, name: &str) -> StoreResult<Option<Vec<u8>>> {
        Ok(self.data.lock().installation.get(name).cloned())
    }

    async fn installation_set(&self, name: &str, value: &[u8]) -> StoreResult<()> {
        self.data.lock().installation.insert(name.to_owned(), value.to_vec());
        Ok(())
    }

    async fn installation_set_once(&self, name: &str, value: &[u8]) -> StoreResult<Vec<u8>> {
        let mut data = self.data.lock();
        Ok(data.installation.entry(name.to_owned()).or_insert_with(|| value.to_vec()).clone())
    }

    async fn migrate(&self) -> StoreResult<Vec<String>> {
        Ok(Vec::new())
    }

    async fn durability(&self) -> StoreResult<Durability> {
        not_simulated()
    }

    async fn snapshots(&self, _count: usize) -> StoreResult<Vec<Box<dyn Snapshot>>> {
        Ok(vec![Box::new(SimSnapshot(self.data.lock().clone()))])
    }

    async fn ping(&self) -> StoreResult<()> {
        Ok(())
    }
}

/// What the auditor reads.
pub struct SimSnapshot(pub Data);

impl SimSnapshot {
    fn audit_row(&self, payment: &Payment) -> AuditPayment {
        let (submission, id) = (payment.submission(), payment.id());
        AuditPayment {
            id,
            folded: payment.folded_anew().map_err(|error| error.to_string()),
            owner: payment.owner(),
            status: payment.state().status.to_code(),
            kind: submission.kind.to_code(),
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
        not_simulated()
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
        not_simulated()
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
