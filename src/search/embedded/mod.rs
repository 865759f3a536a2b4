//! The embedded index: tantivy in a directory of this process.
//!
//! One thread writes (`writer`); searches run on the blocking pool, a few at a time. A commit is durable, searchable
//! and carries the reader's position, so what was applied but not committed when the process ends is read again. An index
//! that cannot be opened is moved aside and [`SearchIndex::needs_rebuild`] says so. Used by one process only.

mod compile;
mod contains;
mod generation;
mod schema;
mod top;
mod view;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use serde_json::Value;
use tantivy::Searcher;
use tantivy::aggregation::{AggContextParams, AggregationCollector, AggregationLimitsGuard};
use tantivy::tokenizer::TokenizerManager;
use tokio::sync::{Semaphore, oneshot, watch};

use crate::domain::ids::PaymentId;
use crate::domain::time::Timestamp;
use crate::outage::{Outage, Way};

use super::document::{DocKey, PaymentDocument};
use super::request::{Cursor, Hit, SearchPage, SearchRequest, Total};
use super::settings::SearchSettings;
use super::{Applied, Generation, ScannedDocument, SearchError, SearchHealth, SearchIndex, aggregations};

use generation::{Live, create, make_current, open_current, rebuild_answered};
use schema::{DIGEST, Fields, VERSION};
use top::TopHits;
use writer::{Call, Payload, internal};

/// How many searches run at once; more wait. They would only take the processor from each other.
const SEARCHES_MAX: usize = 4;
/// What counting may hold in memory.
const AGGREGATION_BYTES_MAX: u64 = 64 << 20;

pub use view::EmbeddedView;

/// tantivy as [`SearchIndex`].
pub struct EmbeddedIndex {
    inner: Arc<Inner>,
}

struct Inner {
    root: PathBuf,
    memory_bytes: usize,
    /// The generation that serves; replaced when a new one has finished.
    live: parking_lot::RwLock<Arc<Live>>,
    needs_rebuild: AtomicBool,
    building: AtomicBool,
    searches: Semaphore,
    health: watch::Sender<SearchHealth>,
    outage: Outage,
}

impl EmbeddedIndex {
    /// Opens or creates the index in `settings.path`.
    ///
    /// # Errors
    /// [`SearchError::Unavailable`] if another process holds it or the directory cannot be written.
    pub async fn open(settings: &SearchSettings) -> Result<Self, SearchError> {
        let root = settings.path.clone();
        let memory_bytes = usize::try_from(settings.memory_mb).unwrap_or(64) << 20;
        let inner = blocking(move || {
            let (live, empty) = open_current(&root, memory_bytes)?;
            Ok(Inner {
                root,
                memory_bytes,
                live: parking_lot::RwLock::new(Arc::new(live)),
                needs_rebuild: AtomicBool::new(empty),
                building: AtomicBool::new(false),
                searches: Semaphore::new(SEARCHES_MAX),
                health: watch::Sender::new(SearchHealth::Up),
                outage: Outage::new("the search index"),
            })
        });
        Ok(Self { inner: Arc::new(inner.await?) })
    }
}

/// Asks the process that holds the index in this directory to build it anew while it serves; see [`rebuild_requested`].
///
/// # Errors
/// If the directory cannot be written.
pub fn request_rebuild(path: &Path) -> std::io::Result<()> {
    generation::request_rebuild(path)
}

/// Whether [`request_rebuild`] has yet to be answered.
#[must_use]
pub fn rebuild_requested(path: &Path) -> bool {
    generation::rebuild_requested(path)
}

/// Runs `work` off the runtime. A panic in it is a damaged index or a defect, and becomes an error.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SearchError> + Send + 'static,
) -> Result<T, SearchError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(SearchError::Internal(error.to_string())),
    }
}

/// Asks a writer and waits for its answer.
async fn ask<T>(
    live: &Live,
    call: impl FnOnce(oneshot::Sender<Result<T, SearchError>>) -> Call,
) -> Result<T, SearchError> {
    let (answer, answered) = oneshot::channel();
    live.calls()?.send(call(answer)).await.map_err(|_| SearchError::Closed)?;
    // The sender is dropped unanswered only if the thread panicked.
    answered.await.map_err(|_| SearchError::Internal("the writer stopped".to_owned()))?
}

