//! Announcements: the dialect's events, of which an account is notified. Pure.
//!
//! Those of payments follow from the history: they can be rebuilt at any time, and what each shows is folded from the history
//! when it is read. Plain resources have no history, so theirs are written with the change, together with the resource before
//! and after it ([`super::resource::States`]).

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use arrayvec::ArrayVec;

use super::announcement_kind::AnnouncementKind;
use super::clock::ClockStatus;
use super::dispute::{DisputeOutcome, DisputeStage};
use super::event::{CancelReason, Event};
use super::ids::{DisputeId, RefundId, TEXT_LEN, base62_decode};
use super::payment::Payment;
use super::resource::Body;
use super::subject::{Subject, SubjectKind};
use super::submission::Kind;
use super::time::Timestamp;

/// The most that one event of a history announces.
pub const ANNOUNCED_MAX: usize = 3;

/// The id of an announcement: the version that announces it, and its number among that version's. Shown as `evt_…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AnnouncementId {
    /// The payment or resource it happened to.
    pub subject: Subject,
    /// The version that the event made.
    pub version: u32,
    /// Its number among the version's announcements, from 0.
    pub n: u8,
}

const PREFIX: &str = "evt_";

impl fmt::Display for AnnouncementId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (subject, letter) = (self.subject.with_prefix(PREFIX), self.subject.kind().letter());
        write!(f, "{subject}{}{}n{}", letter.map(String::from).unwrap_or_default(), self.version, self.n)
    }
}

/// Text that is not an announcement's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the id of an event")]
pub struct NoAnnouncement;

impl FromStr for AnnouncementId {
    type Err = NoAnnouncement;

    fn from_str(text: &str) -> Result<Self, NoAnnouncement> {
        let read = || {
            let (bits, rest) = text.strip_prefix(PREFIX)?.split_at_checked(TEXT_LEN)?;
            let letter = rest.chars().next().filter(char::is_ascii_lowercase);
            let kind = SubjectKind::ALL.into_iter().find(|kind| kind.letter() == letter)?;
            let rest = letter.map_or(rest, |letter| rest.trim_start_matches(letter));
            let (version, n) = rest.split_once('n')?;
            let id = Self {
                subject: Subject::new(kind, base62_decode(bits)?.to_be_bytes()),
                version: version.parse().ok()?,
                n: n.parse().ok()?,
            };
            // Only the canonical form: an object has one id.
            (id.to_string() == text).then_some(id)
        };
        read().ok_or(NoAnnouncement)
    }
}

/// One announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Announcement {
    /// When it happened, by the subject's clock.
    pub at: Timestamp,
    /// Derived from subject and version, so it never changes.
    pub id: AnnouncementId,
    /// The event type shown.
    pub kind: AnnouncementKind,
    /// When it happened, by the wall clock.
    pub wall: Timestamp,
}

/// The announcements of these versions of a payment, in order.
#[must_use]
pub fn announced(payment: &Payment, versions: Range<u32>) -> Vec<Announcement> {
    let skip = versions.start.saturating_sub(1);
    let mut so_far = payment.at_version(skip);
    let count = usize::try_from(versions.end.saturating_sub(versions.start)).unwrap_or(0);
    let history = payment.history().iter().skip(usize::try_from(skip).unwrap_or(usize::MAX));
    let mut announced = Vec::new();
    for (version, recorded) in (versions.start..).zip(history).take(count) {
        so_far = match so_far.take() {
            None => Payment::open(Arc::clone(payment.submitted()), *recorded).ok(),
            // The history has been folded before, so every event applies.
            Some(mut so_far) => so_far.apply(*recorded).is_ok().then_some(so_far),
        };
        let Some(after) = &so_far else { break };
        let kinds = kinds_of(after, &recorded.event);
        announced.extend((0..).zip(kinds).map(|(n, kind)| Announcement {
            at: recorded.at,
            id: AnnouncementId { subject: payment.id().into(), version, n },
            kind,
            wall: recorded.wall,
        }));
    }
    announced
}

