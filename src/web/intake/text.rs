//! What text may not hold: a card number. Looked for in every parameter that no one has taken for a card, by its name and by
//! its value, so that a parameter that is added later is looked through as well.

use super::Rules;
use crate::domain::card_numbers::holds_card_number;
use crate::web::error::InputError;
use crate::web::params::Params;

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

/// Refuses parameters in which a card number stands. Whoever takes some before a draft is read, which looks through the
/// rest, asks first.
///
/// # Errors
/// Names the parameter.
pub fn check_params(params: &Params<'_>, rules: &Rules) -> Result<(), InputError> {
    if !rules.refuse_card_numbers {
        return Ok(());
    }
    for (name, value) in params.texts().filter(|(name, _)| !is_reduced(name)) {
        if holds_card_number(name) {
            // The name is at fault and not repeated. One that no brackets follow is unknown anyway.
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

/// Refuses a text that goes by this name.
///
/// # Errors
/// A card number stands in it.
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