impl Inner {
    fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live.read())
    }

    /// Passes a result on and remembers whether the index works.
    fn note<T>(&self, way: Way, result: Result<T, SearchError>) -> Result<T, SearchError> {
        let down = match &result {
            Err(error @ (SearchError::Internal(_) | SearchError::Unavailable(_))) => Some(error.to_string()),
            Ok(_) | Err(_) => None,
        };
        match &down {
            Some(reason) => self.outage.failed(way, reason),
            None => self.outage.worked(way),
        }
        self.health.send_if_modified(|health| match (down, &*health) {
            (Some(reason), SearchHealth::Up) => {
                *health = SearchHealth::Down { since: Timestamp::now(), reason };
                true
            }
            (None, SearchHealth::Down { .. }) => {
                *health = SearchHealth::Up;
                true
            }
            (Some(_), SearchHealth::Down { .. }) | (None, SearchHealth::Up) => false,
        });
        result
    }

    /// A read of the generation that serves, off the runtime, a few at a time.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Live, &Searcher) -> Result<T, SearchError> + Send + 'static,
    ) -> Result<T, SearchError> {
        let _permit = self.searches.acquire().await.map_err(|_| SearchError::Closed)?;
        let live = self.live();
        let result = blocking(move || work(&live, &live.reader.searcher())).await;
        self.note(Way::Read, result)
    }
}

#[async_trait]
impl SearchIndex for EmbeddedIndex {
    async fn apply(&self, documents: &[PaymentDocument]) -> Result<Applied, SearchError> {
        let result = ask(&self.inner.live(), |answer| Call::Apply(documents.to_vec(), answer)).await;
        self.inner.note(Way::Write, result)
    }

    async fn commit(&self, position: u64) -> Result<(), SearchError> {
        let result = ask(&self.inner.live(), |answer| Call::Commit(Some(position), answer)).await;
        self.inner.note(Way::Write, result)
    }

    async fn committed_position(&self) -> Result<Option<u64>, SearchError> {
        let read = |live: &Live, _: &Searcher| Payload::read(&live.index).map_err(internal);
        Ok(Some(self.inner.read(read).await?.position))
    }

    async fn refresh(&self) -> Result<(), SearchError> {
        let result = ask(&self.inner.live(), |answer| Call::Commit(None, answer)).await;
        self.inner.note(Way::Write, result)
    }

    async fn search(&self, request: &SearchRequest) -> Result<SearchPage, SearchError> {
        request.validate()?;
        let request = request.clone();
        self.inner.read(move |live, searcher| search(live, searcher, &request)).await
    }

    async fn count(&self) -> Result<u64, SearchError> {
        self.inner.read(|_, searcher| Ok(searcher.num_docs())).await
    }

    async fn scan(&self, after: Option<DocKey>, limit: usize) -> Result<Vec<ScannedDocument>, SearchError> {
        self.inner
            .read(move |live, searcher| scan(&live.fields, searcher, after, limit).map_err(internal))
            .await
    }

    async fn begin_generation(&self) -> Result<Box<dyn Generation>, SearchError> {
        if self.inner.building.swap(true, Ordering::AcqRel) {
            return Err(SearchError::Busy);
        }
        let inner = Arc::clone(&self.inner);
        let live = blocking(move || create(&inner.root, inner.memory_bytes)).await;
        if live.is_err() {
            self.inner.building.store(false, Ordering::Release);
        }
        Ok(Box::new(EmbeddedGeneration { live: Some(Arc::new(live?)), inner: Arc::clone(&self.inner) }))
    }

    fn needs_rebuild(&self) -> bool {
        self.inner.needs_rebuild.load(Ordering::Acquire) || generation::rebuild_requested(&self.inner.root)
    }

    fn health(&self) -> watch::Receiver<SearchHealth> {
        self.inner.health.subscribe()
    }

    async fn close(&self) {
        self.inner.searches.close();
        let live = self.inner.live();
        let closed = blocking(move || {
            live.close();
            Ok(())
        });
        if let Err(error) = closed.await {
            tracing::error!(search.error = %error, "search.close_failed");
        }
    }
}

