//! `/v1/radar/early_fraud_warnings`.

use actix_web::{HttpRequest, HttpResponse, web};

use super::list::List;
use super::objects::FraudWarningObject;
use super::part_list::{self, Listing};
use crate::domain::ids::{FraudWarningId, PartId};
use crate::domain::payment::Payment;
use crate::store::PartKind;
use crate::web::body;
use crate::web::error::ApiError;
use crate::web::security::ApiCaller;
use crate::web::state::WebState;

const URL: &str = "/v1/radar/early_fraud_warnings";

const LISTING: Listing = Listing {
    kind: PartKind::FraudWarning,
    name: "early_fraud_warning",
    of_payment: |payment| {
        let warnings = payment.state().warnings.iter();
        warnings.map(|warning| (warning.id.into(), warning.created_at)).collect()
    },
};

type State = web::Data<WebState>;
type Answer = Result<HttpResponse, ApiError>;

/// `GET /v1/radar/early_fraud_warnings/{id}`
pub async fn retrieve(
    state: State,
    caller: ApiCaller,
    request: HttpRequest,
    id: web::Path<String>,
) -> Answer {
    body::query(&request)?.finish()?;
    let warning: Option<FraudWarningId> = id.parse().ok();
    let payment = LISTING.find(&state, caller.account, warning.map(PartId::from), &id).await?;
    let warning = warning.and_then(|warning| payment.warning(warning));
    let warning = warning.ok_or_else(|| ApiError::not_found(LISTING.name, &id))?;
    Ok(HttpResponse::Ok().json(FraudWarningObject::of(&payment, warning)))
}

/// `GET /v1/radar/early_fraud_warnings`: those of one charge or of all, newest first.
pub async fn list(state: State, caller: ApiCaller, request: HttpRequest) -> Answer {
    let mut params = body::query(&request)?;
    let (found, has_more) = LISTING.page(&state, caller.account, &mut params).await?;
    let payments = part_list::payments_of(&state, &found).await?;
    let object = |(id, payment): &(PartId, _)| {
        let payment: &Payment = payments.iter().find(|it| it.id() == *payment)?;
        let warning = payment.warning(FraudWarningId::from_bytes(*id.as_bytes()))?;
        Some(FraudWarningObject::of(payment, warning))
    };
    let objects: Vec<_> = found.iter().filter_map(object).collect();
    Ok(HttpResponse::Ok().json(List::new(objects, has_more, URL)))
}
