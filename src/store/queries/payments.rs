//! Payments: by id, in lists, and what of them is due, open or parked. Part of [`super::shared_queries`].

/// A page of the payments that the rows of a table beside them name, as the filter asks, and not in order. `$rows` is a query of
/// all of those rows, boxed. Where not all payments are in the table yet, `$unlisted` gives the others.
macro_rules! payments_beside {
    ($conn:ident, $filter:ident, $rows:expr, $payment:expr) => {
        $crate::store::queries::payments::payments_beside!($conn, $filter, $rows, $payment, |_, _, _| {
            Vec::new()
        })
    };
    ($conn:ident, $filter:ident, $rows:expr, $payment:expr, $unlisted:expr) => {{
        let mut found = rows::Found::default();
        let mut past: Option<Vec<u8>> = None;
        for round in 0..FILLED_UP_MAX {
            let wanted = $filter.rows_looked_at(still_wanted($filter.limit, found.rows.len()), round);
            // Before the table: what is written meanwhile is then in either.
            let place = past.as_deref().and_then(PaymentId::from_slice);
            let further: Vec<PaymentId> =
                $unlisted(&$filter, place, usize::try_from(wanted).unwrap_or(usize::MAX));
            let mut query = $rows;
            if let Some(before) = $filter.before {
                query = query.filter($payment.lt(before.as_bytes().to_vec()));
            }
            if let Some(after) = $filter.after {
                query = query.filter($payment.gt(after.as_bytes().to_vec()));
            }
            let (from, to) = $filter.id_bounds();
            if let Some(from) = from {
                query = query.filter($payment.ge(from.to_vec()));
            }
            if let Some(to) = to {
                query = query.filter($payment.lt(to.to_vec()));
            }
            query = match (past, $filter.after) {
                (Some(past), Some(_)) => query.filter($payment.gt(past)),
                (Some(past), None) => query.filter($payment.lt(past)),
                (None, _) => query,
            };
            query = match $filter.after {
                Some(_) => query.order($payment.asc()),
                None => query.order($payment.desc()),
            };
            let mut page: Vec<Vec<u8>> = query.limit(wanted).select($payment).load($conn).await?;
            merge(&mut page, further, $filter.after.is_some(), wanted);
            let ids: Vec<PaymentId> = page.iter().filter_map(|id| PaymentId::from_slice(id)).collect();
            let read = payment_get($conn, &ids).await?;
            found.rows.extend(read.rows.into_iter().filter(|one: &Payment| $filter.takes(one)));
            found.damaged.extend(read.damaged);
            past = page.last().cloned();
            if is_last(&page, wanted) || still_wanted($filter.limit, found.rows.len()) == 0 {
                break;
            }
        }
        found
    }};
}
pub(in crate::store) use payments_beside;

