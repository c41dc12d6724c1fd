//! A double of a server: responses, error injections, expectations and tables written by hand.
//!
//! A request is answered by the first of these that has something for it:
//!
//! 1. error injections;
//! 2. expectations, which are counted and verified at the end;
//! 3. responses to queries and to statements that change something, the newest first;
//! 4. what needs no data: transactions, savepoints, `SET`, `USE`, and `SHOW TABLES` and `DESCRIBE` of the tables
//!    that it was told of.
//!
//! Anything else is [`Error::NoAnswer`](crate::Error::NoAnswer), and [`MockMysqlClient::verify`] reports it.
//!
//! ```
//! use rustydb_mysql::driver::{Address, Credential, Driver, Endpoint, Session};
//! use rustydb_mysql::params;
//! use rustydb_mysql::simulation::{MockMysqlClient, MockRows, QueryPattern};
//! use tokio::time::{Duration, Instant};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let mock = MockMysqlClient::new();
//! mock.query_response(
//!     QueryPattern::shape("SELECT title FROM film WHERE film_id = ?"),
//!     MockRows::of(["title"]).row(params!["ACADEMY DINOSAUR"]),
//! );
//! mock.error_injection(QueryPattern::begins("DELETE"), 1451, 1);
//!
//! let endpoint = Endpoint::new("primary", Address::tcp("nowhere", 3306));
//! let deadline = Instant::now() + Duration::from_secs(5);
//! let mut session = mock.driver().connect(&endpoint, &Credential::new("app", ""), deadline).await?;
//! let (_, titles) =
//!     session.prepare_execute("SELECT title FROM film WHERE film_id = ?", &params![1], deadline).await?;
//! let (title,): (String,) = titles.one().await?;
//! assert_eq!(title, "ACADEMY DINOSAUR");
//! assert_eq!(session.run("DELETE FROM film", deadline).await.unwrap_err().code(), Some(1451));
//! assert_eq!(mock.operations().len(), 2);
//! # Ok::<(), rustydb_mysql::Error>(()) }).unwrap();
//! ```

use super::convert::to_tape;
use super::replaying::ReplayingDriver;
use super::{
    Expectation, Failure, FaultScript, Operation, OperationLog, QueryPattern, Reply, Timing, Unmet, operation,
};
use crate::client::{MysqlClient, Services};
use crate::config::ClientConfig;
use crate::error::Result;
use crate::value::ToValue;
use parking_lot::Mutex;
use rustydb_simulation::exchange::{Exchange, Request, ResultSet};
use rustydb_simulation::expectation::{Expectations, Unexpected};
use rustydb_simulation::value::Value as TapeValue;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// How many operations are looked back at.
const MOST_OPERATIONS: usize = 10_000;

/// Rows of a response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MockRows {
    columns: Vec<String>,
    rows: Vec<Vec<TapeValue>>,
}

impl MockRows {
    /// No rows yet, under these columns. A column has the type of its first value.
    pub fn of<T: Into<String>>(columns: impl IntoIterator<Item = T>) -> MockRows {
        MockRows { columns: columns.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// One row more.
    #[must_use]
    pub fn row<T: ToValue>(mut self, values: impl IntoIterator<Item = T>) -> MockRows {
        self.rows.push(values.into_iter().map(|value| to_tape(value.to_value())).collect());
        self
    }
}

impl From<MockRows> for Reply {
    fn from(rows: MockRows) -> Reply {
        let columns: Vec<&str> = rows.columns.iter().map(String::as_str).collect();
        Reply::rows(ResultSet::of(&columns, rows.rows))
    }
}

/// A table that the double knows of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MockTable {
    /// Its name
    pub name: String,
    /// Its columns
    pub columns: Vec<MockColumn>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MockColumn {
    /// Its name
    pub name: String,
    /// Its type in SQL: `varchar(20)`
    pub column_type: String,
    /// Whether it may be NULL
    pub nullable: bool,
}

/// Where the last transaction statement left things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MockTransaction {
    /// No transaction was begun
    #[default]
    None,
    /// One is open
    Active,
    /// The last one was committed
    Committed,
    /// The last one was rolled back
    RolledBack,
}

struct Injection {
    pattern: QueryPattern,
    failure: Failure,
    left: u64,
}

/// What the double knows and has seen.
pub(super) struct MockState {
    query_responses: Mutex<Vec<(QueryPattern, Reply)>>,
    execute_responses: Mutex<Vec<(QueryPattern, Reply)>>,
    error_injections: Mutex<Vec<Injection>>,
    expectations: Expectations,
    tables: Mutex<BTreeMap<String, MockTable>>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    transaction: MockTransaction,
    prepared: BTreeMap<String, u64>,
}

impl MockState {
    pub(super) fn answer(&self, request: Request<'_>) -> Result<Exchange, Unexpected> {
        let reply = self.reply(request)?;
        let mut seen = self.seen.lock();
        if request.operation == operation::EXECUTE {
            *seen.prepared.entry(request.text.to_owned()).or_default() += 1;
        }
        if reply.failure.is_none()
            && let Some(transaction) = transaction_after(request.text)
        {
            seen.transaction = transaction;
        }
        let Reply { results, failure, delay } = reply;
        Ok(Exchange { failure, latency: delay, ..Exchange::answered(request, results) })
    }

