//! The search port: an index of payments that mirrors the store and can be rebuilt from it at any time.
//!
//! Depends on the domain only. [`embedded`] (tantivy) and [`elasticsearch`] serve the same [`SearchIndex`] and answer
//! alike: both translate the same [`query::Filter`] and index the values that [`document::PaymentDocument::visit`] hands
//! them. Nothing here reads the store; the journal's reader builds documents and calls [`SearchIndex::apply`].
//! Money never waits for this index, and losing it loses nothing.

mod aggregations;
pub mod contents;
pub mod document;
pub mod elasticsearch;
pub mod embedded;
mod health;
mod mirror;
pub mod query;
pub mod request;
pub mod settings;
pub mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::domain::ids::PaymentId;
use crate::domain::time::Timestamp;

pub use contents::ScannedDocument;
pub use document::{AccountNames, DocKey, PaymentDocument};
pub use mirror::{Filling, Mirrored};
pub use query::{Query, QueryError};
pub use request::{
    Bucket, CurrencySums, Cursor, Facets, HistogramSpec, Hit, SearchPage, SearchRequest, SearchSeries,
    SeriesPoint, Sort, Took, Total,
};
pub use settings::{SearchKind, SearchSettings};

/// Counts the shape of the index. Raised whenever the mapping or what is indexed changes: an index of another shape is
/// rebuilt.
pub const SCHEMA_VERSION: u32 = 6;

/// How long a search waits for an index that is nearly filled.
const FILLED_WITHIN: Duration = Duration::from_secs(1);

/// An index of payments.
///
/// Versions are external: of two documents with one key the one with the higher version stands, whatever the order in
/// which they came. So documents may be applied again, and by several readers at once.
///
/// After [`SearchError::Internal`] what was applied since the last commit may be lost: read on from
/// [`SearchIndex::committed_position`].
#[async_trait]
pub trait SearchIndex: Send + Sync + 'static {
    /// Applies documents. One that is not newer than what is indexed changes nothing and is no error. Returns when the
    /// index has taken them: Elasticsearch answered, or tantivy's writer holds them in memory.
    ///
    /// # Errors
    /// [`SearchError::Backpressure`] and [`SearchError::Unavailable`] after bounded attempts of its own: apply the same
    /// documents again later. [`SearchError::Rejected`] names documents that will never be taken; the others were.
    async fn apply(&self, documents: &[PaymentDocument]) -> Result<Applied, SearchError>;

    /// Makes what was applied durable and searchable, and remembers `position` with it where the adapter can.
    /// Elasticsearch is durable already when `apply` returns and refreshes by itself: there it does nothing.
    ///
    /// # Errors
    /// The index could not be written.
    async fn commit(&self, position: u64) -> Result<(), SearchError>;

    /// The position of the last commit; `None` if this adapter does not keep it and the caller's store must.
    /// An empty embedded index answers `Some(0)`.
    ///
    /// # Errors
    /// The index could not be read.
    async fn committed_position(&self) -> Result<Option<u64>, SearchError>;

    /// The position in a store's past that the last commit kept; `None` if it kept none.
    ///
    /// # Errors
    /// The index could not be read.
    async fn mirrored(&self) -> Result<Option<Mirrored>, SearchError> {
        Ok(None)
    }

    /// Keeps this position with one of the next commits, and with the next generation that finishes.
    fn note_mirrored(&self, _mirrored: Mirrored) {}

    /// The payments that changed last, as far as the index knows, with their versions in it; at most `limit`.
    ///
    /// # Errors
    /// The index could not be read.
    async fn newest(&self, _limit: usize) -> Result<Vec<(PaymentId, u64)>, SearchError> {
        Ok(Vec::new())
    }

    /// Makes what was applied searchable now, without moving the position.
    ///
    /// # Errors
    /// The index could not be written or reached.
    async fn refresh(&self) -> Result<(), SearchError>;

    /// Finds payments of one owner, for people and programs. Fails while the index is being filled, since a partial answer would pass
    /// for a complete one.
    ///
    /// # Errors
    /// [`SearchError::Filling`], and as [`SearchIndex::search`].
    async fn find(&self, request: &SearchRequest) -> Result<SearchPage, SearchError> {
        let mut filling = self.filling();
        // A new index of a few payments is filled in a moment.
        let filled = async { filling.wait_for(Option::is_none).await.is_ok() };
        let waited = tokio::time::timeout(FILLED_WITHIN, filled).await;
        let left = *self.filling().borrow();
        match left.filter(|_| waited.is_err()) {
            Some(filling) => Err(SearchError::Filling(filling)),
            None => self.search(request).await,
        }
    }

    /// Finds payments of one owner, whatever the index holds.
    ///
    /// # Errors
    /// [`SearchError::BadRequest`] for a limit, cursor or histogram that makes no sense; else the index failed.
    async fn search(&self, request: &SearchRequest) -> Result<SearchPage, SearchError>;

    /// How many documents there are, receipts included.
    ///
    /// # Errors
    /// The index could not be read.
    async fn count(&self) -> Result<u64, SearchError>;

    /// Documents of all owners in the order of their keys, for `verify`; those after `after`, at most `limit` (≤ 10,000).
    ///
    /// # Errors
    /// The index could not be read.
    async fn scan(&self, after: Option<DocKey>, limit: usize) -> Result<Vec<ScannedDocument>, SearchError>;

    /// The values of the documents under these keys, read back as [`SearchIndex::scan`] does. Slow: for the few whose faults are to
    /// be named.
    ///
    /// # Errors
    /// The index could not be read.
    async fn values(
        &self,
        _keys: &[DocKey],
    ) -> Result<BTreeMap<DocKey, BTreeSet<contents::Value>>, SearchError> {
        Ok(BTreeMap::new())
    }

    /// Begins a new, empty generation while the old one serves. Changes that are applied until it finishes reach the old one only:
    /// the caller notes its position *before* it begins, and reads on from there once the generation has finished.
    /// External versions make what is applied twice harmless.
    ///
    /// # Errors
    /// [`SearchError::Busy`] if one is under way in this process; else the index could not be created.
    async fn begin_generation(&self) -> Result<Box<dyn Generation>, SearchError>;

    /// Whether the index has to be rebuilt: it was found missing, damaged or of another shape, or somebody asked for it.
    fn needs_rebuild(&self) -> bool;

    /// How far filling has come, while what serves is not yet what the store holds; `None` while it is, as far as known.
    fn filling(&self) -> watch::Receiver<Option<Filling>> {
        watch::channel(None).1
    }

    /// Notes that what serves is not what the store holds, and how far refilling has come. Stands until a generation finishes.
    fn note_filling(&self, _filling: Filling) {}

    /// Whether the index answers, as last seen.
    fn health(&self) -> watch::Receiver<SearchHealth>;

    /// Commits nothing more and lets go of files and threads. Later calls answer [`SearchError::Closed`].
    async fn close(&self);
}

