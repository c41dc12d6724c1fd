//! Columns and rows of results as packets.

use super::reply::{RowFormat, Style};
use crate::charset::ResultText;
use crate::transport::Outbound;
use rustydb_mysql_protocol::column::ColumnDefinition;
use rustydb_mysql_protocol::response::EofPacket;
use rustydb_mysql_protocol::row::{binary, text};
use rustydb_mysql_protocol::wire::Put;
use rustydb_mysql_protocol::{Error, Result};
use rustydb_sql::ColumnMeta;
use rustydb_value::{ProtocolType, ValueRef, column_flags};

/// Turns rows into packets.
pub(crate) struct RowEncoder {
    format: RowFormat,
    text: ResultText,
    columns: Vec<(ProtocolType, text::TextFormat)>,
}

impl RowEncoder {
    pub(crate) fn new(format: RowFormat, text: ResultText) -> RowEncoder {
        RowEncoder { format, text, columns: Vec::new() }
    }

    /// Takes the columns of the rows that follow.
    pub(crate) fn set_columns(&mut self, columns: &[ColumnMeta]) {
        let of = |column: &ColumnMeta| {
            text::TextFormat::of(column.ty, column.flags, column.length, column.decimals)
        };
        self.columns.clear();
        self.columns.extend(columns.iter().map(|column| (column.ty, of(column))));
    }

    /// Appends a row's payload.
    ///
    /// # Errors
    /// When a value is of another kind than its column, or the row has another number of cells.
    #[inline]
    pub(crate) fn put_row(&self, out: &mut Vec<u8>, cells: &[ValueRef<'_>]) -> Result<()> {
        if cells.len() != self.columns.len() {
            return Err(Error::Malformed("row"));
        }
        match self.format {
            RowFormat::Text => {
                for (value, (_, format)) in cells.iter().zip(&self.columns) {
                    match value {
                        ValueRef::Text(string) if self.text.converts() => self.text.put_lenenc(out, string),
                        value => text::put_cell(out, value, *format),
                    }
                }
            }
            RowFormat::Binary => {
                let row = binary::start_row(out, cells.len());
                for (index, (value, (column_type, _))) in cells.iter().zip(&self.columns).enumerate() {
                    match value {
                        ValueRef::Text(string) if self.text.converts() => self.text.put_lenenc(out, string),
                        value => row.put(out, index, *column_type, value)?,
                    }
                }
            }
        }
        Ok(())
    }
}

/// Writes the head of a result set: column count, definitions, and EOF for clients that want one there.
pub(crate) fn put_definitions(out: &mut Outbound, columns: &[ColumnMeta], style: Style) {
    out.writer.packet(|out| out.put_lenenc(columns.len() as u64));
    put_columns(out, columns, style);
    if !style.deprecates_eof() {
        out.writer.packet(|out| EofPacket { warnings: 0, status: style.status }.write(out));
    }
}

/// Writes column definitions.
pub(crate) fn put_columns(out: &mut Outbound, columns: &[ColumnMeta], style: Style) {
    for column in columns {
        // An expression is of a LOB type for its length alone: its decimals are not fixed.
        let is_lob = matches!(
            column.ty,
            ProtocolType::TinyBlob | ProtocolType::MediumBlob | ProtocolType::LongBlob | ProtocolType::Blob
        ) && column.decimals == 0;
        let (collation, length) = style.text.reported(column.collation, column.length, is_lob);
        let definition = ColumnDefinition {
            schema: &style.text.bytes(&column.schema),
            table: &style.text.bytes(&column.table),
            org_table: &style.text.bytes(&column.org_table),
            name: &style.text.bytes(&column.name),
            org_name: &style.text.bytes(&column.org_name),
            collation,
            length,
            column_type: column.ty.byte(),
            // The client's libraries set it by the type; servers do not send it.
            flags: column.flags & !column_flags::NUM,
            decimals: column.decimals,
        };
        out.writer.packet(|out| definition.write(out));
    }
}