/// The refund that the event is about.
#[must_use]
pub const fn refund_of(event: &Event) -> Option<RefundId> {
    match event {
        Event::RefundQueued { refund, .. }
        | Event::RefundPending { refund, .. }
        | Event::RefundSucceeded { refund, .. }
        | Event::RefundFailed { refund, .. } => Some(*refund),
        Event::Created { .. }
        | Event::Confirmed { .. }
        | Event::Started { .. }
        | Event::ActionRequired {}
        | Event::ActionCompleted {}
        | Event::Authorized { .. }
        | Event::Succeeded { .. }
        | Event::Declined { .. }
        | Event::Pending { .. }
        | Event::RetryScheduled { .. }
        | Event::Requeued {}
        | Event::Failed { .. }
        | Event::Replayed { .. }
        | Event::CancelRequested { .. }
        | Event::Canceled { .. }
        | Event::CaptureQueued { .. }
        | Event::Captured { .. }
        | Event::Available {}
        | Event::CaptureDeclined { .. }
        | Event::VoidQueued { .. }
        | Event::Voided {}
        | Event::OperationRetryScheduled { .. }
        | Event::OperationRequeued { .. }
        | Event::OperationParked { .. }
        | Event::OperationReplayed { .. }
        | Event::Amended { .. }
        | Event::Foreseen { .. }
        | Event::DisputeOpened { .. }
        | Event::DisputeNoted { .. }
        | Event::DisputeEscalated { .. }
        | Event::DisputeClosed { .. }
        | Event::FraudWarned { .. } => None,
    }
}

/// The dispute that the event is about.
#[must_use]
pub const fn dispute_of(event: &Event) -> Option<DisputeId> {
    match event {
        Event::DisputeOpened { dispute, .. }
        | Event::DisputeNoted { dispute, .. }
        | Event::DisputeEscalated { dispute, .. }
        | Event::DisputeClosed { dispute, .. } => Some(*dispute),
        _ => None,
    }
}

/// The announcements of an event; `after` is the payment with it applied.
fn kinds_of(after: &Payment, event: &Event) -> ArrayVec<AnnouncementKind, ANNOUNCED_MAX> {
    let [charge, top_up, transfer, payout] = by_kind_of_payment(after, event);
    let kinds = match after.submission().kind {
        Kind::Charge => charge,
        Kind::TopUp => top_up,
        Kind::Transfer { .. } => transfer,
        Kind::Payout { .. } => payout,
    };
    kinds.iter().copied().collect()
}

