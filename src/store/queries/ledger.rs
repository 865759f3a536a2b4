//! Movements and balances. Part of [`super::shared_queries`].

macro_rules! ledger_queries {
    ($Conn:ty) => {
        async fn wallet_list(conn: &mut $Conn, owner: AccountId) -> StoreResult<Vec<WalletRecord>> {
            use schema::wallet::dsl;
            // A wallet's key starts with its owner.
            let (first, end) = (owner.as_bytes().to_vec(), [owner.as_bytes().as_slice(), b"\xff"].concat());
            let found: Vec<rows::WalletRow> = dsl::wallet
                .filter(dsl::id.ge(first).and(dsl::id.lt(end)))
                .order(dsl::id.asc())
                .select(rows::WalletRow::as_select())
                .load(conn)
                .await?;
            found.iter().map(rows::WalletRow::decode).collect()
        }

        async fn movement_list(conn: &mut $Conn, payments: &[PaymentId]) -> StoreResult<Vec<MovementRecord>> {
            use schema::movement::dsl;
            let mut movements = Vec::with_capacity(payments.len());
            for chunk in payments.chunks(KeyIn::<()>::MAX) {
                let found: Vec<rows::MovementRow> = dsl::movement
                    .filter(KeyIn::new(dsl::payment, chunk.iter().map(|id| id.as_bytes().to_vec())))
                    .order((dsl::payment.asc(), dsl::version.asc(), dsl::n.asc()))
                    .select(rows::MovementRow::as_select())
                    .load(conn)
                    .await?;
                for row in &found {
                    movements.push(row.decode()?);
                }
            }
            Ok(movements)
        }
    };
}
pub(in crate::store) use ledger_queries;
