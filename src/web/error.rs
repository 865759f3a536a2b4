//! One mapping of everything that can go wrong to an answer: HTTP status and the dialect's error object.
//!
//! A cause (a database's words, a path, a host) never reaches a client; it is logged once, here.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT_ENCODING, ALLOW, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::api::objects::Rendered;
use crate::accounts::AccountError;
use crate::domain::card::CardError;
use crate::domain::card_numbers::{masked, shown};
use crate::domain::rejection::{Rejection, RejectionKind};
use crate::engine::EngineError;
use crate::search::{QueryError, SearchError};
use crate::store::StoreError;

/// So many characters of what was sent are repeated in a message.
pub const SHOWN_CHARS_MAX: usize = 64;
/// The longest name of a parameter: a name of metadata has 40.
const PARAM_CHARS_MAX: usize = 128;

/// The name of a parameter as errors name it: it may be anything that was sent.
#[must_use]
pub fn param_shown(param: &str) -> String {
    shown(param, PARAM_CHARS_MAX)
}

/// Untrusted input that could not be read. Knows nothing of HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputError {
    /// The parameter at fault, where there is one.
    pub param: Option<Cow<'static, str>>,
    /// The dialect's code.
    pub code: &'static str,
    /// A sentence about what was wrong.
    pub message: Cow<'static, str>,
    /// Whether it is about a card, which the dialect answers with 402.
    pub card: bool,
}

impl InputError {
    /// A parameter that is wrong.
    #[must_use]
    pub fn new(param: impl AsRef<str>, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            param: Some(Cow::Owned(param_shown(param.as_ref()))),
            code,
            message: message.into(),
            card: false,
        }
    }

    /// Card details that are wrong. `path` is where the card stands.
    #[must_use]
    pub fn card(path: &str, error: CardError) -> Self {
        let code = error.code();
        let message = error.to_string();
        match error {
            CardError::UnknownToken => Self::new(path, code, message),
            CardError::IncorrectNumber
            | CardError::NotATestCard
            | CardError::InvalidExpiryMonth
            | CardError::InvalidExpiryYear
            | CardError::InvalidCvc => {
                Self { card: true, ..Self::new(format!("{path}[{}]", error.field()), code, message) }
            }
        }
    }

    /// A parameter that is missing.
    #[must_use]
    pub fn missing(param: &str) -> Self {
        Self::new(param, "parameter_missing", format!("Missing required param: {param}."))
    }

    /// A body that is wrong as a whole.
    #[must_use]
    pub fn body(message: impl Into<Cow<'static, str>>) -> Self {
        Self { param: None, code: "body_invalid", message: message.into(), card: false }
    }

    /// A body that is not JSON. Only the place is told: the text around it may hold a card number.
    #[must_use]
    pub fn json(error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        Self::body(match error.classify() {
            serde_json::error::Category::Data => format!(
                "Invalid request body at line {line} column {column}: an object with plain parameters was expected."
            ),
            serde_json::error::Category::Syntax
            | serde_json::error::Category::Eof
            | serde_json::error::Category::Io => {
                format!("Invalid JSON at line {line} column {column}.")
            }
        })
    }
}

/// The dialect's error types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorType {
    /// Something broke here.
    ApiError,
    /// The card or bank said no.
    CardError,
    /// The idempotency key.
    IdempotencyError,
    /// The request.
    InvalidRequestError,
}

/// Methods that a path takes.
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

/// An error as a client sees it. Its `Serialize` form is the inside of `{"error": …}`.
#[derive(Debug, Clone)]
pub struct ApiError {
    /// The HTTP status.
    pub status: StatusCode,
    /// The dialect's type.
    pub kind: ErrorType,
    /// The dialect's code.
    pub code: Option<&'static str>,
    /// The issuer's reason.
    pub decline_code: Option<&'static str>,
    /// A sentence for people.
    pub message: Cow<'static, str>,
    /// The parameter at fault.
    pub param: Option<Cow<'static, str>>,
    /// The object that was declined, under its name.
    pub object: Option<Arc<(&'static str, Rendered)>>,
    /// The charge that was declined.
    pub charge: Option<Box<str>>,
    /// Seconds after which to try again.
    pub retry_after_s: Option<u32>,
    /// The methods that the path takes, where it was another.
    pub allow: Option<Methods>,
    /// Whether what was asked for may have been done all the same; `None` where the error itself says that it was not.
    pub maybe_done: Option<bool>,
}

/// The header that repeats [`ApiError::maybe_done`], for those who do not look into the body.
pub const MAYBE_DONE: HeaderName = HeaderName::from_static("paystorm-maybe-done");

impl ApiError {
    /// An error with nothing but type, code and message.
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

