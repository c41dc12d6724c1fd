//! Values, columns, errors and session state between MySQL and a journal.
//!
//! | MySQL | journal |
//! |---|---|
//! | `Null`, `Bool`, `Int`, `UInt`, `Float`, `Double`, `String`, `Bytes` | the kinds of the same names (`Text` for `String`) |
//! | `Date`, `Time`, `DateTime`, `Timestamp`, `Decimal`, `Json` | typed: `date`, `time`, `datetime`, `timestamp`, `decimal`, `json`, as MySQL writes them |
//! | a column | name, SQL type, and as attributes whatever is not zero or empty |
//! | an error of the server | `server`: number, state, message |
//! | a lost connection, a passed deadline | `lost`, `gone`, `timeout`: what was under way |
//!
//! Invariant: a value that went into a journal comes out the same, digits behind the second included. A typed
//! text that is no such value (a journal mended by hand) comes out as a `String`. A column without a type, as
//! in a response written by hand, gets the type of its first value.

use crate::column::{Column, ColumnParts, Columns};
use crate::driver::{Flavor, ServerIdentity, SessionStatus, Summary};
use crate::error::{Error, ServerError};
use crate::value::{Date, DateTime, Decimal, Time, Value, ValueRef};
use rustydb_simulation::exchange::{Attributes, Column as TapeColumn, Failure, ResultSet};
use rustydb_simulation::value::Value as TapeValue;
use rustydb_value::ProtocolType;
use rustydb_value::temporal::{DateMode, parse_datetime, parse_time};
use std::io;
use std::sync::Arc;

/// Zero dates and the like are values too.
const ANY_DATE: DateMode =
    DateMode { no_zero_date: false, no_zero_in_date: false, allow_invalid_dates: true };

/// A value as a journal has it.
pub(super) fn to_tape(value: ValueRef<'_>) -> TapeValue {
    match value {
        ValueRef::Null => TapeValue::Null,
        ValueRef::Bool(v) => TapeValue::Bool(v),
        ValueRef::Int(v) => TapeValue::Int(v),
        ValueRef::UInt(v) => TapeValue::UInt(v),
        ValueRef::Float(v) => TapeValue::Float(v),
        ValueRef::Double(v) => TapeValue::Double(v),
        ValueRef::String(v) => TapeValue::Text(v.to_owned()),
        ValueRef::Bytes(v) => TapeValue::Bytes(v.to_owned()),
        ValueRef::Date(v) => TapeValue::typed("date", v.to_string()),
        ValueRef::Time(v) => TapeValue::typed("time", whole_time(v).to_string()),
        ValueRef::DateTime(v) => TapeValue::typed("datetime", whole(v).to_string()),
        ValueRef::Timestamp(v) => TapeValue::typed("timestamp", whole(v).to_string()),
        ValueRef::Decimal(v) => TapeValue::typed("decimal", v.to_string()),
        ValueRef::Json(v) => TapeValue::typed("json", v),
    }
}

/// With digits enough for all of its microseconds: a program may have made one with more than it prints.
fn whole(value: DateTime) -> DateTime {
    let parsed = parse_datetime(value.to_string().as_bytes(), 6, ANY_DATE);
    match parsed.is_some_and(|parsed| parsed.value.micro() == value.micro()) {
        true => value,
        false => value.with_fsp(6),
    }
}

fn whole_time(value: Time) -> Time {
    let parsed = parse_time(value.to_string().as_bytes(), 6);
    match parsed.is_some_and(|parsed| parsed.value == value) {
        true => value,
        false => value.with_fsp(6),
    }
}

/// A value from a journal.
pub(super) fn from_tape(value: &TapeValue) -> Value {
    match value {
        TapeValue::Null => Value::Null,
        TapeValue::Bool(v) => Value::Bool(*v),
        TapeValue::Int(v) => Value::Int(*v),
        TapeValue::UInt(v) => Value::UInt(*v),
        TapeValue::Float(v) => Value::Float(*v),
        TapeValue::Double(v) => Value::Double(*v),
        TapeValue::Text(v) => Value::String(v.clone()),
        TapeValue::Bytes(v) => Value::Bytes(v.clone()),
        TapeValue::Typed { tag, text } => typed(tag, text).unwrap_or_else(|| Value::String(text.clone())),
        // Of another kind of server: shown as it is written.
        other => Value::String(other.to_string()),
    }
}

