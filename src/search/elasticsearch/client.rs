//! The HTTP client of Elasticsearch, through its crate: explicit timeouts, no system proxy, no sniffing, retries of our own.

use std::time::Duration;

use bytes::Bytes;
use elasticsearch::Elasticsearch;
use elasticsearch::auth::Credentials;
pub(super) use elasticsearch::http::Method;
use elasticsearch::http::headers::HeaderMap;
use elasticsearch::http::transport::{SingleNodeConnectionPool, TransportBuilder};
use serde_json::Value;

use crate::search::SearchError;
use crate::search::settings::SearchSettings;

/// How often a request is sent before it counts as failed.
const ATTEMPTS_MAX: u32 = 3;
/// How much of an error's body is kept for the log, in characters.
const REASON_MAX_CHARS: usize = 300;

/// The error type of an index that someone has closed.
pub(super) const INDEX_CLOSED: &str = "index_closed_exception";

/// An answer of any status.
pub(super) struct Answer {
    pub status: u16,
    pub body: Bytes,
}

impl Answer {
    /// The body of a success.
    ///
    /// # Errors
    /// What the server said.
    pub(super) fn success(self) -> Result<Bytes, SearchError> {
        match self.status {
            200..=299 => Ok(self.body),
            429 => Err(SearchError::Backpressure),
            // Blocked, closed, or rights revoked: for someone to fix, and no defect.
            401 | 403 | 500..=599 => Err(SearchError::Unavailable(self.reason())),
            _ if self.is_error(INDEX_CLOSED) => Err(SearchError::Unavailable(self.reason())),
            _ => Err(SearchError::Internal(self.reason())),
        }
    }

    /// The body of a success, read as JSON.
    ///
    /// # Errors
    /// What the server said, or that it was not JSON.
    pub(super) fn json(self) -> Result<Value, SearchError> {
        let body = self.success()?;
        serde_json::from_slice(&body).map_err(|error| SearchError::Unavailable(format!("not JSON: {error}")))
    }

    /// Whether the server names this kind of error.
    pub(super) fn is_error(&self, kind: &str) -> bool {
        !(200..=299).contains(&self.status) && String::from_utf8_lossy(&self.body).contains(kind)
    }

    fn reason(&self) -> String {
        let text: String = String::from_utf8_lossy(&self.body).chars().take(REASON_MAX_CHARS).collect();
        format!("status {}: {text}", self.status)
    }
}

/// The client of one server.
pub(super) struct Client {
    client: Elasticsearch,
    timeout: Duration,
}

impl Client {
    pub(super) fn new(settings: &SearchSettings) -> Result<Self, SearchError> {
        let invalid = |error: String| SearchError::Internal(format!("search.url: {error}"));
        let url = url::Url::parse(settings.url.expose()).map_err(|error| invalid(error.to_string()))?;
        let timeout = Duration::from_millis(settings.request_timeout_ms);
        let mut builder =
            TransportBuilder::new(SingleNodeConnectionPool::new(url)).disable_proxy().timeout(timeout);
        if let Some(username) = &settings.username {
            let password = settings.password.clone().unwrap_or_default();
            let credentials = Credentials::Basic(username.expose().to_owned(), password.expose().to_owned());
            builder = builder.auth(credentials);
        }
        let transport = builder.build().map_err(|error| invalid(error.to_string()))?;
        Ok(Self { client: Elasticsearch::new(transport), timeout })
    }

    /// Sends a request that may safely be sent again, and does so after a failed connection or a busy server. A request
    /// that timed out is not repeated: it would only add to the load.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<Bytes>,
    ) -> Result<Answer, SearchError> {
        let mut attempt = 1;
        loop {
            let answer = self.send_once(method, path, query, body.clone()).await;
            let again = match &answer {
                Ok(answer) => matches!(answer.status, 429 | 502 | 503),
                Err(failure) => !failure.timed_out,
            };
            if !again || attempt == ATTEMPTS_MAX {
                return answer.map_err(|failure| SearchError::Unavailable(failure.reason));
            }
            pause(attempt).await;
            attempt += 1;
        }
    }

    /// As [`Self::send`], with a JSON body.
    pub(super) async fn send_json(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<Answer, SearchError> {
        self.send(method, path, &[], Some(Bytes::from(body.to_string()))).await
    }

    async fn send_once(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<Bytes>,
    ) -> Result<Answer, Failure> {
        let query = if query.is_empty() { None } else { Some(query) };
        let sent = self.client.send(method, path, HeaderMap::new(), query, body, Some(self.timeout));
        let response = sent.await.map_err(Failure::of)?;
        let status = response.status_code().as_u16();
        let body = response.bytes().await.map_err(Failure::of)?;
        Ok(Answer { status, body })
    }
}

struct Failure {
    timed_out: bool,
    reason: String,
}

impl Failure {
    fn of(error: elasticsearch::Error) -> Self {
        let mut reason = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            reason = format!("{reason}: {cause}");
            source = cause.source();
        }
        Self { timed_out: error.is_timeout(), reason: reason.chars().take(REASON_MAX_CHARS).collect() }
    }
}

/// Waits before the next attempt: 50 ms doubled each time up to 2 s, half of it random.
pub(super) async fn pause(attempt: u32) {
    let full_ms = 50_u64.saturating_mul(1 << attempt.min(6)).min(2_000);
    let mut random = [0_u8; 2];
    // Without randomness everyone waits the same time; that is no reason to fail.
    let share = getrandom::fill(&mut random).map_or(0, |()| u64::from(u16::from_le_bytes(random)));
    let jitter_ms = (full_ms / 2).saturating_mul(share) / u64::from(u16::MAX);
    tokio::time::sleep(Duration::from_millis(full_ms / 2 + jitter_ms)).await;
}
