//! A payment during the batch: as it was loaded or created, and what became of it.

use std::sync::Arc;

use super::books::Books;
use super::clocked::{self, Moment};
use crate::domain::event::{Event, Recorded};
use crate::domain::ids::ClockId;
use crate::domain::payment::{Payment, WorkKey};
use crate::domain::timed::Timed;
use crate::store::BatchWrite;

/// A payment. Until the first change it is shared with its earlier holders.
pub(super) struct TouchedPayment {
    pub payment: Arc<Payment>,
    /// Whether this batch created it.
    pub fresh: bool,
    pub first_version: u32,
    pub work_before: Vec<WorkKey>,
    /// What the rows by which timers find it said, and whether an operation was parked.
    timed_before: Timed,
    parked_before: bool,
}

impl TouchedPayment {
    pub fn loaded(payment: Arc<Payment>) -> Self {
        let (first_version, work_before) = (payment.version() + 1, payment.queued_work().collect());
        let (timed_before, parked_before) = (Timed::of(&payment, payment.clock()), payment.is_parked());
        Self { payment, fresh: false, first_version, work_before, timed_before, parked_before }
    }

    pub fn created(payment: Payment) -> Self {
        Self {
            payment: Arc::new(payment),
            fresh: true,
            first_version: 1,
            work_before: Vec::new(),
            timed_before: Timed::default(),
            parked_before: false,
        }
    }

    /// Applies a settled event, and books what it does to money.
    ///
    /// # Errors
    /// What is wrong with the event, in words; the batch must not be written then.
    pub fn apply(
        &mut self,
        Moment { at, wall }: Moment,
        event: Event,
        books: &mut Books,
    ) -> Result<(), String> {
        let version = self.payment.version() + 1;
        books.book(&self.payment, &event, version).map_err(|error| error.to_string())?;
        let scenario = books.account(self.payment.owner()).scenario;
        Arc::make_mut(&mut self.payment)
            .apply(Recorded { at, wall, event, scenario })
            .map_err(|error| error.to_string())
    }

    pub fn version(&self) -> u32 {
        self.payment.version()
    }

    pub fn is_changed(&self) -> bool {
        self.payment.version() >= self.first_version
    }

    /// Notes the changes of the rows that exist only while they are needed. `clock` is the one that the payment follows now.
    pub fn note_beside(&self, clock: ClockId, write: &mut BatchWrite) {
        let (payment, id) = (&self.payment, self.payment.id());
        clocked::note(self.timed_before, payment, clock, write);
        match (self.parked_before, payment.is_parked()) {
            (false, true) => write.parked.put.push((id, payment.owner())),
            (true, false) => write.parked.remove.push(id),
            (true, true) | (false, false) => {}
        }
    }
}
