//! Caches payments and wallets that this process's batches wrote, and that need not be read again while no other process writes.
//!
//! Every batch takes the position after the one before, whichever process writes it. So a batch at the position right after this
//! process's last one finds payments and wallets exactly as that one left them. A batch at any other position does not, and then
//! nothing here is used. It is forgotten whenever the contents of the store are in doubt.

use std::sync::Arc;

use lru::LruCache;

use crate::domain::ids::PaymentId;
use crate::domain::ledger::Holdings;
use crate::domain::payment::Payment;
use crate::domain::wallet::WalletId;

/// The most bytes of payments. Most are shared with the batches that are held for this process's readers.
const PAYMENTS_BYTES_MAX: usize = 16 << 20;
/// The most wallets, some 70 bytes each.
const WALLETS_MAX: usize = 65_536;

/// What the store holds after this process's last batch, as far as it is cached.
#[derive(Debug)]
pub struct Known {
    /// The position of that batch in the journal; 0 if nothing is known.
    after: u64,
    /// Payments with work in the queue: they come back with its answers. A payment at rest is not soon asked for again.
    payments: LruCache<PaymentId, Arc<Payment>>,
    bytes: usize,
    bytes_max: usize,
    wallets: LruCache<WalletId, Holdings>,
}

impl Default for Known {
    fn default() -> Self {
        Self::of_bytes(PAYMENTS_BYTES_MAX)
    }
}

impl Known {
    fn of_bytes(bytes_max: usize) -> Self {
        let (payments, wallets) = (LruCache::unbounded(), LruCache::unbounded());
        Self { after: 0, payments, bytes: 0, bytes_max, wallets }
    }

    /// The position at which it holds: for a test that makes it stale.
    #[cfg(test)]
    pub(crate) const fn holds_at(&self) -> u64 {
        self.after + 1
    }

