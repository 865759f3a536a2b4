//! Aggregations: counts and sums. tantivy understands the aggregations of Elasticsearch, so one request and one reader serve both.

use serde_json::{Map, Value, json};

use super::query::{NumberField, TermField};
use super::request::{
    Bucket, CurrencySums, Facets, HistogramSpec, SearchPage, SearchRequest, SearchSeries, SeriesPoint, Took,
};

const FACETS: [TermField; 5] =
    [TermField::Status, TermField::Kind, TermField::Currency, TermField::CardBrand, TermField::DeclineCode];
/// More than there are values of any of them, so that counts are exact.
const TERMS_MAX: u32 = 300;

/// The `aggs` of a request; empty if nothing is to be counted.
pub(super) fn request(request: &SearchRequest) -> Map<String, Value> {
    let mut aggregations = Map::new();
    if request.facets {
        for field in FACETS {
            aggregations.insert(
                field.name().to_owned(),
                json!({ "terms": { "field": field.name(), "size": TERMS_MAX } }),
            );
        }
    }
    if let Some(spec) = &request.histogram {
        let ranges: Vec<Value> =
            spec.bounds().iter().map(|(from, to)| json!({ "from": from, "to": to })).collect();
        aggregations
            .insert("histogram".to_owned(), json!({ "range": { "field": "created", "ranges": ranges } }));
    }
    if request.sums {
        aggregations.insert("sums".to_owned(), sums_request());
    }
    if let Some(spec) = &request.series {
        let ranges: Vec<Value> =
            spec.bounds().iter().map(|(from, to)| json!({ "from": from, "to": to })).collect();
        let of_each = json!({
            "status": { "terms": { "field": "status", "size": TERMS_MAX } },
            "sums": sums_request(),
            "took": took_request(),
        });
        let series = json!({ "range": { "field": "created", "ranges": ranges }, "aggs": of_each });
        aggregations.insert("series".to_owned(), series);
        aggregations.insert("took".to_owned(), took_request());
    }
    aggregations
}

/// Sums of each currency; of what was received also how many values there are.
fn sums_request() -> Value {
    let sum = |field: NumberField| json!({ "sum": { "field": field.name() } });
    json!({
        "terms": { "field": TermField::Currency.name(), "size": TERMS_MAX },
        "aggs": {
            "amount": sum(NumberField::Amount),
            "received": { "stats": { "field": NumberField::Received.name() } },
            "refunded": sum(NumberField::Refunded),
            "in_transit": sum(NumberField::InTransit),
        },
    })
}

fn took_request() -> Value {
    json!({ "percentiles": { "field": "took", "percents": [50.0, 95.0] } })
}

/// Fills a page from the answer's `aggregations`. `None` if the answer does not have the form it must have.
pub(super) fn read(request: &SearchRequest, answer: &Value, page: &mut SearchPage) -> Option<()> {
    if request.facets {
        let [status, kind, currency, card_brand, decline_code] =
            FACETS.map(|field| counts(answer, field.name()));
        page.facets = Some(Facets {
            status: status?,
            kind: kind?,
            currency: currency?,
            card_brand: card_brand?,
            decline_code: decline_code?,
        });
    }
    if let Some(spec) = &request.histogram {
        page.histogram = Some(histogram(spec, buckets(answer, "histogram")?));
    }
    if request.sums {
        page.sums = Some(sums(answer)?);
    }
    if let Some(spec) = &request.series {
        let buckets = buckets(answer, "series")?;
        let points = spec.bounds().into_iter().map(|bounds| point(bounds, of_bounds(buckets, bounds)));
        page.series = Some(SearchSeries {
            points: points.collect::<Option<Vec<_>>>()?,
            took: took(answer.get("took")?),
        });
    }
    Some(())
}

fn point((from_micros, until_micros): (i64, i64), bucket: Option<&Value>) -> Option<SeriesPoint> {
    let empty = SeriesPoint { from_micros, until_micros, ..SeriesPoint::default() };
    let Some(bucket) = bucket else { return Some(empty) };
    let count = bucket.get("doc_count")?.as_u64()?;
    if count == 0 {
        return Some(empty);
    }
    let (statuses, currencies) = (counts(bucket, "status")?, sums(bucket)?);
    Some(SeriesPoint { count, statuses, currencies, took: took(bucket.get("took")?), ..empty })
}

/// Without a value there is no percentile: null, or not a number.
fn took(answer: &Value) -> Took {
    let at = |name: &str| {
        let us = answer.get("values")?.get(name)?.as_f64().filter(|us| us.is_finite())?;
        u64::try_from(to_i64(us)).ok()
    };
    Took { p50_us: at("50.0"), p95_us: at("95.0") }
}

fn buckets<'a>(answer: &'a Value, name: &str) -> Option<&'a Vec<Value>> {
    answer.get(name)?.get("buckets")?.as_array()
}

fn counts(answer: &Value, name: &str) -> Option<Vec<(String, u64)>> {
    let read =
        |bucket: &Value| Some((bucket.get("key")?.as_str()?.to_owned(), bucket.get("doc_count")?.as_u64()?));
    let mut counts = buckets(answer, name)?.iter().map(read).collect::<Option<Vec<_>>>()?;
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    Some(counts)
}

/// tantivy adds open ranges at both ends and may leave out empty ones; ours are picked by where they start.
fn histogram(spec: &HistogramSpec, buckets: &[Value]) -> Vec<Bucket> {
    let count_from = |from: i64, until: i64| {
        let bucket = of_bounds(buckets, (from, until));
        bucket.and_then(|bucket| bucket.get("doc_count")).and_then(Value::as_u64).unwrap_or(0)
    };
    spec.bounds()
        .into_iter()
        .map(|(from, until)| Bucket {
            from_micros: from,
            until_micros: until,
            count: count_from(from, until),
        })
        .collect()
}

fn of_bounds(buckets: &[Value], (from, until): (i64, i64)) -> Option<&Value> {
    let at = |bucket: &Value, name: &str| bucket.get(name).and_then(Value::as_f64).map(to_i64);
    buckets.iter().find(|bucket| at(bucket, "from") == Some(from) && at(bucket, "to") == Some(until))
}

fn sums(answer: &Value) -> Option<Vec<CurrencySums>> {
    // Where no document has the field, there is no sum.
    let minor = |bucket: &Value, at: &str| bucket.pointer(at).and_then(Value::as_f64).map_or(0, to_i64);
    let read = |bucket: &Value| {
        Some(CurrencySums {
            currency: bucket.get("key")?.as_str()?.to_owned(),
            count: bucket.get("doc_count")?.as_u64()?,
            amount_minor: minor(bucket, "/amount/value"),
            received: bucket.pointer("/received/count")?.as_u64()?,
            received_minor: minor(bucket, "/received/sum"),
            refunded_minor: minor(bucket, "/refunded/value"),
            in_transit_minor: minor(bucket, "/in_transit/value"),
        })
    };
    let mut sums = buckets(answer, "sums")?.iter().map(read).collect::<Option<Vec<_>>>()?;
    sums.sort_by(|a, b| a.currency.cmp(&b.currency));
    Some(sums)
}

/// Both servers compute in floating point; whole numbers below 2⁵³ come through exactly.
const fn to_i64(value: f64) -> i64 {
    value.round() as i64
}
