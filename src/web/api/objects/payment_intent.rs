//! Payment intents.

use serde::Serialize;

use super::charge::{ChargeExpand, ChargeObject};
use super::method::{PaymentMethod, method_id};
use super::{Expandable, Extension, Metadata, Null, Presenter, RETRIES_SPENT};
use crate::domain::contact::Shipping;
use crate::domain::ids::base62_encode;
use crate::domain::instrument::PresentedCard;
use crate::domain::payment::Payment;
use crate::domain::status::Status;
use crate::domain::submission::CaptureMethod;
use crate::intake::details::{Attempts, BillingDetails};

/// The properties to show in full instead of by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expand {
    /// `latest_charge`.
    pub latest_charge: bool,
    /// `payment_method`.
    pub payment_method: bool,
}

impl Expand {
    /// What it adds to the form of a request, since how the answer is shown is part of what was asked for. Empty by default.
    #[must_use]
    pub const fn asked(self) -> &'static [u8] {
        match (self.latest_charge, self.payment_method) {
            (false, false) => b"",
            (true, false) => b"expand latest_charge",
            (false, true) => b"expand payment_method",
            (true, true) => b"expand latest_charge, payment_method",
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
    #[serde(skip_serializing_if = "Option::is_none")]
    charge: Option<String>,
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
    latest_charge: Option<Expandable<ChargeObject>>,
    livemode: bool,
    metadata: Metadata,
    next_action: Option<NextAction>,
    payment_method: Option<Expandable<PaymentMethod>>,
    payment_method_types: [&'static str; 1],
    processing: Option<String>,
    receipt_email: Option<String>,
    setup_future_usage: Option<String>,
    shipping: Option<Shipping>,
    statement_descriptor: Option<String>,
    statement_descriptor_suffix: Option<String>,
    status: &'static str,
    #[serde(flatten)]
    null: Null,
    paystorm: Extension,
}

const NULL: Null = Null(&[
    "application",
    "application_fee_amount",
    "automatic_payment_methods",
    "customer_account",
    "on_behalf_of",
    "payment_method_configuration_details",
    "payment_method_options",
    "review",
    "source",
    "transfer_data",
    "transfer_group",
]);

impl PaymentIntent {
    pub(super) fn of(
        payment: &Payment,
        expand: Expand,
        presenter: Presenter<'_>,
        attempts: &Attempts,
    ) -> Self {
        let (submission, state, terms) = (payment.submission(), payment.state(), payment.amended());
        let id = submission.public_id();
        let canceled = state.status == Status::Canceled;
        let detail = attempts.get(payment);
        let billing = detail.and_then(|detail| detail.billing.as_ref());
        let capturable = state.status == Status::RequiresCapture && state.operation.is_none();
        Self {
            object: "payment_intent",
            amount: submission.amount.amount_minor,
            amount_capturable: if capturable { state.authorized_minor } else { 0 },
            amount_received: state.received_minor,
            canceled_at: state.canceled_at.filter(|_| canceled).map(|at| at.seconds()),
            cancellation_reason: state.canceled.filter(|_| canceled).and_then(|reason| reason.dialect()),
            capture_method: match submission.capture {
                CaptureMethod::Automatic => "automatic",
                CaptureMethod::Manual => "manual",
            },
            client_secret: client_secret(&id, presenter.secret_key),
            confirmation_method: "automatic",
            created: payment.created_at().seconds(),
            currency: submission.amount.currency.lower(),
            customer: submission.customer.map(|customer| customer.to_string()),
            description: submission.description.clone(),
            last_payment_error: last_payment_error(payment, billing),
            latest_charge: payment.charges().next_back().map(|charge| {
                Expandable::new(expand.latest_charge, charge.id.to_string(), || {
                    ChargeObject::of(payment, charge, attempts, ChargeExpand::default(), presenter)
                })
            }),
            livemode: false,
            metadata: Metadata(submission.metadata.clone()),
            next_action: (state.status == Status::RequiresAction).then(|| NextAction {
                action_type: "redirect_to_url",
                redirect_to_url: Redirect {
                    url: format!("{}/3ds/{}", presenter.base_url, client_secret(&id, presenter.secret_key)),
                    return_url: detail.and_then(|detail| detail.return_url.clone()),
                },
            }),
            payment_method: presented_card(payment).filter(|_| !failed(state.status)).map(|card| {
                Expandable::new(expand.payment_method, method_id(payment, card), || {
                    PaymentMethod::of(payment, card, billing)
                })
            }),
            payment_method_types: ["card"],
            processing: None,
            receipt_email: terms.and_then(|terms| terms.receipt_email.clone()),
            setup_future_usage: None,
            shipping: terms.and_then(|terms| terms.shipping.clone()),
            statement_descriptor: terms.and_then(|terms| terms.statement_descriptor.clone()),
            statement_descriptor_suffix: terms.and_then(|terms| terms.statement_descriptor_suffix.clone()),
            status: state.status.dialect(),
            null: NULL,
            paystorm: Extension::of(payment),
            id,
        }
    }
}

impl PaymentIntent {
    /// The payment method that the last attempt failed with.
    pub(super) fn failed_method(&self) -> Option<&PaymentMethod> {
        self.last_payment_error.as_ref()?.payment_method.as_ref()
    }
}

fn presented_card(payment: &Payment) -> Option<&PresentedCard> {
    payment.state().instrument.as_ref()?.presented_card()
}

/// Whether the last attempt failed: then its payment method appears only in the error, and the intent waits for another.
const fn failed(status: Status) -> bool {
    match status {
        Status::Declined | Status::Failed => true,
        Status::RequiresPaymentMethod
        | Status::RequiresConfirmation
        | Status::Queued
        | Status::Processing
        | Status::RequiresAction
        | Status::RequiresCapture
        | Status::Succeeded
        | Status::Canceled => false,
    }
}

fn last_payment_error(payment: &Payment, billing: Option<&BillingDetails>) -> Option<LastPaymentError> {
    let state = payment.state();
    let method = presented_card(payment).map(|card| PaymentMethod::of(payment, card, billing));
    let charge = payment.charge_of_last_attempt().map(|charge| charge.id.to_string());
    match (state.decline, state.status) {
        (Some(reason), _) => Some(LastPaymentError {
            error_type: if reason.blames_card() { "card_error" } else { "invalid_request_error" },
            code: reason.code(),
            decline_code: reason.shows_decline_code().then(|| reason.decline_code()),
            message: reason.message(),
            charge,
            payment_method: method,
        }),
        (None, Status::Failed) => Some(LastPaymentError {
            error_type: "card_error",
            code: "processing_error",
            decline_code: None,
            message: RETRIES_SPENT,
            charge,
            payment_method: method,
        }),
        (None, _) => None,
    }
}

/// A secret for browsers that need to see this one intent. Stable for an intent within an installation.
#[must_use]
pub fn client_secret(id: &str, key: &[u8; 32]) -> String {
    let hash = blake3::keyed_hash(key, id.as_bytes());
    let bits = hash.as_bytes().iter().take(16).fold(0_u128, |bits, byte| (bits << 8) | u128::from(*byte));
    format!("{id}_secret_{}", base62_encode(bits))
}
