//! Writes the statements of full accounts' wallets, one line per event that changed what their owners have, and the
//! events that those accounts receive about their payments (the dialect's events).
//!
//! Lines and cursor are written in one transaction, so that each line exists exactly once and a cursor at the head means
//! that nothing is missing. A line has the place of its movement, which the sequencer wrote; its balance continues the
//! one before. Whatever is lost is rebuilt from movements and histories, with the same lines in the same places: when the
//! cursor is at zero, when the journal was pruned beyond it, and when a row of the journal cannot be read.

use std::collections::{BTreeSet, HashMap};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lru::LruCache;
use tokio::time::Instant;

use super::batch::{Batch, Entry};
use super::follower::{Reader, ReaderError};
use crate::clock::Wall;
use crate::domain::announcement::{Announcement, announced};
use crate::domain::ids::{AccountId, InstanceId, PaymentId};
use crate::domain::payment::Payment;
use crate::domain::statement::{self, LinePlace, StatementLine};
use crate::domain::time::Timestamp;
use crate::domain::wallet::WalletId;
use crate::store::{MovementRecord, PipelineStore, Projected, StatementFilter};

mod rebuild;

/// The name of its cursor and lease.
pub const NAME: &str = statement::READER;

/// Accounts and wallets that are remembered.
const REMEMBERED: NonZeroUsize = match NonZeroUsize::new(50_000) {
    Some(number) => number,
    None => NonZeroUsize::MIN,
};
/// Wallets looked up at once.
const WALLETS: u32 = 200;

/// Up to this many batches behind, the cursor moves at every tick.
const FEW_BATCHES: u64 = 8;
/// How often the cursor moves while batches pour in that make no lines.
const CURSOR_EVERY: Duration = Duration::from_millis(500);

/// How long events are kept: 30 days, in microseconds.
pub const EVENTS_KEPT_US: i64 = 30 * 24 * 3_600 * 1_000_000;
/// And at least a day in wall-clock time, whatever their clock shows, in microseconds.
pub const EVENTS_KEPT_WALL_US: i64 = 24 * 3_600 * 1_000_000;
/// How often old events are deleted, and of how many accounts at once.
const PRUNE_EVERY: Duration = Duration::from_secs(10);
const PRUNED: u32 = 50;

/// Movements by what caused them.
type MovementsByCause = HashMap<(PaymentId, u32, u8), MovementRecord>;

/// The reader that writes statements and events.
pub struct Statement {
    store: Arc<dyn PipelineStore>,
    instance: InstanceId,
    /// Taken up to here.
    read: u64,
    /// The cursor in the store.
    saved: u64,
    saved_at: Instant,
    full: LruCache<AccountId, bool>,
    balances: LruCache<WalletId, i64>,
    wall: Wall,
    /// Events kept per account.
    events_max: u32,
    pruned: Instant,
    pruned_to: Option<AccountId>,
}

impl Statement {
    /// A reader on this store, for this instance, that keeps at most `events_max` events per account.
    #[must_use]
    pub fn new(store: Arc<dyn PipelineStore>, instance: InstanceId, wall: Wall, events_max: u32) -> Self {
        let (full, balances) = (LruCache::new(REMEMBERED), LruCache::new(REMEMBERED));
        let now = Instant::now();
        let (read, saved, saved_at) = (0, 0, now);
        let (pruned, pruned_to) = (now, None);
        Self { store, instance, read, saved, saved_at, full, balances, wall, events_max, pruned, pruned_to }
    }

    /// Which of these accounts have statements. One without a row is treated as one that has.
    async fn full(&mut self, accounts: BTreeSet<AccountId>) -> Result<BTreeSet<AccountId>, ReaderError> {
        let unknown: Vec<AccountId> =
            accounts.iter().filter(|id| self.full.get(id).is_none()).copied().collect();
        if !unknown.is_empty() {
            let found = self.store.account_get(&unknown).await?;
            let lean: BTreeSet<AccountId> =
                found.iter().filter(|account| account.terms.lean).map(|account| account.id).collect();
            for id in unknown {
                self.full.put(id, !lean.contains(&id));
            }
        }
        Ok(accounts.into_iter().filter(|id| self.full.peek(id).is_none_or(|full| *full)).collect())
    }

