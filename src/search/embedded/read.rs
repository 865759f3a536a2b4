//! Reads from a generation: hits, counts, and what changed last. Blocking; called off the runtime.

use serde_json::Value;
use tantivy::aggregation::{AggContextParams, AggregationCollector, AggregationLimitsGuard};
use tantivy::collector::TopDocs;
use tantivy::query::AllQuery;
use tantivy::tokenizer::TokenizerManager;
use tantivy::{Order, Searcher};

use crate::domain::ids::PaymentId;
use crate::search::query::NumberField;
use crate::search::request::{Cursor, Hit, SearchPage, SearchRequest, Total};
use crate::search::{SearchError, aggregations};

use super::compile;
use super::generation::Live;
use super::schema::{ID_HIGH, ID_LOW, VERSION, join_id};
use super::top::TopHits;
use super::writer::internal;

/// What counting may hold in memory.
const AGGREGATION_BYTES_MAX: u64 = 64 << 20;

pub(super) fn search(
    live: &Live,
    searcher: &Searcher,
    request: &SearchRequest,
) -> Result<SearchPage, SearchError> {
    let query = compile::compile(&request.query.filter().scoped_to(request.owner), &live.fields);
    // One more than asked for shows whether there is a next page.
    let top = TopHits::new(request.sort, request.cursor.as_ref(), request.limit.saturating_add(1));
    let aggregations = aggregations::request(request);
    let collector = if aggregations.is_empty() {
        None
    } else {
        let parsed = serde_json::from_value(Value::Object(aggregations));
        let parsed = parsed.map_err(|error| SearchError::Internal(error.to_string()))?;
        let limits = AggregationLimitsGuard::new(Some(AGGREGATION_BYTES_MAX), None);
        Some(AggregationCollector::from_aggs(
            parsed,
            AggContextParams::new(limits, TokenizerManager::default()),
        ))
    };
    let (found, counted) = searcher.search(&query, &(top, collector)).map_err(internal)?;
    let more = found.ranked.len() > request.limit;
    let kept = found.ranked.get(..request.limit).unwrap_or(&found.ranked);
    let id = |bits: u128| PaymentId::from_bytes(bits.to_be_bytes());
    let mut page = SearchPage {
        hits: kept.iter().map(|hit| Hit { payment: id(top.place(hit).1), version: hit.version }).collect(),
        total: Total { value: found.count, exact: true },
        next_cursor: kept.last().filter(|_| more).map(|last| {
            let (value, bits) = top.place(last);
            Cursor { sort: request.sort, value, payment: id(bits) }
        }),
        ..SearchPage::default()
    };
    if let Some(counted) = counted {
        let answer =
            serde_json::to_value(counted).map_err(|error| SearchError::Internal(error.to_string()))?;
        let read = aggregations::read(request, &answer, &mut page);
        read.ok_or_else(|| SearchError::Internal("unexpected form of aggregations".to_owned()))?;
    }
    Ok(page)
}

/// The payments that changed last, with their versions.
pub(super) fn newest(searcher: &Searcher, limit: usize) -> tantivy::Result<Vec<(PaymentId, u64)>> {
    let top = TopDocs::with_limit(limit.max(1));
    let top = top.order_by_fast_field::<i64>(NumberField::Updated.name(), Order::Desc);
    let mut newest = Vec::new();
    for (_, address) in searcher.search(&AllQuery, &top)? {
        let columns = searcher.segment_reader(address.segment_ord).fast_fields();
        let value = |name: &str| -> tantivy::Result<u64> {
            Ok(columns.u64(name)?.first(address.doc_id).unwrap_or(0))
        };
        let bits = join_id(value(ID_HIGH)?, value(ID_LOW)?);
        newest.push((PaymentId::from_bytes(bits.to_be_bytes()), value(VERSION)?));
    }
    Ok(newest)
}
