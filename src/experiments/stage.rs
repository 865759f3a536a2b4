//! The accounts and payments of an experiment.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use crate::accounts::Accounts;
use crate::domain::account::AccountTerms;
use crate::domain::ids::AccountId;
use crate::domain::payment_kind::PaymentKind;
use crate::intake::{Call, InputError, Intake, IntakeError, Outcome, Params, PaymentDraft, Wait};
use crate::scenarios::{AcquirerState, Scenarios};
use crate::store::Store;

/// What each payment of an experiment is worth, in cents.
pub(super) const AMOUNT_MINOR: i64 = 1_250;
/// How long what is still under way gets before an account is closed. Longer than anybody waits for an acquirer in an experiment.
const CLOSED_AFTER: Duration = Duration::from_secs(60);

/// What experiments are made with.
#[derive(Clone)]
pub(super) struct Stage {
    pub(super) intake: Intake,
    pub(super) scenarios: Scenarios,
    pub(super) accounts: Arc<Accounts>,
    pub(super) store: Arc<dyn Store>,
    pub(super) stopping: CancellationToken,
}

/// A throw-away account under a scenario of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shop {
    pub(super) account: AccountId,
    owner: AccountId,
    /// When its scenario came into force; its windows count from here.
    pub(super) opened: Instant,
}

impl Stage {
    /// A new account of this owner, under this scenario.
    pub(super) async fn open(&self, owner: AccountId, name: &str, scenario: &str) -> anyhow::Result<Shop> {
        let terms = AccountTerms { lean: true, ..AccountTerms::default() };
        let made = self.accounts.children_create(owner, 1, name, terms).await?;
        let account = made.first().context("no account was made")?.id;
        self.scenarios.put(account, scenario).await?;
        Ok(Shop { account, owner, opened: Instant::now() })
    }

    /// Asks for a payment, and waits for its outcome for so long.
    pub(super) async fn pay(
        &self,
        shop: Shop,
        draw_key: u32,
        key: Option<&str>,
        wait: Duration,
    ) -> Result<Outcome, IntakeError> {
        let draft = self.charge(draw_key, key)?;
        let handed = self.intake.submit(draft, shop.account, Call::waiting(Wait::UpTo(wait))).await?;
        self.intake.outcome(handed).await
    }

    fn charge(&self, draw_key: u32, key: Option<&str>) -> Result<PaymentDraft, InputError> {
        let mut payment = serde_json::json!({
            "amount": AMOUNT_MINOR, "currency": "eur", "payment_method": "pm_card_visa", "draw_key": draw_key,
            "description": "An experiment",
        });
        if let (Some(key), Some(fields)) = (key, payment.as_object_mut()) {
            fields.insert("idempotency_key".to_owned(), key.into());
        }
        let text = payment.to_string();
        let mut params = Params::from_json(text.as_bytes())?;
        let draft = PaymentDraft::read(&mut params, PaymentKind::Charge, &self.intake.context())?;
        params.finish()?;
        Ok(draft)
    }

    /// The acquirer of a shop with this name, as it stands.
    pub(super) async fn acquirer(&self, shop: Shop, name: &str) -> anyhow::Result<Option<AcquirerState>> {
        let states = self.scenarios.acquirers(shop.account).await?;
        Ok(states.into_iter().find(|state| state.name == name))
    }

    /// Gives the shop's waiting payments the world of the settings, and closes it once they had time to end. Goes on by itself.
    pub(super) fn close(&self, shop: Shop) {
        let stage = self.clone();
        tokio::spawn(async move {
            let closing = async {
                stage.scenarios.clear(shop.account).await?;
                tokio::time::sleep(CLOSED_AFTER).await;
                stage.accounts.child_retire(shop.owner, shop.account).await?;
                anyhow::Ok(())
            };
            tokio::select! {
                () = stage.stopping.cancelled() => {}
                closed = closing => if let Err(error) = closed {
                    tracing::warn!(error = format!("{error:#}"), "the account of an experiment stays open");
                },
            }
        });
    }
}
