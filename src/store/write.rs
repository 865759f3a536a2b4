//! The second half of a batch's transaction: writes its rows, the journal's last. Also what projections write. A macro expanded
//! for each connection, beside [`super::keyed`] and [`super::load`].

macro_rules! write_queries {
    ($Conn:ty) => {
        use $crate::domain::ids::BatchId;
        use $crate::store::batch::BatchWrite;
        use $crate::store::columns::signed;
        use $crate::store::{
            due, event_sources, events, journal, open_work, parts, payment_lists, statements,
        };

        /// Closes accounts and those they created. What followed their clocks follows the wall clock from now on, so the clocks
        /// have to be watched until that is done.
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
                    .filter(resource::clock.eq(clocks::clock_key(ClockId::WALL)))
                    .filter(resource::subject.ge(vec![SubjectKind::Clock.code()]))
                    .filter(resource::subject.lt(vec![SubjectKind::Clock.code().saturating_add(1)]))
                    .select(resource::subject)
                    .load(conn)
                    .await?;
                let clocks = clocks.iter().filter_map(|key| Subject::from_key(key)?.clock());
                let cells: Vec<Cell> = clocks.map(|clock| Cell::Bytes(clocks::clock_key(clock))).collect();
                execute_rows(conn, &clocks::AWAKE_UPSERT, &cells).await?;
            }
            Ok(())
        }

        /// Marks which clocks have to be watched.
        async fn watch_clocks(conn: &mut $Conn, clocks: &[(ClockId, bool)]) -> StoreResult<()> {
            use schema::clock_awake::dsl;
            let awake = clocks.iter().filter(|(_, awake)| *awake);
            let cells: Vec<Cell> = awake.map(|(clock, _)| Cell::Bytes(clocks::clock_key(*clock))).collect();
            execute_rows(conn, &clocks::AWAKE_UPSERT, &cells).await?;
            for (clock, _) in clocks.iter().filter(|(_, awake)| !awake) {
                diesel::delete(dsl::clock_awake.find(clocks::clock_key(*clock))).execute(conn).await?;
            }
            Ok(())
        }

        /// The statements of `Cursors::project`. Where it returns `false`, the caller must keep nothing.
        pub(super) async fn project(
            conn: &mut $Conn,
            name: &str,
            holder: $crate::domain::ids::InstanceId,
            (from, upto): (u64, u64),
            projected: &$crate::store::Projected,
        ) -> StoreResult<bool> {
            use schema::reader::dsl;
            let owned = dsl::reader
                .filter(dsl::name.eq(name))
                .filter(dsl::holder.eq(holder.as_bytes().to_vec()))
                .filter(dsl::position.eq(columns::signed(from)));
            let moved =
                diesel::update(owned).set(dsl::position.eq(columns::signed(upto))).execute(conn).await?;
            if moved == 1 {
                let cells: Vec<Cell> = projected.lines.iter().flat_map(statements::line_cells).collect();
                execute_rows(conn, &statements::STATEMENT_UPSERT, &cells).await?;
                let cells: Vec<Cell> = projected.events.iter().flat_map(events::event_cells).collect();
                execute_rows(conn, &events::EVENT_UPSERT, &cells).await?;
                write_open_work(conn, &projected.open_work).await?;
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
            execute_rows(conn, &open_work::OPEN_WORK_UPSERT, &cells).await
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
                let key = (!clock.is_wall()).then(|| clocks::clock_key(*clock));
                diesel::update(account::table.find(id.as_bytes().to_vec()))
                    .set(account::clock.eq(key))
                    .execute(conn)
                    .await?;
            }
            for scenario in &write.scenarios {
                put_scenario(conn, seq, write.at, scenario).await?;
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
            execute_rows(conn, &journal::JOURNAL_INSERT, &row).await
        }

        /// Puts a scenario in force for an account and for those it created.
        async fn put_scenario(
            conn: &mut $Conn,
            seq: u64,
            at: Timestamp,
            scenario: &$crate::store::ScenarioWrite,
        ) -> StoreResult<()> {
            use diesel::OptionalExtension;
            use schema::{account, scenario_file, scenario_revision};
            let key = scenario.account.as_bytes().to_vec();
            if let Some(file) = &scenario.file {
                diesel::insert_or_ignore_into(scenario_file::table)
                    .values((
                        scenario_file::hash.eq(file.hash.to_vec()),
                        scenario_file::name.eq(file.name.clone()),
                        scenario_file::body.eq(file.body.clone()),
                    ))
                    .execute(conn)
                    .await?;
            }
            let last: Option<i32> = scenario_revision::table
                .filter(scenario_revision::account.eq(key.clone()))
                .order(scenario_revision::number.desc())
                .select(scenario_revision::number)
                .first(conn)
                .await
                .optional()?;
            diesel::insert_into(scenario_revision::table)
                .values((
                    scenario_revision::revision.eq(signed(seq)),
                    scenario_revision::account.eq(key.clone()),
                    scenario_revision::number.eq(last.unwrap_or(0).saturating_add(1)),
                    scenario_revision::file.eq(scenario.file.as_ref().map(|file| file.hash.to_vec())),
                    scenario_revision::at.eq(at.micros()),
                ))
                .execute(conn)
                .await?;
            let in_force = scenario.file.as_ref().map(|_| signed(seq));
            diesel::update(account::table.filter(account::id.eq(key.clone())))
                .set(account::scenario.eq(in_force))
                .execute(conn)
                .await?;
            diesel::update(account::table.filter(account::parent.eq(key)))
                .set(account::scenario.eq(in_force))
                .execute(conn)
                .await?;
            Ok(())
        }

        /// Writes the side tables, which have rows only for some payments.
        async fn write_beside(conn: &mut $Conn, write: &BatchWrite) -> StoreResult<()> {
            for chunk in write.due.remove.chunks(KeyIn::<()>::MAX) {
                use schema::due::dsl;
                let keys = KeyIn::new(dsl::subject, chunk.iter().map(|payment| due::due_key(*payment)));
                diesel::delete(dsl::due.filter(keys)).execute(conn).await?;
            }
            let mut cells = Vec::new();
            for (payment, clock, at) in &write.due.put {
                cells.extend([
                    Cell::Bytes(due::due_key(*payment)),
                    Cell::Bytes(clocks::clock_key(*clock)),
                    Cell::Big(at.micros()),
                ]);
            }
            execute_rows(conn, &due::DUE_UPSERT, &cells).await?;
            cells.clear();
            for (payment, clock) in &write.busy.put {
                cells.extend([
                    Cell::Bytes(payment.as_bytes().to_vec()),
                    Cell::Bytes(clocks::clock_key(*clock)),
                ]);
            }
            execute_rows(conn, &clocks::BUSY_UPSERT, &cells).await?;
            cells.clear();
            for (payment, owner) in &write.parked.put {
                cells.extend([
                    Cell::Bytes(payment.as_bytes().to_vec()),
                    Cell::Bytes(owner.as_bytes().to_vec()),
                ]);
            }
            execute_rows(conn, &payment_lists::PARKED_UPSERT, &cells).await?;
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
                payments::push_payment(&mut cells, payment, true)?;
            }
            execute_rows(conn, &payments::PAYMENT_INSERT, &cells).await?;
            cells.clear();
            for payment in &write.updates {
                payments::push_payment(&mut cells, payment, false)?;
            }
            execute_rows(conn, &payments::PAYMENT_UPDATE, &cells).await?;
            write_beside(conn, write).await?;
            cells.clear();
            write.parts.iter().for_each(|part| parts::push_part(&mut cells, part));
            execute_rows(conn, &parts::PART_INSERT, &cells).await?;
            cells.clear();
            write.receipts.iter().for_each(|receipt| payment_lists::push_receipt(&mut cells, receipt));
            execute_rows(conn, &payment_lists::RECEIPT_INSERT, &cells).await?;
            cells.clear();
            write.movements.iter().for_each(|movement| ledger::push_movement(&mut cells, movement, seq));
            execute_rows(conn, &ledger::MOVEMENT_INSERT, &cells).await?;
            cells.clear();
            write.wallets.iter().for_each(|(wallet, held)| ledger::push_wallet(&mut cells, *wallet, *held));
            execute_rows(conn, &ledger::WALLET_UPSERT, &cells).await?;
            cells.clear();
            write.idempotency.iter().for_each(|record| idempotency::push_idempotency(&mut cells, record));
            execute_rows(conn, &idempotency::IDEMPOTENCY_INSERT, &cells).await?;
            write_resources(conn, seq, write).await
        }

        async fn write_resources(conn: &mut $Conn, seq: u64, write: &BatchWrite) -> StoreResult<()> {
            let mut cells = Vec::new();
            for resource in &write.resources {
                resources::push_resource(&mut cells, resource, seq)?;
            }
            execute_rows(conn, &resources::RESOURCE_UPSERT, &cells).await?;
            cells.clear();
            write.details.iter().for_each(|detail| details::push_detail(&mut cells, detail));
            execute_rows(conn, &details::DETAIL_INSERT, &cells).await?;
            cells.clear();
            cells.extend(write.events.iter().flat_map(events::event_cells));
            execute_rows(conn, &events::EVENT_UPSERT, &cells).await?;
            cells.clear();
            write.sources.iter().for_each(|source| event_sources::push_source(&mut cells, source));
            execute_rows(conn, &event_sources::SOURCE_INSERT, &cells).await?;
            cells.clear();
            write.answers.iter().for_each(|answer| idempotency::push_answer(&mut cells, answer));
            execute_rows(conn, &idempotency::ANSWER_INSERT, &cells).await?;
            cells.clear();
            write
                .customer_payments
                .iter()
                .for_each(|record| payment_lists::push_customer_payment(&mut cells, record));
            execute_rows(conn, &payment_lists::CUSTOMER_PAYMENT_INSERT, &cells).await
        }
    };
}
pub(super) use write_queries;
