//! Open work beyond the cursor, by the journal positions at which it was opened.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::ids::{IdMap, PaymentId};

/// Payments with work in the queue.
#[derive(Debug, Default)]
pub struct Memory {
    /// The position since which each has had work without a break.
    payments: IdMap<PaymentId, u64>,
    places: BTreeMap<u64, Place>,
}

/// A position at which payments were opened that are still open.
#[derive(Debug)]
struct Place {
    payments: usize,
    since: Instant,
}

impl Memory {
    pub fn len(&self) -> usize {
        self.payments.len()
    }

    /// Notes that a payment has work in the queue, where it had none.
    pub fn open(&mut self, payment: PaymentId, seq: u64) {
        self.close(payment);
        self.payments.insert(payment, seq);
        let place = self.places.entry(seq);
        place.or_insert_with(|| Place { payments: 0, since: Instant::now() }).payments += 1;
    }

    /// Notes that a payment has none left; `false` if it was not remembered.
    pub fn close(&mut self, payment: PaymentId) -> bool {
        let Some(seq) = self.payments.remove(&payment) else { return false };
        if let Some(place) = self.places.get_mut(&seq) {
            place.payments -= 1;
            if place.payments == 0 {
                self.places.remove(&seq);
            }
        }
        true
    }

    /// The first position at which something was opened that is still open.
    pub fn first_place(&self) -> Option<u64> {
        self.places.first_key_value().map(|(seq, _)| *seq)
    }

    /// The last position that is this old.
    pub fn opened_before(&self, age: Duration) -> Option<u64> {
        let old = self.places.iter().take_while(|(_, place)| place.since.elapsed() >= age);
        old.last().map(|(seq, _)| *seq)
    }

    /// A position up to which about `rows` payments are open, no further than `upto`; `None` if there are none.
    pub fn cut(&self, upto: u64, rows: usize) -> Option<u64> {
        let mut sum = 0;
        let mut cut = None;
        for (seq, place) in self.places.range(..=upto) {
            sum += place.payments;
            cut = Some(*seq);
            if sum >= rows {
                break;
            }
        }
        cut
    }

    /// Forgets what was opened up to a position, and returns it in order.
    pub fn take(&mut self, upto: u64) -> Vec<PaymentId> {
        self.places = self.places.split_off(&upto.saturating_add(1));
        let mut taken: Vec<PaymentId> =
            self.payments.extract_if(|_, seq| *seq <= upto).map(|(payment, _)| payment).collect();
        taken.sort_unstable();
        taken
    }
}
