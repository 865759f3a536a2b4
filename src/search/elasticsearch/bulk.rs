//! Encodes documents for `_bulk`, by hand into one buffer per request, and reads the answer for each of them.

use std::io::Write as _;

use bytes::Bytes;
use serde::Deserialize;

use crate::search::document::{FieldSink, PaymentDocument};
use crate::search::query::{NumberField, TermField};
use crate::search::{Applied, RejectedDocument, SearchError};

use super::client::{Answer, Client, INDEX_CLOSED, Method, pause};
use super::mapping::{RECEIPT, TEXT};

/// The most documents in one request.
const DOCUMENTS_MAX: usize = 1_000;
/// Where a request ends, in bytes.
const BODY_MAX_BYTES: usize = 5_000_000;
/// How often refused documents are sent again before it counts as overload.
const ATTEMPTS_MAX: u32 = 6;

/// Sends documents to an index or alias; refused ones are sent again.
pub(super) async fn apply(
    client: &Client,
    index: &str,
    require_alias: bool,
    documents: &[PaymentDocument],
) -> Result<Applied, SearchError> {
    let mut applied = Applied::default();
    let mut rejected = Vec::new();
    let mut rest: Vec<&PaymentDocument> = documents.iter().collect();
    let mut attempt = 1;
    while !rest.is_empty() {
        let (body, taken) = encode(&rest);
        let later = rest.split_off(taken);
        let refused = send(client, index, require_alias, body, rest, &mut applied, &mut rejected).await?;
        if refused.is_empty() {
            attempt = 1;
        } else if attempt == ATTEMPTS_MAX {
            return Err(SearchError::Backpressure);
        } else {
            pause(attempt).await;
            attempt += 1;
        }
        rest = refused;
        rest.extend(later);
    }
    if rejected.is_empty() { Ok(applied) } else { Err(SearchError::Rejected(rejected)) }
}

/// One request. What comes back was refused for now.
async fn send<'a>(
    client: &Client,
    index: &str,
    require_alias: bool,
    body: Bytes,
    sent: Vec<&'a PaymentDocument>,
    applied: &mut Applied,
    rejected: &mut Vec<RejectedDocument>,
) -> Result<Vec<&'a PaymentDocument>, SearchError> {
    let path = format!("/{index}/_bulk");
    let alias = if require_alias { "true" } else { "false" };
    let query = [
        ("filter_path", "errors,items.*.status,items.*.error.type,items.*.error.reason"),
        ("require_alias", alias),
    ];
    let answer = client.send(Method::Post, &path, &query, Some(body)).await?;
    if answer.status == 429 {
        return Ok(sent);
    }
    let answer = read(answer)?;
    if !answer.errors {
        applied.changed += sent.len();
        return Ok(Vec::new());
    }
    if answer.items.len() != sent.len() {
        return Err(SearchError::Unavailable("a bulk answer has another length than its request".to_owned()));
    }
    let mut refused = Vec::new();
    for (document, item) in sent.into_iter().zip(answer.items) {
        match item.index.status {
            200..=299 => applied.changed += 1,
            409 => applied.stale += 1,
            429 | 503 => refused.push(document),
            404 => return Err(SearchError::Unavailable(MISSING.to_owned())),
            // The index takes nothing at all, because the disk is full for example: that is no fault of the document.
            _ if !item.index.is_about_the_document() => {
                return Err(SearchError::Unavailable(item.index.reason()));
            }
            _ => rejected.push(RejectedDocument { key: document.key, reason: item.index.reason() }),
        }
    }
    Ok(refused)
}

/// The reason given when the index is not there.
pub(super) const MISSING: &str = "the index does not exist";

fn read(answer: Answer) -> Result<BulkAnswer, SearchError> {
    if answer.is_error("index_not_found_exception") {
        return Err(SearchError::Unavailable(MISSING.to_owned()));
    }
    let body = answer.success()?;
    serde_json::from_slice(&body)
        .map_err(|error| SearchError::Unavailable(format!("not a bulk answer: {error}")))
}

#[derive(Deserialize)]
struct BulkAnswer {
    errors: bool,
    #[serde(default)]
    items: Vec<BulkItem>,
}

#[derive(Deserialize)]
struct BulkItem {
    index: BulkOutcome,
}

#[derive(Deserialize)]
struct BulkOutcome {
    status: u16,
    error: Option<BulkError>,
}

#[derive(Deserialize)]
struct BulkError {
    r#type: String,
    #[serde(default)]
    reason: String,
}

