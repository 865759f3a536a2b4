//! An index of its own for each test, and what is needed to look at it from outside.

use std::sync::Arc;

use paystorm::clock::Wall;
use paystorm::search::elasticsearch::ElasticsearchIndex;
use paystorm::search::embedded::EmbeddedIndex;
use paystorm::search::{SearchIndex, SearchKind, SearchSettings};

pub struct Subject {
    pub index: Arc<dyn SearchIndex>,
    pub settings: SearchSettings,
    directory: Option<tempfile::TempDir>,
}

/// The address of the test server.
pub fn elasticsearch_url() -> String {
    std::env::var("PAYSTORM_TEST_ELASTICSEARCH_URL")
        .expect("PAYSTORM_TEST_ELASTICSEARCH_URL is not set: run `scripts/services.sh up` and `eval \"$(scripts/services.sh env)\"`")
}

/// A name that no other test uses, in this process or another.
fn unique() -> String {
    let mut random = [0_u8; 6];
    getrandom::fill(&mut random).unwrap();
    format!("t{}", random.map(|byte| format!("{byte:02x}")).concat())
}

impl Subject {
    pub async fn embedded() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("search");
        let settings = SearchSettings { path, memory_mb: 16, ..SearchSettings::default() };
        let index = EmbeddedIndex::open(&settings, Wall::system()).await.unwrap();
        Self { index: Arc::new(index), settings, directory: Some(directory) }
    }

    pub async fn elasticsearch() -> Self {
        let settings = SearchSettings {
            kind: SearchKind::Elasticsearch,
            url: elasticsearch_url().into(),
            prefix: unique(),
            request_timeout_ms: 60_000,
            ..SearchSettings::default()
        };
        let index = ElasticsearchIndex::new(&settings, Wall::system()).unwrap();
        index.connect().await.unwrap();
        Self { index: Arc::new(index), settings, directory: None }
    }

    /// Another opening of the same index. The embedded one is closed first: it belongs to one process at a time.
    pub async fn reopen(&self) -> Arc<dyn SearchIndex> {
        match self.settings.kind {
            SearchKind::Embedded => {
                self.index.close().await;
                Arc::new(EmbeddedIndex::open(&self.settings, Wall::system()).await.unwrap())
            }
            SearchKind::Elasticsearch => {
                let index = ElasticsearchIndex::new(&self.settings, Wall::system()).unwrap();
                index.connect().await.unwrap();
                Arc::new(index)
            }
        }
    }

    /// The names of all generations there are.
    pub async fn names(&self) -> Vec<String> {
        match self.settings.kind {
            SearchKind::Embedded => std::fs::read_dir(&self.settings.path)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .filter(|name| name.starts_with('v'))
                .collect(),
            SearchKind::Elasticsearch => {
                let url = format!("{}/{}-*/_alias", self.settings.url.expose(), self.settings.prefix);
                let answer: serde_json::Value = http().get(url).send().await.unwrap().json().await.unwrap();
                answer.as_object().unwrap().keys().cloned().collect()
            }
        }
    }

    pub async fn generations(&self) -> usize {
        self.names().await.len()
    }

    /// Removes everything the test made.
    pub async fn remove(self) {
        self.index.close().await;
        if self.directory.is_none() {
            for name in self.names().await {
                let url = format!("{}/{name}", self.settings.url.expose());
                http().delete(url).send().await.unwrap().error_for_status().unwrap();
            }
        }
    }
}

pub fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}