    fn reply(&self, request: Request<'_>) -> Result<Reply, Unexpected> {
        let injected = self.error_injections.lock().iter_mut().find_map(|injection| {
            let strikes = injection.left > 0 && injection.pattern.matches(request);
            strikes.then(|| {
                injection.left -= 1;
                Reply::failure(injection.failure.clone())
            })
        });
        let response = |list: &Mutex<Vec<(QueryPattern, Reply)>>| {
            let list = list.lock();
            let found = list.iter().rev().find(|(pattern, _)| pattern.matches(request));
            found.map(|(_, reply)| reply.clone())
        };
        let answer = injected
            .or_else(|| self.expectations.answer_if_expected(request))
            .or_else(|| response(&self.query_responses))
            .or_else(|| response(&self.execute_responses))
            .or_else(|| self.known(request.text));
        match answer {
            Some(reply) => Ok(reply),
            // Asked again for the report.
            None => self.expectations.answer(request),
        }
    }

    /// What needs no response: transactions, settings, names of tables.
    fn known(&self, sql: &str) -> Option<Reply> {
        let words = words(sql);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["begin" | "commit" | "rollback" | "savepoint" | "release" | "set" | "use", ..]
            | ["start", "transaction", ..] => Some(Reply::default()),
            ["show", "tables", ..] => {
                let names =
                    self.tables.lock().keys().map(|name| vec![TapeValue::from(name.as_str())]).collect();
                Some(Reply::rows(ResultSet::of(&["Tables"], names)))
            }
            ["describe" | "desc", table] | ["show", "columns" | "fields", "from" | "in", table] => {
                let tables = self.tables.lock();
                let table = tables.get(table.trim_matches('`').rsplit(['.']).next()?)?;
                let row = |column: &MockColumn| {
                    let nullable = if column.nullable { "YES" } else { "NO" };
                    let known = [column.name.as_str(), column.column_type.as_str(), nullable, ""];
                    let mut row: Vec<TapeValue> = known.into_iter().map(TapeValue::from).collect();
                    row.extend([TapeValue::Null, TapeValue::from("")]);
                    row
                };
                let names = ["Field", "Type", "Null", "Key", "Default", "Extra"];
                Some(Reply::rows(ResultSet::of(&names, table.columns.iter().map(row).collect())))
            }
            _ => None,
        }
    }
}

fn words(sql: &str) -> Vec<String> {
    sql.trim_end_matches([';', ' ', '\n']).split_whitespace().map(str::to_lowercase).collect()
}

fn transaction_after(sql: &str) -> Option<MockTransaction> {
    let words = words(sql);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["begin", ..] | ["start", "transaction", ..] => Some(MockTransaction::Active),
        ["commit", ..] => Some(MockTransaction::Committed),
        ["rollback", rest @ ..] if !rest.contains(&"to") => Some(MockTransaction::RolledBack),
        _ => None,
    }
}

/// A double of a server. Cloning it is cheap; all clones are one.
#[derive(Clone)]
pub struct MockMysqlClient {
    state: Arc<MockState>,
    driver: ReplayingDriver,
    log: Arc<OperationLog>,
}

impl fmt::Debug for MockMysqlClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockMysqlClient").finish_non_exhaustive()
    }
}

