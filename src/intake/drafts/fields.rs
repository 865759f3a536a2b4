//! Reads single fields of payments: amounts, customers, bank accounts, capture methods, lanes and runs.

use crate::domain::amounts::{self, AmountProblem};
use crate::domain::bank_account::BankAccount;
use crate::domain::card_numbers::shown;
use crate::domain::currency::Currency;
use crate::domain::ids::CustomerId;
use crate::domain::money::Money;
use crate::domain::payment_kind::PaymentKind;
use crate::domain::submission::{CaptureMethod, Lane};
use crate::intake::error::{InputError, SHOWN_CHARS_MAX};
use crate::intake::params::Params;

/// The most characters of a description.
pub const DESCRIPTION_CHARS_MAX: usize = 1_000;
const RUN_CHARS_MAX: usize = 64;

pub(super) fn amount(params: &mut Params<'_>, kind: PaymentKind) -> Result<Money, InputError> {
    let amount_minor = params.integer("amount")?.ok_or_else(|| InputError::missing("amount"))?;
    let currency = params.text("currency")?.ok_or_else(|| InputError::missing("currency"))?;
    let currency: Currency = currency.parse().map_err(|_| {
        InputError::new(
            "currency",
            "parameter_invalid_currency",
            "Invalid currency: use a three-letter ISO 4217 code such as eur.",
        )
    })?;
    let amount = Money::new(amount_minor, currency);
    // The domain checks these bounds too; refused here, they cost the sequencer nothing.
    let checked = match kind {
        PaymentKind::Charge | PaymentKind::TopUp | PaymentKind::Transfer => amounts::check(amount),
        PaymentKind::Payout => amounts::check_payout(amount),
    };
    checked.map(|()| amount).map_err(wrong_amount)
}

pub(super) fn wrong_amount(problem: AmountProblem) -> InputError {
    InputError::new("amount", problem.code(), problem.to_string())
}

/// Reads `customer`. Whether the customer exists is decided later.
///
/// # Errors
/// Not the id of a customer.
pub fn customer(params: &mut Params<'_>) -> Result<Option<CustomerId>, InputError> {
    let Some(text) = params.text("customer")? else { return Ok(None) };
    text.parse().map(Some).map_err(|_| {
        let message = format!("No such customer: '{}'", shown(&text, SHOWN_CHARS_MAX));
        InputError::new("customer", "resource_missing", message)
    })
}

pub(super) fn bank(params: &mut Params<'_>) -> Result<BankAccount, InputError> {
    let Some(number) = params.text("bank_account")? else {
        return Ok(BankAccount::Valid);
    };
    BankAccount::by_number(&number).ok_or_else(|| {
        let message = "Not a test bank account. Use 000123456789, or 000111111113 for one that is closed.";
        InputError::new("bank_account", "bank_account_unknown", message)
    })
}

pub(super) fn capture(params: &mut Params<'_>) -> Result<CaptureMethod, InputError> {
    match params.text("capture_method")?.as_deref() {
        None | Some("automatic" | "automatic_async") => Ok(CaptureMethod::Automatic),
        Some("manual") => Ok(CaptureMethod::Manual),
        Some(_) => {
            let message = "Invalid capture_method: must be one of automatic, automatic_async or manual.";
            Err(InputError::new("capture_method", "parameter_invalid_enum", message))
        }
    }
}

pub(super) fn always_confirmed(params: &mut Params<'_>) -> Result<bool, InputError> {
    match params.boolean("confirm")? {
        None | Some(true) => Ok(true),
        Some(false) => {
            let message = "Only a charge can be created without being confirmed.";
            Err(InputError::new("confirm", "parameter_invalid_boolean", message))
        }
    }
}

pub(super) fn lane(params: &mut Params<'_>) -> Result<Lane, InputError> {
    match params.text("lane")?.as_deref() {
        None | Some("interactive") => Ok(Lane::Interactive),
        Some("bulk") => Ok(Lane::Bulk),
        Some(_) => Err(InputError::new(
            "lane",
            "parameter_invalid_enum",
            "Invalid lane: must be interactive or bulk.",
        )),
    }
}

/// Reads the name of a load run.
///
/// # Errors
/// Too long, or characters that do not belong in a name.
pub fn run(params: &mut Params<'_>) -> Result<Option<String>, InputError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    match params.text_up_to("run", RUN_CHARS_MAX)? {
        None => Ok(None),
        Some(name) if name.chars().all(plain) => Ok(Some(name.into_owned())),
        Some(_) => {
            let message = "Invalid run: letters, digits and - _ . : were expected.";
            Err(InputError::new("run", "parameter_invalid_string", message))
        }
    }
}
