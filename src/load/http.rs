//! The HTTP transport: one POST per piece of work, answered as soon as it is accepted. Settlement is watched over the
//! WebSocket, as with the other transport.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use reqwest::{Client, RequestBuilder, StatusCode};
use serde::Deserialize;

use super::request;
use super::shared::{Shared, Source};
use super::tracker::Seen;
use super::wire::WireError;
use super::work::{Pending, Work};
use crate::domain::ids::PaymentId;
use crate::domain::status::Status;

/// Requests at once per connection; further ones wait their turn, and their latency shows it.
const REQUESTS_MAX: usize = 256;
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const RETRY_PAUSE: Duration = Duration::from_millis(200);

#[derive(Deserialize)]
struct Accepted<'a> {
    #[serde(borrow)]
    id: &'a str,
    #[serde(borrow, default)]
    status: Option<&'a str>,
}

#[derive(Deserialize)]
struct Refused<'a> {
    #[serde(borrow)]
    error: WireError<'a>,
}

/// A client for this run.
///
/// # Errors
/// If it cannot be built.
pub fn client() -> reqwest::Result<Client> {
    Client::builder().no_proxy().timeout(REQUEST_TIMEOUT).tcp_nodelay(true).build()
}

/// Sends until the run is over.
pub async fn send(shared: Arc<Shared>, connection: u64, client: Client) {
    let mut source = Source::new(&shared, connection);
    let mut running = FuturesUnordered::new();
    let mut again = FuturesUnordered::new();
    loop {
        let due = source.take(REQUESTS_MAX.saturating_sub(running.len()));
        shared.tracker.sent(&due, shared.now_us());
        let answers = shared.take_answers(REQUESTS_MAX.saturating_sub(running.len() + due.len()));
        let due = due.into_iter().chain(answers);
        running.extend(due.map(|pending| post(&shared, &client, pending)));
        let asked = shared.take_again(REQUESTS_MAX.saturating_sub(again.len()));
        again.extend(asked.into_iter().map(|(payment, pending)| look(&shared, &client, payment, pending)));
        let full = running.len() >= REQUESTS_MAX;
        tokio::select! {
            () = shared.stop.cancelled() => break,
            Some(()) = running.next(), if !running.is_empty() => {}
            Some(()) = again.next(), if !again.is_empty() => {}
            () = source.changed(), if !full => {}
        }
    }
    let left = source.never_taken();
    shared.tracker.count(|counts| counts.skipped += left);
}

/// The request, with the key and for this account.
pub fn prepared(shared: &Shared, request: RequestBuilder, account: u32) -> RequestBuilder {
    let request = request.bearer_auth(shared.target.key.expose());
    match shared.plan.account_name(account) {
        Some(account) => request.header("Stripe-Account", account),
        None => request,
    }
}

/// One piece of work, sent until it is answered.
async fn post(shared: &Shared, client: &Client, pending: Pending) {
    let (path, body) = request::http_request(&shared.plan, &pending);
    let key = request::key(&shared.plan, &pending);
    let mut url = shared.target.url.clone();
    url.set_path(&path);
    loop {
        let request = prepared(shared, client.post(url.clone()), pending.account)
            .header("Idempotency-Key", &key)
            .header("Prefer", "respond-async")
            .header("Content-Type", "application/json")
            .body(body.clone());
        if let Ok((status, text)) = answer(request).await {
            return answered(shared, &pending, status, &text);
        }
        shared.tracker.count(|counts| counts.resent += 1);
        tokio::time::sleep(RETRY_PAUSE).await;
    }
}

/// Sends a request and reads its answer.
///
/// # Errors
/// If there is none.
pub async fn answer(request: RequestBuilder) -> reqwest::Result<(StatusCode, String)> {
    let response = request.send().await?;
    let status = response.status();
    Ok((status, response.text().await?))
}

fn answered(shared: &Shared, pending: &Pending, status: StatusCode, text: &str) {
    shared.tracker.apply(shared.now_us(), |applying| {
        let accepted = serde_json::from_str::<Accepted<'_>>(text).ok().filter(|_| status.is_success());
        // A refund is acknowledged by its own id, but its payment is followed.
        let payment = match pending.work {
            Work::Refund(charged) => Some(charged.payment),
            Work::Answer { payment, .. } => Some(payment),
            Work::TopUp | Work::Charge | Work::Transfer | Work::Payout => {
                accepted.as_ref().and_then(|accepted| accepted.id.parse().ok())
            }
        };
        match (accepted, payment, pending.work) {
            // What comes of an answer is watched.
            (Some(_), Some(_), Work::Answer { .. }) => {}
            (Some(accepted), Some(payment), _) => {
                applying.acknowledged(pending, payment, accepted.id, None);
            }
            (_, _, work) => {
                let error = serde_json::from_str::<Refused<'_>>(text).map(|refused| refused.error);
                let code = error
                    .as_ref()
                    .map_or_else(|_| format!("http_{}", status.as_u16()), |e| e.code().to_owned());
                let message = error.as_ref().map_or("no reason given", |e| e.message());
                match work {
                    Work::Answer { payment, .. } => {
                        applying.answer_refused(pending, payment, &code, message);
                    }
                    _ => applying.refused(pending, &code, message),
                }
            }
        }
    });
}

/// Asks for the state of a payment that may have settled unseen. The dialect shows fewer states than there are; what it
/// calls `requires_payment_method` counts as declined here.
async fn look(shared: &Shared, client: &Client, payment: PaymentId, pending: Pending) {
    let path = match (pending.work, pending.refund) {
        (Work::Refund(_), Some(refund)) => format!("/v1/refunds/{refund}"),
        // Its payment says nothing about the refund.
        (Work::Refund(_), None) => return,
        (work, _) => work.path(payment),
    };
    let mut url = shared.target.url.clone();
    url.set_path(&path);
    let request = prepared(shared, client.get(url), pending.account);
    let Ok((StatusCode::OK, text)) = answer(request).await else { return };
    let status = serde_json::from_str::<Accepted<'_>>(&text).ok().and_then(|payment| match payment.status {
        Some("requires_payment_method" | "failed") => Some(Status::Declined),
        Some("paid") => Some(Status::Succeeded),
        // Objects without a status of their own exist once they are done.
        Some(status) => Status::parse(status),
        None => Some(Status::Succeeded),
    });
    // A refund that is still `pending` has no status here; one that succeeded or failed has come to rest.
    let status = match (pending.work, status) {
        (Work::Refund(_), Some(_)) => Some(Status::Succeeded),
        (_, status) => status,
    };
    // The version is not shown.
    if let Some(status) = status {
        shared.tracker.apply(shared.now_us(), |applying| applying.row(payment, Seen::bare(status)));
    }
}
