//! Rebuilds statements and events from movements and histories.

use std::collections::BTreeSet;

use super::{ReaderError, Statement, WALLETS, announcements, placed};
use crate::domain::ids::{AccountId, PaymentId};
use crate::domain::payment::Payment;
use crate::domain::statement::LinePlace;
use crate::domain::wallet::WalletId;
use crate::store::{Projected, StatementFilter};

/// Payments read at once during a rebuild.
const PAYMENTS: u32 = 500;
/// Lines read at once while balances are added up.
const LINES: u32 = 1_000;
/// Before the first line.
const BEGINNING: LinePlace = LinePlace { seq: 0, place: 0 };

impl Statement {
    /// Rebuilds all lines up to a position in the journal.
    pub(super) async fn rebuild(&mut self, upto: u64) -> Result<(), ReaderError> {
        tracing::info!(upto, "statements and events are rebuilt from movements and histories");
        self.clear_events().await?;
        let mut after = None;
        loop {
            let wallets = self.store.statement_wallets(after, WALLETS).await?;
            let Some(last) = wallets.last() else { break };
            after = Some(*last);
            for wallet in wallets {
                self.clear(wallet).await?;
            }
        }
        let mut after = None;
        loop {
            let payments = self.store.payment_scan(after, PAYMENTS).await?;
            let Some(last) = payments.last() else { break };
            after = Some(last.id());
            let ids: Vec<PaymentId> = payments.iter().map(Payment::id).collect();
            let movements = self.movements(&ids).await?;
            let full = self.full(parties_of(&payments)).await?;
            let (mut lines, mut events) = (Vec::new(), Vec::new());
            for payment in &payments {
                let versions = 1..payment.version().saturating_add(1);
                lines.extend(placed(payment, versions.clone(), &movements, &full));
                events.extend(announcements(payment, versions, &full));
            }
            // Later lines are still in the journal; an event that already exists stays.
            lines.retain(|line| line.place.seq <= upto);
            let (oldest, wall) = self.oldest();
            events.retain(|(_, event)| event.at >= oldest || event.wall >= wall);
            self.store.statement_put(&lines).await?;
            self.store.event_put(&events).await?;
        }
        self.add_up_all().await?;
        self.write(upto, &Projected::default()).await
    }

    /// Deletes all events of payments, but not those of resources, which are kept nowhere else.
    async fn clear_events(&self) -> Result<(), ReaderError> {
        let mut after = None;
        loop {
            let owners = self.store.event_owners(after, WALLETS).await?;
            let Some(last) = owners.last() else { return Ok(()) };
            after = Some(*last);
            for owner in owners {
                self.store.event_clear(owner).await?;
            }
        }
    }

    /// Deletes all lines of a wallet, some at a time.
    async fn clear(&self, wallet: WalletId) -> Result<(), ReaderError> {
        let oldest = StatementFilter { after: Some(BEGINNING), limit: LINES, ..StatementFilter::default() };
        while let Some(last) = self.store.statement_list(wallet, &oldest).await?.first() {
            self.store.statement_delete(wallet, last.place.seq).await?;
        }
        Ok(())
    }

    /// Adds up the balances of all lines, wallet by wallet.
    async fn add_up_all(&mut self) -> Result<(), ReaderError> {
        self.balances.clear();
        let mut wallet = None;
        loop {
            let wallets = self.store.statement_wallets(wallet, WALLETS).await?;
            let Some(last) = wallets.last() else { return Ok(()) };
            wallet = Some(*last);
            for wallet in wallets {
                let mut after = BEGINNING;
                loop {
                    let filter =
                        StatementFilter { after: Some(after), limit: LINES, ..StatementFilter::default() };
                    let mut lines = self.store.statement_list(wallet, &filter).await?;
                    let Some(newest) = lines.first() else { break };
                    after = newest.place;
                    lines.reverse();
                    self.add_up(&mut lines).await?;
                    self.store.statement_put(&lines).await?;
                }
            }
        }
    }
}

/// Who submitted these payments, and who receives them.
fn parties_of(payments: &[Payment]) -> BTreeSet<AccountId> {
    let payee = |payment: &Payment| payment.submission().payee_wallet().map(|wallet| wallet.owner);
    payments.iter().flat_map(|payment| [Some(payment.owner()), payee(payment)]).flatten().collect()
}
