//! A server under a generator: statements with deadlines, answers in a form that can be compared.
//!
//! Decimals are compared without zeros at their end, doubles by nine digits, since sums depend on the order of rows. In a
//! folded schema texts are compared without case, accents and spaces at the end, and without those spaces where its
//! collation does not see them. Everything else is compared as the bytes that came.

use mysql::consts::ColumnType;
use mysql::prelude::Queryable;
use mysql::{Conn, Opts, Value};
use rustydb_testkit::client::Address;
use std::time::Duration;

/// The server gives up a query by itself after this.
const SERVER_DEADLINE: Duration = Duration::from_secs(10);
/// One that has not answered by then hangs.
const DEADLINE: Duration = Duration::from_secs(30);
/// Rows looked at; of more they are counted.
const MOST_ROWS: usize = 20_000;

/// Zeros behind a point that no column has.
const MANY_ZEROS: &str = "00000000000000000000000000";

/// How the one row ends that stands for too many.
pub(super) const MANY: &str = " of them";

/// What a server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Rows(Vec<String>),
    Changed(u64),
    Error(u16, String),
    /// The connection broke or stayed silent
    Lost(String),
}

impl Answer {
    /// In a line.
    pub(super) fn shown(&self) -> String {
        match self {
            Answer::Rows(rows) => {
                let some: Vec<&str> = rows.iter().take(12).map(String::as_str).collect();
                let more = if rows.len() > 12 { " .." } else { "" };
                format!("{} rows: {}{more}", rows.len(), some.join("; "))
            }
            Answer::Changed(rows) => format!("{rows} changed"),
            Answer::Error(code, message) => format!("error {code}: {message}"),
            Answer::Lost(why) => format!("LOST: {why}"),
        }
    }

    /// The rows in an order of their own.
    pub(super) fn sorted(mut self) -> Answer {
        if let Answer::Rows(rows) = &mut self {
            rows.sort();
        }
        self
    }
}

/// A connection with a database of its own.
pub(super) struct Session {
    address: Address,
    database: String,
    connection: Option<Conn>,
    /// Whether texts that differ in case alone are the same
    pub(super) folded: bool,
    /// Of the connection
    pub(super) collation: &'static str,
}

impl Session {
    pub(super) fn new(address: Address, database: &str) -> Session {
        Session {
            address,
            database: database.to_owned(),
            connection: None,
            folded: false,
            collation: "utf8mb4_0900_ai_ci",
        }
    }

    /// An empty database with these tables, or the number and text of the first error.
    pub(super) fn fresh(&mut self, script: &[String]) -> Result<(), (u16, String)> {
        self.connection = None;
        let name = self.database.clone();
        let made = self.connect("").and_then(|mut connection| {
            connection.query_drop(format!("DROP DATABASE IF EXISTS {name}"))?;
            connection.query_drop(format!("CREATE DATABASE {name}"))
        });
        made.map_err(|error| (0, error.to_string()))?;
        for statement in script {
            match self.ask(statement) {
                Answer::Error(code, why) => return Err((code, format!("{why}: {statement}"))),
                Answer::Lost(why) => return Err((0, format!("{why}: {statement}"))),
                _ => {}
            }
        }
        Ok(())
    }

    /// Runs one statement.
    pub(super) fn ask(&mut self, sql: &str) -> Answer {
        if self.connection.is_none() {
            let name = self.database.clone();
            match self.connect(&name) {
                Ok(connection) => self.connection = Some(connection),
                Err(error) => return Answer::Lost(error.to_string()),
            }
        }
        let Some(connection) = &mut self.connection else { return Answer::Lost("no connection".into()) };
        let padded = !self.collation.contains("0900");
        match answer(connection, sql, (self.folded, padded)) {
            Ok(answer) => answer,
            Err(mysql::Error::MySqlError(refused)) => Answer::Error(refused.code, refused.message),
            Err(other) => {
                self.connection = None;
                Answer::Lost(other.to_string())
            }
        }
    }

