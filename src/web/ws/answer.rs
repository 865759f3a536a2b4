//! Builds the frames that the server sends.

use serde::Serialize;

use super::message::ClientId;
use crate::domain::payment::Payment;
use crate::domain::time::Timestamp;
use crate::engine::Done;
use crate::readers::live::{Row, Viewer};
use crate::readers::system::SystemState;
use crate::web::banners::{Banner, banners};
use crate::web::error::ApiError;
use crate::web::state::WebState;

/// One result of a batch.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum OneResult<'a> {
    Payment(Box<Row<'a>>),
    Error(&'a ApiError),
}

#[derive(Serialize)]
struct Ack<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: Option<&'a ClientId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<Row<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replayed: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription: Option<u64>,
}

impl<'a> Ack<'a> {
    const fn new(id: Option<&'a ClientId>) -> Self {
        Self { kind: "ack", id, payment: None, replayed: None, subscription: None }
    }
}

fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn row<'a>(state: &WebState, payment: &'a Payment) -> Row<'a> {
    Row::of(payment, state.accounts.directory(), Viewer::Owner)
}

/// The answer to one command.
pub fn ack(state: &WebState, id: Option<&ClientId>, result: &Result<Done, ApiError>) -> String {
    match result {
        Ok(done) => text(&Ack {
            payment: Some(row(state, &done.payment)),
            replayed: Some(done.replayed),
            ..Ack::new(id)
        }),
        Err(refused) => error(id, refused),
    }
}

/// One result of a batch, as it appears in the answer.
pub fn one_result(state: &WebState, result: &Result<Done, ApiError>) -> String {
    text(&match result {
        Ok(done) => OneResult::Payment(Box::new(row(state, &done.payment))),
        Err(error) => OneResult::Error(error),
    })
}

/// The answer to a batch: one result per payment, in order.
pub fn ack_batch(id: Option<&ClientId>, results: &[String]) -> String {
    let mut ack = text(&Ack::new(id));
    // The results are already JSON.
    ack.truncate(ack.trim_end_matches('}').len());
    ack.push_str(r#","results":["#);
    ack.push_str(&results.join(","));
    ack.push_str("]}");
    ack
}

/// The answer to `subscribe` and `unsubscribe`.
pub fn ack_subscription(id: Option<&ClientId>, subscription: u64) -> String {
    text(&Ack { subscription: Some(subscription), ..Ack::new(id) })
}

#[derive(Serialize)]
struct ErrorFrame<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: Option<&'a ClientId>,
    error: &'a ApiError,
}

/// The answer to a message that failed.
pub fn error(id: Option<&ClientId>, error: &ApiError) -> String {
    text(&ErrorFrame { kind: "error", id, error })
}

#[derive(Serialize)]
struct Pong<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    id: Option<&'a ClientId>,
}

/// The answer to `ping`.
pub fn pong(id: Option<&ClientId>) -> String {
    text(&Pong { kind: "pong", id })
}

/// Notifies a subscriber that calls were added to the log.
pub fn requests(subscription: u64) -> String {
    format!(r#"{{"type":"requests","subscription":{subscription}}}"#)
}

#[derive(Serialize)]
struct SystemFrame {
    #[serde(rename = "type")]
    kind: &'static str,
    subscription: u64,
    paused: bool,
    paused_since_ms: Option<i64>,
    store: bool,
    broker: bool,
    search: bool,
    /// The same state in words, as every page shows it.
    banners: Vec<Banner>,
}

/// Notifies a subscriber of the state of the server's parts.
pub fn system(subscription: u64, state: &SystemState) -> String {
    text(&SystemFrame {
        kind: "system",
        subscription,
        paused: state.paused_since.is_some(),
        paused_since_ms: state.paused_since.map(Timestamp::millis),
        store: state.store,
        broker: state.broker,
        search: state.search,
        banners: banners(state),
    })
}
