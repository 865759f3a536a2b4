//! Keeps the batches that this process committed recently in memory, so that its own readers need not ask the store for
//! them.
//!
//! Bounded by bytes: what does not fit is read from the journal. Also the payments with open work, by id, so that a
//! worker finds the payment a message names without a query: those it queued last, since it may never learn what became
//! of the others.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lru::LruCache;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::batch::{Batch, Entry};
use crate::domain::ids::PaymentId;
use crate::domain::payment::{Payment, WorkKey};
use crate::engine::OpenPayments;
use crate::engine::journal::JournalEntry;
use crate::engine::writer::{CommitListener, Committed};

/// Payments with open work may take this part of the memory, as a divisor; the batches have the rest.
const OPEN_SHARE: usize = 2;

/// Recent batches, and the journal's head as far as this process knows it.
pub struct Ring {
    recent: Mutex<Recent>,
    head: AtomicU64,
    /// Wakes those who wait for the head, in the order in which they came, which a simulation can repeat.
    head_moved: Notify,
    /// Wakes the timers when this process has committed something that concerns them. Counts how often clocks and
    /// accounts, by which batches are decided as well, may have changed.
    for_timers: watch::Sender<u64>,
}

struct Recent {
    batches: VecDeque<Arc<Batch>>,
    bytes: usize,
    bytes_max: usize,
    open: Open,
}

/// Payments with open work. A worker reads those that do not fit from the store.
struct Open {
    /// In order of last use.
    payments: LruCache<PaymentId, Arc<Payment>>,
    bytes: usize,
    bytes_max: usize,
}

impl Ring {
    /// A ring that holds about `bytes`, of a journal whose head is at `head`.
    #[must_use]
    pub fn new(bytes: usize, head: u64) -> Self {
        let open_max = bytes / OPEN_SHARE;
        let recent = Recent {
            batches: VecDeque::new(),
            bytes: 0,
            bytes_max: bytes - open_max,
            open: Open { payments: LruCache::unbounded(), bytes: 0, bytes_max: open_max },
        };
        Self {
            recent: Mutex::new(recent),
            head: AtomicU64::new(head),
            head_moved: Notify::new(),
            for_timers: watch::Sender::new(0),
        }
    }

    /// The batch at `seq`, if this process committed it recently.
    #[must_use]
    pub fn get(&self, seq: u64) -> Option<Arc<Batch>> {
        let recent = self.recent.lock();
        // Nearly always contiguous, since nearly always one process writes.
        let at = recent.batches.binary_search_by_key(&seq, |batch| batch.seq).ok()?;
        recent.batches.get(at).cloned()
    }

    /// The journal's head as far as this process knows it.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    /// Waits until the head is beyond `seq`, and returns it. Safe to cancel.
    pub async fn head_past(&self, seq: u64) -> u64 {
        loop {
            let mut moved = std::pin::pin!(self.head_moved.notified());
            // Before looking, so that nothing is missed in between.
            moved.as_mut().enable();
            let head = self.head();
            if head > seq {
                return head;
            }
            moved.await;
        }
    }

    /// The signal for the timers. It wakes them when this process has committed something that is due or follows a test
    /// clock. The number moves whenever clocks or accounts may have changed, also when another process wrote.
    #[must_use]
    pub fn for_timers(&self) -> watch::Receiver<u64> {
        self.for_timers.subscribe()
    }

    /// Notes a batch read from the journal: if another process committed it, what is known here of its payments is out of
    /// date.
    pub fn overtaken(&self, batch: &Batch) {
        let mut recent = self.recent.lock();
        for entry in &batch.entries {
            let known = recent.open.payments.peek(&entry.payment_id);
            if known.is_some_and(|known| known.version() < entry.last_version()) {
                recent.open.remove(entry.payment_id);
            }
        }
    }

    /// About how many bytes it holds: in batches, and in payments with open work.
    #[must_use]
    pub fn memory_bytes(&self) -> (usize, usize) {
        let recent = self.recent.lock();
        (recent.bytes, recent.open.bytes)
    }

    /// Notes that another process has committed up to `seq`.
    pub fn note_head(&self, seq: u64) {
        if self.head() < seq {
            self.notify_timers(true, false);
            self.move_head(seq);
        }
    }

    fn move_head(&self, seq: u64) {
        if self.head.fetch_max(seq, Ordering::AcqRel) < seq {
            self.head_moved.notify_waiters();
        }
    }

    fn notify_timers(&self, may_have_changed: bool, wakes: bool) {
        self.for_timers.send_if_modified(|changes| {
            *changes += u64::from(may_have_changed);
            wakes
        });
    }
}

impl OpenPayments for Ring {
    fn open_payment(&self, id: PaymentId) -> Option<Arc<Payment>> {
        self.recent.lock().open.payments.get(&id).cloned()
    }
}

