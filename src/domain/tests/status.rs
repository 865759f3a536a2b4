//! The status machine, against a table written by hand.

use crate::domain::decline::DeclineReason;
use crate::domain::dispute::{DisputeOutcome, DisputeReason, DisputeStage};
use crate::domain::event::{CancelReason, Event, TechnicalError};
use crate::domain::ids::{ChargeId, DisputeId, RefundId};
use crate::domain::instrument::Instrument;
use crate::domain::status::Status::{
    self, Canceled, Declined, Failed, Processing, Queued, RequiresAction, RequiresCapture,
    RequiresConfirmation, RequiresPaymentMethod, Succeeded,
};
use crate::domain::time::Timestamp;

type Steps = &'static [(Status, Status)];

/// One event of every kind with the statuses in which it is legal, and the status after it.
fn table() -> Vec<(Event, Steps)> {
    let (at, cause, reason) = (Timestamp::default(), TechnicalError::Timeout, DeclineReason::LostCard);
    let (cancel, refund) = (CancelReason::Duplicate, RefundId::from_bytes([1; 16]));
    let dispute = DisputeId::from_bytes([2; 16]);
    vec![
        (Event::Created { instrument: None, confirmed: true, reserved: false }, &[]),
        (
            Event::Confirmed { instrument: Instrument::Wallet, charge: ChargeId::from_bytes([8; 16]) },
            &[(RequiresPaymentMethod, Queued), (RequiresConfirmation, Queued), (Declined, Queued)],
        ),
        (Event::Started { at }, &[(Queued, Processing)]),
        (Event::ActionRequired {}, &[(Processing, RequiresAction)]),
        (Event::ActionCompleted {}, &[(RequiresAction, Queued)]),
        (Event::Authorized { amount_minor: 1, capture_before: at }, &[(Processing, RequiresCapture)]),
        (Event::SUCCEEDED, &[(Processing, Succeeded)]),
        (Event::declined(reason), &[(Queued, Declined), (Processing, Declined), (RequiresAction, Declined)]),
        (Event::Pending { settles_at: at }, &[(Processing, Processing)]),
        (Event::RetryScheduled { due_at: at, cause }, &[(Processing, Queued)]),
        (Event::Requeued {}, &[(Queued, Queued)]),
        (Event::failed(cause), &[(Processing, Failed)]),
        (Event::Replayed { reserved: false }, &[(Failed, Queued)]),
        (Event::CancelRequested { reason: cancel }, &[(Queued, Queued), (Processing, Processing)]),
        (
            Event::canceled(cancel),
            &[
                (RequiresPaymentMethod, Canceled),
                (RequiresConfirmation, Canceled),
                (Queued, Canceled),
                (Processing, Canceled),
                (RequiresAction, Canceled),
                (RequiresCapture, Canceled),
                (Declined, Canceled),
                (Failed, Canceled),
            ],
        ),
        (Event::CaptureQueued { amount_minor: 1 }, &[(RequiresCapture, RequiresCapture)]),
        (Event::captured(1), &[(RequiresCapture, Succeeded)]),
        (Event::Available {}, &[(Succeeded, Succeeded)]),
        (Event::CaptureDeclined { reason }, &[(RequiresCapture, RequiresCapture)]),
        (Event::VoidQueued { reason: cancel }, &[(RequiresCapture, RequiresCapture)]),
        (Event::Voided {}, &[(RequiresCapture, Canceled)]),
        (Event::RefundQueued { refund, amount_minor: 1, detail: None }, &[(Succeeded, Succeeded)]),
        (Event::refund_succeeded(refund), &[(Succeeded, Succeeded)]),
        (Event::refund_failed(refund, reason), &[(Succeeded, Succeeded)]),
        (Event::RefundPending { refund, settles_at: at, fails: false }, &[(Succeeded, Succeeded)]),
        (Event::Foreseen { at, follows: None }, &[(Succeeded, Succeeded)]),
        (
            Event::DisputeOpened {
                dispute,
                reason: DisputeReason::Fraudulent,
                stage: DisputeStage::Inquiry,
                amount_minor: 1,
                fee_minor: 0,
                due_by: at,
                ends_at: at,
                owed_minor: 0,
            },
            &[(Succeeded, Succeeded)],
        ),
        (Event::DisputeNoted { dispute, detail: 0, submitted_until: None }, &[(Succeeded, Succeeded)]),
        (
            Event::DisputeEscalated { dispute, amount_minor: 1, fee_minor: 1, due_by: at, owed_minor: 0 },
            &[(Succeeded, Succeeded)],
        ),
        (Event::dispute_closed(dispute, DisputeOutcome::Lost), &[(Succeeded, Succeeded)]),
        (Event::FraudWarned { warning: dispute.warning() }, &[(Succeeded, Succeeded)]),
        (
            Event::OperationRetryScheduled { operation: 1, due_at: at, cause },
            &[(RequiresCapture, RequiresCapture), (Succeeded, Succeeded)],
        ),
        (
            Event::OperationRequeued { operation: 1 },
            &[(RequiresCapture, RequiresCapture), (Succeeded, Succeeded)],
        ),
        (
            Event::OperationParked { operation: 1, cause },
            &[(RequiresCapture, RequiresCapture), (Succeeded, Succeeded)],
        ),
        (
            Event::OperationReplayed { operation: 1 },
            &[(RequiresCapture, RequiresCapture), (Succeeded, Succeeded)],
        ),
        (
            Event::Amended { amount_minor: None, terms: Some(1) },
            &[
                (RequiresPaymentMethod, RequiresPaymentMethod),
                (RequiresConfirmation, RequiresConfirmation),
                (Queued, Queued),
                (Processing, Processing),
                (RequiresAction, RequiresAction),
                (RequiresCapture, RequiresCapture),
                (Succeeded, Succeeded),
                (Declined, Declined),
                (Failed, Failed),
                (Canceled, Canceled),
            ],
        ),
    ]
}

