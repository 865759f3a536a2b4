//! What the handlers of pages share: forms, names, banners, and errors as pages.

use std::collections::HashMap;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use askama::Template;

use super::error_page::{PageError, render};
use super::journey::Indexed;
use super::layout::{Layout, Nav};
use super::pay_form::FieldError;
use super::row::{Names, accounts_of};
use crate::accounts::AccountError;
use crate::domain::command::IdempotencyKey;
use crate::domain::ids::AccountId;
use crate::domain::payment::Payment;
use crate::domain::resource::{Change, ChangeResource};
use crate::domain::stages::Stages;
use crate::domain::subject::Subject;
use crate::search::{Query, SearchHealth, SearchRequest};
use crate::store::StoreError;
use crate::web::addresses;
use crate::web::banners::banners;
use crate::web::body::{self, Body};
use crate::web::error::{ApiError, ErrorType, InputError};
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// The result of every page's handler.
pub type PageResult = Result<HttpResponse, PageError>;

/// A page with status 200.
#[must_use]
pub fn ok(page: &impl Template) -> HttpResponse {
    render(HttpResponse::Ok(), page)
}

/// Leads on to another page of ours after a form; to the first one where the address leads elsewhere.
#[must_use]
pub fn see_other(to: &str) -> HttpResponse {
    lead_to(to).finish()
}

/// Leads on to a merchant's address, which is parsed and so holds nothing that a header could not.
#[must_use]
pub fn lead_away(to: &url::Url) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, to.as_str())).finish()
}

/// Begins an answer that leads on.
#[must_use]
pub fn lead_to(to: &str) -> HttpResponseBuilder {
    let mut response = HttpResponse::SeeOther();
    response.insert_header((header::LOCATION, addresses::local(to).unwrap_or_else(|| "/".to_owned())));
    response
}

/// The fields of a form or of a query string.
#[derive(Debug, Default)]
pub struct Fields(HashMap<String, String>);

impl Fields {
    /// Adds what was filled in, in one order, each part with its length.
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
    /// A body that is too large or broke off, or is no text.
    pub fn of_body(body: Body) -> Result<Self, ApiError> {
        Ok(Self::of_text(body::text(&body::bytes(body)?)?.as_bytes()))
    }

    fn of_text(text: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(text).into_owned().take(100).collect())
    }

    /// A field; empty if it is not there.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

/// The fields of a form that someone signed in sent from one of our own pages.
///
/// # Errors
/// 403 if it is from elsewhere.
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

/// The frame of a page, with banners for what is away.
#[must_use]
pub fn frame(state: &WebState, who: &SignedIn, title: &str, nav: Nav) -> Layout {
    let mut layout = Layout::signed_in(title, nav, &who.name, &who.csrf);
    layout.now_ms = Some(state.wall.now().millis());
    layout.banners = banners(&state.hub.system().borrow());
    layout.operator = who.operator;
    layout.demo_badge = who.demo_badge;
    layout
}

/// How long a page waits for the index to say whether it has a payment.
const INDEX_WITHIN: Duration = Duration::from_millis(250);

/// Whether search finds a payment: as this process has seen it, else as the index says, if it is quick to.
pub async fn indexed(state: &WebState, payment: &Payment) -> Indexed {
    if let Some(us) = state.hub.indexed_us(payment.id()) {
        return Indexed::After(us);
    }
    let down = matches!(*state.search.health().borrow(), SearchHealth::Down { .. });
    if down || !payment.state().status.is_at_rest() {
        return Indexed::No;
    }
    let text = format!("id:\"{}\"", payment.submission().public_id());
    let Ok(query) = Query::parse(&text) else {
        return Indexed::No;
    };
    let request = SearchRequest { limit: 1, ..SearchRequest::new(payment.owner(), query) };
    match tokio::time::timeout(INDEX_WITHIN, state.search.search(&request)).await {
        // What was indexed before the end knows nothing of it.
        Ok(Ok(page)) => {
            let ended_at = u64::from(Stages::of(payment).settled_version);
            let knows_the_end = page.hits.iter().any(|hit| hit.version >= ended_at);
            if knows_the_end { Indexed::Yes } else { Indexed::No }
        }
        Ok(Err(_)) | Err(_) => Indexed::No,
    }
}

/// The names that these payments' rows need.
///
/// # Errors
/// The store's.
pub async fn names_of(state: &WebState, payments: &[Payment]) -> Result<Names, StoreError> {
    let mut accounts: Vec<AccountId> = payments.iter().flat_map(accounts_of).collect();
    accounts.sort_unstable();
    accounts.dedup();
    let directory = state.accounts.directory();
    directory.load(accounts.iter().copied()).await?;
    Ok(Names::new(accounts.into_iter().map(|id| (id, directory.name(id).to_string()))))
}

/// A key for a form, so that sending it twice does it once.
///
/// # Errors
/// No randomness.
pub fn idempotency_key() -> Result<String, AccountError> {
    let bytes = crate::accounts::token::random_bytes::<16>()?;
    Ok(crate::domain::ids::base62_encode(u128::from_be_bytes(bytes)))
}

/// The key by which one of a page's forms does once what it is sent for twice. It is fresh with each page; who goes back, writes
/// something else and sends that is told. `form` tells the page's forms apart.
///
/// # Errors
/// A key that is too long or not printable.
pub fn once(state: &WebState, fields: &Fields, form: &str) -> Result<Option<IdempotencyKey>, ApiError> {
    let key = match fields.get("idempotency_key") {
        "" => return Ok(None),
        key => crate::web::intake::idempotency_key(&format!("{key}-{form}"))?,
    };
    let mut request = form.as_bytes().to_vec();
    fields.add_to(&mut request);
    Ok(Some(IdempotencyKey::new(&key, &request, &state.rules.key_secret)))
}

/// Changes a plain resource and returns which it was; for a form that is sent again, the first one.
///
/// # Errors
/// Whatever the line says.
pub async fn change(
    state: &WebState,
    actor: AccountId,
    subject: Subject,
    change: Change,
    idempotency: Option<IdempotencyKey>,
) -> Result<Subject, ApiError> {
    let change = ChangeResource { subject, actor, change, answer: None, idempotency };
    Ok(state.engine.change(change).await?.subject)
}

/// Leaves a form the key that it was sent with where that may have been enough: sent again, it does nothing twice.
pub fn keep_key(key: &mut String, error: &ApiError, fields: &Fields) {
    let sent = fields.get("idempotency_key");
    if error.maybe_done == Some(true) && !sent.is_empty() {
        sent.clone_into(key);
    }
}

/// What an error says to people, who see no idempotency key.
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
    // People see a field, not a parameter.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_that_may_have_been_enough_keeps_its_key() {
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
