//! What one transaction of the ordered line reads and writes.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::known::Known;
use super::page::Page;
use super::parts::PartRecord;
use super::records::DetailRecord;
use super::sources::EventSource;
use crate::domain::account::AccountFacts;
use crate::domain::announcement::Announcement;
use crate::domain::clock::Clock;
use crate::domain::ids::{AccountId, BatchId, ClockId, CustomerId, IdMap, PaymentId};
use crate::domain::ledger::{Holdings, Movement};
use crate::domain::payment::Payment;
use crate::domain::resource::Resource;
use crate::domain::statement::StatementLine;
use crate::domain::subject::Subject;
use crate::domain::time::Timestamp;
use crate::domain::wallet::WalletId;

/// The end of the line as a batch took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The place of the batch.
    pub seq: u64,
    /// The wall of the batch: the clock of its own process, or a moment after the batch before if that is later. So time goes
    /// forward along the line, however far the clocks of several instances are apart, and no two batches have one wall.
    pub wall: Timestamp,
    /// The place of the last change of what batches are decided by besides payments, such as an account that was closed. What
    /// was remembered of it in an earlier transaction holds while this stays.
    pub settings_seq: u64,
}

/// What a batch needs loaded. Wallets of payments that are loaded are added by the adapter.
#[derive(Debug, Default, Clone)]
pub struct BatchKeys {
    /// Payments that commands refer to.
    pub payments: Vec<PaymentId>,
    /// Plain resources that commands change or name.
    pub resources: Vec<Subject>,
    /// Clocks that commands name. Those of payments, customers and accounts that are loaded are added by the adapter.
    pub clocks: Vec<ClockId>,
    /// Accounts that make a clock, of which there is a greatest number.
    pub clock_owners: Vec<AccountId>,
    /// Wallets of new payments that take from a wallet.
    pub wallets: Vec<WalletId>,
    /// Accounts that new payments belong to or go to. Those of payments that are loaded are added by the adapter.
    pub accounts: Vec<AccountId>,
    /// Idempotency keys used.
    pub idempotency: Vec<[u8; 32]>,
    /// What the line wrote itself, for as long as nobody else has written.
    pub known: Option<Arc<Known>>,
}

/// The payments that are loaded together, and about how many bytes one batch loads: one may hold a hundred times what another
/// does, and commands about them weigh next to nothing.
pub(super) const LOADED: Page = Page { rows_max: 256, bytes_max: 4 << 20 };

impl BatchKeys {
    /// What is known without asking by the batch at `seq`.
    fn known_at(&self, seq: u64) -> Option<&Known> {
        self.known.as_deref().filter(|known| known.holds_for(seq))
    }

    /// Puts the payments that are known into `loaded`, as many as one batch may hold; returns those to be looked for, and the
    /// bytes of the others.
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

    /// Puts what is known of wallets into `loaded`, and leaves those to be looked for in `wallets`.
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

/// A remembered idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// The reduced key.
    pub key: [u8; 32],
    /// Whose it is.
    pub owner: AccountId,
    /// Hash of the parameters it was used with.
    pub request: [u8; 16],
    /// What it made or changed.
    pub subject: Subject,
    /// The version of that right after.
    pub version: u32,
    /// Names the answer that is kept for it (see [`AnswerWrite`]). A payment's has none: it is folded from the history.
    pub answer: Option<u64>,
    /// When.
    pub at: Timestamp,
}

impl IdempotencyRecord {
    /// A short hash of all that it says but the time, which the journal's row has too. By it the journal vouches for the row.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.key).update(self.owner.as_bytes()).update(&self.request);
        hasher.update(&self.subject.to_key()).update(&self.version.to_le_bytes());
        hasher.update(&self.answer.unwrap_or(0).to_le_bytes());
        let mut short = [0_u8; 8];
        short.copy_from_slice(hasher.finalize().as_bytes().split_at(8).0);
        u64::from_le_bytes(short)
    }
}

/// The answer to a change of a resource, kept for its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerWrite {
    /// The reduced key.
    pub key: [u8; 32],
    /// Whose it is.
    pub owner: AccountId,
    /// What was answered, byte for byte.
    pub body: Arc<[u8]>,
}

impl AnswerWrite {
    /// The name of an answer, made from its bytes: by it a row that was altered is noticed.
    #[must_use]
    pub fn name(body: &[u8]) -> u64 {
        blake3::hash(body).as_bytes().iter().take(8).fold(0, |name: u64, byte| (name << 8) | u64::from(*byte))
    }
}

/// What was found.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The payments found.
    pub payments: IdMap<PaymentId, Arc<Payment>>,
    /// Payments that are there and cannot be read, with the cause.
    pub damaged: HashMap<PaymentId, String>,
    /// The resources found.
    pub resources: HashMap<Subject, Resource>,
    /// Resources that are there and cannot be read, with the cause.
    pub damaged_resources: HashMap<Subject, String>,
    /// The clocks found, of those named or gone by, and whose they are. One that was deleted is left out.
    pub clocks: HashMap<ClockId, (AccountId, Arc<Clock>)>,
    /// How many clocks those accounts have that make one.
    pub clock_counts: HashMap<AccountId, u32>,
    /// Payments and resources that were not looked for, since the others are enough for one batch.
    pub left_out: HashSet<Subject>,
    /// What is known of the accounts that are there; one that is not is taken to be open, on the plainest terms. It stays so until the
    /// batch is committed.
    pub accounts: IdMap<AccountId, AccountFacts>,
    /// What wallets hold; absent means nothing and no row yet.
    pub wallets: IdMap<WalletId, Holdings>,
    /// Keys found, by key and owner.
    pub idempotency: IdMap<([u8; 32], AccountId), IdempotencyRecord>,
}

