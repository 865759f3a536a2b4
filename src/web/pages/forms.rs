//! The forms of pages: reading their fields, the idempotency keys that make sending twice harmless, and the errors shown beside fields.

use std::collections::HashMap;

use actix_web::HttpRequest;

use super::error_page::PageError;
use super::pay_form::FieldError;
use crate::accounts::AccountError;
use crate::domain::command::IdempotencyKey;
use crate::domain::ids::AccountId;
use crate::domain::resource::{Change, ChangeResource};
use crate::domain::subject::Subject;
use crate::intake::InputError;
use crate::web::body::{self, Body};
use crate::web::error::{ApiError, ErrorType};
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// The fields of a form or of a query string.
#[derive(Debug, Default)]
pub struct Fields(HashMap<String, String>);

impl Fields {
    /// Appends the filled-in fields in a fixed order, each part prefixed by its length.
    fn add_to(&self, request: &mut Vec<u8>) {
        let mut filled_in: Vec<(&str, &str)> =
            self.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        filled_in.retain(|(name, _)| !["csrf", "idempotency_key"].contains(name));
        filled_in.sort_unstable();
        for part in filled_in.into_iter().flat_map(|(name, value)| [name, value]) {
            request.extend_from_slice(&(part.len() as u64).to_be_bytes());
            request.extend_from_slice(part.as_bytes());
        }
    }

    /// From the query string.
    #[must_use]
    pub fn of_query(request: &HttpRequest) -> Self {
        Self::of_text(request.query_string().as_bytes())
    }

    /// From a body.
    ///
    /// # Errors
    /// The body is too large, incomplete or not text.
    pub fn of_body(body: Body) -> Result<Self, ApiError> {
        Ok(Self::of_text(body::text(&body::bytes(body)?)?.as_bytes()))
    }

    fn of_text(text: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(text).into_owned().take(100).collect())
    }

    /// The value of a field; empty if it is absent.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

/// The fields of a form that someone signed in sent from one of our own pages.
///
/// # Errors
/// 403 if it came from another site.
pub fn signed_form(
    state: &WebState,
    request: &HttpRequest,
    who: &SignedIn,
    body: Body,
) -> Result<Fields, PageError> {
    let fields = Fields::of_body(body)?;
    who.check_form(state, request, fields.get("csrf"))?;
    Ok(fields)
}

/// A fresh idempotency key for a form.
///
/// # Errors
/// The system has no randomness to give.
pub fn idempotency_key() -> Result<String, AccountError> {
    let bytes = crate::accounts::token::random_bytes::<16>()?;
    Ok(crate::domain::ids::base62_encode(u128::from_be_bytes(bytes)))
}

/// The idempotency key of a form; `form` distinguishes the forms of one page. Each rendering of a page has a fresh key. Going back and
/// sending something else under a used key is an error.
///
/// # Errors
/// The key is too long or not printable.
pub fn once(state: &WebState, fields: &Fields, form: &str) -> Result<Option<IdempotencyKey>, ApiError> {
    let key = match fields.get("idempotency_key") {
        "" => return Ok(None),
        key => crate::intake::idempotency_key(&format!("{key}-{form}"))?,
    };
    let mut request = form.as_bytes().to_vec();
    fields.add_to(&mut request);
    Ok(Some(IdempotencyKey::new(&key, &request, &state.intake.rules.key_secret)))
}

/// Keeps the key that a form was sent with if its change may have been made, so that sending it again does nothing twice.
pub fn keep_key(key: &mut String, error: &ApiError, fields: &Fields) {
    let sent = fields.get("idempotency_key");
    if error.maybe_done == Some(true) && !sent.is_empty() {
        sent.clone_into(key);
    }
}

/// An error's message for people, who see no idempotency key.
#[must_use]
pub fn words(error: &ApiError) -> String {
    if matches!(error.kind, ErrorType::IdempotencyError) {
        let words = "This form has already been sent, with something else in it. Nothing was changed: send it again to do this too.";
        return words.to_owned();
    }
    match error.maybe_done {
        Some(true) => {
            "The store went away before it answered: this may or may not have been done. Send it again as it \
                       stands here: it will not be done twice."
                .to_owned()
        }
        Some(false) | None => error.message.to_string(),
    }
}

/// The field of a form that an error is about.
#[must_use]
pub fn field_error(error: &ApiError) -> FieldError {
    let param = error.param.as_deref().unwrap_or_default();
    let inner = param.strip_prefix("card[").and_then(|rest| rest.strip_suffix(']')).unwrap_or(param);
    let field = match inner {
        "exp_month" | "exp_year" => "expiry",
        "amount_to_capture" => "amount",
        "card" => "number",
        other => other,
    };
    // People see a field, not the parameter behind it.
    let message = match (error.code, field) {
        (Some("parameter_missing"), "destination") => {
            "Who gets it? An e-mail address or an account's id.".to_owned()
        }
        (Some("parameter_missing"), _) => "Fill this in.".to_owned(),
        _ => words(error),
    };
    FieldError { field: field.to_owned(), message }
}

/// An error about one field.
#[must_use]
pub fn wrong(field: &'static str, message: impl Into<String>) -> ApiError {
    InputError::new(field, "parameter_invalid_string", message.into()).into()
}

/// Changes a plain resource and returns its subject; for a form that is sent again, the subject of the first change.
///
/// # Errors
/// The sequencer's.
pub async fn change(
    state: &WebState,
    actor: AccountId,
    subject: Subject,
    change: Change,
    idempotency: Option<IdempotencyKey>,
) -> Result<Subject, ApiError> {
    let change = ChangeResource { subject, actor, change, answer: None, idempotency };
    Ok(state.intake.change(change, None).await?.subject)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_that_may_have_taken_effect_keeps_its_key() {
        let fields = Fields::of_text(b"idempotency_key=first");
        let key_after = |error: ApiError| {
            let mut key = "fresh".to_owned();
            keep_key(&mut key, &error, &fields);
            key
        };
        let certain = ApiError::unavailable("The store is not available. Nothing was changed.");
        assert_eq!(key_after(certain.clone()), "fresh");
        assert_eq!(key_after(certain.clone().after_write()), "first");
        assert_eq!(words(&certain), "The store is not available. Nothing was changed.");
        assert!(words(&certain.after_write()).contains("will not be done twice"));
        assert_eq!(key_after(ApiError::invalid("x", "no").after_write()), "fresh", "a rejection is certain");
    }
}