    /// The lines of these batches, in order and with their balances, and their announcements.
    async fn make(&mut self, batches: &[Arc<Batch>]) -> Result<Projected, ReaderError> {
        let entries: Vec<&Entry> = batches.iter().flat_map(|batch| batch.entries.iter()).collect();
        let parties = entries.iter().flat_map(|entry| [Some(entry.owner), entry.payee]).flatten();
        let full = self.full(parties.collect()).await?;
        let concerns = |entry: &&Entry| {
            full.contains(&entry.owner)
                || (moves(entry) && entry.payee.is_some_and(|payee| full.contains(&payee)))
        };
        let entries: Vec<&Entry> = entries.into_iter().filter(concerns).collect();
        if entries.is_empty() {
            return Ok(Projected::default());
        }
        let moving = entries.iter().filter(|entry| moves(entry)).map(|entry| entry.payment_id);
        let ids: BTreeSet<PaymentId> = moving.collect();
        let places = self.movements(&ids.into_iter().collect::<Vec<_>>()).await?;
        let payments = self.payments(&entries).await?;
        let mut projected = Projected::default();
        for entry in entries {
            let Some(payment) = payments.get(&entry.payment_id) else { continue };
            let versions = entry.first_version..entry.last_version().saturating_add(1);
            if moves(entry) {
                projected.lines.extend(placed(payment, versions.clone(), &places, &full));
            }
            projected.events.extend(announcements(payment, versions, &full));
        }
        projected.lines.sort_unstable_by_key(|line| (line.place, line.wallet));
        projected.events.sort_unstable();
        self.add_up(&mut projected.lines).await?;
        Ok(projected)
    }

    async fn movements(&self, payments: &[PaymentId]) -> Result<MovementsByCause, ReaderError> {
        let found = self.store.movement_list(payments).await?;
        Ok(found.into_iter().map(|record| ((record.payment, record.version, record.n), record)).collect())
    }

    /// The payments of these entries, at the entries' versions or later.
    async fn payments(&self, entries: &[&Entry]) -> Result<HashMap<PaymentId, Arc<Payment>>, ReaderError> {
        let mut payments: HashMap<PaymentId, Arc<Payment>> = HashMap::new();
        let mut missing = BTreeSet::new();
        for entry in entries {
            match &entry.payment {
                Some(payment) => drop(payments.insert(entry.payment_id, Arc::clone(payment))),
                None => drop(missing.insert(entry.payment_id)),
            }
        }
        let missing: Vec<PaymentId> = missing.into_iter().collect();
        let found = self.store.payment_get(&missing).await?;
        payments.extend(found.into_iter().map(|payment| (payment.id(), Arc::new(payment))));
        Ok(payments)
    }

    /// Gives each line its balance.
    async fn add_up(&mut self, lines: &mut [StatementLine]) -> Result<(), ReaderError> {
        for line in lines {
            let before = match self.balances.get(&line.wallet) {
                Some(balance) => *balance,
                None => self.last_balance(line.wallet, line.place).await?,
            };
            line.balance_minor = before.saturating_add(line.net_minor());
            self.balances.put(line.wallet, line.balance_minor);
        }
        Ok(())
    }

    /// What the owner had before a place.
    async fn last_balance(&self, wallet: WalletId, place: LinePlace) -> Result<i64, ReaderError> {
        let filter = StatementFilter { before: Some(place), limit: 1, ..StatementFilter::default() };
        let last = self.store.statement_list(wallet, &filter).await?;
        Ok(last.first().map_or(0, |line| line.balance_minor))
    }

    /// Writes a projection together with the cursor, which moves to `upto`.
    async fn write(&mut self, upto: u64, projected: &Projected) -> Result<(), ReaderError> {
        let kept = self.store.project(NAME, self.instance, self.saved, upto, projected).await?;
        if !kept {
            return Err(ReaderError::Expected("the lease or the cursor is not ours any more".to_owned()));
        }
        (self.saved, self.read, self.saved_at) = (upto, upto, Instant::now());
        Ok(())
    }

    /// Events before both of these, by their own clock and by the wall clock, are no longer kept.
    fn oldest(&self) -> (Timestamp, Timestamp) {
        let wall = self.wall.now();
        let before = |us: i64| Timestamp::from_micros(wall.micros().saturating_sub(us));
        (before(EVENTS_KEPT_US), before(EVENTS_KEPT_WALL_US))
    }

