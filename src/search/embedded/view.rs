//! The embedded index seen from another process: read-only, so that it disturbs no running server. For `verify`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use tantivy::IndexReader;

use crate::search::contents::Value;
use crate::search::document::DocKey;
use crate::search::{ScannedDocument, SearchError};

use super::blocking;
use super::contents::{self, Sums};
use super::generation::open_for_reading;
use super::schema::Fields;
use super::writer::internal;

/// A read-only view of the generation that serves, as of its last commit.
pub struct EmbeddedView {
    reader: Arc<IndexReader>,
    fields: Fields,
    sums: Arc<Sums>,
}

impl EmbeddedView {
    /// Opens the generation that serves; `None` if there is no index yet.
    ///
    /// # Errors
    /// If it is damaged or of another shape.
    pub async fn open(root: &Path) -> Result<Option<Self>, SearchError> {
        let root = root.to_owned();
        let opened = blocking(move || open_for_reading(&root)).await?;
        Ok(opened.map(|(reader, fields)| Self { reader: Arc::new(reader), fields, sums: Arc::default() }))
    }

    /// Documents of all owners in the order of their keys, those after `after`, at most `limit`.
    ///
    /// # Errors
    /// The index could not be read.
    pub async fn scan(
        &self,
        after: Option<DocKey>,
        limit: usize,
    ) -> Result<Vec<ScannedDocument>, SearchError> {
        let (reader, fields, sums) = (Arc::clone(&self.reader), self.fields, Arc::clone(&self.sums));
        let scan = move || contents::scan(&fields, &reader.searcher(), &sums, after, limit);
        blocking(move || scan().map_err(internal)).await
    }

    /// The values of the documents under these keys.
    ///
    /// # Errors
    /// The index could not be read.
    pub async fn values(&self, keys: &[DocKey]) -> Result<BTreeMap<DocKey, BTreeSet<Value>>, SearchError> {
        let (reader, fields, keys) = (Arc::clone(&self.reader), self.fields, keys.to_vec());
        blocking(move || contents::values(&fields, &reader.searcher(), &keys).map_err(internal)).await
    }

    /// Makes visible what was committed since.
    ///
    /// # Errors
    /// The index could not be read.
    pub async fn refresh(&self) -> Result<(), SearchError> {
        let reader = Arc::clone(&self.reader);
        blocking(move || reader.reload().map_err(internal)).await
    }
}
