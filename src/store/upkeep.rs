//! The store itself: migrations, durability, and whether it answers.

use async_trait::async_trait;

use super::StoreResult;
use super::trouble::StoreTrouble;

/// Durability settings, read back from the running store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durability {
    /// Name and value of each.
    pub settings: Vec<(String, String)>,
    /// Whether an acknowledged commit survives a power cut with these settings.
    pub durable: bool,
    /// Why not, if not.
    pub warning: Option<String>,
}

/// The state of the store.
#[async_trait]
pub trait Health: Send + Sync + 'static {
    /// Makes a small read, to see whether the store answers.
    async fn ping(&self) -> StoreResult<()>;

    /// What keeps it from taking payments, by how its last real operations ended; `None` while they succeed. There are some every
    /// other second, since readers renew their leases. A ping would not notice a full disk.
    fn trouble(&self) -> Option<StoreTrouble> {
        None
    }
}

/// Work done at the start.
#[async_trait]
pub trait Upkeep: Send + Sync + 'static {
    /// Applies all pending migrations; returns the names of those applied.
    ///
    /// # Errors
    /// [`StoreError::OtherForm`](super::StoreError::OtherForm) if another version of the program made the tables at the same time.
    async fn migrate(&self) -> StoreResult<Vec<String>>;

    /// The settings that durability rests on, read back from the running store.
    async fn durability(&self) -> StoreResult<Durability>;
}

macro_rules! upkeep_store {
    ($Conn:ty, $Store:ty) => {
        #[async_trait::async_trait]
        impl $crate::store::Health for $Store {
            async fn ping(&self) -> StoreResult<()> {
                held!(self, reader, caller, conn => head(conn)).map(|_| ())
            }

            fn trouble(&self) -> Option<$crate::store::StoreTrouble> {
                let stalled = || self.is_stalled().then_some($crate::store::StoreTrouble::Away);
                $crate::store::StoreTrouble::of(&self.outage).or_else(stalled)
            }
        }

        #[async_trait::async_trait]
        impl $crate::store::Upkeep for $Store {
            async fn migrate(&self) -> StoreResult<Vec<String>> {
                let applied = self.run_migrations().await?;
                self.admit(held!(self, reader, background, conn => stored_form(conn))?)?;
                Ok(applied)
            }

            async fn durability(&self) -> StoreResult<$crate::store::Durability> {
                self.read_durability().await
            }
        }
    };
}
pub(in crate::store) use upkeep_store;
