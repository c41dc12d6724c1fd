//! Columns of a result set, and parameters of a prepared statement.
//!
//! A [`Columns`] is shared by every row of its result, and by every execution of a prepared statement whose
//! definitions did not change: it remembers the packets it was read from, so that the next execution compares
//! bytes instead of reading them again.

use crate::error::{Error, Result};
use crate::value::PlainCell;
use rustydb_mysql_protocol::column::ColumnDefinition;
use rustydb_value::{ProtocolType, column_flags};
use std::fmt;

/// The collation of bytes.
const BINARY: u16 = 63;

/// What a column's type is, in SQL's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the names are SQL's own")]
pub enum ColumnType {
    Null,
    TinyInt,
    SmallInt,
    MediumInt,
    Int,
    BigInt,
    Float,
    Double,
    Decimal,
    Bit,
    Year,
    Date,
    Time,
    DateTime,
    Timestamp,
    Char,
    VarChar,
    Text,
    Binary,
    VarBinary,
    Blob,
    Enum,
    Set,
    Json,
    Geometry,
    /// MySQL 9's vector of floats.
    Vector,
    /// A type that this version does not know, by its number on the wire.
    Unknown(u8),
}

impl ColumnType {
    /// Its name in SQL.
    pub const fn name(self) -> &'static str {
        match self {
            ColumnType::Null => "NULL",
            ColumnType::TinyInt => "TINYINT",
            ColumnType::SmallInt => "SMALLINT",
            ColumnType::MediumInt => "MEDIUMINT",
            ColumnType::Int => "INT",
            ColumnType::BigInt => "BIGINT",
            ColumnType::Float => "FLOAT",
            ColumnType::Double => "DOUBLE",
            ColumnType::Decimal => "DECIMAL",
            ColumnType::Bit => "BIT",
            ColumnType::Year => "YEAR",
            ColumnType::Date => "DATE",
            ColumnType::Time => "TIME",
            ColumnType::DateTime => "DATETIME",
            ColumnType::Timestamp => "TIMESTAMP",
            ColumnType::Char => "CHAR",
            ColumnType::VarChar => "VARCHAR",
            ColumnType::Text => "TEXT",
            ColumnType::Binary => "BINARY",
            ColumnType::VarBinary => "VARBINARY",
            ColumnType::Blob => "BLOB",
            ColumnType::Enum => "ENUM",
            ColumnType::Set => "SET",
            ColumnType::Json => "JSON",
            ColumnType::Geometry => "GEOMETRY",
            ColumnType::Vector => "VECTOR",
            ColumnType::Unknown(_) => "UNKNOWN",
        }
    }
}

/// The number of MySQL's VECTOR on the wire.
const VECTOR: u8 = 242;

/// One column of a result, or one parameter.
#[derive(Clone, PartialEq, Eq)]
pub struct Column {
    /// The five names, one behind the other: schema, table, original table, name, original name.
    names: Box<str>,
    ends: [u32; 5],
    collation: u16,
    length: u32,
    wire: u8,
    known: Option<ProtocolType>,
    kind: ColumnType,
    flags: u16,
    decimals: u8,
    width: Width,
    plain: Plain,
}

/// How many bytes a cell has in a row of a prepared statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    Fixed(u8),
    /// A byte says how many.
    Moment,
    /// A length-encoded number says how many.
    String,
}

impl Width {
    fn of(known: Option<ProtocolType>) -> Width {
        use ProtocolType as T;
        match known {
            Some(T::Null) => Width::Fixed(0),
            Some(T::Tiny) => Width::Fixed(1),
            Some(T::Short | T::Year) => Width::Fixed(2),
            Some(T::Long | T::Int24 | T::Float) => Width::Fixed(4),
            Some(T::LongLong | T::Double) => Width::Fixed(8),
            Some(T::Date | T::DateTime | T::Timestamp | T::Time) => Width::Moment,
            _ => Width::String,
        }
    }
}

/// What the bytes of a cell are in a row of a prepared statement, for the commonest kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plain {
    Signed64,
    Unsigned64,
    Signed32,
    Unsigned32,
    Double,
    /// A date and a time.
    Moment,
    /// A text, if it is UTF-8.
    Text,
    /// Another kind.
    No,
}

