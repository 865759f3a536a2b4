//! Turns plain forms into commands, through the same intake as everything else. A card number goes from the form's field into the
//! parameters and nowhere else.

use serde_json::{Map, Value, json};

use super::forms::{Fields, wrong};
use super::pay_form::PayFormInput;
use crate::domain::currency::Currency;
use crate::domain::ids::{AccountId, PaymentId};
use crate::domain::money::Money;
use crate::domain::payment::Payment;
use crate::domain::payment_kind::PaymentKind;
use crate::engine::Done;
use crate::intake::details;
use crate::intake::{Answering, Call, InputError, OperationDraft, Params, PaymentDraft, Verb};
use crate::web::error::ApiError;
use crate::web::state::WebState;

/// The form's contents, to be shown again, without the card number.
#[must_use]
pub fn input_of(fields: &Fields) -> PayFormInput {
    let first = PayFormInput::first();
    let or = |value: &str, default: String| if value.is_empty() { default } else { value.to_owned() };
    PayFormInput {
        kind: or(fields.get("kind"), first.kind),
        amount: or(fields.get("amount"), first.amount),
        currency: or(&fields.get("currency").to_ascii_lowercase(), first.currency),
        payment_method: or(fields.get("payment_method"), first.payment_method),
        destination: fields.get("destination").to_owned(),
        bank_account: fields.get("bank_account").to_owned(),
        description: fields.get("description").to_owned(),
        manual: fields.get("capture_method") == "manual",
    }
}

/// Submits what the form asks for and returns once it is committed.
///
/// # Errors
/// [`ApiError`] that names the field at fault, or says that the engine has no room.
pub async fn submit(state: &WebState, owner: AccountId, fields: &Fields) -> Result<Done, ApiError> {
    let kind = PaymentKind::parse(fields.get("kind")).ok_or_else(|| wrong("kind", "Choose what to do."))?;
    let bytes = Value::Object(payment_params(kind, fields)?).to_string();
    let mut params = Params::from_json(bytes.as_bytes())?;
    let draft = PaymentDraft::read(&mut params, kind, &state.intake.context())?;
    params.finish()?;
    Ok(state.intake.submit(draft, owner, Call::default()).await?.committed().await?)
}

/// Submits the operation that an action's form asks for and returns once it is committed.
///
/// # Errors
/// As [`submit`].
pub async fn operate(
    state: &WebState,
    actor: AccountId,
    payment: PaymentId,
    verb: Verb,
    fields: &Fields,
) -> Result<Done, ApiError> {
    let mut params = Map::new();
    insert(&mut params, "idempotency_key", fields.get("idempotency_key"));
    for name in ["passed", "dispute", "refund", "reason", "type"] {
        insert(&mut params, name, fields.get(name));
    }
    if !fields.get("amount").is_empty() {
        params.insert("amount".to_owned(), json!(amount(fields)?.amount_minor));
    }
    let bytes = Value::Object(params).to_string();
    let mut params = Params::from_json(bytes.as_bytes())?;
    let draft = OperationDraft::read(&mut params, verb, "amount", &state.intake.context())?;
    Ok(state.intake.operate(draft, payment, actor, Call::default()).await?.committed().await?)
}

/// Submits evidence for the dispute that the form names, and returns once it is committed.
///
/// # Errors
/// As [`submit`]; 404 if the payment has no such dispute.
pub async fn answer_dispute(
    state: &WebState,
    actor: AccountId,
    payment: &Payment,
    fields: &Fields,
) -> Result<Done, ApiError> {
    let text = fields.get("dispute");
    let dispute = text.parse().ok().and_then(|id| payment.dispute(id));
    let dispute = dispute.ok_or_else(|| ApiError::not_found("dispute", text))?;
    let (id, base) = (dispute.id, dispute.detail);
    let kept = details::of_disputes(state.store.as_ref(), std::iter::once((id, base))).await?;
    let detail = kept.get(&(id, base)).cloned().unwrap_or_default();
    let before = Answering { dispute: id, base, detail };
    let mut params = Map::new();
    insert(&mut params, "idempotency_key", fields.get("idempotency_key"));
    params.insert("evidence".to_owned(), json!({ "uncategorized_text": fields.get("evidence") }));
    let bytes = Value::Object(params).to_string();
    let mut params = Params::from_json(bytes.as_bytes())?;
    let draft = OperationDraft::answer(&mut params, &before, &state.intake.context())?;
    Ok(state.intake.operate(draft, payment.id(), actor, Call::default()).await?.committed().await?)
}

