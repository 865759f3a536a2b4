//! A connection that runs queries without knowing their types.
//!
//! diesel gives each query a type of its own, and what diesel-async does around a query is compiled once for each: a tenth of all code
//! of this crate. Here a query is put behind a pointer first, so that it is compiled once per adapter. A prepared statement is then
//! found by its SQL, which diesel-async writes for each query anyway, and not by the query's type.
//!
//! May depend on diesel and diesel-async alone.

use diesel::QueryResult;
use diesel::backend::Backend;
use diesel::connection::{CacheSize, Instrumentation};
use diesel::query_builder::{AsQuery, AstPass, Query, QueryFragment, QueryId};
use diesel_async::pooled_connection::PoolableConnection;
use diesel_async::{AnsiTransactionManager, AsyncConnection, AsyncConnectionCore, SimpleAsyncConnection};

/// A query behind a pointer.
pub(super) struct ErasedQuery<'query, DB>(Box<dyn QueryFragment<DB> + 'query>);

impl<DB: Backend> QueryFragment<DB> for ErasedQuery<'_, DB> {
    fn walk_ast<'b>(&'b self, pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.0.walk_ast(pass)
    }
}

impl<DB: 'static> QueryId for ErasedQuery<'_, DB> {
    type QueryId = ();

    const HAS_STATIC_QUERY_ID: bool = false;
}

/// Whoever reads the rows knows their type from the query that was handed in.
impl<DB> Query for ErasedQuery<'_, DB> {
    type SqlType = diesel::sql_types::Untyped;
}

/// A connection of diesel-async that erases the types of its queries.
pub(super) struct Erasing<C>(pub(super) C);

impl<C: SimpleAsyncConnection + Send> SimpleAsyncConnection for Erasing<C> {
    async fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        self.0.batch_execute(query).await
    }
}

impl<C> AsyncConnectionCore for Erasing<C>
where
    C: AsyncConnectionCore,
    C::Backend: 'static,
{
    type ExecuteFuture<'conn, 'query> = C::ExecuteFuture<'conn, 'query>;
    type LoadFuture<'conn, 'query> = C::LoadFuture<'conn, 'query>;
    type Stream<'conn, 'query> = C::Stream<'conn, 'query>;
    type Row<'conn, 'query> = C::Row<'conn, 'query>;
    type Backend = C::Backend;

    fn load<'conn, 'query, T>(&'conn mut self, source: T) -> Self::LoadFuture<'conn, 'query>
    where
        T: AsQuery + 'query,
        T::Query: QueryFragment<Self::Backend> + QueryId + 'query,
    {
        self.0.load(ErasedQuery(Box::new(source.as_query())))
    }

    fn execute_returning_count<'conn, 'query, T>(
        &'conn mut self,
        source: T,
    ) -> Self::ExecuteFuture<'conn, 'query>
    where
        T: QueryFragment<Self::Backend> + QueryId + 'query,
    {
        self.0.execute_returning_count(ErasedQuery(Box::new(source)))
    }
}

/// For MySQL's pool and migrations; SQLite's transactions run on the plain connection.
impl<C> AsyncConnection for Erasing<C>
where
    C: AsyncConnection<TransactionManager = AnsiTransactionManager>,
    C::Backend: 'static,
{
    type TransactionManager = AnsiTransactionManager;

    async fn establish(database_url: &str) -> diesel::ConnectionResult<Self> {
        C::establish(database_url).await.map(Self)
    }

    fn transaction_state(&mut self) -> &mut AnsiTransactionManager {
        self.0.transaction_state()
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        self.0.instrumentation()
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.0.set_instrumentation(instrumentation);
    }

    fn set_prepared_statement_cache_size(&mut self, size: CacheSize) {
        self.0.set_prepared_statement_cache_size(size);
    }
}

impl<C> PoolableConnection for Erasing<C> where Self: AsyncConnection {}
