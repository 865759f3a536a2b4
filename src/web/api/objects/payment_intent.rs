//! Payment intents, and the charges and payment methods that can be expanded in them.

use serde::Serialize;

use super::{Extension, Metadata};
use crate::domain::card::Card;
use crate::domain::ids::base62_encode;
use crate::domain::payment::Payment;
use crate::domain::status::Status;
use crate::domain::submission::CaptureMethod;

/// What is to be shown whole instead of by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expand {
    /// `latest_charge`.
    pub latest_charge: bool,
    /// `payment_method`.
    pub payment_method: bool,
}

/// An id, or the object itself.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub enum Expandable<T> {
    /// The id.
    Id(String),
    /// The object.
    Object(Box<T>),
}

impl<T> Expandable<T> {
    fn new(expand: bool, id: String, object: impl FnOnce() -> T) -> Self {
        if expand { Self::Object(Box::new(object())) } else { Self::Id(id) }
    }
}

/// The card inside a payment method or a charge.
#[derive(Debug, Clone, Serialize)]
pub struct CardObject {
    brand: &'static str,
    last4: &'static str,
    exp_month: u8,
    exp_year: u16,
    funding: &'static str,
    fingerprint: String,
}

impl CardObject {
    fn of(card: &Card) -> Self {
        let debit = card.test_card().is_some_and(|known| known.debit);
        Self {
            brand: card.brand().as_str(),
            last4: card.last4(),
            exp_month: card.exp_month,
            exp_year: card.exp_year,
            funding: if debit { "debit" } else { "credit" },
            fingerprint: format!("{:016x}", card.fingerprint),
        }
    }
}

/// A payment method.
#[derive(Debug, Clone, Serialize)]
pub struct PaymentMethod {
    id: String,
    object: &'static str,
    #[serde(rename = "type")]
    method_type: &'static str,
    card: CardObject,
    created: i64,
    livemode: bool,
    customer: Option<String>,
    metadata: Metadata,
}

impl PaymentMethod {
    fn of(payment: &Payment, card: &Card) -> Self {
        Self {
            id: payment.id().with_prefix("pm_"),
            object: "payment_method",
            method_type: "card",
            card: CardObject::of(card),
            created: payment.submission().created_at.seconds(),
            livemode: false,
            customer: None,
            metadata: Metadata::default(),
        }
    }
}

#[derive(Debug, Clone, Serialize)]
struct MethodDetails {
    #[serde(rename = "type")]
    method_type: &'static str,
    card: CardObject,
}

/// A charge: what came of the last attempt.
#[derive(Debug, Clone, Serialize)]
pub struct Charge {
    id: String,
    object: &'static str,
    amount: i64,
    amount_captured: i64,
    amount_refunded: i64,
    captured: bool,
    created: i64,
    currency: String,
    description: Option<String>,
    failure_code: Option<&'static str>,
    failure_message: Option<&'static str>,
    livemode: bool,
    metadata: Metadata,
    paid: bool,
    payment_intent: String,
    payment_method: Option<String>,
    payment_method_details: Option<MethodDetails>,
    refunded: bool,
    status: &'static str,
}

impl Charge {
    fn of(payment: &Payment) -> Self {
        let (submission, state) = (payment.submission(), payment.state());
        let held = matches!(state.status, Status::Succeeded | Status::RequiresCapture);
        let refunded_minor = payment.refunded_minor();
        Self {
            id: payment.id().with_prefix("ch_"),
            object: "charge",
            amount: submission.amount.amount_minor,
            amount_captured: state.received_minor,
            amount_refunded: refunded_minor,
            captured: state.status == Status::Succeeded,
            created: state.queued_at.unwrap_or(submission.created_at).seconds(),
            currency: submission.amount.currency.lower(),
            description: submission.description.clone(),
            failure_code: state.decline.map(|reason| reason.code()),
            failure_message: state.decline.map(|reason| reason.message()),
            livemode: false,
            metadata: Metadata(submission.metadata.clone()),
            paid: held,
            payment_intent: submission.public_id(),
            payment_method: state.card.map(|_| payment.id().with_prefix("pm_")),
            payment_method_details: state
                .card
                .map(|card| MethodDetails { method_type: "card", card: CardObject::of(&card) }),
            refunded: refunded_minor > 0 && payment.refundable_minor() == 0,
            status: match (held, state.status.is_at_rest()) {
                (true, _) => "succeeded",
                (false, true) => "failed",
                (false, false) => "pending",
            },
        }
    }
}