    /// A wrong request.
    #[must_use]
    pub fn invalid(code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorType::InvalidRequestError, code, message)
    }

    /// No such thing.
    #[must_use]
    pub fn not_found(resource: &str, id: &str) -> Self {
        let message = format!("No such {resource}: '{}'", shown(id, SHOWN_CHARS_MAX));
        Self::new(StatusCode::NOT_FOUND, ErrorType::InvalidRequestError, "resource_missing", message)
            .with_param("id")
    }

    /// Something else can be done there.
    #[must_use]
    pub fn method_not_allowed(message: impl Into<Cow<'static, str>>) -> Self {
        let (status, kind) = (StatusCode::METHOD_NOT_ALLOWED, ErrorType::InvalidRequestError);
        Self::new(status, kind, "method_not_allowed", message)
    }

    /// No or a wrong key.
    #[must_use]
    pub fn unauthorized(message: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, ErrorType::InvalidRequestError, "api_key_invalid", message)
    }

    /// Not allowed.
    #[must_use]
    pub fn forbidden(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, ErrorType::InvalidRequestError, "permission_denied", message)
    }

    /// Something needed is away and nothing was changed; trying again may help.
    #[must_use]
    pub fn unavailable(message: impl Into<Cow<'static, str>>) -> Self {
        let mut error =
            Self::new(StatusCode::SERVICE_UNAVAILABLE, ErrorType::ApiError, "service_unavailable", message);
        error.retry_after_s = Some(1);
        error.maybe_done = Some(false);
        error
    }

    /// The same, where a write was sent and its outcome is not known. Programs are not asked to send it again by themselves.
    fn unanswered() -> Self {
        let message = "The store went away before it answered: this may or may not have been done. Look whether it was \
                       before you try again.";
        Self { maybe_done: Some(true), retry_after_s: None, ..Self::unavailable(message) }
    }

    /// The same, met after something was done for this caller already: no 503 or 429 may say then that nothing was.
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

    /// Something broke; the log knows what.
    #[must_use]
    pub fn internal() -> Self {
        let message = "Something broke on our side. The server's log says what, under this request's id.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorType::ApiError, "internal_error", message)
    }

    /// What is stored cannot be worked with; the log and the System page know what and why.
    fn damaged(cause: &str) -> Self {
        tracing::error!(error.cause = cause, "request failed: stored data is damaged");
        let message = "What is stored about this cannot be read, or the store refused it. Nothing was changed, and trying \
                       again will not help. The server's log says why, and the System page what is set aside.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorType::ApiError, "internal_error", message)
    }

    /// Bounds reached: try again in a moment.
    #[must_use]
    pub fn busy(message: impl Into<Cow<'static, str>>) -> Self {
        let mut error = Self::new(StatusCode::TOO_MANY_REQUESTS, ErrorType::ApiError, "rate_limit", message);
        error.retry_after_s = Some(1);
        error.maybe_done = Some(false);
        error
    }

    /// Begins the answer: its status, and what its headers say of what could be done instead.
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
        // What the official SDKs look at before they try again by themselves.
        let again = self.retry_after_s.is_some() || self.status == StatusCode::CONFLICT;
        let value = HeaderValue::from_static(if again { "true" } else { "false" });
        response.insert_header((HeaderName::from_static("stripe-should-retry"), value));
        if self.status == StatusCode::UNAUTHORIZED {
            response.insert_header(("WWW-Authenticate", "Bearer realm=\"Paystorm\""));
        }
        response.json(Body { error: self })
    }
}

impl From<InputError> for ApiError {
    fn from(error: InputError) -> Self {
        let (status, kind) = match error.card {
            true => (StatusCode::PAYMENT_REQUIRED, ErrorType::CardError),
            false => (StatusCode::BAD_REQUEST, ErrorType::InvalidRequestError),
        };
        // The dialect's reason for a number that is not one of its test cards.
        let decline_code = (error.card && error.code == "card_declined").then_some("test_mode_live_card");
        Self { param: error.param, decline_code, ..Self::new(status, kind, error.code, error.message) }
    }
}

