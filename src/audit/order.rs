//! Checks what only the journal's order shows: that the versions of each payment follow one another, and that no wallet was ever
//! below zero, whatever it is now.
//!
//! A walk over a stretch of the journal leaves a [`Stretch`]; neighbouring ones are joined at the end, so that stretches can be
//! walked in parallel. Within a batch the movements say in which order they were made.

use std::collections::HashMap;

use super::open::Sum;
use super::report::{Name, Report};
use crate::domain::ids::PaymentId;
use crate::domain::ledger::LedgerAccount;
use crate::domain::money::Money;
use crate::domain::wallet::WalletId;

/// The most payments under way at one position that are followed; past it their order is not checked, and a note says so.
const FOLLOWED_MAX: usize = 2_000_000;

/// Places out of order that are noted; past it there is no order to speak of.
const DISORDER_MAX: usize = 10_000;

/// What a stretch of the journal says about its order.
#[derive(Debug, Default)]
pub struct Stretch {
    /// Its first and its last row.
    pub rows: Option<(u64, u64)>,
    /// Work that was queued in it, beyond the cursor of open work, and still is.
    pub queued: Sum,
    /// The next version of those that have more to come.
    open: HashMap<PaymentId, u32>,
    /// The first version here of those that began before, and where.
    begun_before: HashMap<PaymentId, (u32, u64)>,
    wallets: HashMap<WalletId, Course>,
    disorder: Vec<String>,
    overflow: bool,
}

/// The course of one wallet.
#[derive(Debug, Clone, Copy, Default)]
struct Course {
    /// What it came to in all.
    change: i128,
    /// The lowest it was against its beginning, and in which batch.
    lowest: i128,
    lowest_seq: u64,
}

/// What a wallet goes through in one batch.
#[derive(Debug, Clone, Copy, Default)]
pub struct WithinBatch {
    change: i128,
    /// The lowest it was, against what it was before.
    lowest: i128,
}

impl WithinBatch {
    /// Adds the next movement.
    pub fn movement(&mut self, change: i64) {
        self.change += i128::from(change);
        self.lowest = self.lowest.min(self.change);
    }
}

impl Stretch {
    /// Notes that row `seq` has these versions of a payment, whose last version is `last`.
    pub fn versions(&mut self, seq: u64, payment: PaymentId, versions: std::ops::Range<u32>, last: u32) {
        if versions.is_empty() {
            // Only keys were recorded.
            return;
        }
        match self.open.remove(&payment) {
            Some(next) if next == versions.start => {}
            Some(next) => self.out_of_order(seq, payment, next, versions.start),
            None if versions.start > 1 => {
                self.begun_before.entry(payment).or_insert((versions.start, seq));
            }
            None => {}
        }
        if versions.end <= last {
            if self.open.len() < FOLLOWED_MAX {
                self.open.insert(payment, versions.end);
            } else {
                self.overflow = true;
            }
        }
    }

    /// Notes what a whole batch changed.
    pub fn batch(&mut self, seq: u64, changes: &HashMap<WalletId, WithinBatch>) {
        for (wallet, within) in changes {
            let course = self.wallets.entry(*wallet).or_default();
            let lowest = course.change + within.lowest;
            if lowest < course.lowest {
                (course.lowest, course.lowest_seq) = (lowest, seq);
            }
            course.change += within.change;
        }
    }

    /// Puts the stretch that follows after this one.
    pub fn follow_up(&mut self, later: Self, report: &mut Report) {
        match (self.rows, later.rows) {
            (Some((first, last)), Some((next, end))) => {
                hole(last.saturating_add(1), next, report);
                self.rows = Some((first, end));
            }
            (None, rows) => self.rows = rows,
            (Some(_), None) => {}
        }
        for (payment, (start, seq)) in later.begun_before {
            match self.open.remove(&payment) {
                Some(next) if next == start => {}
                Some(next) => self.out_of_order(seq, payment, next, start),
                None => {
                    self.begun_before.entry(payment).or_insert((start, seq));
                }
            }
        }
        self.open.extend(later.open);
        for (wallet, course) in later.wallets {
            let so_far = self.wallets.entry(wallet).or_default();
            if so_far.change + course.lowest < so_far.lowest {
                (so_far.lowest, so_far.lowest_seq) = (so_far.change + course.lowest, course.lowest_seq);
            }
            so_far.change += course.change;
        }
        self.disorder.extend(later.disorder);
        self.overflow |= later.overflow;
        self.queued.join(later.queued);
    }

    /// Reports what is out of order, once nothing follows any more. `balance` is what a wallet has now by its movements.
    pub fn end(mut self, balance: impl Fn(WalletId) -> i128, report: &mut Report) {
        let broken = [Name::JournalHole, Name::DamagedJournal, Name::WrongJournalEntry];
        if broken.iter().any(|name| report.counts().contains_key(name)) {
            // Without some of its entries there is no order to speak of.
            return;
        }
        if self.overflow {
            report.note(format!("more than {FOLLOWED_MAX} payments were under way at once; the order of the versions of the others was not looked at"));
        } else {
            let left = std::mem::take(&mut self.open).into_iter();
            let text = |(payment, next)| {
                format!("payment {payment}: version {next} is in no row after the one before it")
            };
            self.disorder.extend(left.map(text));
        }
        let whole = self.rows.is_some_and(|(first, _)| first == 1);
        // Where the journal was pruned, they may have begun before it.
        if whole && !self.overflow {
            for (payment, (start, seq)) in std::mem::take(&mut self.begun_before) {
                self.out_of_order(seq, payment, 1, start);
            }
        }
        self.disorder.sort_unstable();
        self.disorder.into_iter().for_each(|text| report.violation(Name::OutOfOrder, text));
        for (wallet, course) in self.wallets {
            let began_with = if whole { 0 } else { balance(wallet) - course.change };
            let lowest = began_with + course.lowest;
            if lowest < 0 && course.lowest < 0 {
                let amount = Money::new(i64::try_from(lowest).unwrap_or(i64::MIN), wallet.currency);
                let text = format!(
                    "{}: it was {amount} in row {}",
                    LedgerAccount::Wallet(wallet),
                    course.lowest_seq
                );
                report.violation(Name::NegativeBalance, text);
            }
        }
    }

    fn out_of_order(&mut self, seq: u64, payment: PaymentId, wanted: u32, found: u32) {
        if self.disorder.len() < DISORDER_MAX {
            let text =
                format!("row {seq}: payment {payment} goes on with version {found}, {wanted} comes first");
            self.disorder.push(text);
        }
    }
}

/// Reports the rows missing between two.
pub fn hole(expected: u64, found: u64, report: &mut Report) {
    match found.saturating_sub(expected) {
        0 => {}
        1 => report.violation(Name::JournalHole, format!("row {expected} is missing")),
        _ => report.violation(Name::JournalHole, format!("rows {expected} to {} are missing", found - 1)),
    }
}
