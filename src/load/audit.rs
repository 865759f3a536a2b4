//! Asks the server again, over HTTP, for what it acknowledged: a sample, drawn evenly over the run.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use reqwest::{Client, StatusCode};
use serde::Deserialize;

use super::http;
use super::report::Audit;
use super::sample::Record;
use super::shared::Shared;
use super::work::Work;

/// Requests at once.
const REQUESTS_MAX: usize = 32;
/// How long all of it may take; what is not answered by then is counted as such.
const TIME_MAX: Duration = Duration::from_secs(60);
/// What is named in the report.
const EXAMPLES_MAX: usize = 5;

/// A payment or a refund, as the API shows it.
#[derive(Deserialize)]
struct Object {
    amount: u64,
    currency: String,
    status: Option<String>,
}

#[derive(Deserialize)]
struct List {
    data: Vec<Object>,
}

enum Found {
    AsAcknowledged,
    Missing(String),
    Different(String),
    NotAnswered,
}

/// Asks for the whole sample.
pub async fn audit(shared: &Shared, client: &Client) -> Audit {
    let sample = shared.tracker.sample();
    let mut audit = Audit { asked: sample.len() as u64, ..Audit::default() };
    let mut answers =
        stream::iter(sample).map(|record| ask(shared, client, record)).buffer_unordered(REQUESTS_MAX);
    let all = async {
        while let Some(found) = answers.next().await {
            let example = match found {
                Found::AsAcknowledged => {
                    audit.found += 1;
                    continue;
                }
                Found::NotAnswered => continue,
                Found::Missing(example) => {
                    audit.missing += 1;
                    example
                }
                Found::Different(example) => {
                    audit.different += 1;
                    example
                }
            };
            if audit.examples.len() < EXAMPLES_MAX {
                audit.examples.push(example);
            }
        }
    };
    // What was not answered in time is what is left.
    let _ = tokio::time::timeout(TIME_MAX, all).await;
    audit.unanswered = audit.asked.saturating_sub(audit.found + audit.missing + audit.different);
    audit
}

async fn ask(shared: &Shared, client: &Client, record: Record) -> Found {
    let is_refund = matches!(record.pending.work, Work::Refund(_));
    let mut url = shared.target.url.clone();
    if is_refund {
        url.set_path("/v1/refunds");
        url.query_pairs_mut()
            .append_pair("payment_intent", &record.payment.to_string())
            .append_pair("limit", "100");
    } else {
        url.set_path(&record.pending.work.path(record.payment));
    }
    let request = http::prepared(shared, client.get(url), record.pending.account);
    let Ok((status, text)) = http::answer(request).await else { return Found::NotAnswered };
    let name = format!("{} {}", record.pending.work.name(), record.payment);
    let objects = match status {
        StatusCode::OK if is_refund => serde_json::from_str::<List>(&text).map(|list| list.data),
        StatusCode::OK => serde_json::from_str::<Object>(&text).map(|object| vec![object]),
        StatusCode::NOT_FOUND => return Found::Missing(format!("{name} is not there")),
        _ => return Found::NotAnswered,
    };
    match objects {
        Ok(objects) => compare(&name, &record, &objects),
        Err(error) => Found::Different(format!("{name} cannot be read: {error}")),
    }
}

/// A charge's outcome is compared; the dialect has other words for those of other kinds.
fn compare(name: &str, record: &Record, objects: &[Object]) -> Found {
    let (amount, currency) = (record.pending.amount_minor, record.pending.currency.lower());
    let Some(object) = objects.iter().find(|one| (one.amount, &one.currency) == (amount, &currency)) else {
        return match objects.first() {
            Some(other) => Found::Different(format!(
                "{name} is of {} {}, sent was {amount} {currency}",
                other.amount, other.currency
            )),
            None => Found::Missing(format!("{name} is not there")),
        };
    };
    match (record.pending.work, record.outcome, &object.status) {
        (Work::Charge, Some(seen), Some(status)) if status != seen.dialect() => {
            Found::Different(format!("{name} is {status}, it was seen {}", seen.as_str()))
        }
        _ => Found::AsAcknowledged,
    }
}
