//! The Elasticsearch index: documents in `<prefix>-payments-v<schema>-<generation>` behind the alias `<prefix>-payments`.
//!
//! The server may be unavailable at any time, at the start too: every call ensures the index first, fails with
//! [`SearchError::Unavailable`] and can be repeated. Versions are kept by the server itself (`version_type: external`), so
//! several instances may write. The reader's position is not kept here but in the store; the index records now and then which past
//! it mirrors, and whether it is complete, since another instance may have filled it. Uses core features of
//! Elasticsearch 8 only: no plugins, no scripts, no `_reindex`.

mod bulk;
mod client;
mod compile;
mod contents;
mod indices;
mod mapping;
mod past;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::{Mutex, watch};

use crate::clock::Wall;
use crate::domain::ids::{PaymentId, base62_decode};

use super::document::{DocKey, PaymentDocument};
use super::health::{Board, Deed};
use super::query::TermField;
use super::request::{Cursor, Hit, SearchPage, SearchRequest, Total};
use super::settings::SearchSettings;
use super::{
    Applied, Filling, Generation, Mirrored, ScannedDocument, SearchError, SearchHealth, SearchIndex,
    aggregations,
};

use bulk::MISSING;
use client::{Client, Method};

/// The largest page that Elasticsearch gives by default.
const SCAN_MAX: usize = 10_000;

/// Elasticsearch as [`SearchIndex`].
pub struct ElasticsearchIndex {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    settings: SearchSettings,
    alias: String,
    /// Whether the index is known to exist. Held while that is checked, so that the server is asked once.
    ensured: Mutex<bool>,
    needs_rebuild: AtomicBool,
    /// Whether a missing index is created.
    makes_index: bool,
    building: AtomicBool,
    closed: AtomicBool,
    health: Board,
    filling: watch::Sender<Option<Filling>>,
    /// What to record in the index, and when that was last done.
    mirrored: parking_lot::Mutex<(Option<Mirrored>, Option<Instant>)>,
    /// Indices that were built here and do not serve, as far as is known.
    left: parking_lot::Mutex<Vec<String>>,
    /// When the index was last asked whether it is complete.
    asked: Mutex<Option<Instant>>,
    wall: Wall,
}

impl ElasticsearchIndex {
    /// Prepares the client. Nothing is sent yet.
    ///
    /// # Errors
    /// The settings cannot be used.
    pub fn new(settings: &SearchSettings, wall: Wall) -> Result<Self, SearchError> {
        Self::with(settings, true, wall)
    }

    /// The same for a caller that only reads: a missing index is [`SearchError::Unavailable`], and is not created.
    ///
    /// # Errors
    /// The settings cannot be used.
    pub fn read_only(settings: &SearchSettings, wall: Wall) -> Result<Self, SearchError> {
        Self::with(settings, false, wall)
    }

