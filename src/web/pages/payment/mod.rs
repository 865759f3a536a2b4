//! `/payments/{id}`: one payment with its timeline, ledger and actions.

mod actions;
mod attempts;
pub mod handlers;
mod ledger;
mod sentence;
mod timeline;

use askama::Template;

pub use actions::{ActionForm, AmountField};
pub use attempts::AttemptLine;
pub use ledger::{LedgerLine, LedgerTable};
pub use sentence::Sentence;
pub use timeline::{OpenOperation, TimelineItem};

use super::format;
use super::journey::{Indexed, Journey};
use super::layout::Layout;
use super::row::{Names, badges, from_label, to_label};
use super::status::StatusBadge;
use crate::domain::decline::DeclineReason;
use crate::domain::ids::AccountId;
use crate::domain::ledger::LedgerAccount;
use crate::domain::payment::Payment;
use crate::domain::submission::Kind;
use crate::domain::time::Timestamp;
use crate::domain::wallet::WalletId;
use crate::store::MovementRecord;
use crate::web::api::objects;

/// A refund in the list of refunds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundLine {
    /// Its id.
    pub id: String,
    /// How much.
    pub amount: String,
    /// Its status, and why not.
    pub status: String,
    /// When it was asked for.
    pub at_full: String,
}

/// A fact with a label; ids can be copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The label.
    pub label: &'static str,
    /// The value.
    pub value: String,
    /// Whether it is an identifier that people copy.
    pub copy: bool,
}

/// When a payment is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// By the wall, by which what broke is tried again.
    pub wall: Timestamp,
    /// By the test clock that everything else of it goes by, if there is one.
    pub clock: Option<Timestamp>,
}

impl Now {
    /// Of a payment that goes by the wall.
    #[must_use]
    pub const fn by_wall(wall: Timestamp) -> Self {
        Self { wall, clock: None }
    }

    /// By which the payment settles and lapses.
    #[must_use]
    pub fn own(self) -> Timestamp {
        self.clock.unwrap_or(self.wall)
    }

    /// The moment in milliseconds, where a page can count down to what happens then: a test clock keeps no real seconds.
    fn countdown(self, at: Timestamp) -> Option<i64> {
        self.clock.is_none().then(|| at.millis())
    }
}

/// Everything below the frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentView {
    /// The id as the dialect shows it.
    pub id: String,
    /// The version.
    pub version: u32,
    /// The verb: `Charge`, `Added money`, …
    pub kind: &'static str,
    /// The amount.
    pub amount: String,
    /// What was taken of it, where that is less.
    pub captured: Option<String>,
    /// Where from.
    pub from: String,
    /// Where to.
    pub to: String,
    /// The status.
    pub status: StatusBadge,
    /// `refunded`, `parked`.
    pub badges: Vec<&'static str>,
    /// What happened, in one sentence.
    pub sentence: Sentence,
    /// The strip; a payee has none.
    pub journey: Option<Journey>,
    /// The history.
    pub timeline: Vec<TimelineItem>,
    /// Whether that is told by a test clock, be it there still or not.
    pub on_clock: bool,
    /// What is still open.
    pub open: Vec<OpenOperation>,
    /// Attempts to charge a card, oldest first.
    pub attempts: Vec<AttemptLine>,
    /// Refunds, oldest first.
    pub refunds: Vec<RefundLine>,
    /// The ledger; `None` if money has not moved.
    pub ledger: Option<LedgerTable>,
    /// Ids and attributes.
    pub facts: Vec<Fact>,
    /// What can be done; empty for a payee, whose payment it is not.
    pub actions: Vec<ActionForm>,
    /// Whether the page still changes by itself.
    pub under_way: bool,
    /// Whether the viewer should go to the challenge page.
    pub challenge: bool,
}

impl PaymentView {
    /// The view of `payment` for `viewer`.
    #[must_use]
    pub fn of(
        payment: &Payment,
        movements: &[MovementRecord],
        names: &Names,
        viewer: AccountId,
        now: Now,
    ) -> Self {
        let own = payment.owner() == viewer;
        let submission = payment.submission();
        let cause = |version: u32| {
            let at = usize::try_from(version).ok().and_then(|version| version.checked_sub(1));
            let recorded = at.and_then(|at| payment.history().get(at));
            recorded.map_or(("", payment.state().updated_at), |it| (it.event.name(), it.at))
        };
        let status = payment.state().status;
        // A payee sees what reached their own wallet.
        let mine = LedgerAccount::Wallet(WalletId { owner: viewer, currency: submission.amount.currency });
        let seen: Vec<MovementRecord> =
            movements.iter().filter(|record| own || record.movement.change_of(mine) != 0).copied().collect();
        Self {
            id: submission.public_id(),
            version: payment.version(),
            kind: if own { kind_label(&submission.kind) } else { "Received" },
            amount: submission.amount.to_string(),
            captured: payment.captured_part().map(|money| money.to_string()),
            from: from_label(payment, names),
            to: to_label(payment, names),
            status: StatusBadge::of(payment),
            badges: badges(payment),
            sentence: sentence::sentence(payment, names, now),
            journey: own.then(|| Journey::of(payment, Indexed::No)),
            timeline: if own { timeline::timeline(payment) } else { Vec::new() },
            on_clock: own && !payment.clock().is_wall(),
            open: if own { timeline::open_operations(payment, now) } else { Vec::new() },
            attempts: if own { attempts::attempts(payment) } else { Vec::new() },
            refunds: payment.state().refunds.iter().map(|refund| refund_line(payment, refund)).collect(),
            ledger: ledger::ledger_table(&seen, cause, names),
            facts: facts(payment, own),
            actions: if own { actions::actions(payment, now.own()) } else { Vec::new() },
            under_way: !status.is_at_rest() || payment.operations().next().is_some(),
            challenge: own && status == crate::domain::status::Status::RequiresAction,
        }
    }
}

