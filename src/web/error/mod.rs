//! The errors that clients see: an HTTP status and the dialect's error object.
//!
//! `mapping` turns each module's errors into these. A cause (a database's message, a path, a host) never reaches a client; it
//! is logged once, here.

mod mapping;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT_ENCODING, ALLOW, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::api::objects::Rendered;
use crate::domain::card_numbers::shown;
use crate::intake::error::SHOWN_CHARS_MAX;

/// The dialect's error types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorType {
    /// The server failed or is unavailable.
    ApiError,
    /// The card or the bank declined, or the card's details are wrong.
    CardError,
    /// The idempotency key was used with other parameters, or is in use.
    IdempotencyError,
    /// The request is wrong.
    InvalidRequestError,
}

/// The methods that a path takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Methods {
    /// `GET`, and with it `HEAD`.
    pub get: bool,
    /// `POST`.
    pub post: bool,
    /// `DELETE`.
    pub delete: bool,
}

impl fmt::Display for Methods {
    /// As `Allow` lists them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [(self.get, "GET, HEAD"), (self.post, "POST"), (self.delete, "DELETE")];
        let names: Vec<&str> = names.into_iter().filter(|(taken, _)| *taken).map(|(_, name)| name).collect();
        f.write_str(&names.join(", "))
    }
}

/// An error as a client sees it. It serializes as the value of `error` in `{"error": …}`.
#[derive(Debug, Clone)]
pub struct ApiError {
    /// Of the HTTP answer.
    pub status: StatusCode,
    /// Shown as `type`.
    pub kind: ErrorType,
    /// The dialect's code; some errors have only a type.
    pub code: Option<&'static str>,
    /// The issuer's reason, for declined cards.
    pub decline_code: Option<&'static str>,
    /// A sentence for people.
    pub message: Cow<'static, str>,
    /// The parameter at fault, if it was one.
    pub param: Option<Cow<'static, str>>,
    /// The object that was declined, with the name of its resource.
    pub object: Option<Arc<(&'static str, Rendered)>>,
    /// The id of the charge that was declined.
    pub charge: Option<Box<str>>,
    /// When to try again, in seconds; `None` if retrying by itself would not help or is not safe.
    pub retry_after_s: Option<u32>,
    /// The methods that the path takes, if the request used another.
    pub allow: Option<Methods>,
    /// Whether the request may have been done all the same; `None` where the error itself implies that it was not.
    pub maybe_done: Option<bool>,
}

/// The header that repeats [`ApiError::maybe_done`], for clients that do not read the body.
pub const MAYBE_DONE: HeaderName = HeaderName::from_static("paystorm-maybe-done");

impl ApiError {
    /// An error with only a type, a code and a message.
    #[must_use]
    pub fn new(
        status: StatusCode,
        kind: ErrorType,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            kind,
            code: Some(code),
            decline_code: None,
            message: message.into(),
            param: None,
            object: None,
            charge: None,
            retry_after_s: None,
            allow: None,
            maybe_done: None,
        }
    }

