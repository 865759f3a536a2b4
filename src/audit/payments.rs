//! The pass over a stretch of payments, with their movements and documents beside them: all are in the order of ids.

use std::collections::VecDeque;

use super::details;
use super::events::Kept;
use super::index::{Beside, Suspects};
use super::index_view::IndexView;
use super::ledger::Ledger;
use super::payment;
use super::people::{self, People};
use super::report::{Name, Report};
use super::rows::{parts_of, received_by};
use super::span::{Job, Queue, Span};
use super::statement::Scope;
use super::{AuditError, AuditOptions, Progress, Table};
use super::{open, owners, scenarios};
use crate::domain::ids::PaymentId;
use crate::store::{AuditPayment, MovementRecord, Snapshot, StoreError};

/// A pass over one stretch.
pub struct Pass<'a> {
    pub snapshot: &'a mut dyn Snapshot,
    pub view: Option<&'a dyn IndexView>,
    /// Every account; `None` if they are not checked.
    pub people: Option<&'a People>,
    /// The installation's secret, if it is checked.
    pub secret: Option<&'a [u8; 32]>,
    pub options: &'a AuditOptions,
    pub progress: &'a dyn Progress,
    /// How far the rows of open work reach.
    pub open: open::Scope,
    /// The mark below which every payment is in its owner's list.
    pub listed_below: Option<PaymentId>,
    /// Whose statements there are, if they are checked.
    pub statement: Option<Scope<'a>>,
    /// Which events must be there.
    pub kept: &'a Kept,
    pub report: &'a mut Report,
}

impl Pass<'_> {
    /// Checks this stretch, giving work away to readers that wait for it.
    ///
    /// # Errors
    /// [`AuditError`] if the store or the index cannot be read.
    pub async fn run(
        mut self,
        mut span: Span<16>,
        queue: &Queue,
    ) -> Result<(Ledger, Option<Suspects>), AuditError> {
        let mut after = span.after.map(PaymentId::from_bytes);
        let mut ledger = Ledger::default();
        let mut movements = Movements::new(self.options.page, after);
        let names = people::names(self.people);
        let mut documents = self.view.map(|view| Beside::new(view, names, self.options.page, after));
        loop {
            let mut page = self.snapshot.payments(after, self.options.page).await?;
            let read = page.len();
            page.retain(|row| *row.id.as_bytes() <= span.upto);
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            if queue.is_waited_for()
                && let Some(later) = span.cut(*last.id.as_bytes())
            {
                queue.give(Job::Payments(later));
            }
            let ended = page.len() < read;
            for row in &page {
                for orphan in movements.before(row.id, self.snapshot).await? {
                    self.orphan(&orphan, &mut ledger);
                }
                let own = movements.take(row.id, self.snapshot).await?;
                self.one(row, &own, &mut ledger);
                if let (Some(documents), Ok(payment)) = (documents.as_mut(), &row.folded) {
                    documents.step(payment).await.map_err(AuditError::Index)?;
                }
            }
            let folded = page.iter().filter_map(|row| row.folded.as_ref().ok());
            details::missing(self.snapshot, folded.clone(), self.report).await?;
            scenarios::missing(self.snapshot, folded, self.report).await?;
            self.progress.passed(Table::Payments, page.len() as u64);
            if ended {
                break;
            }
        }
        let upto = PaymentId::from_bytes(span.upto);
        for orphan in movements.rest(upto, self.snapshot).await? {
            self.orphan(&orphan, &mut ledger);
        }
        let suspects = match documents {
            Some(documents) => Some(documents.rest(upto).await.map_err(AuditError::Index)?),
            None => None,
        };
        Ok((ledger, suspects))
    }

    fn one(&mut self, row: &AuditPayment, movements: &[MovementRecord], ledger: &mut Ledger) {
        let report = &mut *self.report;
        report.counted.payments += 1;
        report.counted.movements += movements.len() as u64;
        owners::expect(row, self.listed_below, report);
        movements.iter().for_each(|movement| ledger.add(movement));
        match &row.folded {
            Err(cause) => report.violation(Name::IllegalHistory, format!("payment {}: {cause}", row.id)),
            Ok(payment) => {
                report.history_events += u64::from(payment.version());
                report.history_parts += parts_of(payment).len() as u64;
                report.history_receipts += u64::from(received_by(payment).is_some());
                report.history_customer_payments += u64::from(payment.customer().is_some());
                payment::check_history(payment, report);
                payment::check_columns(row, payment, report);
                ledger.queued.join(self.open.check(row, payment, report));
                payment::check_movements(payment, movements, report);
                if self.options.at_rest {
                    payment::check_at_rest(payment, report);
                }
                ledger.expect(payment);
                if let Some(scope) = self.statement {
                    ledger.lines.add(payment, movements, scope);
                    ledger.events.add(payment, self.kept, scope);
                }
                if let Some(people) = self.people {
                    people.check(payment, report);
                }
                if let Some(secret) = self.secret {
                    people::check_cards(payment, secret, report);
                }
            }
        }
    }

    fn orphan(&mut self, movement: &MovementRecord, ledger: &mut Ledger) {
        self.report.counted.movements += 1;
        ledger.add(movement);
        let words = payment::movement_words(movement);
        let text =
            format!("payment {} does not exist, version {}: {words}", movement.payment, movement.version);
        self.report.violation(Name::OrphanMovement, text);
    }
}

