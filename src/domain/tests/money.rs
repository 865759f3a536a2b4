//! A payment's own amounts agree with the ledger's movements.

use proptest::prelude::*;

use super::stages::{at, events, opened, started};
use crate::domain::bank_account::BankAccount;
use crate::domain::event::{Event, Recorded};
use crate::domain::ids::{AccountId, RefundId};
use crate::domain::ledger::{LedgerAccount, effects};
use crate::domain::payment::{Payment, RefundStatus};
use crate::domain::submission::Kind;

/// By how much an event changes the money in transit.
fn moved(payment: &Payment, event: &Event) -> i64 {
    effects(payment, event).iter().map(|movement| movement.change_of(LedgerAccount::InTransit)).sum()
}

/// Whether the event can follow, beyond what folding checks: a refund begins and ends once, and only payments out of a
/// wallet are reserved, once.
fn is_possible(payment: &Payment, event: &Event) -> bool {
    let status = |id| payment.refund(id).map(|refund| refund.status);
    match event {
        Event::RefundQueued { refund, .. } => status(*refund).is_none(),
        Event::RefundSucceeded { refund, .. } | Event::RefundPending { refund, .. } => {
            status(*refund) == Some(RefundStatus::Pending)
        }
        Event::RefundFailed { refund, .. } => {
            matches!(status(*refund), Some(RefundStatus::Pending | RefundStatus::Succeeded))
        }
        Event::DisputeOpened { dispute, .. } => payment.dispute(*dispute).is_none(),
        Event::Confirmed { .. } => !payment.submission().kind.takes_from_wallet(),
        _ => true,
    }
}

/// The event with one of three refund ids, and with a reservation where there can be one.
fn fitted(event: Event, now: i64, takes: bool) -> Event {
    let id = RefundId::from_bytes([u8::try_from(now % 3).unwrap(); 16]);
    match event {
        Event::RefundQueued { amount_minor, detail, .. } => {
            Event::RefundQueued { refund: id, amount_minor, detail }
        }
        Event::RefundSucceeded { .. } => Event::refund_succeeded(id),
        Event::RefundFailed { reason, .. } => Event::refund_failed(id, reason),
        Event::RefundPending { settles_at, fails, .. } => {
            Event::RefundPending { refund: id, settles_at, fails }
        }
        Event::Replayed { .. } => Event::Replayed { reserved: takes },
        other => other,
    }
}

proptest! {
    #[test]
    fn what_is_in_transit_is_what_moved_there(
        kind in prop::sample::select(vec![
            Kind::Charge,
            Kind::Transfer { payee: AccountId::from_bytes([3; 16]) },
            Kind::Payout { bank: BankAccount::Valid },
        ]),
        steps in prop::collection::vec(0_usize..64, 0..60),
    ) {
        let takes = kind.takes_from_wallet();
        let mut payment = opened(kind, takes, takes);
        let mut in_transit = payment.in_transit_minor();
        prop_assert_eq!(in_transit, if takes { 1_250 } else { 0 });
        let all = events();
        for (now, pick) in (1_000..).zip(steps) {
            let event = fitted(all.get(pick).copied().unwrap_or(started(now)), now, takes);
            if !is_possible(&payment, &event) {
                continue;
            }
            let change = moved(&payment, &event);
            if payment.apply(Recorded::on_wall(at(now), event)).is_ok() {
                in_transit += change;
                prop_assert_eq!(payment.in_transit_minor(), in_transit, "after {:?}", event);
            }
        }
    }
}
