//! Statements of wallets: one line for each event that changed what a wallet's owner has, including the fee kept back.
//!
//! Pure: a line follows from the payment's history, and its place from the movements that the event caused. So lines can be
//! rebuilt at any time, and each has an id that shows where it comes from.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use arrayvec::ArrayVec;

use super::announcement::dispute_of;
use super::dispute::{DisputeOutcome, DisputeStage};
use super::event::Event;
use super::ids::{ChargeId, DisputeId, PartId, PaymentId, RefundId};
use super::ledger::{self, LedgerAccount, Movement};
use super::payment::Payment;
use super::submission::Kind;
use super::time::Timestamp;
use super::wallet::WalletId;

/// The party whose wallet a line is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The submitter's.
    Submitter,
    /// The payee's.
    Payee,
}

impl Side {
    /// The number stored.
    #[must_use]
    pub const fn to_code(self) -> i16 {
        match self {
            Self::Submitter => 1,
            Self::Payee => 2,
        }
    }

    /// The side stored under this number.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        [Self::Submitter, Self::Payee].into_iter().find(|side| side.to_code() == code)
    }
}

/// The id of a line: which event of which payment, in whose wallet. Shown as `txn_…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineId {
    /// The payment whose event it is.
    pub payment: PaymentId,
    /// The version that the event made.
    pub version: u32,
    /// Whose wallet it changed.
    pub side: Side,
}

/// The name under which the reader that writes statements stores its position.
pub const READER: &str = "statement";

const PREFIX: &str = "txn_";

impl fmt::Display for LineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Submitter => 'a',
            Side::Payee => 'b',
        };
        write!(f, "{}{side}{}", self.payment.with_prefix(PREFIX), self.version)
    }
}

impl FromStr for LineId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = text.strip_prefix(PREFIX).ok_or(())?;
        let (payment, rest) = digits.split_at_checked(super::ids::TEXT_LEN).ok_or(())?;
        let payment = format!("pi_{payment}").parse().map_err(|_| ())?;
        let (side, version) = match (rest.strip_prefix('a'), rest.strip_prefix('b')) {
            (Some(version), _) => (Side::Submitter, version),
            (None, Some(version)) => (Side::Payee, version),
            (None, None) => return Err(()),
        };
        // Only the canonical form: an object has one id.
        let plain = version.bytes().all(|byte| byte.is_ascii_digit()) && !version.starts_with('0');
        let version = version.parse().ok().filter(|_| plain).ok_or(())?;
        Ok(Self { payment, version, side })
    }
}

/// Why a wallet changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LineKind {
    /// A charge arrived.
    Charge,
    /// Someone else's transfer arrived.
    Payment,
    /// Money was added.
    TopUp,
    /// A transfer left.
    Transfer,
    /// A transfer came back.
    TransferFailure,
    /// A transfer was canceled.
    TransferCancel,
    /// A payout left.
    Payout,
    /// A payout came back.
    PayoutFailure,
    /// A payout was canceled.
    PayoutCancel,
    /// A refund left.
    Refund,
    /// A refund came back.
    RefundFailure,
    /// A dispute took money.
    Dispute,
    /// The money of a dispute that was won came back.
    DisputeReversal,
}

