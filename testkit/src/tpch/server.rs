//! A MySQL server that is asked TPC-H's queries, each with a deadline on both sides.

use super::answers::Answer;
use super::schema::TABLES;
use crate::client::Address;
use crate::{Error, Result};
use mysql::prelude::Queryable;
use mysql::{Conn, Opts, Row, Value};
use std::time::{Duration, Instant};

/// How long after the server's own deadline an answer is waited for.
const GRACE: Duration = Duration::from_secs(30);

/// A session in the database `tpch`.
#[derive(Debug)]
pub struct Server {
    connection: Conn,
}

/// How a query ended.
#[derive(Debug)]
pub enum Timed {
    /// Seconds to the last row, and the rows
    Answered(f64, Answer),
    /// The server's error
    Refused(String),
}

impl Server {
    /// Connects with `variable` (MySQL's, in milliseconds, or MariaDB's, in seconds) as the deadline of statements.
    pub fn new(address: &Address, variable: &str, seconds: u64) -> Result<Server> {
        let options = address.options().db_name(Some("tpch"));
        let options = options.read_timeout(Some(Duration::from_secs(seconds) + GRACE));
        let mut connection = Conn::new(Opts::from(options))?;
        let value = if variable == "max_execution_time" { seconds * 1000 } else { seconds };
        connection.query_drop(format!("SET SESSION {variable} = {value}"))?;
        Ok(Server { connection })
    }

    /// Gathers statistics of all tables.
    pub fn analyze(&mut self) -> Result<()> {
        let names: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
        let _: Vec<Row> = self.connection.query(format!("ANALYZE TABLE {}", names.join(", ")))?;
        Ok(())
    }

    /// Runs a query to its last row.
    pub fn ask(&mut self, sql: &str) -> Result<Timed> {
        let begin = Instant::now();
        match self.connection.query::<Row, _>(sql) {
            Ok(rows) => {
                let took = begin.elapsed().as_secs_f64();
                Ok(Timed::Answered(took, Answer(rows.into_iter().map(cells).collect())))
            }
            Err(mysql::Error::MySqlError(refused)) => Ok(Timed::Refused(refused.to_string())),
            Err(other) => Err(Error::Sql(other)),
        }
    }
}

fn cells(row: Row) -> Vec<String> {
    let text = |cell: Option<Value>| match cell {
        Some(Value::Bytes(bytes)) => String::from_utf8_lossy(&bytes).trim().to_owned(),
        None | Some(Value::NULL) => "NULL".to_owned(),
        Some(other) => other.as_sql(true),
    };
    row.unwrap_raw().into_iter().map(text).collect()
}
