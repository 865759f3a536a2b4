//! The log of calls to `/v1`: requests and answers, masked, for the person whose key made them.
//!
//! Calls are offered through a bounded channel to one task, which masks them and writes them in batches. The log never
//! delays a call: calls beyond the limit per second, or that find the channel full, are only counted, and the log shows how
//! many.
//!
//! - [`capture`]: the middleware around `/v1`.
//! - [`redact`]: masks secrets and card data.

pub mod capture;
pub mod redact;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::web::Bytes;
use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::{broadcast, mpsc};
use tokio::time::Instant;

use crate::background::{Next, Schedule, Step, StepError};
use crate::clock::Wall;
use crate::config::RequestSettings;
use crate::domain::ids::{AccountId, ApiKeyId, RequestId};
use crate::domain::time::Timestamp;
use crate::store::{RequestRecord, Store};

/// The most calls that wait to be written, and the most bytes of their bodies.
const CHANNEL_MAX: usize = 256;
const CHANNEL_BYTES_MAX: usize = 2 << 20;
/// How many notices of written calls a receiver may be behind before it misses some.
const WRITTEN_MAX: usize = 16;
/// The most calls written in one transaction.
const BATCH_MAX: usize = 128;
/// How often calls are written.
const WRITE_EVERY: Duration = Duration::from_millis(500);
/// How often the counts of missed calls are written.
const MISSED_EVERY: Duration = Duration::from_secs(5);
/// How often old calls are deleted.
const PRUNE_EVERY: Duration = Duration::from_secs(30);
/// The most accounts whose missed calls are counted at once; those of further accounts are not counted.
const MISSED_ACCOUNTS_MAX: usize = 1_000;
/// The most expired rows deleted at once.
const EXPIRE_MAX: u32 = 5_000;

/// A call, not yet masked.
#[derive(Debug)]
pub struct Call {
    /// Also sent to the caller, as `Request-Id`.
    pub id: RequestId,
    /// The account whose key made it.
    pub account: AccountId,
    /// `None` for a demo key.
    pub key: Option<ApiKeyId>,
    /// When it arrived.
    pub at: Timestamp,
    /// As it was sent.
    pub method: String,
    /// As it was sent, without the query string.
    pub path: String,
    /// Without `?`; empty if there was none.
    pub query: String,
    /// The answer's HTTP status.
    pub status: u16,
    /// From its arrival to the answer's head, in microseconds.
    pub latency_us: u64,
    /// The media type and the body of the request; `None` if nothing read the body.
    pub request: Option<(String, Body)>,
    /// The body of the answer, always JSON; `None` if it was streamed.
    pub response: Option<Body>,
}

/// A body that waits to be masked.
#[derive(Debug, Clone)]
pub enum Body {
    /// The complete body.
    Whole(Bytes),
    /// Only the length of a body that is too long to be masked.
    TooLong(usize),
}

impl Body {
    /// Keeps the bytes, unless they are longer than [`redact::READ_MAX_BYTES`].
    #[must_use]
    pub fn of(bytes: &Bytes) -> Self {
        match bytes.len() {
            0..=redact::READ_MAX_BYTES => Self::Whole(bytes.clone()),
            length => Self::TooLong(length),
        }
    }

    fn is_empty(&self) -> bool {
        self.bytes() == 0 && matches!(self, Self::Whole(_))
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Whole(bytes) => bytes.len(),
            Self::TooLong(_) => 0,
        }
    }

    fn masked(&self, media_type: &str) -> String {
        match self {
            Self::Whole(bytes) => redact::body(media_type, bytes),
            Self::TooLong(length) => redact::too_long(*length),
        }
    }
}

impl Call {
    /// The size of its bodies in memory.
    fn bytes(&self) -> usize {
        let sent = self.request.as_ref().map_or(0, |(_, body)| body.bytes());
        sent + self.response.as_ref().map_or(0, Body::bytes)
    }

    /// The call as it is stored.
    #[must_use]
    pub fn masked(self) -> RequestRecord {
        let query = if self.query.is_empty() { None } else { Some(redact::form(&self.query)) };
        let sent = self.request.filter(|(_, body)| !body.is_empty());
        let body = sent.map(|(media_type, body)| body.masked(&media_type));
        let answered = self.response.filter(|body| !body.is_empty());
        RequestRecord {
            id: self.id,
            account: self.account,
            key: self.key,
            at: self.at,
            method: redact::line(&self.method).chars().filter(char::is_ascii).take(16).collect(),
            path: redact::path(&self.path).chars().filter(|c| !c.is_control()).take(255).collect(),
            status: self.status,
            latency_us: self.latency_us,
            missed: 0,
            request: query.or(body),
            response: answered.map(|body| body.masked("application/json")),
        }
    }
}

/// Calls of an account that were not logged.
#[derive(Debug, Clone, Copy)]
struct Missed {
    count: u64,
    from: Timestamp,
    to: Timestamp,
}

