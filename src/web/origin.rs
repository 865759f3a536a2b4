//! Which request of the API a command comes from, for accounts that are told of it.

use actix_web::{HttpMessage as _, HttpRequest};

use super::state::WebState;
use crate::domain::idempotency::RequestKey;
use crate::domain::ids::{AccountId, RequestId};
use crate::domain::origin::Origin;

/// The request, for what it asks of this account. `None` for a lean one, which is told of nothing: where memory does not know
/// that, the line finds out.
#[must_use]
pub fn of(
    state: &WebState,
    request: &HttpRequest,
    account: AccountId,
    key: Option<&RequestKey>,
) -> Option<Box<Origin>> {
    if state.accounts.directory().cached(account).is_some_and(|profile| profile.lean) {
        return None;
    }
    let id = request.extensions().get::<RequestId>().copied()?;
    Some(Box::new(Origin { request: id, key: key.and_then(RequestKey::told).map(Box::from) }))
}
