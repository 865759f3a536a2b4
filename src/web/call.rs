//! Reads from an API request what is not a parameter: its identity, for accounts with events, and how long its caller waits
//! (`Prefer`).

use std::time::Duration;

use actix_web::{HttpMessage as _, HttpRequest};

use super::state::WebState;
use crate::domain::idempotency::RequestKey;
use crate::domain::ids::{AccountId, RequestId};
use crate::domain::origin::Origin;
use crate::intake::{Call, Wait};

/// The origin of what a request asks of this account. `None` for a lean account, which has no events; if the cache does not
/// know that, the sequencer finds out.
#[must_use]
pub fn origin(
    state: &WebState,
    request: &HttpRequest,
    account: AccountId,
    key: Option<&RequestKey>,
) -> Option<Box<Origin>> {
    if state.accounts.directory().cached(account).is_some_and(|profile| profile.lean) {
        return None;
    }
    let id = request.extensions().get::<RequestId>().copied()?;
    Some(Box::new(Origin { request: id, key: key.and_then(RequestKey::repeatable).map(Box::from) }))
}

/// How long a request waits for the outcome, from `Prefer` (RFC 7240): `respond-async`, or `wait=N` in seconds, up to the
/// server's own limit.
#[must_use]
pub fn wait(state: &WebState, request: &HttpRequest) -> Wait {
    let bound = Duration::from_millis(state.settings.outcome_wait_ms);
    let mut wait = Wait::UpTo(bound);
    for value in request.headers().get_all("prefer").filter_map(|value| value.to_str().ok()) {
        for preference in value.split([',', ';']).map(str::trim) {
            if preference.eq_ignore_ascii_case("respond-async") {
                return Wait::No;
            }
            let seconds = preference.strip_prefix("wait=").and_then(|seconds| seconds.parse().ok());
            wait = seconds.map_or(wait, |seconds| Wait::UpTo(Duration::from_secs(seconds).min(bound)));
        }
    }
    wait
}

/// The call of a request by this account, under this key.
#[must_use]
pub fn of(state: &WebState, request: &HttpRequest, account: AccountId, key: Option<&RequestKey>) -> Call {
    let origin = origin(state, request, account, key);
    Call { origin, wait: wait(state, request), persistent: false }
}
