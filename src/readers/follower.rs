//! Runs a reader of the journal: holds its lease, gathers the next batches in strict order (from memory, else from the
//! store), hands them to the reader, and moves the cursor no further than what the reader has made safe. When a reader
//! fails, its cursor stands still and nothing else does.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::batch::{Batch, Entry};
use super::ring::Ring;
use crate::background::TaskHandle;
use crate::clock::Wall;
use crate::domain::ids::InstanceId;
use crate::engine::journal;
use crate::lease::Lease;
use crate::outage::{Outage, Way};
use crate::store::{AsideReason, JournalRecord, PipelineStore, StoreError, StoreResult, Subject};

const LEASE_TTL: Duration = Duration::from_secs(6);
/// How often an instance that stands by checks whether the lease is free.
const STAND_BY_EVERY: Duration = Duration::from_secs(2);
const CURSOR_EVERY: Duration = Duration::from_millis(500);
/// How often the store is asked for the head, in case another process's broadcast was lost.
const HEAD_POLL: Duration = Duration::from_secs(1);
/// What a reader takes from memory at once: at most this many batches, and no more once they hold this many bytes.
const BATCHES_MAX: usize = 64;
const BATCHES_BYTES_MAX: usize = 2 << 20;
/// Journal rows it takes from the store at once. These hold no payments.
const JOURNAL_ROWS_MAX: u32 = 32;
const BACKOFF_MIN: Duration = Duration::from_millis(100);
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// Why a reader could not take its batches; it gets them again.
#[derive(Debug, thiserror::Error)]
pub enum ReaderError {
    /// A part is unavailable, which its adapter logs, or the reader has to begin again.
    #[error("{0}")]
    Expected(String),
    /// Damaged data, or a defect.
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

    /// Called when the lease was taken; returns the position after which to begin. `stored` is the cursor in the store,
    /// `head` the journal's head.
    async fn begin(&mut self, stored: u64, head: u64) -> Result<u64, ReaderError>;

    /// Takes batches, in order. On an error the same batches come again.
    async fn apply(&mut self, batches: &[Arc<Batch>]) -> Result<(), ReaderError>;

    /// Called when the rows up to `upto` cannot be read and no batch follows them yet. If one follows, [`Self::apply`]
    /// sees the gap before it.
    async fn pass_over(&mut self, upto: u64) -> Result<(), ReaderError> {
        let _ = upto;
        Ok(())
    }

    /// Called at least every [`Self::tick_every`]; for work that is held back to be done together.
    async fn tick(&mut self) -> Result<(), ReaderError> {
        Ok(())
    }

    /// Called from time to time while another instance holds the lease.
    async fn stand_by(&mut self) -> Result<(), ReaderError> {
        Ok(())
    }

    /// Returns when what the reader failed on works again, so that it need not wait out its pause.
    async fn recovers(&self) {
        std::future::pending().await
    }

    /// Called when the process stops and every batch has been taken: makes safe what is still held back.
    async fn finish(&mut self) -> Result<(), ReaderError> {
        self.tick().await
    }

    /// How long it may wait between ticks.
    fn tick_every(&self) -> Duration {
        Duration::from_millis(500)
    }

    /// The position up to which nothing needs to be read again after a crash.
    fn safe(&self) -> u64;
}

/// Runs one reader.
pub struct Follower {
    store: Arc<dyn PipelineStore>,
    ring: Arc<Ring>,
    wall: Wall,
    instance: InstanceId,
    kind: Kind,
    trouble: Outage,
    /// Its runs and errors are reported here, if set.
    task: Option<TaskHandle>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Only one instance at a time may run this reader, and its cursor is kept in the store.
    Leased,
    /// Every instance runs it for itself, beginning after this position.
    Private { after: u64 },
}

/// What the log calls a reader that fails; the cause begins with its name.
const TROUBLE: &str = "a reader of the journal";

