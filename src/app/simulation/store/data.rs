//! The simulated disk: tables in memory, and what a batch does to them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::super::clocks::BEGIN_US;
use crate::domain::announcement::Announcement;
use crate::domain::ids::{AccountId, BatchId, ClockId, InstanceId, PartId, PaymentId};
use crate::domain::ledger::Holdings;
use crate::domain::payment::Payment;
use crate::domain::resource::{Body, Resource};
use crate::domain::statement::{LinePlace, StatementLine};
use crate::domain::subject::Subject;
use crate::domain::time::Timestamp;
use crate::domain::wallet::WalletId;
use crate::store::{
    AnswerWrite, BatchKeys, BatchWrite, CustomerPaymentRecord, DetailRecord, EventSource, IdempotencyRecord,
    JournalRecord, Loaded, MovementRecord, PartRecord, Projected, ReceiptRecord, SourcePlace,
    StatementFilter, StoreError, StoreResult,
};

/// What is on the disk.
#[derive(Clone, Default)]
pub struct Data {
    pub head: u64,
    /// The latest time of a batch.
    pub wall: Timestamp,
    pub payments: BTreeMap<PaymentId, Payment>,
    pub(super) due: BTreeMap<(PaymentId, ClockId), Timestamp>,
    pub(super) busy: BTreeMap<PaymentId, ClockId>,
    pub(super) awake: BTreeSet<ClockId>,
    pub open_work: BTreeSet<PaymentId>,
    pub(super) parked: BTreeMap<PaymentId, AccountId>,
    pub movements: BTreeMap<(PaymentId, u32, u8), MovementRecord>,
    pub wallets: BTreeMap<WalletId, Holdings>,
    pub parts: BTreeMap<PartId, PartRecord>,
    pub receipts: BTreeSet<ReceiptRecord>,
    pub idempotency: BTreeMap<([u8; 32], AccountId), IdempotencyRecord>,
    pub answers: BTreeMap<([u8; 32], AccountId), Arc<[u8]>>,
    /// With the journal position of the last change.
    pub resources: BTreeMap<Subject, (Arc<Resource>, u64)>,
    pub customer_payments: BTreeSet<CustomerPaymentRecord>,
    pub details: BTreeMap<([u8; 16], u64), Vec<u8>>,
    pub journal: BTreeMap<u64, JournalRecord>,
    pub lines: BTreeMap<(WalletId, LinePlace), StatementLine>,
    pub events: BTreeSet<(AccountId, Announcement)>,
    pub sources: BTreeMap<SourcePlace, EventSource>,
    pub readers: BTreeMap<String, ReaderRow>,
    pub installation: BTreeMap<String, Vec<u8>>,
    /// The versions that payments had at the ends of batches: what anyone may ever have seen.
    pub ends: BTreeSet<(PaymentId, u32)>,
    /// What a writer wrongly took for stored.
    pub stale: Vec<String>,
}

/// A cursor and its lease.
#[derive(Clone, Copy, Default)]
pub struct ReaderRow {
    pub position: u64,
    pub(super) holder: Option<InstanceId>,
    pub(super) until: Timestamp,
}

impl Data {
    /// `seq` is the position of the batch, or what the writer is made to take for it.
    pub(super) fn load(&self, seq: u64, keys: &BatchKeys) -> Loaded {
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

    pub(super) fn is_gone(&self, clock: ClockId) -> bool {
        let found = self.resources.get(&Subject::from(clock));
        !clock.is_wall() && found.is_none_or(|(resource, _)| resource.body.is_none())
    }

    /// What is due on a clock, and when.
    pub(super) fn due_on(&self, clock: ClockId) -> impl Iterator<Item = (Timestamp, PaymentId)> {
        self.due.iter().filter(move |((_, on), _)| *on == clock).map(|((id, _), at)| (*at, *id))
    }

    /// The clocks that anything loaded follows.
    pub(super) fn load_clocks(&self, keys: &BatchKeys, loaded: &mut Loaded) {
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

    /// Notes what a batch loaded that is not stored here.
    pub(super) fn compare(&mut self, loaded: &Loaded) {
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

    /// Keeps all of a batch, or nothing of it.
    pub(super) fn keep(
        &mut self,
        seq: u64,
        batch: BatchId,
        write: &BatchWrite,
        body: Vec<u8>,
    ) -> StoreResult<()> {
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

    pub(super) fn movements_of(&self, payments: &[PaymentId]) -> Vec<MovementRecord> {
        let of = |id: &PaymentId| self.movements.range((*id, 0, 0)..=(*id, u32::MAX, u8::MAX));
        payments.iter().flat_map(of).map(|(_, row)| *row).collect()
    }

    pub(super) fn append(
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

    /// Applies the filters by place; the others are not simulated.
    pub(super) fn statement(&self, wallet: WalletId, filter: &StatementFilter) -> Vec<StatementLine> {
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

    pub(super) fn details_of(&self, keys: &[([u8; 16], u64)]) -> Vec<DetailRecord> {
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

    /// Whether nothing is queued and nothing is due before long: disputes may stay open for weeks.
    pub fn is_at_rest(&self) -> bool {
        let far = Timestamp::from_micros(BEGIN_US).plus_ms(24 * 3_600 * 1_000);
        self.open_payments().next().is_none() && self.due.values().all(|at| *at > far)
    }
}