#[test]
fn every_status_meets_every_event_as_the_table_says() {
    let table = table();
    // One row per variant: the tag is the stored name of the event.
    let kinds: std::collections::HashSet<_> =
        table.iter().map(|(event, _)| std::mem::discriminant(event)).collect();
    let all = super::stored::kinds_of_events();
    assert_eq!((table.len(), kinds.len()), (all, all), "a row for each kind of event");
    for (event, legal) in table {
        for from in Status::ALL {
            let wanted = legal.iter().find(|(status, _)| *status == from).map(|(_, to)| *to);
            assert_eq!(from.after(&event), wanted, "{} in {}", event.name(), from.as_str());
        }
    }
}

#[test]
fn names_and_codes_of_statuses_read_back() {
    for status in Status::ALL {
        assert_eq!(Status::parse(status.as_str()), Some(status));
        assert_eq!(Status::from_code(status.to_code()), Some(status));
    }
    assert_eq!((Status::parse("done"), Status::from_code(0), Status::from_code(11)), (None, None, None));
    let rests: Vec<&str> = Status::ALL.into_iter().filter(|s| !s.is_at_rest()).map(Status::as_str).collect();
    assert_eq!(rests, ["queued", "processing"]);
}

#[test]
fn a_history_opens_by_what_is_known() {
    let created = |instrument, confirmed| Event::Created { instrument, confirmed, reserved: false };
    let known = Some(Instrument::Wallet);
    assert_eq!(created(known, true).opening_status(), Some(Queued));
    assert_eq!(created(known, false).opening_status(), Some(RequiresConfirmation));
    assert_eq!(created(None, true).opening_status(), Some(RequiresPaymentMethod));
    assert_eq!(created(None, false).opening_status(), Some(RequiresPaymentMethod));
    assert_eq!(Event::SUCCEEDED.opening_status(), None);
}
