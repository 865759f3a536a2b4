//! Holds payments that are not in their owners' lists yet.
//!
//! Owners come in no order, so writing the list with each payment would cost a page of its own for nearly every one. New payments
//! are held here instead and written in the order of owners, many of an owner's together: each batch of new payments also writes
//! about as many earlier ones.
//!
//! Nothing depends on this memory. A mark in the store says below which id every payment is listed; what is above it is searched
//! when the store is first used ([`super::owner_payments`]). May depend on the domain and on the filter of lists. Must not read or
//! write anything.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::domain::ids::{AccountId, PaymentId};
use crate::domain::payment::Payment;
use crate::domain::payment_kind::PaymentKind;
use crate::store::PaymentFilter;

/// Once so many have come, writing them begins: several for each of ten thousand owners who are all busy.
const TOGETHER: usize = 65_536;

/// An entry of an owner's list: in the order of owners, then of payments; with its kind.
pub type Entry = ((AccountId, PaymentId), PaymentKind);

/// What is not listed yet, as far as it is known.
#[derive(Debug, Default)]
pub struct Unlisted(RwLock<Option<State>>);

#[derive(Debug, Default)]
struct State {
    /// What came last, and is not being written yet.
    fresh: BTreeMap<(AccountId, PaymentId), PaymentKind>,
    /// The least id among them.
    least: Option<PaymentId>,
    /// What is being written, in order. It stays until all of it is written, so that a query that looks here first and in the table
    /// next misses nothing.
    going: Vec<Entry>,
    /// How many of those are written.
    written: usize,
    /// Steps of commits whose outcome is not known. What they add is listed, since a payment that does not exist is not found
    /// anyway, but it is not written.
    doubtful: Vec<Step>,
    /// Every payment below is listed.
    mark: Option<PaymentId>,
}

/// What one transaction writes.
#[derive(Debug, Default)]
pub struct Step {
    /// Entries for the table.
    pub rows: Vec<Entry>,
    /// The mark from now on, if it moves.
    pub mark: Option<PaymentId>,
    /// How many of the rows come from [`State::going`].
    gone: usize,
    /// New payments that the transaction does not list.
    later: Vec<Entry>,
}

impl Unlisted {
    /// Whether the store was searched.
    pub fn is_known(&self) -> bool {
        self.0.read().is_some()
    }

    /// Begins with what the store says: its mark, and what is not below it.
    pub fn begin(&self, mark: Option<PaymentId>, mut going: Vec<Entry>) {
        going.sort_unstable();
        *self.0.write() = Some(State { going, mark, ..State::default() });
    }

    /// What a transaction that adds these payments has to write to the lists.
    pub fn step(&self, added: &[Arc<Payment>]) -> Step {
        self.0
            .read()
            .as_ref()
            .map_or_else(Step::default, |state| state.step(added.iter().map(|payment| entry(payment))))
    }

    /// Notes that the step was committed.
    pub fn committed(&self, step: Step) {
        if let Some(state) = self.0.write().as_mut() {
            state.committed(step);
        }
    }

    /// Notes that nobody knows whether the step was committed.
    pub fn in_doubt(&self, step: Step) {
        if let Some(state) = self.0.write().as_mut() {
            state.doubt(step);
        }
    }

    /// Notes whether what was in doubt was committed.
    pub fn settle(&self, committed: bool) {
        if let Some(state) = self.0.write().as_mut() {
            state.settle(committed);
        }
    }

    /// The first of an owner's in the filter's direction, beyond where the last page ended. Some may be listed by now.
    pub fn page(
        &self,
        owner: AccountId,
        filter: &PaymentFilter,
        past: Option<PaymentId>,
        limit: usize,
    ) -> Vec<PaymentId> {
        self.0.read().as_ref().map_or_else(Vec::new, |state| state.page(owner, filter, past, limit))
    }
}

fn entry(payment: &Payment) -> Entry {
    ((payment.owner(), payment.id()), payment.submission().kind.payment_kind())
}

impl State {
    fn step(&self, added: impl ExactSizeIterator<Item = Entry>) -> Step {
        let left = self.going.get(self.written..).unwrap_or_default();
        // A quarter more than comes, so that all of it is written before as many have come again.
        let gone = (added.len() + added.len() / 4 + 1).min(left.len());
        let mut rows = left.get(..gone).unwrap_or_default().to_vec();
        // An id below the mark was made long ago and has waited since.
        let (late, later): (Vec<Entry>, Vec<Entry>) =
            added.partition(|((_, id), _)| self.mark.is_some_and(|mark| *id < mark));
        let ends = gone > 0 && gone == left.len();
        let mark = if ends {
            later.iter().chain(self.doubtful()).map(|((_, id), _)| *id).chain(self.least).min()
        } else {
            None
        };
        rows.extend(late);
        Step { rows, mark, gone, later }
    }

    fn doubtful(&self) -> impl Iterator<Item = &Entry> {
        self.doubtful.iter().flat_map(|step| &step.later)
    }

