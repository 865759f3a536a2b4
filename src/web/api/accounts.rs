//! `/v1/account`, and throwaway accounts under `/v1/test_helpers/accounts`.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Serialize;

use super::customers;
use super::list::{self, List};
use crate::accounts::AccountError;
use crate::domain::account::{AccountTerms, FeePlan, PAYOUT_DELAY_DAYS_MAX};
use crate::domain::country::Country;
use crate::domain::currency::CurrencyError;
use crate::domain::ids::{AccountId, ClockId};
use crate::domain::time::Timestamp;
use crate::intake::{InputError, Params};
use crate::web::body::{self, Body};
use crate::web::error::ApiError;
use crate::web::security::ApiCaller;
use crate::web::state::WebState;

const URL: &str = "/v1/test_helpers/accounts";
const NAME_DEFAULT: &str = "Test account";

type State = web::Data<WebState>;
type Answer = Result<HttpResponse, ApiError>;

#[derive(Debug, Serialize)]
struct AccountObject {
    id: String,
    object: &'static str,
    email: Option<String>,
    country: Country,
    default_currency: String,
    display_name: String,
    created: i64,
    charges_enabled: bool,
    payouts_enabled: bool,
    details_submitted: bool,
    livemode: bool,
    #[serde(rename = "type")]
    account_type: &'static str,
    /// The test clock that its new objects follow; shown with the caller's own account only.
    #[serde(skip_serializing_if = "Option::is_none")]
    test_clock: Option<Option<String>>,
    /// Shown once, when a single throwaway account is created.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_key: Option<String>,
}

impl AccountObject {
    fn new(
        id: AccountId,
        email: Option<String>,
        name: String,
        terms: &AccountTerms,
        created_at: Timestamp,
    ) -> Self {
        Self {
            id: id.to_string(),
            object: "account",
            email,
            country: terms.country,
            default_currency: terms.currency.lower(),
            display_name: name,
            created: created_at.seconds(),
            charges_enabled: true,
            payouts_enabled: true,
            details_submitted: true,
            livemode: false,
            account_type: "standard",
            test_clock: None,
            secret_key: None,
        }
    }
}

/// `GET /v1/account`
pub async fn own(state: State, caller: ApiCaller) -> Answer {
    let account = state.accounts.account(caller.account).await?;
    let account = account.ok_or_else(|| ApiError::not_found("account", &caller.account.to_string()))?;
    let clock = Some(account.clock).filter(|clock| !clock.is_wall()).map(|clock| clock.to_string());
    let object =
        AccountObject::new(account.id, account.email, account.name, &account.terms, account.created_at);
    Ok(HttpResponse::Ok().json(AccountObject { test_clock: Some(clock), ..object }))
}

/// `POST /v1/account`: sets the test clock that the account's new objects follow, unless their customer has another; empty
/// for real time. The real service has no clocks for whole accounts.
pub async fn update(state: State, caller: ApiCaller, request: HttpRequest, body: Body) -> Answer {
    let body = body::bytes(body)?;
    let mut params = body::params_with(&request, &body, &["test_clock"])?;
    let clock = match params.peek_text("test_clock") {
        None => return Err(InputError::missing("test_clock").into()),
        Some("") => {
            params.take("test_clock");
            ClockId::WALL
        }
        Some(_) => {
            let clock = customers::test_clock(&mut params)?;
            customers::must_have_clock(&state, caller.account, clock).await?;
            clock
        }
    };
    params.finish()?;
    let set = state.store.account_set_clock(caller.account, clock, state.wall.now()).await?;
    if !set {
        let message = format!("No such test_clock: '{clock}'");
        return Err(InputError::new("test_clock", "resource_missing", message).into());
    }
    own(state, caller).await
}