fn typed(tag: &str, text: &str) -> Option<Value> {
    let digits = text.rsplit_once('.').map_or(0, |(_, digits)| digits.len());
    let fsp = u8::try_from(digits).ok().filter(|fsp| *fsp <= 6)?;
    let moment = || parse_datetime(text.as_bytes(), fsp, ANY_DATE).filter(|read| !read.truncated);
    Some(match tag {
        "json" => Value::Json(text.to_owned()),
        "date" => Value::Date(date(text)?),
        "datetime" => Value::DateTime(moment()?.value.with_fsp(fsp)),
        "timestamp" => Value::Timestamp(moment()?.value.with_fsp(fsp)),
        "time" => {
            let read = parse_time(text.as_bytes(), fsp).filter(|read| !read.truncated)?;
            Value::Time(read.value.with_fsp(fsp))
        }
        "decimal" => return decimal(text).map(Value::Decimal),
        _ => return None,
    })
}

fn date(text: &str) -> Option<Date> {
    let mut parts = text.splitn(3, '-').map(|part| part.parse::<u32>().ok());
    Date::new(parts.next()??, parts.next()??, parts.next()??)
}

fn decimal(text: &str) -> Option<Decimal> {
    let read = Decimal::parse(text.as_bytes());
    let whole = read.consumed == text.len() && !text.is_empty() && !read.rounded && !read.overflow;
    whole.then_some(read.value)
}

fn put_text(into: &mut Attributes, name: &str, text: &str) {
    if !text.is_empty() {
        into.insert(name.to_owned(), TapeValue::Text(text.to_owned()));
    }
}

fn put_number(into: &mut Attributes, name: &str, number: impl Into<u64>) {
    let number = number.into();
    if number != 0 {
        into.insert(name.to_owned(), TapeValue::UInt(number));
    }
}

fn put_flag(into: &mut Attributes, name: &str, flag: bool) {
    if flag {
        into.insert(name.to_owned(), TapeValue::Bool(true));
    }
}

fn text<'a>(from: &'a Attributes, name: &str) -> &'a str {
    match from.get(name) {
        Some(TapeValue::Text(text)) => text,
        _ => "",
    }
}

fn number<T: TryFrom<u64> + Default>(from: &Attributes, name: &str) -> T {
    let number = match from.get(name) {
        Some(TapeValue::UInt(number)) => *number,
        // Written by hand.
        Some(TapeValue::Int(number)) => u64::try_from(*number).unwrap_or(0),
        _ => 0,
    };
    T::try_from(number).unwrap_or_default()
}

fn flag(from: &Attributes, name: &str) -> Option<bool> {
    match from.get(name) {
        Some(TapeValue::Bool(flag)) => Some(*flag),
        _ => None,
    }
}

/// A column as a journal has it.
pub(super) fn column_to_tape(column: &Column) -> TapeColumn {
    let parts = column.parts();
    let mut attributes = Attributes::new();
    put_text(&mut attributes, "schema", parts.schema);
    put_text(&mut attributes, "table", parts.table);
    put_text(&mut attributes, "org_table", parts.original_table);
    put_text(&mut attributes, "org_name", parts.original_name);
    put_number(&mut attributes, "collation", parts.collation);
    put_number(&mut attributes, "length", parts.length);
    put_number(&mut attributes, "flags", parts.flags);
    put_number(&mut attributes, "decimals", parts.decimals);
    attributes.insert("wire".to_owned(), TapeValue::UInt(u64::from(parts.wire_type)));
    TapeColumn { name: parts.name.to_owned(), kind: column.column_type().name().to_owned(), attributes }
}

