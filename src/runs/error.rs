//! Why something is not done to a load run.

use crate::accounts::AccountError;
use crate::scenarios::ScenarioProblem;
use crate::store::StoreError;

/// A refusal.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The settings forbid runs.
    #[error(
        "Load runs from pages and over the API are switched off here (load.pages). `paystorm load` works all the same."
    )]
    SwitchedOff,
    /// A setting of the run cannot be used.
    #[error("{field}: {message}")]
    Field {
        /// The field at fault.
        field: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// As many runs as may be are under way.
    #[error(
        "{max} load runs are under way, and no more may be at once (load.runs_max). Wait until one has ended, or stop one."
    )]
    Busy {
        /// How many may be.
        max: u32,
    },
    /// This account has no such run.
    #[error("There is no such load run.")]
    NotFound,
    /// Not while it is as it is.
    #[error("{0}")]
    NotNow(&'static str),
    /// The scenario has mistakes.
    #[error(transparent)]
    Scenario(#[from] ScenarioProblem),
    /// The account of the run could not be created.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Reports cannot be read or written.
    #[error("The reports of load runs cannot be read or written here; the server's log says why.")]
    Reports,
}

impl RunError {
    /// A field at fault.
    #[must_use]
    pub fn field(field: &'static str, message: impl Into<String>) -> Self {
        Self::Field { field, message: message.into() }
    }
}