    fn committed(&mut self, step: Step) {
        self.written += step.gone;
        self.mark = step.mark.or(self.mark);
        self.least = step.later.iter().map(|((_, id), _)| *id).chain(self.least).min();
        self.fresh.extend(step.later);
        if self.written == self.going.len() {
            self.written = 0;
            self.going = Vec::new();
        }
        if self.going.is_empty() && self.fresh.len() >= TOGETHER {
            self.turn();
        }
    }

    /// Begins to write what has come.
    fn turn(&mut self) {
        self.least = None;
        self.going = std::mem::take(&mut self.fresh).into_iter().collect();
    }

    fn doubt(&mut self, step: Step) {
        self.doubtful.push(step);
    }

    fn settle(&mut self, committed: bool) {
        let doubtful = std::mem::take(&mut self.doubtful);
        if committed {
            doubtful.into_iter().for_each(|step| self.committed(step));
        }
    }

    fn page(
        &self,
        owner: AccountId,
        filter: &PaymentFilter,
        past: Option<PaymentId>,
        limit: usize,
    ) -> Vec<PaymentId> {
        let Some((low, high)) = span(filter, past) else { return Vec::new() };
        let (low, high) = ((owner, low), (owner, high));
        let from = self.going.partition_point(|(key, _)| *key < low);
        let upto = self.going.partition_point(|(key, _)| *key <= high);
        let going = self.going.get(from..upto).unwrap_or_default().iter().copied();
        let fresh = self.fresh.range(low..=high).map(|(key, kind)| (*key, *kind));
        let doubtful = self.doubtful().copied().filter(|(key, _)| (low..=high).contains(key));
        let wanted =
            |(key, kind): Entry| (filter.kinds.is_empty() || filter.kinds.contains(&kind)).then_some(key.1);
        let mut found: Vec<PaymentId> = doubtful.filter_map(wanted).collect();
        if filter.after.is_some() {
            found.extend(going.filter_map(wanted).take(limit));
            found.extend(fresh.filter_map(wanted).take(limit));
        } else {
            found.extend(going.rev().filter_map(wanted).take(limit));
            found.extend(fresh.rev().filter_map(wanted).take(limit));
        }
        found
    }
}