/// `POST /v1/test_helpers/accounts`: one account with a key of its own, or `count` accounts without keys.
pub async fn create(state: State, caller: ApiCaller, request: HttpRequest, body: Body) -> Answer {
    let body = body::bytes(body)?;
    let mut params = body::params(&request, &body)?;
    let count = params.integer("count")?.unwrap_or(1);
    let name = params.text("name")?.map_or_else(|| NAME_DEFAULT.to_owned(), String::from);
    let terms = terms(&mut params, state.accounts.rules().terms)?;
    params.finish()?;
    let count = usize::try_from(count).unwrap_or(0);
    let made = state.accounts.children_create(caller.key_account, count, &name, terms).await?;
    let object = |account: &crate::store::NewAccount| {
        AccountObject::new(account.id, None, account.name.clone(), &account.terms, account.created_at)
    };
    match made.as_slice() {
        [one] => {
            // From here on the account exists, though nobody has a key to it yet.
            let key = state.accounts.key_create(one.id, "made with the account").await;
            let key = key.map_err(AccountError::after_write)?;
            Ok(HttpResponse::Ok().json(AccountObject { secret_key: Some(key.secret), ..object(one) }))
        }
        many => Ok(HttpResponse::Ok().json(List::new(many.iter().map(object).collect(), false, URL))),
    }
}

/// Reads the terms of a new account.
fn terms(params: &mut Params<'_>, default: AccountTerms) -> Result<AccountTerms, InputError> {
    let mut number = |name: &'static str, max: i64, default: i64| match params.integer(name)? {
        None => Ok(default),
        Some(value) if (0..=max).contains(&value) => Ok(value),
        Some(_) => {
            let message = format!("Invalid {name}: must be between 0 and {max}.");
            Err(InputError::new(name, "parameter_invalid_integer", message))
        }
    };
    let (share_max, share) = (FeePlan::BASIS_POINTS_MAX.into(), default.fee.basis_points.into());
    let basis_points = number("fee_basis_points", share_max, share)?;
    let fixed_minor = number("fee_fixed", FeePlan::FIXED_MINOR_MAX, default.fee.fixed_minor)?;
    let days = number("payout_delay_days", PAYOUT_DELAY_DAYS_MAX.into(), default.payout_delay_days.into())?;
    let country = match params.text("country")? {
        None => default.country,
        Some(text) => Country::parse(&text).ok_or_else(|| {
            let message =
                format!("Invalid country: '{text}' is not a code of two capital letters, such as IE.");
            InputError::new("country", "parameter_invalid_string", message)
        })?,
    };
    let currency = match params.text("default_currency")? {
        None => default.currency,
        Some(text) => text.parse().map_err(|error: CurrencyError| {
            InputError::new("default_currency", "parameter_invalid_currency", error.to_string())
        })?,
    };
    Ok(AccountTerms {
        country,
        currency,
        fee: FeePlan { basis_points: u16::try_from(basis_points).unwrap_or(u16::MAX), fixed_minor },
        payout_delay_days: u16::try_from(days).unwrap_or(u16::MAX),
        lean: params.boolean("lean")?.unwrap_or(default.lean),
    })
}

/// `GET /v1/test_helpers/accounts`, ordered by id.
pub async fn list(state: State, caller: ApiCaller, request: HttpRequest) -> Answer {
    let mut params = body::query(&request)?;
    let limit = list::limit(&mut params)?;
    let after = match params.text("starting_after")? {
        None => None,
        Some(text) => {
            let unknown = || list::unknown_cursor("starting_after", "account", &text);
            let id: AccountId = text.parse().map_err(|_| unknown())?;
            let parent = state.accounts.account(id).await?.and_then(|account| account.parent);
            if parent != Some(caller.key_account) {
                return Err(unknown().into());
            }
            Some(id)
        }
    };
    params.finish()?;
    let mut children = state.accounts.children(caller.key_account, after, limit.saturating_add(1)).await?;
    let has_more = children.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    children.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let object = |account: crate::store::Account| {
        AccountObject::new(account.id, account.email, account.name, &account.terms, account.created_at)
    };
    Ok(HttpResponse::Ok().json(List::new(children.into_iter().map(object).collect(), has_more, URL)))
}

#[derive(Debug, Serialize)]
struct Deleted {
    id: String,
    object: &'static str,
    deleted: bool,
}

/// `DELETE /v1/test_helpers/accounts/{id}`: closes the account. Its payments stay, since the ledger only grows.
pub async fn delete(state: State, caller: ApiCaller, id: web::Path<String>) -> Answer {
    let child: AccountId = id.parse().map_err(|_| ApiError::not_found("account", &id))?;
    state.accounts.child_retire(caller.key_account, child).await.map_err(|error| match error {
        AccountError::NotYours => ApiError::not_found("account", &id),
        error => error.into(),
    })?;
    Ok(HttpResponse::Ok().json(Deleted { id: child.to_string(), object: "account", deleted: true }))
}
