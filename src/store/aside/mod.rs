//! Sets aside payments and rows that cannot be read or decided, so that one of them holds up none of the others.
//!
//! The list is bounded, and in memory, where the timers, the workers and the readers look. [`save`] writes it to the store, so that
//! every instance shows it and a restart knows it. Each item is tried again after a while, in case it was repaired.

pub(in crate::store) mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

pub use table::AsideRecords;

use super::{PipelineStore, StoreError, StoreResult};
use crate::domain::ids::PaymentId;
use crate::domain::time::Timestamp;

/// The most items held in memory and shown; past it the oldest makes room.
pub const ASIDE_MAX: usize = 1_024;
/// How long an item rests before it is tried again.
const AGAIN_AFTER_MS: u64 = 5 * 60 * 1_000;
const CAUSE_CHARS_MAX: usize = 400;

/// What can be set aside. The text form is the key in the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A payment.
    Payment(PaymentId),
    /// A row without a readable id, by its table and key.
    Row(String),
}

impl Subject {
    /// The row of this table under a key that is no id.
    #[must_use]
    pub fn row(table: &str, key: &[u8]) -> Self {
        let hex: String = key.iter().take(24).map(|byte| format!("{byte:02x}")).collect();
        Self::Row(format!("{table} row {hex}"))
    }

    /// The key under which it is stored.
    #[must_use]
    pub fn to_key(&self) -> String {
        match self {
            Self::Payment(id) => id.to_string(),
            Self::Row(key) => key.clone(),
        }
    }

    /// Reads [`Self::to_key`] back.
    #[must_use]
    pub fn from_key(key: &str) -> Self {
        key.parse().map_or_else(|_| Self::Row(key.to_owned()), Self::Payment)
    }
}

/// Why something was set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsideReason {
    /// What is stored cannot be read.
    Unreadable,
    /// It can be read, but what it asks for can be neither done nor refused.
    Undecidable,
}

impl AsideReason {
    /// The number stored.
    #[must_use]
    pub const fn to_code(self) -> i16 {
        match self {
            Self::Unreadable => 1,
            Self::Undecidable => 2,
        }
    }

    /// The reason stored under this number.
    #[must_use]
    pub const fn from_code(code: i16) -> Self {
        match code {
            2 => Self::Undecidable,
            _ => Self::Unreadable,
        }
    }
}

/// An item as kept and shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AsideRecord {
    /// The payment or row.
    pub subject: Subject,
    /// Why, as a class.
    pub reason: AsideReason,
    /// Why, in words.
    pub cause: String,
    /// When it was first set aside.
    pub first_at: Timestamp,
    /// When it was last found to be still broken.
    pub last_at: Timestamp,
}

struct Item {
    reason: AsideReason,
    cause: String,
    /// `None` until [`SetAside::changes`] has seen it.
    first_at: Option<Timestamp>,
    last_at: Option<Timestamp>,
    /// Whether it may be tried again.
    again: bool,
}

/// What is set aside, as this process knows it.
#[derive(Default)]
pub struct SetAside {
    items: Mutex<Items>,
    /// The number of items, so that looking costs nothing while there are none.
    count: AtomicUsize,
}

#[derive(Default)]
struct Items {
    by_subject: BTreeMap<Subject, Item>,
    removed: BTreeSet<Subject>,
}

/// What is to be written to the store.
#[derive(Debug, Default)]
pub struct AsideChanges {
    /// New, or still broken.
    pub save: Vec<AsideRecord>,
    /// Repaired, or crowded out.
    pub remove: Vec<Subject>,
}

