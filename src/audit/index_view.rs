//! The audit's view of a search index.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;

use crate::search::contents::Value;
use crate::search::{DocKey, ScannedDocument, SearchIndex};

/// What the audit reads of an index.
#[async_trait]
pub trait IndexView: Send + Sync {
    /// Documents in the order of their keys, those after `after`.
    ///
    /// # Errors
    /// In words, if the index cannot be read.
    async fn scan(&self, after: Option<DocKey>, limit: usize) -> Result<Vec<ScannedDocument>, String>;

    /// The values of the documents under these keys.
    ///
    /// # Errors
    /// In words, if the index cannot be read.
    async fn values(&self, _keys: &[DocKey]) -> Result<BTreeMap<DocKey, BTreeSet<Value>>, String> {
        Ok(BTreeMap::new())
    }

    /// Makes everything that was written visible.
    ///
    /// # Errors
    /// In words, if the index cannot be refreshed.
    async fn refresh(&self) -> Result<(), String>;
}

#[async_trait]
impl IndexView for Arc<dyn SearchIndex> {
    async fn scan(&self, after: Option<DocKey>, limit: usize) -> Result<Vec<ScannedDocument>, String> {
        SearchIndex::scan(self.as_ref(), after, limit).await.map_err(|error| error.to_string())
    }

    async fn values(&self, keys: &[DocKey]) -> Result<BTreeMap<DocKey, BTreeSet<Value>>, String> {
        SearchIndex::values(self.as_ref(), keys).await.map_err(|error| error.to_string())
    }

    async fn refresh(&self) -> Result<(), String> {
        SearchIndex::refresh(self.as_ref()).await.map_err(|error| error.to_string())
    }
}