/// Changes of a table that has rows only for payments of which there is something to say.
#[derive(Debug, Clone)]
pub struct Beside<T> {
    /// Rows that are new or other than before.
    pub put: Vec<T>,
    /// Payments whose row goes.
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

/// A movement to append.
#[derive(Debug, Clone, Copy)]
pub struct MovementWrite {
    /// The payment that caused it.
    pub payment: PaymentId,
    /// The version of the payment whose event caused it.
    pub version: u32,
    /// Which of that event's movements it is, from 0.
    pub n: u8,
    /// Its place among the movements of the batch, from 0.
    pub place: u32,
    /// From where to where, and how much.
    pub movement: Movement,
}

/// A transfer that someone has received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReceiptRecord {
    /// Who received it; never its sender.
    pub payee: AccountId,
    /// The transfer.
    pub payment: PaymentId,
}

/// A payment that names its customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CustomerPaymentRecord {
    /// The customer.
    pub customer: CustomerId,
    /// The payment.
    pub payment: PaymentId,
}

/// Everything one batch writes.
#[derive(Debug, Default)]
pub struct BatchWrite {
    /// New payments.
    pub inserts: Vec<Arc<Payment>>,
    /// Changed payments.
    pub updates: Vec<Arc<Payment>>,
    /// When something is to happen to a payment by itself, by which clock. Rows go before others come.
    pub due: Beside<(PaymentId, ClockId, Timestamp)>,
    /// Payments for which their clock waits before it goes on.
    pub busy: Beside<(PaymentId, ClockId)>,
    /// Clocks that were made, changed or deleted, and whether they have to be looked after from now on.
    pub clocks: Vec<(ClockId, bool)>,
    /// Payments with an operation that waits for a person, and their owners.
    pub parked: Beside<(PaymentId, AccountId)>,
    /// New parts of payments.
    pub parts: Vec<PartRecord>,
    /// Transfers that have arrived.
    pub receipts: Vec<ReceiptRecord>,
    /// Resources as they are after the batch, made or changed.
    pub resources: Vec<Arc<Resource>>,
    /// New payments of customers.
    pub customer_payments: Vec<CustomerPaymentRecord>,
    /// What amendments of payments say.
    pub details: Vec<DetailRecord>,
    /// What full accounts are told of their resources, each with the account that it is for.
    pub events: Vec<(AccountId, Announcement)>,
    /// What nothing else tells of what full accounts are told of.
    pub sources: Vec<EventSource>,
    /// Movements.
    pub movements: Vec<MovementWrite>,
    /// What the wallets touched hold now.
    pub wallets: Vec<(WalletId, Holdings)>,
    /// New idempotency rows.
    pub idempotency: Vec<IdempotencyRecord>,
    /// The answers kept for some of them.
    pub answers: Vec<AnswerWrite>,
    /// Accounts that are closed, with those they made.
    pub closed: Vec<AccountId>,
    /// Accounts that go by another clock from now on.
    pub account_clocks: Vec<(AccountId, ClockId)>,
    /// The journal's body, empty if nothing happened to any payment or resource; `None` if nothing happened, and then nothing is written
    /// and no place is taken.
    pub journal: Option<Vec<u8>>,
    /// When the batch was decided.
    pub at: Timestamp,
}

impl BatchWrite {
    /// How many rows it writes, the journal's own left out.
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

    /// Whether it changes anything that batches are decided by besides payments: then nobody may go by what was remembered of it.
    #[must_use]
    pub fn changes_settings(&self) -> bool {
        !self.closed.is_empty() || !self.clocks.is_empty() || !self.account_clocks.is_empty()
    }
}

/// What closes an account, if it is there and open.
pub(super) fn closing(id: AccountId, head: Head, loaded: &Loaded) -> BatchWrite {
    match loaded.accounts.get(&id) {
        Some(AccountFacts { closed: false, .. }) => {
            BatchWrite { closed: vec![id], journal: Some(Vec::new()), at: head.wall, ..BatchWrite::default() }
        }
        Some(AccountFacts { closed: true, .. }) | None => BatchWrite::default(),
    }
}

/// What has an account go by a clock, if both are there and the account is open.
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

/// What a projection made of some batches.
#[derive(Debug, Clone, Default)]
pub struct Projected {
    /// Lines of statements.
    pub lines: Vec<StatementLine>,
    /// Announcements, each with the account that it is for.
    pub events: Vec<(AccountId, Announcement)>,
    /// Payments with work that has been in the queue for long, and those that have none any more.
    pub open_work: Beside<PaymentId>,
}

impl Projected {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.events.is_empty() && self.open_work.is_empty()
    }
}

/// A row of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalRecord {
    /// Its place.
    pub seq: u64,
    /// The batch.
    pub batch: BatchId,
    /// When it was decided.
    pub at: Timestamp,
    /// The encoded events; see `engine::journal`.
    pub body: Vec<u8>,
}
