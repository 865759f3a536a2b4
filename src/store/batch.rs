//! The input and the output of one batch: what its transaction loads, and what it writes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::details::DetailRecord;
use super::event_sources::EventSource;
use super::idempotency::{AnswerWrite, IdempotencyRecord};
use super::known::Known;
use super::ledger::MovementWrite;
use super::page::Page;
use super::parts::PartRecord;
use super::payment_lists::{CustomerPaymentRecord, ReceiptRecord};
use super::scenarios::{NewScenario, ScenarioWrite};
use crate::domain::account::AccountFacts;
use crate::domain::announcement::Announcement;
use crate::domain::clock::Clock;
use crate::domain::ids::{AccountId, ClockId, IdMap, PaymentId};
use crate::domain::ledger::Holdings;
use crate::domain::payment::Payment;
use crate::domain::resource::Resource;
use crate::domain::subject::Subject;
use crate::domain::time::Timestamp;
use crate::domain::wallet::WalletId;

/// The journal's head as a batch took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The position of the batch in the journal.
    pub seq: u64,
    /// The batch's wall-clock time: the clock of its own process, or a moment after the batch before if that is later. So time
    /// moves forward along the journal, however far the clocks of several instances are apart, and no two batches share a time.
    pub wall: Timestamp,
    /// The position of the last change to an account or a clock that batches are decided by, such as closing an account. Facts
    /// cached in an earlier transaction hold while this stays the same.
    pub settings_seq: u64,
}

/// What a batch needs loaded. The adapter adds the wallets of the payments that it loads.
#[derive(Debug, Default, Clone)]
pub struct BatchKeys {
    /// Payments that commands refer to.
    pub payments: Vec<PaymentId>,
    /// Plain resources that commands change or name.
    pub resources: Vec<Subject>,
    /// Clocks that commands name. The adapter adds those of loaded payments, customers and accounts.
    pub clocks: Vec<ClockId>,
    /// Accounts that create a clock: their clocks are counted, since their number is limited.
    pub clock_owners: Vec<AccountId>,
    /// Wallets of new payments that take from a wallet.
    pub wallets: Vec<WalletId>,
    /// Accounts that new payments belong to or go to. The adapter adds those of loaded payments.
    pub accounts: Vec<AccountId>,
    /// Idempotency keys used.
    pub idempotency: Vec<[u8; 32]>,
    /// What this process's batches wrote, valid as long as no other process has written since.
    pub known: Option<Arc<Known>>,
}

/// How many payments are loaded together, and about how many bytes one batch loads. Bytes are bounded since one payment may be a
/// hundred times as large as another, while commands about it weigh next to nothing.
pub(super) const LOADED: Page = Page { rows_max: 256, bytes_max: 4 << 20 };

impl BatchKeys {
    /// What the batch at `seq` knows without reading it.
    fn known_at(&self, seq: u64) -> Option<&Known> {
        self.known.as_deref().filter(|known| known.holds_for(seq))
    }

    /// Puts known payments into `loaded`, as many as one batch may hold. Returns the ids still to be read, and the bytes of those
    /// put in.
    pub(crate) fn take_payments(&self, seq: u64, loaded: &mut Loaded) -> (Vec<PaymentId>, usize) {
        let Some(known) = self.known_at(seq) else { return (self.payments.clone(), 0) };
        let (mut rest, mut bytes) = (Vec::new(), 0);
        loaded.payments.reserve(self.payments.len());
        for id in &self.payments {
            match known.payment(*id).filter(|_| bytes < LOADED.bytes_max) {
                Some(payment) => {
                    bytes += payment.memory_bytes();
                    loaded.payments.insert(*id, Arc::clone(payment));
                }
                None => rest.push(*id),
            }
        }
        (rest, bytes)
    }

    /// Puts known wallets into `loaded`, and leaves those still to be read in `wallets`.
    pub(crate) fn take_wallets(&self, seq: u64, wallets: &mut Vec<WalletId>, loaded: &mut Loaded) {
        let Some(known) = self.known_at(seq) else { return };
        wallets.retain(|wallet| match known.wallet(*wallet) {
            Some(held) => {
                loaded.wallets.insert(*wallet, held);
                false
            }
            None => true,
        });
    }
}

/// What was loaded for a batch.
#[derive(Debug, Default)]
pub struct Loaded {
    /// Payments by id; one that does not exist has no entry.
    pub payments: IdMap<PaymentId, Arc<Payment>>,
    /// Payments that exist but cannot be read, with the cause.
    pub damaged: HashMap<PaymentId, String>,
    /// Resources by subject; one that does not exist has no entry.
    pub resources: HashMap<Subject, Resource>,
    /// Resources that exist but cannot be read, with the cause.
    pub damaged_resources: HashMap<Subject, String>,
    /// The clocks that are named or followed, with their owners. A deleted one is left out.
    pub clocks: HashMap<ClockId, (AccountId, Arc<Clock>)>,
    /// How many clocks each account in [`BatchKeys::clock_owners`] has.
    pub clock_counts: HashMap<AccountId, u32>,
    /// Payments and resources that were not read, since the others fill the batch.
    pub left_out: HashSet<Subject>,
    /// Facts about the accounts that exist; one that does not is treated as open, on the plainest terms. They stay so until the
    /// batch is committed.
    pub accounts: IdMap<AccountId, AccountFacts>,
    /// What wallets hold; an absent one holds nothing and has no row yet.
    pub wallets: IdMap<WalletId, Holdings>,
    /// Idempotency keys used before, by key and owner.
    pub idempotency: IdMap<([u8; 32], AccountId), IdempotencyRecord>,
}