fn search(live: &Live, searcher: &Searcher, request: &SearchRequest) -> Result<SearchPage, SearchError> {
    let query = compile::compile(&request.query.filter().scoped_to(request.owner), &live.fields);
    // One more than asked for tells whether there is a next page.
    let top = TopHits::new(request.sort, request.cursor.as_ref(), request.limit.saturating_add(1));
    let aggregations = aggregations::request(request);
    let collector = if aggregations.is_empty() {
        None
    } else {
        let parsed = serde_json::from_value(Value::Object(aggregations));
        let parsed = parsed.map_err(|error| SearchError::Internal(error.to_string()))?;
        let limits = AggregationLimitsGuard::new(Some(AGGREGATION_BYTES_MAX), None);
        Some(AggregationCollector::from_aggs(
            parsed,
            AggContextParams::new(limits, TokenizerManager::default()),
        ))
    };
    let (found, counted) = searcher.search(&query, &(top, collector)).map_err(internal)?;
    let more = found.ranked.len() > request.limit;
    let kept = found.ranked.get(..request.limit).unwrap_or(&found.ranked);
    let id = |bits: u128| PaymentId::from_bytes(bits.to_be_bytes());
    let mut page = SearchPage {
        hits: kept.iter().map(|hit| Hit { payment: id(top.place(hit).1), version: hit.version }).collect(),
        total: Total { value: found.count, exact: true },
        next_cursor: kept.last().filter(|_| more).map(|last| {
            let (value, bits) = top.place(last);
            Cursor { sort: request.sort, value, payment: id(bits) }
        }),
        ..SearchPage::default()
    };
    if let Some(counted) = counted {
        let answer =
            serde_json::to_value(counted).map_err(|error| SearchError::Internal(error.to_string()))?;
        let read = aggregations::read(request, &answer, &mut page);
        read.ok_or_else(|| SearchError::Internal("unexpected form of aggregations".to_owned()))?;
    }
    Ok(page)
}

/// Goes through the keys of every segment in order and keeps the smallest.
fn scan(
    fields: &Fields,
    searcher: &Searcher,
    after: Option<DocKey>,
    limit: usize,
) -> tantivy::Result<Vec<ScannedDocument>> {
    let after = after.map(|key| key.to_string()).unwrap_or_default();
    let mut found = Vec::new();
    for segment in searcher.segment_readers() {
        let index = segment.inverted_index(fields.key)?;
        let versions = segment.fast_fields().u64(VERSION)?.first_or_default_col(0);
        let digests = segment.fast_fields().u64(DIGEST)?.first_or_default_col(0);
        let mut terms = index.terms().range().gt(after.as_bytes()).into_stream()?;
        let mut taken = 0_usize;
        while taken < limit && terms.advance() {
            let key = std::str::from_utf8(terms.key()).ok().and_then(|text| text.parse().ok());
            let Some(key) = key else { continue };
            let mut postings = index.read_block_postings_from_terminfo(
                terms.value(),
                tantivy::schema::IndexRecordOption::Basic,
            )?;
            while !postings.docs().is_empty() {
                for doc in postings.docs().iter().filter(|doc| !segment.is_deleted(**doc)) {
                    found.push(ScannedDocument {
                        key,
                        version: versions.get_val(*doc),
                        digest: digests.get_val(*doc),
                    });
                    taken += 1;
                }
                postings.advance();
            }
        }
    }
    found.sort_unstable_by_key(|document| document.key);
    found.truncate(limit);
    Ok(found)
}

/// A generation in a directory of its own.
struct EmbeddedGeneration {
    /// Taken when it is finished or abandoned.
    live: Option<Arc<Live>>,
    inner: Arc<Inner>,
}

impl EmbeddedGeneration {
    fn live(&self) -> Result<&Arc<Live>, SearchError> {
        self.live.as_ref().ok_or(SearchError::Closed)
    }
}

#[async_trait]
impl Generation for EmbeddedGeneration {
    async fn apply(&self, documents: &[PaymentDocument]) -> Result<Applied, SearchError> {
        ask(self.live()?, |answer| Call::Apply(documents.to_vec(), answer)).await
    }

    async fn finish(mut self: Box<Self>, position: u64) -> Result<(), SearchError> {
        let live = Arc::clone(self.live()?);
        ask(&live, |answer| Call::Complete(position, answer)).await?;
        let inner = Arc::clone(&self.inner);
        blocking(move || {
            let io = |error: std::io::Error| SearchError::Unavailable(error.to_string());
            make_current(&inner.root, &live.directory).map_err(io)?;
            let old = std::mem::replace(&mut *inner.live.write(), live);
            old.remove();
            rebuild_answered(&inner.root).map_err(io)
        })
        .await?;
        self.live = None;
        self.inner.needs_rebuild.store(false, Ordering::Release);
        Ok(())
    }

    async fn abandon(mut self: Box<Self>) {
        let Some(live) = self.live.take() else { return };
        let removed = blocking(move || {
            live.remove();
            Ok(())
        });
        if let Err(error) = removed.await {
            tracing::error!(search.error = %error, "search.abandon_failed");
        }
    }
}

impl Drop for EmbeddedGeneration {
    fn drop(&mut self) {
        self.inner.building.store(false, Ordering::Release);
        // Its directory is removed when the index is next opened; joining the thread here could block the runtime.
    }
}
