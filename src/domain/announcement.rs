//! What an account is told: the dialect's events. Pure. Those of payments follow from the history, so they can be written down
//! anew at any time, and what each shows is folded from the history when it is read. Those of plain resources, which have no
//! history, are written with the change, beside what the resource was before and after it ([`super::resource::States`]).

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

/// What an announcement is called: which of what a version of a payment or resource announces. Shown as `evt_…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AnnouncementId {
    /// What it happened to.
    pub subject: Subject,
    /// The version that the event made.
    pub version: u32,
    /// Which of what it announces, from 0.
    pub n: u8,
}

const PREFIX: &str = "evt_";

impl fmt::Display for AnnouncementId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (subject, letter) = (self.subject.with_prefix(PREFIX), self.subject.kind().letter());
        write!(f, "{subject}{}{}n{}", letter.map(String::from).unwrap_or_default(), self.version, self.n)
    }
}

/// What is not the name of an announcement.
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
            // Only as it is written: an object has one id.
            (id.to_string() == text).then_some(id)
        };
        read().ok_or(NoAnnouncement)
    }
}

macro_rules! kinds {
    ($($(#[$meta:meta])* $name:ident = $code:literal, $dialect:literal;)+) => {
        /// The kinds of announcements, in the dialect's words.
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
    /// It was accepted outside, and settles later.
    IntentProcessing = 2, "payment_intent.processing";
    /// The cardholder has to prove themselves.
    IntentRequiresAction = 3, "payment_intent.requires_action";
    /// The amount is held.
    IntentCapturable = 4, "payment_intent.amount_capturable_updated";
    /// The money has arrived.
    IntentSucceeded = 5, "payment_intent.succeeded";
    /// An attempt failed.
    IntentFailed = 6, "payment_intent.payment_failed";
    /// It was called off.
    IntentCanceled = 7, "payment_intent.canceled";
    /// The issuer said yes.
    ChargeSucceeded = 8, "charge.succeeded";
    /// The issuer said no, or could not be asked.
    ChargeFailed = 9, "charge.failed";
    /// What was held was captured.
    ChargeCaptured = 10, "charge.captured";
    /// What was held lapsed.
    ChargeExpired = 11, "charge.expired";
    /// A refund began.
    ChargeRefunded = 12, "charge.refunded";
    /// A refund was created.
    RefundCreated = 13, "refund.created";
    /// It changed.
    RefundUpdated = 14, "refund.updated";
    /// It could not be made.
    RefundFailed = 15, "refund.failed";
    /// Adding money began.
    TopUpCreated = 16, "topup.created";
    /// It has arrived.
    TopUpSucceeded = 17, "topup.succeeded";
    /// It did not arrive.
    TopUpFailed = 18, "topup.failed";
    /// It was called off.
    TopUpCanceled = 19, "topup.canceled";
    /// A transfer was created.
    TransferCreated = 20, "transfer.created";
    /// A payout was created.
    PayoutCreated = 21, "payout.created";
    /// The bank has it.
    PayoutUpdated = 22, "payout.updated";
    /// It has arrived.
    PayoutPaid = 23, "payout.paid";
    /// It came back.
    PayoutFailed = 24, "payout.failed";
    /// It was called off.
    PayoutCanceled = 25, "payout.canceled";
    /// A customer was created.
    CustomerCreated = 26, "customer.created";
    /// They changed.
    CustomerUpdated = 27, "customer.updated";
    /// They were deleted.
    CustomerDeleted = 28, "customer.deleted";
    /// A test clock was created.
    ClockCreated = 29, "test_helpers.test_clock.created";
    /// It is on its way to another time.
    ClockAdvancing = 30, "test_helpers.test_clock.advancing";
    /// It has arrived.
    ClockReady = 31, "test_helpers.test_clock.ready";
    /// It was deleted.
    ClockDeleted = 32, "test_helpers.test_clock.deleted";
}

impl AnnouncementKind {
    /// The kind stored under this number.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.to_code() == code)
    }
}

/// What is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Announcement {
    /// When it happened.
    pub at: Timestamp,
    /// What it is called.
    pub id: AnnouncementId,
    /// What happened.
    pub kind: AnnouncementKind,
    /// When, by the wall.
    pub wall: Timestamp,
}

/// What these versions of a payment announce, in order.
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
            // A payment that was folded once folds again.
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

/// The refund that the event of this version is about.
#[must_use]
pub fn refund_of(event: &Event) -> Option<RefundId> {
    match event {
        Event::RefundQueued { refund, .. }
        | Event::RefundSucceeded { refund }
        | Event::RefundFailed { refund, .. } => Some(*refund),
        _ => None,
    }
}

/// What an event announces; `after` is the payment with it.
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
        // No issuer was asked for money, so that there is no charge.
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

/// What a change of a plain resource announces. The steps of a clock on its way, and how fast it runs, are no news.
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