fn insert(params: &mut Map<String, Value>, name: &str, value: &str) {
    if !value.is_empty() {
        params.insert(name.to_owned(), json!(value));
    }
}

fn amount(fields: &Fields) -> Result<Money, ApiError> {
    let currency: Currency =
        fields.get("currency").parse().map_err(|_| wrong("currency", "Choose a currency."))?;
    let wrong = |words: String| InputError::new("amount", "parameter_invalid_integer", words).into();
    match Money::parse_decimal(fields.get("amount"), currency) {
        Ok(amount) if amount.amount_minor == 0 => Err(wrong("Must be more than zero.".to_owned())),
        Ok(amount) => Ok(amount),
        Err(error) => Err(wrong(error.to_string())),
    }
}

/// The fields of the form under their names in docs/websocket.md. Fields of the other verbs are left out, because they are hidden but
/// may hold values.
fn payment_params(kind: PaymentKind, fields: &Fields) -> Result<Map<String, Value>, ApiError> {
    let amount = amount(fields)?;
    let mut params = Map::new();
    params.insert("amount".to_owned(), json!(amount.amount_minor));
    params.insert("currency".to_owned(), json!(amount.currency.lower()));
    for name in ["idempotency_key", "description"] {
        insert(&mut params, name, fields.get(name).trim());
    }
    match kind {
        PaymentKind::Charge | PaymentKind::TopUp => card(&mut params, fields)?,
        PaymentKind::Transfer => insert(&mut params, "destination", fields.get("destination").trim()),
        PaymentKind::Payout => insert(&mut params, "bank_account", fields.get("bank_account")),
    }
    if kind == PaymentKind::Charge {
        insert(&mut params, "capture_method", fields.get("capture_method"));
    }
    Ok(params)
}

fn card(params: &mut Map<String, Value>, fields: &Fields) -> Result<(), ApiError> {
    let number = fields.get("number").trim();
    if number.is_empty() {
        insert(params, "payment_method", fields.get("payment_method"));
        return Ok(());
    }
    let (month, year) =
        expiry(fields.get("expiry")).ok_or_else(|| wrong("expiry", "Write the expiry like 12/34."))?;
    let mut card = Map::new();
    card.insert("number".to_owned(), json!(number));
    card.insert("exp_month".to_owned(), json!(month));
    card.insert("exp_year".to_owned(), json!(year));
    insert(&mut card, "cvc", fields.get("cvc").trim());
    params.insert("card".to_owned(), Value::Object(card));
    Ok(())
}

/// `12/34` or `12/2034` as month and year.
fn expiry(text: &str) -> Option<(u32, u32)> {
    let (month, year) = text.split_once(['/', '-'])?;
    let (month, year) = (month.trim(), year.trim());
    let short = year.len() == 2;
    let year: u32 = year.parse().ok()?;
    Some((month.parse().ok()?, if short { 2_000 + year } else { year }))
}

#[cfg(test)]
mod tests {
    use super::expiry;

    #[test]
    fn expiries_are_read_as_people_write_them() {
        assert_eq!(expiry("12/34"), Some((12, 2034)));
        assert_eq!(expiry(" 1 / 2034 "), Some((1, 2034)));
        assert_eq!(expiry("1234"), None);
        assert_eq!(expiry("12/x"), None);
    }
}
