//! Checks accounts, and what is stored about people and the installation beside payments.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::AuditOptions;
use super::named::payments_named;
use super::report::{Name, Report};
use crate::domain::ids::{AccountId, PaymentId};
use crate::domain::payment::Payment;
use crate::search::AccountNames;
use crate::store::{AsideReason, AuditPayment, Snapshot, StoreError, StrayKind, Subject};

/// How far the time in an id may be ahead of the time beside it, in microseconds. It may be behind by any amount: the ids of the
/// demo's people are stored before the people are, and a crash may come in between.
const CLOCKS_APART_US: u64 = 60 * 1_000_000;
/// No lease is taken for longer than this; its holder renews it.
const LEASE_MAX_MS: u64 = 3_600_000;

/// Every account by id, with its name.
#[derive(Debug, Default)]
pub struct People {
    names: HashMap<AccountId, Arc<str>>,
    lean: HashSet<AccountId>,
}

impl People {
    /// Whether there is such an account.
    #[must_use]
    pub fn has(&self, id: AccountId) -> bool {
        self.names.contains_key(&id)
    }

    /// Whether it has statements.
    #[must_use]
    pub fn is_full(&self, id: AccountId) -> bool {
        !self.lean.contains(&id)
    }

    /// Reads all accounts, and checks that those that created others exist.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn read(
        snapshot: &mut dyn Snapshot,
        options: &AuditOptions,
        report: &mut Report,
    ) -> Result<Self, StoreError> {
        let (mut all, mut lean) = (HashMap::new(), HashSet::new());
        let (mut parents, mut after) = (BTreeSet::new(), None);
        loop {
            let page = snapshot.accounts(after, options.page).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for account in page {
                report.counted.accounts += 1;
                let ahead = account.id.generated_at().map_or(0, |made| made.micros_since(account.created_at));
                if ahead > CLOCKS_APART_US {
                    let text = format!("{}: it was made before its id was", account.id);
                    report.violation(Name::ImpossibleRow, text);
                }
                parents.extend(account.parent);
                if account.lean {
                    lean.insert(account.id);
                }
                all.insert(account.id, Arc::from(account.name));
            }
        }
        for parent in parents.iter().filter(|parent| !all.contains_key(parent)) {
            report.violation(Name::MissingAccount, format!("{parent}, who made others, does not exist"));
        }
        Ok(Self { names: all, lean })
    }

    /// Reports owners and payees of a payment that have no account.
    pub fn check(&self, payment: &Payment, report: &mut Report) {
        let payee = payment.submission().payee_wallet().map(|wallet| wallet.owner);
        for (account, what) in [(Some(payment.owner()), "owner"), (payee, "payee")] {
            if let Some(account) = account.filter(|account| !self.has(*account)) {
                let text = format!("{account}, the {what} of payment {}, does not exist", payment.id());
                report.violation(Name::MissingAccount, text);
            }
        }
    }
}

impl AccountNames for People {
    fn name_of(&self, account: AccountId) -> Option<Arc<str>> {
        self.names.get(&account).cloned()
    }
}

/// Their names, or none if accounts are not checked.
pub fn names(people: Option<&People>) -> &dyn AccountNames {
    match people {
        Some(people) => people,
        None => &(),
    }
}

/// Reports rows that contradict one another.
///
/// # Errors
/// If the store cannot be read.
pub async fn strays(snapshot: &mut dyn Snapshot, report: &mut Report) -> Result<(), StoreError> {
    for stray in snapshot.strays().await? {
        let (what, key) = (stray.what, &stray.key);
        match stray.kind {
            StrayKind::NoAccount => {
                report.violation(Name::MissingAccount, format!("{what} {key}: its account does not exist"));
            }
            StrayKind::DoubledBatch => {
                let text = format!("{what} {key} stands in the journal more than once");
                report.violation(Name::WrongJournalEntry, text);
            }
            StrayKind::Impossible => report.violation(Name::ImpossibleRow, format!("{what}: {key}")),
        }
    }
    Ok(())
}

/// Reports what is set aside until it is repaired. What cannot be read is reported by itself, so that a row of `set_aside` that is
/// only about to be taken back is no violation.
///
/// # Errors
/// If the store cannot be read.
pub async fn aside(snapshot: &mut dyn Snapshot, report: &mut Report) -> Result<(), StoreError> {
    let records = snapshot.aside().await?;
    let payment = |subject: &Subject| match subject {
        Subject::Payment(id) => Some(*id),
        Subject::Row(_) => None,
    };
    let ids: Vec<PaymentId> = records.iter().filter_map(|record| payment(&record.subject)).collect();
    let named = payments_named(snapshot, ids.into_iter()).await?;
    for record in records {
        let text = format!("{}: {}", record.subject.to_key(), record.cause);
        let row = payment(&record.subject).and_then(|id| named.get(&id));
        let sound = row.is_some_and(|row| row.folded.is_ok());
        let queued =
            |row: &AuditPayment| row.folded.iter().any(|payment| payment.queued_work().next().is_some());
        let goes_on = row.is_some_and(|row| !row.due.is_empty() || row.has_open_work || queued(row));
        match record.reason {
            // Something is to be done about it, and nobody can say what.
            AsideReason::Undecidable if goes_on => report.violation(Name::SetAside, text),
            AsideReason::Undecidable | AsideReason::Unreadable if sound => {
                report.note(format!("set aside, nothing is wrong with it any more: {text}"));
            }
            AsideReason::Undecidable | AsideReason::Unreadable => report.note(format!("set aside: {text}")),
        }
    }
    Ok(())
}

/// Checks that no lease keeps others out for longer than leases last.
///
/// # Errors
/// If the store cannot be read.
pub async fn leases(
    snapshot: &mut dyn Snapshot,
    options: &AuditOptions,
    report: &mut Report,
) -> Result<(), StoreError> {
    let Some(now) = options.now else { return Ok(()) };
    for (name, until) in snapshot.leases().await? {
        if until > now.plus_ms(LEASE_MAX_MS) {
            let text =
                format!("{name} is held until {}, for longer than any process takes it", until.micros());
            report.violation(Name::WrongLease, text);
        }
    }
    Ok(())
}

/// The secret under which cards and keys are hashed, if it is checked.
///
/// # Errors
/// If the store cannot be read.
pub async fn secret(
    snapshot: &mut dyn Snapshot,
    options: &AuditOptions,
    report: &mut Report,
) -> Result<Option<[u8; 32]>, StoreError> {
    let Some(name) = &options.secret else { return Ok(None) };
    let kept = snapshot.secret(name).await?;
    let secret = kept.as_deref().and_then(|kept| <[u8; 32]>::try_from(kept).ok());
    if secret.is_none() && !snapshot.payments(None, 1).await?.is_empty() {
        let text = "it is gone: requests sent again would not be recognised".to_owned();
        report.violation(Name::WrongSecret, text);
    }
    Ok(secret)
}

/// Checks that every card of a payment was reduced with the installation's secret.
pub fn check_cards(payment: &Payment, secret: &[u8; 32], report: &mut Report) {
    if payment.state().card().is_some_and(|card| card.is_under(secret) == Some(false)) {
        let text =
            format!("payment {}: its card was not reduced with the installation's secret", payment.id());
        report.violation(Name::WrongSecret, text);
    }
}
