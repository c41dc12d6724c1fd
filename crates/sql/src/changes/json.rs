//! Changes as JSON, one object a line, for people and programs that read text.
//!
//! A transaction is its schema changes, its rows and, last, one line with its position: who has read that line
//! has the whole transaction, and comes back with the position. Every line carries the number of the commit.
//!
//! ```text
//! {"commit":7,"schema":"create table","database":"shop","table":"stock","columns":[{"name":"id","type":"int"},...]}
//! {"commit":7,"row":"update","database":"shop","table":"stock","before":{"id":1,"n":5},"after":{"id":1,"n":4}}
//! {"commit":7,"gtid":"3e11fa47-...:7","time_micros":1763735000000000,"position":"01..."}
//! ```
//! Integers, floating-point numbers and JSON are given as such, everything else as MySQL's text: DECIMAL keeps
//! its digits, TIMESTAMP is in UTC, ENUM and SET are names. Binary strings are `0x` and hex digits.

use std::fmt::Write as _;
use std::time::Duration;

use rustydb_catalog::{SchemaChange, TableDef};
use rustydb_transaction::WaitOptions;
use rustydb_transaction::changelog::{Position, TransactionHead};
use rustydb_value::json::quote;
use rustydb_value::{Json, Value};

use super::{ChangeStream, TableRow};
use crate::error::SqlError;

/// Writes the lines of a [`ChangeStream`].
#[derive(Debug)]
pub struct JsonLines {
    stream: ChangeStream,
    server_uuid: String,
    head: Option<TransactionHead>,
    schema_lines: usize,
}

impl JsonLines {
    /// Lines for what the stream gives, with GTIDs of this server.
    pub fn new(stream: ChangeStream, server_uuid: String) -> JsonLines {
        JsonLines { stream, server_uuid, head: None, schema_lines: 0 }
    }

    /// Appends the next line, with its line feed; false when the time is over without one.
    ///
    /// # Errors
    /// Those of the stream.
    pub fn next_line(&mut self, wait: &WaitOptions, out: &mut String) -> Result<bool, SqlError> {
        loop {
            let Some(head) = self.head else {
                self.head = self.stream.next(wait)?;
                self.schema_lines = 0;
                if self.head.is_none() {
                    return Ok(false);
                }
                continue;
            };
            if let Some(change) = self.stream.schema_changes().get(self.schema_lines) {
                self.schema_lines += 1;
                write_schema(head.csn, change, out);
                return Ok(true);
            }
            if let Some(row) = self.stream.next_row()? {
                write_row(head.csn, &row, out);
                return Ok(true);
            }
            self.head = None;
            let (uuid, position) = (&self.server_uuid, self.stream.position());
            // Writing to a String does not fail.
            let _ = writeln!(
                out,
                "{{\"commit\":{},\"gtid\":\"{uuid}:{}\",\"time_micros\":{},\"position\":\"{position}\"}}",
                head.csn, head.number, head.time
            );
            return Ok(true);
        }
    }

    /// Whether the last line was the last of its transaction.
    pub fn is_between_transactions(&self) -> bool {
        self.head.is_none()
    }

    /// Behind the last transaction that was begun.
    pub fn position(&self) -> Position {
        self.stream.position()
    }

    /// A wait that takes what is there.
    pub fn no_wait() -> WaitOptions {
        WaitOptions::timeout(Duration::ZERO)
    }
}

