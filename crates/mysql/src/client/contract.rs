//! What a client of this kind does, as a trait: for code that takes a client of any driver.

use super::{Client, Connection, ExecuteResult, PreparedStatement, ResultSet, RowStream};
use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::explain::ExplainResult;
use crate::metadata::{TableDescription, TableInfo};
use crate::pool::PoolStats;
use crate::row::Row;
use crate::transaction::{Transaction, TransactionOptions};
use crate::value::{ToValue, Value};

/// The operations of a client; see [`Client`] for what each does and how it fails.
#[allow(missing_docs, reason = "each is that of Client")]
pub trait MysqlClientTrait: Send + Sync {
    type Connection: Send;
    type Stream: Send;
    type Transaction: Send;

    fn acquire_connection(&self) -> impl Future<Output = Result<Self::Connection>> + Send;
    fn release_connection(&self, connection: Self::Connection);
    fn get_pool_status(&self) -> Result<PoolStats>;

    fn execute<P: ToValue + Sync>(
        &self,
        sql: &str,
        parameters: &[P],
    ) -> impl Future<Output = Result<ExecuteResult>> + Send;
    fn query<P: ToValue + Sync>(
        &self,
        sql: &str,
        parameters: &[P],
    ) -> impl Future<Output = Result<ResultSet>> + Send;
    fn query_one<P: ToValue + Sync>(
        &self,
        sql: &str,
        parameters: &[P],
    ) -> impl Future<Output = Result<Option<Row>>> + Send;
    fn query_stream<P: ToValue + Sync>(
        &self,
        sql: &str,
        parameters: &[P],
    ) -> impl Future<Output = Result<Self::Stream>> + Send;
    fn execute_batch(
        &self,
        statements: &[(&str, &[Value])],
    ) -> impl Future<Output = Result<Vec<ExecuteResult>>> + Send;

    fn prepare(&self, sql: &str) -> impl Future<Output = Result<PreparedStatement>> + Send;
    fn execute_prepared<P: ToValue + Sync>(
        &self,
        statement: &PreparedStatement,
        parameters: &[P],
    ) -> impl Future<Output = Result<ResultSet>> + Send;

    fn begin(&self, options: TransactionOptions) -> impl Future<Output = Result<Self::Transaction>> + Send;
    fn with_transaction<T, E, F, Fut>(
        &self,
        options: TransactionOptions,
        work: F,
    ) -> impl Future<Output = Result<T, E>> + Send
    where
        T: Send,
        E: From<Error> + Send,
        F: FnMut(Self::Transaction) -> Fut + Send,
        Fut: Future<Output = Result<T, E>> + Send;

    fn get_primary(&self) -> impl Future<Output = Result<Self::Connection>> + Send;
    fn get_replica(&self) -> impl Future<Output = Result<Self::Connection>> + Send;

    fn list_tables(&self, database: Option<&str>) -> impl Future<Output = Result<Vec<TableInfo>>> + Send;
    fn describe_table(
        &self,
        database: Option<&str>,
        table: &str,
    ) -> impl Future<Output = Result<TableDescription>> + Send;
    fn explain<P: ToValue + Sync>(
        &self,
        sql: &str,
        parameters: &[P],
    ) -> impl Future<Output = Result<Vec<ExplainResult>>> + Send;
}

impl<D: Driver + Clone> MysqlClientTrait for Client<D> {
    type Connection = Connection<D>;
    type Stream = RowStream<D>;
    type Transaction = Transaction<Connection<D>>;

    async fn acquire_connection(&self) -> Result<Connection<D>> {
        Client::acquire_connection(self).await
    }

    fn release_connection(&self, connection: Connection<D>) {
        Client::release_connection(self, connection);
    }

    fn get_pool_status(&self) -> Result<PoolStats> {
        Client::get_pool_status(self)
    }

    async fn execute<P: ToValue + Sync>(&self, sql: &str, parameters: &[P]) -> Result<ExecuteResult> {
        Client::execute(self, sql, parameters).await
    }

    async fn query<P: ToValue + Sync>(&self, sql: &str, parameters: &[P]) -> Result<ResultSet> {
        Client::query(self, sql, parameters).await
    }

    async fn query_one<P: ToValue + Sync>(&self, sql: &str, parameters: &[P]) -> Result<Option<Row>> {
        Client::query_one(self, sql, parameters).await
    }

    async fn query_stream<P: ToValue + Sync>(&self, sql: &str, parameters: &[P]) -> Result<RowStream<D>> {
        Client::query_stream(self, sql, parameters).await
    }

    async fn execute_batch(&self, statements: &[(&str, &[Value])]) -> Result<Vec<ExecuteResult>> {
        Client::execute_batch(self, statements).await
    }

    async fn prepare(&self, sql: &str) -> Result<PreparedStatement> {
        Client::prepare(self, sql).await
    }

    async fn execute_prepared<P: ToValue + Sync>(
        &self,
        statement: &PreparedStatement,
        parameters: &[P],
    ) -> Result<ResultSet> {
        Client::execute_prepared(self, statement, parameters).await
    }

    async fn begin(&self, options: TransactionOptions) -> Result<Transaction<Connection<D>>> {
        Client::begin(self, options).await
    }

    async fn with_transaction<T, E, F, Fut>(&self, options: TransactionOptions, work: F) -> Result<T, E>
    where
        T: Send,
        E: From<Error> + Send,
        F: FnMut(Transaction<Connection<D>>) -> Fut + Send,
        Fut: Future<Output = Result<T, E>> + Send,
    {
        Client::with_transaction(self, options, work).await
    }

    async fn get_primary(&self) -> Result<Connection<D>> {
        Client::get_primary(self).await
    }

    async fn get_replica(&self) -> Result<Connection<D>> {
        Client::get_replica(self).await
    }

    async fn list_tables(&self, database: Option<&str>) -> Result<Vec<TableInfo>> {
        Client::list_tables(self, database).await
    }

    async fn describe_table(&self, database: Option<&str>, table: &str) -> Result<TableDescription> {
        Client::describe_table(self, database, table).await
    }

    async fn explain<P: ToValue + Sync>(&self, sql: &str, parameters: &[P]) -> Result<Vec<ExplainResult>> {
        Client::explain(self, sql, parameters).await
    }
}
