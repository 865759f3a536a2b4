//! Why a command was not admitted. A rejection changes nothing and is told to the caller in the dialect's error shape.

/// The class of a rejection; the web layer maps each to one HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RejectionKind {
    /// The request itself is wrong.
    Invalid,
    /// There is no such thing, or it is someone else's.
    NotFound,
    /// The thing is in a state in which this cannot be done.
    State,
    /// Money is missing.
    Funds,
    /// The idempotency key was used with other parameters.
    Idempotency,
    /// Something about it is still in flight.
    Conflict,
    /// The clock it goes by is being advanced: the same can be asked again in a moment.
    Locked,
}

/// A refused command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Rejection {
    /// Its class.
    pub kind: RejectionKind,
    /// The dialect's error code.
    pub code: &'static str,
    /// A sentence that names what was wrong.
    pub message: String,
    /// The parameter at fault.
    pub param: Option<String>,
}

impl Rejection {
    /// A rejection of this class.
    #[must_use]
    pub fn new(kind: RejectionKind, code: &'static str, message: impl Into<String>) -> Self {
        Self { kind, code, message: message.into(), param: None }
    }

    /// A parameter that is wrong.
    #[must_use]
    pub fn invalid(param: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self::new(RejectionKind::Invalid, code, message).with_param(param)
    }

    /// No such thing.
    #[must_use]
    pub fn not_found(resource: &str, id: impl std::fmt::Display) -> Self {
        Self::new(RejectionKind::NotFound, "resource_missing", format!("No such {resource}: '{id}'"))
            .with_param("id")
    }

    /// The same, naming the parameter.
    #[must_use]
    pub fn with_param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }
}