/// What a kind of payment is called on its page.
#[must_use]
pub const fn kind_label(kind: &Kind) -> &'static str {
    match kind {
        Kind::Charge => "Charge",
        Kind::TopUp => "Added money",
        Kind::Transfer { .. } => "Sent to a person",
        Kind::Payout { .. } => "Payout",
    }
}

fn refund_line(payment: &Payment, refund: &crate::domain::payment::Refund) -> RefundLine {
    use crate::domain::payment::RefundStatus;
    let status = match refund.status {
        RefundStatus::Failed(reason) => format!("failed: {}", reason.words()),
        RefundStatus::Pending | RefundStatus::Succeeded => refund.status.as_str().to_owned(),
    };
    let currency = payment.submission().amount.currency;
    RefundLine {
        id: refund.id.to_string(),
        amount: crate::domain::money::Money::new(refund.amount_minor, currency).to_string(),
        status,
        at_full: format::absolute(refund.created_at),
    }
}

fn facts(payment: &Payment, own: bool) -> Vec<Fact> {
    let (submission, state) = (payment.submission(), payment.state());
    let fact = |label, value: String| Fact { label, value, copy: false };
    let mut facts = vec![Fact { label: "Payment", value: submission.public_id(), copy: true }];
    facts.push(fact("Created", format::absolute(payment.created_at())));
    if !own {
        return facts;
    }
    if !payment.clock().is_wall() {
        facts.push(fact("Real time", format::absolute(payment.asked_at())));
        facts.push(Fact { label: "Test clock", value: payment.clock().to_string(), copy: true });
    }
    facts.extend(submission.description.clone().map(|text| fact("Description", text)));
    facts.extend(submission.customer.map(|customer| fact("Customer", customer.to_string())));
    if let Some(terms) = payment.amended() {
        facts.extend(terms.receipt_email.clone().map(|text| fact("Receipt to", text)));
        facts.extend(terms.statement_descriptor.clone().map(|text| fact("On the statement", text)));
        facts.extend(terms.shipping.as_ref().map(|shipping| fact("Ships to", shipping.name.clone())));
    }
    facts.extend(
        state
            .card()
            .map(|card| fact("Card", format!("{}, {:02}/{}", card.label(), card.exp_month, card.exp_year))),
    );
    facts.extend(objects::status_of(payment).map(|status| fact("API status", status.to_owned())));
    facts.extend(state.decline.map(|reason| decline_fact(payment, reason)));
    facts.extend(submission.run.clone().map(|run| fact("Load run", run)));
    facts.extend(submission.metadata.iter().map(|(key, value)| fact("Metadata", format!("{key} = {value}"))));
    facts
}

/// A decline's code as the API has it, and as a card network would, where one was asked.
fn decline_fact(payment: &Payment, reason: DeclineReason) -> Fact {
    let from_wallet = payment.submission().kind.takes_from_wallet();
    let network = reason.network_code().filter(|_| !payment.ended_at_authentication());
    let (label, value) = match network {
        _ if from_wallet => ("Failure code", reason.wallet_code().to_owned()),
        Some(network) => ("Decline code", format!("{} (network {network})", reason.decline_code())),
        None => ("Decline code", reason.decline_code().to_owned()),
    };
    Fact { label, value, copy: false }
}

/// The page.
#[derive(Template)]
#[template(path = "payment.html")]
pub struct PaymentPage {
    /// The frame.
    pub layout: Layout,
    /// The payment.
    pub view: PaymentView,
    /// The key that makes a double click on an action harmless.
    pub idempotency_key: String,
    /// The payment as the API shows it, indented.
    pub raw_json: String,
}

/// `/payments/{id}/challenge`: what a bank's 3-D Secure page would be.
#[derive(Template)]
#[template(path = "challenge.html")]
pub struct ChallengePage {
    /// The frame.
    pub layout: Layout,
    /// The payment.
    pub view: PaymentView,
    /// The key that makes a double click harmless.
    pub idempotency_key: String,
}

#[cfg(test)]
mod tests;
