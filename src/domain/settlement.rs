//! Splits the money that an event brings to a wallet, given the wallet as it is while the batch runs.

use super::card::Card;
use super::context::Context;
use super::credit::Credit;
use super::event::Event;
use super::instrument::Instrument;
use super::ledger;
use super::payment::Payment;
use super::submission::Kind;
use super::test_cards::{Behaviour, Consequence};

/// The event with the split of the money that it brings to a wallet; `payment` is as it is *before* the event.
#[must_use]
pub fn settled(context: &Context<'_>, payment: &Payment, event: Event) -> Event {
    let Some((wallet, gross_minor)) = ledger::credited(payment, &event) else {
        return charged(context, payment, event);
    };
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
        Event::DisputeClosed { dispute, outcome, .. } => {
            Event::DisputeClosed { dispute, outcome, repaid_minor: repaid(gross_minor) }
        }
        other => other,
    }
}

/// The event with the part of what it takes that the wallet does not hold.
fn charged(context: &Context<'_>, payment: &Payment, mut event: Event) -> Event {
    let Some(taken) = ledger::taken(&event) else { return event };
    let held_minor = (context.wallet)(payment.submission().own_wallet()).balance_minor.max(0);
    let missing_minor = taken.whole_minor().saturating_sub(held_minor).max(0);
    if let Event::DisputeOpened { owed_minor, .. } | Event::DisputeEscalated { owed_minor, .. } = &mut event {
        *owed_minor = missing_minor;
    }
    event
}

/// Whether the card's funds settle at once.
fn is_available_at_once(payment: &Payment) -> bool {
    let card = payment.state().instrument.as_ref().and_then(Instrument::card);
    let behaviour = card.and_then(Card::test_card).map(|card| card.behaviour);
    behaviour == Some(Behaviour::SucceedThen(Consequence::InstantFunds))
}
