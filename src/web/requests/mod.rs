//! The log of calls to `/v1`: what a program sent and was answered, masked, for the person whose key it used.
//!
//! Calls are offered to one task through a bounded channel; it masks them and writes them together. It never holds a call
//! up: what is too many in a second, or finds the channel full, is counted instead, and the log says so.
//!
//! - [`capture`]: the middleware around `/v1`. - [`redact`]: what may be kept.

pub mod capture;
pub mod redact;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::web::Bytes;
use parking_lot::Mutex;
use tokio::sync::{broadcast, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::clock::Wall;
use crate::config::RequestSettings;
use crate::domain::ids::{AccountId, ApiKeyId, RequestId};
use crate::domain::time::Timestamp;
use crate::store::{RequestRecord, Store};

/// Calls that may wait to be written, and the bytes of their bodies.
const CHANNEL_MAX: usize = 256;
const CHANNEL_BYTES_MAX: usize = 2 << 20;
/// Words of written calls that a reader may be behind; beyond, it is told that it missed some.
const WRITTEN_MAX: usize = 16;
/// Calls written in one transaction.
const BATCH_MAX: usize = 128;
/// How often calls are written.
const WRITE_EVERY: Duration = Duration::from_millis(500);
/// How often it is written how many were not kept.
const MISSED_EVERY: Duration = Duration::from_secs(5);
/// How often old calls are deleted.
const PRUNE_EVERY: Duration = Duration::from_secs(30);
/// Accounts whose missed calls are counted at once; beyond, they are not told.
const MISSED_ACCOUNTS_MAX: usize = 1_000;
/// Rows past their age that are deleted at once.
const EXPIRE_MAX: u32 = 5_000;

/// A call as it was, not yet masked.
#[derive(Debug)]
pub struct Call {
    /// Its id.
    pub id: RequestId,
    /// Whose key made it.
    pub account: AccountId,
    /// The key; none for a demo key.
    pub key: Option<ApiKeyId>,
    /// When it came.
    pub at: Timestamp,
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The query string.
    pub query: String,
    /// The status.
    pub status: u16,
    /// From its arrival to the answer's head, in microseconds.
    pub latency_us: u64,
    /// The body sent, and its media type.
    pub request: Option<(String, Body)>,
    /// The body answered; always JSON.
    pub response: Option<Body>,
}

/// A body as it waits to be masked.
#[derive(Debug, Clone)]
pub enum Body {
    /// All of it.
    Whole(Bytes),
    /// It is too long to be looked at, so only its length waits.
    TooLong(usize),
}

impl Body {
    /// What of these bytes need wait.
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

    /// How many bytes it holds.
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
    /// How many bytes of bodies it holds.
    fn bytes(&self) -> usize {
        let sent = self.request.as_ref().map_or(0, |(_, body)| body.bytes());
        sent + self.response.as_ref().map_or(0, Body::bytes)
    }

    /// The call as it is kept.
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

/// Calls of an account that were not kept.
#[derive(Debug, Clone, Copy)]
struct Missed {
    count: u64,
    from: Timestamp,
    to: Timestamp,
}

/// Where calls are offered.
#[derive(Debug)]
pub struct RequestLog {
    sender: mpsc::Sender<Call>,
    wall: Wall,
    /// Bytes of the bodies in the channel.
    waiting: AtomicUsize,
    /// The second (upper half) and how many calls it has been granted (lower half).
    granted: AtomicU64,
    per_second: u64,
    missed: Mutex<HashMap<AccountId, Missed>>,
    written: broadcast::Sender<Arc<[AccountId]>>,
}

impl RequestLog {
    /// A log, and what arrives in it.
    #[must_use]
    pub fn new(settings: &RequestSettings, wall: Wall) -> (Arc<Self>, mpsc::Receiver<Call>) {
        let (sender, calls) = mpsc::channel(CHANNEL_MAX);
        let per_second = settings.per_second.into();
        let (granted, missed) = (AtomicU64::new(0), Mutex::default());
        let (waiting, written) = (AtomicUsize::new(0), broadcast::Sender::new(WRITTEN_MAX));
        let log = Self { sender, wall, waiting, granted, per_second, missed, written };
        (Arc::new(log), calls)
    }

    /// Tells whose calls were written, each time some were.
    #[must_use]
    pub fn written(&self) -> broadcast::Receiver<Arc<[AccountId]>> {
        self.written.subscribe()
    }

    fn tell(&self, accounts: BTreeSet<AccountId>) {
        if !accounts.is_empty() {
            // Nobody may be looking.
            let _ = self.written.send(accounts.into_iter().collect());
        }
    }

    /// Whether a call that arrives now may be kept: so many a second, whoever makes them.
    #[must_use]
    pub fn grant(&self, now: Timestamp) -> bool {
        let second = u64::try_from(now.seconds()).unwrap_or(0) & 0xffff_ffff;
        let next = |granted: u64| {
            let count = if granted >> 32 == second { granted & 0xffff_ffff } else { 0 };
            (count < self.per_second).then_some((second << 32) | (count + 1))
        };
        self.granted.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).is_ok()
    }

    /// Offers a call; one that finds no room is counted instead.
    pub fn offer(&self, call: Call) {
        let (account, at, bytes) = (call.account, call.at, call.bytes());
        let waiting = self.waiting.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if waiting > CHANNEL_BYTES_MAX || self.sender.try_send(call).is_err() {
            self.waiting.fetch_sub(bytes, Ordering::Relaxed);
            self.miss(account, at);
        }
    }

    /// Counts a call that is not kept.
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

    /// Takes what was counted, as rows that say so.
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

/// Writes what arrives, and deletes what is old, until stopped; then writes what is left.
pub async fn write(
    log: Arc<RequestLog>,
    mut calls: mpsc::Receiver<Call>,
    store: Arc<dyn Store>,
    settings: RequestSettings,
    stop: CancellationToken,
) {
    let mut writer = Writer { store, settings, touched: HashMap::new(), written: BTreeSet::new() };
    let (mut told_at, mut pruned_at) = (Instant::now(), Instant::now());
    while !stop.is_cancelled() {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = tokio::time::sleep(WRITE_EVERY) => {}
        }
        let tell = stop.is_cancelled() || told_at.elapsed() >= MISSED_EVERY;
        if tell {
            told_at = Instant::now();
            writer.insert(&log, log.take_missed()).await;
        }
        loop {
            let batch: Vec<Call> = std::iter::from_fn(|| calls.try_recv().ok()).take(BATCH_MAX).collect();
            if batch.is_empty() {
                break;
            }
            log.waiting.fetch_sub(batch.iter().map(Call::bytes).sum(), Ordering::Relaxed);
            writer.insert(&log, batch.into_iter().map(Call::masked).collect()).await;
        }
        log.tell(std::mem::take(&mut writer.written));
        if pruned_at.elapsed() >= PRUNE_EVERY {
            pruned_at = Instant::now();
            writer.prune(log.wall.now()).await;
        }
    }
}

struct Writer {
    store: Arc<dyn Store>,
    settings: RequestSettings,
    /// How many rows each account got since its old ones were last deleted.
    touched: HashMap<AccountId, u32>,
    /// Whose calls were written in this round.
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
    fn so_many_are_granted_a_second_and_the_rest_counted() {
        let settings = RequestSettings { per_second: 3, ..RequestSettings::default() };
        let (log, _calls) = RequestLog::new(&settings, Wall::system());
        let account = AccountId::generate();
        let granted = |from: u64| (0..10).filter(|n| log.grant(at(from + n))).count();
        assert_eq!((granted(0), granted(100), granted(1_000)), (3, 0, 3));
        for ms in [500, 100, 900] {
            log.miss(account, at(ms));
        }
        let told = log.take_missed();
        assert_eq!(told.len(), 1);
        assert_eq!((told[0].missed, told[0].at, told[0].latency_us), (3, at(100), 800_000));
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

        // Large bodies fill it before they are many, and what nobody would look at takes no room.
        let (log, _calls) = RequestLog::new(&RequestSettings::default(), Wall::system());
        let body = |bytes: usize| Some(Body::of(&Bytes::from(vec![b'x'; bytes])));
        (0..200).for_each(|n| log.offer(Call { response: body(redact::READ_MAX_BYTES), ..call(n) }));
        let kept = (CHANNEL_BYTES_MAX / redact::READ_MAX_BYTES) as u64;
        assert_eq!(log.take_missed()[0].missed, 200 - kept);
        (0..200).for_each(|n| log.offer(Call { response: body(1 << 20), ..call(n) }));
        assert!(log.take_missed().is_empty());
        let told = Call { response: body(1 << 20), ..call(0) }.masked();
        assert_eq!(told.response.as_deref(), Some("(not kept: 1048576 bytes are too many)"));
    }
}
