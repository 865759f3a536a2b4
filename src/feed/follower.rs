//! The loop that every reader of the journal shares: hold the lease, gather the next batches in strict order (from
//! memory, else from the store), hand them to the reader, and move the cursor no further than what the reader has made
//! safe. When a reader fails, its cursor stands still and nothing else does.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::batch::{Batch, Entry};
use super::ring::Ring;
use crate::clock::Wall;
use crate::domain::ids::InstanceId;
use crate::domain::time::Timestamp;
use crate::engine::journal;
use crate::outage::{Outage, Way};
use crate::store::{AsideReason, JournalRecord, Lease, Store, StoreError, Subject};

const LEASE_TTL: Duration = Duration::from_secs(6);
const LEASE_RENEW: Duration = Duration::from_secs(2);
const CURSOR_EVERY: Duration = Duration::from_millis(500);
/// How often the head is asked of the store, in case that another process's message was lost.
const HEAD_POLL: Duration = Duration::from_secs(1);
/// What a reader takes from memory at once: so many batches, and no further one past so many bytes.
const BATCHES_MAX: usize = 64;
const BATCHES_BYTES_MAX: usize = 2 << 20;
/// What it takes from the store at once. These hold no payments.
const JOURNAL_ROWS_MAX: u32 = 32;
const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// Why a reader could not take its batches; it gets them again.
#[derive(Debug, thiserror::Error)]
pub enum ReaderError {
    /// A part is away, which its adapter logs; or it was to begin anew.
    #[error("{0}")]
    Expected(String),
    /// Something is damaged, or a defect.
    #[error("{0}")]
    Broken(String),
}

impl From<StoreError> for ReaderError {
    fn from(error: StoreError) -> Self {
        if error.is_transient() { Self::Expected(error.to_string()) } else { Self::Broken(error.to_string()) }
    }
}

/// A reader of the journal: a step function over batches.
#[async_trait]
pub trait Reader: Send + Sync + 'static {
    /// The name of its cursor and lease.
    fn name(&self) -> &'static str;

    /// Called when the lease was taken; returns the place after which to begin. `stored` is the cursor in the store,
    /// `head` the head of the line.
    async fn begin(&mut self, stored: u64, head: u64) -> Result<u64, ReaderError>;

    /// Takes batches, in order. On an error the same batches come again.
    async fn apply(&mut self, batches: &[Arc<Batch>]) -> Result<(), ReaderError>;

    /// Told that the rows up to `upto` cannot be read, where no batch follows them yet. Where one does, it sees the gap before it.
    async fn pass_over(&mut self, upto: u64) -> Result<(), ReaderError> {
        let _ = upto;
        Ok(())
    }

    /// Called at least every [`Self::tick_every`]; for work that waits a moment to be done together.
    async fn tick(&mut self) -> Result<(), ReaderError> {
        Ok(())
    }

    /// Called now and then while another instance holds the lease.
    async fn stand_by(&mut self) -> Result<(), ReaderError> {
        Ok(())
    }

    /// Returns when something that the reader failed on works again, so that it need not wait out its pause.
    async fn recovers(&self) {
        std::future::pending().await
    }

    /// Called when the process stops and every batch has been taken: makes safe what waits for company.
    async fn finish(&mut self) -> Result<(), ReaderError> {
        self.tick().await
    }

    /// How long it may wait between ticks.
    fn tick_every(&self) -> Duration {
        Duration::from_millis(500)
    }

    /// The place up to which nothing needs to be read again after a crash.
    fn safe(&self) -> u64;
}

/// Runs one reader.
pub struct Follower {
    store: Arc<dyn Store>,
    ring: Arc<Ring>,
    wall: Wall,
    instance: InstanceId,
    kind: Kind,
    trouble: Outage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Only one instance at a time may run this reader, and its cursor is kept in the store.
    Leased,
    /// Every instance runs it for itself, beginning after this place.
    Private { after: u64 },
}

/// How the log calls one that fails; the cause begins with its name.
const TROUBLE: &str = "a reader of the journal";

impl Follower {
    /// A reader of which one instance at a time runs, with a cursor in the store.
    #[must_use]
    pub fn leased(store: Arc<dyn Store>, ring: Arc<Ring>, wall: Wall, instance: InstanceId) -> Self {
        Self { store, ring, wall, instance, kind: Kind::Leased, trouble: Outage::new(TROUBLE) }
    }

    /// A reader that every instance runs for itself, from where the line stands now on: whatever keeps it from reading at
    /// once, or later, it misses nothing.
    #[must_use]
    pub fn private(store: Arc<dyn Store>, ring: Arc<Ring>, wall: Wall, instance: InstanceId) -> Self {
        let kind = Kind::Private { after: ring.head() };
        Self { store, ring, wall, instance, kind, trouble: Outage::new(TROUBLE) }
    }