fn write_schema(commit: u64, change: &SchemaChange, out: &mut String) {
    let verb = |before: bool, after: bool| match (before, after) {
        (false, _) => "create",
        (true, false) => "drop",
        (true, true) => "alter",
    };
    let _ = write!(out, "{{\"commit\":{commit},\"schema\":\"");
    match change {
        SchemaChange::Database { before, after } => {
            let name = after.as_ref().or(before.as_ref()).map_or("", |def| &def.name);
            let _ = write!(out, "{} database\",\"database\":", verb(before.is_some(), after.is_some()));
            quote(name, out);
        }
        SchemaChange::View { before, after } => {
            let Some(def) = after.as_ref().or(before.as_ref()) else { return };
            let _ = write!(out, "{} view\",\"database\":", verb(before.is_some(), after.is_some()));
            quote(&def.database, out);
            out.push_str(",\"view\":");
            quote(&def.name, out);
        }
        SchemaChange::Table { before, after } => {
            let Some(def) = after.as_ref().or(before.as_ref()) else { return };
            let _ = write!(out, "{} table\"", verb(before.is_some(), after.is_some()));
            write_table_name(def, out);
            if let (Some(before), Some(after)) = (before, after)
                && (&before.database, &before.name) != (&after.database, &after.name)
            {
                out.push_str(",\"from_database\":");
                quote(&before.database, out);
                out.push_str(",\"from_table\":");
                quote(&before.name, out);
            }
            if change.empties_table() {
                out.push_str(",\"rows\":\"begin anew\"");
            }
            if let Some(after) = after {
                write_columns(after, out);
            }
        }
    }
    out.push_str("}\n");
}

fn write_table_name(def: &TableDef, out: &mut String) {
    out.push_str(",\"database\":");
    quote(&def.database, out);
    out.push_str(",\"table\":");
    quote(&def.name, out);
}

fn write_columns(def: &TableDef, out: &mut String) {
    out.push_str(",\"columns\":[");
    for (at, column) in def.columns.iter().enumerate() {
        out.push_str(if at == 0 { "{\"name\":" } else { ",{\"name\":" });
        quote(&column.name, out);
        out.push_str(",\"type\":");
        quote(&column.ty.full_name(), out);
        out.push_str(if column.nullable { "}" } else { ",\"nullable\":false}" });
    }
    out.push_str("],\"primary_key\":[");
    for (at, part) in def.primary.columns.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        quote(def.columns.get(part.column).map_or("", |column| &column.name), out);
    }
    out.push(']');
}

fn write_row(commit: u64, row: &TableRow, out: &mut String) {
    let kind = match (&row.before, &row.after) {
        (None, _) => "insert",
        (Some(_), None) => "delete",
        (Some(_), Some(_)) => "update",
    };
    let _ = write!(out, "{{\"commit\":{commit},\"row\":\"{kind}\"");
    write_table_name(&row.table, out);
    if let Some(row_id) = row.row_id {
        let _ = write!(out, ",\"row_id\":{row_id}");
    }
    for (name, image) in [("before", &row.before), ("after", &row.after)] {
        let Some(values) = image else { continue };
        let _ = write!(out, ",\"{name}\":");
        for (at, (column, value)) in row.table.columns.iter().zip(values).enumerate() {
            out.push(if at == 0 { '{' } else { ',' });
            quote(&column.name, out);
            out.push(':');
            write_value(&column.ty, value, out);
        }
        out.push_str(if values.is_empty() { "{}" } else { "}" });
    }
    out.push_str("}\n");
}

fn write_value(ty: &rustydb_value::ColumnType, value: &Value, out: &mut String) {
    let is_named =
        matches!(ty.kind, rustydb_value::TypeKind::Enum { .. } | rustydb_value::TypeKind::Set { .. });
    match value {
        Value::Null => out.push_str("null"),
        Value::Int(n) => {
            let _ = write!(out, "{n}");
        }
        Value::UInt(n) if !is_named => {
            let _ = write!(out, "{n}");
        }
        Value::Year(n) => {
            let _ = write!(out, "{n}");
        }
        Value::Bit(bit) => {
            let _ = write!(out, "{}", bit.value);
        }
        Value::Float(_) | Value::Double(_) => {
            let mut text = Vec::new();
            value.as_ref().write_text(&mut text);
            out.push_str(&String::from_utf8_lossy(&text));
        }
        Value::Json(stored) => match Json::decode(stored) {
            Ok(document) => out.push_str(&document.to_text()),
            Err(_) => write_hex(stored, out),
        },
        Value::Bytes(bytes) => write_hex(bytes, out),
        Value::Text(text) => quote(text, out),
        other => {
            let mut text = Vec::new();
            ty.write_text(&other.as_ref(), &mut text);
            quote(&String::from_utf8_lossy(&text), out);
        }
    }
}

fn write_hex(bytes: &[u8], out: &mut String) {
    out.push_str("\"0x");
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
    out.push('"');
}
