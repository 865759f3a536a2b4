//! Maps each module's errors to the errors that clients see.

use std::borrow::Cow;

use actix_web::http::StatusCode;

use super::{ApiError, ErrorType};
use crate::accounts::AccountError;
use crate::domain::card_numbers::masked;
use crate::domain::rejection::{Rejection, RejectionKind};
use crate::engine::EngineError;
use crate::intake::{InputError, IntakeError};
use crate::search::{QueryError, SearchError};
use crate::store::StoreError;

impl From<IntakeError> for ApiError {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::Input(error) => error.into(),
            IntakeError::Engine(error) => error.into(),
            IntakeError::Store(error) => error.into(),
            IntakeError::Unread(error) => Self::from(error).after_write(),
            IntakeError::Lost(_) => Self::internal(),
            IntakeError::InProgress => {
                let message = "There is currently another in-progress request using this idempotency key. Try again in a moment.";
                Self::new(
                    StatusCode::CONFLICT,
                    ErrorType::IdempotencyError,
                    "idempotency_key_in_use",
                    message,
                )
            }
        }
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
        // A key reused with other parameters has no code in the dialect; the error's type is enough.
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
            // The store's adapter logs that it is unavailable; here it would be logged for each request.
            StoreError::Unavailable(cause) => {
                tracing::debug!(error = cause, "request failed: store not available");
                Self::unavailable("The store is not available. Nothing was changed; try again in a moment.")
            }
            StoreError::CommitUnknown { cause, .. } | StoreError::Unanswered(cause) => {
                tracing::debug!(error = cause, "request failed: the store did not answer");
                Self::unanswered()
            }
            StoreError::Damaged(cause) => Self::damaged(&cause),
            StoreError::Refused(cause) | StoreError::OtherForm(cause) => {
                tracing::error!(error = cause, "request failed: store refused");
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
                // The index's adapter logs the failure. The cause may quote the query, so it is masked.
                tracing::debug!(error = %masked(&error.to_string()), "search failed");
                Self::internal()
            }
            SearchError::Filling(filling) => Self::unavailable(format!(
                "Search is being filled from the store: {filling}. Payments are not affected."
            )),
            SearchError::Backpressure
            | SearchError::Unavailable(_)
            | SearchError::Busy
            | SearchError::Closed => {
                tracing::debug!(error = %masked(&error.to_string()), "search not available");
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
                tracing::error!(error = message, "account use case failed");
                Self::internal()
            }
            AccountError::Store(error) => error.into(),
        }
    }
}
