//! `/account`: changing the password, ending sessions, closing the account, and showing the first steps again.

use actix_web::{HttpRequest, web};
use askama::Template;

use super::error_page::{PageError, answer_to, render};
use super::forms::{self, Fields};
use super::frame;
use super::layout::{Layout, Nav, Notice, Tone};
use super::pay_form::FieldError;
use super::responses::{self, PageResult};
use super::{format, onboarding, wallets};
use crate::accounts::AccountError;
use crate::domain::ids::SessionId;
use crate::domain::time::Timestamp;
use crate::store::Session;
use crate::web::body::Body;
use crate::web::error::ApiError;
use crate::web::security::{self, SignedIn};
use crate::web::state::WebState;

/// A session in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionLine {
    /// The session's id, which the form that ends it sends.
    pub id: String,
    /// The browser and system in a few words.
    pub browser: String,
    /// The browser's `User-Agent` header.
    pub user_agent: String,
    /// When it began, as an age.
    pub created_ago: String,
    /// The same in full.
    pub created_full: String,
    /// When it was last used, as an age.
    pub seen_ago: String,
    /// The same in full.
    pub seen_full: String,
    /// Whether this page was requested in it.
    pub current: bool,
}

impl SessionLine {
    /// The line of a session at `now`, for a viewer whose own session is `current`.
    #[must_use]
    pub fn of(session: &Session, current: SessionId, now: Timestamp) -> Self {
        Self {
            id: session.id.to_string(),
            browser: browser_words(&session.user_agent),
            user_agent: session.user_agent.clone(),
            created_ago: format::ago(now, session.created_at),
            created_full: format::absolute(session.created_at),
            seen_ago: format::ago(now, session.seen_at),
            seen_full: format::absolute(session.seen_at),
            current: session.id == current,
        }
    }
}

