//! `/requests`: the log of calls to the API, and one call.

use actix_web::{HttpRequest, web};
use askama::Template;

use super::format;
use super::handle::{self, Fields, PageResult};
use super::keys::KeyLine;
use super::layout::{Layout, Nav};
use crate::domain::ids::{ApiKeyId, RequestId};
use crate::domain::time::Timestamp;
use crate::store::{RequestFilter, RequestRecord};
use crate::web::error::ApiError;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// Calls on one page.
const PAGE: u32 = 50;
/// Methods that can be chosen.
const METHODS: [&str; 3] = ["GET", "POST", "DELETE"];
/// Classes of statuses that can be chosen.
const CLASSES: [(u16, &str); 3] = [(2, "2xx"), (4, "4xx"), (5, "5xx")];

/// A call in the list, or how many were not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestLine {
    /// Its id.
    pub id: String,
    /// When, as an age.
    pub ago: String,
    /// When, in full.
    pub at_full: String,
    /// When, for machines.
    pub at_iso: String,
    /// When, in milliseconds since the epoch.
    pub at_ms: i64,
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The status.
    pub status: u16,
    /// The class of the status, for colours: `ok`, `refused`, `broken`.
    pub class: &'static str,
    /// How long it took.
    pub latency: String,
    /// The key's name.
    pub key: String,
    /// Instead of a call: a sentence about those that were not kept.
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
    /// What was typed: part of a path, or an id.
    pub path: String,
    /// Methods to choose from.
    pub methods: Vec<Choice>,
    /// Classes of statuses to choose from.
    pub classes: Vec<Choice>,
    /// Keys to choose from.
    pub keys: Vec<Choice>,
    /// Whether anything is chosen.
    pub filtered: bool,
    /// The calls, newest first.
    pub lines: Vec<RequestLine>,
    /// The address of the next page.
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
    /// What was sent, readable.
    pub request: Option<String>,
    /// What was answered, readable.
    pub response: Option<String>,
}

/// `GET /requests?method=POST&status=4&key=key_…&path=refunds&before=req_…`.
pub async fn list(state: web::Data<WebState>, request: HttpRequest, who: SignedIn) -> PageResult {
    let fields = Fields::of_query(&request);
    let path = fields.get("path").trim();
    if path.parse::<RequestId>().is_ok() {
        return Ok(handle::see_other(&format!("/requests/{path}")));
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
        layout: handle::frame(&state, &who, "Requests", Nav::Requests),
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
    Ok(handle::ok(&page))
}

/// `GET /requests/{id}`.
pub async fn show(state: web::Data<WebState>, who: SignedIn, id: web::Path<String>) -> PageResult {
    let missing = || ApiError::not_found("request", &id);
    let wanted: RequestId = id.parse().map_err(|_| missing())?;
    let record = state.store.request_get(who.account, wanted).await?;
    let record = record.filter(|record| record.missed == 0).ok_or_else(missing)?;
    let keys = key_names(&state, &who).await?;
    let page = RequestPage {
        layout: handle::frame(&state, &who, "Request", Nav::Requests),
        line: RequestLine::of(&record, &keys, state.wall.now()),
        request: record.request.as_deref().map(readable),
        response: record.response.as_deref().map(readable),
    };
    Ok(handle::ok(&page))
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

/// What is chosen; what makes no sense is as good as not chosen.
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

/// JSON indented; anything else, and JSON that was cut off, as it is.
#[must_use]
pub fn readable(text: &str) -> String {
    let value = serde_json::from_str::<serde_json::Value>(text).ok();
    value.and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or_else(|| text.to_owned())
}
