//! A sample of what was acknowledged, drawn evenly over the whole run, to be asked for again at its end.

use super::numbers::mixed;
use super::work::Pending;
use crate::domain::ids::PaymentId;
use crate::domain::status::Status;

/// Something acknowledged, and what the run saw of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Record {
    /// The payment; of a refund, the one it is of.
    pub payment: PaymentId,
    /// What was sent.
    pub pending: Pending,
    /// As what it was seen at rest.
    pub outcome: Option<Status>,
}

/// The sample.
#[derive(Debug, Default)]
pub struct Sample {
    max: usize,
    offered: u64,
    records: Vec<Record>,
}

impl Sample {
    /// At most this many.
    #[must_use]
    pub const fn new(max: usize) -> Self {
        Self { max, offered: 0, records: Vec::new() }
    }

    /// Offers a record; returns its place if it was taken. Each one offered is as likely as any other to be there at the end
    /// (Vitter's algorithm R).
    pub fn offer(&mut self, record: Record) -> Option<usize> {
        self.offered += 1;
        if self.records.len() < self.max {
            self.records.push(record);
            return Some(self.records.len() - 1);
        }
        let place = usize::try_from(mixed(0, self.offered, 12) % self.offered).ok()?;
        *self.records.get_mut(place)? = record;
        Some(place)
    }

    /// Notes as what the record at this place came to rest, if it is still there.
    pub fn ended(&mut self, place: usize, index: u64, outcome: Status) {
        if let Some(record) = self.records.get_mut(place).filter(|record| record.pending.index == index) {
            record.outcome = Some(outcome);
        }
    }

    /// The records.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::currency::Currency;
    use crate::load::work::Work;

    fn record(index: u64) -> Record {
        let pending = Pending {
            index,
            intended_us: 0,
            work: Work::Charge,
            account: 0,
            amount_minor: 1,
            currency: Currency::EUR,
            refund: None,
        };
        Record { payment: PaymentId::from_bytes([0; 16]), pending, outcome: None }
    }

    #[test]
    fn a_sample_is_even_and_bounded() {
        let mut sample = Sample::new(1_000);
        for index in 0..100_000 {
            sample.offer(record(index));
        }
        assert_eq!(sample.records().len(), 1_000);
        let late = sample.records().iter().filter(|record| record.pending.index >= 50_000).count();
        assert!(late.abs_diff(500) < 80, "{late}");
        assert_eq!(Sample::new(0).offer(record(1)), None);
    }

    #[test]
    fn outcomes_go_to_what_they_are_of() {
        let mut sample = Sample::new(1);
        assert_eq!(sample.offer(record(1)), Some(0));
        sample.ended(0, 2, Status::Succeeded);
        assert_eq!(sample.records()[0].outcome, None);
        sample.ended(0, 1, Status::Succeeded);
        assert_eq!(sample.records()[0].outcome, Some(Status::Succeeded));
    }
}