    fn is_leased(&self) -> bool {
        self.kind == Kind::Leased
    }

    /// Runs until cancelled: takes the lease, follows, and begins anew when the lease is lost.
    pub async fn run(self, mut reader: Box<dyn Reader>, stop: CancellationToken) {
        let mut backoff = BACKOFF_MIN;
        while !stop.is_cancelled() {
            match self.tenure(reader.as_mut(), &stop).await {
                Ok(()) => backoff = BACKOFF_MIN,
                Err(error) => {
                    match &error {
                        ReaderError::Broken(cause) => {
                            self.trouble.failed(Way::Read, &format_args!("{}: {cause}", reader.name()));
                        }
                        ReaderError::Expected(cause) => {
                            tracing::debug!(
                                reader = reader.name(),
                                cause,
                                "a reader of the journal begins anew"
                            );
                        }
                    }
                    tokio::select! {
                        biased;
                        () = pause(backoff, &stop) => {}
                        () = reader.recovers() => {}
                    }
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                }
            }
        }
    }

    /// From taking the lease to losing it or stopping.
    async fn tenure(&self, reader: &mut dyn Reader, stop: &CancellationToken) -> Result<(), ReaderError> {
        let name = reader.name();
        if self.is_leased() && !self.hold(name).await? {
            reader.stand_by().await?;
            pause(LEASE_RENEW, stop).await;
            return Ok(());
        }
        let head = self.store.head().await?;
        self.ring.note_head(head);
        let stored = match self.kind {
            Kind::Leased => self.store.cursor_get(name).await?,
            Kind::Private { after } => after,
        };
        let Some(read) = self.begin(reader, stored, head).await? else {
            return Ok(());
        };
        let mut tenure =
            Tenure { follower: self, read, saved: stored, renewed: Instant::now(), saved_at: Instant::now() };
        tracing::debug!(reader = name, after = tenure.read, "a reader of the journal begins");
        let outcome = tenure.follow(reader, stop).await;
        if self.is_leased() && stop.is_cancelled() {
            tenure.save(reader).await?;
            self.store.lease_release(name, self.instance).await?;
        }
        outcome
    }

    /// Lets the reader begin, which may take as long as building an index, and keeps the lease meanwhile. `None` if it was
    /// lost all the same.
    async fn begin(
        &self,
        reader: &mut dyn Reader,
        stored: u64,
        head: u64,
    ) -> Result<Option<u64>, ReaderError> {
        let name = reader.name();
        // Both go on side by side. The reader may hold the store's one connection for writing, or be next in line for it: to wait
        // for the lease without letting the reader go on would be to wait for oneself.
        tokio::select! {
            biased;
            read = reader.begin(stored, head) => read.map(Some),
            lost = self.hold_until_lost(name), if self.is_leased() => lost.map(|()| None),
        }
    }

    /// Renews the lease for as long as it can be had.
    async fn hold_until_lost(&self, name: &str) -> Result<(), ReaderError> {
        loop {
            tokio::time::sleep(LEASE_RENEW).await;
            if !self.hold(name).await? {
                return Ok(());
            }
        }
    }

    async fn hold(&self, name: &str) -> Result<bool, ReaderError> {
        let lease = self.store.lease_take(name, self.instance, self.wall.now(), LEASE_TTL).await?;
        Ok(matches!(lease, Lease::Held { .. }))
    }

    /// The batches after `read`, in order; empty if there are none. As long as a reader holds them they are in memory,
    /// whatever the ring has dropped meanwhile, so they are few.
    async fn next(&self, read: u64) -> Result<Next, ReaderError> {
        let (mut batches, mut bytes) = (Vec::new(), 0);
        let mut seq = read + 1;
        while batches.len() < BATCHES_MAX
            && bytes < BATCHES_BYTES_MAX
            && let Some(batch) = self.ring.get(seq)
        {
            bytes += batch.bytes;
            batches.push(batch);
            seq += 1;
        }
        if batches.is_empty() && self.ring.head() > read {
            return self.next_stored(read).await;
        }
        Ok(Next { batches, passed_over: None })
    }

    /// The same from the store. A row that cannot be read is set aside and left out: every reader sees the gap, and makes good
    /// what it can from the payments themselves.
    async fn next_stored(&self, read: u64) -> Result<Next, ReaderError> {
        let (mut batches, mut after) = (Vec::new(), read);
        loop {
            let records = self.store.journal_read(after, JOURNAL_ROWS_MAX).await?;
            let Some(last) = records.last() else {
                return Ok(Next { batches, passed_over: (after > read).then_some(after) });
            };
            after = last.seq;
            for record in records {
                let seq = record.seq;
                match read_batch(record) {
                    Ok(batch) => {
                        self.ring.overtaken(&batch);
                        batches.push(Arc::new(batch));
                    }
                    Err(error) => {
                        let row = Subject::Row(format!("journal row {seq}"));
                        let cause = format!("{error}. What it changed is read from the payments instead");
                        self.store.aside().note(row, AsideReason::Unreadable, &cause);
                    }
                }
            }
            if !batches.is_empty() {
                return Ok(Next { batches, passed_over: None });
            }
        }
    }
}

