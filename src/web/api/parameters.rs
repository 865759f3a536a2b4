//! Parameters and headers that calls on payments have in common.

use actix_web::HttpRequest;

use super::objects::Expand;
use crate::domain::forced::{FORCED_KEY, ForcedOutcome};
use crate::domain::idempotency::RequestKey;
use crate::domain::ids::PaymentId;
use crate::intake::{self, InputContext, InputError, OperationDraft, Params};
use crate::web::error::ApiError;
use crate::web::state::WebState;

/// Parameters of the real service that Paystorm can neither store nor apply yet.
const NOT_OFFERED: &[&str] = &[
    "setup_future_usage",
    "receipt_email",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_data",
    "transfer_group",
    "application_fee_amount",
    "on_behalf_of",
    "mandate",
    "mandate_data",
    "payment_method_options",
    "payment_method_configuration",
    "amount_details",
    "customer_account",
    "excluded_payment_method_types",
    "hooks",
    "payment_details",
    "final_capture",
    "confirmation_token",
    "radar_options",
    "use_stripe_sdk",
    "source_transaction",
    "source_type",
    "method",
    "refund_application_fee",
    "reverse_transfer",
    "instructions_email",
    "origin",
];

/// The context in which the dialect's parameters are read.
pub fn context(state: &WebState) -> InputContext<'_> {
    InputContext { confirm_default: false, ..state.intake.context() }
}

/// The idempotency key in the request's header.
///
/// # Errors
/// A key that is too long or not printable.
pub fn key_of(request: &HttpRequest) -> Result<Option<RequestKey>, ApiError> {
    let Some(value) = request.headers().get("idempotency-key") else {
        return Ok(None);
    };
    let raw = value.to_str().map_err(|_| {
        InputError::new(
            "idempotency_key",
            "parameter_invalid_string",
            "An idempotency key needs 1 to 255 printable characters.",
        )
    })?;
    Ok(Some(intake::idempotency_key(raw)?))
}

/// The header that asks for an outcome.
const OUTCOME: &str = "Paystorm-Outcome";

/// Puts the outcome that the header asks for, if it is there, into the metadata of a payment.
///
/// # Errors
/// An outcome that cannot be read.
pub fn with_outcome<'a>(params: &mut Params<'a>, request: &'a HttpRequest) -> Result<(), InputError> {
    let Some(value) = request.headers().get(OUTCOME) else { return Ok(()) };
    let text = value.to_str().unwrap_or("?");
    ForcedOutcome::parse(text).map_err(|problem| intake::wrong_outcome(OUTCOME, &problem))?;
    params.add_path(format!("metadata[{FORCED_KEY}]"), text);
    Ok(())
}

/// Refuses the header that asks for an outcome where it could not be kept.
///
/// # Errors
/// It is there.
pub fn no_outcome(request: &HttpRequest) -> Result<(), InputError> {
    if !request.headers().contains_key(OUTCOME) {
        return Ok(());
    }
    let message =
        format!("{OUTCOME} goes with the creation of a payment, or with an update of its metadata.");
    Err(InputError::new(OUTCOME, "parameter_not_offered", message))
}

/// Reads `expand[]` of payment intents.
///
/// # Errors
/// A property that cannot be expanded.
pub fn expand(params: &mut Params<'_>, prefix: &str) -> Result<Expand, InputError> {
    let mut expand = Expand::default();
    let can_be = "latest_charge and payment_method of payment intents";
    expand_with(params, prefix, can_be, |property| {
        match property {
            "latest_charge" => expand.latest_charge = true,
            "payment_method" => expand.payment_method = true,
            _ => return false,
        }
        true
    })?;
    Ok(expand)
}

/// Reads `expand[]` and hands each property to `take`, which returns whether it knows it. In lists, properties have a prefix.
///
/// # Errors
/// A property that cannot be expanded.
pub fn expand_with(
    params: &mut Params<'_>,
    prefix: &str,
    can_be: &str,
    mut take: impl FnMut(&str) -> bool,
) -> Result<(), InputError> {
    for path in params.list("expand")? {
        if !path.strip_prefix(prefix).is_some_and(&mut take) {
            let message = format!("This property cannot be expanded. What can be: {can_be}.");
            return Err(InputError::new("expand", "property_not_expandable", message));
        }
    }
    Ok(())
}

/// Refuses parameters that are not offered or not known.
pub fn finish(params: &Params<'_>) -> Result<(), InputError> {
    params.refuse(NOT_OFFERED)?;
    params.finish()
}

/// Puts the key from the header, if there is one, into a draft.
///
/// # Errors
/// A key that is too long or not printable.
pub fn with_key(mut draft: OperationDraft, request: &HttpRequest) -> Result<OperationDraft, ApiError> {
    if let Some(key) = key_of(request)? {
        draft.key = Some(key);
    }
    Ok(draft)
}

/// Reads a payment's id that has one of these prefixes.
///
/// # Errors
/// 404 for anything else.
pub fn payment_id(text: &str, resource: &str, prefixes: &[&str]) -> Result<PaymentId, ApiError> {
    let bits = prefixes.iter().find_map(|prefix| text.strip_prefix(prefix));
    let canonical = bits.and_then(|bits| format!("pi_{bits}").parse().ok());
    canonical.ok_or_else(|| ApiError::not_found(resource, text))
}
