//! Counts and sums. tantivy understands the aggregations of Elasticsearch, so one request and one reader serve both.

use serde_json::{Map, Value, json};

use super::query::TermField;
use super::request::{Bucket, CurrencyStats, Facets, HistogramSpec, SearchPage, SearchRequest, SearchStats};

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
    if request.stats {
        let amounts = json!({ "amounts": { "stats": { "field": "amount" } } });
        let currencies = json!({ "terms": { "field": "currency", "size": TERMS_MAX }, "aggs": amounts });
        aggregations.insert("stats".to_owned(), currencies);
    }
    aggregations
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
    if request.stats {
        let mut currencies =
            buckets(answer, "stats")?.iter().map(currency_stats).collect::<Option<Vec<_>>>()?;
        currencies.sort_by(|a, b| a.currency.cmp(&b.currency));
        page.stats = Some(SearchStats { currencies });
    }
    Some(())
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
    let bounds = spec.bounds();
    let count_from = |from: i64, until: i64| {
        let at = |bucket: &Value, name: &str| bucket.get(name).and_then(Value::as_f64).map(to_i64);
        let ours = |bucket: &&Value| at(bucket, "from") == Some(from) && at(bucket, "to") == Some(until);
        buckets
            .iter()
            .find(ours)
            .and_then(|bucket| bucket.get("doc_count"))
            .and_then(Value::as_u64)
            .unwrap_or(0)
    };
    bounds
        .into_iter()
        .map(|(from, until)| Bucket {
            from_micros: from,
            until_micros: until,
            count: count_from(from, until),
        })
        .collect()
}

fn currency_stats(bucket: &Value) -> Option<CurrencyStats> {
    let amounts = bucket.get("amounts")?;
    let number = |name: &str| amounts.get(name).and_then(Value::as_f64).map(to_i64);
    Some(CurrencyStats {
        currency: bucket.get("key")?.as_str()?.to_owned(),
        count: bucket.get("doc_count")?.as_u64()?,
        sum_minor: number("sum")?,
        min_minor: number("min")?,
        max_minor: number("max")?,
    })
}

/// Both servers compute in floating point; whole numbers below 2⁵³ come through exactly.
const fn to_i64(value: f64) -> i64 {
    value.round() as i64
}