    /// Takes over what the committed batch at `seq` wrote.
    pub fn committed<'a>(
        &mut self,
        seq: u64,
        payments: impl IntoIterator<Item = &'a Arc<Payment>>,
        wallets: &[(WalletId, Holdings)],
    ) {
        if seq != self.after + 1 {
            // Others wrote in between.
            *self = Self::of_bytes(self.bytes_max);
        }
        self.after = seq;
        payments.into_iter().for_each(|payment| self.put(payment));
        for (wallet, held) in wallets {
            self.wallets.put(*wallet, *held);
        }
        while self.wallets.len() > WALLETS_MAX {
            self.wallets.pop_lru();
        }
    }

    /// Whether it holds for the batch at `seq`.
    pub(super) const fn holds_for(&self, seq: u64) -> bool {
        self.after != 0 && self.after + 1 == seq
    }

    pub(super) fn payment(&self, id: PaymentId) -> Option<&Arc<Payment>> {
        self.payments.peek(&id)
    }

    pub(super) fn wallet(&self, wallet: WalletId) -> Option<Holdings> {
        self.wallets.peek(&wallet).copied()
    }

    fn put(&mut self, payment: &Arc<Payment>) {
        let before = if payment.queued_work().next().is_some() {
            self.bytes += payment.memory_bytes();
            self.payments.put(payment.id(), Arc::clone(payment))
        } else {
            self.payments.pop(&payment.id())
        };
        self.bytes -= before.map_or(0, |before| before.memory_bytes());
        while self.bytes > self.bytes_max
            && let Some((_, unused)) = self.payments.pop_lru()
        {
            self.bytes -= unused.memory_bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::batch::{BatchKeys, LOADED, Loaded};
    use super::*;
    use crate::domain::currency::Currency;
    use crate::domain::event::{Event, Recorded};
    use crate::domain::ids::{AccountId, ChargeId, ClockId};
    use crate::domain::instrument::Instrument;
    use crate::domain::money::Money;
    use crate::domain::submission::{CaptureMethod, Kind, Lane, Submission};
    use crate::domain::terms::Terms;
    use crate::domain::time::Timestamp;

    fn id(number: u8) -> PaymentId {
        PaymentId::from_bytes([number + 1; 16])
    }

    fn wallet(number: u8) -> WalletId {
        WalletId { owner: AccountId::from_bytes([number + 1; 16]), currency: Currency::EUR }
    }

    fn holds(balance_minor: i64) -> Holdings {
        Holdings { balance_minor, owed_minor: balance_minor % 7, pending_minor: 0 }
    }

    /// A payment as a batch at this time left it, with or without work in the queue, amended if the time is odd.
    fn payment(number: u8, at: i64, queued: bool, note_bytes: usize) -> Arc<Payment> {
        let submission = Submission {
            id: id(number),
            owner: AccountId::from_bytes([1; 16]),
            kind: Kind::Charge,
            amount: Money::new(100, Currency::EUR),
            capture: CaptureMethod::Automatic,
            lane: Lane::Bulk,
            draw_key: 0,
            description: Some("x".repeat(note_bytes)),
            metadata: Vec::new(),
            run: None,
            customer: None,
            clock: ClockId::WALL,
        };
        let recorded = |event| Recorded::on_wall(Timestamp::from_micros(at), event);
        let created = recorded(Event::Created { instrument: None, confirmed: false, reserved: false });
        let mut payment = Payment::open(Arc::new(submission), created).unwrap();
        if queued {
            payment
                .apply(recorded(Event::Confirmed {
                    instrument: Instrument::Wallet,
                    charge: ChargeId::from_bytes([8; 16]),
                }))
                .unwrap();
        }
        if at % 2 != 0 {
            let terms = Terms { description: Some(at.to_string()), ..payment.terms() };
            let name = Some(Terms::fingerprint(&terms.to_bytes()));
            payment.apply(recorded(Event::Amended { amount_minor: Some(100 + at), terms: name })).unwrap();
            payment.read_terms(payment.version(), Arc::new(terms));
        }
        Arc::new(payment)
    }

    /// What the store holds.
    #[derive(Default)]
    struct Stored {
        head: u64,
        payments: BTreeMap<PaymentId, Arc<Payment>>,
        wallets: BTreeMap<WalletId, Holdings>,
    }

    impl Stored {
        fn keep(&mut self, seq: u64, payments: &[Arc<Payment>], wallets: &[(WalletId, Holdings)]) {
            self.head = seq;
            self.payments.extend(payments.iter().map(|payment| (payment.id(), Arc::clone(payment))));
            self.wallets.extend(wallets.iter().copied());
        }

        /// Loads as an adapter does, and checks that nothing known differs from what is stored. Returns how much of it was known.
        fn load(&self, keys: &BatchKeys) -> usize {
            let (mut loaded, mut wallets) = (Loaded::default(), keys.wallets.clone());
            let (rest, _) = keys.take_payments(self.head + 1, &mut loaded);
            keys.take_wallets(self.head + 1, &mut wallets, &mut loaded);
            for (id, payment) in &loaded.payments {
                let stored = &self.payments[id];
                // With its terms, which are in another row.
                assert_eq!(payment, stored);
                assert_eq!(payment.unread_terms(), None);
            }
            for (wallet, held) in &loaded.wallets {
                assert_eq!(self.wallets.get(wallet), Some(held));
            }
            assert_eq!(rest.len() + loaded.payments.len(), keys.payments.len(), "nothing is left out");
            assert_eq!(wallets.len() + loaded.wallets.len(), keys.wallets.len());
            loaded.payments.len() + loaded.wallets.len()
        }
    }

    /// How a commit ends: done and answered, done and not answered, or not done.
    #[derive(Debug, Clone, Copy)]
    enum End {
        Answered,
        Unanswered,
        Refused,
    }

    #[derive(Debug, Clone)]
    struct Step {
        writer: usize,
        payments: Vec<(u8, bool)>,
        balances: Vec<(u8, i64)>,
        end: End,
    }

    fn step() -> impl Strategy<Value = Step> {
        let end = prop_oneof![6 => Just(End::Answered), 1 => Just(End::Unanswered), 1 => Just(End::Refused)];
        let payments = prop::collection::vec((0_u8..8, prop::bool::ANY), 0..4);
        let balances = prop::collection::vec((0_u8..4, -50_i64..50), 0..3);
        (prop_oneof![4 => Just(0_usize), 1 => Just(1)], payments, balances, end)
            .prop_map(|(writer, payments, balances, end)| Step { writer, payments, balances, end })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// Two processes write, and commits end in every way; neither ever takes something for stored that is not.
        #[test]
        fn what_is_known_is_what_stands_in_the_store(steps in prop::collection::vec(step(), 1..40)) {
            let mut stored = Stored::default();
            let mut known = [Arc::new(Known::default()), Arc::new(Known::default())];
            for (at, step) in (2_i64..).zip(&steps) {
                let mine = std::mem::take(&mut known[step.writer]);
                let keys = BatchKeys {
                    payments: (0..8).map(id).collect(),
                    wallets: (0..4).map(wallet).collect(),
                    known: Some(Arc::clone(&mine)),
                    ..BatchKeys::default()
                };
                stored.load(&keys);
                drop(keys);
                let payments: Vec<_> =
                    step.payments.iter().map(|(number, queued)| payment(*number, at, *queued, 0)).collect();
                let balances: Vec<_> =
                    step.balances.iter().map(|(number, balance)| (wallet(*number), holds(*balance))).collect();
                let seq = stored.head + 1;
                match step.end {
                    End::Answered => {
                        stored.keep(seq, &payments, &balances);
                        let mut mine = mine;
                        Arc::get_mut(&mut mine).unwrap().committed(seq, &payments, &balances);
                        known[step.writer] = mine;
                    }
                    // The writer starts from scratch.
                    End::Unanswered => stored.keep(seq, &payments, &balances),
                    End::Refused => {}
                }
            }
        }
    }

    fn keys(known: &Arc<Known>) -> BatchKeys {
        BatchKeys {
            payments: (0..100).map(id).collect(),
            known: Some(Arc::clone(known)),
            ..BatchKeys::default()
        }
    }

    #[test]
    fn it_is_used_while_nobody_else_writes_and_holds_what_is_under_way() {
        let mut stored = Stored::default();
        let mut known = Known::default();
        for seq in 1..=3 {
            let payments = [payment(1, 2, true, 0), payment(2, 2, seq < 3, 0)];
            stored.keep(seq, &payments, &[(wallet(1), holds(5))]);
            known.committed(seq, &payments, &[(wallet(1), holds(5))]);
        }
        let mut keys = keys(&Arc::new(known));
        keys.wallets = vec![wallet(1), wallet(2)];
        assert_eq!(stored.load(&keys), 2, "one payment, since the other rests, and one balance");
        stored.head += 1;
        assert_eq!(stored.load(&keys), 0, "somebody else has written");
    }

    #[test]
    fn it_is_bounded_in_bytes_and_so_is_what_one_batch_takes_of_it() {
        let mut known = Known::of_bytes(1 << 20);
        let mut stored = Stored::default();
        for seq in 1..=100 {
            let payments = [payment(u8::try_from(seq).unwrap() - 1, 2, true, 100_000)];
            stored.keep(seq, &payments, &[]);
            known.committed(seq, &payments, &[]);
            assert!(known.bytes <= 1 << 20 && known.payments.len() <= 10);
        }
        assert_eq!(stored.load(&keys(&Arc::new(known))), 10);
        let mut known = Known::of_bytes(usize::MAX);
        for seq in 1..=100 {
            known.committed(seq, &[payment(u8::try_from(seq).unwrap() - 1, 2, true, 100_000)], &[]);
        }
        let mut loaded = Loaded::default();
        let (rest, bytes) = keys(&Arc::new(known)).take_payments(101, &mut loaded);
        assert!(loaded.payments.len() < 50 && rest.len() + loaded.payments.len() == 100);
        assert!((LOADED.bytes_max..LOADED.bytes_max + 200_000).contains(&bytes));
    }
}
