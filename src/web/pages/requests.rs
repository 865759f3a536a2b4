//! `/requests`: the log of API calls, and one call.

use actix_web::{HttpRequest, web};
use askama::Template;

use super::format;
use super::forms::Fields;
use super::frame;
use super::keys::KeyLine;
use super::layout::{Layout, Nav};
use super::responses::{self, PageResult};
use crate::domain::ids::{ApiKeyId, RequestId};
use crate::domain::time::Timestamp;
use crate::store::{RequestFilter, RequestRecord};
use crate::web::error::ApiError;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// Calls per page.
const PAGE: u32 = 50;
/// Methods that can be chosen.
const METHODS: [&str; 3] = ["GET", "POST", "DELETE"];
/// Classes of statuses that can be chosen.
const CLASSES: [(u16, &str); 3] = [(2, "2xx"), (4, "4xx"), (5, "5xx")];

/// A call in the list, or a gap where calls were not logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestLine {
    /// `req_…`.
    pub id: String,
    /// When it arrived, as an age.
    pub ago: String,
    /// The same in full.
    pub at_full: String,
    /// The same in ISO 8601.
    pub at_iso: String,
    /// The same in milliseconds since the epoch.
    pub at_ms: i64,
    /// The HTTP method.
    pub method: String,
    /// The path that was called.
    pub path: String,
    /// The HTTP status answered.
    pub status: u16,
    /// The class of the status, for colours: `ok`, `refused`, `broken`.
    pub class: &'static str,
    /// How long the answer took, in words.
    pub latency: String,
    /// The name of the API key, its id if it has none, or a dash if no key was used.
    pub key: String,
    /// In place of a call, a sentence about calls that were not logged.
    pub gap: Option<String>,
}

impl RequestLine {
    /// The line of a call at `now`; `keys` name the account's keys.
    #[must_use]
    pub fn of(record: &RequestRecord, keys: &[(ApiKeyId, String)], now: Timestamp) -> Self {
        let named = record.key.map(|id| {
            let known = keys.iter().find(|(key, _)| *key == id);
            known.map_or_else(|| id.to_string(), |(_, name)| name.clone())
        });
        let gap = (record.missed > 0).then(|| {
            let end = record.at.plus_ms(record.latency_us / 1_000);
            format!(
                "{} {} not logged between {} and {}: too many at once.",
                format::grouped(record.missed),
                if record.missed == 1 { "request was" } else { "requests were" },
                format::absolute(record.at),
                format::absolute(end)
            )
        });
        Self {
            id: record.id.to_string(),
            ago: format::ago(now, record.at),
            at_full: format::absolute(record.at),
            at_iso: format::iso(record.at),
            at_ms: record.at.millis(),
            method: record.method.clone(),
            path: record.path.clone(),
            status: record.status,
            class: match record.status {
                ..400 => "ok",
                400..500 => "refused",
                _ => "broken",
            },
            latency: format::duration(record.latency_us),
            key: named.unwrap_or_else(|| "–".to_owned()),
            gap,
        }
    }
}

/// An option of a filter: value, label, whether it is chosen.
pub type Choice = (String, String, bool);

/// The list.
#[derive(Template)]
#[template(path = "requests.html")]
pub struct RequestsPage {
    /// The frame.
    pub layout: Layout,
    /// Whether calls are logged at all.
    pub logged: bool,
    /// The filter as typed: part of a path, or an id.
    pub path: String,
    /// Methods to choose from.
    pub methods: Vec<Choice>,
    /// Classes of statuses to choose from.
    pub classes: Vec<Choice>,
    /// Keys to choose from.
    pub keys: Vec<Choice>,
    /// Whether any filter is set.
    pub filtered: bool,
    /// The calls, newest first.
    pub lines: Vec<RequestLine>,
    /// The address of the next older page, if there is one.
    pub next: Option<String>,
}

/// One call.
#[derive(Template)]
#[template(path = "request.html")]
pub struct RequestPage {
    /// The frame.
    pub layout: Layout,
    /// The call.
    pub line: RequestLine,
    /// The request body, JSON indented; `None` if it had none.
    pub request: Option<String>,
    /// The response body, JSON indented; `None` if it had none.
    pub response: Option<String>,
}

