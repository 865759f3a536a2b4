//! What can go wrong in the store, told apart by what the caller may do about it.

/// A failed store call. Nothing was written unless it says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Not reachable, overloaded, locked: trying again may help.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// The commit was sent and its outcome is not known.
    #[error("the outcome of the commit of batch {seq} is not known: {cause}")]
    CommitUnknown {
        /// The place the batch would have.
        seq: u64,
        /// What broke.
        cause: String,
    },
    /// The statement or its data was refused: trying again will not help.
    #[error("the store refused: {0}")]
    Refused(String),
    /// A stored value cannot be read.
    #[error("stored data is damaged: {0}")]
    Damaged(String),
}

impl StoreError {
    /// Whether trying the same again may help.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::CommitUnknown { .. } => true,
            Self::Refused(_) | Self::Damaged(_) => false,
        }
    }
}

impl From<diesel::result::Error> for StoreError {
    fn from(error: diesel::result::Error) -> Self {
        use diesel::result::DatabaseErrorKind as Kind;
        use diesel::result::Error;
        match &error {
            Error::DatabaseError(
                Kind::UniqueViolation
                | Kind::ForeignKeyViolation
                | Kind::NotNullViolation
                | Kind::CheckViolation
                | Kind::RestrictViolation
                | Kind::ExclusionViolation,
                _,
            ) => Self::Refused(error.to_string()),
            Error::DeserializationError(_) => Self::Damaged(error.to_string()),
            Error::SerializationError(_) | Error::QueryBuilderError(_) | Error::InvalidCString(_) => {
                Self::Refused(error.to_string())
            }
            // Lost connections, lock timeouts, full disks, shutdowns: the drivers do not tell them apart reliably.
            _ => Self::Unavailable(error.to_string()),
        }
    }
}
