//! Payees of transfers: read from parameters and looked up among the accounts.

use super::error::InputError;
use super::params::Params;
use crate::accounts::{Directory, Email};
use crate::domain::context::NO_SUCH_PAYEE;
use crate::domain::ids::AccountId;
use crate::store::StoreResult;

/// Where a transfer goes, not yet looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// `acct_…`.
    Account(AccountId),
    /// An e-mail address.
    Email(Email),
}

/// The error for a destination that names no account.
#[must_use]
pub(super) fn unknown_destination() -> InputError {
    InputError::new("destination", "resource_missing", NO_SUCH_PAYEE)
}

/// Reads `destination`.
///
/// # Errors
/// Missing, or neither an account id nor an e-mail address.
pub(super) fn destination(params: &mut Params<'_>) -> Result<Destination, InputError> {
    let text = params.text("destination")?.ok_or_else(|| InputError::missing("destination"))?;
    if text.starts_with("acct_") {
        return text.parse().map(Destination::Account).map_err(|_| unknown_destination());
    }
    Email::parse(&text).map(Destination::Email).map_err(|_| {
        let message = "Invalid destination: an e-mail address or an account id such as acct_… was expected.";
        InputError::new("destination", "parameter_invalid_string", message)
    })
}

/// Loads the destinations of a batch of transfers into the directory's cache with few queries.
///
/// # Errors
/// The store's.
pub(super) async fn load<'a>(
    directory: &Directory,
    destinations: impl Iterator<Item = &'a Destination>,
) -> StoreResult<()> {
    let mut ids = Vec::new();
    for destination in destinations {
        match destination {
            Destination::Account(id) => ids.push(*id),
            Destination::Email(email) => {
                directory.by_email(email).await?;
            }
        }
    }
    directory.load_fresh(ids).await
}

/// The account that a destination names; `None` if there is none.
///
/// # Errors
/// The store's.
pub(super) async fn resolve(
    directory: &Directory,
    destination: Option<&Destination>,
) -> StoreResult<Option<AccountId>> {
    match destination {
        None => Ok(None),
        Some(Destination::Account(id)) => Ok(directory.open(*id).await?.map(|profile| profile.id)),
        Some(Destination::Email(email)) => directory.by_email(email).await,
    }
}
