//! `/v1/balance`: what the wallets hold.

use actix_web::{HttpResponse, web};
use serde::Serialize;

use crate::domain::ledger::LedgerAccount;
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
    fn of(record: &WalletRecord) -> Self {
        let amount = record.balance_minor;
        Self { amount, currency: record.wallet.currency.lower(), source_types: SourceTypes { card: amount } }
    }
}

#[derive(Debug, Serialize)]
struct Owed {
    /// What disputes and late failures took beyond what the wallet held.
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
    let is_wallet = |record: &&WalletRecord| matches!(record.account, LedgerAccount::Wallet(_));
    let (wallets, others): (Vec<&WalletRecord>, Vec<&WalletRecord>) = records.iter().partition(is_wallet);
    let funds = |records: Vec<&WalletRecord>| records.into_iter().map(Funds::of).collect();
    Ok(HttpResponse::Ok().json(Balance {
        object: "balance",
        available: funds(wallets),
        pending: Vec::new(),
        livemode: false,
        paystorm: Owed { owed: funds(others) },
    }))
}
