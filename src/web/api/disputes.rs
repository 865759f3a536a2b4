//! `/v1/disputes`, and `/v1/test_helpers/charges/{id}/dispute`, which does what a cardholder or an issuer would.

use actix_web::{HttpRequest, HttpResponse, web};

use super::answer;
use super::list::List;
use super::objects::{DisputeExpand, DisputeObject, FraudWarningObject};
use super::parameters;
use super::part_list::{self, Listing};
use super::refunds::charged_by;
use crate::domain::ids::{AccountId, DisputeId, FraudWarningId, PartId, PaymentId};
use crate::domain::payment::Payment;
use crate::intake::details::{self, Attempts};
use crate::intake::{Answering, InputError, OperationDraft, Outcome, Params, Verb, Wait};
use crate::store::{PartKind, StoreResult};
use crate::web::body::{self, Body};
use crate::web::call;
use crate::web::error::ApiError;
use crate::web::security::ApiCaller;
use crate::web::state::WebState;

const URL: &str = "/v1/disputes";

const LISTING: Listing = Listing {
    kind: PartKind::Dispute,
    name: "dispute",
    of_payment: |payment| {
        let disputes = payment.state().disputes.iter();
        disputes.map(|dispute| (dispute.id.into(), dispute.created_at)).collect()
    },
};

/// What an empty value of an update unsets.
const UNSET: &[&str] = &["evidence", "metadata"];

type State = web::Data<WebState>;
type Answer = Result<HttpResponse, ApiError>;

/// `GET /v1/disputes/{id}`
pub async fn retrieve(
    state: State,
    caller: ApiCaller,
    request: HttpRequest,
    id: web::Path<String>,
) -> Answer {
    let mut params = body::query(&request)?;
    let expand = expand(&mut params, "")?;
    params.finish()?;
    let (dispute, payment) = find(&state, caller.account, &id).await?;
    let object = objects(&state, &[(dispute, &payment)], expand).await?.pop();
    Ok(HttpResponse::Ok().json(object.ok_or_else(|| ApiError::not_found(LISTING.name, &id))?))
}

/// `GET /v1/disputes`: those of one charge or of all, newest first.
pub async fn list(state: State, caller: ApiCaller, request: HttpRequest) -> Answer {
    let mut params = body::query(&request)?;
    let expand = expand(&mut params, "data.")?;
    let (found, has_more) = LISTING.page(&state, caller.account, &mut params).await?;
    let payments = part_list::payments_of(&state, &found).await?;
    let of = |(id, payment): &(PartId, PaymentId)| {
        let payment = payments.iter().find(|it| it.id() == *payment)?;
        Some((DisputeId::from_bytes(*id.as_bytes()), payment))
    };
    let found: Vec<(DisputeId, &Payment)> = found.iter().filter_map(of).collect();
    Ok(HttpResponse::Ok().json(List::new(objects(&state, &found, expand).await?, has_more, URL)))
}

/// `POST /v1/disputes/{id}`: keeps evidence and metadata, and submits the evidence.
pub async fn update(
    state: State,
    caller: ApiCaller,
    request: HttpRequest,
    id: web::Path<String>,
    body: Body,
) -> Answer {
    let (dispute, payment) = find(&state, caller.account, &id).await?;
    let base = payment.dispute(dispute).map_or(0, |dispute| dispute.detail);
    let kept = details::of_disputes(state.store.as_ref(), std::iter::once((dispute, base))).await?;
    let detail = kept.get(&(dispute, base)).cloned().unwrap_or_default();
    let before = Answering { dispute, base, detail };
    let (draft, expand) = read_update(&state, &request, body, &before)?;
    drop(before);
    operate(&state, caller, &request, (draft, payment.id()), Shown::Dispute(dispute, expand)).await
}

/// Reads an update. The body is freed when this returns.
fn read_update(
    state: &WebState,
    request: &HttpRequest,
    body: Body,
    before: &Answering,
) -> Result<(OperationDraft, DisputeExpand), ApiError> {
    let body = body::bytes(body)?;
    let mut params = body::params_with(request, &body, UNSET)?;
    let expand = expand(&mut params, "")?;
    let draft = OperationDraft::answer(&mut params, before, &parameters::context(state))?;
    parameters::finish(&params)?;
    Ok((parameters::with_key(draft, request)?, expand))
}

/// `POST /v1/disputes/{id}/close`: gives it up.
pub async fn close(
    state: State,
    caller: ApiCaller,
    request: HttpRequest,
    id: web::Path<String>,
    body: Body,
) -> Answer {
    let (dispute, payment) = find(&state, caller.account, &id).await?;
    let (draft, expand) = read_close(&state, &request, body, &id)?;
    operate(&state, caller, &request, (draft, payment.id()), Shown::Dispute(dispute, expand)).await
}

fn read_close(
    state: &WebState,
    request: &HttpRequest,
    body: Body,
    id: &str,
) -> Result<(OperationDraft, DisputeExpand), ApiError> {
    let body = body::bytes(body)?;
    let mut params = body::params(request, &body)?;
    params.add_path("dispute".to_owned(), id);
    let expand = expand(&mut params, "")?;
    let draft = OperationDraft::read(&mut params, Verb::CloseDispute, "amount", &parameters::context(state))?;
    parameters::finish(&params)?;
    Ok((parameters::with_key(draft, request)?, expand))
}

