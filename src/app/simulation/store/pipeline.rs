//! Payments, work and everything else that is read while payments are processed.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;

use super::{SimSnapshot, SimStore};
use crate::domain::ids::{AccountId, ClockId, PaymentId};
use crate::domain::payment::Payment;
use crate::domain::resource::Resource;
use crate::domain::scenario_revision::ScenarioRevision;
use crate::domain::subject::Subject;
use crate::domain::time::Timestamp;
use crate::store::{
    Account, AccountLookup, AsideChanges, AsideRecord, AsideRecords, AwakeClock, Clocks, DetailRecord,
    Details, DuePayments, Health, Idempotency, IdempotencyRecord, Installation, MovementRecord, Movements,
    OpenWork, Payments, Pruned, Resources, RevisionRecord, ScenarioLookup, SetAside, Snapshot, Snapshots,
    StoreResult,
};

#[async_trait]
impl Payments for SimStore {
    async fn payment_get(&self, ids: &[PaymentId]) -> StoreResult<Vec<Payment>> {
        self.read(|data| ids.iter().filter_map(|id| data.payments.get(id).cloned()).collect()).await
    }

    async fn payment_scan(&self, after: Option<PaymentId>, limit: u32) -> StoreResult<Vec<Payment>> {
        self.read(|data| {
            let later = data.payments.iter().filter(|(id, _)| after.is_none_or(|after| **id > after));
            later.map(|(_, payment)| payment.clone()).take(limit as usize).collect()
        })
        .await
    }
}

#[async_trait]
impl DuePayments for SimStore {
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
}

#[async_trait]
impl OpenWork for SimStore {
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
}

#[async_trait]
impl Clocks for SimStore {
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
}

#[async_trait]
impl Idempotency for SimStore {
    async fn idempotency_get(
        &self,
        key: &[u8; 32],
        owner: AccountId,
    ) -> StoreResult<Option<IdempotencyRecord>> {
        self.read(|data| data.idempotency.get(&(*key, owner)).copied()).await
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

    async fn answer_get(&self, key: &[u8; 32], owner: AccountId) -> StoreResult<Option<Vec<u8>>> {
        self.read(|data| data.answers.get(&(*key, owner)).map(|answer| answer.to_vec())).await
    }
}

#[async_trait]
impl Resources for SimStore {
    async fn resource_get(&self, subject: Subject) -> StoreResult<Option<Resource>> {
        self.read(|data| data.resources.get(&subject).map(|(resource, _)| Resource::clone(resource))).await
    }
}

#[async_trait]
impl Movements for SimStore {
    async fn movement_list(&self, payments: &[PaymentId]) -> StoreResult<Vec<MovementRecord>> {
        self.read(|data| data.movements_of(payments)).await
    }
}

#[async_trait]
impl AsideRecords for SimStore {
    fn aside(&self) -> &SetAside {
        &self.aside
    }

    async fn aside_list(&self, _limit: u32) -> StoreResult<Vec<AsideRecord>> {
        Ok(Vec::new())
    }

    async fn aside_save(&self, _changes: &AsideChanges) -> StoreResult<()> {
        Ok(())
    }
}

#[async_trait]
impl AccountLookup for SimStore {
    async fn account_by_email(&self, _email: &str) -> StoreResult<Option<Account>> {
        Ok(None)
    }

    async fn account_get(&self, _ids: &[AccountId]) -> StoreResult<Vec<Account>> {
        Ok(Vec::new())
    }
}

/// No account here puts a scenario in force.
#[async_trait]
impl ScenarioLookup for SimStore {
    async fn scenario_revisions(&self, _revisions: &[ScenarioRevision]) -> StoreResult<Vec<RevisionRecord>> {
        Ok(Vec::new())
    }

    async fn scenario_file(&self, _hash: &[u8; 32]) -> StoreResult<Option<Vec<u8>>> {
        Ok(None)
    }
}

#[async_trait]
impl Details for SimStore {
    async fn detail_put(&self, subject: [u8; 16], id: u64, body: &[u8]) -> StoreResult<()> {
        self.data.lock().details.entry((subject, id)).or_insert_with(|| body.to_vec());
        Ok(())
    }

    async fn detail_get(&self, keys: &[([u8; 16], u64)]) -> StoreResult<Vec<DetailRecord>> {
        self.read(|data| {
            let body = |key: &([u8; 16], u64)| data.details.get(key).cloned();
            let record =
                |key: &([u8; 16], u64)| Some(DetailRecord { subject: key.0, id: key.1, body: body(key)? });
            keys.iter().filter_map(record).collect()
        })
        .await
    }
}

#[async_trait]
impl Installation for SimStore {
    async fn installation_get(&self, name: &str) -> StoreResult<Option<Vec<u8>>> {
        Ok(self.data.lock().installation.get(name).cloned())
    }

    async fn installation_set_once(&self, name: &str, value: &[u8]) -> StoreResult<Vec<u8>> {
        let mut data = self.data.lock();
        Ok(data.installation.entry(name.to_owned()).or_insert_with(|| value.to_vec()).clone())
    }

    async fn installation_set(&self, name: &str, value: &[u8]) -> StoreResult<()> {
        self.data.lock().installation.insert(name.to_owned(), value.to_vec());
        Ok(())
    }
}

#[async_trait]
impl Snapshots for SimStore {
    async fn snapshots(&self, _count: usize) -> StoreResult<Vec<Box<dyn Snapshot>>> {
        Ok(vec![Box::new(SimSnapshot(self.data.lock().clone()))])
    }
}

#[async_trait]
impl Health for SimStore {
    async fn ping(&self) -> StoreResult<()> {
        Ok(())
    }
}