/// What comes next for a reader.
struct Next {
    batches: Vec<Arc<Batch>>,
    /// Where there are none: up to where there are rows that cannot be read.
    passed_over: Option<u64>,
}

/// A batch as the journal has it.
fn read_batch(record: JournalRecord) -> Result<Batch, ReaderError> {
    let entries = journal::decode_changes(&record.body)
        .map_err(|error| ReaderError::Broken(format!("journal row {}: {error}", record.seq)))?
        .into_iter()
        .map(|entry| Entry::new(entry, None))
        .collect();
    Ok(Batch::new(record.seq, record.at, None, entries))
}

/// One tenure's position.
struct Tenure<'a> {
    follower: &'a Follower,
    /// Handed to the reader up to here.
    read: u64,
    /// The cursor in the store.
    saved: u64,
    renewed: Instant,
    saved_at: Instant,
}

impl Tenure<'_> {
    async fn follow(&mut self, reader: &mut dyn Reader, stop: &CancellationToken) -> Result<(), ReaderError> {
        let mut ticked = Instant::now();
        let mut polled = Instant::now();
        while !stop.is_cancelled() {
            if self.follower.is_leased() && !self.renew(reader.name()).await? {
                return Ok(());
            }
            let seen = self.follower.ring.head();
            let Next { batches, passed_over } = self.follower.next(self.read).await?;
            if let Some(last) = batches.last() {
                reader.apply(&batches).await?;
                self.read = last.seq;
                self.follower.trouble.worked(Way::Read);
            } else if let Some(upto) = passed_over {
                reader.pass_over(upto).await?;
                self.read = upto;
            }
            if ticked.elapsed() >= reader.tick_every() {
                reader.tick().await?;
                ticked = Instant::now();
            }
            if self.saved_at.elapsed() >= CURSOR_EVERY && !self.save(reader).await? {
                return Ok(());
            }
            if batches.is_empty() {
                let wait = reader.tick_every().saturating_sub(ticked.elapsed());
                tokio::select! {
                    biased;
                    () = stop.cancelled() => {}
                    // Past what was asked about in vain: a row that is missing must not keep this loop spinning.
                    _ = self.follower.ring.head_past(seen.max(self.read)) => {}
                    () = tokio::time::sleep(wait.clamp(Duration::from_millis(1), HEAD_POLL)) => {}
                }
            }
            if polled.elapsed() >= HEAD_POLL {
                self.follower.ring.note_head(self.follower.store.head().await?);
                polled = Instant::now();
            }
        }
        // The line has stopped before its readers: what it wrote last is taken as well.
        loop {
            let Next { batches, .. } = self.follower.next(self.read).await?;
            let Some(last) = batches.last() else { break };
            reader.apply(&batches).await?;
            self.read = last.seq;
        }
        reader.finish().await
    }

    async fn renew(&mut self, name: &str) -> Result<bool, ReaderError> {
        if self.renewed.elapsed() < LEASE_RENEW {
            return Ok(true);
        }
        let held = self.follower.hold(name).await?;
        self.renewed = Instant::now();
        if !held {
            tracing::warn!(reader = name, "the lease was lost to another instance");
        }
        Ok(held)
    }

    /// Keeps how far the reader has come. `false` if the lease was lost: then the cursor is another's, and stays.
    async fn save(&mut self, reader: &dyn Reader) -> Result<bool, ReaderError> {
        self.saved_at = Instant::now();
        let safe = reader.safe();
        if !self.follower.is_leased() || safe <= self.saved {
            return Ok(true);
        }
        let kept = self.follower.store.cursor_set(reader.name(), self.follower.instance, safe).await?;
        if kept {
            self.saved = safe;
        } else {
            tracing::warn!(reader = reader.name(), "the lease was lost to another instance");
        }
        Ok(kept)
    }
}

async fn pause(pause: Duration, stop: &CancellationToken) {
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = tokio::time::sleep(pause) => {}
    }
}

/// Deletes what every reader has passed and retention no longer asks for.
///
/// # Errors
/// Whatever the store says.
pub async fn prune(
    store: &dyn Store,
    readers: &[&str],
    now: Timestamp,
    retention_s: u64,
) -> Result<u64, StoreError> {
    let cursors = store.cursor_list().await?;
    let lowest = readers
        .iter()
        .map(|reader| cursors.iter().find(|(name, _)| name == reader).map_or(0, |(_, seq)| *seq))
        .min()
        .unwrap_or(0);
    let micros = i64::try_from(retention_s.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
    store.journal_prune(lowest, Timestamp::from_micros(now.micros().saturating_sub(micros))).await
}
