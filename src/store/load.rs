//! The first half of a batch's transaction: takes the head, and loads what the batch is decided by. A macro expanded for each
//! connection, beside [`super::keyed`].

macro_rules! load_queries {
    ($Conn:ty) => {
        use std::collections::HashSet;
        use std::sync::Arc;

        use $crate::domain::account::AccountFacts;
        use $crate::domain::ids::{AccountId, ClockId, IdMap};
        use $crate::domain::resource::Body;
        use $crate::domain::subject::SubjectKind;
        use $crate::domain::time::Timestamp;
        use $crate::store::batch::Head;
        use $crate::store::batch::{BatchKeys, LOADED, Loaded};
        use $crate::store::columns::unsigned;
        use $crate::store::facts::FactsCache;
        use $crate::store::{accounts, clocks, columns, idempotency, ledger};

        /// Takes the head lock; everything until the end of the transaction is ordered after it.
        pub(super) async fn head_take(conn: &mut $Conn, wall: Timestamp) -> StoreResult<Head> {
            use schema::head::dsl;
            $crate::store::head::HeadTake { wall: wall.micros() }.execute(conn).await?;
            // Without a limit: SQLite prepares a statement again whenever its limit is bound.
            let taken: Vec<(i64, i64, i64)> = dsl::head
                .filter(dsl::shard.eq(0))
                .select((dsl::seq, dsl::wall, dsl::settings_seq))
                .load(conn)
                .await?;
            let (seq, wall, settings_seq) =
                taken.into_iter().next().ok_or_else(|| columns::damaged("head.seq"))?;
            Ok(Head {
                seq: unsigned(seq),
                wall: Timestamp::from_micros(wall),
                settings_seq: unsigned(settings_seq),
            })
        }

        /// Loads what the batch is decided by; of its payments, as many as one batch may hold.
        pub(super) async fn load(
            conn: &mut $Conn,
            head: Head,
            keys: &BatchKeys,
            cache: &FactsCache,
        ) -> StoreResult<Loaded> {
            let mut loaded = Loaded::default();
            let (unknown, bytes) = keys.take_payments(head.seq, &mut loaded);
            load_payments(conn, &unknown, bytes, &mut loaded).await?;
            load_resources(conn, &keys.resources, &mut loaded).await?;
            let submissions = || loaded.payments.values().map(|payment| payment.submission());
            let mut wallets = keys.wallets.clone();
            wallets.extend(submissions().map(|submission| submission.own_wallet()));
            wallets.extend(submissions().filter_map(|submission| submission.payee_wallet()));
            let mut accounts = keys.accounts.clone();
            accounts.extend(submissions().map(|submission| submission.own_wallet().owner));
            accounts.extend(
                submissions().filter_map(|submission| submission.payee_wallet()).map(|wallet| wallet.owner),
            );
            load_accounts(conn, head.settings_seq, accounts, cache, &mut loaded.accounts).await?;
            load_clocks(conn, head.settings_seq, keys, cache, &mut loaded).await?;
            wallets.sort_unstable();
            wallets.dedup();
            keys.take_wallets(head.seq, &mut wallets, &mut loaded);
            for chunk in wallets.chunks(KeyIn::<()>::MAX) {
                use schema::wallet::dsl;
                let found: Vec<ledger::WalletRow> = dsl::wallet
                    .filter(KeyIn::new(dsl::id, chunk.iter().map(|wallet| wallet.to_key().to_vec())))
                    .select(ledger::WalletRow::as_select())
                    .load(conn)
                    .await?;
                for row in &found {
                    let record = row.decode()?;
                    loaded.wallets.insert(record.wallet, record.holdings);
                }
            }
            for chunk in keys.idempotency.chunks(KeyIn::<()>::MAX) {
                use schema::idempotency::dsl;
                let found: Vec<idempotency::IdempotencyRow> = dsl::idempotency
                    .filter(KeyIn::new(dsl::k, chunk.iter().map(|key| key.to_vec())))
                    .select(idempotency::IdempotencyRow::as_select())
                    .load(conn)
                    .await?;
                for row in &found {
                    let record = row.decode()?;
                    loaded.idempotency.insert((record.key, record.owner), record);
                }
            }
            Ok(loaded)
        }

        /// Loads payments page by page until, together with `bytes`, they are enough for one batch; the others are left out.
        async fn load_payments(
            conn: &mut $Conn,
            mut rest: &[PaymentId],
            mut bytes: usize,
            loaded: &mut Loaded,
        ) -> StoreResult<()> {
            let mut rows = LOADED.first();
            while !rest.is_empty() && bytes < LOADED.bytes_max {
                let count = usize::try_from(rows).unwrap_or(usize::MAX).min(rest.len());
                let (now, later) = rest.split_at(count);
                rest = later;
                let found = payment_get(conn, now).await?;
                for (subject, cause) in found.damaged {
                    if let $crate::store::aside::Subject::Payment(id) = subject {
                        loaded.damaged.insert(id, cause);
                    }
                }
                if !found.rows.is_empty() {
                    rows = LOADED.next(found.rows.iter().map(Payment::memory_bytes));
                }
                bytes += found.rows.iter().map(Payment::memory_bytes).sum::<usize>();
                loaded
                    .payments
                    .extend(found.rows.into_iter().map(|payment| (payment.id(), Arc::new(payment))));
            }
            loaded.left_out.extend(rest.iter().map(|id| Subject::from(*id)));
            Ok(())
        }

        /// The same for plain resources.
        async fn load_resources(
            conn: &mut $Conn,
            mut rest: &[Subject],
            loaded: &mut Loaded,
        ) -> StoreResult<()> {
            let (mut rows, mut bytes) = (LOADED.first(), 0);
            while !rest.is_empty() && bytes < LOADED.bytes_max {
                let count = usize::try_from(rows).unwrap_or(usize::MAX).min(rest.len());
                let (now, later) = rest.split_at(count);
                rest = later;
                let found = resource_rows(conn, now).await?;
                let mut sizes = Vec::with_capacity(found.len());
                for row in &found {
                    match (row.decode(), row.key()) {
                        (Ok(resource), _) => {
                            sizes.push(resource.memory_bytes());
                            loaded.resources.insert(resource.subject, resource);
                        }
                        (Err(error), Some(subject)) => {
                            loaded.damaged_resources.insert(subject, error.to_string());
                        }
                        (Err(error), None) => return Err(error),
                    }
                }
                bytes += sizes.iter().sum::<usize>();
                if !sizes.is_empty() {
                    rows = LOADED.next(sizes.into_iter());
                }
            }
            loaded.left_out.extend(rest);
            Ok(())
        }

        /// Loads the clocks that anything here follows, unless they are cached.
        async fn load_clocks(
            conn: &mut $Conn,
            settings_seq: u64,
            keys: &BatchKeys,
            cache: &FactsCache,
            loaded: &mut Loaded,
        ) -> StoreResult<()> {
            let of_payments = loaded.payments.values().map(|payment| payment.clock());
            let of_resources = loaded.resources.values().map(|resource| resource.clock);
            let of_accounts = loaded.accounts.values().map(|account| account.clock);
            let named = keys.clocks.iter().copied().chain(of_payments).chain(of_resources).chain(of_accounts);
            let mut clocks: Vec<ClockId> = named.filter(|clock| !clock.is_wall()).collect();
            for owner in &keys.clock_owners {
                use schema::resource::dsl;
                let own = dsl::resource
                    .filter(dsl::owner.eq(owner.as_bytes().to_vec()))
                    .filter(dsl::clock.eq(clocks::clock_key(ClockId::WALL)))
                    .filter(dsl::deleted.eq(0))
                    .filter(dsl::subject.ge(vec![SubjectKind::Clock.code()]))
                    .filter(dsl::subject.lt(vec![SubjectKind::Clock.code().saturating_add(1)]));
                let count: i64 = own.count().first(conn).await?;
                loaded.clock_counts.insert(*owner, u32::try_from(count).unwrap_or(u32::MAX));
            }
            if clocks.is_empty() {
                return Ok(());
            }
            clocks.sort_unstable();
            clocks.dedup();
            let missing = cache.recall_clocks(settings_seq, clocks, &mut loaded.clocks);
            for chunk in missing.chunks(KeyIn::<()>::MAX) {
                let subjects: Vec<Subject> = chunk.iter().map(|clock| Subject::from(*clock)).collect();
                let mut absent: HashSet<ClockId> = chunk.iter().copied().collect();
                for row in resource_rows(conn, &subjects).await? {
                    match (row.decode(), row.key()) {
                        (Ok(resource), _) => {
                            let (Some(id), Some(Body::Clock(clock))) =
                                (resource.subject.clock(), resource.body)
                            else {
                                continue;
                            };
                            let clock = (resource.owner, Arc::new(clock));
                            cache.keep_clock(settings_seq, id, Some(clock.clone()));
                            loaded.clocks.insert(id, clock);
                            absent.remove(&id);
                        }
                        (Err(error), Some(subject)) => {
                            absent.retain(|id| Subject::from(*id) != subject);
                            loaded.damaged_resources.insert(subject, error.to_string());
                        }
                        (Err(error), None) => return Err(error),
                    }
                }
                absent.into_iter().for_each(|id| cache.keep_clock(settings_seq, id, None));
            }
            Ok(())
        }

        /// Loads those of these accounts that are not cached. Nothing changes them at the same time, since that takes the head.
        async fn load_accounts(
            conn: &mut $Conn,
            settings_seq: u64,
            mut accounts: Vec<AccountId>,
            cache: &FactsCache,
            known: &mut IdMap<AccountId, AccountFacts>,
        ) -> StoreResult<()> {
            use schema::account::dsl;
            accounts.sort_unstable();
            accounts.dedup();
            let missing = cache.recall(settings_seq, accounts, known);
            for chunk in missing.chunks(KeyIn::<()>::MAX) {
                let found: Vec<accounts::FactsRow> = dsl::account
                    .filter(KeyIn::new(dsl::id, chunk.iter().map(|id| id.as_bytes().to_vec())))
                    .select(accounts::FactsRow::as_select())
                    .load(conn)
                    .await?;
                for row in &found {
                    let (id, facts) = row.decode()?;
                    cache.keep(settings_seq, id, facts);
                    known.insert(id, facts);
                }
            }
            Ok(())
        }
    };
}
pub(super) use load_queries;
