//! Reads the other tables, a page at a time, for the auditor.

macro_rules! audit_tables {
    ($Conn:ty) => {
        async fn audit_statement(
            conn: &mut $Conn,
            after: Option<(WalletId, LinePlace)>,
            limit: u32,
        ) -> StoreResult<Vec<StatementLine>> {
            use schema::statement_line::dsl;
            let (wallet, seq, place) = after.map_or_else(
                || (Vec::new(), 0, 0),
                |(wallet, at)| (wallet.to_key().to_vec(), signed(at.seq), columns::version_column(at.place)),
            );
            let further = dsl::seq.gt(seq).or(dsl::seq.eq(seq).and(dsl::place.gt(place)));
            let found: Vec<statements::LineRow> = dsl::statement_line
                .filter(dsl::wallet.ge(wallet.clone()))
                .filter(dsl::wallet.gt(wallet).or(further))
                .order((dsl::wallet.asc(), dsl::seq.asc(), dsl::place.asc()))
                .limit(i64::from(limit))
                .select(statements::LineRow::as_select())
                .load(conn)
                .await?;
            found.iter().map(statements::LineRow::decode).collect()
        }

        async fn audit_sources(
            conn: &mut $Conn,
            after: Option<SourcePlace>,
            limit: u32,
        ) -> StoreResult<Vec<EventSource>> {
            use schema::event_source::dsl;
            let (owner, at, subject, version) = after.map_or_else(
                || (Vec::new(), 0, Vec::new(), 0),
                |(owner, at, subject, version)| {
                    let subject = subject.to_key().to_vec();
                    (owner.as_bytes().to_vec(), at.micros(), subject, columns::version_column(version))
                },
            );
            let within =
                dsl::subject.gt(subject.clone()).or(dsl::subject.eq(subject).and(dsl::version.gt(version)));
            let within = dsl::at.gt(at).or(dsl::at.eq(at).and(within));
            let found: Vec<event_sources::SourceRow> = dsl::event_source
                .filter(dsl::owner.ge(owner.clone()))
                .filter(dsl::owner.gt(owner).or(within))
                .order((dsl::owner.asc(), dsl::at.asc(), dsl::subject.asc(), dsl::version.asc()))
                .limit(i64::from(limit))
                .select(event_sources::SourceRow::as_select())
                .load(conn)
                .await?;
            found.into_iter().map(event_sources::SourceRow::decode).collect()
        }

        async fn audit_events(
            conn: &mut $Conn,
            after: Option<(AccountId, AnnouncementPlace)>,
            limit: u32,
        ) -> StoreResult<Vec<(AccountId, Announcement)>> {
            use schema::account_event::dsl;
            let (owner, at, subject, version, n) = after.map_or_else(
                || (Vec::new(), 0, Vec::new(), 0, 0),
                |(owner, (at, id))| {
                    let (version, n) = (columns::version_column(id.version), i16::from(id.n));
                    let subject = id.subject.to_key().to_vec();
                    (owner.as_bytes().to_vec(), at.micros(), subject, version, n)
                },
            );
            let within = dsl::version.gt(version).or(dsl::version.eq(version).and(dsl::n.gt(n)));
            let within = dsl::subject.gt(subject.clone()).or(dsl::subject.eq(subject).and(within));
            let within = dsl::at.gt(at).or(dsl::at.eq(at).and(within));
            let found: Vec<events::EventRow> = dsl::account_event
                .filter(dsl::owner.ge(owner.clone()))
                .filter(dsl::owner.gt(owner).or(within))
                .order((
                    dsl::owner.asc(),
                    dsl::at.asc(),
                    dsl::subject.asc(),
                    dsl::version.asc(),
                    dsl::n.asc(),
                ))
                .limit(i64::from(limit))
                .select(events::EventRow::as_select())
                .load(conn)
                .await?;
            found.iter().map(events::EventRow::decode).collect()
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
                let parent = parent.as_deref().map(columns::account_id).transpose()?;
                let created_at = Timestamp::from_micros(created_at);
                Ok(AccountHead { id: columns::account_id(&id)?, parent, name, created_at, lean: lean != 0 })
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
            let found: Vec<details::DetailRow> = dsl::detail
                .filter(dsl::subject.ge(subject.clone()))
                .filter(dsl::subject.gt(subject).or(dsl::id.gt(id)))
                .order((dsl::subject.asc(), dsl::id.asc()))
                .limit(i64::from(limit))
                .load(conn)
                .await?;
            found.into_iter().map(details::detail).collect()
        }

        async fn audit_scenario_files(
            conn: &mut $Conn,
            after: Option<[u8; 32]>,
            limit: u32,
        ) -> StoreResult<Vec<([u8; 32], Vec<u8>)>> {
            use schema::scenario_file::dsl;
            let found: Vec<(Vec<u8>, Vec<u8>)> = dsl::scenario_file
                .filter(dsl::hash.gt(after.map_or_else(Vec::new, |hash| hash.to_vec())))
                .order(dsl::hash.asc())
                .limit(i64::from(limit))
                .select((dsl::hash, dsl::body))
                .load(conn)
                .await?;
            let file =
                |(hash, body): (Vec<u8>, Vec<u8>)| Ok((columns::fixed(&hash, "scenario_file.hash")?, body));
            found.into_iter().map(file).collect()
        }

        async fn audit_leases(conn: &mut $Conn) -> StoreResult<Vec<(String, Timestamp)>> {
            use schema::reader::dsl;
            let found: Vec<(String, i64)> = dsl::reader
                .order(dsl::name.asc())
                .limit(i64::from(columns::SMALL_MAX))
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
            let found: Vec<parts::PartRow> = dsl::part
                .filter(dsl::id.gt(after))
                .order(dsl::id.asc())
                .limit(i64::from(limit))
                .select(parts::PartRow::as_select())
                .load(conn)
                .await?;
            found.iter().map(parts::PartRow::decode).collect()
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
            found.iter().map(|(payee, payment)| payment_lists::receipt(payee, payment)).collect()
        }

        async fn audit_movements(
            conn: &mut $Conn,
            after: Option<(PaymentId, u32, u8)>,
            limit: u32,
        ) -> StoreResult<Vec<MovementRecord>> {
            use schema::movement::dsl;
            let (id, version, n) = after.map_or_else(
                || (Vec::new(), 0, 0),
                |(id, version, n)| (id.as_bytes().to_vec(), columns::version_column(version), i16::from(n)),
            );
            let further = dsl::version.gt(version).or(dsl::version.eq(version).and(dsl::n.gt(n)));
            let found: Vec<ledger::MovementRow> = dsl::movement
                .filter(dsl::payment.ge(id.clone()))
                .filter(dsl::payment.gt(id).or(further))
                .order((dsl::payment.asc(), dsl::version.asc(), dsl::n.asc()))
                .limit(i64::from(limit))
                .select(ledger::MovementRow::as_select())
                .load(conn)
                .await?;
            found.iter().map(ledger::MovementRow::decode).collect()
        }

        async fn audit_wallets(
            conn: &mut $Conn,
            after: Option<Vec<u8>>,
            limit: u32,
        ) -> StoreResult<Vec<WalletRecord>> {
            use schema::wallet::dsl;
            let found: Vec<ledger::WalletRow> = dsl::wallet
                .filter(dsl::id.gt(after.unwrap_or_default()))
                .order(dsl::id.asc())
                .limit(i64::from(limit))
                .select(ledger::WalletRow::as_select())
                .load(conn)
                .await?;
            found.iter().map(ledger::WalletRow::decode).collect()
        }

        async fn audit_resources(
            conn: &mut $Conn,
            after: Option<$crate::domain::subject::Subject>,
            limit: u32,
        ) -> StoreResult<Vec<AuditResource>> {
            use schema::resource::dsl;
            let found: Vec<resources::ResourceRow> = dsl::resource
                .filter(dsl::subject.gt(after.map_or_else(Vec::new, |after| after.to_key().to_vec())))
                .order(dsl::subject.asc())
                .limit(i64::from(limit))
                .select(resources::ResourceRow::as_select())
                .load(conn)
                .await?;
            let mut resources =
                found.iter().map(resources::ResourceRow::audited).collect::<StoreResult<Vec<_>>>()?;
            audit_awake(conn, &mut resources).await?;
            Ok(resources)
        }

        /// Marks which of these resources are watched clocks.
        async fn audit_awake(conn: &mut $Conn, resources: &mut [AuditResource]) -> StoreResult<()> {
            use schema::clock_awake::dsl;
            let clocks = resources.iter().filter_map(|row| row.resource.subject.clock());
            let keys: Vec<Vec<u8>> = clocks.map(clocks::clock_key).collect();
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
            found.into_iter().map(idempotency::answer).collect()
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
            found
                .iter()
                .map(|(customer, payment)| payment_lists::customer_payment(customer, payment))
                .collect()
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
            let found: Vec<idempotency::IdempotencyRow> = dsl::idempotency
                .filter(dsl::k.ge(key.clone()))
                .filter(dsl::k.gt(key).or(dsl::owner.gt(owner)))
                .order((dsl::k.asc(), dsl::owner.asc()))
                .limit(i64::from(limit))
                .select(idempotency::IdempotencyRow::as_select())
                .load(conn)
                .await?;
            found.iter().map(idempotency::IdempotencyRow::decode).collect()
        }
    };
}
pub(in crate::store) use audit_tables;
