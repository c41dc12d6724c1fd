//! What servers hold and how they do, asked through the client: of a replica where that is as good.

use super::Client;
use crate::driver::Driver;
use crate::error::Result;
use crate::explain::{self, ExplainResult};
use crate::health::{self, Process, ReplicaStatus, ServerStatus};
use crate::metadata::{self, IndexInfo, TableDescription, TableInfo, TableStats};
use crate::value::ToValue;
use std::time::Duration;
use tokio::time::Instant;

/// A question to a session of a replica or the primary, and learning from how it ended.
macro_rules! ask {
    ($client:expr, $side:ident, |$session:ident, $deadline:ident| $question:expr) => {{
        let mut connection = $client.$side().await?;
        let begin = Instant::now();
        let $deadline = begin + $client.config().limits.query_timeout;
        let $session = connection.session();
        let outcome = $question.await;
        connection.learn(begin.elapsed(), &outcome);
        outcome
    }};
}

impl<D: Driver + Clone> Client<D> {
    /// Names of the databases that the account may see.
    ///
    /// # Errors
    /// Whatever fails a query, as everything here.
    pub async fn list_databases(&self) -> Result<Vec<String>> {
        ask!(self, get_replica, |session, deadline| metadata::list_databases(session, deadline))
    }

    /// Tables and views of a database; of the default one when there is no name.
    ///
    /// # Errors
    /// Whatever fails a query.
    pub async fn list_tables(&self, database: Option<&str>) -> Result<Vec<TableInfo>> {
        ask!(self, get_replica, |session, deadline| metadata::list_tables(session, database, deadline))
    }

    /// A table with its columns, indexes and foreign keys.
    ///
    /// # Errors
    /// 1146 where there is no such table.
    pub async fn describe_table(&self, database: Option<&str>, table: &str) -> Result<TableDescription> {
        ask!(self, get_replica, |session, deadline| metadata::describe_table(
            session, database, table, deadline
        ))
    }

    /// Indexes of a table.
    ///
    /// # Errors
    /// Whatever fails a query.
    pub async fn list_indexes(&self, database: Option<&str>, table: &str) -> Result<Vec<IndexInfo>> {
        ask!(self, get_replica, |session, deadline| metadata::list_indexes(
            session, database, table, deadline
        ))
    }

    /// How large a table is.
    ///
    /// # Errors
    /// 1146 where there is no such table.
    pub async fn get_table_stats(&self, database: Option<&str>, table: &str) -> Result<TableStats> {
        ask!(self, get_replica, |session, deadline| metadata::get_table_stats(
            session, database, table, deadline
        ))
    }

    /// The plan of a statement, on the server that would run it, with warnings.
    ///
    /// # Errors
    /// [`Error::NotAllowed`](crate::Error::NotAllowed) for what has no plan.
    pub async fn explain<P: ToValue + Sync>(
        &self,
        sql: &str,
        parameters: &[P],
    ) -> Result<Vec<ExplainResult>> {
        ask!(self, get_primary, |session, deadline| explain::explain(session, sql, parameters, deadline))
    }

    /// How long the primary takes to answer.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<Duration> {
        ask!(self, get_primary, |session, deadline| health::ping(session, deadline))
    }

    /// Connections, statements and buffer pool of the primary.
    ///
    /// # Errors
    /// Whatever fails a query.
    pub async fn server_status(&self) -> Result<ServerStatus> {
        ask!(self, get_primary, |session, deadline| health::server_status(session, deadline))
    }

    /// Who does what on the primary now.
    ///
    /// # Errors
    /// Whatever fails a query.
    pub async fn process_list(&self) -> Result<Vec<Process>> {
        ask!(self, get_primary, |session, deadline| health::process_list(session, deadline))
    }

    /// Whom a replica follows and how far it is behind; of the primary when there is no replica.
    ///
    /// # Errors
    /// Whatever fails a query.
    pub async fn get_replica_status(&self) -> Result<Vec<ReplicaStatus>> {
        ask!(self, get_replica, |session, deadline| health::check_replication(session, deadline))
    }
}
