//! Lists of parts of payments that have ids of their own: refunds, disputes and early fraud warnings, of one charge or of all.

use super::charges;
use super::list;
use super::parameters;
use crate::domain::ids::{AccountId, PartId, PaymentId};
use crate::domain::payment::Payment;
use crate::domain::time::Timestamp;
use crate::intake::{InputError, Params};
use crate::store::{PartFilter, PartKind};
use crate::web::error::ApiError;
use crate::web::state::WebState;

/// A kind of part as it is listed.
pub struct Listing {
    /// How its rows are stored.
    pub kind: PartKind,
    /// The name of the dialect's resource.
    pub name: &'static str,
    /// The payment's own, each with the time at which it was created.
    pub of_payment: fn(&Payment) -> Vec<(PartId, Timestamp)>,
}

/// A page of parts, newest first, each with its payment; and whether there are more.
pub type Page = (Vec<(PartId, PaymentId)>, bool);

impl Listing {
    /// The page that these parameters ask for. Takes all but those of the objects' form.
    ///
    /// # Errors
    /// A parameter that is wrong; the store's.
    pub async fn page(
        &self,
        state: &WebState,
        owner: AccountId,
        params: &mut Params<'_>,
    ) -> Result<Page, ApiError> {
        let of = Of::read(params)?;
        let limit = list::limit(params)?;
        let (before, after) = list::cursors(params)?;
        let (created_from, created_to) = list::created(params)?;
        parameters::finish(params)?;
        // Only the charge that took the money can have parts.
        let (payment, none) = match of {
            None => (None, false),
            Some(Of::Payment(payment)) => {
                (Some(state.named_intent(owner, payment, "payment_intent").await?), false)
            }
            Some(Of::Charge(text)) => {
                let found = charges::find(state, owner, &text, "charge").await?;
                let taken = found.payment.charge_taken().map(|charge| charge.id);
                (Some(Payment::clone(&found.payment)), taken != Some(found.charge))
            }
        };
        let within = payment.as_ref().map(Payment::id);
        let filter = PartFilter {
            before: self.cursor(state, owner, within, list::STARTING_AFTER, before).await?,
            after: self.cursor(state, owner, within, list::ENDING_BEFORE, after).await?,
            created_from,
            created_to,
            limit: limit.saturating_add(1),
        };
        let found: Vec<(PartId, PaymentId)> = match payment {
            Some(_) if none => Vec::new(),
            Some(payment) => {
                let parts = (self.of_payment)(&payment).into_iter();
                let mut parts: Vec<_> = parts
                    .filter(|(id, created)| filter.takes(*id, *created))
                    .map(|(id, _)| (id, payment.id()))
                    .collect();
                parts.sort_unstable_by_key(|part| std::cmp::Reverse(*part));
                parts
            }
            None => {
                let parts = state.store.part_list(owner, self.kind, &filter).await?;
                parts.iter().map(|part| (part.id, part.payment)).collect()
            }
        };
        Ok(list::cut(found, limit, filter.after.is_some()))
    }

    /// The payment that has this part, if it is the owner's.
    ///
    /// # Errors
    /// 404 if there is no such part; the store's.
    pub async fn find(
        &self,
        state: &WebState,
        owner: AccountId,
        part: Option<PartId>,
        shown: &str,
    ) -> Result<Payment, ApiError> {
        let missing = || ApiError::not_found(self.name, shown);
        let record = state.store.part_get(part.ok_or_else(missing)?).await?;
        let theirs = record.filter(|part| part.owner == owner && part.kind == self.kind);
        let payment = theirs.ok_or_else(missing)?.payment;
        state.store.payment_one(payment).await?.ok_or_else(missing)
    }

    /// The part that a cursor names, if one is given. It must be in this list.
    async fn cursor(
        &self,
        state: &WebState,
        owner: AccountId,
        payment: Option<PaymentId>,
        param: &'static str,
        text: Option<String>,
    ) -> Result<Option<PartId>, ApiError> {
        let Some(text) = text else { return Ok(None) };
        let unknown = || ApiError::from(list::unknown_cursor(param, self.name, &text));
        let id: PartId = text.parse().map_err(|_| unknown())?;
        let found = state.store.part_get(id).await?;
        let in_list = found.is_some_and(|part| {
            let of_payment = payment.is_none_or(|payment| payment == part.payment);
            part.kind == self.kind && part.owner == owner && of_payment
        });
        if in_list { Ok(Some(id)) } else { Err(unknown()) }
    }
}

/// Whose parts to list, or what to refund.
pub enum Of {
    /// The payment.
    Payment(PaymentId),
    /// The charge's id as sent.
    Charge(String),
}

impl Of {
    /// Reads `payment_intent` or `charge`.
    ///
    /// # Errors
    /// Both, or no id.
    pub fn read(params: &mut Params<'_>) -> Result<Option<Self>, ApiError> {
        let intent = params.text("payment_intent")?;
        let charge = params.text("charge")?;
        match (intent, charge) {
            (Some(_), Some(_)) => {
                let message = "You may only specify one of these parameters: payment_intent, charge.";
                Err(InputError::new("charge", "parameters_exclusive", message).into())
            }
            (Some(id), None) => {
                parameters::payment_id(&id, "payment_intent", &["pi_"]).map(|id| Some(Self::Payment(id)))
            }
            (None, Some(id)) => Ok(Some(Self::Charge(id.into_owned()))),
            (None, None) => Ok(None),
        }
    }
}

/// The payments of a page, by id.
///
/// # Errors
/// The store's.
pub async fn payments_of(state: &WebState, found: &[(PartId, PaymentId)]) -> Result<Vec<Payment>, ApiError> {
    let mut ids: Vec<PaymentId> = found.iter().map(|(_, payment)| *payment).collect();
    ids.sort_unstable();
    ids.dedup();
    Ok(state.store.payment_get(&ids).await?)
}
