//! The queries of the ordered line, as macros expanded for each connection and each way of running a query on it.
//!
//! MySQL runs them through diesel-async. On SQLite every asynchronous statement is a visit to another thread and back, and
//! each value and row is copied on the way; a transaction has a dozen of them. There the same functions run on diesel's own
//! connection with [`super::at_once::RunAtOnce`], and only whole steps of a transaction change threads.

/// What the line and the others ask alike. `rows_max` is the most rows that one statement writes.
macro_rules! keyed_queries {
    ($Conn:ty, $($dsl:ident)::+, $rows_max:ident) => {
        use $($dsl)::+ as _;
        use diesel::{BoolExpressionMethods as _, ExpressionMethods, QueryDsl, SelectableHelper};

        use $crate::domain::ids::PaymentId;
        use $crate::domain::payment::Payment;
        use $crate::domain::subject::Subject;
        use $crate::store::StoreResult;
        use $crate::store::multi_row::{Cell, KeyIn, Statement};
        use $crate::store::rows;
        use $crate::store::schema;

        /// Runs rows through a statement of fixed sizes.
        pub(super) async fn execute_rows(
            conn: &mut $Conn,
            statement: &'static Statement,
            cells: &[Cell],
        ) -> StoreResult<()> {
            for chunk in statement.chunks(cells, $crate::store::multi_row::$rows_max) {
                chunk.execute(conn).await?;
            }
            Ok(())
        }

        pub(super) async fn payment_get(
            conn: &mut $Conn,
            ids: &[PaymentId],
        ) -> StoreResult<rows::Found<Payment>> {
            use schema::payment::dsl;
            let mut payments = rows::Found::default();
            for chunk in ids.chunks(KeyIn::<()>::MAX) {
                let found: Vec<rows::PaymentRow> = dsl::payment
                    .filter(KeyIn::new(dsl::id, chunk.iter().map(|id| id.as_bytes().to_vec())))
                    .select(rows::PaymentRow::as_select())
                    .load(conn)
                    .await?;
                found.iter().for_each(|row| payments.push(row, std::convert::identity));
            }
            read_terms(conn, &mut payments.rows).await?;
            Ok(payments.without_unread())
        }

        /// Details asked for in one statement: each may have a hundred kilobytes.
        const DETAILS_AT_ONCE: usize = 32;

        /// The details with these subjects and names, in no particular order; unknown ones are left out.
        pub(super) async fn detail_get(
            conn: &mut $Conn,
            keys: &[([u8; 16], u64)],
        ) -> StoreResult<Vec<$crate::store::DetailRecord>> {
            use schema::detail::dsl;
            let mut details = Vec::with_capacity(keys.len());
            for chunk in keys.chunks(DETAILS_AT_ONCE) {
                let mut query = dsl::detail.into_boxed();
                for (subject, id) in chunk {
                    query = query.or_filter(dsl::subject.eq(subject.to_vec()).and(dsl::id.eq(id.cast_signed())));
                }
                let found: Vec<rows::DetailRow> = query.load(conn).await?;
                for row in found {
                    details.push(rows::detail(row)?);
                }
            }
            Ok(details)
        }

        /// Reads what the amended ones of these payments say by now. Costs nothing where none is.
        pub(super) async fn read_terms<T: rows::OfPayment + Send>(conn: &mut $Conn, found: &mut [T]) -> StoreResult<()> {
            let unread = |row: &mut T| {
                let payment = row.payment()?;
                payment.unread_terms().map(|(version, _)| (*payment.id().as_bytes(), u64::from(version)))
            };
            let wanted: Vec<([u8; 16], u64)> = found.iter_mut().filter_map(unread).collect();
            if wanted.is_empty() {
                return Ok(());
            }
            let mut read = std::collections::HashMap::new();
            for record in detail_get(conn, &wanted).await? {
                let terms = record.terms().map(std::sync::Arc::new);
                read.extend(terms.map(|terms| ((record.subject, record.id), terms)));
            }
            for payment in found.iter_mut().filter_map(rows::OfPayment::payment) {
                let key = payment.unread_terms().map(|(version, _)| (version, *payment.id().as_bytes()));
                let terms = key.and_then(|(version, id)| read.get(&(id, u64::from(version))));
                if let (Some((version, _)), Some(terms)) = (key, terms) {
                    payment.read_terms(version, terms.clone());
                }
            }
            Ok(())
        }

        /// The rows of these resources. Keys must not be more than one statement takes.
        pub(super) async fn resource_rows(
            conn: &mut $Conn,
            subjects: &[Subject],
        ) -> StoreResult<Vec<rows::ResourceRow>> {
            use schema::resource::dsl;
            let keys = subjects.iter().map(|subject| subject.to_key().to_vec());
            Ok(dsl::resource
                .filter(KeyIn::new(dsl::subject, keys))
                .select(rows::ResourceRow::as_select())
                .load(conn)
                .await?)
        }
    };
}
pub(super) use keyed_queries;