/// The columns of a result from a journal.
pub(super) fn columns_from_tape(result: &ResultSet) -> Arc<Columns> {
    let column = |(n, column): (usize, &TapeColumn)| {
        let from = &column.attributes;
        if !from.contains_key("wire") {
            let first =
                result.rows.iter().filter_map(|row| row.get(n)).find(|value| **value != TapeValue::Null);
            return Column::simple(&column.name, wire_type(first));
        }
        Column::new(ColumnParts {
            schema: text(from, "schema"),
            table: text(from, "table"),
            original_table: text(from, "org_table"),
            name: &column.name,
            original_name: text(from, "org_name"),
            collation: number(from, "collation"),
            length: number(from, "length"),
            wire_type: number(from, "wire"),
            flags: number(from, "flags"),
            decimals: number(from, "decimals"),
        })
    };
    Arc::new(Columns::new(result.columns.iter().enumerate().map(column).collect()))
}

/// The type under which a server would send such a value.
fn wire_type(value: Option<&TapeValue>) -> ProtocolType {
    match value {
        Some(TapeValue::Bool(_) | TapeValue::Int(_) | TapeValue::UInt(_)) => ProtocolType::LongLong,
        Some(TapeValue::Float(_)) => ProtocolType::Float,
        Some(TapeValue::Double(_)) => ProtocolType::Double,
        Some(TapeValue::Bytes(_)) => ProtocolType::Blob,
        Some(TapeValue::Typed { tag, .. }) => match tag.as_ref() {
            "date" => ProtocolType::Date,
            "time" => ProtocolType::Time,
            "datetime" => ProtocolType::DateTime,
            "timestamp" => ProtocolType::Timestamp,
            "decimal" => ProtocolType::NewDecimal,
            "json" => ProtocolType::Json,
            _ => ProtocolType::VarString,
        },
        _ => ProtocolType::VarString,
    }
}

/// How a statement ended, for a journal.
pub(super) fn summary_to_tape(summary: &Summary) -> Attributes {
    let mut into = Attributes::new();
    put_number(&mut into, "affected_rows", summary.affected_rows);
    put_number(&mut into, "last_insert_id", summary.last_insert_id);
    put_number(&mut into, "warnings", summary.warnings);
    put_text(&mut into, "info", &summary.info);
    put_text(&mut into, "gtid", summary.gtid.as_deref().unwrap_or_default());
    into
}

/// How a statement ended, from a journal.
pub(super) fn summary_from_tape(from: &Attributes) -> Summary {
    Summary {
        affected_rows: number(from, "affected_rows"),
        last_insert_id: number(from, "last_insert_id"),
        warnings: number(from, "warnings"),
        info: text(from, "info").into(),
        gtid: Some(text(from, "gtid")).filter(|gtid| !gtid.is_empty()).map(Arc::from),
    }
}

/// What the server said of the session behind an exchange.
pub(super) fn status_to_tape(status: &SessionStatus) -> Attributes {
    let mut into = Attributes::new();
    into.insert("in_transaction".to_owned(), TapeValue::Bool(status.in_transaction));
    put_flag(&mut into, "read_only_transaction", status.read_only_transaction);
    put_flag(&mut into, "dirty", status.dirty);
    if !status.autocommit {
        into.insert("autocommit".to_owned(), TapeValue::Bool(false));
    }
    put_text(&mut into, "last_gtid", status.last_gtid.as_deref().unwrap_or_default());
    put_text(&mut into, "schema", status.schema.as_deref().unwrap_or_default());
    into
}

/// Brings a replayed session to where the recorded one was. Says whether the journal told of transactions.
pub(super) fn status_from_tape(from: &Attributes, status: &mut SessionStatus) -> bool {
    let Some(in_transaction) = flag(from, "in_transaction") else { return false };
    status.in_transaction = in_transaction;
    status.read_only_transaction = flag(from, "read_only_transaction").unwrap_or(false);
    status.autocommit = flag(from, "autocommit").unwrap_or(true);
    status.dirty |= flag(from, "dirty").unwrap_or(false);
    for (name, place) in [("last_gtid", &mut status.last_gtid), ("schema", &mut status.schema)] {
        if !text(from, name).is_empty() {
            *place = Some(text(from, name).into());
        }
    }
    true
}