impl SetAside {
    /// Sets something aside, or notes that it is still broken.
    pub fn note(&self, subject: Subject, reason: AsideReason, cause: &str) {
        let mut items = self.items.lock();
        let cause: String = cause.chars().take(CAUSE_CHARS_MAX).collect();
        if let Some(item) = items.by_subject.get_mut(&subject) {
            let news = item.again || item.cause != cause;
            (item.reason, item.cause, item.again) = (reason, cause, false);
            if news {
                item.last_at = None;
            }
            return;
        }
        tracing::error!(subject = subject.to_key(), cause, "set aside; the others go on");
        if items.by_subject.len() >= ASIDE_MAX {
            let oldest = items.by_subject.iter().min_by_key(|(_, item)| item.first_at.unwrap_or_else(latest));
            if let Some(oldest) = oldest.map(|(subject, _)| subject.clone()) {
                items.by_subject.remove(&oldest);
                items.removed.insert(oldest);
            }
        }
        items.removed.remove(&subject);
        items.by_subject.insert(subject, Item { reason, cause, first_at: None, last_at: None, again: false });
        self.count.store(items.by_subject.len(), Ordering::Release);
    }

    /// The same for a payment.
    pub fn note_payment(&self, payment: PaymentId, reason: AsideReason, cause: &str) {
        self.note(Subject::Payment(payment), reason, cause);
    }

    /// How many items there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Whether nothing is set aside.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether this payment is to be left alone for now.
    #[must_use]
    pub fn holds(&self, payment: PaymentId) -> bool {
        self.count.load(Ordering::Acquire) > 0
            && self.items.lock().by_subject.get(&Subject::Payment(payment)).is_some_and(|item| !item.again)
    }

    /// Why this payment cannot be read; `None` unless that is known.
    #[must_use]
    pub fn unreadable(&self, payment: PaymentId) -> Option<String> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let items = self.items.lock();
        let item = items.by_subject.get(&Subject::Payment(payment))?;
        (item.reason == AsideReason::Unreadable).then(|| item.cause.clone())
    }

    /// Takes back payments that were read or decided after all.
    pub fn take_back(&self, payments: impl Iterator<Item = PaymentId>) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut items = self.items.lock();
        for payment in payments {
            items.take_back(Subject::Payment(payment));
        }
        self.count.store(items.by_subject.len(), Ordering::Release);
    }

    /// The changes since the last time, stamped with this time. Items that have rested long enough may be tried again.
    pub fn changes(&self, now: Timestamp) -> AsideChanges {
        let mut items = self.items.lock();
        let mut changes = AsideChanges { save: Vec::new(), remove: Vec::new() };
        for (subject, item) in &mut items.by_subject {
            match item.last_at {
                Some(last_at) => item.again |= last_at.plus_ms(AGAIN_AFTER_MS) <= now,
                None => {
                    let first_at = *item.first_at.get_or_insert(now);
                    item.last_at = Some(now);
                    changes.save.push(AsideRecord {
                        subject: subject.clone(),
                        reason: item.reason,
                        cause: item.cause.clone(),
                        first_at,
                        last_at: now,
                    });
                }
            }
        }
        changes.remove = std::mem::take(&mut items.removed).into_iter().collect();
        changes
    }

    /// Makes changes that could not be written count as new again.
    fn put_back(&self, changes: AsideChanges) {
        let mut items = self.items.lock();
        for record in changes.save {
            if let Some(item) = items.by_subject.get_mut(&record.subject) {
                item.last_at = None;
            }
        }
        items.removed.extend(changes.remove);
    }

    /// Takes over what the store knows, each item to be tried again.
    pub fn adopt(&self, records: Vec<AsideRecord>) {
        let mut items = self.items.lock();
        for record in records {
            let (first_at, last_at) = (Some(record.first_at), Some(record.last_at));
            let item = Item { reason: record.reason, cause: record.cause, first_at, last_at, again: true };
            items.by_subject.entry(record.subject).or_insert(item);
        }
        self.count.store(items.by_subject.len(), Ordering::Release);
    }

    /// Payments that could not be read and may be tried again.
    fn to_look_at(&self) -> Vec<PaymentId> {
        let items = self.items.lock();
        let due = |item: &Item| item.again && item.reason == AsideReason::Unreadable;
        let payment = |(subject, item): (&Subject, &Item)| match subject {
            Subject::Payment(id) if due(item) => Some(*id),
            Subject::Payment(_) | Subject::Row(_) => None,
        };
        items.by_subject.iter().filter_map(payment).collect()
    }

    /// Forgets rows that were not found damaged again: nothing else shows that a row was repaired.
    fn forget_old_rows(&self) {
        let mut items = self.items.lock();
        let old = |(subject, item): (&Subject, &Item)| match subject {
            Subject::Row(_) if item.again => Some(subject.clone()),
            Subject::Row(_) | Subject::Payment(_) => None,
        };
        let old: Vec<Subject> = items.by_subject.iter().filter_map(old).collect();
        old.into_iter().for_each(|subject| items.take_back(subject));
        self.count.store(items.by_subject.len(), Ordering::Release);
    }
}