impl From<Rejection> for ApiError {
    fn from(rejection: Rejection) -> Self {
        let (status, kind) = match rejection.kind {
            RejectionKind::Invalid | RejectionKind::State | RejectionKind::Funds => {
                (StatusCode::BAD_REQUEST, ErrorType::InvalidRequestError)
            }
            RejectionKind::NotFound => (StatusCode::NOT_FOUND, ErrorType::InvalidRequestError),
            RejectionKind::Idempotency => (StatusCode::BAD_REQUEST, ErrorType::IdempotencyError),
            RejectionKind::Conflict => (StatusCode::CONFLICT, ErrorType::InvalidRequestError),
            RejectionKind::Locked => (StatusCode::TOO_MANY_REQUESTS, ErrorType::InvalidRequestError),
        };
        // A key used with other parameters has no code in the dialect: its type says it.
        let code = (rejection.kind != RejectionKind::Idempotency).then_some(rejection.code);
        Self {
            param: rejection.param.map(Cow::Owned),
            code,
            retry_after_s: (rejection.kind == RejectionKind::Locked).then_some(1),
            ..Self::new(status, kind, rejection.code, rejection.message)
        }
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Refused(rejection) => rejection.into(),
            EngineError::Busy => {
                Self::busy("Too many payments at once. Try again in a moment; nothing was changed.")
            }
            EngineError::Unavailable { maybe_done: false } => {
                Self::unavailable("The store is not available. Nothing was changed; try again in a moment.")
            }
            EngineError::Unavailable { maybe_done: true } => {
                let message = "The store went away before it answered: this may or may not have been done. Try again with \
                               the same idempotency key.";
                Self { maybe_done: Some(true), ..Self::unavailable(message) }
            }
            EngineError::Damaged(cause) => Self::damaged(&cause),
            EngineError::Stopping => {
                Self::unavailable("The server is stopping. Nothing was changed; try again in a moment.")
            }
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            // The store's adapter logs that it is away; here it would be said for each request.
            StoreError::Unavailable(cause) => {
                tracing::debug!(error.cause = cause, "request failed: store not available");
                Self::unavailable("The store is not available. Nothing was changed; try again in a moment.")
            }
            StoreError::CommitUnknown { cause, .. } | StoreError::Unanswered(cause) => {
                tracing::debug!(error.cause = cause, "request failed: the store did not answer");
                Self::unanswered()
            }
            StoreError::Damaged(cause) => Self::damaged(&cause),
            StoreError::Refused(cause) | StoreError::OtherForm(cause) => {
                tracing::error!(error.cause = cause, "request failed: store refused");
                Self::internal()
            }
        }
    }
}

impl From<SearchError> for ApiError {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::BadRequest(message) => {
                Self::invalid("parameter_invalid_string", message).with_param("page")
            }
            SearchError::Rejected(_) | SearchError::Internal(_) => {
                // The index's adapter logs that it fails. It may quote what was looked for.
                tracing::debug!(error.cause = %masked(&error.to_string()), "search failed");
                Self::internal()
            }
            SearchError::Filling(filling) => Self::unavailable(format!(
                "Search is being filled from the store: {filling}. Payments are not affected."
            )),
            SearchError::Backpressure
            | SearchError::Unavailable(_)
            | SearchError::Busy
            | SearchError::Closed => {
                tracing::debug!(error.cause = %masked(&error.to_string()), "search not available");
                Self::unavailable("Search is not available right now. Payments are not affected.")
            }
        }
    }
}

impl From<QueryError> for ApiError {
    fn from(error: QueryError) -> Self {
        Self::invalid("search_query_invalid", error.message).with_param("query")
    }
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        let message = error.to_string();
        match error {
            AccountError::Email(_) => Self::invalid("email_invalid", message).with_param("email"),
            AccountError::Password(_) => Self::invalid("password_invalid", message).with_param("password"),
            AccountError::Name => Self::invalid("parameter_invalid_string", message).with_param("name"),
            AccountError::CardNumber(field) => {
                Self::invalid("card_number_in_text", message).with_param(field)
            }
            AccountError::Count { .. } => {
                Self::invalid("parameter_invalid_integer", message).with_param("count")
            }
            AccountError::Credentials => Self::new(
                StatusCode::UNAUTHORIZED,
                ErrorType::InvalidRequestError,
                "credentials_invalid",
                message,
            ),
            AccountError::WrongPassword => {
                Self::invalid("password_wrong", message).with_param("current_password")
            }
            AccountError::RegistrationClosed => Self::new(
                StatusCode::FORBIDDEN,
                ErrorType::InvalidRequestError,
                "registration_closed",
                message,
            ),
            AccountError::Throttled { retry_after_s } => {
                let mut error = Self::busy(message);
                error.retry_after_s = Some(u32::try_from(retry_after_s).unwrap_or(u32::MAX));
                error
            }
            AccountError::NotFound(_) => {
                Self::new(StatusCode::NOT_FOUND, ErrorType::InvalidRequestError, "resource_missing", message)
            }
            AccountError::NotYours => {
                Self::new(StatusCode::FORBIDDEN, ErrorType::InvalidRequestError, "account_invalid", message)
            }
            AccountError::Randomness | AccountError::Hashing => {
                tracing::error!(error.cause = message, "account use case failed");
                Self::internal()
            }
            AccountError::Store(error) => error.into(),
        }
    }
}