/// What a server said of itself when a connection was made.
pub(super) fn server_to_tape(status: &SessionStatus) -> Attributes {
    let server = &status.server;
    let mut into = status_to_tape(status);
    let flavor = match server.flavor {
        Flavor::MySql => "mysql",
        Flavor::MariaDb => "mariadb",
        Flavor::RustyDb => "rustydb",
    };
    put_text(&mut into, "flavor", flavor);
    put_text(&mut into, "version", &server.version);
    let (major, minor, patch) = server.numbers;
    put_text(&mut into, "numbers", &format!("{major}.{minor}.{patch}"));
    put_text(&mut into, "server_uuid", server.unique_id.as_deref().unwrap_or_default());
    put_text(&mut into, "hostname", server.hostname.as_deref().unwrap_or_default());
    put_number(&mut into, "server_id", server.server_id.unwrap_or(0));
    put_number(&mut into, "max_allowed_packet", server.max_allowed_packet.map_or(0, |most| most as u64));
    put_flag(&mut into, "tracks_state", status.tracks_state);
    put_flag(&mut into, "no_backslash_escapes", status.no_backslash_escapes);
    into
}

/// A fresh session of a server that said this of itself.
pub(super) fn server_from_tape(from: &Attributes, connection_id: u64) -> SessionStatus {
    let said = |name: &str| Some(text(from, name)).filter(|text| !text.is_empty()).map(str::to_owned);
    let mut numbers = text(from, "numbers").split('.').map(|part| part.parse().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    let server = ServerIdentity {
        flavor: match text(from, "flavor") {
            "mariadb" => Flavor::MariaDb,
            "rustydb" => Flavor::RustyDb,
            _ => Flavor::MySql,
        },
        version: said("version").unwrap_or_else(|| "8.4.0".to_owned()),
        numbers: match from.contains_key("numbers") {
            true => (next(), next(), next()),
            false => (8, 4, 0),
        },
        unique_id: said("server_uuid"),
        server_id: Some(number(from, "server_id")).filter(|id| *id != 0),
        hostname: said("hostname"),
        max_allowed_packet: Some(number(from, "max_allowed_packet")).filter(|most| *most != 0),
    };
    let mut status = SessionStatus {
        server: Arc::new(server),
        connection_id,
        autocommit: true,
        // Without a word about it, a session is as clean as its statements leave it.
        tracks_state: flag(from, "tracks_state").unwrap_or(!from.contains_key("version")),
        no_backslash_escapes: flag(from, "no_backslash_escapes").unwrap_or(false),
        ..SessionStatus::default()
    };
    status_from_tape(from, &mut status);
    status.dirty = false;
    status
}

/// What may be under way when something is lost.
const DURING: [&str; 13] = [
    "query",
    "execute",
    "prepare",
    "fetch",
    "rows",
    "connect",
    "handshake",
    "authentication",
    "ping",
    "reset",
    "COMMIT",
    "statement",
    "request",
];

fn during(text: &str) -> &'static str {
    DURING.iter().find(|known| text == **known).copied().unwrap_or("replay")
}

/// An error for a journal; none for one that never reached the server.
pub(super) fn failure_to_tape(error: &Error, hides_values: bool) -> Option<Failure> {
    let of = |kind: &str, message: &str| {
        Some(Failure { kind: kind.to_owned(), code: 0, state: String::new(), message: message.to_owned() })
    };
    match error {
        Error::Server(server) => {
            let message = match hides_values {
                true => server.message(),
                false => server.full_message().to_owned(),
            };
            Some(Failure::server(i64::from(server.code()), server.sqlstate(), message))
        }
        Error::Lost { during, .. } => of("lost", during),
        Error::Timeout { during } => of("timeout", during),
        Error::Gone => of("gone", ""),
        Error::Connect { .. } => of("connect", ""),
        Error::Protocol { during, .. } => of("protocol", during),
        Error::Authentication { .. } => of("authentication", ""),
        _ => None,
    }
}