/// What a [`Column`] is built from where no server is at hand; see [`Column::new`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnParts<'a> {
    /// Database of the table; empty for an expression.
    pub schema: &'a str,
    /// Alias of the table.
    pub table: &'a str,
    /// Name of the table.
    pub original_table: &'a str,
    /// Alias of the column.
    pub name: &'a str,
    /// Name of the column in its table.
    pub original_name: &'a str,
    /// Collation number; 63 is binary.
    pub collation: u16,
    /// Largest length in bytes.
    pub length: u32,
    /// The type's number on the wire.
    pub wire_type: u8,
    /// `rustydb_value::column_flags`.
    pub flags: u16,
    /// Digits after the point or of a second.
    pub decimals: u8,
}

impl Column {
    /// A column of these parts, for recordings and scripted servers.
    pub fn new(parts: ColumnParts<'_>) -> Column {
        Column::read(&ColumnDefinition {
            schema: parts.schema.as_bytes(),
            table: parts.table.as_bytes(),
            org_table: parts.original_table.as_bytes(),
            name: parts.name.as_bytes(),
            org_name: parts.original_name.as_bytes(),
            collation: parts.collation,
            length: parts.length,
            column_type: parts.wire_type,
            flags: parts.flags,
            decimals: parts.decimals,
        })
    }

    /// A column with a name and a type, all else as usual; strings are utf8mb4.
    pub fn simple(name: &str, wire_type: ProtocolType) -> Column {
        let text = matches!(wire_type, ProtocolType::VarString | ProtocolType::String | ProtocolType::Json);
        Column::new(ColumnParts {
            schema: "",
            table: "",
            original_table: "",
            name,
            original_name: "",
            collation: if text { 224 } else { BINARY },
            length: 0,
            wire_type: wire_type.byte(),
            flags: 0,
            decimals: 0,
        })
    }

    /// The column of a definition packet.
    pub(crate) fn read(definition: &ColumnDefinition<'_>) -> Column {
        let mut names = String::new();
        let parts =
            [definition.schema, definition.table, definition.org_table, definition.name, definition.org_name];
        let ends = parts.map(|part| {
            names.push_str(&String::from_utf8_lossy(part));
            u32::try_from(names.len()).unwrap_or(u32::MAX)
        });
        let known = ProtocolType::from_byte(definition.column_type);
        let mut column = Column {
            names: names.into_boxed_str(),
            ends,
            collation: definition.collation,
            length: definition.length,
            wire: definition.column_type,
            known,
            kind: kind(known, definition),
            flags: definition.flags,
            decimals: definition.decimals,
            width: Width::of(known),
            plain: Plain::No,
        };
        column.plain = column.find_plain();
        column
    }

    fn find_plain(&self) -> Plain {
        use ColumnType as T;
        match self.kind {
            T::BigInt if self.is_unsigned() => Plain::Unsigned64,
            T::BigInt => Plain::Signed64,
            T::Int | T::MediumInt if self.is_unsigned() => Plain::Unsigned32,
            T::Int | T::MediumInt => Plain::Signed32,
            T::Double => Plain::Double,
            T::DateTime | T::Timestamp => Plain::Moment,
            T::Char | T::VarChar | T::Text | T::Enum | T::Set | T::Json if !self.is_binary() => Plain::Text,
            _ => Plain::No,
        }
    }

    /// How many bytes its cells have in a row of a prepared statement.
    #[inline]
    pub(crate) fn width(&self) -> Width {
        self.width
    }