impl CommitListener for Ring {
    fn committed(&self, batch: Committed) {
        let (seq, settings_changed) = (batch.seq, batch.settings_changed);
        // The timers find out for themselves what is due first, and what a clock waits for.
        let concerns = |payment: &Payment| payment.due_at().is_some() || !payment.clock().is_wall();
        let wakes = settings_changed || batch.changes.iter().any(|(_, payment)| concerns(payment));
        self.recent.lock().push(Arc::new(Batch::from(batch)));
        let follows = self.head().checked_add(1) == Some(seq);
        self.move_head(seq);
        if wakes || !follows {
            self.notify_timers(settings_changed || !follows, wakes);
        }
    }
}

impl Recent {
    fn push(&mut self, batch: Arc<Batch>) {
        for entry in &batch.entries {
            match &entry.payment {
                Some(payment) if payment.queued_work().next().is_some() => self.open.put(payment),
                Some(_) => self.open.remove(entry.payment_id),
                None => {}
            }
        }
        self.bytes += batch.bytes;
        self.batches.push_back(batch);
        while self.bytes > self.bytes_max
            && let Some(oldest) = self.batches.pop_front()
        {
            self.bytes -= oldest.bytes;
        }
    }
}

impl Open {
    fn put(&mut self, payment: &Arc<Payment>) {
        self.bytes += payment.memory_bytes();
        if let Some(before) = self.payments.put(payment.id(), Arc::clone(payment)) {
            self.bytes -= before.memory_bytes();
        }
        while self.bytes > self.bytes_max
            && let Some((_, unused)) = self.payments.pop_lru()
        {
            self.bytes -= unused.memory_bytes();
        }
    }

    fn remove(&mut self, id: PaymentId) {
        if let Some(payment) = self.payments.pop(&id) {
            self.bytes -= payment.memory_bytes();
        }
    }
}

impl From<Committed> for Batch {
    fn from(committed: Committed) -> Self {
        let entries =
            committed.changes.into_iter().map(|(entry, payment)| Entry::new(entry, Some(payment))).collect();
        Self::new(committed.seq, committed.at, Some(committed.committed_at), entries)
    }
}

