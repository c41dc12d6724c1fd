//! Cursors: rows of a prepared statement that wait to be fetched.
//!
//! The statement runs to its end when it is executed and its rows wait here, encoded, in one buffer of bounded
//! size; fetching copies them out. So a cursor holds no transaction, lock or snapshot open.

use super::encode::RowEncoder;
use super::reply::{RowFormat, Style};
use crate::transport::Outbound;
use rustydb_sql::{ColumnMeta, Completion, ResultSink, SinkClosed, SqlError};
use rustydb_value::ValueRef;

/// Bytes in front of each row that say how long it is.
const LENGTH: usize = 4;

/// Rows that wait.
#[derive(Debug, Default)]
pub(crate) struct Cursor {
    rows: Vec<u8>,
    at: usize,
}

impl Cursor {
    /// Writes up to `count` rows; true when there were fewer. As in MySQL, a fetch of exactly the last rows does
    /// not know yet that they were the last.
    pub(crate) fn fetch(&mut self, out: &mut Outbound, count: u32) -> Result<bool, crate::ending::Ending> {
        for _ in 0..count {
            let Some((length, rest)) = self.rows.get(self.at..).and_then(<[u8]>::split_first_chunk::<LENGTH>)
            else {
                return Ok(true);
            };
            let length = u32::from_le_bytes(*length) as usize;
            let row = rest.get(..length).unwrap_or_default();
            out.writer.packet(|out| out.extend_from_slice(row));
            self.at += LENGTH + length;
            out.flush_if_full()?;
        }
        Ok(false)
    }
}

/// Collects a result for a cursor.
pub(crate) struct CursorSink {
    encoder: RowEncoder,
    limit: usize,
    cursor: Cursor,
    /// The result's columns; none for a statement without a result set.
    pub(crate) columns: Option<Vec<ColumnMeta>>,
    pub(crate) completion: Option<Completion>,
    failure: Option<SqlError>,
}

impl CursorSink {
    pub(crate) fn new(style: Style, limit: usize) -> CursorSink {
        CursorSink {
            encoder: RowEncoder::new(RowFormat::Binary, style.text),
            limit,
            cursor: Cursor::default(),
            columns: None,
            completion: None,
            failure: None,
        }
    }

    /// What stopped the collecting, if anything did; it is the reason of the session's own error then.
    pub(crate) fn take_failure(&mut self) -> Option<SqlError> {
        self.failure.take()
    }

    /// The rows.
    pub(crate) fn into_cursor(self) -> Cursor {
        self.cursor
    }
}

impl ResultSink for CursorSink {
    fn columns(&mut self, columns: &[ColumnMeta]) -> Result<(), SinkClosed> {
        self.encoder.set_columns(columns);
        self.columns = Some(columns.to_vec());
        Ok(())
    }

    fn row(&mut self, cells: &[ValueRef<'_>]) -> Result<(), SinkClosed> {
        let rows = &mut self.cursor.rows;
        let start = rows.len();
        rows.extend_from_slice(&[0; LENGTH]);
        if self.encoder.put_row(rows, cells).is_err() {
            self.failure = Some(SqlError::new(
                1105,
                b"HY000",
                "A value of the result is of another type than its column",
            ));
            return Err(SinkClosed);
        }
        let length = rows.len() - start - LENGTH;
        if rows.len() > self.limit {
            self.failure = Some(SqlError::new(1114, b"HY000", "The table 'cursor' is full"));
            return Err(SinkClosed);
        }
        if let (Ok(length), Some(head)) = (u32::try_from(length), rows.get_mut(start..start + LENGTH)) {
            head.copy_from_slice(&length.to_le_bytes());
        }
        Ok(())
    }

    fn end(&mut self, completion: &Completion) -> Result<(), SinkClosed> {
        self.completion = Some(completion.clone());
        Ok(())
    }
}
