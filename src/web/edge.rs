//! The middleware around every request: its id, limits on its body, `HEAD`, refusal of addresses that are not UTF-8, and the
//! headers on every answer.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{HttpMessage as _, HttpRequest, web};
use percent_encoding::percent_decode_str;

use super::arriving::{self, Handle};
use super::connection::{Ours, Turns};
use super::error::ApiError;
use super::pages::error_page::PageError;
use super::state::WebState;
use crate::domain::card_numbers::shown;
use crate::domain::ids::RequestId;

const POLICY: &str =
    "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'";

const METHOD_CHARS_MAX: usize = 20;

/// Marks a request that was sent as `HEAD`.
struct OnlyHead;

/// Whether the request was sent as `HEAD`. Its method has been changed to `GET` by then.
#[must_use]
pub fn only_head(request: &HttpRequest) -> bool {
    request.extensions().get::<OnlyHead>().is_some()
}

/// The method as it was sent.
#[must_use]
pub fn method(request: &HttpRequest) -> Method {
    if only_head(request) { Method::HEAD } else { request.method().clone() }
}

/// The method as it may be shown, since clients can make up any method.
#[must_use]
pub fn method_shown(request: &HttpRequest) -> String {
    shown(method(request).as_str(), METHOD_CHARS_MAX)
}

/// An error in the format of its path: an API object or a page.
#[must_use]
pub fn shaped(path: &str, error: ApiError) -> actix_web::Error {
    if is_api(path) || path == "/ws" { error.into() } else { PageError(error).into() }
}

fn is_api(path: &str) -> bool {
    path == "/v1" || path.starts_with("/v1/")
}

/// Wraps every request (`from_fn(edge)`).
///
/// # Errors
/// What the handler failed with.
pub async fn edge(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    // The time limit for the connection's next request starts only after this answer has been sent.
    let turn = request.conn_data::<Turns>().map(Turns::begin);
    // HEAD is GET without its body (RFC 9110, 9.3.2); the server sends the head of the answer alone.
    let only_head = *request.method() == Method::HEAD;
    if only_head {
        request.head_mut().method = Method::GET;
        request.extensions_mut().insert(OnlyHead);
    }
    let state = request.app_data::<web::Data<WebState>>().cloned();
    let id = RequestId::generate();
    request.extensions_mut().insert(id);
    let is_api = is_api(request.path());
    let patience = state.as_ref().and_then(|state| patience(state, request.path()));
    let body = arriving::watch(&mut request, patience);
    // Handlers' errors are already answers here. Nothing may hold the request during the call: the router writes into it.
    let mut response = match readable(&request) {
        Ok(()) => next.call(request).await?.map_into_boxed_body(),
        Err(error) => {
            let error = shaped(request.path(), error);
            request.error_response(error)
        }
    };
    if let Some(state) = &state {
        let class = match response.status().as_u16() {
            100..=199 => "1xx",
            200..=299 => "2xx",
            300..=399 => "3xx",
            400..=499 => "4xx",
            _ => "5xx",
        };
        state.metrics.requests.with_label_values(&[class]).inc();
    }
    let tls = state.is_some_and(|state| state.settings.secure_cookies);
    write_headers(response.headers_mut(), &id.to_string(), is_api, tls);
    Ok(response.map_body(|_, answer| {
        // Otherwise an export would be generated to its end for nobody.
        let unread = only_head && answer.size() == BodySize::Stream;
        let answer = if unread { BoxBody::new(actix_web::body::None::new()) } else { answer };
        BoxBody::new(Answer { body: answer, _body: body, _turn: turn })
    }))
}

/// An answer's body, and the guards that are held until its end.
struct Answer {
    body: BoxBody,
    _body: Option<Handle>,
    _turn: Option<Ours>,
}

impl MessageBody for Answer {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.body.as_pin_mut().poll_next(cx)
    }
}

/// How long the body may keep us waiting. `None` for WebSockets, whose stream has no end; silence closes them.
fn patience(state: &WebState, path: &str) -> Option<Duration> {
    (path != "/ws").then(|| Duration::from_millis(state.settings.body_wait_ms))
}

/// Refuses an address that is not UTF-8 once decoded: with replacement characters, two addresses would become one.
fn readable(request: &ServiceRequest) -> Result<(), ApiError> {
    let uri = request.uri();
    for (part, text) in [("path", uri.path()), ("query", uri.query().unwrap_or_default())] {
        if !is_text(text) {
            let message = format!("The address's {part} is not UTF-8 text once it is decoded.");
            return Err(ApiError::invalid("url_invalid", message));
        }
    }
    Ok(())
}

/// Whether percent-encoded text (a path, a query, a form) is UTF-8 once decoded.
#[must_use]
pub fn is_text(encoded: &str) -> bool {
    !encoded.contains('%') || percent_decode_str(encoded).decode_utf8().is_ok()
}

fn write_headers(headers: &mut HeaderMap, id: &str, is_api: bool, tls: bool) {
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(HeaderName::from_static("request-id"), id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    );
    if tls {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    if !headers.contains_key(header::CONTENT_SECURITY_POLICY) {
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    }
    if is_api && !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}
