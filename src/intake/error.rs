//! Errors of requests: input that cannot be read, and what went wrong in the use case. Knows nothing of HTTP.

use std::borrow::Cow;
use std::fmt;

use crate::domain::card::CardError;
use crate::domain::card_numbers::shown;
use crate::domain::ids::PaymentId;
use crate::engine::EngineError;
use crate::store::StoreError;

/// The most characters of what was sent that a message repeats.
pub const SHOWN_CHARS_MAX: usize = 64;
/// The longest parameter name that an error shows: a metadata key has up to 40 characters.
const PARAM_CHARS_MAX: usize = 128;

/// A parameter's name as errors show it. Callers can send anything as a name.
#[must_use]
pub fn param_shown(param: &str) -> String {
    shown(param, PARAM_CHARS_MAX)
}

/// Untrusted input that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputError {
    /// The parameter at fault; `None` if the body as a whole is wrong.
    pub param: Option<Cow<'static, str>>,
    /// The dialect's code.
    pub code: &'static str,
    /// A sentence for the caller.
    pub message: Cow<'static, str>,
    /// Whether it is a card error, which the dialect answers with 402.
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

    /// Card details that are wrong. `path` is the card's parameter.
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

    /// A parameter that is none of these words, which are two or more.
    #[must_use]
    pub fn not_one_of(param: &str, words: &[&str]) -> Self {
        let listed = match words {
            [others @ .., last] => format!("{} or {last}", others.join(", ")),
            [] => String::new(),
        };
        Self::new(param, "parameter_invalid_enum", format!("Invalid {param}: must be one of {listed}."))
    }

    /// A body that is wrong as a whole.
    #[must_use]
    pub fn body(message: impl Into<Cow<'static, str>>) -> Self {
        Self { param: None, code: "body_invalid", message: message.into(), card: false }
    }

    /// A body that is not JSON. Gives only the position: the text around it may hold a card number.
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

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for InputError {}

/// Why a request was not done, or why its outcome is not known.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IntakeError {
    /// It cannot be done as it was asked for.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The engine refused it or failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The store failed before anything was handed in.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It was committed, but its outcome could not be read.
    #[error("it was done, and what came of it could not be read: {0}")]
    Unread(StoreError),
    /// It was committed, but the store no longer has the payment.
    #[error("{0} was committed, and the store does not have it")]
    Lost(PaymentId),
    /// The first request with this idempotency key has no outcome yet.
    #[error("another request with this idempotency key is in progress")]
    InProgress,
}

#[cfg(test)]
mod tests {
    use super::InputError;

    #[test]
    fn what_a_parameter_may_be_is_named() {
        let error = InputError::not_one_of("kind", &["charge", "topup", "payout"]);
        assert_eq!(error.to_string(), "Invalid kind: must be one of charge, topup or payout.");
    }
}
