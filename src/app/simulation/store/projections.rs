//! Statements and events.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::SimStore;
use crate::domain::announcement::Announcement;
use crate::domain::ids::AccountId;
use crate::domain::statement::StatementLine;
use crate::domain::time::Timestamp;
use crate::domain::wallet::WalletId;
use crate::store::{Events, StatementFilter, Statements, StoreResult};

#[async_trait]
impl Statements for SimStore {
    async fn statement_put(&self, lines: &[StatementLine]) -> StoreResult<()> {
        self.reach().await?;
        let mut data = self.data.lock();
        data.lines.extend(lines.iter().map(|line| ((line.wallet, line.place), *line)));
        Ok(())
    }

    async fn statement_list(
        &self,
        wallet: WalletId,
        filter: &StatementFilter,
    ) -> StoreResult<Vec<StatementLine>> {
        self.read(|data| data.statement(wallet, filter)).await
    }

    async fn statement_wallets(&self, after: Option<WalletId>, limit: u32) -> StoreResult<Vec<WalletId>> {
        self.read(|data| {
            let wallets: BTreeSet<WalletId> = data.lines.keys().map(|(wallet, _)| *wallet).collect();
            let later = wallets.into_iter().filter(|wallet| after.is_none_or(|after| *wallet > after));
            later.take(limit as usize).collect()
        })
        .await
    }

    async fn statement_delete(&self, wallet: WalletId, upto: u64) -> StoreResult<u64> {
        self.reach().await?;
        let mut data = self.data.lock();
        let before = data.lines.len();
        data.lines.retain(|(of, place), _| *of != wallet || place.seq > upto);
        Ok((before - data.lines.len()) as u64)
    }
}

#[async_trait]
impl Events for SimStore {
    async fn event_put(&self, events: &[(AccountId, Announcement)]) -> StoreResult<()> {
        self.reach().await?;
        self.data.lock().events.extend(events.iter().copied());
        Ok(())
    }

    async fn event_owners(&self, after: Option<AccountId>, limit: u32) -> StoreResult<Vec<AccountId>> {
        self.read(|data| {
            let owners: BTreeSet<AccountId> = data.events.iter().map(|(owner, _)| *owner).collect();
            let later = owners.into_iter().filter(|owner| after.is_none_or(|after| *owner > after));
            later.take(limit as usize).collect()
        })
        .await
    }

    async fn event_delete(
        &self,
        owner: AccountId,
        before: Timestamp,
        wall_before: Timestamp,
    ) -> StoreResult<u64> {
        self.reach().await?;
        let mut data = self.data.lock();
        let kept = data.events.len() + data.sources.len();
        let old = |at, wall| at < before && wall < wall_before;
        data.events.retain(|(of, event)| *of != owner || !old(event.at, event.wall));
        data.sources.retain(|(of, ..), source| *of != owner || !old(source.at, source.wall));
        Ok((kept - data.events.len() - data.sources.len()) as u64)
    }

    async fn event_clear(&self, owner: AccountId) -> StoreResult<u64> {
        self.reach().await?;
        let mut data = self.data.lock();
        let kept = data.events.len();
        data.events.retain(|(of, event)| *of != owner || event.id.subject.payment().is_none());
        Ok((kept - data.events.len()) as u64)
    }

    async fn event_surplus(&self, _owner: AccountId, _kept: u32) -> StoreResult<Option<Timestamp>> {
        Ok(None)
    }
}