/// The side of the log that handlers see: takes calls, and notifies readers when calls were written.
#[derive(Debug)]
pub struct RequestLog {
    sender: mpsc::Sender<Call>,
    wall: Wall,
    /// Bytes of the bodies in the channel.
    waiting: AtomicUsize,
    /// The current second (upper half) and the number of calls granted in it (lower half).
    granted: AtomicU64,
    per_second: u64,
    missed: Mutex<HashMap<AccountId, Missed>>,
    written: broadcast::Sender<Arc<[AccountId]>>,
}

impl RequestLog {
    /// A log, and the calls that arrive in it, for [`LogWriter`].
    #[must_use]
    pub fn new(settings: &RequestSettings, wall: Wall) -> (Arc<Self>, Calls) {
        let (sender, calls) = mpsc::channel(CHANNEL_MAX);
        let per_second = settings.per_second.into();
        let (granted, missed) = (AtomicU64::new(0), Mutex::default());
        let (waiting, written) = (AtomicUsize::new(0), broadcast::Sender::new(WRITTEN_MAX));
        let log = Self { sender, wall, waiting, granted, per_second, missed, written };
        (Arc::new(log), Calls(Arc::new(tokio::sync::Mutex::new(calls))))
    }

    /// Receives the accounts whose calls were written, after each round that wrote some.
    #[must_use]
    pub fn written(&self) -> broadcast::Receiver<Arc<[AccountId]>> {
        self.written.subscribe()
    }

    fn notify(&self, accounts: BTreeSet<AccountId>) {
        if !accounts.is_empty() {
            // It fails only if nobody is subscribed.
            let _ = self.written.send(accounts.into_iter().collect());
        }
    }

    /// Whether a call that arrives now is to be logged: the limit per second is shared by all callers.
    #[must_use]
    pub fn grant(&self, now: Timestamp) -> bool {
        let second = u64::try_from(now.seconds()).unwrap_or(0) & 0xffff_ffff;
        let next = |granted: u64| {
            let count = if granted >> 32 == second { granted & 0xffff_ffff } else { 0 };
            (count < self.per_second).then_some((second << 32) | (count + 1))
        };
        self.granted.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }

    /// Offers a call; if there is no room, it is only counted.
    pub fn offer(&self, call: Call) {
        let (account, at, bytes) = (call.account, call.at, call.bytes());
        let waiting = self.waiting.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if waiting > CHANNEL_BYTES_MAX || self.sender.try_send(call).is_err() {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
            self.miss(account, at);
        }
    }

    /// Counts a call that is not logged.
    pub fn miss(&self, account: AccountId, at: Timestamp) {
        let mut missed = self.missed.lock();
        if missed.len() >= MISSED_ACCOUNTS_MAX && !missed.contains_key(&account) {
            return;
        }
        let entry = missed.entry(account).or_insert(Missed { count: 0, from: at, to: at });
        entry.count += 1;
        entry.from = entry.from.min(at);
        entry.to = entry.to.max(at);
    }

    /// Takes the counts of missed calls, as rows of the log.
    fn take_missed(&self) -> Vec<RequestRecord> {
        let missed = std::mem::take(&mut *self.missed.lock());
        let record = |(account, missed): (AccountId, Missed)| RequestRecord {
            id: RequestId::generate(),
            account,
            key: None,
            at: missed.from,
            method: String::new(),
            path: String::new(),
            status: 0,
            latency_us: missed.to.micros_since(missed.from),
            missed: missed.count,
            request: None,
            response: None,
        };
        missed.into_iter().map(record).collect()
    }
}

/// When [`LogWriter`] runs.
pub const SCHEDULE: Schedule = Schedule::after_each(WRITE_EVERY);

/// Calls on their way from the handlers to the writer. Outlives a writer that panics.
#[derive(Clone)]
pub struct Calls(Arc<tokio::sync::Mutex<mpsc::Receiver<Call>>>);

/// Writes the calls that arrive and deletes old ones; when it stops, it writes what is left.
pub struct LogWriter {
    log: Arc<RequestLog>,
    calls: Calls,
    writer: Writer,
    /// When the counts of missed calls were last written.
    missed_at: Instant,
    pruned_at: Instant,
}

impl LogWriter {
    /// A writer of these calls.
    #[must_use]
    pub fn new(log: Arc<RequestLog>, calls: Calls, store: Arc<dyn Store>, settings: RequestSettings) -> Self {
        let writer = Writer { store, settings, touched: HashMap::new(), written: BTreeSet::new() };
        Self { log, calls, writer, missed_at: Instant::now(), pruned_at: Instant::now() }
    }

    async fn write(&mut self) {
        let mut calls = self.calls.0.lock().await;
        loop {
            let batch: Vec<Call> = std::iter::from_fn(|| calls.try_recv().ok()).take(BATCH_MAX).collect();
            if batch.is_empty() {
                break;
            }
            self.log.waiting.fetch_sub(batch.iter().map(Call::bytes).sum(), Ordering::Relaxed);
            self.writer.insert(&self.log, batch.into_iter().map(Call::masked).collect()).await;
        }
        self.log.notify(std::mem::take(&mut self.writer.written));
    }