    /// What these bytes of such a cell are.
    #[inline]
    pub(crate) fn plain<'a>(&self, bytes: &'a [u8]) -> PlainCell<'a> {
        PlainCell { kind: self.plain, fsp: self.fsp(), bytes }
    }

    /// Its parts, to be recorded.
    pub fn parts(&self) -> ColumnParts<'_> {
        ColumnParts {
            schema: self.schema(),
            table: self.table(),
            original_table: self.original_table(),
            name: self.name(),
            original_name: self.original_name(),
            collation: self.collation,
            length: self.length,
            wire_type: self.wire,
            flags: self.flags,
            decimals: self.decimals,
        }
    }

    fn part(&self, index: usize) -> &str {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        self.names.get(start as usize..self.ends[index] as usize).unwrap_or_default()
    }

    /// Database of the table; empty for an expression.
    pub fn schema(&self) -> &str {
        self.part(0)
    }

    /// Alias of the table.
    pub fn table(&self) -> &str {
        self.part(1)
    }

    /// Name of the table.
    pub fn original_table(&self) -> &str {
        self.part(2)
    }

    /// Alias of the column, or its name.
    #[inline]
    pub fn name(&self) -> &str {
        self.part(3)
    }

    /// Name of the column in its table.
    pub fn original_name(&self) -> &str {
        self.part(4)
    }

    /// Its type.
    #[inline]
    pub fn column_type(&self) -> ColumnType {
        self.kind
    }

    /// Its type on the wire, where it is one that this version knows.
    #[inline]
    pub fn protocol_type(&self) -> Option<ProtocolType> {
        self.known
    }

    /// Collation number; 63 is binary.
    pub fn collation(&self) -> u16 {
        self.collation
    }

    /// Largest length in bytes.
    pub fn length(&self) -> u32 {
        self.length
    }

    /// `rustydb_value::column_flags`.
    pub fn flags(&self) -> u16 {
        self.flags
    }

    /// Digits after the point of a number, or of a second.
    pub fn decimals(&self) -> u8 {
        self.decimals
    }

    /// Digits of a second, 0 to 6.
    #[inline]
    pub(crate) fn fsp(&self) -> u8 {
        if self.decimals > 6 { 6 } else { self.decimals }
    }

    /// Whether it is UNSIGNED.
    #[inline]
    pub fn is_unsigned(&self) -> bool {
        self.flags & column_flags::UNSIGNED != 0
    }

    /// Whether its strings are bytes.
    #[inline]
    pub fn is_binary(&self) -> bool {
        match self.kind {
            // JSON says that it is binary, and is utf8mb4.
            ColumnType::Json => false,
            ColumnType::Geometry | ColumnType::Vector | ColumnType::Unknown(_) => true,
            _ => self.collation == BINARY,
        }
    }

    /// Whether it is NOT NULL.
    pub fn is_not_null(&self) -> bool {
        self.flags & column_flags::NOT_NULL != 0
    }

    /// Whether it was declared BOOL, which is TINYINT(1).
    pub fn is_boolean(&self) -> bool {
        self.kind == ColumnType::TinyInt && self.length == 1 && !self.is_unsigned()
    }
}

impl fmt::Debug for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name(), self.kind.name())
    }
}

/// The type of a definition: strings are told apart by collation, flags and size.
fn kind(known: Option<ProtocolType>, definition: &ColumnDefinition<'_>) -> ColumnType {
    use ProtocolType as T;
    let binary = definition.collation == BINARY;
    let either = |text, bytes| if binary { bytes } else { text };
    match known {
        None if definition.column_type == VECTOR => ColumnType::Vector,
        None => ColumnType::Unknown(definition.column_type),
        Some(wire) => match wire {
            T::Null => ColumnType::Null,
            T::Tiny => ColumnType::TinyInt,
            T::Short => ColumnType::SmallInt,
            T::Int24 => ColumnType::MediumInt,
            T::Long => ColumnType::Int,
            T::LongLong => ColumnType::BigInt,
            T::Float => ColumnType::Float,
            T::Double => ColumnType::Double,
            T::Decimal | T::NewDecimal => ColumnType::Decimal,
            T::Bit => ColumnType::Bit,
            T::Year => ColumnType::Year,
            T::Date => ColumnType::Date,
            T::Time => ColumnType::Time,
            T::DateTime => ColumnType::DateTime,
            T::Timestamp => ColumnType::Timestamp,
            T::Enum => ColumnType::Enum,
            T::Set => ColumnType::Set,
            T::Json => ColumnType::Json,
            T::Geometry => ColumnType::Geometry,
            T::String if definition.flags & column_flags::ENUM != 0 => ColumnType::Enum,
            T::String if definition.flags & column_flags::SET != 0 => ColumnType::Set,
            T::String => either(ColumnType::Char, ColumnType::Binary),
            T::VarString | T::VarChar => either(ColumnType::VarChar, ColumnType::VarBinary),
            T::TinyBlob | T::MediumBlob | T::LongBlob | T::Blob => either(ColumnType::Text, ColumnType::Blob),
        },
    }
}

/// The columns of a result, in order.
#[derive(Clone, Default)]
pub struct Columns {
    list: Box<[Column]>,
    /// The definition packets that they were read from.
    packets: Box<[u8]>,
    /// Where each ends in `packets`.
    ends: Box<[u32]>,
}

impl Columns {
    /// These columns.
    pub fn new(columns: Vec<Column>) -> Columns {
        Columns { list: columns.into(), ..Columns::default() }
    }

    /// All of them.
    #[inline]
    pub fn as_slice(&self) -> &[Column] {
        &self.list
    }

