//! Which request of the API asked for something: told in the dialect's events, and nothing is decided by it.

use arrayvec::ArrayVec;

use super::event::{CancelReason, Event};
use super::ids::RequestId;
use super::payment::Payment;

/// A request of the API.
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

/// The most places at which what caused a version may stand.
pub const CAUSES_MAX: usize = 3;

/// The versions of a payment at one of which the request stands that brought this version about, the likeliest first: what a
/// caller did is its own cause; what an acquirer answers is caused by whoever asked for what it answers, however often that
/// was tried. What happens by itself, when its time has come, has no cause.
#[must_use]
pub fn causes(payment: &Payment, version: u32) -> ArrayVec<u32, CAUSES_MAX> {
    let mut causes = ArrayVec::new();
    let place = usize::try_from(version.saturating_sub(1)).unwrap_or(usize::MAX);
    let Some(recorded) = payment.history().get(place) else { return causes };
    causes.push(version);
    let last = |fits: &dyn Fn(&Event) -> bool| {
        let before = (1..version).zip(payment.history());
        before.filter(|(_, recorded)| fits(&recorded.event)).last().map(|(version, _)| version)
    };
    let wished = || last(&|event| matches!(event, Event::CancelRequested { .. }));
    match recorded.event {
        Event::ActionRequired {}
        | Event::Authorized { .. }
        | Event::Succeeded { .. }
        | Event::Declined { .. }
        | Event::Pending { .. }
        | Event::Failed { .. } => {
            let asked = last(&asks_for_authorization);
            // What was pending settles by itself.
            let settled = last(&|event| matches!(event, Event::Pending { .. })) > asked;
            causes.extend(asked.filter(|_| !settled));
        }
        Event::Canceled { reason: CancelReason::Expired, .. } => {}
        Event::Canceled { .. } => causes.extend(wished()),
        Event::Voided {} => {
            causes.extend(last(&|event| matches!(event, Event::VoidQueued { .. })));
            causes.extend(wished());
        }
        Event::Captured { .. } | Event::CaptureDeclined { .. } => {
            causes.extend(last(&|event| matches!(event, Event::CaptureQueued { .. })));
        }
        Event::RefundSucceeded { refund } | Event::RefundFailed { refund, .. } => {
            let began =
                |event: &Event| matches!(event, Event::RefundQueued { refund: it, .. } if *it == refund);
            causes.extend(last(&began));
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
        | Event::Amended { .. } => {}
    }
    causes
}

/// Whether a caller asks for an authorization with this, as far as the event alone tells.
const fn asks_for_authorization(event: &Event) -> bool {
    matches!(
        event,
        Event::Created { confirmed: true, .. }
            | Event::Confirmed { .. }
            | Event::ActionCompleted {}
            | Event::Replayed { .. }
    )
}