    async fn write_missed(&mut self) {
        self.missed_at = Instant::now();
        self.writer.insert(&self.log, self.log.take_missed()).await;
    }
}

#[async_trait]
impl Step for LogWriter {
    async fn run(&mut self) -> Result<Next, StepError> {
        if self.missed_at.elapsed() >= MISSED_EVERY {
            self.write_missed().await;
        }
        self.write().await;
        if self.pruned_at.elapsed() >= PRUNE_EVERY {
            self.pruned_at = Instant::now();
            self.writer.prune(self.log.wall.now()).await;
        }
        Ok(Next::Scheduled)
    }

    async fn finish(&mut self) {
        self.write_missed().await;
        self.write().await;
    }
}

struct Writer {
    store: Arc<dyn Store>,
    settings: RequestSettings,
    /// How many rows each account received since its old ones were last deleted.
    touched: HashMap<AccountId, u32>,
    /// The accounts whose calls were written in this round.
    written: BTreeSet<AccountId>,
}

impl Writer {
    async fn insert(&mut self, log: &RequestLog, records: Vec<RequestRecord>) {
        if records.is_empty() {
            return;
        }
        match self.store.request_insert(&records).await {
            Ok(()) => {
                for record in &records {
                    *self.touched.entry(record.account).or_insert(0) += 1;
                }
                self.written.extend(records.iter().map(|record| record.account));
            }
            Err(error) => {
                tracing::debug!(calls = records.len(), error = %error, "calls could not be logged");
                records.iter().for_each(|record| log.miss(record.account, record.at));
            }
        }
    }

    async fn prune(&mut self, now: Timestamp) {
        let days_ms = u64::from(self.settings.keep_days) * 24 * 3_600 * 1_000;
        let micros = i64::try_from(days_ms.saturating_mul(1_000)).unwrap_or(i64::MAX);
        let before = Timestamp::from_micros(now.micros().saturating_sub(micros));
        if let Err(error) = self.store.request_expire(before, EXPIRE_MAX).await {
            tracing::debug!(error = %error, "old calls could not be deleted");
        }
        for (account, _) in std::mem::take(&mut self.touched) {
            if let Err(error) = self.store.request_prune(account, self.settings.keep).await {
                tracing::debug!(error = %error, "calls beyond the bound could not be deleted");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_micros(1_767_225_600_000_000).plus_ms(ms)
    }

    #[test]
    fn calls_beyond_the_limit_per_second_are_counted() {
        let settings = RequestSettings { per_second: 3, ..RequestSettings::default() };
        let (log, _calls) = RequestLog::new(&settings, Wall::system());
        let account = AccountId::generate();
        let granted = |from: u64| (0..10).filter(|n| log.grant(at(from + n))).count();
        assert_eq!((granted(0), granted(100), granted(1_000)), (3, 0, 3));
        for ms in [500, 100, 900] {
            log.miss(account, at(ms));
        }
        let missed = log.take_missed();
        assert_eq!(missed.len(), 1);
        assert_eq!((missed[0].missed, missed[0].at, missed[0].latency_us), (3, at(100), 800_000));
        assert!(log.take_missed().is_empty());
    }

    #[test]
    fn a_full_channel_holds_nobody_up() {
        let (log, _calls) = RequestLog::new(&RequestSettings::default(), Wall::system());
        let account = AccountId::generate();
        let call = |n| Call {
            id: RequestId::generate(),
            account,
            key: None,
            at: at(n),
            method: "GET".to_owned(),
            path: "/v1/balance".to_owned(),
            query: String::new(),
            status: 200,
            latency_us: 1,
            request: None,
            response: None,
        };
        (0..1_000).for_each(|n| log.offer(call(n)));
        assert_eq!(log.take_missed()[0].missed, 1_000 - CHANNEL_MAX as u64);

        // A few large bodies fill it, and bodies too long to be masked take no room.
        let (log, _calls) = RequestLog::new(&RequestSettings::default(), Wall::system());
        let body = |bytes: usize| Some(Body::of(&Bytes::from(vec![b'x'; bytes])));
        (0..200).for_each(|n| log.offer(Call { response: body(redact::READ_MAX_BYTES), ..call(n) }));
        let kept = (CHANNEL_BYTES_MAX / redact::READ_MAX_BYTES) as u64;
        assert_eq!(log.take_missed()[0].missed, 200 - kept);
        (0..200).for_each(|n| log.offer(Call { response: body(1 << 20), ..call(n) }));
        assert!(log.take_missed().is_empty());
        let masked = Call { response: body(1 << 20), ..call(0) }.masked();
        assert_eq!(masked.response.as_deref(), Some("(not kept: 1048576 bytes are too many)"));
    }
}
