//! What accounts were told. Part of [`super::shared_queries`].

macro_rules! events_queries {
    ($Conn:ty) => {
        use $crate::domain::announcement::Announcement;
        use $crate::domain::subject::SubjectKind;
        use $crate::store::records::{AnnouncementPlace, EventFilter};
        use $crate::store::{EventSource, SourcePlace};

        async fn event_put(conn: &mut $Conn, events: &[(AccountId, Announcement)]) -> StoreResult<()> {
            let cells: Vec<Cell> = events.iter().flat_map(rows::event_cells).collect();
            execute_rows(conn, &rows::EVENT_UPSERT, &cells).await
        }

        async fn event_list(
            conn: &mut $Conn,
            owner: AccountId,
            filter: &EventFilter,
        ) -> StoreResult<Vec<Announcement>> {
            use schema::account_event::dsl;
            let backwards = filter.after.is_some();
            let mut query = dsl::account_event.filter(dsl::owner.eq(owner.as_bytes().to_vec())).into_boxed();
            if let Some((at, id)) = filter.before {
                let (at, subject) = (at.micros(), id.subject.to_key().to_vec());
                let (version, n) = (rows::version_column(id.version), i16::from(id.n));
                let within = dsl::version.lt(version).or(dsl::version.eq(version).and(dsl::n.lt(n)));
                let within = dsl::subject.lt(subject.clone()).or(dsl::subject.eq(subject).and(within));
                query = query.filter(dsl::at.le(at)).filter(dsl::at.lt(at).or(within));
            }
            if let Some((at, id)) = filter.after {
                let (at, subject) = (at.micros(), id.subject.to_key().to_vec());
                let (version, n) = (rows::version_column(id.version), i16::from(id.n));
                let within = dsl::version.gt(version).or(dsl::version.eq(version).and(dsl::n.gt(n)));
                let within = dsl::subject.gt(subject.clone()).or(dsl::subject.eq(subject).and(within));
                query = query.filter(dsl::at.ge(at)).filter(dsl::at.gt(at).or(within));
            }
            if let Some(kinds) = &filter.kinds {
                let codes: Vec<i16> = kinds.iter().map(|kind| kind.to_code()).collect();
                query = query.filter(dsl::kind.eq_any(codes));
            }
            if let Some(id) = filter.of {
                let subject = id.subject.to_key().to_vec();
                let (version, n) = (rows::version_column(id.version), i16::from(id.n));
                query =
                    query.filter(dsl::subject.eq(subject).and(dsl::version.eq(version)).and(dsl::n.eq(n)));
            }
            if let Some(from) = filter.created_from {
                query = query.filter(dsl::at.ge(from.micros()));
            }
            if let Some(to) = filter.created_to {
                query = query.filter(dsl::at.lt(to.micros()));
            }
            let query = match backwards {
                true => query.order((dsl::at.asc(), dsl::subject.asc(), dsl::version.asc(), dsl::n.asc())),
                false => {
                    query.order((dsl::at.desc(), dsl::subject.desc(), dsl::version.desc(), dsl::n.desc()))
                }
            };
            let found: Vec<rows::EventRow> =
                query.limit(i64::from(filter.limit)).select(rows::EventRow::as_select()).load(conn).await?;
            let events = found.iter().map(|row| Ok(row.decode()?.1));
            let mut events = events.collect::<StoreResult<Vec<_>>>()?;
            if backwards {
                events.reverse();
            }
            Ok(events)
        }

        async fn event_owners(
            conn: &mut $Conn,
            after: Option<AccountId>,
            limit: u32,
        ) -> StoreResult<Vec<AccountId>> {
            use schema::account_event::dsl;
            let mut owners = Vec::new();
            let mut after = after.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
            while owners.len() < usize::try_from(limit).unwrap_or(usize::MAX) {
                // One step of the key for each account, however many it has.
                let next: Option<Vec<u8>> = dsl::account_event
                    .filter(dsl::owner.gt(after))
                    .order(dsl::owner.asc())
                    .select(dsl::owner)
                    .first(conn)
                    .await
                    .optional()?;
                let Some(next) = next else { break };
                owners.push(rows::account_id(&next)?);
                after = next;
            }
            Ok(owners)
        }

        async fn event_delete(
            conn: &mut $Conn,
            owner: AccountId,
            before: Timestamp,
            wall_before: Timestamp,
        ) -> StoreResult<u64> {
            use schema::{account_event, event_source};
            let (before, wall_before) = (before.micros(), wall_before.micros());
            let old = account_event::table
                .filter(account_event::owner.eq(owner.as_bytes().to_vec()))
                .filter(account_event::at.lt(before))
                .filter(account_event::wall.lt(wall_before));
            let deleted = diesel::delete(old).execute(conn).await?;
            let beside = event_source::table
                .filter(event_source::owner.eq(owner.as_bytes().to_vec()))
                .filter(event_source::at.lt(before))
                .filter(event_source::wall.lt(wall_before));
            let deleted = deleted + diesel::delete(beside).execute(conn).await?;
            Ok(deleted.try_into().unwrap_or(u64::MAX))
        }

        async fn event_clear(conn: &mut $Conn, owner: AccountId) -> StoreResult<u64> {
            use schema::account_event::dsl;
            let others = vec![SubjectKind::Payment.code().saturating_add(1)];
            let derived = dsl::account_event
                .filter(dsl::owner.eq(owner.as_bytes().to_vec()))
                .filter(dsl::subject.lt(others));
            let deleted = diesel::delete(derived).execute(conn).await?;
            Ok(deleted.try_into().unwrap_or(u64::MAX))
        }

        async fn event_surplus(
            conn: &mut $Conn,
            owner: AccountId,
            kept: u32,
        ) -> StoreResult<Option<Timestamp>> {
            use schema::account_event::dsl;
            let found: Option<i64> = dsl::account_event
                .filter(dsl::owner.eq(owner.as_bytes().to_vec()))
                .order(dsl::wall.desc())
                .offset(i64::from(kept))
                .select(dsl::wall)
                .first(conn)
                .await
                .optional()?;
            Ok(found.map(Timestamp::from_micros))
        }

        /// Sources asked for in one statement.
        const SOURCES_AT_ONCE: usize = 64;

        async fn source_get(conn: &mut $Conn, places: &[SourcePlace]) -> StoreResult<Vec<EventSource>> {
            use schema::event_source::dsl;
            let mut sources = Vec::new();
            for chunk in places.chunks(SOURCES_AT_ONCE) {
                let mut query = dsl::event_source.into_boxed();
                for (owner, at, subject, version) in chunk {
                    let place = dsl::owner
                        .eq(owner.as_bytes().to_vec())
                        .and(dsl::at.eq(at.micros()))
                        .and(dsl::subject.eq(subject.to_key().to_vec()))
                        .and(dsl::version.eq(rows::version_column(*version)));
                    query = query.or_filter(place);
                }
                let found: Vec<rows::SourceRow> =
                    query.select(rows::SourceRow::as_select()).load(conn).await?;
                for row in found {
                    sources.push(row.decode()?);
                }
            }
            Ok(sources)
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
                    (owner.as_bytes().to_vec(), at.micros(), subject, rows::version_column(version))
                },
            );
            let within =
                dsl::subject.gt(subject.clone()).or(dsl::subject.eq(subject).and(dsl::version.gt(version)));
            let within = dsl::at.gt(at).or(dsl::at.eq(at).and(within));
            let found: Vec<rows::SourceRow> = dsl::event_source
                .filter(dsl::owner.ge(owner.clone()))
                .filter(dsl::owner.gt(owner).or(within))
                .order((dsl::owner.asc(), dsl::at.asc(), dsl::subject.asc(), dsl::version.asc()))
                .limit(i64::from(limit))
                .select(rows::SourceRow::as_select())
                .load(conn)
                .await?;
            found.into_iter().map(rows::SourceRow::decode).collect()
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
                    let (version, n) = (rows::version_column(id.version), i16::from(id.n));
                    let subject = id.subject.to_key().to_vec();
                    (owner.as_bytes().to_vec(), at.micros(), subject, version, n)
                },
            );
            let within = dsl::version.gt(version).or(dsl::version.eq(version).and(dsl::n.gt(n)));
            let within = dsl::subject.gt(subject.clone()).or(dsl::subject.eq(subject).and(within));
            let within = dsl::at.gt(at).or(dsl::at.eq(at).and(within));
            let found: Vec<rows::EventRow> = dsl::account_event
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
                .select(rows::EventRow::as_select())
                .load(conn)
                .await?;
            found.iter().map(rows::EventRow::decode).collect()
        }
    };
}
pub(in crate::store) use events_queries;