#[derive(Debug, Clone, Serialize)]
struct Redirect {
    url: String,
    return_url: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
struct NextAction {
    #[serde(rename = "type")]
    action_type: &'static str,
    redirect_to_url: Redirect,
}

#[derive(Debug, Clone, Serialize)]
struct LastPaymentError {
    #[serde(rename = "type")]
    error_type: &'static str,
    code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    decline_code: Option<&'static str>,
    message: &'static str,
    charge: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_method: Option<PaymentMethod>,
}

/// A payment intent. Field names and meanings are those of docs.stripe.com/api/payment_intents/object.
#[derive(Debug, Clone, Serialize)]
pub struct PaymentIntent {
    id: String,
    object: &'static str,
    amount: i64,
    amount_capturable: i64,
    amount_received: i64,
    canceled_at: Option<i64>,
    cancellation_reason: Option<&'static str>,
    capture_method: &'static str,
    client_secret: String,
    confirmation_method: &'static str,
    created: i64,
    currency: String,
    customer: Option<String>,
    description: Option<String>,
    last_payment_error: Option<LastPaymentError>,
    latest_charge: Option<Expandable<Charge>>,
    livemode: bool,
    metadata: Metadata,
    next_action: Option<NextAction>,
    payment_method: Option<Expandable<PaymentMethod>>,
    payment_method_types: [&'static str; 1],
    processing: Option<String>,
    receipt_email: Option<String>,
    setup_future_usage: Option<String>,
    shipping: Option<String>,
    statement_descriptor: Option<String>,
    status: &'static str,
    paystorm: Extension,
}

impl PaymentIntent {
    pub(super) fn of(payment: &Payment, expand: Expand, secret_key: &[u8; 32]) -> Self {
        let (submission, state) = (payment.submission(), payment.state());
        let id = submission.public_id();
        let canceled = state.status == Status::Canceled;
        let capturable = state.status == Status::RequiresCapture && state.operation.is_none();
        Self {
            object: "payment_intent",
            amount: submission.amount.amount_minor,
            amount_capturable: if capturable { submission.amount.amount_minor } else { 0 },
            amount_received: state.received_minor,
            canceled_at: canceled.then(|| state.updated_at.seconds()),
            cancellation_reason: state.canceled.filter(|_| canceled).map(|reason| reason.as_str()),
            capture_method: match submission.capture {
                CaptureMethod::Automatic => "automatic",
                CaptureMethod::Manual => "manual",
            },
            client_secret: client_secret(&id, secret_key),
            confirmation_method: "automatic",
            created: submission.created_at.seconds(),
            currency: submission.amount.currency.lower(),
            customer: None,
            description: submission.description.clone(),
            last_payment_error: last_payment_error(payment),
            latest_charge: state.started_at.map(|_| {
                Expandable::new(expand.latest_charge, payment.id().with_prefix("ch_"), || Charge::of(payment))
            }),
            livemode: false,
            metadata: Metadata(submission.metadata.clone()),
            next_action: (state.status == Status::RequiresAction).then(|| NextAction {
                action_type: "redirect_to_url",
                redirect_to_url: Redirect { url: format!("/payments/{id}/challenge"), return_url: None },
            }),
            payment_method: state.card.map(|card| {
                Expandable::new(expand.payment_method, payment.id().with_prefix("pm_"), || {
                    PaymentMethod::of(payment, &card)
                })
            }),
            payment_method_types: ["card"],
            processing: None,
            receipt_email: None,
            setup_future_usage: None,
            shipping: None,
            statement_descriptor: None,
            status: state.status.dialect(),
            paystorm: Extension::of(payment),
            id,
        }
    }
}

fn last_payment_error(payment: &Payment) -> Option<LastPaymentError> {
    let state = payment.state();
    let method = state.card.map(|card| PaymentMethod::of(payment, &card));
    let charge = payment.id().with_prefix("ch_");
    match (state.decline, state.status) {
        (Some(reason), _) => Some(LastPaymentError {
            error_type: if reason.code() == "payment_intent_authentication_failure" {
                "invalid_request_error"
            } else {
                "card_error"
            },
            code: reason.code(),
            decline_code: (reason.code() == "card_declined").then(|| reason.decline_code()),
            message: reason.message(),
            charge,
            payment_method: method,
        }),
        (None, Status::Failed) => Some(LastPaymentError {
            error_type: "api_error",
            code: "processing_error",
            decline_code: None,
            message: "The acquirer could not be reached or did not answer in time, and the retries are spent.",
            charge,
            payment_method: method,
        }),
        (None, _) => None,
    }
}

/// A secret for browsers that need to see this one intent. The same for the same intent on one installation.
fn client_secret(id: &str, key: &[u8; 32]) -> String {
    let hash = blake3::keyed_hash(key, id.as_bytes());
    let bits = hash.as_bytes().iter().take(16).fold(0_u128, |bits, byte| (bits << 8) | u128::from(*byte));
    format!("{id}_secret_{}", base62_encode(bits))
}