impl Follower {
    /// Runs a reader on one instance at a time, with a cursor in the store.
    #[must_use]
    pub fn leased(store: Arc<dyn PipelineStore>, ring: Arc<Ring>, wall: Wall, instance: InstanceId) -> Self {
        Self::new(store, ring, wall, instance, Kind::Leased)
    }

    /// Runs a reader on every instance, from the journal's current head on. It misses nothing, however long it cannot
    /// read.
    #[must_use]
    pub fn private(store: Arc<dyn PipelineStore>, ring: Arc<Ring>, wall: Wall, instance: InstanceId) -> Self {
        let kind = Kind::Private { after: ring.head() };
        Self::new(store, ring, wall, instance, kind)
    }

    fn new(
        store: Arc<dyn PipelineStore>,
        ring: Arc<Ring>,
        wall: Wall,
        instance: InstanceId,
        kind: Kind,
    ) -> Self {
        Self { store, ring, wall, instance, kind, trouble: Outage::new(TROUBLE), task: None }
    }

    /// Reports runs and errors to this task.
    #[must_use]
    pub fn reporting_to(self, task: TaskHandle) -> Self {
        Self { task: Some(task), ..self }
    }

    /// Notes that batches were applied.
    fn worked(&self, took: Duration) {
        self.trouble.worked(Way::Read);
        if let Some(task) = &self.task {
            task.ran(took);
        }
    }

    /// The lease of this reader, if one instance at a time runs it.
    fn lease(&self, name: &'static str) -> Option<Lease> {
        let lease = || Lease::new(Arc::clone(&self.store), self.wall.clone(), name, self.instance, LEASE_TTL);
        (self.kind == Kind::Leased).then(lease)
    }

