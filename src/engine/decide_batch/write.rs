//! Builds what a decided batch writes: the rows, in the order of their keys, and the body of the journal.

use std::sync::Arc;

use super::clocked;
use super::state::BatchState;
use super::touched::TouchedPayment;
use crate::domain::event::Event;
use crate::domain::ids::{ClockId, IdMap, PaymentId};
use crate::domain::payment::{Payment, WorkKey};
use crate::domain::subject::Subject;
use crate::domain::submission::Kind;
use crate::engine::journal::{self, JournalEntry, ResourceEntry};
use crate::store::{
    BatchWrite, Beside, CustomerPaymentRecord, EventSource, PartKind, PartRecord, ReceiptRecord,
};

/// The end of a batch.
#[derive(Default)]
pub(super) struct Finished {
    pub write: BatchWrite,
    /// The payments that changed, with their journal entries.
    pub changes: Vec<(JournalEntry, Arc<Payment>)>,
    /// All payments that the batch knows.
    pub payments: IdMap<PaymentId, Arc<Payment>>,
    pub defect: Option<String>,
}

/// The fingerprints of the idempotency rows that are written, by subject.
type Fingerprints = IdMap<Subject, Vec<u64>>;

impl BatchState<'_> {
    /// Ends the batch.
    pub fn finish(mut self) -> Finished {
        let mut finished = Finished { defect: self.defect.take(), ..Finished::default() };
        finished.payments.reserve(self.touched.len());
        let mut keys = self.keys.fingerprints();
        self.finish_changed(&mut finished, &mut keys);
        let remembered = finish_unchanged(std::mem::take(&mut self.touched), &mut finished, &mut keys);
        let resources = self.write_rows(&mut finished.write, &mut keys);
        finished.write_journal(&remembered, &resources);
        finished
    }

    /// The payments that changed, in the order in which they first did.
    fn finish_changed(&mut self, finished: &mut Finished, keys: &mut Fingerprints) {
        let Finished { write, changes, payments, .. } = finished;
        for id in &self.order {
            let Some(touched) = self.touched.remove(id) else {
                continue;
            };
            let clock = self.clock_of(&touched.payment).map_or(ClockId::WALL, |_| touched.payment.clock());
            touched.note_beside(clock, write);
            let payment = touched.payment;
            if touched.fresh {
                let customer = payment.submitted().customer;
                let of = |customer| CustomerPaymentRecord { customer, payment: *id };
                self.customer_payments.extend(customer.map(of));
                write.inserts.push(Arc::clone(&payment));
            } else {
                write.updates.push(Arc::clone(&payment));
            }
            let mut entry = entry_of(&payment, touched.first_version, &touched.work_before);
            entry.keys = keys.remove(&Subject::from(*id)).unwrap_or_default();
            write.parts.extend(parts_of(&payment, &entry));
            write.receipts.extend(receipt_of(&entry));
            changes.push((entry, Arc::clone(&payment)));
            payments.insert(*id, payment);
        }
    }

    /// Puts every list of rows in the order of its keys: neighbours share pages. Returns the journal's entries of resources.
    fn write_rows(mut self, write: &mut BatchWrite, keys: &mut Fingerprints) -> Vec<ResourceEntry> {
        write.at = self.wall;
        write.inserts.sort_unstable_by_key(|payment| payment.id());
        write.updates.sort_unstable_by_key(|payment| payment.id());
        sort(&mut write.due);
        sort(&mut write.busy);
        sort(&mut write.parked);
        write.parts.sort_unstable();
        write.receipts.sort_unstable();
        self.customer_payments.sort_unstable();
        write.customer_payments = self.customer_payments;
        self.details.sort_unstable_by_key(|detail| (detail.subject, detail.id));
        write.details = self.details;
        self.sources.sort_unstable_by_key(EventSource::place);
        write.sources = self.sources;
        self.events.sort_unstable();
        write.events = self.events;
        self.keys.finish(write);
        self.books.close(write);
        let entries: Vec<ResourceEntry>;
        (write.resources, entries) = self.resources.finish(keys);
        write.clocks = write.resources.iter().filter_map(|one| clocked::awake(one)).collect();
        entries
    }
}

