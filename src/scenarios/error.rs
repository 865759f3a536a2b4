//! Why a scenario is not put in force.

use crate::simulator::ScenarioErrors;
use crate::store::StoreError;

/// A refused scenario.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioProblem {
    /// The file has mistakes.
    #[error(transparent)]
    Mistakes(ScenarioErrors),
    /// The file holds a card number.
    #[error(
        "Line {line} holds a card number. Scenarios are stored, and card numbers are not: name test cards by token, such as \
         pm_card_visa, or by last4."
    )]
    CardNumber {
        /// The line, counted from 1.
        line: usize,
    },
    /// The file holds invisible characters that have an effect, other than line breaks and tabs.
    #[error("Line {line} holds a control character. Scenarios are shown as they are: leave it out.")]
    Characters {
        /// The line, counted from 1.
        line: usize,
    },
    /// The account does not exist or is closed.
    #[error("This account is closed: it has no scenario any more.")]
    Closed,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