    /// How many.
    #[inline]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// One of them, counted from 0.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&Column> {
        self.list.get(index)
    }

    /// The number of the column with this name: the first that has it exactly, else the first that has it but
    /// for the case of ASCII letters.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.list
            .iter()
            .position(|column| column.name() == name)
            .or_else(|| self.list.iter().position(|column| column.name().eq_ignore_ascii_case(name)))
    }

    /// Like [`position`](Self::position), looking at `expected` first.
    #[inline]
    pub fn position_near(&self, expected: usize, name: &str) -> Result<usize> {
        match self.list.get(expected) {
            Some(column) if column.name() == name => Ok(expected),
            _ => self.position(name).ok_or_else(|| Error::NoSuchColumn(name.to_owned())),
        }
    }

    /// Whether column `index` was read from this very packet.
    #[inline]
    pub(crate) fn was_read_from(&self, index: usize, packet: &[u8]) -> bool {
        let start = if index == 0 { Some(0) } else { self.ends.get(index - 1).map(|&end| end as usize) };
        match (start, self.ends.get(index)) {
            (Some(start), Some(&end)) => self.packets.get(start..end as usize) == Some(packet),
            _ => false,
        }
    }
}

impl PartialEq for Columns {
    fn eq(&self, other: &Columns) -> bool {
        self.list == other.list
    }
}

impl Eq for Columns {}

impl fmt::Debug for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.list.iter()).finish()
    }
}

/// Collects the definition packets of a result.
#[derive(Debug, Default)]
pub(crate) struct ColumnsReader {
    list: Vec<Column>,
    packets: Vec<u8>,
    ends: Vec<u32>,
}

impl ColumnsReader {
    /// Takes the first `count` columns of another result over.
    pub(crate) fn take_over(&mut self, from: &Columns, count: usize) {
        let count = count.min(from.ends.len());
        let bytes = count.checked_sub(1).and_then(|last| from.ends.get(last)).map_or(0, |&end| end as usize);
        self.list.extend(from.list.iter().take(count).cloned());
        self.packets.extend_from_slice(from.packets.get(..bytes).unwrap_or_default());
        self.ends.extend(from.ends.iter().take(count));
    }

    /// Takes the next definition.
    pub(crate) fn push(&mut self, packet: &[u8]) -> rustydb_mysql_protocol::Result<()> {
        self.list.push(Column::read(&ColumnDefinition::parse(packet)?));
        self.packets.extend_from_slice(packet);
        self.ends.push(u32::try_from(self.packets.len()).unwrap_or(u32::MAX));
        Ok(())
    }

    /// Bytes of all definitions.
    pub(crate) fn size(&self) -> usize {
        self.packets.len()
    }

    /// All of them.
    pub(crate) fn finish(self) -> Columns {
        Columns { list: self.list.into(), packets: self.packets.into(), ends: self.ends.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(name: &str) -> Vec<u8> {
        let mut out = Vec::new();
        let name = name.as_bytes();
        ColumnDefinition { schema: b"shop", table: b"t", name, column_type: 8, ..Default::default() }
            .write(&mut out);
        out
    }

    #[test]
    fn names_are_found_exactly_first() {
        let columns = Columns::new(vec![
            Column::simple("ID", ProtocolType::Long),
            Column::simple("id", ProtocolType::LongLong),
            Column::simple("Name", ProtocolType::VarString),
        ]);
        assert_eq!(columns.position("id"), Some(1));
        assert_eq!(columns.position("NAME"), Some(2));
        assert_eq!(columns.position_near(0, "ID").unwrap(), 0);
        assert_eq!(columns.position_near(2, "ID").unwrap(), 0);
        assert!(columns.position_near(0, "none").is_err());
    }

    #[test]
    fn a_definition_that_came_before_is_known_again() {
        let mut reader = ColumnsReader::default();
        reader.push(&packet("a")).unwrap();
        reader.push(&packet("b")).unwrap();
        let columns = reader.finish();
        assert!(columns.was_read_from(0, &packet("a")) && columns.was_read_from(1, &packet("b")));
        assert!(!columns.was_read_from(1, &packet("a")) && !columns.was_read_from(2, &packet("b")));
        let mut again = ColumnsReader::default();
        again.take_over(&columns, 1);
        again.push(&packet("c")).unwrap();
        let again = again.finish();
        assert_eq!((again.len(), again.as_slice()[0].name(), again.as_slice()[1].name()), (2, "a", "c"));
        assert!(again.was_read_from(1, &packet("c")));
        let parts = again.as_slice()[0].parts();
        assert_eq!((parts.schema, parts.table, parts.name), ("shop", "t", "a"));
        assert_eq!(Column::new(parts), again.as_slice()[0]);
    }
}
