//! Rejections of commands. A rejection changes nothing and is returned to the caller in the dialect's error shape.

/// The class of a rejection; the web layer maps each to one HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectionKind {
    /// The request itself is wrong.
    Invalid,
    /// It does not exist, or is someone else's.
    NotFound,
    /// It is in a state in which this cannot be done.
    State,
    /// A wallet cannot cover it.
    Funds,
    /// The idempotency key was used with other parameters.
    Idempotency,
    /// Something about it is still in flight.
    Conflict,
    /// The clock it runs on is being advanced; the same request can succeed in a moment.
    Locked,
}

/// A refused command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Rejection {
    /// Determines the HTTP status.
    pub kind: RejectionKind,
    /// The dialect's error code.
    pub code: &'static str,
    /// A sentence for the caller that says what was wrong.
    pub message: String,
    /// The request parameter at fault, if there is one.
    pub param: Option<String>,
}

impl Rejection {
    /// A rejection of this class.
    #[must_use]
    pub fn new(kind: RejectionKind, code: &'static str, message: impl Into<String>) -> Self {
        Self { kind, code, message: message.into(), param: None }
    }

    /// The rejection of a wrong parameter.
    #[must_use]
    pub fn invalid(param: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self::new(RejectionKind::Invalid, code, message).with_param(param)
    }

    /// The rejection for a missing resource; names the parameter `id`.
    #[must_use]
    pub fn not_found(resource: &str, id: impl std::fmt::Display) -> Self {
        Self::new(RejectionKind::NotFound, "resource_missing", format!("No such {resource}: '{id}'"))
            .with_param("id")
    }

    /// The same, naming this parameter.
    #[must_use]
    pub fn with_param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }
}
