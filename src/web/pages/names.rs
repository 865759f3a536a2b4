//! Loads the account names that payments' rows need.

use super::row::{Names, accounts_of};
use crate::domain::ids::AccountId;
use crate::domain::payment::Payment;
use crate::store::StoreError;
use crate::web::state::WebState;

/// The names of the accounts in these payments.
///
/// # Errors
/// The store's.
pub async fn names_of(state: &WebState, payments: &[Payment]) -> Result<Names, StoreError> {
    let mut accounts: Vec<AccountId> = payments.iter().flat_map(accounts_of).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let directory = state.accounts.directory();
    directory.load(accounts.iter().copied()).await?;
    Ok(Names::new(accounts.into_iter().map(|id| (id, directory.name(id).to_string()))))
}
