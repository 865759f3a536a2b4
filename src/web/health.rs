//! Whether the process lives, whether it can serve, and its metrics.

use actix_web::{HttpResponse, web};
use prometheus::{Encoder as _, TextEncoder};
use serde::Serialize;

use super::state::WebState;
use crate::search::SearchHealth;

/// The state of one part.
#[derive(Debug, Serialize)]
struct Part {
    ok: bool,
    /// In words that name no host and no credentials.
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
}

/// `GET /healthz`: the process lives.
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

/// `GET /readyz`: the store answers. A broker or an index that is away delays payments or search, and is only told.
pub async fn readyz(state: web::Data<WebState>) -> HttpResponse {
    let ping = tokio::time::timeout(std::time::Duration::from_secs(2), state.store.ping()).await;
    let store = matches!(ping, Ok(Ok(())));
    let stopping = state.shutdown.is_cancelled();
    let search = matches!(*state.search.health().borrow(), SearchHealth::Up);
    let ready = Ready {
        ready: store && !stopping,
        store: Part::new(store, "the store does not answer"),
        broker: Part::new(state.broker_is_up(), "the broker is away; accepted payments wait"),
        search: Part::new(search, "the search index is away; search waits"),
    };
    match ready.ready {
        true => HttpResponse::Ok().json(ready),
        false => HttpResponse::ServiceUnavailable().json(ready),
    }
}

/// `GET /metrics`: everything registered, in the Prometheus text format; 404 if that is switched off.
pub async fn metrics(state: web::Data<WebState>) -> HttpResponse {
    let Some(registry) = &state.registry else {
        return HttpResponse::NotFound().finish();
    };
    let mut text = Vec::new();
    match TextEncoder::new().encode(&registry.gather(), &mut text) {
        Ok(()) => HttpResponse::Ok().content_type(prometheus::TEXT_FORMAT).body(text),
        Err(error) => {
            tracing::error!(error.cause = %error, "metrics could not be written");
            HttpResponse::InternalServerError().finish()
        }
    }
}