/// `GET /requests?method=POST&status=4&key=key_…&path=refunds&before=req_…`.
pub async fn list(state: web::Data<WebState>, request: HttpRequest, who: SignedIn) -> PageResult {
    let fields = Fields::of_query(&request);
    let path = fields.get("path").trim();
    if path.parse::<RequestId>().is_ok() {
        return Ok(responses::see_other(&format!("/requests/{path}")));
    }
    let mut filter = filter_of(&fields);
    filter.limit = PAGE + 1;
    let mut records = state.store.request_list(who.account, &filter).await?;
    let more = records.len() > usize::try_from(PAGE).unwrap_or(usize::MAX);
    records.truncate(usize::try_from(PAGE).unwrap_or(usize::MAX));
    let last = records.last().filter(|_| more).map(|record| record.id);
    let keys = key_names(&state, &who).await?;
    let now = state.wall.now();
    let page = RequestsPage {
        layout: frame::frame(&state, &who, "Requests", Nav::Requests),
        logged: state.requests.is_some(),
        path: path.to_owned(),
        methods: METHODS.map(|name| chosen(name, name, filter.method.as_deref() == Some(name))).to_vec(),
        classes: CLASSES
            .map(|(class, label)| chosen(&class.to_string(), label, filter.status_class == Some(class)))
            .to_vec(),
        keys: keys.iter().map(|(id, name)| chosen(&id.to_string(), name, filter.key == Some(*id))).collect(),
        filtered: filter.method.is_some()
            || filter.status_class.is_some()
            || filter.key.is_some()
            || filter.path.is_some(),
        lines: records.iter().map(|record| RequestLine::of(record, &keys, now)).collect(),
        next: last.map(|last| next_address(&fields, last)),
    };
    Ok(responses::ok(&page))
}

/// `GET /requests/{id}`.
pub async fn show(state: web::Data<WebState>, who: SignedIn, id: web::Path<String>) -> PageResult {
    let missing = || ApiError::not_found("request", &id);
    let wanted: RequestId = id.parse().map_err(|_| missing())?;
    let record = state.store.request_get(who.account, wanted).await?;
    let record = record.filter(|record| record.missed == 0).ok_or_else(missing)?;
    let keys = key_names(&state, &who).await?;
    let page = RequestPage {
        layout: frame::frame(&state, &who, "Request", Nav::Requests),
        line: RequestLine::of(&record, &keys, state.wall.now()),
        request: record.request.as_deref().map(readable),
        response: record.response.as_deref().map(readable),
    };
    Ok(responses::ok(&page))
}

async fn key_names(
    state: &WebState,
    who: &SignedIn,
) -> Result<Vec<(ApiKeyId, String)>, crate::accounts::AccountError> {
    let now = state.wall.now();
    let name = |key: &crate::store::ApiKey| {
        let line = KeyLine::of(key, now);
        let name = if line.name.is_empty() { line.hint } else { format!("{} (…{})", line.name, key.last4) };
        (key.id, name)
    };
    Ok(state.accounts.key_list(who.account).await?.iter().map(name).collect())
}

/// The filter in a query string; a value that cannot be read is ignored.
fn filter_of(fields: &Fields) -> RequestFilter {
    let path = fields.get("path").trim();
    RequestFilter {
        method: METHODS.into_iter().find(|name| *name == fields.get("method")).map(str::to_owned),
        status_class: CLASSES
            .into_iter()
            .map(|(class, _)| class)
            .find(|class| class.to_string() == fields.get("status")),
        key: fields.get("key").parse().ok(),
        path: (!path.is_empty()).then(|| path.chars().take(255).collect()),
        before: fields.get("before").parse().ok(),
        limit: PAGE,
    }
}

fn chosen(value: &str, label: &str, chosen: bool) -> Choice {
    (value.to_owned(), label.to_owned(), chosen)
}

fn next_address(fields: &Fields, last: RequestId) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for name in ["method", "status", "key", "path"] {
        if !fields.get(name).is_empty() {
            query.append_pair(name, fields.get(name));
        }
    }
    format!("/requests?{}", query.append_pair("before", &last.to_string()).finish())
}

/// JSON indented; any other text, and truncated JSON, unchanged.
#[must_use]
pub fn readable(text: &str) -> String {
    let value = serde_json::from_str::<serde_json::Value>(text).ok();
    value.and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or_else(|| text.to_owned())
}
