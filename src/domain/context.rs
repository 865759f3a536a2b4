//! The context of a decision: everything it may look at besides the payment, and the checks that several decisions share.

use super::account::AccountFacts;
use super::amounts;
use super::event::{CancelReason, Event};
use super::ids::{AccountId, CustomerId};
use super::ledger::Holdings;
use super::money::Money;
use super::payment::{FollowUp, Payment};
use super::rejection::Rejection;
use super::resource::Resource;
use super::subject::Subject;
use super::time::Timestamp;
use super::wallet::WalletId;

/// The settings that decisions depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Delay before each retry of a technical error, in milliseconds; their number is the number of retries.
    pub retry_delays_ms: Vec<u64>,
    /// How long an authorization may wait for its capture, in milliseconds.
    pub authorization_ttl_ms: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self { retry_delays_ms: vec![1_000, 5_000, 25_000], authorization_ttl_ms: 7 * 24 * 3_600 * 1_000 }
    }
}

/// Everything a decision may look at besides the payment.
pub struct Context<'a> {
    /// The time of the payment's clock: money moves at this time.
    pub now: Timestamp,
    /// Wall-clock time. Retries follow it, or a payment on a clock that stands still would never be retried.
    pub wall: Timestamp,
    /// The settings.
    pub policy: &'a Policy,
    /// What a wallet holds; nothing for one that does not exist yet.
    pub wallet: &'a dyn Fn(WalletId) -> Holdings,
    /// The facts of an account.
    pub account: &'a dyn Fn(AccountId) -> AccountFacts,
    /// The time of an account's own clock.
    pub time_of: &'a dyn Fn(AccountId) -> Timestamp,
    /// The plain resource that the command names; `None` if there is none.
    pub resource: &'a dyn Fn(Subject) -> Option<&'a Resource>,
}

impl Context<'_> {
    /// Whether an account is closed.
    pub(super) fn closed(&self, account: AccountId) -> bool {
        (self.account)(account).closed
    }

    /// Whether this amount can leave the wallet.
    pub(super) fn affordable(&self, wallet: WalletId, amount_minor: i64) -> bool {
        (self.wallet)(wallet).available_minor() >= amount_minor
    }

    /// Refuses a customer who is not the account's, or was deleted.
    ///
    /// # Errors
    /// A [`Rejection`] that names the parameter.
    pub(super) fn must_own(&self, owner: AccountId, customer: CustomerId) -> Result<&Resource, Rejection> {
        let resource = (self.resource)(customer.into());
        resource
            .filter(|resource| resource.owner == owner && resource.body.is_some())
            .ok_or_else(|| no_such_customer(customer))
    }
}

/// The message for a transfer to an account that does not exist or is closed.
pub const NO_SUCH_PAYEE: &str = "There is no account with this e-mail address or id.";

/// A list of events; a decision has one to three.
pub type Events = Vec<Event>;

/// The rejection for a customer who does not exist, is someone else's, or was deleted with its clock.
#[must_use]
pub fn no_such_customer(customer: CustomerId) -> Rejection {
    Rejection::invalid("customer", "resource_missing", format!("No such customer: '{customer}'"))
}

/// Refuses an amount that no payment could have.
pub(super) fn payable(amount: Money, param: &str) -> Result<(), Rejection> {
    amounts::check(amount).map_err(|problem| Rejection::invalid(param, problem.code(), problem.to_string()))
}

/// The end of an authorization whose deadline has passed, even while a capture or release is under way: an issuer holds
/// nothing beyond it, so a capture counts only if its approval is decided before. `None` for any other payment.
pub(super) fn lapsed(payment: &Payment, now: Timestamp) -> Option<Event> {
    let state = payment.state();
    payment.capture_deadline().filter(|deadline| *deadline <= now)?;
    let releasing =
        state.operation.is_some_and(|operation| operation.kind.follow_up() == Some(FollowUp::Void));
    let reason = state.canceled.filter(|_| releasing).unwrap_or(CancelReason::Expired);
    Some(Event::canceled(reason))
}
