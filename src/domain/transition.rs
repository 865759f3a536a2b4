//! The status machine: one total function that decides which event may follow in which status.

use super::event::Event;
use super::status::Status;

impl Status {
    /// The status after `event`, or `None` where that event is not legal in this status.
    #[must_use]
    pub const fn after(self, event: &Event) -> Option<Self> {
        use Status::{
            Canceled, Declined, Failed, Processing, Queued, RequiresAction, RequiresCapture,
            RequiresConfirmation, RequiresPaymentMethod, Succeeded,
        };
        match event {
            // `Created` only opens a history; see `Event::opening_status`.
            Event::Created { .. } => None,
            Event::Confirmed { .. } => match self {
                RequiresPaymentMethod | RequiresConfirmation | Declined => Some(Queued),
                Queued | Processing | RequiresAction | RequiresCapture | Succeeded | Failed | Canceled => {
                    None
                }
            },
            Event::Started { .. } => match self {
                Queued => Some(Processing),
                RequiresPaymentMethod
                | RequiresConfirmation
                | Processing
                | RequiresAction
                | RequiresCapture
                | Succeeded
                | Declined
                | Failed
                | Canceled => None,
            },
            Event::ActionRequired { .. } => match self {
                Processing => Some(RequiresAction),
                RequiresPaymentMethod
                | RequiresConfirmation
                | Queued
                | RequiresAction
                | RequiresCapture
                | Succeeded
                | Declined
                | Failed
                | Canceled => None,
            },
            Event::ActionCompleted { .. } => match self {
                RequiresAction => Some(Queued),
                RequiresPaymentMethod
                | RequiresConfirmation
                | Queued
                | Processing
                | RequiresCapture
                | Succeeded
                | Declined
                | Failed
                | Canceled => None,
            },
            Event::Authorized { .. } => match self {
                Processing => Some(RequiresCapture),
                RequiresPaymentMethod
                | RequiresConfirmation
                | Queued
                | RequiresAction
                | RequiresCapture
                | Succeeded
                | Declined
                | Failed
                | Canceled => None,
            },
            Event::Succeeded { .. } => match self {
                Processing => Some(Succeeded),
                RequiresPaymentMethod
                | RequiresConfirmation
                | Queued
                | RequiresAction
                | RequiresCapture
                | Succeeded
                | Declined
                | Failed
                | Canceled => None,
            },
            Event::Declined { .. } => match self {
                // From `Queued` when the wallet itself cannot cover what is asked of it.
                Queued | Processing | RequiresAction => Some(Declined),
                RequiresPaymentMethod
                | RequiresConfirmation
                | RequiresCapture
                | Succeeded
                | Declined
                | Failed
                | Canceled => None,
            },
            Event::Pending { .. } => match self {
                Processing => Some(Processing),
                RequiresPaymentMethod
                | RequiresConfirmation
                | Queued
                | RequiresAction
                | RequiresCapture
                | Succeeded
                | Declined
                | Failed
                | Canceled => None,
            },
            Event::RetryScheduled { .. } => match self {
                Processing => Some(Queued),
                RequiresPaymentMethod
                | RequiresConfirmation
                | Queued
                | RequiresAction
                | RequiresCapture
                | Succeeded
                | Declined
                | Failed
                | Canceled => None,
            },
            Event::Requeued { .. } => match self {
                Queued => Some(Queued),
                RequiresPaymentMethod
                | RequiresConfirmation
                | Processing
                | RequiresAction
                | RequiresCapture
                | Succeeded
                | Declined
                | Failed
                | Canceled => None,
            },
            Event::Failed { .. } => match self {
                Processing => Some(Failed),
                RequiresPaymentMethod
                | RequiresConfirmation
                | Queued
                | RequiresAction
                | RequiresCapture
                | Succeeded
                | Declined
                | Failed
                | Canceled => None,
            },
            Event::Replayed { .. } => match self {
                Failed => Some(Queued),
                RequiresPaymentMethod
                | RequiresConfirmation
                | Queued
                | Processing
                | RequiresAction
                | RequiresCapture
                | Succeeded
                | Declined
                | Canceled => None,
            },
            Event::CancelRequested { .. } => match self {
                Queued | Processing => Some(self),
                RequiresPaymentMethod
                | RequiresConfirmation
                | RequiresAction
                | RequiresCapture
                | Succeeded
                | Declined
                | Failed
                | Canceled => None,
            },
            Event::Canceled { .. } => match self {
                RequiresPaymentMethod
                | RequiresConfirmation
                | Queued
                | Processing
                | RequiresAction
                | RequiresCapture
                | Declined
                | Failed => Some(Canceled),
                Succeeded | Canceled => None,
            },
            Event::CaptureQueued { .. } | Event::VoidQueued { .. } | Event::CaptureDeclined { .. } => {
                match self {
                    RequiresCapture => Some(RequiresCapture),
                    RequiresPaymentMethod
                    | RequiresConfirmation
                    | Queued
                    | Processing
                    | RequiresAction
                    | Succeeded
                    | Declined
                    | Failed
                    | Canceled => None,
                }
            }
            Event::Captured { .. } => match self {
                RequiresCapture => Some(Succeeded),
                RequiresPaymentMethod
                | RequiresConfirmation
                | Queued
                | Processing
                | RequiresAction
                | Succeeded
                | Declined
                | Failed
                | Canceled => None,
            },
            Event::Voided { .. } => match self {
                RequiresCapture => Some(Canceled),
                RequiresPaymentMethod
                | RequiresConfirmation
                | Queued
                | Processing
                | RequiresAction
                | Succeeded
                | Declined
                | Failed
                | Canceled => None,
            },
            Event::RefundQueued { .. }
            | Event::RefundSucceeded { .. }
            | Event::RefundFailed { .. }
            | Event::RefundPending { .. }
            | Event::Foreseen { .. }
            | Event::DisputeOpened { .. }
            | Event::DisputeNoted { .. }
            | Event::DisputeEscalated { .. }
            | Event::DisputeClosed { .. }
            | Event::FraudWarned { .. }
            | Event::Available { .. } => match self {
                Succeeded => Some(Succeeded),
                RequiresPaymentMethod
                | RequiresConfirmation
                | Queued
                | Processing
                | RequiresAction
                | RequiresCapture
                | Declined
                | Failed
                | Canceled => None,
            },
            // Whether an amendment is admitted depends on what it changes; it moves nothing.
            Event::Amended { .. } => Some(self),
            // Retries and parking of an operation on a payment that is itself at rest.
            Event::OperationRetryScheduled { .. }
            | Event::OperationRequeued { .. }
            | Event::OperationParked { .. }
            | Event::OperationReplayed { .. } => match self {
                RequiresCapture | Succeeded => Some(self),
                RequiresPaymentMethod
                | RequiresConfirmation
                | Queued
                | Processing
                | RequiresAction
                | Declined
                | Failed
                | Canceled => None,
            },
        }
    }
}
