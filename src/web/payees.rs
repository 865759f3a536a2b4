//! Looking up whom transfers go to.

use super::error::ApiError;
use super::intake::Destination;
use super::state::WebState;
use crate::domain::ids::AccountId;

/// Brings the destinations of a batch of transfers into memory with few queries.
///
/// # Errors
/// The store's.
pub async fn load<'a>(
    state: &WebState,
    destinations: impl Iterator<Item = &'a Destination>,
) -> Result<(), ApiError> {
    let directory = state.accounts.directory();
    let mut ids = Vec::new();
    for destination in destinations {
        match destination {
            Destination::Account(id) => ids.push(*id),
            Destination::Email(email) => {
                directory.by_email(email).await?;
            }
        }
    }
    Ok(directory.load_fresh(ids).await?)
}

/// The account that a destination names; `None` if there is none.
///
/// # Errors
/// The store's.
pub async fn resolve(
    state: &WebState,
    destination: Option<&Destination>,
) -> Result<Option<AccountId>, ApiError> {
    let directory = state.accounts.directory();
    match destination {
        None => Ok(None),
        Some(Destination::Account(id)) => Ok(directory.open(*id).await?.map(|profile| profile.id)),
        Some(Destination::Email(email)) => Ok(directory.by_email(email).await?),
    }
}
