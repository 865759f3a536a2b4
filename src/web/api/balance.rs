//! `/v1/balance`: the balances of an account's wallets.

use actix_web::{HttpResponse, web};
use serde::Serialize;

use crate::domain::ledger::Holdings;
use crate::store::WalletRecord;
use crate::web::error::ApiError;
use crate::web::security::ApiCaller;
use crate::web::state::WebState;

#[derive(Debug, Serialize)]
struct SourceTypes {
    card: i64,
}

#[derive(Debug, Serialize)]
struct Funds {
    amount: i64,
    currency: String,
    source_types: SourceTypes,
}

impl Funds {
    fn of(record: &WalletRecord, amount: i64) -> Self {
        Self { amount, currency: record.wallet.currency.lower(), source_types: SourceTypes { card: amount } }
    }
}

#[derive(Debug, Serialize)]
struct Owed {
    /// What disputes and late failures took beyond the wallet's balance.
    owed: Vec<Funds>,
}

#[derive(Debug, Serialize)]
struct Balance {
    object: &'static str,
    available: Vec<Funds>,
    pending: Vec<Funds>,
    livemode: bool,
    paystorm: Owed,
}

/// `GET /v1/balance`
pub async fn retrieve(state: web::Data<WebState>, caller: ApiCaller) -> Result<HttpResponse, ApiError> {
    let records = state.store.wallet_list(caller.account).await?;
    let funds = |amount: fn(&Holdings) -> i64| {
        records.iter().map(|record| Funds::of(record, amount(&record.holdings))).collect::<Vec<_>>()
    };
    let mut owed = funds(|held| held.owed_minor);
    owed.retain(|funds| funds.amount != 0);
    Ok(HttpResponse::Ok().json(Balance {
        object: "balance",
        available: funds(Holdings::available_minor),
        pending: funds(|held| held.pending_minor),
        livemode: false,
        paystorm: Owed { owed },
    }))
}
