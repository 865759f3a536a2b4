//! What must hold of the store, the index and the clients' memory once everything rests.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Outlives;
use super::index::SimIndexView;
use super::operations;
use super::store::{Data, SimSnapshot};
use crate::audit::index::Current;
use crate::audit::{AuditError, AuditOptions, IndexSide, audit};
use crate::domain::ids::PaymentId;
use crate::domain::ledger::WalletId;
use crate::domain::payment::{Payment, RefundStatus};
use crate::domain::status::Status;
use crate::domain::submission::Kind;
use crate::feed::{dispatch, index};

/// The payments as they are.
struct Now<'a>(&'a Data);

#[async_trait::async_trait]
impl Current for Now<'_> {
    async fn payments(&self, ids: &[PaymentId]) -> Result<Vec<Payment>, AuditError> {
        Ok(ids.iter().filter_map(|id| self.0.payments.get(id).cloned()).collect())
    }
}

/// Everything that does not hold, in words.
pub async fn check(world: &Outlives) -> Vec<String> {
    let data = world.data.lock().clone();
    let mut wrong = audited(world, &data).await;
    wrong.extend(promises(world, &data));
    wrong.extend(wallets(&data));
    wrong.extend(operations::check(&world.book.lock().operations, &data));
    wrong.extend(world.book.lock().wrong.iter().cloned());
    wrong.extend(data.stale.iter().cloned());
    wrong.extend(never_were(world, &data));
    wrong.extend(readers(&data));
    wrong
}

/// What `verify` says.
async fn audited(world: &Outlives, data: &Data) -> Vec<String> {
    let options = AuditOptions { at_rest: true, index_lag: Duration::ZERO, ..AuditOptions::default() };
    let mut view = SimIndexView(world.documents.lock().clone());
    let current = Now(data);
    let side = IndexSide { view: &mut view, current: &current };
    match audit(&mut SimSnapshot(data.clone()), Some(side), None, &options).await {
        Ok(report) if report.passed() => Vec::new(),
        Ok(report) => vec![report.to_string()],
        Err(error) => vec![error.to_string()],
    }
}

/// What clients were told is true.
fn promises(world: &Outlives, data: &Data) -> Vec<String> {
    let book = world.book.lock();
    let mut wrong = Vec::new();
    for (id, version) in &book.acked {
        match data.payments.get(id) {
            None => wrong.push(format!("acknowledged {id} does not exist")),
            Some(payment) if payment.version() < *version => {
                wrong.push(format!(
                    "{id} was acknowledged at version {version}, and is at {}",
                    payment.version()
                ));
            }
            Some(payment) if !payment.state().status.is_at_rest() => {
                wrong.push(format!("acknowledged {id} is {}", payment.state().status.as_str()));
            }
            Some(_) => {}
        }
    }
    let denied = book.denied.iter().filter(|id| data.payments.contains_key(id));
    wrong.extend(denied.map(|id| format!("{id} exists, and a caller was told that nothing was done")));
    for (key, keyed) in &book.keys {
        let made: Vec<_> = keyed.ids.iter().filter(|id| data.payments.contains_key(id)).collect();
        if made.len() > 1 || keyed.answers.iter().any(|answer| made != [answer]) {
            wrong.push(format!("key {key} made {made:?} and was answered with {:?}", keyed.answers));
        }
    }
    wrong
}

/// States that someone was shown and that no batch ended with.
fn never_were(world: &Outlives, data: &Data) -> Vec<String> {
    let book = world.book.lock();
    let shown = book.shown.iter().filter(|shown| !data.ends.contains(shown));
    shown.map(|(id, version)| format!("{id} was shown at version {version}, which never was")).collect()
}

/// Balances from what became of each payment, without the ledger's own rule: an effect per success, refund and payout.
fn wallets(data: &Data) -> Vec<String> {
    let mut truth: BTreeMap<WalletId, i64> = BTreeMap::new();
    for payment in data.payments.values() {
        let (submission, state) = (payment.submission(), payment.state());
        let amount_minor = submission.amount.amount_minor;
        let own = truth.entry(submission.own_wallet()).or_default();
        match (submission.kind, state.status) {
            (Kind::Charge | Kind::TopUp, _) => *own += state.received_minor,
            (Kind::Transfer { .. } | Kind::Payout { .. }, Status::Succeeded) => *own -= amount_minor,
            (Kind::Transfer { .. } | Kind::Payout { .. }, _) => {}
        }
        let refunds = state.refunds.iter().filter(|refund| !matches!(refund.status, RefundStatus::Failed(_)));
        *own -= refunds.map(|refund| refund.amount_minor).sum::<i64>();
        if let (Some(payee), Status::Succeeded) = (submission.payee_wallet(), state.status) {
            *truth.entry(payee).or_default() += amount_minor;
        }
    }
    let differs = |(wallet, wanted): (&WalletId, &i64)| {
        let stored = data.balances.get(wallet).copied().unwrap_or(0);
        (stored != *wanted).then(|| format!("{wallet:?} holds {stored}, its payments come to {wanted}"))
    };
    truth.iter().filter_map(differs).collect()
}

/// Every reader has come to the head.
fn readers(data: &Data) -> Vec<String> {
    let names = dispatch::NAMES.into_iter().chain([index::NAME]);
    let cursor = |name: &str| data.readers.get(name).map_or(0, |reader| reader.position);
    let behind = names.filter(|name| cursor(name) != data.head);
    behind.map(|name| format!("{name} is at {}, the head at {}", cursor(name), data.head)).collect()
}