impl BulkOutcome {
    /// Whether the document will never be taken. Revoked rights, a blocked or closed index, and an alias of several indices can be
    /// fixed by someone; then it will be.
    fn is_about_the_document(&self) -> bool {
        let of_index = |error: &BulkError| {
            matches!(error.r#type.as_str(), "cluster_block_exception" | INDEX_CLOSED | "security_exception")
                || error.reason.starts_with("no write index")
        };
        self.status == 400 && !self.error.as_ref().is_some_and(of_index)
    }

    fn reason(&self) -> String {
        let error = self.error.as_ref().map(|error| format!("{}: {}", error.r#type, error.reason));
        error.unwrap_or_else(|| format!("status {}", self.status))
    }
}

/// Encodes as many documents as one request takes.
fn encode(documents: &[&PaymentDocument]) -> (Bytes, usize) {
    let mut out = Vec::with_capacity(documents.len().min(DOCUMENTS_MAX) * 1_024);
    let mut texts = Vec::new();
    let mut taken = 0;
    for document in documents.iter().take(DOCUMENTS_MAX) {
        write_document(document, &mut out, &mut texts);
        taken += 1;
        if out.len() >= BODY_MAX_BYTES {
            break;
        }
    }
    (Bytes::from(out), taken)
}

/// One action line and one document. `texts` is scratch space.
fn write_document(document: &PaymentDocument, out: &mut Vec<u8>, texts: &mut Vec<u8>) {
    texts.clear();
    // Writing to a vector cannot fail.
    let _ = write!(
        out,
        r#"{{"index":{{"_id":"{}","version":{},"version_type":"external"}}}}"#,
        document.key, document.version
    );
    let receipt = u8::from(document.is_receipt());
    let _ = write!(out, "\n{{\"{RECEIPT}\":{receipt}");
    let mut sink = JsonSink { out, texts, open: None };
    document.visit(&mut sink);
    sink.close();
    if !texts.is_empty() {
        let _ = write!(out, ",\"{TEXT}\":[");
        out.extend_from_slice(texts);
        out.push(b']');
    }
    out.extend_from_slice(b"}\n");
}

/// Whether a field may have several values, and so is written as an array.
const fn is_list(field: TermField) -> bool {
    matches!(
        field,
        TermField::Refund | TermField::Charge | TermField::Metadata | TermField::Flag | TermField::Has
    )
}

struct JsonSink<'a> {
    out: &'a mut Vec<u8>,
    texts: &'a mut Vec<u8>,
    /// The list being written.
    open: Option<TermField>,
}

impl JsonSink<'_> {
    fn close(&mut self) {
        if self.open.take().is_some() {
            self.out.push(b']');
        }
    }
}

fn write_string(out: &mut Vec<u8>, text: &str) {
    // Neither writing to a vector nor encoding a string can fail.
    let _ = serde_json::to_writer(out, text);
}

impl FieldSink for JsonSink<'_> {
    fn term(&mut self, field: TermField, value: &str) {
        if self.open == Some(field) {
            self.out.push(b',');
        } else {
            self.close();
            let _ = write!(self.out, ",\"{}\":", field.name());
            if is_list(field) {
                self.out.push(b'[');
                self.open = Some(field);
            }
        }
        write_string(self.out, value);
    }

    fn number(&mut self, field: NumberField, value: i64) {
        self.close();
        let _ = write!(self.out, ",\"{}\":{value}", field.name());
    }

    fn words(&mut self, words: &str) {
        if !self.texts.is_empty() {
            self.texts.push(b',');
        }
        write_string(self.texts, words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_documents_that_are_at_fault_are_given_up() {
        let about = |status: u16, kind: &str, reason: &str| {
            let error = BulkError { r#type: kind.to_owned(), reason: reason.to_owned() };
            BulkOutcome { status, error: Some(error) }.is_about_the_document()
        };
        assert!(about(400, "document_parsing_exception", "failed to parse field [amount]"));
        assert!(about(400, "illegal_argument_exception", "Document contains at least one immense term"));
        for (status, kind, reason) in [
            (403, "cluster_block_exception", "blocked by: [FORBIDDEN/8/index write (api)];"),
            (400, "index_closed_exception", "closed"),
            (400, "illegal_argument_exception", "no write index is defined for alias [paystorm-payments]."),
            (403, "security_exception", "action [indices:data/write/bulk] is unauthorized"),
            (500, "illegal_state_exception", "no primary"),
        ] {
            assert!(!about(status, kind, reason), "{kind}");
        }
    }
}
