//! Liveness, readiness and metrics of the process.

use actix_web::{HttpRequest, HttpResponse, web};
use prometheus::{Encoder as _, TextEncoder};
use serde::Serialize;

use super::error::ApiError;
use super::state::WebState;
use super::{demo, security};
use crate::broker::BrokerHealth;
use crate::config::MetricsFor;
use crate::readers::monitor;
use crate::search::SearchHealth;
use crate::store::StoreTrouble;

/// The state of one part of the server.
#[derive(Debug, Serialize)]
struct Part {
    ok: bool,
    /// Names no host and no credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
}

impl Part {
    const fn new(ok: bool, reason: &'static str) -> Self {
        Self { ok, reason: if ok { None } else { Some(reason) } }
    }
}

#[derive(Debug, Serialize)]
struct Ready {
    ready: bool,
    store: Part,
    broker: Part,
    search: Part,
    tasks: Part,
    /// The background tasks that should run but do not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dead_tasks: Vec<&'static str>,
}

/// `GET /healthz`: the process is alive.
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

const fn store_words(trouble: StoreTrouble) -> &'static str {
    match trouble {
        StoreTrouble::Away => "the store does not answer",
        StoreTrouble::Full => "the store's disk is full; no payment can be taken",
        StoreTrouble::Refusing => {
            "the store refuses what it is asked for: it is read-only, or rights or tables are missing; the log says which"
        }
        StoreTrouble::Damaged => "the store's file is damaged or gone; the log says what to do",
    }
}

const fn broker_words(health: &BrokerHealth) -> &'static str {
    match health {
        BrokerHealth::Blocked { .. } => {
            "the broker takes no messages (it is short of memory or disk, or its queue is full); accepted payments wait"
        }
        BrokerHealth::Up | BrokerHealth::Down { .. } => "the broker is away; accepted payments wait",
    }
}

const fn search_words(filling: bool, answers: bool) -> &'static str {
    match (filling, answers) {
        (true, _) => "the search index is being filled from the store; search waits",
        (false, true) => "the search index takes nothing in; search answers without the newest payments",
        (false, false) => "the search index is away; search waits",
    }
}

/// `GET /readyz`: the store answers, its last writes succeeded, and no task of this process has died. An unavailable broker
/// or index only delays payments or search, so it is reported but does not make the process unready.
pub async fn readyz(state: web::Data<WebState>) -> HttpResponse {
    let trouble = monitor::store_trouble(state.store.as_ref()).await;
    let (store, stopping) = (trouble.is_none(), state.shutdown.is_cancelled());
    let filling = state.search.filling().borrow().is_some();
    let (search, answers) = match *state.search.health().borrow() {
        SearchHealth::Up => (!filling, true),
        SearchHealth::Down { answers, .. } => (false, answers),
    };
    let dead_tasks = state.tasks.dead();
    let alive = dead_tasks.is_empty();
    let ready = Ready {
        ready: store && alive && !stopping,
        tasks: Part::new(alive, "a background task failed and does not run; the log says why"),
        dead_tasks,
        store: Part::new(store, store_words(trouble.unwrap_or_default())),
        broker: Part::new(state.broker_is_up(), broker_words(&state.broker.health().borrow())),
        search: Part::new(search, search_words(filling, answers)),
    };
    match ready.ready {
        true => HttpResponse::Ok().json(ready),
        false => HttpResponse::ServiceUnavailable().json(ready),
    }
}

/// `GET /metrics`: all metrics in the Prometheus text format; 404 if they are switched off.
///
/// # Errors
/// 401 or 403 if the settings do not let this caller read them.
pub async fn metrics(state: web::Data<WebState>, request: HttpRequest) -> Result<HttpResponse, ApiError> {
    let Some(registry) = &state.registry else {
        return Ok(HttpResponse::NotFound().finish());
    };
    may_read_metrics(&state, &request)?;
    let mut text = Vec::new();
    match TextEncoder::new().encode(&registry.gather(), &mut text) {
        Ok(()) => Ok(HttpResponse::Ok().content_type(prometheus::TEXT_FORMAT).body(text)),
        Err(error) => {
            tracing::error!(error = %error, "metrics could not be written");
            Ok(HttpResponse::InternalServerError().finish())
        }
    }
}

fn may_read_metrics(state: &WebState, request: &HttpRequest) -> Result<(), ApiError> {
    if state.metrics_for == MetricsFor::Loopback && !demo::is_local(request) {
        return Err(ApiError::forbidden("Metrics are for this machine only."));
    }
    // `blake3::Hash` compares in constant time.
    let sent = || security::secret_of(request.headers()).map(|token| blake3::hash(token.as_bytes()));
    if state.metrics_token.is_some_and(|token| sent() != Some(token)) {
        return Err(ApiError::unauthorized("Send the token of the metrics as Authorization: Bearer …"));
    }
    Ok(())
}