    fn with(settings: &SearchSettings, makes_index: bool, wall: Wall) -> Result<Self, SearchError> {
        let inner = Inner {
            client: Client::new(settings)?,
            settings: settings.clone(),
            alias: indices::alias(settings),
            ensured: Mutex::new(false),
            needs_rebuild: AtomicBool::new(false),
            makes_index,
            building: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            health: Board::new(wall.clone()),
            wall,
            filling: watch::Sender::new(None),
            mirrored: parking_lot::Mutex::default(),
            left: parking_lot::Mutex::default(),
            asked: Mutex::new(None),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Asks whether there is an index; creates none.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub async fn exists(&self) -> Result<bool, SearchError> {
        let path = format!("/_alias/{}", self.inner.alias);
        let answer = self.inner.client.send(Method::Get, &path, &[], None).await?;
        if answer.status == 404 { Ok(false) } else { answer.success().map(|_| true) }
    }

    /// Inspects the index, and creates it if there is none. [`SearchIndex::needs_rebuild`] is known afterwards.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub async fn connect(&self) -> Result<(), SearchError> {
        let result = self.inner.ensure().await;
        self.inner.note(Deed::Read, result).await
    }
}

impl Inner {
    async fn ensure(&self) -> Result<(), SearchError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(SearchError::Closed);
        }
        if !self.makes_index {
            return Ok(());
        }
        let mut ensured = self.ensured.lock().await;
        if !*ensured {
            let incomplete = indices::ensure(&self.client, &self.settings).await?;
            self.needs_rebuild.store(incomplete, Ordering::Release);
            self.filling.send_replace(incomplete.then(Filling::default));
            *ensured = true;
        }
        Ok(())
    }

    /// Passes a result on and notes what it says about the server. An index that has gone is created again next time.
    async fn note<T>(&self, deed: Deed, result: Result<T, SearchError>) -> Result<T, SearchError> {
        let down = match &result {
            Err(SearchError::Unavailable(reason)) => Some(reason.clone()),
            Err(error @ (SearchError::Internal(_) | SearchError::Backpressure)) => Some(error.to_string()),
            Ok(_) | Err(_) => None,
        };
        if down.as_deref() == Some(MISSING) {
            *self.ensured.lock().await = false;
        }
        self.health.note(deed, down);
        result
    }

    /// Asks the alias for documents.
    async fn query(&self, body: &Value, filter_path: &str) -> Result<Value, SearchError> {
        self.ensure().await?;
        let path = format!("/{}/_search", self.alias);
        let body = Bytes::from(body.to_string());
        let query = [("filter_path", filter_path)];
        let answer = self.client.send(Method::Post, &path, &query, Some(body)).await?;
        if answer.is_error("index_not_found_exception") {
            return Err(SearchError::Unavailable(MISSING.to_owned()));
        }
        let answer = answer.json()?;
        let failed = answer.pointer("/_shards/failed").and_then(Value::as_u64) != Some(0);
        if failed || answer.get("timed_out") != Some(&Value::Bool(false)) {
            return Err(SearchError::Unavailable("the search did not finish".to_owned()));
        }
        Ok(answer)
    }

    async fn apply(&self, documents: &[PaymentDocument]) -> Result<Applied, SearchError> {
        self.ensure().await?;
        bulk::apply(&self.client, &self.alias, true, documents).await
    }

    async fn refresh(&self) -> Result<(), SearchError> {
        self.ensure().await?;
        let path = format!("/{}/_refresh", self.alias);
        self.client.send(Method::Post, &path, &[], None).await?.success().map(drop)
    }

    async fn search(&self, request: &SearchRequest) -> Result<SearchPage, SearchError> {
        let order = if request.sort.is_descending() { "desc" } else { "asc" };
        let mut body = json!({
            // One more than asked for shows whether there is a next page.
            "size": request.limit.saturating_add(1),
            "_source": false,
            "version": true,
            "track_total_hits": true,
            "timeout": format!("{}ms", self.settings.request_timeout_ms),
            "query": compile::compile(&request.query.filter().scoped_to(request.owner)),
            "sort": [{ request.sort.field().name(): order }, { TermField::Payment.name(): order }],
            "aggs": aggregations::request(request),
        });
        if let (Some(cursor), Some(body)) = (&request.cursor, body.as_object_mut()) {
            body.insert("search_after".to_owned(), json!([cursor.value, cursor.payment.with_prefix("")]));
        }
        let filter_path =
            "timed_out,_shards.failed,hits.total,hits.hits._version,hits.hits.sort,aggregations";
        let answer = self.query(&body, filter_path).await?;
        read_page(request, &answer)
            .ok_or_else(|| SearchError::Internal("unexpected form of an answer".to_owned()))
    }

    async fn count(&self) -> Result<u64, SearchError> {
        self.ensure().await?;
        let answer =
            self.client.send(Method::Get, &format!("/{}/_count", self.alias), &[], None).await?.json()?;
        let count = answer.get("count").and_then(Value::as_u64);
        count.ok_or_else(|| SearchError::Internal("unexpected form of a count".to_owned()))
    }
}

fn hits(answer: &Value) -> impl Iterator<Item = &Value> {
    answer.pointer("/hits/hits").and_then(Value::as_array).into_iter().flatten()
}

fn read_page(request: &SearchRequest, answer: &Value) -> Option<SearchPage> {
    let total = answer.pointer("/hits/total")?;
    let found = hits(answer).map(|hit| read_hit(request, hit)).collect::<Option<Vec<_>>>()?;
    let more = found.len() > request.limit;
    let kept = found.get(..request.limit).unwrap_or(&found);
    let mut page = SearchPage {
        hits: kept.iter().map(|(hit, _)| *hit).collect(),
        total: Total {
            value: total.get("value")?.as_u64()?,
            exact: total.get("relation").and_then(Value::as_str) == Some("eq"),
        },
        next_cursor: kept.last().filter(|_| more).map(|(_, cursor)| *cursor),
        ..SearchPage::default()
    };
    aggregations::read(request, answer.get("aggregations").unwrap_or(&Value::Null), &mut page)?;
    Some(page)
}

fn read_hit(request: &SearchRequest, hit: &Value) -> Option<(Hit, Cursor)> {
    let [value, payment] = hit.get("sort")?.as_array()?.as_slice() else { return None };
    let payment = PaymentId::from_bytes(base62_decode(payment.as_str()?)?.to_be_bytes());
    let cursor = Cursor { sort: request.sort, value: value.as_i64()?, payment };
    Some((Hit { payment, version: hit.get("_version")?.as_u64()? }, cursor))
}

#[async_trait]
impl SearchIndex for ElasticsearchIndex {
    async fn apply(&self, documents: &[PaymentDocument]) -> Result<Applied, SearchError> {
        let result = self.inner.apply(documents).await;
        match (documents.is_empty(), result) {
            // Nothing was sent.
            (true, Ok(applied)) => Ok(applied),
            (_, result) => self.inner.note(Deed::Write, result).await,
        }
    }

