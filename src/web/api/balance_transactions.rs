//! `/v1/balance_transactions`: the statements of all of an account's wallets, newest first.

use std::collections::HashMap;

use actix_web::{HttpRequest, HttpResponse, web};

use super::list::{self, List};
use super::objects::BalanceTransaction;
use super::parameters;
use crate::domain::currency::Currency;
use crate::domain::ids::{AccountId, PartId, PaymentId};
use crate::domain::payment::Payment;
use crate::domain::statement::{self, LineId, LineKind, LinePlace, StatementLine};
use crate::intake::{InputError, Params};
use crate::store::StatementFilter;
use crate::web::body;
use crate::web::error::ApiError;
use crate::web::projected;
use crate::web::security::ApiCaller;
use crate::web::state::WebState;

const URL: &str = "/v1/balance_transactions";
const NAME: &str = "balance_transaction";

type State = web::Data<WebState>;
type Answer = Result<HttpResponse, ApiError>;

/// `GET /v1/balance_transactions/{id}`
pub async fn retrieve(
    state: State,
    caller: ApiCaller,
    request: HttpRequest,
    id: web::Path<String>,
) -> Answer {
    let params = body::query(&request)?;
    parameters::finish(&params)?;
    let missing = || ApiError::not_found(NAME, &id);
    let line: LineId = id.parse().map_err(|()| missing())?;
    let found = of_payment(&state, caller.account, line.payment).await?;
    let line = found.into_iter().find(|found| found.id == line).ok_or_else(missing)?;
    let object = objects(&state, &[line]).await?.pop().ok_or_else(missing)?;
    Ok(HttpResponse::Ok().json(object))
}

/// `GET /v1/balance_transactions`
pub async fn list(state: State, caller: ApiCaller, request: HttpRequest) -> Answer {
    let mut params = body::query(&request)?;
    let limit = list::limit(&mut params)?;
    let (before, after) = list::cursors(&mut params)?;
    let (created_from, created_to) = list::created(&mut params)?;
    let kinds = kinds(&mut params)?;
    let currency = currency(&mut params)?;
    let source = params.text("source")?.map(String::from);
    refuse_payout(&mut params)?;
    parameters::finish(&params)?;
    let filter = StatementFilter {
        before: cursor(&state, caller.account, list::STARTING_AFTER, before).await?,
        after: cursor(&state, caller.account, list::ENDING_BEFORE, after).await?,
        kinds,
        created_from,
        created_to,
        limit: limit.saturating_add(1),
    };
    let freshness = projected::caught_up(state.store.as_ref(), statement::READER).await?;
    let in_currency = |line: &StatementLine| currency.is_none_or(|wanted| line.wallet.currency == wanted);
    let mut lines = match source {
        Some(source) => {
            let mut lines = of_source(&state, caller.account, &source).await?;
            lines.retain(|line| in_currency(line) && takes(&filter, line));
            lines
        }
        None => of_wallets(&state, caller.account, currency, &filter).await?,
    };
    lines.sort_unstable_by_key(|line| std::cmp::Reverse(line.place));
    let (lines, has_more) = list::cut(lines, limit, filter.after.is_some());
    let mut response = HttpResponse::Ok();
    freshness.tell(&mut response);
    Ok(response.json(List::new(objects(&state, &lines).await?, has_more, URL)))
}

/// Reads `type`.
fn kinds(params: &mut Params<'_>) -> Result<Vec<LineKind>, InputError> {
    let Some(name) = params.text("type")? else { return Ok(Vec::new()) };
    let kind = LineKind::ALL.into_iter().find(|kind| kind.dialect() == name);
    let names: Vec<&str> = LineKind::ALL.iter().map(|kind| kind.dialect()).collect();
    let message = || format!("Invalid type: must be one of {}.", names.join(", "));
    let kind = kind.ok_or_else(|| InputError::new("type", "parameter_invalid_enum", message()))?;
    Ok(vec![kind])
}

/// Reads `currency`.
fn currency(params: &mut Params<'_>) -> Result<Option<Currency>, InputError> {
    let Some(code) = params.text("currency")? else { return Ok(None) };
    let unknown = |_| InputError::new("currency", "parameter_invalid_enum", "Invalid currency.");
    code.parse().map(Some).map_err(unknown)
}