impl LineKind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Charge,
        Self::Payment,
        Self::TopUp,
        Self::Transfer,
        Self::TransferFailure,
        Self::TransferCancel,
        Self::Payout,
        Self::PayoutFailure,
        Self::PayoutCancel,
        Self::Refund,
        Self::RefundFailure,
        Self::Dispute,
        Self::DisputeReversal,
    ];

    /// The number stored.
    #[must_use]
    pub const fn to_code(self) -> i16 {
        match self {
            Self::Charge => 1,
            Self::Payment => 2,
            Self::TopUp => 3,
            Self::Transfer => 4,
            Self::TransferFailure => 5,
            Self::TransferCancel => 6,
            Self::Payout => 7,
            Self::PayoutFailure => 8,
            Self::PayoutCancel => 9,
            Self::Refund => 10,
            Self::RefundFailure => 11,
            Self::Dispute => 12,
            Self::DisputeReversal => 13,
        }
    }

    /// The kind stored under this number.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.to_code() == code)
    }

    /// The dialect's `type`.
    #[must_use]
    pub const fn dialect(self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::Payment => "payment",
            Self::TopUp => "topup",
            Self::Transfer => "transfer",
            Self::TransferFailure => "transfer_failure",
            Self::TransferCancel => "transfer_cancel",
            Self::Payout => "payout",
            Self::PayoutFailure => "payout_failure",
            Self::PayoutCancel => "payout_cancel",
            Self::Refund => "refund",
            Self::RefundFailure => "refund_failure",
            Self::Dispute | Self::DisputeReversal => "adjustment",
        }
    }

    /// The dialect's `reporting_category`.
    #[must_use]
    pub const fn category(self) -> &'static str {
        match self {
            Self::Charge | Self::Payment => "charge",
            Self::TopUp => "topup",
            Self::Transfer => "transfer",
            Self::TransferFailure | Self::TransferCancel => "transfer_reversal",
            Self::Payout => "payout",
            Self::PayoutFailure | Self::PayoutCancel => "payout_reversal",
            Self::Refund => "refund",
            Self::RefundFailure => "refund_failure",
            Self::Dispute => "dispute",
            Self::DisputeReversal => "dispute_reversal",
        }
    }

    /// A few words for pages.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Charge => "Charge",
            Self::Payment => "Received",
            Self::TopUp => "Added money",
            Self::Transfer => "Transfer",
            Self::TransferFailure => "Transfer returned",
            Self::TransferCancel => "Transfer canceled",
            Self::Payout => "Payout",
            Self::PayoutFailure => "Payout returned",
            Self::PayoutCancel => "Payout canceled",
            Self::Refund => "Refund",
            Self::RefundFailure => "Refund returned",
            Self::Dispute => "Dispute",
            Self::DisputeReversal => "Dispute won",
        }
    }

    /// Why `event` changed this side's wallet.
    const fn of(kind: Kind, event: &Event, side: Side) -> Self {
        match (event, kind, side) {
            (Event::RefundQueued { .. }, _, _) => Self::Refund,
            (Event::RefundFailed { .. }, _, _) => Self::RefundFailure,
            (Event::DisputeOpened { .. } | Event::DisputeEscalated { .. }, _, _) => Self::Dispute,
            (Event::DisputeClosed { .. }, _, _) => Self::DisputeReversal,
            (Event::Canceled { .. }, Kind::Payout { .. }, _) => Self::PayoutCancel,
            (Event::Canceled { .. }, _, _) => Self::TransferCancel,
            (Event::Declined { .. } | Event::Failed { .. }, Kind::Payout { .. }, _) => Self::PayoutFailure,
            (Event::Declined { .. } | Event::Failed { .. }, _, _) => Self::TransferFailure,
            (_, Kind::Charge, _) => Self::Charge,
            (_, Kind::TopUp, _) => Self::TopUp,
            (_, Kind::Transfer { .. }, Side::Payee) => Self::Payment,
            (_, Kind::Transfer { .. }, Side::Submitter) => Self::Transfer,
            (_, Kind::Payout { .. }, _) => Self::Payout,
        }
    }
}

/// Where a movement stands: its batch's position in the journal, and its own among that batch's movements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinePlace {
    /// The batch's position in the journal.
    pub seq: u64,
    /// The movement's position in the batch.
    pub place: u32,
}

