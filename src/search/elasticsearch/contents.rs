//! Reads back what documents hold, for `verify`: all fields as the server keeps them, whatever they ought to be.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};

use crate::search::contents::{Contents, TEXT, Value};
use crate::search::document::{DocKey, FieldSink as _};
use crate::search::query::{NumberField, TermField};
use crate::search::{ScannedDocument, SearchError};

use super::mapping::RECEIPT;
use super::{Inner, SCAN_MAX, hits};

/// Documents in a page: with all that they hold, as many as a request that writes some.
const PAGE_MAX: usize = 1_000;

impl Inner {
    /// Documents in the order of their keys. One whose position is not that of its key is left out: it is missing where it
    /// belongs.
    pub(super) async fn scan(
        &self,
        after: Option<DocKey>,
        limit: usize,
    ) -> Result<Vec<ScannedDocument>, SearchError> {
        let mut place =
            after.map(|after| json!([after.payment.with_prefix(""), u8::from(after.receipt_of.is_some())]));
        loop {
            let mut body = json!({
                "size": limit.min(PAGE_MAX).min(SCAN_MAX),
                "version": true,
                "sort": [{ TermField::Payment.name(): "asc" }, { RECEIPT: "asc" }],
            });
            if let (Some(place), Some(body)) = (place.take(), body.as_object_mut()) {
                body.insert("search_after".to_owned(), place);
            }
            let filter_path = "timed_out,_shards.failed,hits.total,hits.hits._id,hits.hits._version,hits.hits._source,hits.hits.sort";
            let answer = self.query(&body, filter_path).await?;
            let mut found = Vec::new();
            for hit in hits(&answer) {
                found.extend(read_scanned(hit)?);
                place = hit.get("sort").cloned();
            }
            if !found.is_empty() || place.is_none() {
                return Ok(found);
            }
        }
    }

    /// The values of the documents under these keys.
    pub(super) async fn values(
        &self,
        keys: &[DocKey],
    ) -> Result<BTreeMap<DocKey, BTreeSet<Value>>, SearchError> {
        let ids: Vec<String> = keys.iter().take(PAGE_MAX).map(DocKey::to_string).collect();
        let body = json!({ "size": ids.len().max(1), "query": { "ids": { "values": ids } } });
        let filter_path = "timed_out,_shards.failed,hits.total,hits.hits._id,hits.hits._source";
        let answer = self.query(&body, filter_path).await?;
        let mut found = BTreeMap::new();
        for hit in hits(&answer) {
            let mut values = BTreeSet::new();
            each_value(hit, |field, value| {
                let plain = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let parts =
                    if field == TEXT { plain.split(' ').map(str::to_owned).collect() } else { vec![plain] };
                values.extend(parts.into_iter().map(|part| (field.to_owned(), part)));
            });
            found.insert(key_of(hit)?, values);
        }
        Ok(found)
    }
}

fn key_of(hit: &Json) -> Result<DocKey, SearchError> {
    let id = hit.get("_id").and_then(Json::as_str).unwrap_or_default();
    let strange = |()| SearchError::Internal(format!("a document is kept under {id:?}, which is no key"));
    id.parse().map_err(strange)
}

/// Calls with each value of each field that queries look at.
fn each_value(hit: &Json, mut each: impl FnMut(&str, &Json)) {
    let terms = TermField::ALL.map(TermField::name);
    let numbers = NumberField::ALL.map(NumberField::name);
    for field in terms.into_iter().chain(numbers).chain([TEXT]) {
        match hit.get("_source").and_then(|source| source.get(field)) {
            None | Some(Json::Null) => {}
            Some(Json::Array(values)) => values.iter().for_each(|value| each(field, value)),
            Some(value) => each(field, value),
        }
    }
}

fn read_scanned(hit: &Json) -> Result<Option<ScannedDocument>, SearchError> {
    let key = key_of(hit)?;
    let receipt = u8::from(key.receipt_of.is_some());
    if hit.get("sort") != Some(&json!([key.payment.with_prefix(""), receipt])) {
        return Ok(None);
    }
    let version = hit.get("_version").and_then(Json::as_u64);
    let version = version.ok_or_else(|| SearchError::Internal("unexpected form of an answer".to_owned()))?;
    let mut contents = Contents::default();
    each_value(hit, |field, value| match (value.as_str(), value.as_i64()) {
        (Some(words), _) if field == TEXT => contents.words(words),
        (Some(text), _) => contents.value(field, text),
        (None, Some(number)) => match NumberField::ALL.into_iter().find(|known| known.name() == field) {
            Some(known) => contents.number(known, number),
            None => contents.value(field, &number.to_string()),
        },
        // Nothing that is written is of any other kind, so this is equal to nothing.
        (None, None) => contents.value(field, &value.to_string()),
    });
    let (fields, words) = contents.sums();
    Ok(Some(ScannedDocument { key, version, fields, words }))
}