/// `POST /v1/test_helpers/charges/{id}/dispute`, also under a payment intent's id: disputes a charge, asks about it, or warns of
/// fraud.
pub async fn raise(
    state: State,
    caller: ApiCaller,
    request: HttpRequest,
    id: web::Path<String>,
    body: Body,
) -> Answer {
    let (draft, expand) = read_complaint(&state, &request, body)?;
    let payment = match id.starts_with("pi_") {
        true => parameters::payment_id(&id, "payment_intent", &["pi_"])?,
        false => charged_by(&state, caller.account, &id).await?,
    };
    operate(&state, caller, &request, (draft, payment), Shown::Raised(expand)).await
}

fn read_complaint(
    state: &WebState,
    request: &HttpRequest,
    body: Body,
) -> Result<(OperationDraft, DisputeExpand), ApiError> {
    let body = body::bytes(body)?;
    let mut params = body::params(request, &body)?;
    let expand = expand(&mut params, "")?;
    let draft = OperationDraft::read(&mut params, Verb::Dispute, "amount", &parameters::context(state))?;
    parameters::finish(&params)?;
    Ok((parameters::with_key(draft, request)?, expand))
}

/// What the answer to a command shows.
enum Shown {
    /// This dispute.
    Dispute(DisputeId, DisputeExpand),
    /// Whatever it raised.
    Raised(DisputeExpand),
}

async fn operate(
    state: &WebState,
    caller: ApiCaller,
    request: &HttpRequest,
    (draft, payment): (OperationDraft, PaymentId),
    shown: Shown,
) -> Answer {
    let call = call::of(state, request, caller.account, draft.key.as_ref());
    let wait = call.wait;
    let handed = state.intake.operate(draft, payment, caller.account, call).await?;
    let outcome = state.intake.outcome(handed).await?;
    render(state, &outcome, wait, shown).await.map_err(ApiError::after_write)
}

async fn render(state: &WebState, outcome: &Outcome, wait: Wait, shown: Shown) -> Answer {
    let payment = outcome.payment.as_ref();
    let (dispute, expand) = match shown {
        Shown::Dispute(dispute, expand) => (dispute, expand),
        // A repeated request is answered with what the first one raised.
        Shown::Raised(expand) => {
            let part = outcome.dispute().ok_or_else(ApiError::internal)?;
            if let Some(warning) = payment.warning(FraudWarningId::from_bytes(*part.as_bytes())) {
                let object = FraudWarningObject::of(payment, warning);
                return Ok(answer::answer(outcome, wait).json(object));
            }
            (DisputeId::from_bytes(*part.as_bytes()), expand)
        }
    };
    let object = objects(state, &[(dispute, payment)], expand).await?.pop();
    Ok(answer::answer(outcome, wait).json(object.ok_or_else(ApiError::internal)?))
}

/// Reads `expand[]`.
fn expand(params: &mut Params<'_>, prefix: &str) -> Result<DisputeExpand, InputError> {
    let mut expand = DisputeExpand::default();
    parameters::expand_with(params, prefix, "charge and payment_intent of disputes", |property| {
        match property {
            "charge" => expand.charge = true,
            "payment_intent" => expand.payment_intent = true,
            _ => return false,
        }
        true
    })?;
    Ok(expand)
}

/// The owner's dispute with this id, and its payment.
async fn find(state: &WebState, owner: AccountId, text: &str) -> Result<(DisputeId, Payment), ApiError> {
    let dispute: Option<DisputeId> = text.parse().ok();
    let payment = LISTING.find(state, owner, dispute.map(PartId::from), text).await?;
    let dispute = dispute.filter(|dispute| payment.dispute(*dispute).is_some());
    Ok((dispute.ok_or_else(|| ApiError::not_found(LISTING.name, text))?, payment))
}

/// These disputes as objects of the dialect, in the same order.
async fn objects(
    state: &WebState,
    found: &[(DisputeId, &Payment)],
    expand: DisputeExpand,
) -> StoreResult<Vec<DisputeObject>> {
    let disputes = found.iter().filter_map(|(id, payment)| payment.dispute(*id));
    let kept =
        details::of_disputes(state.store.as_ref(), disputes.map(|dispute| (dispute.id, dispute.detail)))
            .await?;
    let attempts = match expand == DisputeExpand::default() {
        true => Attempts::default(),
        false => {
            let payments: Vec<&Payment> = found.iter().map(|(_, payment)| *payment).collect();
            Attempts::of(state.store.as_ref(), &payments).await?
        }
    };
    let object = |(id, payment): &(DisputeId, &Payment)| {
        let dispute = payment.dispute(*id)?;
        let detail = kept.get(&(dispute.id, dispute.detail));
        Some(DisputeObject::of(payment, dispute, detail, &attempts, expand, state.presenter()))
    };
    Ok(found.iter().filter_map(object).collect())
}