impl Default for MockMysqlClient {
    fn default() -> MockMysqlClient {
        MockMysqlClient::new()
    }
}

impl MockMysqlClient {
    /// A double that knows nothing yet; expectations may be met in any order.
    pub fn new() -> MockMysqlClient {
        MockMysqlClient::expecting(Expectations::in_any_order())
    }

    /// A double whose expectations have to be met in their order.
    pub fn in_order() -> MockMysqlClient {
        MockMysqlClient::expecting(Expectations::in_order())
    }

    fn expecting(expectations: Expectations) -> MockMysqlClient {
        let state = Arc::new(MockState {
            query_responses: Mutex::default(),
            execute_responses: Mutex::default(),
            error_injections: Mutex::default(),
            expectations,
            tables: Mutex::default(),
            seen: Mutex::default(),
        });
        let log = Arc::new(OperationLog::new(MOST_OPERATIONS));
        // The delays of replies are the latencies of their exchanges.
        let driver =
            ReplayingDriver::mock(Arc::clone(&state)).timing(Timing::Recorded).logging(Arc::clone(&log));
        MockMysqlClient { state, driver, log }
    }

    /// Answers such queries with these rows, as often as they come.
    pub fn query_response(&self, pattern: QueryPattern, rows: MockRows) -> &MockMysqlClient {
        self.state.query_responses.lock().push((pattern, rows.into()));
        self
    }

    /// Answers such statements with these counts, as often as they come.
    pub fn execute_response(
        &self,
        pattern: QueryPattern,
        affected_rows: u64,
        last_insert_id: u64,
    ) -> &MockMysqlClient {
        let counts = [
            ("affected_rows", TapeValue::UInt(affected_rows)),
            ("last_insert_id", TapeValue::UInt(last_insert_id)),
        ];
        self.state.execute_responses.lock().push((pattern, Reply::rows(ResultSet::done(counts))));
        self
    }

    /// Answers such requests with this error the next `times` times. 2006 and 2013 lose the connection.
    pub fn error_injection(&self, pattern: QueryPattern, code: u16, times: u64) -> &MockMysqlClient {
        let failure = Failure::server(i64::from(code), "", "");
        self.state.error_injections.lock().push(Injection { pattern, failure, left: times });
        self
    }

    /// Expects such a request, counts it and answers it.
    pub fn expect(&self, expectation: Expectation) -> &MockMysqlClient {
        self.state.expectations.add(expectation);
        self
    }

    /// Knows of a table.
    pub fn table(&self, table: MockTable) -> &MockMysqlClient {
        self.state.tables.lock().insert(table.name.to_lowercase(), table);
        self
    }

    /// Lets things go wrong as a script says.
    #[must_use]
    pub fn faults(self, script: FaultScript) -> MockMysqlClient {
        MockMysqlClient { driver: self.driver.faults(script), ..self }
    }

    /// The driver whose sessions this double answers.
    pub fn driver(&self) -> &ReplayingDriver {
        &self.driver
    }

    /// A client on top of this double: its pools, routing and transactions are the real ones.
    ///
    /// # Errors
    /// As [`MysqlClient::over`].
    pub async fn client(&self, config: ClientConfig) -> Result<MysqlClient> {
        MysqlClient::over(self.driver.clone(), config, Services::default()).await
    }

    /// What was asked, oldest first.
    pub fn operations(&self) -> Vec<Operation> {
        self.log.operations()
    }

    /// Where the last transaction statement left things.
    pub fn transaction(&self) -> MockTransaction {
        self.state.seen.lock().transaction
    }

    /// The statements that were executed prepared, and how often.
    pub fn prepared_statements(&self) -> Vec<(String, u64)> {
        self.state.seen.lock().prepared.iter().map(|(sql, times)| (sql.clone(), *times)).collect()
    }

    /// The tables that it knows of.
    pub fn tables(&self) -> Vec<MockTable> {
        self.state.tables.lock().values().cloned().collect()
    }

    /// Whether every expectation was met and nothing came that had no answer.
    ///
    /// # Errors
    /// [`Unmet`], which lists what was not.
    pub fn verify(&self) -> Result<(), Unmet> {
        self.state.expectations.verify()
    }
}