/// One transaction of the line in steps: take the head, load, (decide,) write. Stands beside [`keyed_queries`].
macro_rules! line_queries {
    ($Conn:ty) => {
        use std::collections::HashSet;
        use std::sync::Arc;

        use $crate::domain::account::AccountFacts;
        use $crate::domain::ids::{AccountId, BatchId, ClockId, IdMap};
        use $crate::domain::resource::Body;
        use $crate::domain::subject::SubjectKind;
        use $crate::domain::time::Timestamp;
        use $crate::store::batch::{BatchKeys, BatchWrite, Head, LOADED, Loaded};
        use $crate::store::facts::FactsCache;
        use $crate::store::rows::{signed, unsigned};

        /// Takes the head lock; everything until the end of the transaction is ordered after it.
        pub(super) async fn head_take(conn: &mut $Conn, wall: Timestamp) -> StoreResult<Head> {
            use schema::head::dsl;
            $crate::store::head::HeadTake { wall: wall.micros() }.execute(conn).await?;
            // Without a limit: SQLite prepares a statement anew whenever its limit is bound.
            let taken: Vec<(i64, i64, i64)> = dsl::head
                .filter(dsl::shard.eq(0))
                .select((dsl::seq, dsl::wall, dsl::settings_seq))
                .load(conn)
                .await?;
            let (seq, wall, settings_seq) =
                taken.into_iter().next().ok_or_else(|| rows::damaged("head.seq"))?;
            Ok(Head {
                seq: unsigned(seq),
                wall: Timestamp::from_micros(wall),
                settings_seq: unsigned(settings_seq),
            })
        }

        /// What the batch needs to be decided; of its payments as many as one batch may hold.
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
                let found: Vec<rows::WalletRow> = dsl::wallet
                    .filter(KeyIn::new(dsl::id, chunk.iter().map(|wallet| wallet.to_key().to_vec())))
                    .select(rows::WalletRow::as_select())
                    .load(conn)
                    .await?;
                for row in &found {
                    let record = row.decode()?;
                    loaded.wallets.insert(record.wallet, record.holdings);
                }
            }
            for chunk in keys.idempotency.chunks(KeyIn::<()>::MAX) {
                use schema::idempotency::dsl;
                let found: Vec<rows::IdempotencyRow> = dsl::idempotency
                    .filter(KeyIn::new(dsl::k, chunk.iter().map(|key| key.to_vec())))
                    .select(rows::IdempotencyRow::as_select())
                    .load(conn)
                    .await?;
                for row in &found {
                    let record = row.decode()?;
                    loaded.idempotency.insert((record.key, record.owner), record);
                }
            }
            Ok(loaded)
        }

        /// Loads payments, page after page, until with `bytes` they hold enough for one batch; the others are left out.
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

        /// Finds out what is not remembered of the clocks that anything here goes by.
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
                    .filter(dsl::clock.eq(rows::clock_key(ClockId::WALL)))
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

        /// Finds out what is not remembered of these accounts. Nobody changes it meanwhile: that takes the head.
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
                let found: Vec<rows::FactsRow> = dsl::account
                    .filter(KeyIn::new(dsl::id, chunk.iter().map(|id| id.as_bytes().to_vec())))
                    .select(rows::FactsRow::as_select())
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

        /// Closes accounts and those they made. What went by their clocks goes by the wall from now on, and somebody has to look
        /// after it.
        async fn close_accounts(conn: &mut $Conn, accounts: &[AccountId], at: Timestamp) -> StoreResult<()> {
            use diesel::BoolExpressionMethods;
            use schema::{account, api_key, resource, session};
            for id in accounts {
                let id = id.as_bytes().to_vec();
                let own = account::table.filter(account::id.eq(id.clone()));
                diesel::update(own)
                    .set((
                        account::closed_at.eq(at.micros()),
                        account::email.eq(None::<String>),
                        account::password_hash.eq(None::<String>),
                    ))
                    .execute(conn)
                    .await?;
                let children = account::table
                    .filter(account::parent.eq(id.clone()))
                    .filter(account::closed_at.is_null());
                diesel::update(children).set(account::closed_at.eq(at.micros())).execute(conn).await?;
                diesel::delete(session::table.filter(session::account.eq(id.clone()))).execute(conn).await?;
                let family = account::table
                    .filter(account::id.eq(id.clone()).or(account::parent.eq(id)))
                    .select(account::id);
                let members: Vec<Vec<u8>> = family.clone().load(conn).await?;
                let keys = api_key::table
                    .filter(api_key::account.eq_any(family))
                    .filter(api_key::revoked_at.is_null());
                diesel::update(keys).set(api_key::revoked_at.eq(at.micros())).execute(conn).await?;
                let clocks: Vec<Vec<u8>> = resource::table
                    .filter(resource::owner.eq_any(members))
                    .filter(resource::clock.eq(rows::clock_key(ClockId::WALL)))
                    .filter(resource::subject.ge(vec![SubjectKind::Clock.code()]))
                    .filter(resource::subject.lt(vec![SubjectKind::Clock.code().saturating_add(1)]))
                    .select(resource::subject)
                    .load(conn)
                    .await?;
                let clocks = clocks.iter().filter_map(|key| Subject::from_key(key)?.clock());
                let cells: Vec<Cell> = clocks.map(|clock| Cell::Bytes(rows::clock_key(clock))).collect();
                execute_rows(conn, &rows::AWAKE_UPSERT, &cells).await?;
            }
            Ok(())
        }

        /// Notes which clocks have to be looked after.
        async fn watch_clocks(conn: &mut $Conn, clocks: &[(ClockId, bool)]) -> StoreResult<()> {
            use schema::clock_awake::dsl;
            let awake = clocks.iter().filter(|(_, awake)| *awake);
            let cells: Vec<Cell> = awake.map(|(clock, _)| Cell::Bytes(rows::clock_key(*clock))).collect();
            execute_rows(conn, &rows::AWAKE_UPSERT, &cells).await?;
            for (clock, _) in clocks.iter().filter(|(_, awake)| !awake) {
                diesel::delete(dsl::clock_awake.find(rows::clock_key(*clock))).execute(conn).await?;
            }
            Ok(())
        }

        /// Moves a reader's cursor from where its holder thinks that it stands, and writes what it made on the way.
        /// `false`, and nothing is to be kept, if the lease or the place is not the holder's any more.
        pub(super) async fn project(
            conn: &mut $Conn,
            name: &str,
            holder: $crate::domain::ids::InstanceId,
            (from, upto): (u64, u64),
            made: &$crate::store::Projected,
        ) -> StoreResult<bool> {
            use schema::reader::dsl;
            let owned = dsl::reader
                .filter(dsl::name.eq(name))
                .filter(dsl::holder.eq(holder.as_bytes().to_vec()))
                .filter(dsl::position.eq(rows::signed(from)));
            let moved = diesel::update(owned).set(dsl::position.eq(rows::signed(upto))).execute(conn).await?;
            if moved == 1 {
                let cells: Vec<Cell> = made.lines.iter().flat_map(rows::line_cells).collect();
                execute_rows(conn, &rows::STATEMENT_UPSERT, &cells).await?;
                let cells: Vec<Cell> = made.events.iter().flat_map(rows::event_cells).collect();
                execute_rows(conn, &rows::EVENT_UPSERT, &cells).await?;
                write_open_work(conn, &made.open_work).await?;
            }
            Ok(moved == 1)
        }

        async fn write_open_work(
            conn: &mut $Conn,
            changes: &$crate::store::Beside<PaymentId>,
        ) -> StoreResult<()> {
            use schema::open_work::dsl;
            let key = |payment: &PaymentId| payment.as_bytes().to_vec();
            for chunk in changes.remove.chunks(KeyIn::<()>::MAX) {
                let keys = KeyIn::new(dsl::payment, chunk.iter().map(key));
                diesel::delete(dsl::open_work.filter(keys)).execute(conn).await?;
            }
            let cells: Vec<Cell> = changes.put.iter().map(|payment| Cell::Bytes(key(payment))).collect();
            execute_rows(conn, &rows::OPEN_WORK_UPSERT, &cells).await
        }

        /// Writes the batch's rows and its journal row.
        pub(super) async fn write(
            conn: &mut $Conn,
            seq: u64,
            batch: BatchId,
            write: &BatchWrite,
            journal: Vec<u8>,
        ) -> StoreResult<()> {
            use schema::{account, head};
            write_rows(conn, seq, write).await?;
            close_accounts(conn, &write.closed, write.at).await?;
            watch_clocks(conn, &write.clocks).await?;
            for (id, clock) in &write.account_clocks {
                let key = (!clock.is_wall()).then(|| rows::clock_key(*clock));
                diesel::update(account::table.find(id.as_bytes().to_vec()))
                    .set(account::clock.eq(key))
                    .execute(conn)
                    .await?;
            }
            if write.changes_settings() {
                diesel::update(head::table.filter(head::shard.eq(0)))
                    .set(head::settings_seq.eq(signed(seq)))
                    .execute(conn)
                    .await?;
            }
            let row = [
                Cell::Big(signed(seq)),
                Cell::Bytes(batch.as_bytes().to_vec()),
                Cell::Big(write.at.micros()),
                Cell::Bytes(journal),
            ];
            execute_rows(conn, &rows::JOURNAL_INSERT, &row).await
        }

        /// Writes the tables that have rows only where there is something to say of a payment.
        async fn write_beside(conn: &mut $Conn, write: &BatchWrite) -> StoreResult<()> {
            for chunk in write.due.remove.chunks(KeyIn::<()>::MAX) {
                use schema::due::dsl;
                let keys = KeyIn::new(dsl::subject, chunk.iter().map(|payment| rows::due_key(*payment)));
                diesel::delete(dsl::due.filter(keys)).execute(conn).await?;
            }
            let mut cells = Vec::new();
            for (payment, clock, at) in &write.due.put {
                cells.extend([
                    Cell::Bytes(rows::due_key(*payment)),
                    Cell::Bytes(rows::clock_key(*clock)),
                    Cell::Big(at.micros()),
                ]);
            }
            execute_rows(conn, &rows::DUE_UPSERT, &cells).await?;
            cells.clear();
            for (payment, clock) in &write.busy.put {
                cells
                    .extend([Cell::Bytes(payment.as_bytes().to_vec()), Cell::Bytes(rows::clock_key(*clock))]);
            }
            execute_rows(conn, &rows::BUSY_UPSERT, &cells).await?;
            cells.clear();
            for (payment, owner) in &write.parked.put {
                cells.extend([
                    Cell::Bytes(payment.as_bytes().to_vec()),
                    Cell::Bytes(owner.as_bytes().to_vec()),
                ]);
            }
            execute_rows(conn, &rows::PARKED_UPSERT, &cells).await?;
            let key = |payment: &PaymentId| payment.as_bytes().to_vec();
            for chunk in write.busy.remove.chunks(KeyIn::<()>::MAX) {
                use schema::clock_busy::dsl;
                let keys = KeyIn::new(dsl::payment, chunk.iter().map(key));
                diesel::delete(dsl::clock_busy.filter(keys)).execute(conn).await?;
            }
            for chunk in write.parked.remove.chunks(KeyIn::<()>::MAX) {
                use schema::parked::dsl;
                let keys = KeyIn::new(dsl::payment, chunk.iter().map(key));
                diesel::delete(dsl::parked.filter(keys)).execute(conn).await?;
            }
            Ok(())
        }

        async fn write_rows(conn: &mut $Conn, seq: u64, write: &BatchWrite) -> StoreResult<()> {
            let mut cells = Vec::with_capacity(write.inserts.len() * 9);
            for payment in &write.inserts {
                rows::push_payment(&mut cells, payment, true)?;
            }
            execute_rows(conn, &rows::PAYMENT_INSERT, &cells).await?;
            cells.clear();
            for payment in &write.updates {
                rows::push_payment(&mut cells, payment, false)?;
            }
            execute_rows(conn, &rows::PAYMENT_UPDATE, &cells).await?;
            write_beside(conn, write).await?;
            cells.clear();
            write.parts.iter().for_each(|part| rows::push_part(&mut cells, part));
            execute_rows(conn, &rows::PART_INSERT, &cells).await?;
            cells.clear();
            write.receipts.iter().for_each(|receipt| rows::push_receipt(&mut cells, receipt));
            execute_rows(conn, &rows::RECEIPT_INSERT, &cells).await?;
            cells.clear();
            write.movements.iter().for_each(|movement| rows::push_movement(&mut cells, movement, seq));
            execute_rows(conn, &rows::MOVEMENT_INSERT, &cells).await?;
            cells.clear();
            write.wallets.iter().for_each(|(wallet, held)| rows::push_wallet(&mut cells, *wallet, *held));
            execute_rows(conn, &rows::WALLET_UPSERT, &cells).await?;
            cells.clear();
            write.idempotency.iter().for_each(|record| rows::push_idempotency(&mut cells, record));
            execute_rows(conn, &rows::IDEMPOTENCY_INSERT, &cells).await?;
            write_resources(conn, seq, write).await
        }

        async fn write_resources(conn: &mut $Conn, seq: u64, write: &BatchWrite) -> StoreResult<()> {
            let mut cells = Vec::new();
            for resource in &write.resources {
                rows::push_resource(&mut cells, resource, seq)?;
            }
            execute_rows(conn, &rows::RESOURCE_UPSERT, &cells).await?;
            cells.clear();
            write.details.iter().for_each(|detail| rows::push_detail(&mut cells, detail));
            execute_rows(conn, &rows::DETAIL_INSERT, &cells).await?;
            cells.clear();
            cells.extend(write.events.iter().flat_map(rows::event_cells));
            execute_rows(conn, &rows::EVENT_UPSERT, &cells).await?;
            cells.clear();
            write.sources.iter().for_each(|source| rows::push_source(&mut cells, source));
            execute_rows(conn, &rows::SOURCE_INSERT, &cells).await?;
            cells.clear();
            write.answers.iter().for_each(|answer| rows::push_answer(&mut cells, answer));
            execute_rows(conn, &rows::ANSWER_INSERT, &cells).await?;
            cells.clear();
            write.customer_payments.iter().for_each(|record| rows::push_customer_payment(&mut cells, record));
            execute_rows(conn, &rows::CUSTOMER_PAYMENT_INSERT, &cells).await
        }
    };
}
pub(super) use line_queries;