/// A line of a wallet's statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatementLine {
    /// Derived from the event, so a rebuilt line keeps it.
    pub id: LineId,
    /// The wallet that it changes.
    pub wallet: WalletId,
    /// Where it stands; lines are ordered by movement.
    pub place: LinePlace,
    /// Why the wallet changed.
    pub kind: LineKind,
    /// What came in (positive) or went out (negative) before the fee, in minor units.
    pub gross_minor: i64,
    /// The fee kept back, in minor units.
    pub fee_minor: i64,
    /// What the owner has after it, in minor units: the wallet's balance less what is owed.
    pub balance_minor: i64,
    /// When the money moved, by the clock of the wallet's side.
    pub at: Timestamp,
    /// When it can be paid out.
    pub available_at: Timestamp,
    /// The refund it is about, or the charge if that has an id of its own.
    pub part: Option<PartId>,
}

impl StatementLine {
    /// The change after the fee, in minor units.
    #[must_use]
    pub const fn net_minor(&self) -> i64 {
        self.gross_minor.saturating_sub(self.fee_minor)
    }
}

/// A line whose place and balance are not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draft {
    /// The line, as far as the history determines it.
    line: StatementLine,
    /// The index of the event's first movement that changed the wallet; the line takes that movement's place.
    pub n: u8,
}

impl Draft {
    /// The id that the line will have.
    #[must_use]
    pub const fn id(&self) -> LineId {
        self.line.id
    }

    /// The wallet that the line changes.
    #[must_use]
    pub const fn wallet(&self) -> WalletId {
        self.line.wallet
    }

    /// The line at the place of its movement; the balance is still to be added up.
    #[must_use]
    pub const fn at(&self, place: LinePlace) -> StatementLine {
        StatementLine { place, ..self.line }
    }
}

impl LineId {
    /// The line with which a charge's money came in; `None` until it has.
    #[must_use]
    pub fn of_charge(payment: &Payment) -> Option<Self> {
        Self::of_last(payment, |event| matches!(event, Event::Succeeded { .. } | Event::Captured { .. }))
    }

    /// The line with which a refund went out.
    #[must_use]
    pub fn of_refund(payment: &Payment, id: RefundId) -> Option<Self> {
        Self::of_last(payment, |event| matches!(event, Event::RefundQueued { refund, .. } if *refund == id))
    }

    /// The line with which a failed refund came back; `None` unless it did.
    #[must_use]
    pub fn of_failed_refund(payment: &Payment, id: RefundId) -> Option<Self> {
        Self::of_last(payment, |event| matches!(event, Event::RefundFailed { refund, .. } if *refund == id))
    }

    /// The lines of a dispute: with which its money left, and with which it came back.
    #[must_use]
    pub fn of_dispute(payment: &Payment, id: DisputeId) -> ArrayVec<Self, 2> {
        let left =
            Self::of_last(payment, |event| ledger::taken(event).is_some() && dispute_of(event) == Some(id));
        let back = Self::of_last(
            payment,
            |event| matches!(event, Event::DisputeClosed { dispute, outcome: DisputeOutcome::Won, .. } if *dispute == id),
        );
        left.into_iter().chain(back).collect()
    }

    /// The line in the submitter's wallet of the last event that `fits`.
    fn of_last(payment: &Payment, fits: impl Fn(&Event) -> bool) -> Option<Self> {
        let last = (1..).zip(payment.history()).filter(|(_, recorded)| fits(&recorded.event)).last();
        last.map(|(version, _)| Self { payment: payment.id(), version, side: Side::Submitter })
    }
}

/// Whether an event of this kind can change a wallet.
#[must_use]
pub const fn moves_money(event: &Event) -> bool {
    matches!(
        event,
        Event::Created { reserved: true, .. }
            | Event::Replayed { reserved: true }
            | Event::Succeeded { .. }
            | Event::Captured { .. }
            | Event::Declined { .. }
            | Event::Failed { .. }
            | Event::Canceled { .. }
            | Event::RefundQueued { .. }
            | Event::RefundFailed { .. }
            | Event::DisputeOpened { stage: DisputeStage::Chargeback, .. }
            | Event::DisputeEscalated { .. }
            | Event::DisputeClosed { outcome: DisputeOutcome::Won, .. }
    )
}

