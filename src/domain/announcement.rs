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

use super::clock::ClockStatus;
use super::event::{CancelReason, Event};
use super::ids::{RefundId, TEXT_LEN, base62_decode};
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

macro_rules! kinds {
    ($($(#[$meta:meta])* $name:ident = $code:literal, $dialect:literal;)+) => {
        /// The kinds of announcements: the event types of the dialect.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum AnnouncementKind {
            $($(#[$meta])* $name,)+
        }

        impl AnnouncementKind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The number stored. Never changed.
            #[must_use]
            pub const fn to_code(self) -> i16 {
                match self { $(Self::$name => $code,)+ }
            }

            /// The dialect's `type`.
            #[must_use]
            pub const fn dialect(self) -> &'static str {
                match self { $(Self::$name => $dialect,)+ }
            }
        }
    };
}

kinds! {
    /// A charge was created.
    IntentCreated = 1, "payment_intent.created";
    /// The charge was accepted outside and settles later.
    IntentProcessing = 2, "payment_intent.processing";
    /// The cardholder has to authenticate.
    IntentRequiresAction = 3, "payment_intent.requires_action";
    /// The amount is held.
    IntentCapturable = 4, "payment_intent.amount_capturable_updated";
    /// The money has arrived.
    IntentSucceeded = 5, "payment_intent.succeeded";
    /// An attempt failed.
    IntentFailed = 6, "payment_intent.payment_failed";
    /// The charge was canceled.
    IntentCanceled = 7, "payment_intent.canceled";
    /// The issuer approved.
    ChargeSucceeded = 8, "charge.succeeded";
    /// The issuer declined, or could not be asked.
    ChargeFailed = 9, "charge.failed";
    /// The amount held was captured.
    ChargeCaptured = 10, "charge.captured";
    /// The authorization lapsed.
    ChargeExpired = 11, "charge.expired";
    /// A refund began.
    ChargeRefunded = 12, "charge.refunded";
    /// A refund was created.
    RefundCreated = 13, "refund.created";
    /// A refund changed.
    RefundUpdated = 14, "refund.updated";
    /// A refund could not be made.
    RefundFailed = 15, "refund.failed";
    /// Adding money began.
    TopUpCreated = 16, "topup.created";
    /// The added money has arrived.
    TopUpSucceeded = 17, "topup.succeeded";
    /// The added money did not arrive.
    TopUpFailed = 18, "topup.failed";
    /// Adding money was canceled.
    TopUpCanceled = 19, "topup.canceled";
    /// A transfer was created.
    TransferCreated = 20, "transfer.created";
    /// A payout was created.
    PayoutCreated = 21, "payout.created";
    /// The bank accepted the payout.
    PayoutUpdated = 22, "payout.updated";
    /// The payout has arrived.
    PayoutPaid = 23, "payout.paid";
    /// The payout came back.
    PayoutFailed = 24, "payout.failed";
    /// The payout was canceled.
    PayoutCanceled = 25, "payout.canceled";
    /// A customer was created.
    CustomerCreated = 26, "customer.created";
    /// A customer changed.
    CustomerUpdated = 27, "customer.updated";
    /// A customer was deleted.
    CustomerDeleted = 28, "customer.deleted";
    /// A test clock was created.
    ClockCreated = 29, "test_helpers.test_clock.created";
    /// A test clock is being advanced.
    ClockAdvancing = 30, "test_helpers.test_clock.advancing";
    /// A test clock has been advanced.
    ClockReady = 31, "test_helpers.test_clock.ready";
    /// A test clock was deleted.
    ClockDeleted = 32, "test_helpers.test_clock.deleted";
}

impl AnnouncementKind {
    /// The kind stored under this number.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.to_code() == code)
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
pub fn refund_of(event: &Event) -> Option<RefundId> {
    match event {
        Event::RefundQueued { refund, .. }
        | Event::RefundSucceeded { refund }
        | Event::RefundFailed { refund, .. } => Some(*refund),
        _ => None,
    }
}

/// The announcements of an event; `after` is the payment with it applied.
fn kinds_of(after: &Payment, event: &Event) -> ArrayVec<AnnouncementKind, ANNOUNCED_MAX> {
    match after.submission().kind {
        Kind::Charge => of_charge(after, event),
        Kind::TopUp => of_top_up(event).into_iter().collect(),
        Kind::Transfer { .. } => {
            let created = matches!(event, Event::Created { .. });
            created.then_some(AnnouncementKind::TransferCreated).into_iter().collect()
        }
        Kind::Payout { .. } => of_payout(event).into_iter().collect(),
    }
}

fn of_charge(after: &Payment, event: &Event) -> ArrayVec<AnnouncementKind, ANNOUNCED_MAX> {
    use AnnouncementKind as It;
    let kinds: &[It] = match event {
        Event::Created { .. } => &[It::IntentCreated],
        Event::Pending { .. } => &[It::IntentProcessing],
        Event::ActionRequired {} => &[It::IntentRequiresAction],
        Event::Authorized { .. } => &[It::ChargeSucceeded, It::IntentCapturable],
        Event::Succeeded { .. } => &[It::ChargeSucceeded, It::IntentSucceeded],
        Event::Captured { .. } => &[It::ChargeCaptured, It::IntentSucceeded],
        // No issuer was asked for money, so there is no charge.
        Event::Declined { .. } if after.ended_at_authentication() => &[It::IntentFailed],
        Event::Declined { .. } | Event::Failed { .. } => &[It::ChargeFailed, It::IntentFailed],
        Event::Canceled { reason: CancelReason::Expired, .. } => &[It::ChargeExpired, It::IntentCanceled],
        Event::Canceled { .. } | Event::Voided {} => &[It::IntentCanceled],
        Event::RefundQueued { .. } => &[It::ChargeRefunded, It::RefundCreated],
        Event::RefundSucceeded { .. } => &[It::RefundUpdated],
        Event::RefundFailed { .. } => &[It::RefundFailed, It::RefundUpdated],
        _ => &[],
    };
    kinds.iter().copied().collect()
}

const fn of_top_up(event: &Event) -> Option<AnnouncementKind> {
    match event {
        Event::Created { .. } => Some(AnnouncementKind::TopUpCreated),
        Event::Succeeded { .. } => Some(AnnouncementKind::TopUpSucceeded),
        Event::Declined { .. } | Event::Failed { .. } => Some(AnnouncementKind::TopUpFailed),
        Event::Canceled { .. } => Some(AnnouncementKind::TopUpCanceled),
        _ => None,
    }
}

const fn of_payout(event: &Event) -> Option<AnnouncementKind> {
    match event {
        Event::Created { .. } => Some(AnnouncementKind::PayoutCreated),
        Event::Pending { .. } => Some(AnnouncementKind::PayoutUpdated),
        Event::Succeeded { .. } => Some(AnnouncementKind::PayoutPaid),
        Event::Declined { .. } | Event::Failed { .. } => Some(AnnouncementKind::PayoutFailed),
        Event::Canceled { .. } => Some(AnnouncementKind::PayoutCanceled),
        _ => None,
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
