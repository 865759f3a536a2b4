//! The queries that both adapters share besides those of the line ([`super::line`]), as one macro expanded for each
//! connection type.
//!
//! diesel's `MultiConnection` cannot pair an asynchronous MySQL connection with a wrapped SQLite one, and being generic
//! over connection and backend would drown each query in bounds. What differs (opening a transaction, pragmas, sessions'
//! settings) stays in the adapters.

macro_rules! shared_queries {
    ($Conn:ty) => {
        use diesel::{
            BoolExpressionMethods, ExpressionMethods, OptionalExtension, QueryDsl, SelectableHelper,
        };
        use diesel_async::RunQueryDsl;

        use $crate::domain::ids::{
            AccountId, ApiKeyId, BatchId, ImportId, InstanceId, PaymentId, RefundId, RequestId, SessionId,
        };
        use $crate::domain::payment::Payment;
        use $crate::domain::time::Timestamp;
        use $crate::store::batch::{JournalRecord, RefundRecord};
        use $crate::store::multi_row::{Cell, KeyIn};
        use $crate::store::records::{
            Account, ApiKey, AuditPayment, IdempotencyAudit, ImportRecord, ImportRow, Lease,
            MovementRecord, NewAccount, NewApiKey, NewSession, OpenWork, PaymentFilter, RequestFilter, RequestRecord, Session, TableCounts,
            WalletRecord,
        };
        use $crate::store::rows::{self, signed, unsigned};
        use $crate::store::schema;
        use $crate::store::{StoreError, StoreResult};

        async fn batch_committed(conn: &mut $Conn, seq: u64, batch: BatchId) -> StoreResult<bool> {
            use schema::journal::dsl;
            let found: Option<Vec<u8>> =
                dsl::journal.find(signed(seq)).select(dsl::batch_id).first(conn).await.optional()?;
            Ok(found.is_some_and(|bytes| bytes == batch.as_bytes()))
        }

        // ---- journal and readers ----

        async fn journal_read(conn: &mut $Conn, after: u64, limit: u32) -> StoreResult<Vec<JournalRecord>> {
            use schema::journal::dsl;
            let found: Vec<rows::JournalRow> = dsl::journal
                .filter(dsl::seq.gt(signed(after)))
                .order(dsl::seq.asc())
                .limit(i64::from(limit))
                .select(rows::JournalRow::as_select())
                .load(conn)
                .await?;
            found.into_iter().map(rows::JournalRow::decode).collect()
        }

        async fn journal_time(conn: &mut $Conn, after: u64) -> StoreResult<Option<Timestamp>> {
            use schema::journal::dsl;
            let found: Option<i64> = dsl::journal
                .filter(dsl::seq.gt(signed(after)))
                .order(dsl::seq.asc())
                .select(dsl::at)
                .first(conn)
                .await
                .optional()?;
            Ok(found.map(Timestamp::from_micros))
        }

        async fn journal_prune(conn: &mut $Conn, seq: u64, before: Timestamp) -> StoreResult<u64> {
            use schema::journal::dsl;
            let deleted = diesel::delete(
                dsl::journal.filter(dsl::seq.le(signed(seq)).and(dsl::at.lt(before.micros()))),
            )
            .execute(conn)
            .await?;
            Ok(deleted.try_into().unwrap_or(u64::MAX))
        }

        async fn cursor_get(conn: &mut $Conn, name: &str) -> StoreResult<u64> {
            use schema::reader::dsl;
            let found: Option<i64> =
                dsl::reader.find(name).select(dsl::position).first(conn).await.optional()?;
            Ok(unsigned(found.unwrap_or(0)))
        }

        async fn cursor_set(conn: &mut $Conn, name: &str, holder: InstanceId, seq: u64) -> StoreResult<bool> {
            use schema::reader::dsl;
            let owned =
                dsl::reader.filter(dsl::name.eq(name).and(dsl::holder.eq(holder.as_bytes().to_vec())));
            let changed = diesel::update(owned).set(dsl::position.eq(signed(seq))).execute(conn).await?;
            Ok(changed == 1)
        }

        async fn cursor_reset(conn: &mut $Conn, name: &str, seq: u64) -> StoreResult<()> {
            use schema::reader::dsl;
            reader_ensure(conn, name).await?;
            diesel::update(dsl::reader.find(name)).set(dsl::position.eq(signed(seq))).execute(conn).await?;
            Ok(())
        }

        async fn cursor_list(conn: &mut $Conn) -> StoreResult<Vec<(String, u64)>> {
            use schema::reader::dsl;
            let found: Vec<(String, i64)> =
                dsl::reader.order(dsl::name.asc()).select((dsl::name, dsl::position)).load(conn).await?;
            Ok(found.into_iter().map(|(name, seq)| (name, unsigned(seq))).collect())
        }

        async fn reader_ensure(conn: &mut $Conn, name: &str) -> StoreResult<()> {
            use schema::reader::dsl;
            diesel::insert_or_ignore_into(dsl::reader)
                .values((dsl::name.eq(name), dsl::position.eq(0_i64), dsl::lease_until.eq(0_i64)))
                .execute(conn)
                .await?;
            Ok(())
        }

        async fn lease_take(
            conn: &mut $Conn,
            name: &str,
            holder: InstanceId,
            now: Timestamp,
            until: Timestamp,
        ) -> StoreResult<Lease> {
            use schema::reader::dsl;
            reader_ensure(conn, name).await?;
            let us = holder.as_bytes().to_vec();
            let free =
                dsl::holder.is_null().or(dsl::holder.eq(us.clone())).or(dsl::lease_until.lt(now.micros()));
            let taken = diesel::update(dsl::reader.filter(dsl::name.eq(name)).filter(free))
                .set((dsl::holder.eq(us), dsl::lease_until.eq(until.micros())))
                .execute(conn)
                .await?;
            if taken == 1 {
                return Ok(Lease::Held { until });
            }
            let (other, until): (Option<Vec<u8>>, i64) =
                dsl::reader.find(name).select((dsl::holder, dsl::lease_until)).first(conn).await?;
            let holder = other.as_deref().and_then(InstanceId::from_slice).unwrap_or(holder);
            Ok(Lease::Taken { holder, until: Timestamp::from_micros(until) })
        }

        async fn lease_release(conn: &mut $Conn, name: &str, holder: InstanceId) -> StoreResult<()> {
            use schema::reader::dsl;
            let owned =
                dsl::reader.filter(dsl::name.eq(name).and(dsl::holder.eq(holder.as_bytes().to_vec())));
            diesel::update(owned)
                .set((dsl::holder.eq(None::<Vec<u8>>), dsl::lease_until.eq(0_i64)))
                .execute(conn)
                .await?;
            Ok(())
        }

        // ---- payments ----

        async fn payment_list(
            conn: &mut $Conn,
            owner: AccountId,
            filter: &PaymentFilter,
        ) -> StoreResult<Vec<Payment>> {
            use schema::payment::dsl;
            let mut query = dsl::payment.filter(dsl::owner.eq(owner.as_bytes().to_vec())).into_boxed();
            if !filter.kinds.is_empty() {
                query = query.filter(dsl::kind.eq_any(filter.kinds.clone()));
            }
            if let Some(before) = filter.before {
                query = query.filter(dsl::id.lt(before.as_bytes().to_vec()));
            }
            if let Some(after) = filter.after {
                query = query.filter(dsl::id.gt(after.as_bytes().to_vec()));
            }
            // Ids are time-ordered by the millisecond of creation, so a time is a bound on ids.
            if let Some(from) = filter.created_from {
                query = query.filter(dsl::id.ge(id_floor(from)));
            }
            if let Some(to) = filter.created_to {
                query = query.filter(dsl::id.lt(id_floor(to)));
            }
            let backwards = filter.after.is_some();
            let query = if backwards { query.order(dsl::id.asc()) } else { query.order(dsl::id.desc()) };
            let found: Vec<rows::PaymentRow> =
                query.limit(i64::from(filter.limit)).select(rows::PaymentRow::as_select()).load(conn).await?;
            let mut payments = found.iter().map(rows::PaymentRow::decode).collect::<StoreResult<Vec<_>>>()?;
            let transfers = $crate::domain::submission::TRANSFER_CODE;
            if filter.received && (filter.kinds.is_empty() || filter.kinds.contains(&transfers)) {
                payments.extend(payment_received(conn, owner, filter).await?);
                payments.sort_unstable_by_key(|payment| payment.id());
                if !backwards {
                    payments.reverse();
                }
                payments.truncate(filter.limit.try_into().unwrap_or(usize::MAX));
            }
            if backwards {
                payments.reverse();
            }
            Ok(payments)
        }

        /// Transfers of others that have arrived, within the same bounds; the first of them in the filter's direction.
        async fn payment_received(
            conn: &mut $Conn,
            payee: AccountId,
            filter: &PaymentFilter,
        ) -> StoreResult<Vec<Payment>> {
            use schema::receipt::dsl;
            let mut query = dsl::receipt.filter(dsl::payee.eq(payee.as_bytes().to_vec())).into_boxed();
            if let Some(before) = filter.before {
                query = query.filter(dsl::payment.lt(before.as_bytes().to_vec()));
            }
            if let Some(after) = filter.after {
                query = query.filter(dsl::payment.gt(after.as_bytes().to_vec()));
            }
            if let Some(from) = filter.created_from {
                query = query.filter(dsl::payment.ge(id_floor(from)));
            }
            if let Some(to) = filter.created_to {
                query = query.filter(dsl::payment.lt(id_floor(to)));
            }
            let query = match filter.after {
                Some(_) => query.order(dsl::payment.asc()),
                None => query.order(dsl::payment.desc()),
            };
            let found: Vec<Vec<u8>> =
                query.limit(i64::from(filter.limit)).select(dsl::payment).load(conn).await?;
            let ids = found
                .iter()
                .map(|id| PaymentId::from_slice(id).ok_or_else(|| rows::damaged("receipt.payment")))
                .collect::<StoreResult<Vec<_>>>()?;
            payment_get(conn, &ids).await
        }

        /// The smallest id that could have been made at this time.
        fn id_floor(at: Timestamp) -> Vec<u8> {
            let millis = u64::try_from(at.millis()).unwrap_or(0);
            let mut id = vec![0_u8; 16];
            for (slot, byte) in id.iter_mut().zip(millis.to_be_bytes().into_iter().skip(2)) {
                *slot = byte;
            }
            id
        }

        async fn payment_scan(
            conn: &mut $Conn,
            after: Option<PaymentId>,
            limit: u32,
        ) -> StoreResult<Vec<Payment>> {
            use schema::payment::dsl;
            let after = after.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
            let found: Vec<rows::PaymentRow> = dsl::payment
                .filter(dsl::id.gt(after))
                .order(dsl::id.asc())
                .limit(i64::from(limit))
                .select(rows::PaymentRow::as_select())
                .load(conn)
                .await?;
            found.iter().map(rows::PaymentRow::decode).collect()
        }

        async fn payment_due(conn: &mut $Conn, now: Timestamp, limit: u32) -> StoreResult<Vec<PaymentId>> {
            use schema::payment::dsl;
            let found: Vec<Vec<u8>> = dsl::payment
                .filter(dsl::due_at.le(now.micros()))
                .order(dsl::due_at.asc())
                .limit(i64::from(limit))
                .select(dsl::id)
                .load(conn)
                .await?;
            found
                .iter()
                .map(|id| PaymentId::from_slice(id).ok_or_else(|| rows::damaged("payment.id")))
                .collect()
        }

        async fn payment_next_due(conn: &mut $Conn) -> StoreResult<Option<Timestamp>> {
            use schema::payment::dsl;
            let found: Option<Option<i64>> = dsl::payment
                .filter(dsl::due_at.is_not_null())
                .order(dsl::due_at.asc())
                .select(dsl::due_at)
                .first(conn)
                .await
                .optional()?;
            Ok(found.flatten().map(Timestamp::from_micros))
        }

        async fn work_open(
            conn: &mut $Conn,
            after: (u64, Option<PaymentId>),
            limit: u32,
        ) -> StoreResult<Vec<OpenWork>> {
            use schema::payment::dsl;
            let (seq, id) = (signed(after.0), after.1.map_or_else(Vec::new, |id| id.as_bytes().to_vec()));
            let found: Vec<rows::AuditRow> = dsl::payment
                .filter(dsl::open_seq.ge(seq))
                .filter(dsl::open_seq.gt(seq).or(dsl::id.gt(id)))
                .order((dsl::open_seq.asc(), dsl::id.asc()))
                .limit(i64::from(limit))
                .select(rows::AuditRow::as_select())
                .load(conn)
                .await?;
            let open = |row: rows::AuditRow| {
                let payment = row.body.decode()?;
                Ok(OpenWork { seq: unsigned(row.open_seq.unwrap_or(0)), payment })
            };
            found.into_iter().map(open).collect()
        }

        async fn work_open_count(conn: &mut $Conn) -> StoreResult<u64> {
            use schema::payment::dsl;
            let count: i64 =
                dsl::payment.filter(dsl::open_seq.is_not_null()).count().get_result(conn).await?;
            Ok(unsigned(count))
        }

        async fn payment_parked(conn: &mut $Conn, owner: AccountId, limit: u32) -> StoreResult<Vec<Payment>> {
            use schema::payment::dsl;
            let found: Vec<rows::PaymentRow> = dsl::payment
                .filter(dsl::owner.eq(owner.as_bytes().to_vec()))
                // Literals, not parameters: by the first SQLite sees that its partial index fits, by the second
                // MySQL that its index on the expression does.
                .filter(diesel::dsl::sql::<diesel::sql_types::Bool>("parked <> 0 AND NULLIF(parked, 0) = 1"))
                .order(dsl::id.desc())
                .limit(i64::from(limit))
                .select(rows::PaymentRow::as_select())
                .load(conn)
                .await?;
            found.iter().map(rows::PaymentRow::decode).collect()
        }

        async fn refund_get(conn: &mut $Conn, id: RefundId) -> StoreResult<Option<RefundRecord>> {
            use schema::refund::dsl;
            let found: Option<rows::RefundRow> = dsl::refund
                .find(id.as_bytes().to_vec())
                .select(rows::RefundRow::as_select())
                .first(conn)
                .await
                .optional()?;
            found.map(|row| row.decode()).transpose()
        }

        async fn refund_list(
            conn: &mut $Conn,
            owner: AccountId,
            before: Option<RefundId>,
            limit: u32,
        ) -> StoreResult<Vec<RefundRecord>> {
            use schema::refund::dsl;
            let mut query = dsl::refund.filter(dsl::owner.eq(owner.as_bytes().to_vec())).into_boxed();
            if let Some(before) = before {
                query = query.filter(dsl::id.lt(before.as_bytes().to_vec()));
            }
            let found: Vec<rows::RefundRow> = query
                .order(dsl::id.desc())
                .limit(i64::from(limit))
                .select(rows::RefundRow::as_select())
                .load(conn)
                .await?;
            found.iter().map(rows::RefundRow::decode).collect()
        }

        // ---- ledger ----

        async fn wallet_list(conn: &mut $Conn, owner: AccountId) -> StoreResult<Vec<WalletRecord>> {
            use schema::wallet::dsl;
            let mut records = Vec::new();
            // A wallet's key starts with its owner; a receivable's with an `r` before that.
            for prefix in [owner.as_bytes().to_vec(), [b"r".as_slice(), owner.as_bytes()].concat()] {
                let end = [prefix.as_slice(), b"\xff\xff\xff\xff"].concat();
                let found: Vec<rows::WalletRow> = dsl::wallet
                    .filter(dsl::id.ge(prefix).and(dsl::id.lt(end)))
                    .order(dsl::id.asc())
                    .select(rows::WalletRow::as_select())
                    .load(conn)
                    .await?;
                for row in &found {
                    records.push(row.decode()?);
                }
            }
            Ok(records)
        }

        async fn movement_list(
            conn: &mut $Conn,
            payments: &[PaymentId],
        ) -> StoreResult<Vec<MovementRecord>> {
            use schema::movement::dsl;
            let mut movements = Vec::with_capacity(payments.len());
            for chunk in payments.chunks(KeyIn::<()>::MAX) {
                let found: Vec<rows::MovementRow> = dsl::movement
                    .filter(KeyIn::new(dsl::payment, chunk.iter().map(|id| id.as_bytes().to_vec())))
                    .order((dsl::payment.asc(), dsl::version.asc()))
                    .select(rows::MovementRow::as_select())
                    .load(conn)
                    .await?;
                for row in &found {
                    movements.push(row.decode()?);
                }
            }
            Ok(movements)
        }

        // ---- imports ----

        async fn import_insert(conn: &mut $Conn, import: &ImportRecord) -> StoreResult<bool> {
            use schema::import::dsl;
            let inserted = diesel::insert_into(dsl::import)
                .values((
                    dsl::id.eq(import.id.as_bytes().to_vec()),
                    dsl::owner.eq(import.owner.as_bytes().to_vec()),
                    dsl::name.eq(import.name.as_str()),
                    dsl::state.eq(import.state.to_code()),
                    dsl::created_at.eq(import.created_at.micros()),
                    dsl::updated_at.eq(import.updated_at.micros()),
                    dsl::rows_read.eq(signed(import.rows_read)),
                    dsl::rows_accepted.eq(signed(import.rows_accepted)),
                    dsl::rows_known.eq(signed(import.rows_known)),
                    dsl::rows_refused.eq(signed(import.rows_refused)),
                    dsl::cause.eq(import.cause.as_deref()),
                ))
                .execute(conn)
                .await
                .map_err(StoreError::from);
            match inserted {
                Ok(_) => Ok(true),
                Err(StoreError::Refused(_)) => Ok(false),
                Err(error) => Err(error),
            }
        }

        async fn import_save(
            conn: &mut $Conn,
            import: &ImportRecord,
            new_rows: &[ImportRow],
        ) -> StoreResult<()> {
            use schema::import::dsl;
            let mut cells = Vec::with_capacity(new_rows.len() * 6);
            new_rows.iter().for_each(|row| rows::push_import_row(&mut cells, import.id, row));
            execute_rows(conn, &rows::IMPORT_ROW_INSERT, &cells).await?;
            diesel::update(dsl::import.find(import.id.as_bytes().to_vec()))
                .set((
                    dsl::state.eq(import.state.to_code()),
                    dsl::updated_at.eq(import.updated_at.micros()),
                    dsl::rows_read.eq(signed(import.rows_read)),
                    dsl::rows_accepted.eq(signed(import.rows_accepted)),
                    dsl::rows_known.eq(signed(import.rows_known)),
                    dsl::rows_refused.eq(signed(import.rows_refused)),
                    dsl::cause.eq(import.cause.as_deref()),
                ))
                .execute(conn)
                .await?;
            Ok(())
        }

        async fn import_get(
            conn: &mut $Conn,
            owner: AccountId,
            id: ImportId,
        ) -> StoreResult<Option<ImportRecord>> {
            use schema::import::dsl;
            let found: Option<rows::ImportTableRow> = dsl::import
                .find(id.as_bytes().to_vec())
                .filter(dsl::owner.eq(owner.as_bytes().to_vec()))
                .select(rows::ImportTableRow::as_select())
                .first(conn)
                .await
                .optional()?;
            found.map(rows::ImportTableRow::decode).transpose()
        }

        async fn import_list(
            conn: &mut $Conn,
            owner: AccountId,
            limit: u32,
        ) -> StoreResult<Vec<ImportRecord>> {
            use schema::import::dsl;
            let found: Vec<rows::ImportTableRow> = dsl::import
                .filter(dsl::owner.eq(owner.as_bytes().to_vec()))
                .order(dsl::id.desc())
                .limit(i64::from(limit))
                .select(rows::ImportTableRow::as_select())
                .load(conn)
                .await?;
            found.into_iter().map(rows::ImportTableRow::decode).collect()
        }

        async fn import_rows(
            conn: &mut $Conn,
            import: ImportId,
            after_line: u64,
            refused_only: bool,
            limit: u32,
        ) -> StoreResult<Vec<ImportRow>> {
            use schema::import_row::dsl;
            let mut query = dsl::import_row
                .filter(dsl::import.eq(import.as_bytes().to_vec()))
                .filter(dsl::line.gt(signed(after_line)))
                .into_boxed();
            if refused_only {
                query = query.filter(dsl::payment.is_null());
            }
            let found: Vec<rows::ImportRowRow> = query
                .order(dsl::line.asc())
                .limit(i64::from(limit))
                .select(rows::ImportRowRow::as_select())
                .load(conn)
                .await?;
            found.into_iter().map(rows::ImportRowRow::decode).collect()
        }

        // ---- people ----

        async fn account_insert_many(conn: &mut $Conn, accounts: &[NewAccount]) -> StoreResult<()> {
            let mut cells = Vec::with_capacity(accounts.len() * 6);
            for account in accounts {
                cells.extend([
                    Cell::Bytes(account.id.as_bytes().to_vec()),
                    Cell::MaybeText(account.email.clone()),
                    Cell::Text(account.name.clone()),
                    Cell::MaybeText(account.password_hash.clone()),
                    Cell::MaybeBytes(account.parent.map(|parent| parent.as_bytes().to_vec())),
                    Cell::Big(account.created_at.micros()),
                ]);
            }
            execute_rows(conn, &rows::ACCOUNT_INSERT, &cells).await
        }

        async fn account_insert(conn: &mut $Conn, account: &NewAccount) -> StoreResult<bool> {
            match account_insert_many(conn, std::slice::from_ref(account)).await {
                Ok(()) => Ok(true),
                Err(StoreError::Refused(_)) => Ok(false),
                Err(error) => Err(error),
            }
        }

        async fn account_by_email(conn: &mut $Conn, email: &str) -> StoreResult<Option<Account>> {
            use schema::account::dsl;
            let found: Option<rows::AccountRow> = dsl::account
                .filter(dsl::email.eq(email))
                .select(rows::AccountRow::as_select())
                .first(conn)
                .await
                .optional()?;
            found.map(rows::AccountRow::decode).transpose()
        }

        async fn account_get(conn: &mut $Conn, ids: &[AccountId]) -> StoreResult<Vec<Account>> {
            use schema::account::dsl;
            let mut accounts = Vec::with_capacity(ids.len());
            for chunk in ids.chunks(KeyIn::<()>::MAX) {
                let found: Vec<rows::AccountRow> = dsl::account
                    .filter(KeyIn::new(dsl::id, chunk.iter().map(|id| id.as_bytes().to_vec())))
                    .select(rows::AccountRow::as_select())
                    .load(conn)
                    .await?;
                for row in found {
                    accounts.push(row.decode()?);
                }
            }
            Ok(accounts)
        }

        async fn account_children(
            conn: &mut $Conn,
            parent: AccountId,
            after: Option<AccountId>,
            limit: u32,
        ) -> StoreResult<Vec<Account>> {
            use schema::account::dsl;
            let after = after.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
            let found: Vec<rows::AccountRow> = dsl::account
                .filter(dsl::parent.eq(parent.as_bytes().to_vec()))
                .filter(dsl::id.gt(after))
                .filter(dsl::closed_at.is_null())
                .order(dsl::id.asc())
                .limit(i64::from(limit))
                .select(rows::AccountRow::as_select())
                .load(conn)
                .await?;
            found.into_iter().map(rows::AccountRow::decode).collect()
        }

        async fn account_set_password(conn: &mut $Conn, id: AccountId, hash: &str) -> StoreResult<()> {
            use schema::account::dsl;
            diesel::update(dsl::account.find(id.as_bytes().to_vec()))
                .set(dsl::password_hash.eq(hash))
                .execute(conn)
                .await?;
            Ok(())
        }

        /// The account first: whatever is left behind by a crash after that is dead, since its account is closed.
        async fn account_close(conn: &mut $Conn, id: AccountId, now: Timestamp) -> StoreResult<bool> {
            use schema::{account, api_key, session};
            let id = id.as_bytes().to_vec();
            let open = account::table.filter(account::id.eq(id.clone())).filter(account::closed_at.is_null());
            let closed = diesel::update(open)
                .set((
                    account::closed_at.eq(now.micros()),
                    account::email.eq(None::<String>),
                    account::password_hash.eq(None::<String>),
                ))
                .execute(conn)
                .await?;
            let children =
                account::table.filter(account::parent.eq(id.clone())).filter(account::closed_at.is_null());
            diesel::update(children).set(account::closed_at.eq(now.micros())).execute(conn).await?;
            diesel::delete(session::table.filter(session::account.eq(id.clone()))).execute(conn).await?;
            let family = account::table
                .filter(account::id.eq(id.clone()).or(account::parent.eq(id)))
                .select(account::id);
            let keys =
                api_key::table.filter(api_key::account.eq_any(family)).filter(api_key::revoked_at.is_null());
            diesel::update(keys).set(api_key::revoked_at.eq(now.micros())).execute(conn).await?;
            Ok(closed == 1)
        }

        async fn mark_set(
            conn: &mut $Conn,
            account: AccountId,
            name: &str,
            now: Timestamp,
        ) -> StoreResult<()> {
            use schema::account_mark::dsl;
            diesel::insert_or_ignore_into(dsl::account_mark)
                .values((
                    dsl::account.eq(account.as_bytes().to_vec()),
                    dsl::name.eq(name),
                    dsl::at.eq(now.micros()),
                ))
                .execute(conn)
                .await?;
            Ok(())
        }

        async fn mark_delete(conn: &mut $Conn, account: AccountId, name: &str) -> StoreResult<()> {
            use schema::account_mark::dsl;
            diesel::delete(dsl::account_mark.find((account.as_bytes().to_vec(), name))).execute(conn).await?;
            Ok(())
        }

        async fn mark_list(conn: &mut $Conn, account: AccountId) -> StoreResult<Vec<(String, Timestamp)>> {
            use schema::account_mark::dsl;
            let found: Vec<(String, i64)> = dsl::account_mark
                .filter(dsl::account.eq(account.as_bytes().to_vec()))
                .order(dsl::name.asc())
                .limit(100)
                .select((dsl::name, dsl::at))
                .load(conn)
                .await?;
            Ok(found.into_iter().map(|(name, at)| (name, Timestamp::from_micros(at))).collect())
        }

        async fn session_insert(conn: &mut $Conn, session: &NewSession) -> StoreResult<()> {
            use schema::session::dsl;
            diesel::insert_into(dsl::session)
                .values((
                    dsl::id.eq(session.id.as_bytes().to_vec()),
                    dsl::account.eq(session.account.as_bytes().to_vec()),
                    dsl::token_hash.eq(session.token_hash.to_vec()),
                    dsl::created_at.eq(session.created_at.micros()),
                    dsl::expires_at.eq(session.expires_at.micros()),
                    dsl::user_agent.eq(session.user_agent.as_str()),
                    dsl::seen_at.eq(session.created_at.micros()),
                ))
                .execute(conn)
                .await?;
            Ok(())
        }

        async fn session_get(
            conn: &mut $Conn,
            token_hash: &[u8; 32],
            now: Timestamp,
        ) -> StoreResult<Option<Session>> {
            use schema::session::dsl;
            let found: Option<rows::SessionRow> = dsl::session
                .filter(dsl::token_hash.eq(token_hash.to_vec()))
                .filter(dsl::expires_at.gt(now.micros()))
                .select(rows::SessionRow::as_select())
                .first(conn)
                .await
                .optional()?;
            found.map(rows::SessionRow::decode).transpose()
        }

        async fn session_seen(conn: &mut $Conn, id: SessionId, now: Timestamp) -> StoreResult<()> {
            use schema::session::dsl;
            diesel::update(dsl::session.find(id.as_bytes().to_vec()))
                .set(dsl::seen_at.eq(now.micros()))
                .execute(conn)
                .await?;
            Ok(())
        }

        async fn session_list(conn: &mut $Conn, account: AccountId) -> StoreResult<Vec<Session>> {
            use schema::session::dsl;
            let found: Vec<rows::SessionRow> = dsl::session
                .filter(dsl::account.eq(account.as_bytes().to_vec()))
                .order(dsl::id.desc())
                .limit(1_000)
                .select(rows::SessionRow::as_select())
                .load(conn)
                .await?;
            found.into_iter().map(rows::SessionRow::decode).collect()
        }

        async fn session_delete(conn: &mut $Conn, account: AccountId, id: SessionId) -> StoreResult<bool> {
            use schema::session::dsl;
            let mine = dsl::session
                .filter(dsl::id.eq(id.as_bytes().to_vec()).and(dsl::account.eq(account.as_bytes().to_vec())));
            Ok(diesel::delete(mine).execute(conn).await? == 1)
        }

        async fn api_key_insert(conn: &mut $Conn, key: &NewApiKey) -> StoreResult<()> {
            use schema::api_key::dsl;
            diesel::insert_into(dsl::api_key)
                .values((
                    dsl::id.eq(key.id.as_bytes().to_vec()),
                    dsl::account.eq(key.account.as_bytes().to_vec()),
                    dsl::secret_hash.eq(key.secret_hash.to_vec()),
                    dsl::last4.eq(key.last4.as_str()),
                    dsl::name.eq(key.name.as_str()),
                    dsl::created_at.eq(key.created_at.micros()),
                ))
                .execute(conn)
                .await?;
            Ok(())
        }

        async fn api_key_get(conn: &mut $Conn, secret_hash: &[u8; 32]) -> StoreResult<Option<ApiKey>> {
            use schema::api_key::dsl;
            let found: Option<rows::ApiKeyRow> = dsl::api_key
                .filter(dsl::secret_hash.eq(secret_hash.to_vec()))
                .select(rows::ApiKeyRow::as_select())
                .first(conn)
                .await
                .optional()?;
            found.map(rows::ApiKeyRow::decode).transpose()
        }

        async fn api_key_list(conn: &mut $Conn, account: AccountId) -> StoreResult<Vec<ApiKey>> {
            use schema::api_key::dsl;
            let found: Vec<rows::ApiKeyRow> = dsl::api_key
                .filter(dsl::account.eq(account.as_bytes().to_vec()))
                .order(dsl::id.desc())
                .limit(1_000)
                .select(rows::ApiKeyRow::as_select())
                .load(conn)
                .await?;
            found.into_iter().map(rows::ApiKeyRow::decode).collect()
        }

        async fn api_key_revoke(
            conn: &mut $Conn,
            account: AccountId,
            id: ApiKeyId,
            now: Timestamp,
        ) -> StoreResult<bool> {
            use schema::api_key::dsl;
            let mine = dsl::api_key
                .filter(dsl::id.eq(id.as_bytes().to_vec()).and(dsl::account.eq(account.as_bytes().to_vec())))
                .filter(dsl::revoked_at.is_null());
            Ok(diesel::update(mine).set(dsl::revoked_at.eq(now.micros())).execute(conn).await? == 1)
        }

        // ---- calls of the API ----

        async fn request_insert(conn: &mut $Conn, requests: &[RequestRecord]) -> StoreResult<()> {
            let cells: Vec<Cell> = requests.iter().flat_map(rows::request_cells).collect();
            execute_rows(conn, &rows::REQUEST_INSERT, &cells).await
        }

        async fn request_list(
            conn: &mut $Conn,
            account: AccountId,
            filter: &RequestFilter,
        ) -> StoreResult<Vec<RequestRecord>> {
            use diesel::{EscapeExpressionMethods as _, TextExpressionMethods as _};
            use schema::request_log::dsl;
            let mut query =
                dsl::request_log.filter(dsl::account.eq(account.as_bytes().to_vec())).into_boxed();
            if let Some(method) = &filter.method {
                query = query.filter(dsl::method.eq(method.clone()));
            }
            if let Some(class) = filter.status_class {
                let from = i16::try_from(class.saturating_mul(100)).unwrap_or(i16::MAX);
                query = query.filter(dsl::status.ge(from)).filter(dsl::status.lt(from.saturating_add(100)));
            }
            if let Some(key) = filter.key {
                query = query.filter(dsl::api_key.eq(key.as_bytes().to_vec()));
            }
            if let Some(part) = &filter.path {
                let part = part.replace('!', "!!").replace('%', "!%").replace('_', "!_");
                query = query.filter(dsl::path.like(format!("%{part}%")).escape('!'));
            }
            if let Some(before) = filter.before {
                query = query.filter(dsl::id.lt(before.as_bytes().to_vec()));
            }
            let found: Vec<rows::RequestRow> = query
                .order(dsl::id.desc())
                .limit(i64::from(filter.limit))
                .select(rows::RequestRow::as_select())
                .load(conn)
                .await?;
            found.into_iter().map(|row| row.decode(None, None)).collect()
        }

        async fn request_get(
            conn: &mut $Conn,
            account: AccountId,
            id: RequestId,
        ) -> StoreResult<Option<RequestRecord>> {
            use schema::request_log::dsl;
            let found: Option<(rows::RequestRow, Option<String>, Option<String>)> = dsl::request_log
                .filter(dsl::id.eq(id.as_bytes().to_vec()))
                .filter(dsl::account.eq(account.as_bytes().to_vec()))
                .select((rows::RequestRow::as_select(), dsl::request, dsl::response))
                .first(conn)
                .await
                .optional()?;
            found.map(|(row, request, response)| row.decode(request, response)).transpose()
        }

        async fn request_prune(conn: &mut $Conn, account: AccountId, keep: u32) -> StoreResult<u64> {
            use schema::request_log::dsl;
            let account = account.as_bytes().to_vec();
            let newest_gone: Option<Vec<u8>> = dsl::request_log
                .filter(dsl::account.eq(account.clone()))
                .order(dsl::id.desc())
                .offset(i64::from(keep))
                .limit(1)
                .select(dsl::id)
                .first(conn)
                .await
                .optional()?;
            let Some(id) = newest_gone else {
                return Ok(0);
            };
            let gone = dsl::request_log.filter(dsl::account.eq(account)).filter(dsl::id.le(id));
            let deleted = diesel::delete(gone).execute(conn).await?;
            Ok(deleted.try_into().unwrap_or(u64::MAX))
        }

        async fn request_expire(conn: &mut $Conn, before: Timestamp, limit: u32) -> StoreResult<u64> {
            use schema::request_log::dsl;
            // Ids are time-ordered, so a time is a bound on ids, and the rows to go are the first.
            let floor = id_floor(before);
            let last: Option<Vec<u8>> = dsl::request_log
                .filter(dsl::id.lt(floor.clone()))
                .order(dsl::id.asc())
                .offset(i64::from(limit))
                .limit(1)
                .select(dsl::id)
                .first(conn)
                .await
                .optional()?;
            let gone = dsl::request_log.filter(dsl::id.lt(last.unwrap_or(floor)));
            let deleted = diesel::delete(gone).execute(conn).await?;
            Ok(deleted.try_into().unwrap_or(u64::MAX))
        }

        // ---- the installation ----

        async fn installation_get(conn: &mut $Conn, name: &str) -> StoreResult<Option<Vec<u8>>> {
            use schema::installation::dsl;
            Ok(dsl::installation.find(name).select(dsl::value).first(conn).await.optional()?)
        }

        async fn installation_set_once(conn: &mut $Conn, name: &str, value: &[u8]) -> StoreResult<Vec<u8>> {
            use schema::installation::dsl;
            diesel::insert_or_ignore_into(dsl::installation)
                .values((dsl::name.eq(name), dsl::value.eq(value.to_vec())))
                .execute(conn)
                .await?;
            Ok(dsl::installation.find(name).select(dsl::value).first(conn).await?)
        }

        async fn installation_set(conn: &mut $Conn, name: &str, value: &[u8]) -> StoreResult<()> {
            let row = [Cell::Text(name.to_owned()), Cell::Bytes(value.to_vec())];
            execute_rows(conn, &rows::INSTALLATION_UPSERT, &row).await
        }

        // ---- the auditor ----

        async fn counts(conn: &mut $Conn) -> StoreResult<TableCounts> {
            let payments: i64 = schema::payment::table.count().get_result(conn).await?;
            let refunds: i64 = schema::refund::table.count().get_result(conn).await?;
            let movements: i64 = schema::movement::table.count().get_result(conn).await?;
            let wallets: i64 = schema::wallet::table.count().get_result(conn).await?;
            let idempotency: i64 = schema::idempotency::table.count().get_result(conn).await?;
            let journal: i64 = schema::journal::table.count().get_result(conn).await?;
            Ok(TableCounts {
                payments: unsigned(payments),
                refunds: unsigned(refunds),
                movements: unsigned(movements),
                wallets: unsigned(wallets),
                idempotency: unsigned(idempotency),
                journal: unsigned(journal),
            })
        }

        async fn audit_payments(
            conn: &mut $Conn,
            after: Option<PaymentId>,
            limit: u32,
        ) -> StoreResult<Vec<AuditPayment>> {
            use schema::payment::dsl;
            let after = after.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
            let found: Vec<rows::AuditRow> = dsl::payment
                .filter(dsl::id.gt(after))
                .order(dsl::id.asc())
                .limit(i64::from(limit))
                .select(rows::AuditRow::as_select())
                .load(conn)
                .await?;
            found.into_iter().map(rows::AuditRow::decode).collect()
        }

        async fn audit_payments_by_id(conn: &mut $Conn, ids: &[PaymentId]) -> StoreResult<Vec<AuditPayment>> {
            use schema::payment::dsl;
            let mut payments = Vec::with_capacity(ids.len());
            for chunk in ids.chunks(KeyIn::<()>::MAX) {
                let found: Vec<rows::AuditRow> = dsl::payment
                    .filter(KeyIn::new(dsl::id, chunk.iter().map(|id| id.as_bytes().to_vec())))
                    .select(rows::AuditRow::as_select())
                    .load(conn)
                    .await?;
                for row in found {
                    payments.push(row.decode()?);
                }
            }
            Ok(payments)
        }

        async fn audit_refunds(
            conn: &mut $Conn,
            after: Option<RefundId>,
            limit: u32,
        ) -> StoreResult<Vec<RefundRecord>> {
            use schema::refund::dsl;
            let after = after.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
            let found: Vec<rows::RefundRow> = dsl::refund
                .filter(dsl::id.gt(after))
                .order(dsl::id.asc())
                .limit(i64::from(limit))
                .select(rows::RefundRow::as_select())
                .load(conn)
                .await?;
            found.iter().map(rows::RefundRow::decode).collect()
        }

        async fn audit_receipts(
            conn: &mut $Conn,
            after: Option<$crate::store::ReceiptRecord>,
            limit: u32,
        ) -> StoreResult<Vec<$crate::store::ReceiptRecord>> {
            use schema::receipt::dsl;
            let (payee, payment) = after.map_or_else(
                || (Vec::new(), Vec::new()),
                |after| (after.payee.as_bytes().to_vec(), after.payment.as_bytes().to_vec()),
            );
            let found: Vec<(Vec<u8>, Vec<u8>)> = dsl::receipt
                .filter(dsl::payee.ge(payee.clone()))
                .filter(dsl::payee.gt(payee).or(dsl::payment.gt(payment)))
                .order((dsl::payee.asc(), dsl::payment.asc()))
                .limit(i64::from(limit))
                .select((dsl::payee, dsl::payment))
                .load(conn)
                .await?;
            found.iter().map(|(payee, payment)| rows::receipt(payee, payment)).collect()
        }

        async fn audit_movements(
            conn: &mut $Conn,
            after: Option<(PaymentId, u32)>,
            limit: u32,
        ) -> StoreResult<Vec<MovementRecord>> {
            use schema::movement::dsl;
            let (id, version) = after.map_or_else(
                || (Vec::new(), 0),
                |(id, version)| (id.as_bytes().to_vec(), rows::version_column(version)),
            );
            let found: Vec<rows::MovementRow> = dsl::movement
                .filter(dsl::payment.ge(id.clone()))
                .filter(dsl::payment.gt(id).or(dsl::version.gt(version)))
                .order((dsl::payment.asc(), dsl::version.asc()))
                .limit(i64::from(limit))
                .select(rows::MovementRow::as_select())
                .load(conn)
                .await?;
            found.iter().map(rows::MovementRow::decode).collect()
        }

        async fn audit_wallets(
            conn: &mut $Conn,
            after: Option<Vec<u8>>,
            limit: u32,
        ) -> StoreResult<Vec<WalletRecord>> {
            use schema::wallet::dsl;
            let found: Vec<rows::WalletRow> = dsl::wallet
                .filter(dsl::id.gt(after.unwrap_or_default()))
                .order(dsl::id.asc())
                .limit(i64::from(limit))
                .select(rows::WalletRow::as_select())
                .load(conn)
                .await?;
            found.iter().map(rows::WalletRow::decode).collect()
        }

        async fn audit_idempotency(
            conn: &mut $Conn,
            after: Option<([u8; 32], AccountId)>,
            limit: u32,
        ) -> StoreResult<Vec<IdempotencyAudit>> {
            use schema::idempotency::dsl;
            let (key, owner) = after.map_or_else(
                || (Vec::new(), Vec::new()),
                |(key, owner)| (key.to_vec(), owner.as_bytes().to_vec()),
            );
            let found: Vec<rows::IdempotencyRow> = dsl::idempotency
                .filter(dsl::k.ge(key.clone()))
                .filter(dsl::k.gt(key).or(dsl::owner.gt(owner)))
                .order((dsl::k.asc(), dsl::owner.asc()))
                .limit(i64::from(limit))
                .select(rows::IdempotencyRow::as_select())
                .load(conn)
                .await?;
            let audit = |row: &rows::IdempotencyRow| {
                let record = row.decode()?;
                Ok(IdempotencyAudit {
                    key: record.key,
                    owner: record.owner,
                    payment: record.payment,
                    version: record.version,
                })
            };
            found.iter().map(audit).collect()
        }
    };
}
pub(super) use shared_queries;
