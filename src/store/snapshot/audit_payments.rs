//! Reads payments with all that is stored beside them, for the auditor.

macro_rules! audit_payments {
    ($Conn:ty) => {
        use std::collections::{HashMap, HashSet};

        /// Payments with their amended terms; those whose amendment is gone stay unread.
        async fn audited(conn: &mut $Conn, found: Vec<snapshot::AuditRow>) -> StoreResult<Vec<AuditPayment>> {
            let decoded: StoreResult<Vec<AuditPayment>> =
                found.into_iter().map(snapshot::AuditRow::decode).collect();
            let mut payments = decoded?;
            read_terms(conn, &mut payments).await?;
            Ok(payments)
        }

        async fn audit_payments(
            conn: &mut $Conn,
            after: Option<PaymentId>,
            limit: u32,
        ) -> StoreResult<Vec<AuditPayment>> {
            use schema::payment::dsl;
            let after = after.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
            let found: Vec<snapshot::AuditRow> = dsl::payment
                .filter(dsl::id.gt(after))
                .order(dsl::id.asc())
                .limit(i64::from(limit))
                .select(snapshot::AuditRow::as_select())
                .load(conn)
                .await?;
            let mut payments = audited(conn, found).await?;
            audit_beside(conn, &mut payments).await?;
            Ok(payments)
        }

        /// Adds the rows of these payments in the side tables.
        async fn audit_beside(conn: &mut $Conn, payments: &mut [AuditPayment]) -> StoreResult<()> {
            use schema::{clock_busy, due, open_work, parked};
            for page in payments.chunks_mut(KeyIn::<()>::MAX) {
                let keys = || page.iter().map(|row| row.id.as_bytes().to_vec());
                let found: Vec<(Vec<u8>, Vec<u8>, i64)> = due::table
                    .filter(KeyIn::new(
                        due::subject,
                        page.iter().map(|row| $crate::store::due::due_key(row.id)),
                    ))
                    .order((due::subject.asc(), due::clock.asc()))
                    .load(conn)
                    .await?;
                let mut due: HashMap<PaymentId, Vec<(ClockId, Timestamp)>> = HashMap::new();
                for (key, clock, at) in &found {
                    let Some(id) = $crate::store::due::due_payment(key) else { continue };
                    due.entry(id).or_default().push((clocks::clock_id(clock)?, Timestamp::from_micros(*at)));
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

        /// Of the clocks that these payments were created on, those that are gone: deleted, or their account is closed.
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
                let found: Vec<snapshot::AuditRow> = dsl::payment
                    .filter(KeyIn::new(dsl::id, chunk.iter().map(|id| id.as_bytes().to_vec())))
                    .select(snapshot::AuditRow::as_select())
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
                        id: PaymentId::from_slice(&id).ok_or_else(|| columns::damaged("payment.id"))?,
                        owner: columns::account_id(&owner)?,
                        version: u32::try_from(version).unwrap_or(0),
                    });
                }
            }
            Ok(heads)
        }
    };
}
pub(in crate::store) use audit_payments;