/// The first and the last id that the filter's payments beyond the last page can have; `None` if there cannot be any.
fn span(filter: &PaymentFilter, past: Option<PaymentId>) -> Option<(PaymentId, PaymentId)> {
    let number = |id: PaymentId| u128::from_be_bytes(*id.as_bytes());
    let (from, to) = filter.id_bounds();
    let (before, after) = if filter.after.is_some() { (None, past) } else { (past, None) };
    let above = filter.after.into_iter().chain(after).map(|id| number(id).checked_add(1));
    let below = filter.before.into_iter().chain(before).map(|id| number(id).checked_sub(1));
    let low = above.chain(from.map(|from| Some(u128::from_be_bytes(from)))).collect::<Option<Vec<_>>>()?;
    let high =
        below.chain(to.map(|to| u128::from_be_bytes(to).checked_sub(1))).collect::<Option<Vec<_>>>()?;
    let (low, high) = (low.into_iter().max().unwrap_or(0), high.into_iter().min().unwrap_or(u128::MAX));
    let id = |number: u128| PaymentId::from_bytes(number.to_be_bytes());
    (low <= high).then(|| (id(low), id(high)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::time::Timestamp;

    fn owner(number: u64) -> AccountId {
        AccountId::numbered(Timestamp::from_micros(0), number)
    }

    fn id(number: u64) -> PaymentId {
        PaymentId::numbered(Timestamp::from_micros(1_000_000), number)
    }

    fn kind(entry: u64) -> PaymentKind {
        *PaymentKind::ALL.iter().cycle().nth(usize::try_from(entry % 3).expect("small")).expect("a kind")
    }

    fn at(entry: u64) -> Entry {
        ((owner(entry % 7), id(entry)), kind(entry))
    }

    /// What a store would have: all payments, the table, the mark.
    #[derive(Default)]
    struct World {
        payments: BTreeSet<Entry>,
        table: BTreeSet<Entry>,
        mark: Option<PaymentId>,
    }

    impl World {
        fn write(&mut self, step: &Step) {
            self.table.extend(&step.rows);
            self.mark = step.mark.or(self.mark);
        }

        /// The memory of a process that starts with this store.
        fn begun(&self) -> State {
            let unlisted = |entry: &&Entry| self.mark.is_none_or(|mark| entry.0.1 >= mark);
            let going = self.payments.iter().filter(unlisted).copied().collect();
            State { going, mark: self.mark, ..State::default() }
        }

        fn assert_whole(&self, state: &State) {
            let mut listed = self.table.clone();
            listed.extend(&state.going);
            listed.extend(state.fresh.iter().map(|(key, kind)| (*key, *kind)));
            assert!(listed == self.payments, "table and memory together are all that there is");
            let below = |entry: &&Entry| self.mark.is_some_and(|mark| entry.0.1 < mark);
            for entry in self.payments.iter().filter(below) {
                assert!(self.table.contains(entry), "{entry:?} is below the mark and not in the table");
            }
        }
    }

    #[test]
    fn what_waits_is_bounded_and_is_written_in_the_order_of_owners() {
        let (mut world, mut state) = (World::default(), State::default());
        let mut number = 0_u64;
        for _ in 0..400 {
            let added: Vec<Entry> = (number..number + 512).map(at).collect();
            number += 512;
            world.payments.extend(&added);
            let step = state.step(added.into_iter());
            assert!(step.rows.is_sorted(), "neighbours are written together");
            assert!(step.rows.len() <= 512 + 128 + 1, "{} rows in one transaction", step.rows.len());
            world.write(&step);
            state.committed(step);
            let waits = state.fresh.len() + state.going.len() - state.written;
            assert!(waits <= 2 * TOGETHER + 512, "{waits} wait");
        }
        assert!(world.mark.is_some(), "the mark has moved");
        world.assert_whole(&state);
    }

    proptest! {
        /// Batches of any size, ids that come late, commits with unknown outcomes, and restarts in between.
        #[test]
        fn nothing_is_ever_in_no_list(
            steps in proptest::collection::vec((0_usize..9, 0_u8..8, any::<bool>()), 1..60),
            begun in 0_u64..40,
        ) {
            let mut world = World { payments: (0..begun).map(|number| at(number * 2)).collect(), ..World::default() };
            let mut state = world.begun();
            let mut number = begun * 2;
            let mut late = 1;
            for (size, what, fate) in steps {
                let mut added: Vec<Entry> = (0..size).map(|step| at(number + 2 * step as u64)).collect();
                number += 2 * size as u64;
                if what == 1 {
                    // Made long ago.
                    added.push(at(late));
                    late += 2;
                }
                let step = state.step(added.iter().copied());
                if what == 2 {
                    if fate {
                        world.write(&step);
                        world.payments.extend(&added);
                    }
                    state.doubt(step);
                    state.settle(fate);
                } else {
                    world.write(&step);
                    world.payments.extend(&added);
                    state.committed(step);
                }
                if what == 3 {
                    state = world.begun();
                }
                if what == 4 && state.going.is_empty() {
                    state.turn();
                }
                world.assert_whole(&state);
            }
        }

        /// A page is the first of those that the filter asks for, in its direction.
        #[test]
        fn pages_are_what_the_filter_asks_for(
            fresh in proptest::collection::btree_set(0_u64..60, 0..30),
            going in proptest::collection::btree_set(0_u64..60, 0..30),
            forwards in any::<bool>(),
            edge in proptest::option::of(0_u64..60),
            past in proptest::option::of(0_u64..60),
            kinds in proptest::collection::vec((0_u64..3).prop_map(kind), 0..2),
            limit in 1_usize..12,
        ) {
            let state = State {
                fresh: fresh.iter().copied().map(at).collect(),
                going: { let mut going: Vec<Entry> = going.iter().copied().map(at).collect(); going.sort_unstable(); going },
                ..State::default()
            };
            let (after, before) = if forwards { (Some(id(edge.unwrap_or(0))), None) } else { (None, edge.map(id)) };
            let filter = PaymentFilter { after, before, kinds: kinds.clone(), ..PaymentFilter::default() };
            let past = past.map(id);
            let mut wanted: Vec<PaymentId> = fresh.union(&going).copied().map(at)
                .filter(|((who, one), kind)| {
                    *who == owner(3)
                        && (kinds.is_empty() || kinds.contains(kind))
                        && after.is_none_or(|after| *one > after)
                        && before.is_none_or(|before| *one < before)
                        && past.is_none_or(|past| if forwards { *one > past } else { *one < past })
                })
                .map(|((_, one), _)| one)
                .collect();
            wanted.sort_unstable();
            let mut found = state.page(owner(3), &filter, past, limit);
            found.sort_unstable();
            found.dedup();
            if !forwards {
                wanted.reverse();
                found.reverse();
            }
            wanted.truncate(limit);
            found.truncate(limit);
            prop_assert_eq!(found, wanted);
        }
    }

    #[test]
    fn a_first_page_forwards_begins_at_the_first() {
        let state = State { fresh: (0..5).map(at).collect(), ..State::default() };
        let filter = PaymentFilter { after: Some(id(0)), ..PaymentFilter::default() };
        assert_eq!(state.page(owner(0), &filter, None, 5), []);
        assert_eq!(state.page(owner(3), &filter, None, 5), [id(3)]);
        let none =
            PaymentFilter { after: Some(PaymentId::from_bytes([0xff; 16])), ..PaymentFilter::default() };
        assert_eq!(state.page(owner(3), &none, None, 5), [], "nothing comes after the last id");
    }
}
