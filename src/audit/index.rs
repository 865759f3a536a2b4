//! Checks the index: every payment has its documents, each equal to it, and there are no others.
//!
//! The index is read while it changes, a moment after the snapshot. So a difference is only a suspicion: it is checked again,
//! against the payment as it is by then, until it is gone or the lag bound is reached. What the journal still holds for the index's
//! reader is behind, not wrong.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::document::{Expected, expected};
use super::faults::{Fault, Faults, faults, say_what_differs};
use super::index_view::IndexView;
use super::report::{Name, Report};
use super::{AuditError, AuditOptions, IndexSide};
use crate::domain::ids::{AccountId, PaymentId};
use crate::domain::payment::Payment;
use crate::engine::journal::decode_changes;
use crate::search::{AccountNames, DocKey, ScannedDocument};
use crate::store::{Snapshot, Store};

/// The most payments under suspicion; with more, there is no point in checking each again.
const SUSPECTS_MAX: usize = 50_000;
/// Payments checked again at once.
const LOOKUP_MAX: usize = 500;
/// The pause before checking again.
const PAUSE: Duration = Duration::from_millis(250);
/// More documents than one payment can have: its submitter's and one receipt.
const PER_PAYMENT_MAX: usize = 8;

/// The payments as they are now.
#[async_trait]
pub trait Current: Sync {
    /// Those of these that exist.
    ///
    /// # Errors
    /// If the store cannot be read.
    async fn payments(&self, ids: &[PaymentId]) -> Result<Vec<Payment>, AuditError>;

    /// Whether anything keeps the index up with the journal; if not, there is no point in waiting.
    ///
    /// # Errors
    /// If the store cannot be read.
    async fn index_is_followed(&self) -> Result<bool, AuditError> {
        Ok(true)
    }
}

#[async_trait]
impl Current for Arc<dyn Store> {
    async fn payments(&self, ids: &[PaymentId]) -> Result<Vec<Payment>, AuditError> {
        Ok(self.payment_get(ids).await?)
    }
}

/// The documents of a stretch of payments, read in step with them.
pub struct Beside<'a> {
    view: &'a dyn IndexView,
    names: &'a dyn AccountNames,
    page: usize,
    after: Option<DocKey>,
    buffer: VecDeque<ScannedDocument>,
    ended: bool,
    found: Suspects,
}

/// Payments whose documents differed at the first look.
#[derive(Debug, Default)]
pub struct Suspects {
    documents: u64,
    payments: BTreeSet<PaymentId>,
    overflow: bool,
}

impl<'a> Beside<'a> {
    /// Begins at the first document of a payment after this one.
    pub(super) fn new(
        view: &'a dyn IndexView,
        names: &'a dyn AccountNames,
        page: u32,
        after: Option<PaymentId>,
    ) -> Self {
        let page = usize::try_from(page).unwrap_or(1_000).clamp(1, 10_000);
        let after = after.map(last_key);
        Self { view, names, page, after, buffer: VecDeque::new(), ended: false, found: Suspects::default() }
    }

    async fn peek(&mut self) -> Result<Option<ScannedDocument>, String> {
        if self.buffer.is_empty() && !self.ended {
            let mut page = self.view.scan(self.after, self.page).await?;
            // An index whose order is broken must not be read endlessly.
            page.retain(|document| self.after.is_none_or(|after| document.key > after));
            self.ended = page.is_empty();
            self.after = page.last().map(|last| last.key).or(self.after);
            self.buffer.extend(page);
        }
        Ok(self.buffer.front().copied())
    }

    /// Compares this payment with its documents; payments come in the order of their ids.
    pub(super) async fn step(&mut self, payment: &Payment) -> Result<(), String> {
        let mut own = Vec::new();
        while let Some(document) = self.peek().await?
            && document.key.payment <= payment.id()
        {
            self.found.documents += 1;
            if document.key.payment == payment.id() {
                own.push(document);
            } else {
                self.found.suspect(document.key.payment);
            }
            self.buffer.pop_front();
        }
        let wanted = expected(payment, self.names);
        let is_sound = |wanted: &Expected| {
            own.iter().any(|found| {
                (found.key, found.version) == (wanted.document.key, wanted.document.version)
                    && wanted.is(found)
            })
        };
        if own.len() != wanted.len() || !wanted.iter().all(is_sound) {
            self.found.suspect(payment.id());
        }
        Ok(())
    }

    /// Takes in the documents that are left up to `upto`: they are of payments that the snapshot does not have.
    pub(super) async fn rest(mut self, upto: PaymentId) -> Result<Suspects, String> {
        while let Some(document) = self.peek().await?
            && document.key.payment <= upto
        {
            self.found.documents += 1;
            self.found.suspect(document.key.payment);
            self.buffer.pop_front();
        }
        Ok(self.found)
    }
}

impl Suspects {
    fn suspect(&mut self, payment: PaymentId) {
        if self.payments.len() < SUSPECTS_MAX {
            self.payments.insert(payment);
        } else {
            self.overflow = true;
        }
    }