    /// Deletes old and surplus events of some accounts; the next call goes on with the next accounts.
    async fn prune(&mut self) -> Result<(), ReaderError> {
        let owners = self.store.event_owners(self.pruned_to, PRUNED).await?;
        self.pruned_to = owners.last().copied();
        for owner in owners {
            // Events of one batch stay together. By the wall clock: others may still happen at the same time of a test
            // clock.
            if let Some(surplus) = self.store.event_surplus(owner, self.events_max).await? {
                self.store.event_delete(owner, Timestamp::from_micros(i64::MAX), surplus.next()).await?;
            }
            let (oldest, wall) = self.oldest();
            self.store.event_delete(owner, oldest, wall).await?;
        }
        Ok(())
    }
}

/// Whether an entry may have changed a wallet.
fn moves(entry: &Entry) -> bool {
    entry.events.iter().any(|recorded| statement::moves_money(&recorded.event))
}

/// The events that these versions of a payment announce to its submitter, if that account has events.
fn announcements(
    payment: &Payment,
    versions: std::ops::Range<u32>,
    full: &BTreeSet<AccountId>,
) -> Vec<(AccountId, Announcement)> {
    let owner = payment.owner();
    if !full.contains(&owner) {
        return Vec::new();
    }
    announced(payment, versions).into_iter().map(|event| (owner, event)).collect()
}

/// The lines of these versions of a payment in the wallets of full accounts, at the places of their movements. One whose
/// movement is lost is left out; `verify` names the movement.
fn placed<'a>(
    payment: &'a Payment,
    versions: std::ops::Range<u32>,
    movements: &'a MovementsByCause,
    full: &'a BTreeSet<AccountId>,
) -> impl Iterator<Item = StatementLine> + 'a {
    let drafts = statement::drafts(payment, versions).into_iter();
    drafts.filter(|draft| full.contains(&draft.wallet().owner)).filter_map(|draft| {
        let record = movements.get(&(draft.id().payment, draft.id().version, draft.n))?;
        Some(draft.at(LinePlace { seq: record.seq, place: record.place }))
    })
}

#[async_trait]
impl Reader for Statement {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn begin(&mut self, stored: u64, head: u64) -> Result<u64, ReaderError> {
        self.balances.clear();
        (self.saved, self.read) = (stored, stored);
        let next =
            if stored < head { self.store.journal_read(stored, 1).await?.into_iter().next() } else { None };
        let follows = stored == head || next.is_some_and(|row| row.seq == stored.saturating_add(1));
        // At zero, existing lines may be anything.
        if !follows || (stored == 0 && head > 0) {
            self.rebuild(head).await?;
        }
        Ok(self.read)
    }

    async fn apply(&mut self, batches: &[Arc<Batch>]) -> Result<(), ReaderError> {
        let mut expected = self.read;
        for batch in batches {
            expected = expected.saturating_add(1);
            if batch.seq != expected {
                return self.pass_over(batch.seq).await;
            }
        }
        let projected = self.make(batches).await?;
        if projected.is_empty() {
            self.read = expected;
            return Ok(());
        }
        self.write(expected, &projected).await
    }

    /// The movements show what unreadable rows did to money.
    async fn pass_over(&mut self, _upto: u64) -> Result<(), ReaderError> {
        self.store.cursor_reset(NAME, 0).await?;
        Err(ReaderError::Expected("a row of the journal cannot be read; statements are rebuilt".to_owned()))
    }

    /// Batches without lines move the cursor too: at once if they are few, and while they pour in no more often than
    /// other readers' cursors move, since a write of its own costs the sequencer more than the batch's lines did.
    async fn tick(&mut self) -> Result<(), ReaderError> {
        let behind = self.read.saturating_sub(self.saved);
        let pours = behind > FEW_BATCHES && self.saved_at.elapsed() < CURSOR_EVERY;
        if behind > 0 && !pours {
            self.write(self.read, &Projected::default()).await?;
        }
        if self.pruned.elapsed() >= PRUNE_EVERY {
            self.pruned = Instant::now();
            self.prune().await?;
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), ReaderError> {
        if self.read > self.saved { self.write(self.read, &Projected::default()).await } else { Ok(()) }
    }

    /// A caller that waits for a statement waits for the cursor.
    fn tick_every(&self) -> Duration {
        Duration::from_millis(100)
    }

    /// Nothing: the cursor is written together with the lines.
    fn safe(&self) -> u64 {
        0
    }
}
