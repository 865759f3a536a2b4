//! Identifies callers and rejects cross-site requests: sessions, API keys, CSRF tokens, origins.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::cookie::{Cookie, SameSite, time::Duration as CookieDuration};
use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, HttpResponse, web};
use futures_util::future::LocalBoxFuture;

use super::demo;
use super::error::ApiError;
use super::state::WebState;
use crate::accounts::{AccountError, KeyHolder, KeyState, token};
use crate::domain::ids::{AccountId, ApiKeyId};
use crate::store::Session;

const COOKIE: &str = "paystorm_session";
/// The prefix binds the cookie to this host and to TLS (RFC 6265bis, 4.1.3.2).
const COOKIE_TLS: &str = "__Host-paystorm_session";
const CSRF_CONTEXT: &str = "paystorm 2026 csrf token of a session";

/// The application's state, from a request.
///
/// # Errors
/// Only if the application was built without it.
pub fn state_of(request: &HttpRequest) -> Result<web::Data<WebState>, ApiError> {
    request.app_data::<web::Data<WebState>>().cloned().ok_or_else(ApiError::internal)
}

// ---- the API's callers ----

/// A program with an API key.
#[derive(Debug, Clone, Copy)]
pub struct ApiCaller {
    /// The account it acts for: its own, or one it created (`Stripe-Account`).
    pub account: AccountId,
    /// The account that the key belongs to.
    pub key_account: AccountId,
    /// The key's row; `None` where it has none: it is a demo key, or lent to a load run.
    pub key: Option<ApiKeyId>,
    /// Whether it is a demo key: any other would have done as well.
    pub is_demo: bool,
}

impl FromRequest for ApiCaller {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let state = state_of(&request)?;
            let secret = secret_of(request.headers()).ok_or_else(|| {
                ApiError::unauthorized(
                    "You did not provide an API key. Send it as Authorization: Bearer sk_test_…",
                )
            })?;
            let caller = caller_by_key(&state, &secret, demo::is_local(&request)).await?;
            // The request log needs to know whose call it is, whatever the outcome.
            request.extensions_mut().insert(caller);
            match request.headers().get("stripe-account").map(|value| value.to_str()) {
                None => Ok(caller),
                Some(Ok(account)) => acting_for(&state, caller, account).await,
                Some(Err(_)) => Err(AccountError::NotYours.into()),
            }
        })
    }
}

/// The caller behind a secret. From this machine (`local`), an unknown key stands for the demo account; a revoked key never
/// does.
///
/// # Errors
/// 401 for anything but a valid key.
pub async fn caller_by_key(state: &WebState, secret: &str, local: bool) -> Result<ApiCaller, ApiError> {
    let invalid = || ApiError::unauthorized("Invalid API key provided.");
    let well_formed =
        secret.len() <= 128 && secret.strip_prefix(token::KEY_PREFIX).is_some_and(|rest| !rest.is_empty());
    if !well_formed {
        return Err(invalid());
    }
    match (state.accounts.key_state(secret).await?, &state.demo) {
        (KeyState::Held(holder), _) => {
            let KeyHolder { key, account } = holder;
            Ok(ApiCaller { account, key_account: account, key, is_demo: false })
        }
        (KeyState::Unknown, Some(demo)) if local => {
            demo.look();
            Ok(ApiCaller { account: demo.account, key_account: demo.account, key: None, is_demo: true })
        }
        (KeyState::Unknown | KeyState::Revoked, _) => Err(invalid()),
    }
}

/// The same caller, acting for an account it created.
///
/// # Errors
/// 403 if it did not create the account.
pub async fn acting_for(state: &WebState, caller: ApiCaller, account: &str) -> Result<ApiCaller, ApiError> {
    let account: AccountId = account.parse().map_err(|_| AccountError::NotYours)?;
    state.accounts.act_for(caller.key_account, account).await?;
    Ok(ApiCaller { account, ..caller })
}