/// The dialect filters by automatic payouts only, and there are none here.
fn refuse_payout(params: &mut Params<'_>) -> Result<(), InputError> {
    match params.text("payout")? {
        None => Ok(()),
        Some(_) => {
            let message =
                "Balance transaction history can only be filtered on automatic payouts, not manual.";
            Err(InputError::new("payout", "parameter_invalid", message))
        }
    }
}

/// Whether a line passes the filter.
fn takes(filter: &StatementFilter, line: &StatementLine) -> bool {
    filter.before.is_none_or(|before| line.place < before)
        && filter.after.is_none_or(|after| line.place > after)
        && (filter.kinds.is_empty() || filter.kinds.contains(&line.kind))
        && filter.created_from.is_none_or(|from| line.at >= from)
        && filter.created_to.is_none_or(|to| line.at < to)
}

/// The lines of each wallet. Each wallet is asked for a full page, since any of them may fill it.
async fn of_wallets(
    state: &WebState,
    owner: AccountId,
    currency: Option<Currency>,
    filter: &StatementFilter,
) -> Result<Vec<StatementLine>, ApiError> {
    let mut lines = Vec::new();
    for record in state.store.wallet_list(owner).await? {
        if currency.is_none_or(|currency| record.wallet.currency == currency) {
            lines.extend(state.store.statement_list(record.wallet, filter).await?);
        }
    }
    Ok(lines)
}

/// The lines that a payment made in this account's wallets, derived from its history and its movements: with their places,
/// without balances.
async fn of_payment(
    state: &WebState,
    owner: AccountId,
    payment: PaymentId,
) -> Result<Vec<StatementLine>, ApiError> {
    let profile = state.accounts.directory().get(owner).await?;
    let payment = state.store.payment_one(payment).await?;
    let Some(payment) = payment.filter(|_| profile.is_none_or(|profile| !profile.lean)) else {
        return Ok(Vec::new());
    };
    let movements = state.store.movement_list(&[payment.id()]).await?;
    let drafts = statement::drafts(&payment, 1..payment.version().saturating_add(1));
    let line = |draft: statement::Draft| {
        let moved =
            movements.iter().find(|moved| (moved.version, moved.n) == (draft.id().version, draft.n))?;
        Some(draft.at(LinePlace { seq: moved.seq, place: moved.place }))
    };
    Ok(drafts.into_iter().filter(|draft| draft.wallet().owner == owner).filter_map(line).collect())
}

/// The lines whose source has this id.
async fn of_source(state: &WebState, owner: AccountId, source: &str) -> Result<Vec<StatementLine>, ApiError> {
    let derived = || source.split_once('_').and_then(|(_, bits)| format!("pi_{bits}").parse().ok());
    let payment = match source.parse::<PartId>() {
        Ok(part) => state.store.part_get(part).await?.map(|record| record.payment).or_else(derived),
        Err(_) => derived(),
    };
    let Some(payment) = payment else { return Ok(Vec::new()) };
    let mut lines = of_payment(state, owner, payment).await?;
    lines.retain(|line| BalanceTransaction::source_of(line) == source);
    Ok(lines)
}

/// The place of the statement line that a cursor names, if one is given.
async fn cursor(
    state: &WebState,
    owner: AccountId,
    param: &'static str,
    text: Option<String>,
) -> Result<Option<LinePlace>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    let unknown = || ApiError::from(list::unknown_cursor(param, NAME, &text));
    let id: LineId = text.parse().map_err(|()| unknown())?;
    let found = of_payment(state, owner, id.payment).await?;
    let line = found.into_iter().find(|line| line.id == id).ok_or_else(unknown)?;
    Ok(Some(line.place))
}

/// These lines as objects of the dialect, in the same order.
async fn objects(state: &WebState, lines: &[StatementLine]) -> Result<Vec<BalanceTransaction>, ApiError> {
    let mut ids: Vec<PaymentId> = lines.iter().map(|line| line.id.payment).collect();
    ids.sort_unstable();
    ids.dedup();
    let found = state.store.payment_get(&ids).await?;
    let payments: HashMap<PaymentId, Payment> =
        found.into_iter().map(|payment| (payment.id(), payment)).collect();
    let now = state.wall.now();
    let object = |line: &StatementLine| BalanceTransaction::of(line, payments.get(&line.id.payment), now);
    Ok(lines.iter().map(object).collect())
}
