//! What becomes of money that reaches a wallet: the fee is kept back, what the wallet's owner owes is repaid next, and the
//! rest may have to settle before it is available.
//!
//! Decided while the batch runs, on the wallet as it is at that moment, and written into the event: whoever reads the
//! history later, the auditor above all, needs no balance.

use serde::{Deserialize, Serialize};

use super::card::Card;
use super::decide::Context;
use super::event::Event;
use super::instrument::Instrument;
use super::ledger;
use super::payment::Payment;
use super::submission::Kind;
use super::test_cards::{Behaviour, Later};
use super::time::Timestamp;

/// How a credit was split. The default: all of it is in the wallet, and available.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Credit {
    /// Kept back as a fee.
    pub fee_minor: i64,
    /// Taken to repay what was owed.
    pub repaid_minor: i64,
    /// When the rest becomes available; `None`: at once.
    pub available_at: Option<Timestamp>,
    /// When it arrived by the clock of whoever it is credited to, where that is not the payment's: of a transfer between two clocks
    /// each side has its own time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payee_at: Option<Timestamp>,
}

impl Credit {
    /// Whether nothing was taken and nothing waits.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }

    /// What stays in the wallet of `gross_minor`.
    #[must_use]
    pub const fn kept_minor(&self, gross_minor: i64) -> i64 {
        gross_minor.saturating_sub(self.fee_minor).saturating_sub(self.repaid_minor)
    }
}

/// Whether an amount that is left out of the stored form is zero.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
pub(super) const fn is_zero(minor: &i64) -> bool {
    *minor == 0
}

/// The event with what becomes of the money that it brings to a wallet, given the payment before it.
#[must_use]
pub fn settled(context: &Context<'_>, payment: &Payment, event: Event) -> Event {
    let Some((wallet, gross_minor)) = ledger::credited(payment, &event) else { return event };
    let owed_minor = (context.wallet)(wallet).owed_minor;
    let repaid = |left_minor: i64| owed_minor.clamp(0, left_minor.max(0));
    let earned = || {
        let terms = (context.account)(wallet.owner).terms;
        if payment.submission().kind != Kind::Charge {
            let payee_at = (wallet.owner != payment.owner()).then(|| (context.time_of)(wallet.owner));
            let payee_at = payee_at.filter(|at| *at != context.now);
            return Credit { repaid_minor: repaid(gross_minor), payee_at, ..Credit::default() };
        }
        let fee_minor = terms.fee.fee_minor(gross_minor);
        let repaid_minor = repaid(gross_minor.saturating_sub(fee_minor));
        let credit = Credit { fee_minor, repaid_minor, ..Credit::default() };
        let waits = credit.kept_minor(gross_minor) > 0 && !is_available_at_once(payment);
        Credit { available_at: terms.available_at(context.now).filter(|_| waits), ..credit }
    };
    match event {
        Event::Succeeded { .. } => Event::Succeeded { credit: earned() },
        Event::Captured { amount_minor, .. } => Event::Captured { amount_minor, credit: earned() },
        Event::Declined { reason, .. } => Event::Declined { reason, repaid_minor: repaid(gross_minor) },
        Event::Failed { cause, .. } => Event::Failed { cause, repaid_minor: repaid(gross_minor) },
        Event::Canceled { reason, .. } => Event::Canceled { reason, repaid_minor: repaid(gross_minor) },
        Event::RefundFailed { refund, reason, .. } => {
            Event::RefundFailed { refund, reason, repaid_minor: repaid(gross_minor) }
        }
        other => other,
    }
}

/// Whether the card is the one whose money needs no time to settle.
fn is_available_at_once(payment: &Payment) -> bool {
    let card = payment.state().instrument.as_ref().and_then(Instrument::card);
    let behaviour = card.and_then(Card::test_card).map(|card| card.behaviour);
    behaviour == Some(Behaviour::SucceedThen(Later::InstantFunds))
}