impl Entry {
    /// An entry of the journal, with the payment if it is at hand.
    #[must_use]
    pub fn new(entry: JournalEntry, payment: Option<Arc<Payment>>) -> Self {
        let JournalEntry {
            payment: payment_id,
            owner,
            payee,
            lane,
            run,
            first_version,
            events,
            work,
            keys: _,
            open,
        } = entry;
        let key = |(operation, attempt)| WorkKey { payment: payment_id, operation, attempt };
        let work = work.into_iter().map(key).collect();
        Self { payment_id, owner, payee, lane, run, first_version, events, work, open, payment }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::currency::Currency;
    use crate::domain::event::{Event, Recorded};
    use crate::domain::ids::{AccountId, ChargeId, ClockId};
    use crate::domain::instrument::Instrument;
    use crate::domain::money::Money;
    use crate::domain::submission::{CaptureMethod, Kind, Lane, Submission};
    use crate::domain::time::Timestamp;

    const METADATA_BYTES: usize = 25_000;

    /// A payment with an open authorisation, and its journal entry.
    fn queued(number: u64, metadata_bytes: usize) -> (JournalEntry, Arc<Payment>) {
        queued_on(ClockId::WALL, number, metadata_bytes)
    }

    fn queued_on(clock: ClockId, number: u64, metadata_bytes: usize) -> (JournalEntry, Arc<Payment>) {
        let submission = Submission {
            id: PaymentId::from_bytes(u128::from(number).to_be_bytes()),
            owner: AccountId::from_bytes([1; 16]),
            kind: Kind::Charge,
            amount: Money::new(100, Currency::EUR),
            capture: CaptureMethod::Automatic,
            lane: Lane::Bulk,
            draw_key: 0,
            description: None,
            metadata: vec![("note".to_owned(), "x".repeat(metadata_bytes))],
            run: None,
            customer: None,
            clock,
        };
        let created = Event::Created { instrument: None, confirmed: false, reserved: false };
        let payment =
            Payment::open(Arc::new(submission), Recorded::on_wall(Timestamp::from_micros(1), created));
        let mut payment = payment.expect("it opens");
        let event =
            Event::Confirmed { instrument: Instrument::Wallet, charge: ChargeId::from_bytes([8; 16]) };
        let confirmed = Recorded::on_wall(Timestamp::from_micros(2), event);
        payment.apply(confirmed).expect("it goes");
        let entry = JournalEntry {
            payment: payment.id(),
            owner: payment.owner(),
            payee: None,
            lane: Lane::Bulk,
            run: None,
            first_version: 1,
            events: payment.history().to_vec(),
            work: vec![(1, 1)],
            keys: Vec::new(),
            open: Some(true),
        };
        (entry, Arc::new(payment))
    }

    fn commit(ring: &Ring, seq: u64, changes: Vec<(JournalEntry, Arc<Payment>)>) {
        let at = Timestamp::from_micros(3);
        ring.committed(Committed { seq, at, committed_at: at, changes, settings_changed: false });
    }

    #[test]
    fn memory_is_bounded_by_what_payments_hold_not_by_their_number() {
        const BYTES: usize = 1 << 20;
        let ring = Ring::new(BYTES, 0);
        for seq in 1..=200 {
            commit(&ring, seq, vec![queued(seq, METADATA_BYTES)]);
            let (batches, open) = ring.memory_bytes();
            assert!(batches + open <= BYTES, "{batches} and {open} at {seq}");
        }
        let (batches, open) = ring.memory_bytes();
        assert!(batches > BYTES / 4 && open > BYTES / 4, "{batches} and {open}: it is used all the same");
        let kept = (1..=200).filter(|seq| ring.get(*seq).is_some()).count();
        assert!((10..=21).contains(&kept), "{kept} batches of 25 kB in half a megabyte");
        assert!(ring.get(200).is_some() && ring.get(1).is_none(), "the latest");
        // The same number of small ones fits whole.
        let ring = Ring::new(BYTES, 0);
        (1..=200).for_each(|seq| commit(&ring, seq, vec![queued(seq, 10)]));
        assert!((1..=200).all(|seq| ring.get(seq).is_some()));
    }

    #[test]
    fn one_batch_that_is_too_large_is_read_from_the_store() {
        let ring = Ring::new(10_000, 0);
        commit(&ring, 1, vec![queued(1, METADATA_BYTES)]);
        assert_eq!((ring.head(), ring.get(1).is_none(), ring.memory_bytes()), (1, true, (0, 0)));
    }

    #[test]
    fn open_payments_make_room_for_later_ones_and_go_when_others_close_them() {
        let ring = Ring::new(400_000, 0);
        let id = |number: u64| PaymentId::from_bytes(u128::from(number).to_be_bytes());
        (1..=1_000).for_each(|seq| commit(&ring, seq, vec![queued(seq, 10)]));
        assert!(ring.open_payment(id(1)).is_none(), "nobody ever said what became of it");
        assert!(ring.open_payment(id(1_000)).is_some(), "the latest are there whatever was before");
        // Another process answered it: the journal shows one event more than is known here.
        let (mut entry, payment) = queued(1_000, 10);
        ring.overtaken(&Batch::new(
            1_001,
            Timestamp::from_micros(4),
            None,
            vec![Entry::new(entry.clone(), None)],
        ));
        assert!(ring.open_payment(id(1_000)).is_some(), "an old batch, read again, says nothing new");
        entry.first_version = payment.version() + 1;
        entry.events.truncate(1);
        ring.overtaken(&Batch::new(1_002, Timestamp::from_micros(5), None, vec![Entry::new(entry, None)]));
        assert!(ring.open_payment(id(1_000)).is_none());
        let (_, open) = ring.memory_bytes();
        (1..=1_000).for_each(|number| ring.recent.lock().open.remove(id(number)));
        assert!(open > 0 && ring.memory_bytes().1 == 0, "what is counted is what is there");
    }

    #[test]
    fn timers_see_each_change_of_settings_and_wake_for_what_concerns_them() {
        let ring = Ring::new(1 << 20, 4);
        let mut signal = ring.for_timers();
        let at = Timestamp::from_micros(3);
        let mut seen = || {
            let woken = signal.has_changed().unwrap();
            (*signal.borrow_and_update(), woken)
        };
        let commit = |seq, settings_changed| {
            ring.committed(Committed { seq, at, committed_at: at, changes: Vec::new(), settings_changed });
        };
        commit(5, false);
        assert_eq!(seen(), (0, false), "nothing that concerns them");
        commit(6, true);
        assert_eq!(seen(), (1, true));
        // Another process wrote, and may have written anything: known from its head, or from the gap before the next
        // commit here.
        ring.note_head(8);
        ring.note_head(8);
        assert_eq!(seen(), (2, false));
        commit(10, false);
        assert_eq!(seen(), (3, false));
        commit(11, false);
        assert_eq!(seen(), (3, false));
        let mut change = |seq, clock| {
            let changes = vec![queued_on(clock, seq, 10)];
            ring.committed(Committed { seq, at, committed_at: at, changes, settings_changed: false });
            seen()
        };
        assert_eq!(change(12, ClockId::WALL), (3, false), "nothing of it is due");
        assert_eq!(change(13, ClockId::from_bytes([2; 16])), (3, true), "its clock may wait for it");
    }
}
