//! An index that fails, takes half of what it is given, and may forget what was not committed.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::Sabotage;
use super::chance::Chance;
use crate::audit::index_view::IndexView;
use crate::search::{
    Applied, DocKey, Generation, PaymentDocument, ScannedDocument, SearchError, SearchHealth, SearchIndex,
    SearchPage, SearchRequest,
};

/// What the index holds.
#[derive(Clone, Default)]
pub struct Documents {
    taken: BTreeMap<DocKey, ScannedDocument>,
    committed: BTreeMap<DocKey, ScannedDocument>,
    position: u64,
}

impl Documents {
    /// The process died. An index on its disk is as it was at the last commit; one elsewhere stays as it is.
    pub fn crash(&mut self, local: bool) {
        if local {
            self.taken.clone_from(&self.committed);
        }
    }
}

pub struct SimIndex {
    documents: Arc<Mutex<Documents>>,
    /// Keeps its own position and forgets what was not committed, as tantivy does; else durable at once.
    local: bool,
    chance: Chance,
    sabotage: Sabotage,
    health: watch::Sender<SearchHealth>,
}

impl SimIndex {
    pub fn new(documents: Arc<Mutex<Documents>>, local: bool, chance: Chance, sabotage: Sabotage) -> Self {
        Self { documents, local, chance, sabotage, health: watch::Sender::new(SearchHealth::Up) }
    }

    async fn reach(&self) -> Result<(), SearchError> {
        self.chance.delay().await;
        if self.chance.breaks(20) {
            return Err(SearchError::Unavailable("simulated".to_owned()));
        }
        Ok(())
    }
}

#[async_trait]
impl SearchIndex for SimIndex {
    async fn apply(&self, documents: &[PaymentDocument]) -> Result<Applied, SearchError> {
        self.reach().await?;
        let breaks = self.chance.breaks(20);
        let mut applied = Applied::default();
        let taken = if breaks { documents.len() / 2 } else { documents.len() };
        for document in &documents[..taken] {
            let lost = self.sabotage == Sabotage::LostDocument && self.chance.percent(10);
            let scanned = ScannedDocument::of(document);
            let mut index = self.documents.lock();
            if lost || index.taken.get(&document.key).is_some_and(|held| held.version >= document.version) {
                applied.stale += 1;
            } else {
                index.taken.insert(document.key, scanned);
                applied.changed += 1;
            }
        }
        self.chance.delay().await;
        if breaks { Err(SearchError::Backpressure) } else { Ok(applied) }
    }

    async fn commit(&self, position: u64) -> Result<(), SearchError> {
        self.reach().await?;
        let mut index = self.documents.lock();
        index.committed = index.taken.clone();
        index.position = position;
        Ok(())
    }

    async fn committed_position(&self) -> Result<Option<u64>, SearchError> {
        self.reach().await?;
        Ok(self.local.then(|| self.documents.lock().position))
    }

    async fn refresh(&self) -> Result<(), SearchError> {
        Ok(())
    }

    async fn search(&self, _request: &SearchRequest) -> Result<SearchPage, SearchError> {
        Err(SearchError::BadRequest("not simulated"))
    }

    async fn count(&self) -> Result<u64, SearchError> {
        Ok(self.documents.lock().taken.len() as u64)
    }

    async fn scan(&self, after: Option<DocKey>, limit: usize) -> Result<Vec<ScannedDocument>, SearchError> {
        Ok(scan(&self.documents.lock().taken, after, limit))
    }

    async fn begin_generation(&self) -> Result<Box<dyn Generation>, SearchError> {
        Err(SearchError::Busy)
    }

    fn needs_rebuild(&self) -> bool {
        false
    }

    fn health(&self) -> watch::Receiver<SearchHealth> {
        self.health.subscribe()
    }

    async fn close(&self) {}
}

fn scan(
    documents: &BTreeMap<DocKey, ScannedDocument>,
    after: Option<DocKey>,
    limit: usize,
) -> Vec<ScannedDocument> {
    let later = documents.values().filter(|document| after.is_none_or(|after| document.key > after));
    later.copied().take(limit).collect()
}

/// What the auditor reads: what would still be there after a crash.
pub struct SimIndexView(pub Documents);

#[async_trait]
impl IndexView for SimIndexView {
    async fn scan(&self, after: Option<DocKey>, limit: usize) -> Result<Vec<ScannedDocument>, String> {
        Ok(scan(&self.0.committed, after, limit))
    }

    async fn refresh(&self) -> Result<(), String> {
        Ok(())
    }
}
