//! What `verify` reads: everything, a page at a time. Part of [`super::shared_queries`].

macro_rules! audit_queries {
    ($Conn:ty) => {
        use std::collections::{HashMap, HashSet};

        /// Payments with what amendments say; those whose amendment is gone stay unread.
        async fn audited(conn: &mut $Conn, found: Vec<rows::AuditRow>) -> StoreResult<Vec<AuditPayment>> {
            let decoded: StoreResult<Vec<AuditPayment>> =
                found.into_iter().map(rows::AuditRow::decode).collect();
            let mut payments = decoded?;
            read_terms(conn, &mut payments).await?;
            Ok(payments)
        }

        async fn counts(conn: &mut $Conn) -> StoreResult<TableCounts> {
            let payments: i64 = schema::payment::table.count().get_result(conn).await?;
            let parts: i64 = schema::part::table.count().get_result(conn).await?;
            let movements: i64 = schema::movement::table.count().get_result(conn).await?;
            let wallets: i64 = schema::wallet::table.count().get_result(conn).await?;
            let idempotency: i64 = schema::idempotency::table.count().get_result(conn).await?;
            let journal: i64 = schema::journal::table.count().get_result(conn).await?;
            Ok(TableCounts {
                payments: unsigned(payments),
                parts: unsigned(parts),
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
            let mut payments = audited(conn, found).await?;
            audit_beside(conn, &mut payments).await?;
            Ok(payments)
        }

        /// Adds what stands of these payments in the tables that have rows only where there is something to say.
        async fn audit_beside(conn: &mut $Conn, payments: &mut [AuditPayment]) -> StoreResult<()> {
            use schema::{clock_busy, due, open_work, parked};
            for page in payments.chunks_mut(KeyIn::<()>::MAX) {
                let keys = || page.iter().map(|row| row.id.as_bytes().to_vec());
                let found: Vec<(Vec<u8>, Vec<u8>, i64)> = due::table
                    .filter(KeyIn::new(due::subject, page.iter().map(|row| rows::due_key(row.id))))
                    .order((due::subject.asc(), due::clock.asc()))
                    .load(conn)
                    .await?;
                let mut due: HashMap<PaymentId, Vec<(ClockId, Timestamp)>> = HashMap::new();
                for (key, clock, at) in &found {
                    let Some(id) = rows::due_payment(key) else { continue };
                    due.entry(id).or_default().push((rows::clock_id(clock)?, Timestamp::from_micros(*at)));
                }
                let busy: Vec<(Vec<u8>, Vec<u8>)> =
                    clock_busy::table.filter(KeyIn::new(clock_busy::payment, keys())).load(conn).await?;
                let busy: HashMap<_, _> = busy
                    .iter()
                    .filter_map(|(id, clock)| Some((PaymentId::from_slice(id)?, ClockId::from_slice(clock)?)))
                    .collect();
                let open: Vec<Vec<u8>> = open_work::table
                    .filter(KeyIn::new(open_work::payment, keys()))
                    .select(open_work::payment)
                    .load(conn)
                    .await?;
                let open: HashSet<_> = open.iter().filter_map(|id| PaymentId::from_slice(id)).collect();
                let parked: Vec<(Vec<u8>, Vec<u8>)> =
                    parked::table.filter(KeyIn::new(parked::payment, keys())).load(conn).await?;
                let parked: HashMap<_, _> = parked
                    .iter()
                    .filter_map(|(id, owner)| {
                        Some((PaymentId::from_slice(id)?, AccountId::from_slice(owner)?))
                    })
                    .collect();
                let gone = clocks_gone(conn, page).await?;
                for row in page {
                    let clock = row.folded.as_ref().map_or(ClockId::WALL, Payment::clock);
                    row.clock_gone = gone.contains(&clock);
                    row.due = due.remove(&row.id).unwrap_or_default();
                    row.busy = busy.get(&row.id).copied();
                    row.has_open_work = open.contains(&row.id);
                    row.parked = parked.get(&row.id).copied();
                }
            }
            Ok(())
        }

        /// Of the clocks that these payments were made to go by, those that are gone: deleted, or their account is closed.
        async fn clocks_gone(
            conn: &mut $Conn,
            payments: &[AuditPayment],
        ) -> StoreResult<std::collections::HashSet<ClockId>> {
            use schema::{account, resource};
            let clocks = payments.iter().filter_map(|row| row.folded.as_ref().ok().map(Payment::clock));
            let mut gone: std::collections::HashSet<ClockId> =
                clocks.filter(|clock| !clock.is_wall()).collect();
            if gone.is_empty() {
                return Ok(gone);
            }
            let keys =
                gone.iter().map(|clock| $crate::domain::subject::Subject::from(*clock).to_key().to_vec());
            let found: Vec<(Vec<u8>, Vec<u8>)> = resource::table
                .filter(resource::subject.eq_any(keys.collect::<Vec<_>>()))
                .filter(resource::deleted.eq(0))
                .select((resource::subject, resource::owner))
                .load(conn)
                .await?;
            let owners: Vec<Vec<u8>> = found.iter().map(|(_, owner)| owner.clone()).collect();
            let closed: Vec<Vec<u8>> = account::table
                .filter(account::id.eq_any(owners))
                .filter(account::closed_at.is_not_null())
                .select(account::id)
                .load(conn)
                .await?;
            for (subject, owner) in found {
                let there = !closed.contains(&owner);
                let clock = $crate::domain::subject::Subject::from_key(&subject).and_then(|one| one.clock());
                if let Some(clock) = clock.filter(|_| there) {
                    gone.remove(&clock);
                }
            }
            Ok(gone)
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
                payments.extend(audited(conn, found).await?);
            }
            audit_beside(conn, &mut payments).await?;
            Ok(payments)
        }

        async fn audit_payment_heads(conn: &mut $Conn, ids: &[PaymentId]) -> StoreResult<Vec<PaymentHead>> {
            use schema::payment::dsl;
            let mut heads = Vec::with_capacity(ids.len());
            for chunk in ids.chunks(KeyIn::<()>::MAX) {
                let found: Vec<(Vec<u8>, Vec<u8>, i32)> = dsl::payment
                    .filter(KeyIn::new(dsl::id, chunk.iter().map(|id| id.as_bytes().to_vec())))
                    .select((dsl::id, dsl::owner, dsl::version))
                    .load(conn)
                    .await?;
                for (id, owner, version) in found {
                    heads.push(PaymentHead {
                        id: PaymentId::from_slice(&id).ok_or_else(|| rows::damaged("payment.id"))?,
                        owner: rows::account_id(&owner)?,
                        version: u32::try_from(version).unwrap_or(0),
                    });
                }
            }
            Ok(heads)
        }

        async fn audit_accounts(
            conn: &mut $Conn,
            after: Option<AccountId>,
            limit: u32,
        ) -> StoreResult<Vec<AccountHead>> {
            use schema::account::dsl;
            let after = after.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
            type Row = (Vec<u8>, Option<Vec<u8>>, String, i64, i16);
            let found: Vec<Row> = dsl::account
                .filter(dsl::id.gt(after))
                .order(dsl::id.asc())
                .limit(i64::from(limit))
                .select((dsl::id, dsl::parent, dsl::name, dsl::created_at, dsl::lean))
                .load(conn)
                .await?;
            let head = |(id, parent, name, created_at, lean): Row| {
                let parent = parent.as_deref().map(rows::account_id).transpose()?;
                let created_at = Timestamp::from_micros(created_at);
                Ok(AccountHead { id: rows::account_id(&id)?, parent, name, created_at, lean: lean != 0 })
            };
            found.into_iter().map(head).collect()
        }

        async fn audit_details(
            conn: &mut $Conn,
            after: Option<([u8; 16], u64)>,
            limit: u32,
        ) -> StoreResult<Vec<DetailRecord>> {
            use schema::detail::dsl;
            let (subject, id) =
                after.map_or_else(|| (Vec::new(), 0), |(subject, id)| (subject.to_vec(), id.cast_signed()));
            let found: Vec<rows::DetailRow> = dsl::detail
                .filter(dsl::subject.ge(subject.clone()))
                .filter(dsl::subject.gt(subject).or(dsl::id.gt(id)))
                .order((dsl::subject.asc(), dsl::id.asc()))
                .limit(i64::from(limit))
                .load(conn)
                .await?;
            found.into_iter().map(rows::detail).collect()
        }

        async fn audit_leases(conn: &mut $Conn) -> StoreResult<Vec<(String, Timestamp)>> {
            use schema::reader::dsl;
            let found: Vec<(String, i64)> = dsl::reader
                .order(dsl::name.asc())
                .limit(i64::from(rows::SMALL_MAX))
                .select((dsl::name, dsl::lease_until))
                .load(conn)
                .await?;
            Ok(found.into_iter().map(|(name, until)| (name, Timestamp::from_micros(until))).collect())
        }

        async fn audit_strays(conn: &mut $Conn) -> StoreResult<Vec<$crate::store::strays::Stray>> {
            #[derive(diesel::QueryableByName)]
            struct Found {
                #[diesel(sql_type = diesel::sql_types::Text)]
                stray: String,
            }
            let mut strays = Vec::new();
            for (kind, what, query) in $crate::store::strays::CHECKS {
                let limited = format!("{query} LIMIT {}", $crate::store::strays::STRAYS_MAX);
                let found: Vec<Found> = diesel::sql_query(limited).load(conn).await?;
                strays.extend(found.into_iter().map(|found| $crate::store::strays::Stray {
                    kind: *kind,
                    what,
                    key: found.stray.to_ascii_lowercase(),
                }));
            }
            Ok(strays)
        }

        async fn audit_parts(
            conn: &mut $Conn,
            after: Option<PartId>,
            limit: u32,
        ) -> StoreResult<Vec<PartRecord>> {
            use schema::part::dsl;
            let after = after.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
            let found: Vec<rows::PartRow> = dsl::part
                .filter(dsl::id.gt(after))
                .order(dsl::id.asc())
                .limit(i64::from(limit))
                .select(rows::PartRow::as_select())
                .load(conn)
                .await?;
            found.iter().map(rows::PartRow::decode).collect()
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
            after: Option<(PaymentId, u32, u8)>,
            limit: u32,
        ) -> StoreResult<Vec<MovementRecord>> {
            use schema::movement::dsl;
            let (id, version, n) = after.map_or_else(
                || (Vec::new(), 0, 0),
                |(id, version, n)| (id.as_bytes().to_vec(), rows::version_column(version), i16::from(n)),
            );
            let further = dsl::version.gt(version).or(dsl::version.eq(version).and(dsl::n.gt(n)));
            let found: Vec<rows::MovementRow> = dsl::movement
                .filter(dsl::payment.ge(id.clone()))
                .filter(dsl::payment.gt(id).or(further))
                .order((dsl::payment.asc(), dsl::version.asc(), dsl::n.asc()))
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

        async fn audit_resources(
            conn: &mut $Conn,
            after: Option<$crate::domain::subject::Subject>,
            limit: u32,
        ) -> StoreResult<Vec<AuditResource>> {
            use schema::resource::dsl;
            let found: Vec<rows::ResourceRow> = dsl::resource
                .filter(dsl::subject.gt(after.map_or_else(Vec::new, |after| after.to_key().to_vec())))
                .order(dsl::subject.asc())
                .limit(i64::from(limit))
                .select(rows::ResourceRow::as_select())
                .load(conn)
                .await?;
            let mut resources =
                found.iter().map(rows::ResourceRow::audited).collect::<StoreResult<Vec<_>>>()?;
            audit_awake(conn, &mut resources).await?;
            Ok(resources)
        }

        /// Adds which of these resources are clocks that are looked after.
        async fn audit_awake(conn: &mut $Conn, resources: &mut [AuditResource]) -> StoreResult<()> {
            use schema::clock_awake::dsl;
            let clocks = resources.iter().filter_map(|row| row.resource.subject.clock());
            let keys: Vec<Vec<u8>> = clocks.map(rows::clock_key).collect();
            if keys.is_empty() {
                return Ok(());
            }
            let awake: Vec<Vec<u8>> =
                dsl::clock_awake.filter(dsl::clock.eq_any(keys)).select(dsl::clock).load(conn).await?;
            for row in resources {
                row.awake = awake.iter().any(|key| key == row.resource.subject.id());
            }
            Ok(())
        }

        async fn audit_resources_of(
            conn: &mut $Conn,
            subjects: &[$crate::domain::subject::Subject],
        ) -> StoreResult<Vec<AuditResource>> {
            let mut resources = Vec::new();
            for chunk in subjects.chunks(KeyIn::<()>::MAX) {
                for row in resource_rows(conn, chunk).await? {
                    resources.push(row.audited()?);
                }
            }
            Ok(resources)
        }

        async fn audit_answers(
            conn: &mut $Conn,
            after: Option<([u8; 32], AccountId)>,
            limit: u32,
        ) -> StoreResult<Vec<AnswerWrite>> {
            use schema::answer::dsl;
            let (key, owner) = after.map_or_else(
                || (Vec::new(), Vec::new()),
                |(key, owner)| (key.to_vec(), owner.as_bytes().to_vec()),
            );
            let found: Vec<(Vec<u8>, Vec<u8>, Vec<u8>)> = dsl::answer
                .filter(dsl::k.ge(key.clone()))
                .filter(dsl::k.gt(key).or(dsl::owner.gt(owner)))
                .order((dsl::k.asc(), dsl::owner.asc()))
                .limit(i64::from(limit))
                .load(conn)
                .await?;
            found.into_iter().map(rows::answer).collect()
        }

        async fn audit_customer_payments(
            conn: &mut $Conn,
            after: Option<CustomerPaymentRecord>,
            limit: u32,
        ) -> StoreResult<Vec<CustomerPaymentRecord>> {
            use schema::customer_payment::dsl;
            let (customer, payment) = after.map_or_else(
                || (Vec::new(), Vec::new()),
                |after| (after.customer.as_bytes().to_vec(), after.payment.as_bytes().to_vec()),
            );
            let found: Vec<(Vec<u8>, Vec<u8>)> = dsl::customer_payment
                .filter(dsl::customer.ge(customer.clone()))
                .filter(dsl::customer.gt(customer).or(dsl::payment.gt(payment)))
                .order((dsl::customer.asc(), dsl::payment.asc()))
                .limit(i64::from(limit))
                .load(conn)
                .await?;
            found.iter().map(|(customer, payment)| rows::customer_payment(customer, payment)).collect()
        }

        async fn audit_idempotency(
            conn: &mut $Conn,
            after: Option<([u8; 32], AccountId)>,
            limit: u32,
        ) -> StoreResult<Vec<IdempotencyRecord>> {
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
            found.iter().map(rows::IdempotencyRow::decode).collect()
        }
    };
}
pub(in crate::store) use audit_queries;