    async fn commit(&self, _: u64) -> Result<(), SearchError> {
        if self.inner.closed.load(Ordering::Acquire) {
            return Err(SearchError::Closed);
        }
        if let Err(error) = self.inner.record_mirrored().await {
            // What was applied is safe all the same, and this is recorded next time.
            tracing::debug!(error = %error, "the position was not recorded in the search index");
        }
        Ok(())
    }

    async fn mirrored(&self) -> Result<Option<Mirrored>, SearchError> {
        let result = self.inner.mirrored().await;
        self.inner.note(Deed::Read, result).await
    }

    fn note_mirrored(&self, mirrored: Mirrored) {
        self.inner.mirrored.lock().0 = Some(mirrored);
    }

    async fn newest(&self, limit: usize) -> Result<Vec<(PaymentId, u64)>, SearchError> {
        let result = self.inner.newest(limit).await;
        self.inner.note(Deed::Read, result).await
    }

    async fn committed_position(&self) -> Result<Option<u64>, SearchError> {
        Ok(None)
    }

    async fn refresh(&self) -> Result<(), SearchError> {
        let result = self.inner.refresh().await;
        self.inner.note(Deed::Read, result).await
    }

    async fn search(&self, request: &SearchRequest) -> Result<SearchPage, SearchError> {
        request.validate()?;
        let result = self.inner.search(request).await;
        self.inner.note(Deed::Search, result).await
    }

    async fn count(&self) -> Result<u64, SearchError> {
        self.inner.ask_whether_filled().await;
        let result = self.inner.count().await;
        self.inner.note(Deed::Read, result).await
    }

    async fn scan(&self, after: Option<DocKey>, limit: usize) -> Result<Vec<ScannedDocument>, SearchError> {
        let result = self.inner.scan(after, limit).await;
        self.inner.note(Deed::Read, result).await
    }

    async fn values(
        &self,
        keys: &[DocKey],
    ) -> Result<BTreeMap<DocKey, BTreeSet<super::contents::Value>>, SearchError> {
        let result = self.inner.values(keys).await;
        self.inner.note(Deed::Read, result).await
    }

    async fn begin_generation(&self) -> Result<Box<dyn Generation>, SearchError> {
        self.inner.ensure().await?;
        if self.inner.building.swap(true, Ordering::AcqRel) {
            return Err(SearchError::Busy);
        }
        // From here on, dropping the generation, even half built, lets the next one begin.
        let mut generation = ElasticsearchGeneration { inner: Arc::clone(&self.inner), index: String::new() };
        let left = self.inner.left.lock().clone();
        let created =
            indices::create(&self.inner.client, &self.inner.settings, &left, self.inner.wall.now()).await;
        if created.is_ok() {
            self.inner.left.lock().retain(|name| !left.contains(name));
        }
        generation.index = self.inner.note(Deed::Write, created).await?;
        Ok(Box::new(generation))
    }

    fn needs_rebuild(&self) -> bool {
        self.inner.needs_rebuild()
    }

    fn filling(&self) -> watch::Receiver<Option<Filling>> {
        self.inner.filling.subscribe()
    }

    fn note_filling(&self, filling: Filling) {
        self.inner.filling.send_replace(Some(filling));
    }

    fn health(&self) -> watch::Receiver<SearchHealth> {
        self.inner.health.subscribe()
    }

    async fn close(&self) {
        self.inner.closed.store(true, Ordering::Release);
    }
}

/// A generation in an index of its own, not behind the alias yet.
struct ElasticsearchGeneration {
    inner: Arc<Inner>,
    index: String,
}

#[async_trait]
impl Generation for ElasticsearchGeneration {
    async fn apply(&self, documents: &[PaymentDocument]) -> Result<Applied, SearchError> {
        let applied = bulk::apply(&self.inner.client, &self.index, false, documents).await;
        self.inner.note(Deed::Write, applied).await
    }

    async fn finish(self: Box<Self>, _: u64) -> Result<(), SearchError> {
        let mirrored = self.inner.mirrored.lock().0;
        let flipped = indices::flip(&self.inner.client, &self.inner.settings, &self.index, mirrored).await;
        if flipped.is_err() {
            // It may serve all the same, if only the answer was lost. The next build checks.
            self.inner.left.lock().push(self.index.clone());
        }
        self.inner.note(Deed::Write, flipped).await?;
        self.inner.filled();
        Ok(())
    }

    async fn abandon(self: Box<Self>) {
        if let Err(error) = indices::remove(&self.inner.client, &self.index).await {
            tracing::warn!(error = %error, "an abandoned search index was not removed");
        }
    }
}

impl Drop for ElasticsearchGeneration {
    fn drop(&mut self) {
        self.inner.building.store(false, Ordering::Release);
    }
}
