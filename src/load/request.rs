//! Writes what the server takes: frames of the WebSocket, paths and bodies of HTTP. Names and ids need no escapes: they are
//! letters, digits and `-_.` throughout.

use std::fmt::Write as _;

use super::plan::Plan;
use super::work::{Pending, Work};

/// What belongs to the key of a challenge's answer, besides that of its charge.
const ANSWER: &str = "-answer";

/// Writes the object that `payment.submit_batch` takes.
pub fn write_payment(out: &mut String, plan: &Plan, pending: &Pending) {
    let Pending { index, work, amount_minor, currency, .. } = *pending;
    let (kind, currency) = (work.name(), currency.lower());
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        r#"{{"kind":"{kind}","amount":{amount_minor},"currency":"{currency}","lane":"bulk","draw_key":{index}"#
    );
    let _ = write!(out, r#","run":"{}","idempotency_key":"{}""#, plan.run, plan.key(index));
    write_account(out, plan, pending);
    let _ = match (work, plan.payee(index, pending.account)) {
        (Work::Transfer, Some(payee)) => write!(out, r#","destination":"{payee}"}}"#),
        (Work::Payout, _) => write!(out, "}}"),
        _ => write!(out, r#","payment_method":"pm_card_{}"}}"#, plan.card(index, work)),
    };
}

fn write_account(out: &mut String, plan: &Plan, pending: &Pending) {
    if let Some(account) = plan.account_name(pending.account) {
        let _ = write!(out, r#","account":"{account}""#);
    }
}

/// Writes the fields of `operation.submit`, after its type and id; false for work that makes a payment.
pub fn write_operation(out: &mut String, plan: &Plan, pending: &Pending) -> bool {
    let key = key(plan, pending);
    let _ = match pending.work {
        Work::Refund(charged) => {
            write!(
                out,
                r#","payment_id":"{}","operation":"refund","idempotency_key":"{key}""#,
                charged.payment
            )
        }
        Work::Answer { payment, passed } => write!(
            out,
            r#","payment_id":"{payment}","operation":"complete_action","passed":{passed},"idempotency_key":"{key}""#
        ),
        Work::TopUp | Work::Charge | Work::Transfer | Work::Payout => return false,
    };
    write_account(out, plan, pending);
    out.push('}');
    true
}

/// The idempotency key of what is sent.
pub fn key(plan: &Plan, pending: &Pending) -> String {
    let key = plan.key(pending.index);
    match pending.work {
        Work::Answer { .. } => key + ANSWER,
        Work::TopUp | Work::Charge | Work::Transfer | Work::Payout | Work::Refund(_) => key,
    }
}

/// Path and JSON body of the same over HTTP.
pub fn http_request(plan: &Plan, pending: &Pending) -> (String, String) {
    let Pending { index, work, amount_minor, currency, .. } = *pending;
    let money = format!(r#""amount":{amount_minor},"currency":"{}""#, currency.lower());
    let common = format!(r#""lane":"bulk","draw_key":{index},"run":"{}""#, plan.run);
    let card = plan.card(index, work);
    let (path, body) = match work {
        Work::Refund(charged) => ("/v1/refunds", format!(r#"{{"payment_intent":"{}"}}"#, charged.payment)),
        Work::Charge => (
            "/v1/payment_intents",
            format!(r#"{{{money},"payment_method":"pm_card_{card}","confirm":true,{common}}}"#),
        ),
        Work::TopUp => ("/v1/topups", format!(r#"{{{money},"source":"pm_card_{card}",{common}}}"#)),
        Work::Transfer => {
            let payee = plan.payee(index, pending.account).unwrap_or_default();
            ("/v1/transfers", format!(r#"{{{money},"destination":"{payee}",{common}}}"#))
        }
        Work::Payout => ("/v1/payouts", format!(r"{{{money},{common}}}")),
        Work::Answer { payment, passed } => {
            let path = format!("/v1/test_helpers/payment_intents/{payment}/authenticate");
            return (path, format!(r#"{{"passed":{passed}}}"#));
        }
    };
    (path.to_owned(), body)
}
