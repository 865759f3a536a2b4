//! Queries by key that batches and other calls share: a macro expanded for each connection and each way of running a query on it.
//! `rows_max` is the most rows that one statement writes.

macro_rules! keyed_queries {
    ($Conn:ty, $($dsl:ident)::+, $rows_max:ident) => {
        use $($dsl)::+ as _;
        use diesel::{BoolExpressionMethods as _, ExpressionMethods, QueryDsl, SelectableHelper};

        use $crate::domain::ids::PaymentId;
        use $crate::domain::payment::Payment;
        use $crate::domain::subject::Subject;
        use $crate::store::StoreResult;
        use $crate::store::multi_row::{Cell, KeyIn, Statement};
        use $crate::store::schema;
        use $crate::store::{details, found, payments, resources};

        /// Writes rows with statements of the fixed sizes.
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
        ) -> StoreResult<found::Found<Payment>> {
            use schema::payment::dsl;
            let mut payments = found::Found::default();
            for chunk in ids.chunks(KeyIn::<()>::MAX) {
                let found: Vec<payments::PaymentRow> = dsl::payment
                    .filter(KeyIn::new(dsl::id, chunk.iter().map(|id| id.as_bytes().to_vec())))
                    .select(payments::PaymentRow::as_select())
                    .load(conn)
                    .await?;
                found.iter().for_each(|row| payments.push(row, std::convert::identity));
            }
            read_terms(conn, &mut payments.rows).await?;
            Ok(payments.without_unread())
        }

        /// Details asked for in one statement: each may be a hundred kilobytes.
        const DETAILS_AT_ONCE: usize = 32;

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
                let found: Vec<details::DetailRow> = query.load(conn).await?;
                for row in found {
                    details.push(details::detail(row)?);
                }
            }
            Ok(details)
        }

        /// Reads the current terms of those of these payments that were amended. Costs nothing if none was.
        pub(super) async fn read_terms<T: found::OfPayment + Send>(conn: &mut $Conn, found: &mut [T]) -> StoreResult<()> {
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
            for payment in found.iter_mut().filter_map(found::OfPayment::payment) {
                let key = payment.unread_terms().map(|(version, _)| (version, *payment.id().as_bytes()));
                let terms = key.and_then(|(version, id)| read.get(&(id, u64::from(version))));
                if let (Some((version, _)), Some(terms)) = (key, terms) {
                    payment.read_terms(version, terms.clone());
                }
            }
            Ok(())
        }

        /// The rows of these resources, of which there must be no more than one statement takes.
        pub(super) async fn resource_rows(
            conn: &mut $Conn,
            subjects: &[Subject],
        ) -> StoreResult<Vec<resources::ResourceRow>> {
            use schema::resource::dsl;
            let keys = subjects.iter().map(|subject| subject.to_key().to_vec());
            Ok(dsl::resource
                .filter(KeyIn::new(dsl::subject, keys))
                .select(resources::ResourceRow::as_select())
                .load(conn)
                .await?)
        }
    };
}
pub(super) use keyed_queries;
