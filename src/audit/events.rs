//! Checks events of accounts: each is what its payment's history announces, to the payment's owner, whose account is full; and from
//! the oldest that an account still has, none is missing up to the reader's position.

use std::collections::HashMap;

use super::named::payments_named;
use super::report::{Name, Report};
use super::statement::Scope;
use crate::domain::announcement::{Announcement, announced};
use crate::domain::ids::AccountId;
use crate::domain::payment::Payment;
use crate::domain::time::Timestamp;
use crate::store::{Snapshot, StoreError};

/// Events read at once; their payments are looked up together.
const EVENTS: u32 = 1_000;
/// How long events are kept by their clock, in microseconds: 30 days, less a minute between one reading of the clock and another.
const KEPT_US: i64 = (30 * 24 * 3_600 - 60) * 1_000_000;
/// And by the wall clock: a day, less that minute.
const KEPT_WALL_US: i64 = (24 * 3_600 - 60) * 1_000_000;

/// From when on events must be there, and until when.
#[derive(Debug, Default)]
pub struct Kept {
    /// The oldest of each account that has any, by the wall clock.
    oldest: HashMap<AccountId, Timestamp>,
    /// The oldest of those on the wall clock, since which none can be gone.
    oldest_by_wall: HashMap<AccountId, Timestamp>,
    /// What happened since then by its clock is kept.
    since: Timestamp,
    /// And what happened since then by the wall clock.
    since_wall: Timestamp,
    /// What happened from then on may not be written yet.
    until: Timestamp,
}

impl Kept {
    /// Reads the oldest of each account.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn read(
        snapshot: &mut dyn Snapshot,
        upto: u64,
        now: Option<Timestamp>,
    ) -> Result<Self, StoreError> {
        let next = snapshot.journal(upto, 1).await?.into_iter().next();
        let since = |kept_us: i64| {
            Timestamp::from_micros(now.map_or(i64::MIN, |now| now.micros().saturating_sub(kept_us)))
        };
        let mut kept = Self {
            oldest: HashMap::new(),
            oldest_by_wall: HashMap::new(),
            since: since(KEPT_US),
            since_wall: since(KEPT_WALL_US),
            until: next.map_or(Timestamp::from_micros(i64::MAX), |row| row.at),
        };
        let mut after = None;
        loop {
            let page = snapshot.events(after, EVENTS).await?;
            let Some((owner, last)) = page.last() else { return Ok(kept) };
            after = Some((*owner, (last.at, last.id)));
            for (owner, event) in &page {
                let oldest = kept.oldest.entry(*owner).or_insert(event.wall);
                *oldest = event.wall.min(*oldest);
                if event.at == event.wall {
                    let oldest = kept.oldest_by_wall.entry(*owner).or_insert(event.wall);
                    *oldest = event.wall.min(*oldest);
                }
            }
        }
    }

    /// Whether an event must still be there.
    pub fn must_have(&self, owner: AccountId, event: &Announcement) -> bool {
        let kept = if event.at == event.wall {
            event.at >= self.oldest_by_wall.get(&owner).copied().unwrap_or(self.since)
        } else {
            let not_too_many = self.oldest.get(&owner).is_none_or(|oldest| event.wall >= *oldest);
            not_too_many && (event.at >= self.since || event.wall >= self.since_wall)
        };
        kept && event.wall < self.until
    }
}

/// How many events each account must have.
#[derive(Debug, Default)]
pub struct Wanted(HashMap<AccountId, u64>);

impl Wanted {
    /// Adds what a payment announces.
    pub fn add(&mut self, payment: &Payment, kept: &Kept, scope: Scope<'_>) {
        let owner = payment.owner();
        if !scope.people.is_full(owner) {
            return;
        }
        let all = announced(payment, 1..payment.version().saturating_add(1));
        let count = all.iter().filter(|event| kept.must_have(owner, event)).count();
        if count > 0 {
            *self.0.entry(owner).or_default() += count as u64;
        }
    }

    /// Adds what others have counted.
    pub fn join(&mut self, other: Self) {
        for (owner, count) in other.0 {
            *self.0.entry(owner).or_default() += count;
        }
    }

    /// Checks every event.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn check(
        mut self,
        snapshot: &mut dyn Snapshot,
        kept: &Kept,
        scope: Scope<'_>,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        let mut after = None;
        let mut found: HashMap<AccountId, u64> = HashMap::new();
        loop {
            let page = snapshot.events(after, EVENTS).await?;
            let Some((owner, last)) = page.last() else { break };
            after = Some((*owner, (last.at, last.id)));
            let payments = page.iter().filter_map(|(_, event)| event.id.subject.payment());
            let payments = payments_named(snapshot, payments).await?;
            for (owner, event) in &page {
                report.counted.events += 1;
                let Some(payment) = event.id.subject.payment() else {
                    // What it shows is stored beside it, and nowhere else.
                    if kept.must_have(*owner, event) {
                        report.resource_events =
                            report.resource_events.wrapping_add(fingerprint(*owner, event));
                    }
                    continue;
                };
                let payment = payments.get(&payment);
                let payment = payment.map(|stored| stored.folded.as_ref().ok());
                let announces = |payment: &Payment| {
                    let version = event.id.version;
                    payment.owner() == *owner
                        && scope.people.is_full(*owner)
                        && announced(payment, version..version.saturating_add(1)).contains(event)
                };
                // A history that is not legal is reported elsewhere.
                let sound = payment.is_some_and(|payment| payment.is_none_or(announces));
                if !sound {
                    let text = format!(
                        "{} of {owner}: its payment does not announce {}",
                        event.id,
                        event.kind.dialect()
                    );
                    report.violation(Name::WrongEvent, text);
                }
                if kept.must_have(*owner, event) {
                    *found.entry(*owner).or_default() += 1;
                }
            }
        }
        let mut owners: Vec<AccountId> = self.0.keys().chain(found.keys()).copied().collect();
        owners.sort_unstable();
        owners.dedup();
        for owner in owners {
            let (wanted, found) =
                (self.0.remove(&owner).unwrap_or(0), found.get(&owner).copied().unwrap_or(0));
            if wanted != found {
                let text = format!("{owner} has {found} events, its payments announce {wanted}");
                report.violation(Name::MissingEvent, text);
            }
        }
        Ok(())
    }
}

/// A short hash of an event of a plain resource.
pub fn fingerprint(owner: AccountId, event: &Announcement) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher
        .update(owner.as_bytes())
        .update(&event.id.subject.to_key())
        .update(&event.id.version.to_le_bytes());
    hasher.update(&[event.id.n]).update(&event.kind.to_code().to_le_bytes());
    hasher.update(&event.at.micros().to_le_bytes()).update(&event.wall.micros().to_le_bytes());
    hasher.finalize().as_bytes().iter().take(8).fold(0, |short: u64, byte| (short << 8) | u64::from(*byte))
}