    /// 400: the request is wrong.
    #[must_use]
    pub fn invalid(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorType::InvalidRequestError, code, message)
    }

    /// 404: there is no such object.
    #[must_use]
    pub fn not_found(resource: &str, id: &str) -> Self {
        let message = format!("No such {resource}: '{}'", shown(id, SHOWN_CHARS_MAX));
        Self::new(StatusCode::NOT_FOUND, ErrorType::InvalidRequestError, "resource_missing", message)
            .with_param("id")
    }

    /// 405: the path takes other methods.
    #[must_use]
    pub fn method_not_allowed(message: impl Into<Cow<'static, str>>) -> Self {
        let (status, kind) = (StatusCode::METHOD_NOT_ALLOWED, ErrorType::InvalidRequestError);
        Self::new(status, kind, "method_not_allowed", message)
    }

    /// 401: no key, or a wrong one.
    #[must_use]
    pub fn unauthorized(message: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, ErrorType::InvalidRequestError, "api_key_invalid", message)
    }

    /// 403: the caller may not do this.
    #[must_use]
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, ErrorType::InvalidRequestError, "permission_denied", message)
    }

    /// 503: a required service is unavailable and nothing was changed; trying again may help.
    #[must_use]
    pub fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        let mut error =
            Self::new(StatusCode::SERVICE_UNAVAILABLE, ErrorType::ApiError, "service_unavailable", message);
        error.retry_after_s = Some(1);
        error.maybe_done = Some(false);
        error
    }

    /// 503: a write was sent and its outcome is unknown. Programs are not asked to retry on their own.
    fn unanswered() -> Self {
        let message = "The store went away before it answered: this may or may not have been done. Look whether it was \
                       before you try again.";
        Self { maybe_done: Some(true), retry_after_s: None, ..Self::unavailable(message) }
    }

    /// The same error, met after something was already done for this caller: a 503 or 429 must then not claim that nothing
    /// was changed.
    #[must_use]
    pub fn after_write(self) -> Self {
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                let message = "This was taken in, all or a part of it, and then the server could not go on. Look what was \
                               done before you try again; with the same idempotency key nothing is done twice.";
                Self { maybe_done: Some(true), message: Cow::Borrowed(message), ..self }
            }
            _ => self,
        }
    }

    /// 500: a defect. The log has the cause.
    #[must_use]
    pub fn internal() -> Self {
        let message = "Something broke on our side. The server's log says what, under this request's id.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorType::ApiError, "internal_error", message)
    }

    /// 500: stored data cannot be used. The log and the System page show what and why.
    fn damaged(cause: &str) -> Self {
        tracing::error!(error = cause, "request failed: stored data is damaged");
        let message = "What is stored about this cannot be read, or the store refused it. Nothing was changed, and trying \
                       again will not help. The server's log says why, and the System page what is set aside.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorType::ApiError, "internal_error", message)
    }

    /// 429: a limit was reached and nothing was changed; try again in a moment.
    #[must_use]
    pub fn busy(message: impl Into<Cow<'static, str>>) -> Self {
        let mut error = Self::new(StatusCode::TOO_MANY_REQUESTS, ErrorType::ApiError, "rate_limit", message);
        error.retry_after_s = Some(1);
        error.maybe_done = Some(false);
        error
    }

    /// Begins the answer: its status, and the headers that show what the client can do instead.
    #[must_use]
    pub fn begin(&self) -> HttpResponseBuilder {
        let mut response = HttpResponse::build(self.status);
        if let Some(seconds) = self.retry_after_s {
            response.insert_header((RETRY_AFTER, seconds.to_string()));
        }
        if let Some(allow) = &self.allow {
            response.insert_header((ALLOW, allow.to_string()));
        }
        if let Some(maybe_done) = self.maybe_done {
            response.insert_header((MAYBE_DONE, if maybe_done { "true" } else { "false" }));
        }
        if self.code == Some("content_encoding_invalid") {
            response.insert_header((ACCEPT_ENCODING, "gzip"));
        }
        response
    }

    /// The same, naming a parameter.
    #[must_use]
    pub fn with_param(mut self, param: impl Into<Cow<'static, str>>) -> Self {
        self.param = Some(param.into());
        self
    }
}

impl Serialize for ApiError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", &self.kind)?;
        self.code.iter().try_for_each(|code| map.serialize_entry("code", code))?;
        self.decline_code.iter().try_for_each(|code| map.serialize_entry("decline_code", code))?;
        map.serialize_entry("message", &self.message)?;
        self.param.iter().try_for_each(|param| map.serialize_entry("param", param))?;
        self.charge.iter().try_for_each(|charge| map.serialize_entry("charge", charge))?;
        self.maybe_done.iter().try_for_each(|maybe| map.serialize_entry("maybe_done", maybe))?;
        self.object.iter().try_for_each(|named| map.serialize_entry(named.0, &named.1))?;
        let method = self.object.as_ref().and_then(|named| named.1.failed_method());
        method.iter().try_for_each(|method| map.serialize_entry("payment_method", method))?;
        map.end()
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'a ApiError,
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = self.begin();
        // The official SDKs check this header before they retry on their own.
        let again = self.retry_after_s.is_some() || self.status == StatusCode::CONFLICT;
        let value = HeaderValue::from_static(if again { "true" } else { "false" });
        response.insert_header((HeaderName::from_static("stripe-should-retry"), value));
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header(("WWW-Authenticate", "Bearer realm=\"Paystorm\""));
        }
        response.json(Body { error: self })
    }
}