macro_rules! payments_queries {
    ($Conn:ty) => {
        async fn payment_list(
            conn: &mut $Conn,
            owner: AccountId,
            filter: &PaymentFilter,
            unlisted: &(dyn Fn(&PaymentFilter, Option<PaymentId>, usize) -> Vec<PaymentId> + Sync),
        ) -> StoreResult<rows::Found<Payment>> {
            let mut found = payment_own(conn, owner, filter, unlisted).await?;
            if filter.is_in_times() && has_test_clocks(conn, owner).await? {
                // Those that went by one are found by looking through all, as far as that goes.
                let by_test_clocks = PaymentFilter { by_test_clocks: true, ..filter.clone() };
                found.add(payment_own(conn, owner, &by_test_clocks, unlisted).await?);
            }
            let transfers = $crate::domain::submission::TRANSFER_CODE;
            if filter.received && (filter.kinds.is_empty() || filter.kinds.contains(&transfers)) {
                found.add(payment_received(conn, owner, filter).await?);
            }
            in_page(&mut found.rows, filter.limit, filter.after.is_some(), Payment::id);
            Ok(found)
        }

        /// Leaves a page of these, newest first: the oldest of them, or the newest.
        fn in_page<T, K: Ord>(found: &mut Vec<T>, limit: u32, oldest: bool, key: impl Fn(&T) -> K) {
            found.sort_unstable_by_key(|one| key(one));
            found.dedup_by_key(|one| key(one));
            let limit = limit.try_into().unwrap_or(usize::MAX);
            if oldest {
                found.truncate(limit);
            } else {
                found.drain(..found.len().saturating_sub(limit));
            }
            found.reverse();
        }

        /// Whether the owner has, or had, a test clock.
        async fn has_test_clocks(conn: &mut $Conn, owner: AccountId) -> StoreResult<bool> {
            use schema::resource::dsl;
            let clock = $crate::domain::subject::SubjectKind::Clock.code();
            for deleted in [0, 1] {
                let first: Option<Vec<u8>> = dsl::resource
                    .filter(dsl::owner.eq(owner.as_bytes().to_vec()))
                    .filter(dsl::clock.eq(rows::clock_key(ClockId::WALL)))
                    .filter(dsl::deleted.eq(deleted))
                    .filter(dsl::subject.ge(vec![clock]))
                    .filter(dsl::subject.lt(vec![clock.saturating_add(1)]))
                    .select(dsl::subject)
                    .first(conn)
                    .await
                    .optional()?;
                if first.is_some() {
                    return Ok(true);
                }
            }
            Ok(false)
        }

        /// How often a page is filled up in place of rows that cannot be read, or were created at another time.
        const FILLED_UP_MAX: usize = 16;

        /// Payments of the owner's own, the first of them in the filter's direction, and not in order. Rows that cannot be read do
        /// not make the page shorter, or whoever pages would take it for the last one.
        async fn payment_own(
            conn: &mut $Conn,
            owner: AccountId,
            filter: &PaymentFilter,
            unlisted: &(dyn Fn(&PaymentFilter, Option<PaymentId>, usize) -> Vec<PaymentId> + Sync),
        ) -> StoreResult<rows::Found<Payment>> {
            let own = || {
                let own = by_owner::table.filter(by_owner::owner.eq(owner.as_bytes().to_vec())).into_boxed();
                match filter.kinds.is_empty() {
                    true => own,
                    false => own.filter(by_owner::kind.eq_any(filter.kinds.clone())),
                }
            };
            Ok($crate::store::queries::payments::payments_beside!(
                conn,
                filter,
                own(),
                by_owner::payment,
                unlisted
            ))
        }

        /// Puts what is in no list yet where it belongs on a page of the list.
        fn merge(page: &mut Vec<Vec<u8>>, further: Vec<PaymentId>, forwards: bool, limit: i64) {
            if further.is_empty() {
                return;
            }
            page.extend(further.iter().map(|id| id.as_bytes().to_vec()));
            page.sort_unstable();
            page.dedup();
            if !forwards {
                page.reverse();
            }
            page.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        }

        fn still_wanted(limit: u32, found: usize) -> i64 {
            i64::from(limit).saturating_sub(i64::try_from(found).unwrap_or(i64::MAX)).max(0)
        }

        fn is_last<T>(page: &[T], limit: i64) -> bool {
            i64::try_from(page.len()).unwrap_or(i64::MAX) < limit
        }

        /// Transfers of others that have arrived, within the same bounds; the first of them in the filter's direction.
        async fn payment_received(
            conn: &mut $Conn,
            payee: AccountId,
            filter: &PaymentFilter,
        ) -> StoreResult<rows::Found<Payment>> {
            use schema::receipt::dsl;
            let own = || dsl::receipt.filter(dsl::payee.eq(payee.as_bytes().to_vec())).into_boxed();
            Ok($crate::store::queries::payments::payments_beside!(conn, filter, own(), dsl::payment))
        }

        /// A page that is empty is the end: rows that cannot be read are passed over until there is one that can.
        async fn payment_scan(
            conn: &mut $Conn,
            after: Option<PaymentId>,
            limit: u32,
        ) -> StoreResult<rows::Found<Payment>> {
            use schema::payment::dsl;
            let mut found = rows::Found::default();
            let mut after = after.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
            loop {
                let page: Vec<rows::PaymentRow> = dsl::payment
                    .filter(dsl::id.gt(after))
                    .order(dsl::id.asc())
                    .limit(i64::from(limit))
                    .select(rows::PaymentRow::as_select())
                    .load(conn)
                    .await?;
                page.iter().for_each(|row| found.push(row, std::convert::identity));
                read_terms(conn, &mut found.rows).await?;
                found = found.without_unread();
                match page.last() {
                    Some(last) if found.rows.is_empty() => after = last.id.clone(),
                    Some(_) | None => return Ok(found),
                }
            }
        }

        async fn payment_due(
            conn: &mut $Conn,
            clock: ClockId,
            upto: Timestamp,
            limit: u32,
        ) -> StoreResult<Vec<(PaymentId, Timestamp)>> {
            use schema::due::dsl;
            let found: Vec<(Vec<u8>, i64)> = dsl::due
                .filter(dsl::clock.eq(rows::clock_key(clock)).and(dsl::due_at.le(upto.micros())))
                .order((dsl::due_at.asc(), dsl::subject.asc()))
                .limit(i64::from(limit))
                .select((dsl::subject, dsl::due_at))
                .load(conn)
                .await?;
            // Nothing can be asked for under a key that is none; `verify` names such a row.
            let due =
                |(key, at): &(Vec<u8>, i64)| Some((rows::due_payment(key)?, Timestamp::from_micros(*at)));
            Ok(found.iter().filter_map(due).collect())
        }

        async fn payment_next_due(
            conn: &mut $Conn,
            clock: ClockId,
            after: Timestamp,
        ) -> StoreResult<Option<Timestamp>> {
            use schema::due::dsl;
            let found: Option<i64> = dsl::due
                .filter(dsl::clock.eq(rows::clock_key(clock)).and(dsl::due_at.gt(after.micros())))
                .order(dsl::due_at.asc())
                .select(dsl::due_at)
                .first(conn)
                .await
                .optional()?;
            Ok(found.map(Timestamp::from_micros))
        }

        /// As with [`payment_scan`], a page that is empty is the end.
        async fn work_open(
            conn: &mut $Conn,
            after: Option<PaymentId>,
            limit: u32,
        ) -> StoreResult<rows::Found<Payment>> {
            use schema::{open_work, payment};
            let mut found = rows::Found::default();
            let mut after = after.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
            loop {
                let page: Vec<rows::PaymentRow> = open_work::table
                    .inner_join(payment::table.on(payment::id.eq(open_work::payment)))
                    .filter(open_work::payment.gt(after))
                    .order(open_work::payment.asc())
                    .limit(i64::from(limit))
                    .select(rows::PaymentRow::as_select())
                    .load(conn)
                    .await?;
                page.iter().for_each(|row| found.push(row, std::convert::identity));
                read_terms(conn, &mut found.rows).await?;
                found = found.without_unread();
                match page.last() {
                    Some(last) if found.rows.is_empty() => after = last.id.clone(),
                    Some(_) | None => return Ok(found),
                }
            }
        }

        async fn work_open_count(conn: &mut $Conn) -> StoreResult<u64> {
            let count: i64 = schema::open_work::table.count().get_result(conn).await?;
            Ok(unsigned(count))
        }

        async fn payment_parked(
            conn: &mut $Conn,
            owner: AccountId,
            limit: u32,
        ) -> StoreResult<rows::Found<Payment>> {
            use schema::{parked, payment};
            let found: Vec<rows::PaymentRow> = parked::table
                .inner_join(payment::table.on(payment::id.eq(parked::payment)))
                .filter(parked::owner.eq(owner.as_bytes().to_vec()))
                .order(parked::payment.desc())
                .limit(i64::from(limit))
                .select(rows::PaymentRow::as_select())
                .load(conn)
                .await?;
            let mut payments = rows::Found::default();
            found.iter().for_each(|row| payments.push(row, std::convert::identity));
            read_terms(conn, &mut payments.rows).await?;
            Ok(payments.without_unread())
        }

        async fn idempotency_get(
            conn: &mut $Conn,
            key: &[u8; 32],
            owner: AccountId,
        ) -> StoreResult<Option<IdempotencyRecord>> {
            use schema::idempotency::dsl;
            let found: Option<rows::IdempotencyRow> = dsl::idempotency
                .find((key.to_vec(), owner.as_bytes().to_vec()))
                .select(rows::IdempotencyRow::as_select())
                .get_result(conn)
                .await
                .optional()?;
            found.map(|row| row.decode()).transpose()
        }

        /// A key as it stands in the table, without its owner.
        const KEY_BYTES: usize = 32;

        async fn idempotency_prune(
            conn: &mut $Conn,
            after: &[u8],
            before: Timestamp,
            limit: u32,
        ) -> StoreResult<Pruned> {
            use schema::idempotency::dsl;
            let (key, owner) = after.split_at_checked(KEY_BYTES).unwrap_or((after, &[]));
            let page: Vec<(Vec<u8>, Vec<u8>, i64)> = dsl::idempotency
                .filter(dsl::k.ge(key.to_vec()))
                .filter(dsl::k.gt(key.to_vec()).or(dsl::owner.gt(owner.to_vec())))
                .order((dsl::k.asc(), dsl::owner.asc()))
                .limit(i64::from(limit))
                .select((dsl::k, dsl::owner, dsl::at))
                .load(conn)
                .await?;
            let next = page.last().map(|(key, owner, _)| [key.as_slice(), owner.as_slice()].concat());
            let old: Vec<Vec<u8>> =
                page.into_iter().filter(|(_, _, at)| *at < before.micros()).map(|(key, _, _)| key).collect();
            let mut deleted = 0;
            if !old.is_empty() {
                answers_forget(conn, &old, before).await?;
                let gone = dsl::idempotency.filter(dsl::k.eq_any(old)).filter(dsl::at.lt(before.micros()));
                deleted = diesel::delete(gone).execute(conn).await?;
            }
            Ok(Pruned { next, deleted: deleted.try_into().unwrap_or(u64::MAX) })
        }

        /// Deletes the answers kept for those of these keys that are about to go.
        async fn answers_forget(conn: &mut $Conn, keys: &[Vec<u8>], before: Timestamp) -> StoreResult<()> {
            use schema::{answer, idempotency};
            let old = idempotency::table
                .filter(idempotency::k.eq_any(keys.to_vec()))
                .filter(idempotency::at.lt(before.micros()))
                .filter(idempotency::answer.is_not_null())
                .select((idempotency::k, idempotency::owner));
            let old: Vec<(Vec<u8>, Vec<u8>)> = old.load(conn).await?;
            for (key, owner) in old {
                diesel::delete(answer::table.find((key, owner))).execute(conn).await?;
            }
            Ok(())
        }

        async fn part_get(conn: &mut $Conn, id: PartId) -> StoreResult<Option<PartRecord>> {
            use schema::part::dsl;
            let found: Option<rows::PartRow> = dsl::part
                .find(id.as_bytes().to_vec())
                .select(rows::PartRow::as_select())
                .get_result(conn)
                .await
                .optional()?;
            found.map(|row| row.decode()).transpose()
        }

        async fn part_list(
            conn: &mut $Conn,
            owner: AccountId,
            kind: PartKind,
            filter: &PartFilter,
        ) -> StoreResult<Vec<PartRecord>> {
            let mut found = part_rows(conn, owner, kind, filter, false).await?;
            if filter.is_in_times() && has_test_clocks(conn, owner).await? {
                found.extend(part_rows(conn, owner, kind, filter, true).await?);
            }
            in_page(&mut found, filter.limit, filter.after.is_some(), |part| part.id);
            Ok(found)
        }

        /// Parts of an owner, the first of them in the filter's direction. Ids are nearly in the order of time by the wall, so that bounds
        /// of them spare reading most of what is not asked for. By test clocks times say nothing of ids: then all are looked through,
        /// as far as that goes.
        async fn part_rows(
            conn: &mut $Conn,
            owner: AccountId,
            kind: PartKind,
            filter: &PartFilter,
            by_test_clocks: bool,
        ) -> StoreResult<Vec<PartRecord>> {
            use schema::part::dsl;
            let looked_at = $crate::store::records::LOOKED_AT_MAX;
            let limit = if by_test_clocks { looked_at } else { i64::from(filter.limit) };
            let (mut found, mut past): (Vec<PartRecord>, Option<Vec<u8>>) = (Vec::new(), None);
            for _ in 0..FILLED_UP_MAX {
                let mut query = dsl::part
                    .filter(dsl::owner.eq(owner.as_bytes().to_vec()))
                    .filter(dsl::kind.eq(kind.to_code()))
                    .into_boxed();
                if let Some(before) = filter.before {
                    query = query.filter(dsl::id.lt(before.as_bytes().to_vec()));
                }
                if let Some(after) = filter.after {
                    query = query.filter(dsl::id.gt(after.as_bytes().to_vec()));
                }
                if let Some(from) = filter.created_from.filter(|_| !by_test_clocks) {
                    let least = floor(from.minus_ms(PartFilter::ID_TOLERANCE_MS));
                    query = query.filter(dsl::id.ge(least.to_vec())).filter(dsl::created.ge(from.micros()));
                }
                if let Some(to) = filter.created_to.filter(|_| !by_test_clocks) {
                    let least = floor(to.plus_ms(PartFilter::ID_TOLERANCE_MS));
                    query = query.filter(dsl::id.lt(least.to_vec())).filter(dsl::created.lt(to.micros()));
                }
                query = match (past, filter.after) {
                    (Some(past), Some(_)) => query.filter(dsl::id.gt(past)),
                    (Some(past), None) => query.filter(dsl::id.lt(past)),
                    (None, _) => query,
                };
                query = match filter.after {
                    Some(_) => query.order(dsl::id.asc()),
                    None => query.order(dsl::id.desc()),
                };
                let page: Vec<rows::PartRow> =
                    query.limit(limit).select(rows::PartRow::as_select()).load(conn).await?;
                let read = page.iter().map(rows::PartRow::decode).collect::<StoreResult<Vec<_>>>()?;
                past = read.last().map(|part| part.id.as_bytes().to_vec());
                found.extend(read.into_iter().filter(|part| filter.is_in_time(part.created)));
                if is_last(&page, limit) || still_wanted(filter.limit, found.len()) == 0 {
                    break;
                }
            }
            Ok(found)
        }

        async fn aside_list(conn: &mut $Conn, limit: u32) -> StoreResult<Vec<AsideRecord>> {
            use schema::set_aside::dsl;
            let found: Vec<rows::SetAsideRow> = dsl::set_aside
                .order(dsl::last_at.desc())
                .limit(i64::from(limit))
                .select(rows::SetAsideRow::as_select())
                .load(conn)
                .await?;
            Ok(found.into_iter().map(rows::SetAsideRow::decode).collect())
        }

        async fn aside_save(conn: &mut $Conn, changes: &AsideChanges) -> StoreResult<()> {
            use schema::set_aside::dsl;
            let gone: Vec<String> = changes.remove.iter().map(Subject::to_key).collect();
            for chunk in gone.chunks(KeyIn::<()>::MAX) {
                diesel::delete(dsl::set_aside.filter(dsl::subject.eq_any(chunk.to_vec())))
                    .execute(conn)
                    .await?;
            }
            let mut cells = Vec::with_capacity(changes.save.len() * 5);
            changes.save.iter().for_each(|record| rows::push_aside(&mut cells, record));
            execute_rows(conn, &rows::SET_ASIDE_UPSERT, &cells).await
        }
    };
}
pub(in crate::store) use payments_queries;