    /// Whether one of some settings of `optimizer_switch` makes it answer like this.
    pub(super) fn agrees_otherwise(
        &mut self,
        switches: &[&str],
        mut ask: impl FnMut(&mut Session) -> Option<Answer>,
        wanted: &Answer,
    ) -> bool {
        switches.iter().any(|switches| {
            self.ask(&format!("SET optimizer_switch = '{switches}'"));
            let agrees = ask(self).is_some_and(|answer| match (&answer, wanted) {
                // Given up for its time, it answers nothing that could be held against ours.
                (Answer::Error(1317 | 3024, _), _) => true,
                // Of an error the number alone is the same.
                (Answer::Error(a, _), Answer::Error(b, _)) => a == b,
                (a, b) => a == b,
            });
            self.ask("SET optimizer_switch = default");
            agrees
        })
    }

    fn connect(&self, database: &str) -> mysql::Result<Conn> {
        let options = self.address.options().read_timeout(Some(DEADLINE));
        let options = options.db_name((!database.is_empty()).then_some(database));
        let mut connection = Conn::new(Opts::from(options))?;
        connection.query_drop(format!("SET NAMES utf8mb4 COLLATE {}", self.collation))?;
        connection.query_drop("SET time_zone = '+00:00', cte_max_recursion_depth = 1000")?;
        connection.query_drop(format!("SET max_execution_time = {}", SERVER_DEADLINE.as_millis()))?;
        // MySQL sorts by no more of a text than this, in a buffer with room for it; ours sorts by all of it, and refuses
        // the setting.
        if let Err(error) = connection.query_drop("SET max_sort_length = 65536, sort_buffer_size = 67108864")
            && !matches!(error, mysql::Error::MySqlError(_))
        {
            return Err(error);
        }
        Ok(connection)
    }
}

fn answer(connection: &mut Conn, sql: &str, folding: (bool, bool)) -> mysql::Result<Answer> {
    let mut result = connection.query_iter(sql)?;
    let types: Vec<ColumnType> = result.columns().as_ref().iter().map(mysql::Column::column_type).collect();
    let (mut rows, mut count) = (Vec::new(), 0_usize);
    for row in result.by_ref() {
        count += 1;
        let cells = row?.unwrap_raw();
        let cells: Vec<String> =
            cells.into_iter().zip(&types).map(|(cell, ty)| text(cell, *ty, folding)).collect();
        if rows.len() < MOST_ROWS {
            rows.push(cells.join(" | "));
        }
    }
    if count > rows.len() {
        // In any order: as many is what can be compared.
        rows = vec![format!("{count}{MANY}")];
    }
    Ok(if types.is_empty() { Answer::Changed(result.affected_rows()) } else { Answer::Rows(rows) })
}

fn text(cell: Option<Value>, ty: ColumnType, (folded, padded): (bool, bool)) -> String {
    let bytes = match cell {
        Some(Value::Bytes(bytes)) => bytes,
        None | Some(Value::NULL) => return "NULL".into(),
        Some(other) => return other.as_sql(true),
    };
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    // As a text, MySQL gives a number beside the NULL of a derived table 31 digits.
    if text.ends_with(MANY_ZEROS) && text.contains('.') {
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    }
    match ty {
        ColumnType::MYSQL_TYPE_DOUBLE | ColumnType::MYSQL_TYPE_FLOAT => match text.parse::<f64>() {
            Ok(0.0) => "0".into(),
            Ok(number) => format!("{number:.8e}"),
            Err(_) => text,
        },
        // MySQL's IF and CASE keep the scale of the value they chose, ours have one scale for all.
        ColumnType::MYSQL_TYPE_NEWDECIMAL if text.contains('.') => {
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ if folded => text.to_lowercase().replace('á', "a").trim_end().to_owned(),
        // Of texts that a collation holds for the same, MIN gives any.
        _ if padded => text.trim_end_matches(' ').to_owned(),
        _ => text,
    }
}
