//! Plain resources, and the answers kept for their changes. Part of [`super::shared_queries`].

macro_rules! resources_queries {
    ($Conn:ty) => {
        async fn resource_list(
            conn: &mut $Conn,
            owner: AccountId,
            filter: &ResourceFilter,
        ) -> StoreResult<rows::Found<Resource>> {
            use schema::resource::dsl;
            let (first, last) = (vec![filter.kind.code()], vec![filter.kind.code().saturating_add(1)]);
            let mut query = dsl::resource
                .filter(dsl::owner.eq(owner.as_bytes().to_vec()))
                .filter(dsl::clock.eq(filter.clock.as_bytes().to_vec()))
                .filter(dsl::deleted.eq(0))
                .filter(dsl::subject.gt(filter.after.map_or(first, |after| after.to_key().to_vec())))
                .filter(dsl::subject.lt(filter.before.map_or(last, |before| before.to_key().to_vec())))
                .into_boxed();
            if let Some(from) = filter.created_from {
                query = query.filter(dsl::created_at.ge(from.micros()));
            }
            if let Some(to) = filter.created_to {
                query = query.filter(dsl::created_at.lt(to.micros()));
            }
            if let Some((from, to)) = filter.id_bounds() {
                query = query.filter(dsl::subject.ge(from)).filter(dsl::subject.lt(to));
            }
            query = match filter.after {
                Some(_) => query.order(dsl::subject.asc()),
                None => query.order(dsl::subject.desc()),
            };
            let found: Vec<rows::ResourceRow> = query
                .limit(i64::from(filter.limit))
                .select(rows::ResourceRow::as_select())
                .load(conn)
                .await?;
            let mut resources = rows::Found::default();
            found.iter().for_each(|row| resources.push_resource(row));
            if filter.after.is_some() {
                resources.rows.reverse();
            }
            Ok(resources)
        }

        async fn answer_get(
            conn: &mut $Conn,
            key: &[u8; 32],
            owner: AccountId,
        ) -> StoreResult<Option<Vec<u8>>> {
            use schema::answer::dsl;
            let place = (key.to_vec(), owner.as_bytes().to_vec());
            Ok(dsl::answer.find(place).select(dsl::body).get_result(conn).await.optional()?)
        }

        /// Payments that have named this customer, the first of them in the filter's direction.
        async fn customer_payments(
            conn: &mut $Conn,
            customer: CustomerId,
            filter: &PaymentFilter,
        ) -> StoreResult<rows::Found<Payment>> {
            use schema::customer_payment::dsl;
            let own =
                || dsl::customer_payment.filter(dsl::customer.eq(customer.as_bytes().to_vec())).into_boxed();
            let mut found =
                $crate::store::queries::payments::payments_beside!(conn, filter, own(), dsl::payment);
            if filter.is_in_times() {
                let by_test_clocks = PaymentFilter { by_test_clocks: true, ..filter.clone() };
                found.add($crate::store::queries::payments::payments_beside!(
                    conn,
                    by_test_clocks,
                    own(),
                    dsl::payment
                ));
            }
            in_page(&mut found.rows, filter.limit, filter.after.is_some(), Payment::id);
            Ok(found)
        }
    };
}
pub(in crate::store) use resources_queries;
