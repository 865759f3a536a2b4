//! `/payments/{id}`: one payment with its timeline, ledger and actions. Views, pure, but for [`handlers`].

mod actions;
mod attempts;
mod disputes;
pub mod handlers;
mod ledger;
mod sentence;
mod timeline;

use askama::Template;

pub use actions::{ActionForm, AmountField, Complaints, PartForm};
pub use attempts::AttemptLine;
pub use disputes::DisputeLine;
pub use ledger::{LedgerLine, LedgerTable};
pub use sentence::Sentence;
pub use timeline::{OpenOperation, TimelineItem};

use super::format;
use super::journey::{Indexed, Journey};
use super::layout::Layout;
use super::row::{Names, badges, end_labels};
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
    /// `re_…`.
    pub id: String,
    /// The amount with symbol and code.
    pub amount: String,
    /// Its status, with the reason if it failed.
    pub status: String,
    /// When it was requested, in full.
    pub at_full: String,
    /// What can be made of it.
    pub forms: Vec<PartForm>,
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

/// The present on both clocks of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// On the wall clock, which schedules retries.
    pub wall: Timestamp,
    /// On the payment's test clock, which everything else follows; `None` without one.
    pub clock: Option<Timestamp>,
}

impl Now {
    /// For a payment that runs on the wall clock.
    #[must_use]
    pub const fn by_wall(wall: Timestamp) -> Self {
        Self { wall, clock: None }
    }

    /// On the clock by which the payment settles and its authorisation expires.
    #[must_use]
    pub fn own(self) -> Timestamp {
        self.clock.unwrap_or(self.wall)
    }

    /// The moment in milliseconds since the epoch, if a page can count down to it: a test clock does not run in real seconds.
    fn countdown(self, at: Timestamp) -> Option<i64> {
        self.clock.is_none().then(|| at.millis())
    }
}

/// Everything below the frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentView {
    /// The id as the dialect shows it.
    pub id: String,
    /// The version shown; scripts ignore older updates.
    pub version: u32,
    /// The verb: `Charge`, `Added money`, …
    pub kind: &'static str,
    /// The amount with symbol and code.
    pub amount: String,
    /// The captured amount, if it is less.
    pub captured: Option<String>,
    /// Where the money comes from, in a few words.
    pub from: String,
    /// Where the money goes, in a few words.
    pub to: String,
    /// The status with its detail.
    pub status: StatusBadge,
    /// `refunded`, `parked`.
    pub badges: Vec<&'static str>,
    /// What happened, in one sentence.
    pub sentence: Sentence,
    /// The journey strip; `None` for a payee.
    pub journey: Option<Journey>,
    /// The history, oldest first; empty for a payee.
    pub timeline: Vec<TimelineItem>,
    /// Whether its times are those of a test clock, even a deleted one.
    pub on_clock: bool,
    /// Operations that are still open; empty for a payee.
    pub open: Vec<OpenOperation>,
    /// Attempts to charge a card, oldest first.
    pub attempts: Vec<AttemptLine>,
    /// Refunds, oldest first.
    pub refunds: Vec<RefundLine>,
    /// Disputes and warnings, oldest first; empty for a payee.
    pub disputes: Vec<DisputeLine>,
    /// The ledger; `None` if money has not moved.
    pub ledger: Option<LedgerTable>,
    /// Ids and attributes.
    pub facts: Vec<Fact>,
    /// Every action, enabled or not; empty for a payee.
    pub actions: Vec<ActionForm>,
    /// Whether the payment can still change by itself.
    pub under_way: bool,
    /// Whether the viewer is asked to go to the challenge page.
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
        let [from, to] = end_labels(payment, names);
        // A payee only sees movements of their own wallet.
        let mine = LedgerAccount::Wallet(WalletId { owner: viewer, currency: submission.amount.currency });
        let seen: Vec<MovementRecord> =
            movements.iter().filter(|record| own || record.movement.change_of(mine) != 0).copied().collect();
        Self {
            id: submission.public_id(),
            version: payment.version(),
            kind: if own { kind_label(&submission.kind) } else { "Received" },
            amount: submission.amount.to_string(),
            captured: payment.captured_part().map(|money| money.to_string()),
            from,
            to,
            status: StatusBadge::of(payment),
            badges: badges(payment),
            sentence: sentence::sentence(payment, names, now),
            journey: own.then(|| Journey::of(payment, Indexed::No)),
            timeline: if own { timeline::timeline(payment) } else { Vec::new() },
            on_clock: own && !payment.clock().is_wall(),
            open: if own { timeline::open_operations(payment, now) } else { Vec::new() },
            attempts: if own { attempts::attempts(payment) } else { Vec::new() },
            refunds: payment.state().refunds.iter().map(|refund| refund_line(payment, refund)).collect(),
            disputes: if own { disputes::disputes(payment) } else { Vec::new() },
            ledger: ledger::ledger_table(&seen, cause, names),
            facts: facts(payment, own),
            actions: if own { actions::actions(payment, now.own()) } else { Vec::new() },
            under_way: !status.is_at_rest()
                || payment.operations().next().is_some()
                || payment.consequence_at().is_some(),
            challenge: own && status == crate::domain::status::Status::RequiresAction,
        }
    }
}

/// The name of a payment kind on the payment's page.
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
        forms: match refund.status {
            RefundStatus::Pending => {
                vec![PartForm::SUCCEED_REFUND, PartForm::FAIL_REFUND]
            }
            RefundStatus::Succeeded => vec![PartForm::FAIL_REFUND],
            RefundStatus::Failed(_) => Vec::new(),
        },
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

/// The code of a decline in the API, with the card network's code if a network was asked.
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
    /// The idempotency key of the actions' forms.
    pub idempotency_key: String,
    /// The payment as the API shows it, indented.
    pub raw_json: String,
}

/// `/payments/{id}/challenge`: stands in for a bank's 3-D Secure page.
#[derive(Template)]
#[template(path = "challenge.html")]
pub struct ChallengePage {
    /// The frame.
    pub layout: Layout,
    /// The payment.
    pub view: PaymentView,
    /// The idempotency key of the forms.
    pub idempotency_key: String,
}

#[cfg(test)]
mod tests;