impl Items {
    fn take_back(&mut self, subject: Subject) {
        if self.by_subject.remove(&subject).is_some() {
            tracing::info!(subject = subject.to_key(), "no longer set aside");
            self.removed.insert(subject);
        }
    }
}

const fn latest() -> Timestamp {
    Timestamp::from_micros(i64::MAX)
}

/// Looks again at what may have been repaired.
///
/// # Errors
/// The store's.
pub async fn look_again(store: &dyn PipelineStore) -> StoreResult<()> {
    store.aside().forget_old_rows();
    let ids = store.aside().to_look_at();
    if ids.is_empty() {
        return Ok(());
    }
    // Reading notes again what still cannot be read.
    let well = store.payment_get(&ids).await?;
    store.aside().take_back(well.iter().map(crate::domain::payment::Payment::id));
    Ok(())
}

/// Writes what changed since the last time.
///
/// # Errors
/// The store's; the changes are then tried again the next time.
pub async fn save(store: &dyn PipelineStore, now: Timestamp) -> Result<(), StoreError> {
    let changes = store.aside().changes(now);
    if changes.save.is_empty() && changes.remove.is_empty() {
        return Ok(());
    }
    store.aside_save(&changes).await.inspect_err(|_| store.aside().put_back(changes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_micros(1_767_225_600_000_000).plus_ms(ms)
    }

    fn payment(n: u16) -> PaymentId {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&n.to_be_bytes());
        PaymentId::from_bytes(id)
    }

    #[test]
    fn an_item_is_reported_once_rests_and_is_tried_again() {
        let aside = SetAside::default();
        let one = payment(1);
        assert!(!aside.holds(one));
        (0..3).for_each(|_| aside.note_payment(one, AsideReason::Unreadable, "torn"));
        assert!(aside.holds(one) && aside.unreadable(one).as_deref() == Some("torn"));
        assert_eq!(aside.changes(at(0)).save.len(), 1);
        aside.note_payment(one, AsideReason::Unreadable, "torn");
        assert!(aside.changes(at(1)).save.is_empty(), "nothing new about it");
        aside.changes(at(AGAIN_AFTER_MS));
        assert!(!aside.holds(one), "it may be tried again");
        assert_eq!(aside.to_look_at(), [one]);
        aside.note_payment(one, AsideReason::Unreadable, "torn");
        let saved = aside.changes(at(AGAIN_AFTER_MS + 5)).save;
        assert_eq!((saved[0].first_at, saved[0].last_at), (at(0), at(AGAIN_AFTER_MS + 5)));
        aside.take_back([one, payment(2)].into_iter());
        assert!(!aside.holds(one) && aside.unreadable(one).is_none());
        assert_eq!(aside.changes(at(2)).remove, [Subject::Payment(one)]);
    }

    #[test]
    fn however_much_is_damaged_memory_is_bounded() {
        let aside = SetAside::default();
        for n in 0..3_000 {
            aside.note_payment(payment(n), AsideReason::Undecidable, &"x".repeat(10_000));
            if n % 100 == 0 {
                aside.changes(at(u64::from(n)));
            }
        }
        let items = aside.items.lock();
        assert_eq!(items.by_subject.len(), ASIDE_MAX);
        assert!(items.by_subject.values().all(|item| item.cause.len() <= CAUSE_CHARS_MAX));
        drop(items);
        assert!(aside.holds(payment(2_999)) && !aside.holds(payment(0)), "the oldest made room");
    }

    #[test]
    fn keys_read_back() {
        for subject in [Subject::Payment(payment(7)), Subject::row("payment", b"\x01")] {
            assert_eq!(Subject::from_key(&subject.to_key()), subject);
        }
    }
}