/// The other payments. Those about which a key was remembered get a journal entry as well.
fn finish_unchanged(
    touched: IdMap<PaymentId, TouchedPayment>,
    finished: &mut Finished,
    keys: &mut Fingerprints,
) -> Vec<JournalEntry> {
    let mut remembered = Vec::new();
    for (id, touched) in touched {
        if let Some(keys) = keys.remove(&Subject::from(id)) {
            let entry = entry_of(&touched.payment, touched.first_version, &touched.work_before);
            remembered.push(JournalEntry { keys, ..entry });
        }
        finished.payments.insert(id, touched.payment);
    }
    remembered.sort_unstable_by_key(|entry| entry.payment);
    remembered
}

impl Finished {
    /// A batch that only remembers keys takes a position in the journal as well: without a row there, nobody could say whether
    /// an unknown commit of it took place.
    fn write_journal(&mut self, remembered: &[JournalEntry], resources: &[ResourceEntry]) {
        if self.changes.is_empty() && resources.is_empty() && remembered.is_empty() {
            return;
        }
        let changes = self.changes.iter().map(|(entry, _)| entry);
        let entries: Vec<&JournalEntry> = changes.chain(remembered).collect();
        match journal::encode(&entries, resources) {
            Ok(body) => self.write.journal = Some(body),
            Err(error) => self.defect = Some(error.to_string()),
        }
    }
}

/// In the order of the keys: neighbours share pages.
fn sort<T: Ord>(beside: &mut Beside<T>) {
    beside.put.sort_unstable();
    beside.remove.sort_unstable();
}

fn entry_of(payment: &Payment, first_version: u32, work_before: &[WorkKey]) -> JournalEntry {
    let submission = payment.submission();
    let skip = usize::try_from(first_version.saturating_sub(1)).unwrap_or(usize::MAX);
    let fresh = |work: &WorkKey| !work_before.contains(work);
    let is_open = payment.queued_work().next().is_some();
    JournalEntry {
        payment: submission.id,
        owner: submission.owner,
        payee: submission.payee_wallet().map(|wallet| wallet.owner),
        lane: submission.lane,
        run: submission.run.clone(),
        first_version,
        events: payment.history().iter().skip(skip).copied().collect(),
        work: payment.queued_work().filter(fresh).map(|work| (work.operation, work.attempt)).collect(),
        keys: Vec::new(),
        open: (work_before.is_empty() == is_open).then_some(is_open),
    }
}

/// The parts of a payment that these events admitted: refunds, disputes, warnings, and charges of attempts after the one it was
/// created with.
fn parts_of(payment: &Payment, entry: &JournalEntry) -> impl Iterator<Item = PartRecord> {
    let charged = payment.submission().kind == Kind::Charge;
    let part =
        |id, kind, created| PartRecord { id, owner: entry.owner, created, payment: entry.payment, kind };
    entry.events.iter().filter_map(move |recorded| match recorded.event {
        Event::RefundQueued { refund, .. } => Some(part(refund.into(), PartKind::Refund, recorded.at)),
        Event::Confirmed { charge, .. } if charged => {
            Some(part(charge.into(), PartKind::Charge, recorded.at))
        }
        Event::DisputeOpened { dispute, .. } => Some(part(dispute.into(), PartKind::Dispute, recorded.at)),
        Event::FraudWarned { warning } => Some(part(warning.into(), PartKind::FraudWarning, recorded.at)),
        _ => None,
    })
}

/// The receipt of a transfer that has arrived in someone else's wallet.
fn receipt_of(entry: &JournalEntry) -> Option<ReceiptRecord> {
    let payee = entry.payee.filter(|payee| *payee != entry.owner)?;
    let arrived = entry.events.iter().any(|recorded| matches!(recorded.event, Event::Succeeded { .. }));
    arrived.then_some(ReceiptRecord { payee, payment: entry.payment })
}