/// Changes to a side table, which has rows only for some payments.
#[derive(Debug, Clone)]
pub struct Beside<T> {
    /// New or changed rows.
    pub put: Vec<T>,
    /// Payments whose row is deleted.
    pub remove: Vec<PaymentId>,
}

impl<T> Default for Beside<T> {
    fn default() -> Self {
        Self { put: Vec::new(), remove: Vec::new() }
    }
}

impl<T> Beside<T> {
    fn rows(&self) -> usize {
        self.put.len() + self.remove.len()
    }

    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows() == 0
    }
}

/// Everything one batch writes.
#[derive(Debug, Default)]
pub struct BatchWrite {
    /// New payments.
    pub inserts: Vec<Arc<Payment>>,
    /// Changed payments.
    pub updates: Vec<Arc<Payment>>,
    /// When a timer of a payment is due, and on which clock. Rows are deleted before others are written.
    pub due: Beside<(PaymentId, ClockId, Timestamp)>,
    /// Payments that their clock waits for before it advances.
    pub busy: Beside<(PaymentId, ClockId)>,
    /// Clocks that were created, changed or deleted, and whether each has to be watched from now on.
    pub clocks: Vec<(ClockId, bool)>,
    /// Payments with a parked operation, which waits for a person, and their owners.
    pub parked: Beside<(PaymentId, AccountId)>,
    /// New parts of payments.
    pub parts: Vec<PartRecord>,
    /// Transfers that have arrived.
    pub receipts: Vec<ReceiptRecord>,
    /// Created or changed resources, as they are after the batch.
    pub resources: Vec<Arc<Resource>>,
    /// New payments that name a customer.
    pub customer_payments: Vec<CustomerPaymentRecord>,
    /// The terms that amendments give payments.
    pub details: Vec<DetailRecord>,
    /// Events about resources, each with the full account that receives it.
    pub events: Vec<(AccountId, Announcement)>,
    /// The sources of events that full accounts receive: what no other row records.
    pub sources: Vec<EventSource>,
    /// Movements of money to append.
    pub movements: Vec<MovementWrite>,
    /// Wallets that changed, with what they hold after the batch.
    pub wallets: Vec<(WalletId, Holdings)>,
    /// New idempotency rows.
    pub idempotency: Vec<IdempotencyRecord>,
    /// The answers stored for some of these keys.
    pub answers: Vec<AnswerWrite>,
    /// Accounts to close, together with those they created.
    pub closed: Vec<AccountId>,
    /// Accounts whose new resources follow another clock from now on.
    pub account_clocks: Vec<(AccountId, ClockId)>,
    /// Scenarios put in force, whose revision is the batch's position.
    pub scenarios: Vec<ScenarioWrite>,
    /// The journal row's body, empty if nothing happened to any payment or resource. `None` if nothing happened at all: then
    /// nothing is written and no position is taken.
    pub journal: Option<Vec<u8>>,
    /// When the batch was decided.
    pub at: Timestamp,
}

impl BatchWrite {
    /// How many rows it writes, not counting the journal's own.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.inserts.len()
            + self.updates.len()
            + self.due.rows()
            + self.busy.rows()
            + self.clocks.len()
            + self.parked.rows()
            + self.parts.len()
            + self.receipts.len()
            + self.resources.len()
            + self.customer_payments.len()
            + self.details.len()
            + self.events.len()
            + self.sources.len()
            + self.answers.len()
            + self.movements.len()
            + self.wallets.len()
            + self.idempotency.len()
    }

    /// Whether it changes accounts (their scenarios included) or clocks, which batches are decided by: then nothing remembered about them may be used.
    #[must_use]
    pub fn changes_settings(&self) -> bool {
        !self.closed.is_empty()
            || !self.clocks.is_empty()
            || !self.account_clocks.is_empty()
            || !self.scenarios.is_empty()
    }
}

/// Closes an account; writes nothing unless it exists and is open.
pub(super) fn closing(id: AccountId, head: Head, loaded: &Loaded) -> BatchWrite {
    match loaded.accounts.get(&id) {
        Some(AccountFacts { closed: false, .. }) => {
            BatchWrite { closed: vec![id], journal: Some(Vec::new()), at: head.wall, ..BatchWrite::default() }
        }
        Some(AccountFacts { closed: true, .. }) | None => BatchWrite::default(),
    }
}

/// Makes an account follow a clock; writes nothing unless both exist and the account is open.
pub(super) fn setting_clock((id, clock): (AccountId, ClockId), head: Head, loaded: &Loaded) -> BatchWrite {
    let known = clock.is_wall() || loaded.clocks.get(&clock).is_some_and(|(owner, _)| *owner == id);
    match loaded.accounts.get(&id) {
        Some(AccountFacts { closed: false, .. }) if known => BatchWrite {
            account_clocks: vec![(id, clock)],
            journal: Some(Vec::new()),
            at: head.wall,
            ..BatchWrite::default()
        },
        Some(_) | None => BatchWrite::default(),
    }
}

impl BatchWrite {
    /// Puts a scenario in force; writes nothing unless the account exists and is open.
    pub(super) fn of_scenario(
        account: AccountId,
        file: Option<NewScenario>,
        head: Head,
        loaded: &Loaded,
    ) -> Self {
        match loaded.accounts.get(&account) {
            Some(AccountFacts { closed: false, .. }) => Self {
                scenarios: vec![ScenarioWrite { account, file }],
                journal: Some(Vec::new()),
                at: head.wall,
                ..Self::default()
            },
            Some(AccountFacts { closed: true, .. }) | None => Self::default(),
        }
    }
}