/// The secret of a bearer token, or the user name of HTTP basic.
#[must_use]
pub fn secret_of(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    let decoded = scheme.eq_ignore_ascii_case("basic").then(|| base64_decode(rest.trim()))??;
    let text = String::from_utf8(decoded).ok()?;
    Some(text.split_once(':').map_or(text.as_str(), |(user, _)| user).to_owned())
}

/// Decodes standard base 64 (RFC 4648, 4), padding optional. Written here because only HTTP basic needs it.
fn base64_decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0_u32);
    for byte in text.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from((bits >> count) & 0xff).ok()?);
        }
    }
    Some(bytes)
}

// ---- people with a browser ----

/// A person who is signed in.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// Known to be valid when the request arrived.
    pub session: Session,
    /// The account of the session.
    pub account: AccountId,
    /// The name shown to others.
    pub name: Arc<str>,
    /// The token that forms carry as `csrf`, bound to this session.
    pub csrf: String,
    /// Whether they may pause the workers and see the settings.
    pub operator: bool,
    /// Whether to show the demo badge: this is the demo account, and the badge was not hidden.
    pub demo_badge: bool,
}

impl SignedIn {
    /// The person behind the request's cookie, if there is one.
    ///
    /// # Errors
    /// The store's.
    pub async fn of(state: &WebState, request: &HttpRequest) -> Result<Option<Self>, ApiError> {
        let Some(token) = session_token(state, request) else {
            return Ok(None);
        };
        let Some(session) = state.accounts.session(&token).await? else {
            return Ok(None);
        };
        let account = session.account;
        let name = match state.accounts.directory().get(account).await? {
            Some(profile) => Arc::clone(&profile.name),
            None => Arc::from(account.to_string()),
        };
        let operator = state.is_operator(account).await?;
        let demo = state.demo.as_ref().filter(|demo| demo.account == account);
        demo.inspect(|demo| demo.look());
        let demo_badge = demo.is_some() && !demo::badge_is_hidden(request);
        let csrf = csrf_token(&token);
        Ok(Some(Self { session, account, name, csrf, operator, demo_badge }))
    }

    /// Checks that a form was sent from one of our own pages, by this session's token and the origin that the browser states.
    ///
    /// # Errors
    /// 403 if it was not.
    pub fn check_form(&self, state: &WebState, request: &HttpRequest, token: &str) -> Result<(), ApiError> {
        same_origin(state, request)?;
        // `blake3::Hash` compares in constant time.
        let same = blake3::hash(token.as_bytes()) == blake3::hash(self.csrf.as_bytes());
        if same {
            Ok(())
        } else {
            Err(ApiError::forbidden("This form is from another session. Reload the page and try again."))
        }
    }
}

/// A page asked for by someone who is not signed in.
#[derive(Debug)]
pub enum NotSignedIn {
    /// Send them to this address, to sign in and come back.
    Redirect(String),
    /// Answer with this error: the session could not be checked.
    Refused(ApiError),
}

impl std::fmt::Display for NotSignedIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("sign in first")
    }
}

impl actix_web::ResponseError for NotSignedIn {
    fn error_response(&self) -> HttpResponse {
        match self {
            Self::Redirect(to) => {
                HttpResponse::SeeOther().insert_header((header::LOCATION, to.as_str())).finish()
            }
            Self::Refused(error) => error.error_response(),
        }
    }
}

impl FromRequest for SignedIn {
    type Error = NotSignedIn;
    type Future = LocalBoxFuture<'static, Result<Self, NotSignedIn>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let state = state_of(&request).map_err(NotSignedIn::Refused)?;
            match Self::of(&state, &request).await {
                Ok(Some(signed_in)) => Ok(signed_in),
                Ok(None) if request.method() == actix_web::http::Method::GET => {
                    let here = request.uri().path_and_query().map_or("/", |here| here.as_str());
                    let next: String = url::form_urlencoded::byte_serialize(here.as_bytes()).collect();
                    Err(NotSignedIn::Redirect(format!("/sign-in?next={next}")))
                }
                Ok(None) => Err(NotSignedIn::Redirect("/sign-in".to_owned())),
                Err(error) => Err(NotSignedIn::Refused(error)),
            }
        })
    }
}

