//! Origins: which API request asked for something. Shown in the dialect's events; no decision depends on it.

use arrayvec::ArrayVec;

use super::event::{CancelReason, Event};
use super::ids::RequestId;
use super::payment::Payment;

/// An API request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// As sent back in `Request-Id`.
    pub request: RequestId,
    /// The idempotency key as it was sent, unless it could hold a card number.
    pub key: Option<Box<str>>,
}

impl Origin {
    /// The bytes of its text.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        self.key.as_ref().map_or(0, |key| key.len())
    }
}

/// The most versions that may hold the cause of a version.
pub const CAUSES_MAX: usize = 3;

/// The versions of a payment, likeliest first, one of which holds the request that caused this version. A caller's action is
/// its own cause; an acquirer's answer is caused by the request that it answers, however often that was retried. What happens
/// by itself, when its time has come, has no cause.
#[must_use]
pub fn causes(payment: &Payment, version: u32) -> ArrayVec<u32, CAUSES_MAX> {
    let mut causes = ArrayVec::new();
    let index = usize::try_from(version.saturating_sub(1)).unwrap_or(usize::MAX);
    let Some(recorded) = payment.history().get(index) else { return causes };
    causes.push(version);
    let last = |fits: &dyn Fn(&Event) -> bool| {
        let before = (1..version).zip(payment.history());
        before.filter(|(_, recorded)| fits(&recorded.event)).last().map(|(version, _)| version)
    };
    let cancel_requested = || last(&|event| matches!(event, Event::CancelRequested { .. }));
    match recorded.event {
        Event::ActionRequired {}
        | Event::Authorized { .. }
        | Event::Succeeded { .. }
        | Event::Declined { .. }
        | Event::Pending { .. }
        | Event::Failed { .. } => {
            let asked = last(&asks_for_authorization);
            // A pending payment settles by itself.
            let settled = last(&|event| matches!(event, Event::Pending { .. })) > asked;
            causes.extend(asked.filter(|_| !settled));
        }
        Event::Canceled { reason: CancelReason::Expired, .. } => {}
        Event::Canceled { .. } => causes.extend(cancel_requested()),
        Event::Voided {} => {
            causes.extend(last(&|event| matches!(event, Event::VoidQueued { .. })));
            causes.extend(cancel_requested());
        }
        Event::Captured { .. } | Event::CaptureDeclined { .. } => {
            causes.extend(last(&|event| matches!(event, Event::CaptureQueued { .. })));
        }
        Event::RefundSucceeded { refund, .. } | Event::RefundFailed { refund, .. } => {
            let began =
                |event: &Event| matches!(event, Event::RefundQueued { refund: it, .. } if *it == refund);
            // What was pending, or had arrived, goes on by itself.
            let by_itself = last(
                &|event| matches!(event, Event::RefundPending { refund: it, .. } | Event::RefundSucceeded { refund: it, .. } if *it == refund),
            );
            causes.extend(last(&began).filter(|_| by_itself.is_none()));
        }
        // Evidence that names its outcome is decided in the batch that keeps it.
        Event::DisputeEscalated { dispute, .. } | Event::DisputeClosed { dispute, .. } => {
            let noted =
                |event: &Event| matches!(event, Event::DisputeNoted { dispute: it, .. } if *it == dispute);
            let before = version.saturating_sub(1);
            causes.extend(
                last(&noted).filter(|noted| *noted == before && payment.end_of_batch(before) >= version),
            );
        }
        Event::Created { .. }
        | Event::Confirmed { .. }
        | Event::Started { .. }
        | Event::ActionCompleted {}
        | Event::RetryScheduled { .. }
        | Event::Requeued {}
        | Event::Replayed { .. }
        | Event::CancelRequested { .. }
        | Event::CaptureQueued { .. }
        | Event::Available {}
        | Event::VoidQueued { .. }
        | Event::RefundQueued { .. }
        | Event::OperationRetryScheduled { .. }
        | Event::OperationRequeued { .. }
        | Event::OperationParked { .. }
        | Event::OperationReplayed { .. }
        | Event::Amended { .. }
        | Event::RefundPending { .. }
        | Event::Foreseen { .. }
        | Event::DisputeOpened { .. }
        | Event::DisputeNoted { .. }
        | Event::FraudWarned { .. } => {}
    }
    causes
}

/// Whether a caller asks for an authorization with this event, judging by the event alone.
const fn asks_for_authorization(event: &Event) -> bool {
    matches!(
        event,
        Event::Created { confirmed: true, .. }
            | Event::Confirmed { .. }
            | Event::ActionCompleted {}
            | Event::Replayed { .. }
    )
}