/// The page.
#[derive(Template)]
#[template(path = "account.html")]
pub struct AccountPage {
    /// The frame.
    pub layout: Layout,
    /// The name that other accounts see.
    pub name: String,
    /// The e-mail address; the demo account has none.
    pub email: Option<String>,
    /// The account's id, which transfers can name too.
    pub id: String,
    /// When it was created, in full.
    pub created_full: String,
    /// Whether it has a password. The demo account has none.
    pub has_password: bool,
    /// Sessions, this one first, then the most recently used.
    pub sessions: Vec<SessionLine>,
    /// The balances that closing the account would leave behind.
    pub balances: Vec<String>,
    /// Whether the first steps are hidden.
    pub first_hidden: bool,
    /// The form at fault (`password` or `close`) and its field.
    pub error: Option<(&'static str, FieldError)>,
}

impl AccountPage {
    /// The error message for a field of a form.
    #[must_use]
    pub fn error_of(&self, form: &str, field: &str) -> Option<&str> {
        self.error
            .as_ref()
            .filter(|(at, error)| *at == form && error.field == field)
            .map(|(_, error)| error.message.as_str())
    }
}

/// `GET /account`.
pub async fn show(state: web::Data<WebState>, request: HttpRequest, who: SignedIn) -> PageResult {
    let notice = match Fields::of_query(&request).get("done") {
        "password" => Some("Your password is changed. All other sessions have ended."),
        "session" => Some("The session has ended."),
        "sessions" => Some("All other sessions have ended."),
        _ => None,
    };
    let mut page = page(&state, &who, None).await?;
    page.layout.notices.extend(notice.map(|text| Notice::new(Tone::Info, text)));
    Ok(responses::ok(&page))
}

/// `POST /account/password`.
pub async fn change_password(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    body: Body,
) -> PageResult {
    let fields = forms::signed_form(&state, &request, &who, body)?;
    let address = security::client_address(&state, &request);
    let (old, new) = (fields.get("current_password"), fields.get("password"));
    match state.accounts.change_password(&who.session, &address, old, new).await {
        Ok(()) => Ok(responses::see_other("/account?done=password")),
        Err(error) => refused(&state, &who, "password", error).await,
    }
}

/// `POST /account/sessions/end`: ends the session `id`, or all others without one.
pub async fn end_sessions(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    body: Body,
) -> PageResult {
    let fields = forms::signed_form(&state, &request, &who, body)?;
    let id = fields.get("id");
    if id.is_empty() {
        state.accounts.session_end_others(who.account, Some(who.session.id)).await?;
        return Ok(responses::see_other("/account?done=sessions"));
    }
    let session: SessionId = id.parse().map_err(|_| ApiError::not_found("session", id))?;
    state.accounts.session_end(who.account, session).await?;
    Ok(responses::see_other("/account?done=session"))
}

/// `POST /account/close`.
pub async fn close(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    body: Body,
) -> PageResult {
    let fields = forms::signed_form(&state, &request, &who, body)?;
    let address = security::client_address(&state, &request);
    match state.accounts.close_with_password(who.account, &address, fields.get("current_password")).await {
        Ok(()) => {
            let removal = security::session_cookie_removal(&state);
            Ok(responses::lead_to("/sign-in?closed=yes").cookie(removal).finish())
        }
        Err(error) => refused(&state, &who, "close", error).await,
    }
}

/// The page again, with the error of one of its forms.
async fn refused(state: &WebState, who: &SignedIn, form: &'static str, error: AccountError) -> PageResult {
    if let AccountError::Store(_) = error {
        return Err(PageError::from(error));
    }
    let mut error = ApiError::from(error);
    if error.param.is_none() {
        error = error.with_param("current_password");
    }
    let page = page(state, who, Some((form, forms::field_error(&error)))).await?;
    Ok(render(answer_to(&error), &page))
}

async fn page(
    state: &WebState,
    who: &SignedIn,
    error: Option<(&'static str, FieldError)>,
) -> Result<AccountPage, PageError> {
    let now = state.wall.now();
    let account = state.accounts.account(who.account).await?.ok_or(AccountError::NotFound("account"))?;
    let mut sessions = state.accounts.session_list(who.account).await?;
    sessions.retain(|session| session.expires_at > now);
    sessions.sort_by_key(|session| {
        (session.id != who.session.id, std::cmp::Reverse((session.seen_at, session.created_at)))
    });
    let wallets = wallets::wallet_lines(&state.store.wallet_list(who.account).await?);
    let marks = state.store.account_flag_list(who.account).await?;
    Ok(AccountPage {
        layout: frame::frame(state, who, "Account", Nav::Account),
        name: account.name,
        id: account.id.to_string(),
        email: account.email,
        created_full: format::absolute(account.created_at),
        has_password: account.password_hash.is_some(),
        sessions: sessions.iter().map(|session| SessionLine::of(session, who.session.id, now)).collect(),
        balances: wallets.into_iter().map(|wallet| wallet.balance).collect(),
        first_hidden: marks.iter().any(|(mark, _)| mark == onboarding::HIDDEN),
        error,
    })
}

/// `Firefox on Linux`: enough to recognise one's own sessions.
fn browser_words(user_agent: &str) -> String {
    // In this order: most browsers also claim to be those after them.
    let browsers = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ];
    let systems = [
        ("Android", "Android"),
        ("iPhone", "iOS"),
        ("iPad", "iOS"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    let find = |known: &[(&str, &'static str)]| {
        known.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, words)| *words)
    };
    match (find(&browsers), find(&systems)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "Another program".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::browser_words;

    #[test]
    fn browsers_are_distinguished() {
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        let edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0";
        assert_eq!(browser_words(firefox), "Firefox on Linux");
        assert_eq!(browser_words(edge), "Edge on Windows");
        assert_eq!(browser_words("curl/8.5.0"), "curl");
        assert_eq!(browser_words(""), "Another program");
    }
}
