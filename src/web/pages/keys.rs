//! `/keys`: API keys; the secret of a new one is shown once.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::error_page::{PageError, render};
use super::format;
use super::forms;
use super::frame;
use super::layout::{Layout, Nav, Notice, Tone};
use super::responses::{self, PageResult};
use crate::accounts::AccountError;
use crate::domain::ids::ApiKeyId;
use crate::domain::time::Timestamp;
use crate::store::ApiKey;
use crate::web::addresses;
use crate::web::body::Body;
use crate::web::error::ApiError;
use crate::web::security::SignedIn;
use crate::web::state::WebState;

/// A key in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyLine {
    /// The key's id, not its secret.
    pub id: String,
    /// The name its owner gave it.
    pub name: String,
    /// The prefix and last characters of the secret.
    pub hint: String,
    /// When it was created, as an age.
    pub created_ago: String,
    /// The same in full.
    pub created_full: String,
    /// When it was revoked, in full; `None` if it is active.
    pub revoked: Option<String>,
}

impl KeyLine {
    /// The line of a key at `now`.
    #[must_use]
    pub fn of(key: &ApiKey, now: Timestamp) -> Self {
        Self {
            id: key.id.to_string(),
            name: key.name.clone(),
            hint: format!("sk_test_…{}", key.last4),
            created_ago: format::ago(now, key.created_at),
            created_full: format::absolute(key.created_at),
            revoked: key.revoked_at.map(format::absolute),
        }
    }
}

/// The page.
#[derive(Template)]
#[template(path = "keys.html")]
pub struct KeysPage {
    /// The frame.
    pub layout: Layout,
    /// The secret of the key just created; shown once and never again.
    pub secret: Option<String>,
    /// The origin of this server, for the example.
    pub origin: String,
    /// Keys, newest first.
    pub keys: Vec<KeyLine>,
}

/// `GET /keys`.
pub async fn show(state: web::Data<WebState>, request: HttpRequest, who: SignedIn) -> PageResult {
    Ok(responses::ok(&page(&state, &request, &who, None).await?))
}

/// `POST /keys`: answers with the page that shows the secret, which must not appear in an address.
pub async fn create(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    body: Body,
) -> PageResult {
    let fields = forms::signed_form(&state, &request, &who, body)?;
    let name = fields.get("name").trim();
    match state.accounts.key_create(who.account, if name.is_empty() { "key" } else { name }).await {
        Ok(key) => {
            let page = page(&state, &request, &who, Some(key.secret)).await;
            Ok(responses::ok(&page.map_err(|error| PageError(error.0.after_write()))?))
        }
        Err(error @ (AccountError::Name | AccountError::CardNumber(_))) => {
            let mut page = page(&state, &request, &who, None).await?;
            page.layout.notices.push(Notice::new(Tone::Error, error.to_string()));
            Ok(render(HttpResponse::BadRequest(), &page))
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /keys/{id}/revoke`.
pub async fn revoke(
    state: web::Data<WebState>,
    request: HttpRequest,
    who: SignedIn,
    id: web::Path<String>,
    body: Body,
) -> PageResult {
    forms::signed_form(&state, &request, &who, body)?;
    let key: ApiKeyId = id.parse().map_err(|_| ApiError::not_found("key", &id))?;
    match state.accounts.key_revoke(who.account, key).await {
        // A second click finds it revoked already, which is success.
        Ok(()) | Err(AccountError::NotFound(_)) => Ok(responses::see_other("/keys")),
        Err(error) => Err(error.into()),
    }
}

async fn page(
    state: &WebState,
    request: &HttpRequest,
    who: &SignedIn,
    secret: Option<String>,
) -> Result<KeysPage, PageError> {
    let mut keys = state.accounts.key_list(who.account).await?;
    keys.sort_by_key(|key| std::cmp::Reverse(key.id));
    let now = state.wall.now();
    Ok(KeysPage {
        layout: frame::frame(state, who, "Keys", Nav::Keys),
        secret,
        origin: addresses::of_server(state, request).to_owned(),
        keys: keys.iter().map(|key| KeyLine::of(key, now)).collect(),
    })
}