fn cookie_name(state: &WebState) -> &'static str {
    if state.settings.secure_cookies { COOKIE_TLS } else { COOKIE }
}

/// The session token in the request's cookie.
#[must_use]
pub fn session_token(state: &WebState, request: &HttpRequest) -> Option<String> {
    request
        .cookie(cookie_name(state))
        .map(|cookie| cookie.value().to_owned())
        .filter(|token| (1..=128).contains(&token.len()))
}

/// The cookie of a new session.
#[must_use]
pub fn session_cookie(state: &WebState, token: String) -> Cookie<'static> {
    let ttl =
        CookieDuration::seconds(i64::try_from(state.accounts.rules().session_ttl.as_secs()).unwrap_or(0));
    build_cookie(state, token, ttl)
}

/// The cookie that removes a session's cookie.
#[must_use]
pub fn session_cookie_removal(state: &WebState) -> Cookie<'static> {
    build_cookie(state, String::new(), CookieDuration::ZERO)
}

fn build_cookie(state: &WebState, value: String, ttl: CookieDuration) -> Cookie<'static> {
    Cookie::build(cookie_name(state), value)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(state.settings.secure_cookies)
        .max_age(ttl)
        .finish()
}

/// The CSRF token of a session, derived from its secret so that nothing needs to be stored.
fn csrf_token(session_token: &str) -> String {
    let key = blake3::derive_key(CSRF_CONTEXT, session_token.as_bytes());
    blake3::Hash::from_bytes(key).to_hex().to_string()
}

/// Checks that the browser does not report another site as this request's origin. A client that reports nothing is not a
/// browser that another site could have sent here.
///
/// # Errors
/// 403 for another site.
pub fn same_origin(state: &WebState, request: &HttpRequest) -> Result<(), ApiError> {
    let foreign = || ApiError::forbidden("This request comes from another site.");
    let site = request.headers().get("sec-fetch-site").map(HeaderValue::as_bytes);
    if site.is_some_and(|site| !matches!(site, b"same-origin" | b"none")) {
        return Err(foreign());
    }
    match request.headers().get(header::ORIGIN) {
        None => Ok(()),
        Some(origin) if is_own_origin(state, origin) => Ok(()),
        Some(_) => Err(foreign()),
    }
}

/// Whether an `Origin` header names exactly one of ours.
#[must_use]
pub fn is_own_origin(state: &WebState, origin: &HeaderValue) -> bool {
    origin.to_str().is_ok_and(|origin| state.origins.iter().any(|own| own == origin))
}

/// The client's address, for the throttle: the peer, or the address before the trusted proxies in `X-Forwarded-For`. Anyone
/// can write that header, so it is read from its end and only as far as proxies are trusted.
#[must_use]
pub fn client_address(state: &WebState, request: &HttpRequest) -> String {
    let Some(peer) = request.peer_addr().map(|peer| peer.ip()) else {
        return "unknown".to_owned();
    };
    let trusted = |address: &IpAddr| state.settings.trusted_proxies.contains(address);
    let values = request.headers().get_all("x-forwarded-for").filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
    let mut client = peer;
    for hop in hops.iter().rev() {
        match hop.parse::<IpAddr>() {
            Ok(next) if trusted(&client) => client = next,
            Ok(_) | Err(_) => break,
        }
    }
    client.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_and_bearer_carry_the_key() {
        let headers = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            headers
        };
        assert_eq!(secret_of(&headers("Bearer sk_test_x")).as_deref(), Some("sk_test_x"));
        assert_eq!(secret_of(&headers("basic c2tfdGVzdF94Og==")).as_deref(), Some("sk_test_x"));
        assert_eq!(secret_of(&headers("Basic c2tfdGVzdF94OnB3")).as_deref(), Some("sk_test_x"));
        assert_eq!(secret_of(&headers("Basic !!!")), None);
        assert_eq!(secret_of(&headers("Digest x")), None);
    }
}
