//! `/sign-in` and `/register`, and signing out.

use actix_web::http::header;
use actix_web::{HttpRequest, web};
use askama::Template;

use super::error_page::{PageError, answer_to, render};
use super::forms::{self, Fields};
use super::layout::{Layout, Notice, Tone};
use super::pay_form::FieldError;
use super::responses::{self, PageResult};
use crate::accounts::{AccountError, Begun, Credentials};
use crate::web::addresses;
use crate::web::body::Body;
use crate::web::error::ApiError;
use crate::web::security::{self, SignedIn};
use crate::web::state::WebState;

/// Either page; they share a template.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub struct SignInPage {
    /// The frame.
    pub layout: Layout,
    /// Whether this is `/register`.
    pub register: bool,
    /// Whether anyone may register.
    pub registration: bool,
    /// The e-mail address as typed.
    pub email: String,
    /// The name as typed.
    pub name: String,
    /// The path of this site to go to afterwards.
    pub next: String,
    /// Whether there is a demo account, which opens with the address printed at startup.
    pub demo: bool,
    /// The field at fault and its message, after a rejection.
    pub error: Option<FieldError>,
}

impl SignInPage {
    /// The error message for a field, if it is the one at fault.
    #[must_use]
    pub fn error_of(&self, field: &str) -> Option<&str> {
        self.error.as_ref().filter(|error| error.field == field).map(|error| error.message.as_str())
    }

    /// The error message for the whole form, if no field is at fault.
    #[must_use]
    pub fn error_of_all(&self) -> Option<&str> {
        const FIELDS: [&str; 3] = ["email", "name", "password"];
        self.error
            .as_ref()
            .filter(|error| !FIELDS.contains(&error.field.as_str()))
            .map(|error| error.message.as_str())
    }
}

/// Where to go after signing in. Only paths of this site are allowed, or a link in a mail could lead anywhere.
fn next_of(fields: &Fields) -> String {
    addresses::local(fields.get("next")).unwrap_or_else(|| "/".to_owned())
}

/// `GET /sign-in`.
pub async fn show_sign_in(state: web::Data<WebState>, request: HttpRequest) -> PageResult {
    show(&state, &request, false).await
}

/// `GET /register`.
pub async fn show_register(state: web::Data<WebState>, request: HttpRequest) -> PageResult {
    show(&state, &request, true).await
}

/// `POST /sign-in`.
pub async fn sign_in(state: web::Data<WebState>, request: HttpRequest, body: Body) -> PageResult {
    submit(&state, &request, body, false).await
}

/// `POST /register`.
pub async fn register(state: web::Data<WebState>, request: HttpRequest, body: Body) -> PageResult {
    submit(&state, &request, body, true).await
}

/// `POST /sign-out`.
pub async fn sign_out(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    body: Body,
) -> PageResult {
    forms::signed_form(&state, &request, &who, body)?;
    match state.accounts.session_end(who.account, who.session.id).await {
        Ok(()) | Err(AccountError::NotFound(_)) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(responses::lead_to("/sign-in").cookie(security::session_cookie_removal(&state)).finish())
}

async fn show(state: &WebState, request: &HttpRequest, register: bool) -> PageResult {
    let fields = Fields::of_query(request);
    let next = next_of(&fields);
    if register && !state.accounts.rules().registration {
        return Err(AccountError::RegistrationClosed.into());
    }
    // Someone who is signed in has no business here.
    if SignedIn::of(state, request).await?.is_some() {
        return Ok(responses::see_other(&next));
    }
    let mut page = page(state, register, &next, &fields, None);
    if fields.get("closed") == "yes" {
        page.layout
            .notices
            .push(Notice::new(Tone::Info, "Your account is deleted. Its address is free again."));
    }
    Ok(responses::ok(&page))
}

fn page(
    state: &WebState,
    register: bool,
    next: &str,
    fields: &Fields,
    error: Option<FieldError>,
) -> SignInPage {
    SignInPage {
        layout: Layout::signed_out(if register { "Make an account" } else { "Sign in" }, ""),
        register,
        registration: state.accounts.rules().registration,
        email: fields.get("email").to_owned(),
        name: fields.get("name").to_owned(),
        next: next.to_owned(),
        demo: state.demo.is_some(),
        error,
    }
}

async fn submit(state: &WebState, request: &HttpRequest, body: Body, register: bool) -> PageResult {
    // Without a session there is no CSRF token; the browser's headers say where the form came from.
    security::same_origin(state, request)?;
    let fields = Fields::of_body(body)?;
    let next = next_of(&fields);
    match begin(state, request, &fields, register).await {
        Ok(begun) => {
            let cookie = security::session_cookie(state, begun.token);
            Ok(responses::lead_to(&next).cookie(cookie).finish())
        }
        Err(error @ AccountError::Store(_)) => Err(PageError::from(error)),
        Err(error) => {
            let error = ApiError::from(error);
            let page = page(state, register, &next, &fields, Some(forms::field_error(&error)));
            Ok(render(answer_to(&error), &page))
        }
    }
}

async fn begin(
    state: &WebState,
    request: &HttpRequest,
    fields: &Fields,
    register: bool,
) -> Result<Begun, AccountError> {
    let user_agent =
        request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let address = security::client_address(state, request);
    let form = Credentials {
        email: fields.get("email"),
        password: fields.get("password"),
        address: &address,
        user_agent,
    };
    if register {
        state.accounts.register_and_sign_in(&form, fields.get("name")).await
    } else {
        state.accounts.sign_in(&form).await
    }
}