    /// Adds those of another stretch.
    pub(super) fn join(&mut self, other: Self) {
        self.documents += other.documents;
        self.overflow |= other.overflow;
        other.payments.into_iter().for_each(|payment| self.suspect(payment));
    }

    /// Checks again what differed, until nothing does or the lag bound is reached.
    pub(super) async fn finish(
        mut self,
        side: IndexSide<'_>,
        snapshot: &mut dyn Snapshot,
        names: &dyn AccountNames,
        options: &AuditOptions,
        report: &mut Report,
    ) -> Result<(), AuditError> {
        report.counted.documents = Some(self.documents);
        let deadline = Instant::now() + options.index_lag;
        let IndexSide { view, current } = side;
        let mut found = self.look_again(view, current, names).await?;
        let mut followed = true;
        while !found.is_empty() && followed && Instant::now() < deadline {
            followed = current.index_is_followed().await?;
            if followed {
                tokio::time::sleep(PAUSE).await;
            }
            // Once more where a server has just stopped: it wrote what it had.
            view.refresh().await.map_err(AuditError::Index)?;
            self.payments = found.keys().copied().collect();
            found = self.look_again(view, current, names).await?;
        }
        let behind = if options.at_rest || found.is_empty() {
            BTreeSet::new()
        } else {
            not_yet_read(snapshot, &options.index_reader, &found).await?
        };
        for (payment, faults) in &mut found {
            // A document of the right version is not behind, whatever it says.
            if behind.contains(payment) {
                let count = faults.len();
                faults.retain(Fault::is_of_field);
                report.counted.documents_behind += u64::from(faults.len() < count);
            }
        }
        let mut left: Vec<Fault> = found.into_values().flatten().collect();
        left.sort_unstable_by_key(|fault| fault.key);
        say_what_differs(&mut left, view).await.map_err(AuditError::Index)?;
        left.into_iter().for_each(|fault| report.violation(fault.name, fault.text));
        if self.overflow {
            let text = format!(
                "more than {SUSPECTS_MAX} payments differ from the index; rebuild it with `paystorm reindex`"
            );
            report.violation(Name::StaleDocument, text);
        }
        Ok(())
    }

    async fn look_again(
        &self,
        view: &dyn IndexView,
        current: &dyn Current,
        names: &dyn AccountNames,
    ) -> Result<HashMap<PaymentId, Faults>, AuditError> {
        let suspects: Vec<PaymentId> = self.payments.iter().copied().collect();
        let mut found = HashMap::new();
        for chunk in suspects.chunks(LOOKUP_MAX) {
            // The index lies between two looks at the store, so that a payment that moves is no violation.
            let before = by_id(current.payments(chunk).await?);
            let mut documents = HashMap::new();
            for id in chunk {
                documents.insert(*id, documents_of(*id, view).await.map_err(AuditError::Index)?);
            }
            let after = by_id(current.payments(chunk).await?);
            for (id, documents) in documents {
                let faults = faults(id, before.get(&id), after.get(&id), &documents, names);
                if !faults.is_empty() {
                    found.insert(id, faults);
                }
            }
        }
        Ok(found)
    }
}

fn by_id(payments: Vec<Payment>) -> HashMap<PaymentId, Payment> {
    payments.into_iter().map(|payment| (payment.id(), payment)).collect()
}

/// The greatest key that a document of this payment can have.
fn last_key(payment: PaymentId) -> DocKey {
    DocKey { payment, receipt_of: Some(AccountId::from_bytes([0xff; 16])) }
}

async fn documents_of(payment: PaymentId, view: &dyn IndexView) -> Result<Vec<ScannedDocument>, String> {
    let before = u128::from_be_bytes(*payment.as_bytes()).checked_sub(1);
    let below = before.map(|bits| last_key(PaymentId::from_bytes(bits.to_be_bytes())));
    let mut documents = view.scan(below, PER_PAYMENT_MAX).await?;
    documents.retain(|document| document.key.payment == payment);
    Ok(documents)
}

/// Those of these payments that are in the journal beyond the cursor of the index's reader.
async fn not_yet_read(
    snapshot: &mut dyn Snapshot,
    reader: &str,
    found: &HashMap<PaymentId, Faults>,
) -> Result<BTreeSet<PaymentId>, AuditError> {
    let cursor = snapshot.cursors().await?.into_iter().find(|(name, _)| name == reader);
    let mut after = cursor.map_or(0, |(_, cursor)| cursor);
    let mut behind = BTreeSet::new();
    loop {
        let rows = snapshot.journal(after, 32).await?;
        let Some(last) = rows.last() else { return Ok(behind) };
        after = last.seq;
        // A body that cannot be read is reported by the check of the journal.
        let entries = rows.iter().filter_map(|row| decode_changes(&row.body).ok()).flatten();
        behind.extend(entries.map(|entry| entry.payment).filter(|payment| found.contains_key(payment)));
    }
}