/// What an event announces of a charge, of added money, of a transfer and of a payout.
fn by_kind_of_payment(after: &Payment, event: &Event) -> [&'static [AnnouncementKind]; 4] {
    use AnnouncementKind as It;
    match event {
        Event::Created { .. } => {
            [&[It::IntentCreated], &[It::TopUpCreated], &[It::TransferCreated], &[It::PayoutCreated]]
        }
        Event::Pending { .. } => [&[It::IntentProcessing], &[], &[], &[It::PayoutUpdated]],
        Event::ActionRequired {} => [&[It::IntentRequiresAction], &[], &[], &[]],
        Event::Authorized { .. } => [&[It::ChargeSucceeded, It::IntentCapturable], &[], &[], &[]],
        Event::Succeeded { .. } => {
            [&[It::ChargeSucceeded, It::IntentSucceeded], &[It::TopUpSucceeded], &[], &[It::PayoutPaid]]
        }
        Event::Captured { .. } => [&[It::ChargeCaptured, It::IntentSucceeded], &[], &[], &[]],
        // No issuer was asked for money, so there is no charge.
        Event::Declined { .. } if after.ended_at_authentication() => {
            [&[It::IntentFailed], &[It::TopUpFailed], &[], &[It::PayoutFailed]]
        }
        Event::Declined { .. } | Event::Failed { .. } => {
            [&[It::ChargeFailed, It::IntentFailed], &[It::TopUpFailed], &[], &[It::PayoutFailed]]
        }
        Event::Canceled { reason: CancelReason::Expired, .. } => {
            [&[It::ChargeExpired, It::IntentCanceled], &[It::TopUpCanceled], &[], &[It::PayoutCanceled]]
        }
        Event::Canceled { .. } => [&[It::IntentCanceled], &[It::TopUpCanceled], &[], &[It::PayoutCanceled]],
        Event::Voided {} => [&[It::IntentCanceled], &[], &[], &[]],
        Event::RefundQueued { .. } => [&[It::ChargeRefunded, It::RefundCreated], &[], &[], &[]],
        Event::RefundSucceeded { .. } => [&[It::RefundUpdated], &[], &[], &[]],
        Event::RefundFailed { refund, .. }
            if after.refund(*refund).is_some_and(|refund| refund.came_back) =>
        {
            [&[It::RefundFailed, It::RefundUpdated, It::ChargeRefundUpdated], &[], &[], &[]]
        }
        Event::RefundFailed { .. } => [&[It::RefundFailed, It::RefundUpdated], &[], &[], &[]],
        Event::DisputeOpened { stage: DisputeStage::Inquiry, .. } => [&[It::DisputeCreated], &[], &[], &[]],
        Event::DisputeOpened { stage: DisputeStage::Chargeback, .. } => {
            [&[It::DisputeCreated, It::DisputeFundsWithdrawn], &[], &[], &[]]
        }
        Event::DisputeNoted { .. } => [&[It::DisputeUpdated], &[], &[], &[]],
        Event::DisputeEscalated { .. } => [&[It::DisputeUpdated, It::DisputeFundsWithdrawn], &[], &[], &[]],
        Event::DisputeClosed { outcome: DisputeOutcome::Won, .. } => {
            [&[It::DisputeClosed, It::DisputeFundsReinstated], &[], &[], &[]]
        }
        Event::DisputeClosed { .. } => [&[It::DisputeClosed], &[], &[], &[]],
        Event::FraudWarned { .. } => [&[It::FraudWarningCreated], &[], &[], &[]],
        Event::Confirmed { .. }
        | Event::Started { .. }
        | Event::ActionCompleted {}
        | Event::RetryScheduled { .. }
        | Event::Requeued {}
        | Event::Replayed { .. }
        | Event::CancelRequested { .. }
        | Event::CaptureQueued { .. }
        | Event::Available {}
        | Event::CaptureDeclined { .. }
        | Event::VoidQueued { .. }
        | Event::OperationRetryScheduled { .. }
        | Event::OperationRequeued { .. }
        | Event::OperationParked { .. }
        | Event::OperationReplayed { .. }
        | Event::Amended { .. }
        | Event::RefundPending { .. }
        | Event::Foreseen { .. } => [&[]; 4],
    }
}

/// The announcement of a change to a plain resource. Steps of an advance and changes of a clock's rate are not announced.
#[must_use]
pub const fn of_change(before: Option<&Body>, after: Option<&Body>) -> Option<AnnouncementKind> {
    use AnnouncementKind as It;
    match (before, after) {
        (None, Some(Body::Customer(_))) => Some(It::CustomerCreated),
        (Some(Body::Customer(_)), Some(_)) => Some(It::CustomerUpdated),
        (Some(Body::Customer(_)), None) => Some(It::CustomerDeleted),
        (None, Some(Body::Clock(_))) => Some(It::ClockCreated),
        (Some(Body::Clock(before)), Some(Body::Clock(after))) => match (before.status(), after.status()) {
            (ClockStatus::Ready, ClockStatus::Advancing { .. }) => Some(It::ClockAdvancing),
            (ClockStatus::Advancing { .. }, ClockStatus::Ready) => Some(It::ClockReady),
            (ClockStatus::Ready, ClockStatus::Ready)
            | (ClockStatus::Advancing { .. }, ClockStatus::Advancing { .. }) => None,
        },
        (Some(Body::Clock(_)), None) => Some(It::ClockDeleted),
        (Some(Body::Clock(_)), Some(Body::Customer(_))) | (None, None) => None,
    }
}
