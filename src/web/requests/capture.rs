//! The middleware around `/v1` that offers calls to the log. A call that is not granted costs only a check of a counter.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::{self, Bytes};
use actix_web::{HttpMessage as _, HttpRequest};

use std::time::Instant;

use super::{Body, Call};
use crate::domain::ids::RequestId;
use crate::web::edge;
use crate::web::security::ApiCaller;
use crate::web::state::WebState;

/// Marks a request whose body is to be logged; filled where the body is read.
#[derive(Debug, Default)]
struct Captured(Option<(String, Body)>);

/// Keeps the body of a request that is to be logged. Cheap for all others.
pub fn note_body(request: &HttpRequest, media_type: &str, body: &Bytes) {
    if let Some(captured) = request.extensions_mut().get_mut::<Captured>() {
        captured.0 = Some((media_type.to_owned(), Body::of(body)));
    }
}

/// Wraps `/v1` (`from_fn(record)`).
///
/// # Errors
/// What the handler failed with.
pub async fn record(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let log = request.app_data::<web::Data<WebState>>().and_then(|state| state.requests.clone());
    let Some(log) = log else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let (began, at) = (Instant::now(), log.wall.now());
    let granted = log.grant(at);
    if granted {
        request.extensions_mut().insert(Captured::default());
    }
    // Nothing may hold the request during the call: the router writes into it.
    let response = next.call(request).await?;
    let caller = response.request().extensions().get::<ApiCaller>().copied();
    match caller {
        // No valid key, so the call is nobody's.
        None => return Ok(response.map_into_boxed_body()),
        Some(caller) if !granted => {
            log.miss(caller.key_account, at);
            return Ok(response.map_into_boxed_body());
        }
        Some(_) => {}
    }
    let (request, response) = response.into_parts();
    let (response, body) = response.into_parts();
    let (body, answered) = match body.try_into_bytes() {
        Ok(bytes) => {
            let kept = Body::of(&bytes);
            (BoxBody::new(bytes), Some(kept))
        }
        Err(body) => (BoxBody::new(body), None),
    };
    let id = request.extensions().get::<RequestId>().copied();
    if let Some((caller, id)) = caller.zip(id) {
        let sent = request.extensions_mut().remove::<Captured>().and_then(|captured| captured.0);
        log.offer(Call {
            id,
            account: caller.key_account,
            key: caller.key,
            at,
            method: edge::method(&request).to_string(),
            path: request.path().to_owned(),
            query: request.query_string().to_owned(),
            status: response.status().as_u16(),
            latency_us: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
            request: sent,
            response: answered,
        });
    }
    Ok(ServiceResponse::new(request, response.set_body(body)))
}
