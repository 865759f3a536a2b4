//! The embedded index seen from another process: read-only, so that it disturbs no running server. For `verify`.

use std::path::Path;
use std::sync::Arc;

use tantivy::IndexReader;

use crate::search::document::DocKey;
use crate::search::{ScannedDocument, SearchError};

use super::blocking;
use super::generation::open_for_reading;
use super::read::scan;
use super::schema::Fields;
use super::writer::internal;

/// A read-only view of the generation that serves, as of its last commit.
pub struct EmbeddedView {
    reader: Arc<IndexReader>,
    fields: Fields,
}

impl EmbeddedView {
    /// Opens the generation that serves; `None` if there is no index yet.
    ///
    /// # Errors
    /// If it is damaged or of another shape.
    pub async fn open(root: &Path) -> Result<Option<Self>, SearchError> {
        let root = root.to_owned();
        let opened = blocking(move || open_for_reading(&root)).await?;
        Ok(opened.map(|(reader, fields)| Self { reader: Arc::new(reader), fields }))
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
        let (reader, fields) = (Arc::clone(&self.reader), self.fields);
        blocking(move || scan(&fields, &reader.searcher(), after, limit).map_err(internal)).await
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