/// An error from a journal. A protocol violation is replayed as the loss that it is to a caller.
pub(super) fn failure_from_tape(failure: &Failure) -> Error {
    let lost = |during| Error::Lost { during, source: io::Error::from(io::ErrorKind::ConnectionReset) };
    match failure.kind.as_str() {
        "gone" => Error::Gone,
        "timeout" => Error::Timeout { during: during(&failure.message) },
        "lost" | "protocol" | "connect" | "authentication" => lost(during(&failure.message)),
        _ => match failure.code {
            2006 => Error::Gone,
            2013 => lost("query"),
            code => server_error(code, &failure.state, &failure.message),
        },
    }
}

/// An error of a server; state and message are MySQL's own for the number where they are left out.
pub(super) fn server_error(code: i64, state: &str, message: &str) -> Error {
    let code = u16::try_from(code).unwrap_or(1105);
    let (known_state, known_message) = match code {
        1040 => ("08004", "Too many connections"),
        1045 => ("28000", "Access denied"),
        1062 => ("23000", "Duplicate entry"),
        1064 => ("42000", "You have an error in your SQL syntax"),
        1146 => ("42S02", "Table doesn't exist"),
        1205 => ("HY000", "Lock wait timeout exceeded; try restarting transaction"),
        1213 => ("40001", "Deadlock found when trying to get lock; try restarting transaction"),
        1290 => (
            "HY000",
            "The MySQL server is running with the --read-only option so it cannot execute this statement",
        ),
        1317 => ("70100", "Query execution was interrupted"),
        1451 => ("23000", "Cannot delete or update a parent row: a foreign key constraint fails"),
        1452 => ("23000", "Cannot add or update a child row: a foreign key constraint fails"),
        1615 => ("HY000", "Prepared statement needs to be re-prepared"),
        1792 => ("25006", "Cannot execute statement in a READ ONLY transaction."),
        1836 => ("HY000", "Running in read-only mode"),
        3024 => ("HY000", "Query execution was interrupted, maximum statement execution time exceeded"),
        _ => ("HY000", "simulated error"),
    };
    let state = if state.is_empty() { known_state } else { state };
    let message = if message.is_empty() { known_message } else { message };
    let state = <[u8; 5]>::try_from(state.as_bytes()).ok();
    Error::Server(Box::new(ServerError::new(code, state, message)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Equal to the digit that is printed, which equality of dates and times does not look at.
    fn shown(value: &Value) -> String {
        format!("{value:?}")
    }

    #[test]
    fn every_kind_of_value_comes_back_the_same() {
        let moment = |text: &str, fsp| parse_datetime(text.as_bytes(), fsp, ANY_DATE).unwrap().value;
        let values = [
            Value::Null,
            Value::Bool(true),
            Value::Int(i64::MIN),
            Value::UInt(u64::MAX),
            Value::Float(0.1),
            Value::Double(f64::MIN_POSITIVE),
            Value::String("Grüße\0\"".into()),
            Value::Bytes(vec![0, 255]),
            Value::Date(Date::ZERO),
            Value::Date(Date::new(2024, 2, 29).unwrap()),
            Value::Date(Date::new(2024, 0, 0).unwrap()),
            Value::Time(Time::from_micros(-3_020_399_000_000, 0).unwrap()),
            Value::Time(Time::from_micros(1_500_000, 3).unwrap()),
            Value::DateTime(moment("2024-02-29 23:59:59.120", 3)),
            Value::DateTime(moment("0000-00-00 00:00:00", 0)),
            Value::Timestamp(moment("2038-01-19 03:14:07.999999", 6)),
            Value::Decimal(decimal("-0012.500").unwrap()),
            Value::Json(r#"{"a": [1, null]}"#.into()),
        ];
        for value in values {
            let taped = to_tape(value.as_ref());
            let line = serde_json::to_string(&taped).unwrap();
            let read: TapeValue = serde_json::from_str(&line).unwrap();
            assert_eq!(shown(&from_tape(&read)), shown(&value), "{line}");
        }
    }

    #[test]
    fn microseconds_that_are_not_printed_count_all_the_same() {
        let moment = parse_datetime(b"2024-02-29 23:59:59.123456", 6, ANY_DATE).unwrap().value;
        let cut = ValueRef::DateTime(moment.with_fsp(1));
        assert_eq!(to_tape(cut), TapeValue::typed("datetime", "2024-02-29 23:59:59.123456"));
    }

    #[test]
    fn what_is_no_such_value_comes_out_as_text() {
        for (tag, text) in
            [("date", "soon"), ("decimal", "1.2.3"), ("time", "x"), ("datetime", ""), ("blob", "x")]
        {
            assert_eq!(from_tape(&TapeValue::typed(tag, text)), Value::String(text.into()), "{tag}");
        }
    }

    #[test]
    fn columns_summaries_and_sessions_come_back_the_same() {
        let parts = ColumnParts {
            schema: "sakila",
            table: "f",
            original_table: "film",
            name: "t",
            original_name: "title",
            collation: 255,
            length: 512,
            wire_type: ProtocolType::VarString.byte(),
            flags: 0x1001,
            decimals: 0,
        };
        let column = Column::new(parts);
        let result = ResultSet { columns: vec![column_to_tape(&column)], ..ResultSet::default() };
        assert_eq!(columns_from_tape(&result).as_slice(), [column]);

        let summary = Summary {
            affected_rows: 3,
            last_insert_id: 9,
            warnings: 1,
            info: "Rows matched: 3".into(),
            gtid: Some("0-1-5".into()),
        };
        assert_eq!(summary_from_tape(&summary_to_tape(&summary)), summary);

        let server = ServerIdentity {
            flavor: Flavor::MariaDb,
            version: "11.8.2-MariaDB".into(),
            numbers: (11, 8, 2),
            unique_id: Some("u".into()),
            server_id: Some(3),
            hostname: None,
            max_allowed_packet: Some(1 << 24),
        };
        let status = SessionStatus {
            server: Arc::new(server),
            tracks_state: true,
            autocommit: true,
            ..Default::default()
        };
        let back = server_from_tape(&server_to_tape(&status), 7);
        assert_eq!((back.server, back.connection_id, back.tracks_state), (status.server, 7, true));
    }

    #[test]
    fn errors_come_back_with_number_state_and_class() {
        let errors = [
            server_error(1213, "", ""),
            server_error(1062, "23000", "Duplicate entry 'x' for key 't.k'"),
            Error::Gone,
            Error::Timeout { during: "query" },
            Error::Lost { during: "execute", source: io::Error::from(io::ErrorKind::UnexpectedEof) },
        ];
        for error in errors {
            let back = failure_from_tape(&failure_to_tape(&error, false).unwrap());
            assert_eq!((back.kind(), back.code()), (error.kind(), error.code()));
        }
        let hidden =
            failure_to_tape(&server_error(1062, "", "Duplicate entry 'x' for key 'k'"), true).unwrap();
        assert_eq!(hidden.message, "Duplicate entry '?' for key 'k'");
        assert!(failure_to_tape(&Error::ForeignStatement, false).is_none());
    }

    proptest! {
        #[test]
        fn any_moment_comes_back_the_same(days in -700_000_i64..700_000, micros in 0_i64..86_400_000_000, fsp in 0_u8..=6) {
            let unit = 10_i64.pow(6 - u32::from(fsp));
            let micros = days * 86_400_000_000 + micros / unit * unit;
            if let Some(moment) = DateTime::from_micros_since_epoch(micros, fsp) {
                let value = Value::DateTime(moment);
                prop_assert_eq!(shown(&from_tape(&to_tape(value.as_ref()))), shown(&value));
            }
            if let Some(time) = Time::from_micros(micros % 3_000_000_000_000, fsp) {
                let value = Value::Time(time);
                prop_assert_eq!(shown(&from_tape(&to_tape(value.as_ref()))), shown(&value));
            }
        }
    }
}
