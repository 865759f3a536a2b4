//! Reads cards from parameters and reduces them at once.

use crate::domain::card::{Card, CardDetails, CardError, YearMonth};
use crate::domain::instrument::PresentedCard;
use crate::domain::time::Timestamp;
use crate::intake::error::InputError;
use crate::intake::params::{Params, Value};
use crate::intake::rules::InputContext;

/// The month that expiry dates are compared with, in UTC.
#[must_use]
pub fn year_month(now: Timestamp) -> YearMonth {
    let date =
        jiff::Timestamp::from_microsecond(now.micros()).map(|at| jiff::tz::Offset::UTC.to_datetime(at));
    // Only a clock beyond the year 9999 has no date; then nothing has expired.
    date.map_or(YearMonth { year: 0, month: 1 }, |at| YearMonth {
        year: i64::from(at.year()),
        month: i64::from(at.month()),
    })
}

/// How long ago a card may have expired for an earlier request with it still to be recognised.
const EXPIRED_YEARS_MAX: i64 = 2;

/// A card as it was given.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// The card.
    pub card: Option<PresentedCard>,
    /// Whether it was given by alias: then its expiry follows from the day on which it is read, and was not asked for.
    pub alias: bool,
    /// Set if the card has expired since an earlier request could have used it.
    pub lapsed: Option<InputError>,
}

/// Reads and reduces the card, given in one of these ways: `payment_method` or `card` or `source` with an alias such as
/// `pm_card_visa`; `payment_method_data[type]=card` with `payment_method_data[card][…]`; or `card[…]` directly.
///
/// # Errors
/// More than one of these, or details that are not those of a test card. An expired card is not an error here: an
/// earlier request made with it is still recognised by its key.
pub fn card_of(params: &mut Params<'_>, context: &InputContext<'_>) -> Result<Given, InputError> {
    let ways = ["payment_method", "payment_method_data", "card", "source"];
    let mut given = ways.into_iter().filter(|way| params.has(way));
    let Some(way) = given.next() else {
        return Ok(Given::default());
    };
    if let Some(second) = given.next() {
        let message = format!("You may only specify one of these parameters: {way}, {second}.");
        return Err(InputError::new(second, "parameters_exclusive", message));
    }
    match way {
        "payment_method_data" => from_method_data(params, context),
        "card"
            if params.has("card[number]") || params.has("card[exp_month]") || params.has("card[token]") =>
        {
            from_details(params, "card", context)
        }
        way => Ok(Given { card: from_alias(params, way, context)?, alias: true, lapsed: None }),
    }
}

fn from_alias(
    params: &mut Params<'_>,
    path: &str,
    context: &InputContext<'_>,
) -> Result<Option<PresentedCard>, InputError> {
    let Some(alias) = params.text(path)? else {
        return Ok(None);
    };
    Card::from_token(&alias, &context.rules.fingerprint_key, year_month(context.now))
        .map(|card| Some(card.into()))
        .map_err(|error| InputError::card(path, error))
}

fn from_method_data(params: &mut Params<'_>, context: &InputContext<'_>) -> Result<Given, InputError> {
    let path = "payment_method_data[type]";
    match params.text(path)?.as_deref() {
        Some("card") => from_details(params, "payment_method_data[card]", context),
        Some(_) => Err(InputError::new(
            path,
            "parameter_invalid_enum",
            "Paystorm offers payment methods of type card only.",
        )),
        None => Err(InputError::missing(path)),
    }
}

fn from_details(
    params: &mut Params<'_>,
    path: &str,
    context: &InputContext<'_>,
) -> Result<Given, InputError> {
    let field = |name: &str| format!("{path}[{name}]");
    if params.has(&field("token")) {
        let card = from_alias(params, &field("token"), context)?;
        let card = Some(card.ok_or_else(|| InputError::missing(&field("token")))?);
        return Ok(Given { card, alias: true, lapsed: None });
    }
    // Card numbers may also arrive as JSON numbers; read as digits, they leave no trace in an error message.
    let number = digits(params, &field("number"))?.ok_or_else(|| InputError::missing(&field("number")))?;
    let exp_month =
        params.integer(&field("exp_month"))?.ok_or_else(|| InputError::missing(&field("exp_month")))?;
    let exp_year =
        params.integer(&field("exp_year"))?.ok_or_else(|| InputError::missing(&field("exp_year")))?;
    let cvc = digits(params, &field("cvc"))?;
    let details = CardDetails { number: &number, exp_month, exp_year, cvc: cvc.as_deref() };
    let today = year_month(context.now);
    let reduce = |today| Card::reduce(&details, &context.rules.fingerprint_key, today);
    let wrong = |error| InputError::card(path, error);
    let given = |card: Card, lapsed| Given { card: Some(card.into()), alias: false, lapsed };
    match reduce(today) {
        Ok(card) => Ok(given(card, None)),
        Err(error @ (CardError::InvalidExpiryMonth | CardError::InvalidExpiryYear)) => {
            let before = YearMonth { year: today.year - EXPIRED_YEARS_MAX, ..today };
            let card = reduce(before).map_err(|_| wrong(error))?;
            Ok(given(card, Some(wrong(error))))
        }
        Err(error) => Err(wrong(error)),
    }
}

/// Digits given as text or as a JSON number.
fn digits(params: &mut Params<'_>, path: &str) -> Result<Option<String>, InputError> {
    match params.take(path) {
        None | Some(Value::Empty) => Ok(None),
        Some(Value::Text(text)) if text.is_empty() => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text.into_owned())),
        Some(Value::Integer(number)) => Ok(Some(number.to_string())),
        Some(Value::Bool(_) | Value::OtherNumber) => {
            Err(InputError::new(path, "parameter_invalid_string", "Invalid string: digits were expected."))
        }
    }
}
