//! `/start?t=…`: the address printed at startup, which signs in to the demo account once; and hiding the demo badge.
//!
//! `GET` changes nothing, because browsers and tools prefetch addresses. The page's form, which is sent by itself once someone sees the
//! page, uses up the token. Only requests from this machine get that far.

use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::error_page::{PageError, render};
use super::forms::{self, Fields};
use super::layout::Layout;
use super::responses::{self, PageResult};
use crate::domain::ids::AccountId;
use crate::web::addresses;
use crate::web::body::Body;
use crate::web::demo::{self, Demo};
use crate::web::error::ApiError;
use crate::web::security::{self, SignedIn};
use crate::web::state::WebState;

/// How long a hidden badge stays hidden.
const BADGE_DAYS: i64 = 365;

/// The page.
#[derive(Template)]
#[template(path = "start.html")]
pub struct StartPage {
    /// The frame.
    pub layout: Layout,
    /// The token for the form; empty if it is spent or unknown.
    pub token: String,
    /// The demo account's name.
    pub name: String,
    /// The name of someone else who is already signed in.
    pub other: Option<String>,
}

/// `GET /start?t=…`.
pub async fn show(state: web::Data<WebState>, request: HttpRequest) -> PageResult {
    let demo = demo_of(&state, &request)?;
    let signed_in = SignedIn::of(&state, &request).await?;
    if signed_in.as_ref().is_some_and(|who| who.account == demo.account) {
        return Ok(responses::see_other("/"));
    }
    let fields = Fields::of_query(&request);
    let token = fields.get("t");
    let opens = demo.opens(token);
    let page = StartPage {
        layout: Layout::signed_out("Start", ""),
        token: if opens { token.to_owned() } else { String::new() },
        name: name_of(&state, demo.account).await?,
        other: signed_in.map(|who| who.name.to_string()),
    };
    // 410, because a spent address did exist once.
    Ok(render(HttpResponse::build(if opens { StatusCode::OK } else { StatusCode::GONE }), &page))
}

/// `POST /start`.
pub async fn sign_in(state: web::Data<WebState>, request: HttpRequest, body: Body) -> PageResult {
    security::same_origin(&state, &request)?;
    let demo = demo_of(&state, &request)?;
    let fields = Fields::of_body(body)?;
    let token = fields.get("t");
    if !demo.take(token) {
        // After a double click the first has signed in; anyone else is shown that the address is spent.
        return Ok(responses::see_other("/start"));
    }
    let user_agent = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    match state.accounts.session_begin(demo.account, user_agent.unwrap_or_default()).await {
        Ok(begun) => {
            let cookie = security::session_cookie(&state, begun.token);
            Ok(responses::lead_to("/").cookie(cookie).finish())
        }
        Err(error) => {
            demo.give_back(token);
            Err(error.into())
        }
    }
}

/// `POST /demo/hide`: hides the badge in this browser only.
pub async fn hide_badge(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    body: Body,
) -> PageResult {
    forms::signed_form(&state, &request, &who, body)?;
    let cookie = Cookie::build(demo::BADGE_COOKIE, demo::BADGE_HIDDEN)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(state.settings.secure_cookies)
        .max_age(Duration::days(BADGE_DAYS))
        .finish();
    let back = addresses::referring(&state, &request).unwrap_or_else(|| "/".to_owned());
    Ok(responses::lead_to(&back).cookie(cookie).finish())
}

/// The demo account, if there is one and the request is from this machine; 404 otherwise.
fn demo_of<'a>(state: &'a WebState, request: &HttpRequest) -> Result<&'a Demo, PageError> {
    let demo = state.demo.as_ref().filter(|_| demo::is_local(request));
    demo.ok_or_else(|| ApiError::not_found("page", "").into())
}

async fn name_of(state: &WebState, account: AccountId) -> Result<String, PageError> {
    let profile = state.accounts.directory().get(account).await?;
    Ok(profile.map_or_else(|| "the demo account".to_owned(), |profile| profile.name.to_string()))
}