/// A generation of the index that is being built. Dropped unfinished it never serves, and its files are removed later: when
/// the embedded index is next opened, a day after on Elasticsearch.
#[async_trait]
pub trait Generation: Send + Sync {
    /// As [`SearchIndex::apply`], into the new generation.
    ///
    /// # Errors
    /// As there.
    async fn apply(&self, documents: &[PaymentDocument]) -> Result<Applied, SearchError>;

    /// Makes it durable and serves it instead of the old one, which is removed. `position` is the one noted before the
    /// generation began.
    ///
    /// # Errors
    /// The old generation goes on serving.
    async fn finish(self: Box<Self>, position: u64) -> Result<(), SearchError>;

    /// Gives up and removes it.
    async fn abandon(self: Box<Self>);
}

/// What became of applied documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Applied {
    /// Added or replaced.
    pub changed: usize,
    /// Not newer than what is indexed.
    pub stale: usize,
}

/// Whether the index answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchHealth {
    /// It answered last time, or was not asked yet.
    Up,
    /// It did not.
    Down {
        /// Since when.
        since: Timestamp,
        /// What it said, for the log and operators; never for clients.
        reason: String,
        /// `true` if it only takes nothing in: it still answers, without what is new.
        answers: bool,
    },
}

/// Why the index did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SearchError {
    /// It cannot be reached or does not answer in time.
    #[error("the search index is not available: {0}")]
    Unavailable(String),
    /// It has too much to do.
    #[error("the search index is overloaded")]
    Backpressure,
    /// Some documents will never be taken.
    #[error("{} documents were rejected", .0.len())]
    Rejected(Vec<RejectedDocument>),
    /// The request makes no sense.
    #[error("{0}")]
    BadRequest(&'static str),
    /// It has yet to be filled from the store.
    #[error("the search index is being filled: {0}")]
    Filling(Filling),
    /// Another generation is being built.
    #[error("a new generation of the search index is already being built")]
    Busy,
    /// The index was closed.
    #[error("the search index is closed")]
    Closed,
    /// The index is damaged, or a defect.
    #[error("the search index failed: {0}")]
    Internal(String),
}

/// A document that will never be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedDocument {
    /// The key of the document.
    pub key: DocKey,
    /// Why, for the log.
    pub reason: String,
}