/// The lines of these versions of a payment.
#[must_use]
pub fn drafts(payment: &Payment, versions: Range<u32>) -> Vec<Draft> {
    let skip = versions.start.saturating_sub(1);
    let mut before = payment.at_version(skip);
    let mut drafts = Vec::new();
    let count = usize::try_from(versions.end.saturating_sub(versions.start)).unwrap_or(0);
    let history = payment.history().iter().skip(usize::try_from(skip).unwrap_or(usize::MAX));
    for (version, recorded) in (versions.start..).zip(history).take(count) {
        // The first event's effect on money depends on the submission alone.
        let state = before.as_ref().unwrap_or(payment);
        drafts.extend(of_event(state, version, recorded.at, &recorded.event));
        before = match before.take() {
            None => Payment::open(Arc::clone(payment.submitted()), *recorded).ok(),
            // The history has been folded before, so every event applies.
            Some(mut so_far) => so_far.apply(*recorded).is_ok().then_some(so_far),
        };
    }
    drafts
}

/// The lines of one event; `before` is the payment before it.
fn of_event(before: &Payment, version: u32, at: Timestamp, event: &Event) -> ArrayVec<Draft, 2> {
    let mut drafts = ArrayVec::new();
    if !moves_money(event) {
        return drafts;
    }
    let submission = before.submission();
    let movements = ledger::effects(before, event);
    let sides = [(Side::Submitter, Some(submission.own_wallet())), (Side::Payee, submission.payee_wallet())];
    for (side, wallet) in sides {
        let Some(wallet) = wallet else { continue };
        let Some(n) = movements.iter().position(|movement| net_of(movement, wallet).is_some()) else {
            continue;
        };
        let net_minor: i64 = movements.iter().filter_map(|movement| net_of(movement, wallet)).sum();
        let (fee_minor, available_at) = match event {
            Event::Succeeded { credit } | Event::Captured { credit, .. } => {
                (credit.fee_minor, credit.available_at)
            }
            Event::DisputeOpened { fee_minor, .. } | Event::DisputeEscalated { fee_minor, .. } => {
                (*fee_minor, None)
            }
            _ => (0, None),
        };
        let at = match event {
            Event::Succeeded { credit } if side == Side::Payee => credit.payee_at.unwrap_or(at),
            _ => at,
        };
        let part = match event {
            Event::RefundQueued { refund, .. } | Event::RefundFailed { refund, .. } => Some((*refund).into()),
            Event::DisputeOpened { dispute, .. }
            | Event::DisputeEscalated { dispute, .. }
            | Event::DisputeClosed { dispute, .. } => Some((*dispute).into()),
            Event::Succeeded { .. } | Event::Captured { .. } => charged_apart(before),
            _ => None,
        };
        let line = StatementLine {
            id: LineId { payment: before.id(), version, side },
            wallet,
            place: LinePlace { seq: 0, place: 0 },
            kind: LineKind::of(submission.kind, event, side),
            gross_minor: net_minor.saturating_add(fee_minor),
            fee_minor,
            balance_minor: 0,
            at,
            available_at: available_at.unwrap_or(at),
            part,
        };
        drafts.push(Draft { line, n: u8::try_from(n).unwrap_or(u8::MAX) });
    }
    drafts
}

/// The charge that brings the money, if its id is not the payment's.
fn charged_apart(payment: &Payment) -> Option<PartId> {
    let charge = payment.state().charges.last()?.id;
    (charge != ChargeId::of_payment(payment.id())).then(|| charge.into())
}

/// By how much a movement changes what the wallet's owner has; `None` if it touches neither the wallet nor the owner's debt.
fn net_of(movement: &Movement, wallet: WalletId) -> Option<i64> {
    let accounts = [LedgerAccount::Wallet(wallet), LedgerAccount::Receivable(wallet)];
    let touches = |account: &LedgerAccount| movement.debit == *account || movement.credit == *account;
    let touched = accounts.iter().any(touches);
    touched.then(|| accounts.iter().map(|account| movement.change_of(*account)).sum())
}
