//! Errors of the store, distinguished by what the caller may do about them.
//!
//! Only errors that say "not now" are worth another try of the same thing: a lost connection, a lock, a full disk. Every other
//! error, known or not, is about what was sent, and is [`StoreError::Refused`]: if it counted as "not now", one request would be
//! retried indefinitely, and with it every other request of its batch.

use diesel::result::DatabaseErrorKind as Kind;

/// A failed store call. Nothing was written unless the variant says otherwise.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Not reachable, overloaded, locked: trying again may help.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// The commit was sent and its outcome is not known.
    #[error("the outcome of the commit of batch {seq} is not known: {cause}")]
    CommitUnknown {
        /// The position in the journal that the batch would have.
        seq: u64,
        /// What failed.
        cause: String,
    },
    /// A write outside the sequencer was sent and its outcome is not known: it may have been done.
    #[error("the store did not say whether it was done: {0}")]
    Unanswered(String),
    /// The statement or its data was refused: trying again will not help.
    #[error("the store refused: {0}")]
    Refused(String),
    /// A stored value cannot be read.
    #[error("stored data is damaged: {0}")]
    Damaged(String),
    /// What is stored was written by another version of the program.
    #[error("{0}")]
    OtherForm(String),
}

impl StoreError {
    /// Whether trying the same again may help.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::CommitUnknown { .. } | Self::Unanswered(_) => true,
            Self::Refused(_) | Self::Damaged(_) | Self::OtherForm(_) => false,
        }
    }

    /// The same error for a write that was sent: unless the store itself said that it failed, it may have been done.
    #[must_use]
    pub(super) fn of_sent(self) -> Self {
        match self {
            Self::Unavailable(cause) if is_no_answer(&cause) => Self::Unanswered(cause),
            other => other,
        }
    }

    /// Whether the call may still be running, since its outcome is not known.
    pub(super) fn is_left_open(&self) -> bool {
        match self {
            Self::Unanswered(_) => true,
            Self::Unavailable(cause) => is_no_answer(cause),
            Self::CommitUnknown { .. } | Self::Refused(_) | Self::Damaged(_) | Self::OtherForm(_) => false,
        }
    }

    /// The same error, met after something else was written for the same caller: that write stands.
    #[must_use]
    pub fn after_write(self) -> Self {
        match self {
            Self::Unavailable(cause) => Self::Unanswered(cause),
            other => other,
        }
    }

    /// The same error for a preparatory write, which has no effect until another write names it.
    #[must_use]
    pub fn of_preparation(self) -> Self {
        match self {
            Self::Unanswered(cause) => Self::Unavailable(cause),
            other => other,
        }
    }
}

impl From<diesel::result::Error> for StoreError {
    /// Classifies by the message, which is all that diesel keeps of an error without a kind of its own. Errors of a MySQL server
    /// are classified again by their code, where the connection is at hand ([`super::mysql`]).
    fn from(error: diesel::result::Error) -> Self {
        use diesel::result::Error;
        match &error {
            Error::DatabaseError(
                Kind::Unknown | Kind::ClosedConnection | Kind::UnableToSendCommand,
                info,
            ) => of_message(info.message()),
            Error::DatabaseError(Kind::SerializationFailure | Kind::ReadOnlyTransaction, _)
            | Error::BrokenTransactionManager
            | Error::AlreadyInTransaction
            | Error::NotInTransaction => Self::Unavailable(error.to_string()),
            Error::DeserializationError(_) => Self::Damaged(error.to_string()),
            _ => Self::Refused(error.to_string()),
        }
    }
}

/// What the drivers and SQLite say when it is not about the statement. SQLite's are the texts of its result codes
/// (<https://sqlite.org/rescode.html>): BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, FULL, CANTOPEN, PROTOCOL. A missing
/// table of ours is no request's fault either.
const NOT_NOW: &[&str] = &[
    "Input/output error",
    "Driver error",
    "Other error",
    "database is locked",
    "database table is locked",
    "database schema is locked",
    "out of memory",
    "attempt to write a readonly database",
    "interrupted",
    "disk I/O error",
    "database or disk is full",
    "unable to open database file",
    "locking protocol",
    "no such table",
    "no such column",
];

/// Messages that leave open whether a statement was carried out: the drivers', those of our own time limits, and those of a disk
/// that failed while SQLite wrote to it.
const NO_ANSWER: &[&str] =
    &["Input/output error", "Driver error", "Other error", super::held::NO_ANSWER_IN_TIME, "disk I/O error"];

fn is_no_answer(cause: &str) -> bool {
    NO_ANSWER.iter().any(|text| cause.starts_with(text))
}

/// Messages about a statement that is too large to be sent, although they come as a driver's error, or end the connection.
const TOO_LARGE: &[&str] = &["Packet is larger than", "Packet too large", "max_allowed_packet"];

/// SQLite's CORRUPT and NOTADB.
const DAMAGED: &[&str] =
    &["database disk image is malformed", "malformed database schema", "file is not a database"];

fn of_message(message: &str) -> StoreError {
    let has = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
    let begins = |texts: &[&str]| texts.iter().any(|text| message.starts_with(text));
    if has(TOO_LARGE) {
        StoreError::Refused(message.to_owned())
    } else if begins(DAMAGED) {
        StoreError::Damaged(message.to_owned())
    } else if begins(NOT_NOW) {
        StoreError::Unavailable(message.to_owned())
    } else {
        StoreError::Refused(message.to_owned())
    }
}

/// Whether an insert was done; `false` if its key is taken. Other errors are passed on.
pub(super) fn inserted(outcome: diesel::QueryResult<usize>) -> Result<bool, StoreError> {
    match outcome {
        Ok(_) => Ok(true),
        Err(diesel::result::Error::DatabaseError(Kind::UniqueViolation, _)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_store_answered_was_certainly_not_done() {
        let sent = |cause: &str| StoreError::Unavailable(cause.to_owned()).of_sent();
        for unknown in [
            super::super::held::NO_ANSWER_IN_TIME,
            "Input/output error: connection reset by peer",
            "Driver error: packet out of order",
            "disk I/O error",
        ] {
            assert!(matches!(sent(unknown), StoreError::Unanswered(_)), "{unknown}");
        }
        for refused in ["database is locked", "database or disk is full", "Lock wait timeout exceeded (1205)"]
        {
            assert!(matches!(sent(refused), StoreError::Unavailable(_)), "{refused}");
        }
        assert!(matches!(sent("database is locked").after_write(), StoreError::Unanswered(_)));
        assert!(matches!(sent("disk I/O error").of_preparation(), StoreError::Unavailable(_)));
        assert!(StoreError::Unanswered(String::new()).is_transient());
    }
}