/// The movements of a snapshot, read page by page in the order of payments.
struct Movements {
    page: u32,
    after: Option<(PaymentId, u32, u8)>,
    buffer: VecDeque<MovementRecord>,
    ended: bool,
}

impl Movements {
    /// Those of payments after this one.
    fn new(page: u32, after: Option<PaymentId>) -> Self {
        // The greatest version that a column holds.
        let after = after.map(|payment| (payment, i32::MAX.unsigned_abs(), u8::MAX));
        Self { page, after, buffer: VecDeque::new(), ended: false }
    }

    async fn peek(&mut self, snapshot: &mut dyn Snapshot) -> Result<Option<MovementRecord>, StoreError> {
        if self.buffer.is_empty() && !self.ended {
            let page = snapshot.movements(self.after, self.page).await?;
            self.ended = page.is_empty();
            self.after = page.last().map(|last| (last.payment, last.version, last.n)).or(self.after);
            self.buffer.extend(page);
        }
        Ok(self.buffer.front().copied())
    }

    async fn drain(
        &mut self,
        snapshot: &mut dyn Snapshot,
        wanted: impl Fn(&MovementRecord) -> bool,
    ) -> Result<Vec<MovementRecord>, StoreError> {
        let mut drained = Vec::new();
        while let Some(movement) = self.peek(snapshot).await?
            && wanted(&movement)
        {
            drained.push(movement);
            self.buffer.pop_front();
        }
        Ok(drained)
    }

    /// The movements of this payment. Their number is bounded by that of a payment's events, unless someone planted them.
    async fn take(
        &mut self,
        payment: PaymentId,
        snapshot: &mut dyn Snapshot,
    ) -> Result<Vec<MovementRecord>, StoreError> {
        self.drain(snapshot, |movement| movement.payment == payment).await
    }

    /// Movements of payments before this one that were not taken.
    async fn before(
        &mut self,
        payment: PaymentId,
        snapshot: &mut dyn Snapshot,
    ) -> Result<Vec<MovementRecord>, StoreError> {
        self.drain(snapshot, |movement| movement.payment < payment).await
    }

    /// Movements up to the end of the stretch that were not taken.
    async fn rest(
        &mut self,
        upto: PaymentId,
        snapshot: &mut dyn Snapshot,
    ) -> Result<Vec<MovementRecord>, StoreError> {
        self.drain(snapshot, |movement| movement.payment <= upto).await
    }
}