    /// Runs until cancelled: takes the lease, follows, and begins again when the lease is lost.
    pub async fn run(self, mut reader: Box<dyn Reader>, stop: CancellationToken) {
        let (mut backoff, mut lease) = (BACKOFF_MIN, self.lease(reader.name()));
        while !stop.is_cancelled() {
            match self.tenure(reader.as_mut(), lease.as_mut(), &stop).await {
                Ok(()) => backoff = BACKOFF_MIN,
                Err(error) => {
                    if let Some(task) = &self.task {
                        task.erred(&error.to_string());
                    }
                    match &error {
                        ReaderError::Broken(cause) => {
                            self.trouble.failed(Way::Read, &format_args!("{}: {cause}", reader.name()));
                        }
                        ReaderError::Expected(cause) => {
                            tracing::debug!(
                                reader = reader.name(),
                                cause,
                                "a reader of the journal begins again"
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
    async fn tenure(
        &self,
        reader: &mut dyn Reader,
        mut lease: Option<&mut Lease>,
        stop: &CancellationToken,
    ) -> Result<(), ReaderError> {
        let name = reader.name();
        if let Some(lease) = lease.as_deref_mut()
            && !lease.hold().await?
        {
            reader.stand_by().await?;
            pause(STAND_BY_EVERY, stop).await;
            return Ok(());
        }
        let head = self.store.head().await?;
        self.ring.note_head(head);
        let stored = match self.kind {
            Kind::Leased => self.store.cursor_get(name).await?,
            Kind::Private { after } => after,
        };
        // Both run concurrently: beginning may take as long as building an index. The reader may hold the store's only
        // connection for writing, or be next in the queue for it, so waiting for the lease without polling the reader
        // would be a deadlock.
        let read = tokio::select! {
            biased;
            read = reader.begin(stored, head) => read?,
            lost = hold_until_lost(lease.as_deref_mut()) => return lost.map_err(ReaderError::from),
        };
        tracing::debug!(reader = name, after = read, "a reader of the journal begins");
        let mut tenure = Tenure { follower: self, lease, read, saved: stored, saved_at: Instant::now() };
        let outcome = tenure.follow(reader, stop).await;
        if stop.is_cancelled() {
            tenure.end(reader).await?;
        }
        outcome
    }

    /// The batches after `read`, in order; empty if there are none. They stay in memory as long as a reader holds them,
    /// even if the ring has dropped them, so they are few.
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

    /// The same from the store. A row that cannot be read is set aside and left out: every reader sees the gap, and
    /// recovers what it can from the payments themselves.
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

/// Returns once the lease is lost; never where there is none.
async fn hold_until_lost(lease: Option<&mut Lease>) -> StoreResult<()> {
    match lease {
        Some(lease) => lease.hold_until_lost().await,
        None => std::future::pending().await,
    }
}

/// What comes next for a reader.
struct Next {
    batches: Vec<Arc<Batch>>,
    /// If there are no batches: up to which position there are unreadable rows.
    passed_over: Option<u64>,
}

/// Decodes a batch from its journal row.
fn read_batch(record: JournalRecord) -> Result<Batch, ReaderError> {
    let entries = journal::decode_changes(&record.body)
        .map_err(|error| ReaderError::Broken(format!("journal row {}: {error}", record.seq)))?
        .into_iter()
        .map(|entry| Entry::new(entry, None))
        .collect();
    Ok(Batch::new(record.seq, record.at, None, entries))
}

/// How far one tenure of the lease has come.
struct Tenure<'a> {
    follower: &'a Follower,
    /// `None` if every instance runs the reader for itself.
    lease: Option<&'a mut Lease>,
    /// Handed to the reader up to here.
    read: u64,
    /// The cursor in the store.
    saved: u64,
    saved_at: Instant,
}

impl Tenure<'_> {
    async fn follow(&mut self, reader: &mut dyn Reader, stop: &CancellationToken) -> Result<(), ReaderError> {
        let mut ticked = Instant::now();
        let mut polled = Instant::now();
        while !stop.is_cancelled() {
            if !self.renew(reader.name()).await? {
                return Ok(());
            }
            let seen = self.follower.ring.head();
            let Next { batches, passed_over } = self.follower.next(self.read).await?;
            if let Some(last) = batches.last() {
                let began = Instant::now();
                reader.apply(&batches).await?;
                self.read = last.seq;
                self.follower.worked(began.elapsed());
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
                    // Past the head that was already asked for: a missing row must not keep this loop spinning.
                    _ = self.follower.ring.head_past(seen.max(self.read)) => {}
                    () = tokio::time::sleep(wait.clamp(Duration::from_millis(1), HEAD_POLL)) => {}
                }
            }
            if polled.elapsed() >= HEAD_POLL {
                self.follower.ring.note_head(self.follower.store.head().await?);
                polled = Instant::now();
            }
        }
        // The sequencer stops before its readers: take what it wrote last as well.
        loop {
            let Next { batches, .. } = self.follower.next(self.read).await?;
            let Some(last) = batches.last() else { break };
            reader.apply(&batches).await?;
            self.read = last.seq;
        }
        reader.finish().await
    }

    /// Renews the lease, if there is one. `false` if it was lost.
    async fn renew(&mut self, name: &str) -> Result<bool, ReaderError> {
        let Some(lease) = self.lease.as_deref_mut() else { return Ok(true) };
        let held = lease.hold().await?;
        if !held {
            tracing::warn!(reader = name, "the lease was lost to another instance");
        }
        Ok(held)
    }

    /// Saves the reader's position and releases the lease.
    async fn end(mut self, reader: &dyn Reader) -> Result<(), ReaderError> {
        self.save(reader).await?;
        if let Some(lease) = self.lease {
            lease.release().await;
        }
        Ok(())
    }

    /// Saves the reader's position. `false` if the lease was lost: then the cursor belongs to another instance and stays.
    async fn save(&mut self, reader: &dyn Reader) -> Result<bool, ReaderError> {
        self.saved_at = Instant::now();
        let safe = reader.safe();
        let Some(lease) = self.lease.as_deref_mut().filter(|_| safe > self.saved) else {
            return Ok(true);
        };
        let kept = self.follower.store.cursor_set(reader.name(), self.follower.instance, safe).await?;
        if kept {
            self.saved = safe;
        } else {
            lease.forget();
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
