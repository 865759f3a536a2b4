//! Payments: by id, in lists, and what of them is due, open or parked. Part of [`super::shared_queries`].

macro_rules! payments_queries {
    ($Conn:ty) => {
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
    };
}
pub(in crate::store) use payments_queries;
