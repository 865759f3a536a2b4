//! Refuses card numbers in text. Looks through the name and the value of every parameter that was not taken as a card, so
//! that parameters added later are covered as well.

use crate::domain::card_numbers::holds_card_number;
use crate::intake::error::InputError;
use crate::intake::params::Params;
use crate::intake::rules::Rules;

/// Parameters that are reduced or only looked up, never kept as they are.
const NOT_KEPT: [&str; 8] = [
    "amount",
    "amount_to_capture",
    "idempotency_key",
    "draw_key",
    "payment_method",
    "source",
    "card",
    "bank_account",
];

/// Refuses parameters that contain a card number. Reading a draft does this for the parameters that are left; a caller
/// that takes some before must call this first.
///
/// # Errors
/// Names the parameter.
pub fn check_params(params: &Params<'_>, rules: &Rules) -> Result<(), InputError> {
    if !rules.refuse_card_numbers {
        return Ok(());
    }
    for (name, value) in params.texts().filter(|(name, _)| !is_reduced(name)) {
        if holds_card_number(name) {
            // The name is at fault and must not be repeated. A name without brackets is refused as unknown anyway.
            if let Some((head, _)) = name.split_once('[') {
                return Err(refused(head));
            }
        }
        if holds_card_number(&value) {
            return Err(refused(name));
        }
    }
    Ok(())
}

/// Refuses a text, the value of the parameter `name`.
///
/// # Errors
/// It contains a card number.
pub fn check_text(name: &str, text: &str, rules: &Rules) -> Result<(), InputError> {
    match rules.refuse_card_numbers && holds_card_number(text) {
        true => Err(refused(name)),
        false => Ok(()),
    }
}

fn refused(name: &str) -> InputError {
    let message = "A card number seems to stand here. Card numbers are taken as a card only and kept nowhere: leave it out.";
    InputError::new(name, "card_number_in_text", message)
}

fn is_reduced(name: &str) -> bool {
    NOT_KEPT.contains(&name) || name.starts_with("card[") || name.starts_with("payment_method_data[card]")
}
