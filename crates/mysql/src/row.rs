//! Rows: borrowed from the packet they came in, or kept.
//!
//! A [`RowRef`] lives until the next row is asked for and costs no allocation: its cells are ranges of the
//! connection's read buffer, decoded when they are asked for. A [`Row`] owns its bytes, in one allocation with
//! the ranges. Both are read by position or by name, cell by cell or whole through [`FromRow`] (tuples, or a
//! struct with `#[derive(FromRow)]`).
//!
//! Invariants: a packet is split into cells once, when it comes, with every length checked; whatever is asked
//! for afterwards, by whatever number, cannot read past a cell.

use crate::column::{Column, Columns, Width};
use crate::error::{Error, Result};
use crate::value::{FromValue, Value, ValueRef, decode};
use rustydb_mysql_protocol::wire::Reader;
use rustydb_mysql_protocol::{Error as ProtocolError, Result as ProtocolResult};
use std::fmt;
use std::sync::Arc;

/// Where a cell lies in its packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cell {
    start: u32,
    /// Its length; [`NULL`] for NULL.
    length: u32,
}

/// The length of a cell that is NULL. No packet is as long: they end at 1 GiB.
const NULL: u32 = u32::MAX;

impl Cell {
    const NULL: Cell = Cell { start: 0, length: NULL };

    #[inline]
    fn of(self, packet: &[u8]) -> Option<&[u8]> {
        if self.length == NULL {
            return None;
        }
        let start = self.start as usize;
        packet.get(start..start + self.length as usize)
    }
}

/// The form in which a row's cells came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// The answer to a text query.
    Text,
    /// The answer to a prepared statement.
    Binary,
}

/// Bits in front of the first column's NULL bit in a binary row.
const NULL_BITS_OFFSET: usize = 2;

/// Splits a row's packet into its cells.
#[inline]
pub(crate) fn split(
    form: Form,
    packet: &[u8],
    columns: &Columns,
    cells: &mut Vec<Cell>,
) -> ProtocolResult<()> {
    cells.clear();
    match form {
        Form::Text => split_text(packet, columns.len(), cells),
        Form::Binary => split_binary(packet, columns.as_slice(), cells),
    }
}

fn split_text(packet: &[u8], columns: usize, cells: &mut Vec<Cell>) -> ProtocolResult<()> {
    let mut reader = Reader::new(packet);
    for _ in 0..columns {
        match reader.lenenc_bytes_or_null("cell")? {
            None => cells.push(Cell::NULL),
            Some(bytes) => {
                let start = packet.len() - reader.rest().len() - bytes.len();
                cells.push(Cell { start: start as u32, length: bytes.len() as u32 });
            }
        }
    }
    if reader.is_empty() { Ok(()) } else { Err(ProtocolError::Malformed("text row")) }
}

fn split_binary(packet: &[u8], columns: &[Column], cells: &mut Vec<Cell>) -> ProtocolResult<()> {
    let mut reader = Reader::new(packet);
    if reader.u8("row")? != 0 {
        return Err(ProtocolError::Malformed("binary row"));
    }
    let nulls = reader.bytes((columns.len() + NULL_BITS_OFFSET).div_ceil(8), "NULL bits")?;
    for (index, column) in columns.iter().enumerate() {
        let bit = index + NULL_BITS_OFFSET;
        if nulls.get(bit / 8).is_some_and(|byte| byte & 1 << (bit % 8) != 0) {
            cells.push(Cell::NULL);
            continue;
        }
        let bytes = match column.width() {
            Width::Fixed(width) => reader.bytes(usize::from(width), "number")?,
            Width::Moment => {
                let length = reader.u8("date or time")?;
                reader.bytes(usize::from(length), "date or time")?
            }
            Width::String => reader.lenenc_bytes("cell")?,
        };
        let start = packet.len() - reader.rest().len() - bytes.len();
        cells.push(Cell { start: start as u32, length: bytes.len() as u32 });
    }
    if reader.is_empty() { Ok(()) } else { Err(ProtocolError::Malformed("binary row")) }
}

/// Where a row's values are.
#[derive(Clone, Copy)]
enum Source<'a> {
    Packet { form: Form, packet: &'a [u8], cells: &'a [Cell] },
    Kept { form: Form, bytes: &'a [u8] },
    Values(&'a [Value]),
}

/// A row that lives until the next one is asked for.
#[derive(Clone, Copy)]
pub struct RowRef<'a> {
    columns: &'a Arc<Columns>,
    source: Source<'a>,
}

impl<'a> RowRef<'a> {
    /// A row of values, for recordings and scripted servers. Missing values are NULL.
    pub fn from_values(columns: &'a Arc<Columns>, values: &'a [Value]) -> RowRef<'a> {
        RowRef { columns, source: Source::Values(values) }
    }

    /// A row of a packet that [`split`] took apart.
    #[inline]
    pub(crate) fn from_packet(
        columns: &'a Arc<Columns>,
        form: Form,
        packet: &'a [u8],
        cells: &'a [Cell],
    ) -> RowRef<'a> {
        RowRef { columns, source: Source::Packet { form, packet, cells } }
    }

    /// The columns that all rows of the result have.
    #[inline]
    pub fn columns(&self) -> &'a Arc<Columns> {
        self.columns
    }

    /// How many cells it has.
    #[inline]
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// Whether it has no cells.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The value of a cell, counted from 0; none behind the last.
    #[inline]
    pub fn value(&self, index: usize) -> Option<ValueRef<'a>> {
        let column = self.columns.get(index)?;
        let (form, bytes) = match self.source {
            Source::Packet { form, packet, cells } => (form, cells.get(index)?.of(packet)),
            Source::Kept { form, bytes } => (form, kept_cell(bytes, index)),
            Source::Values(values) => return Some(values.get(index).map_or(ValueRef::Null, Value::as_ref)),
        };
        Some(match (bytes, form) {
            (None, _) => ValueRef::Null,
            (Some(bytes), Form::Text) => decode::text_cell(column, bytes),
            (Some(bytes), Form::Binary) => decode::binary_cell(column, bytes),
        })
    }

    /// The value of a cell by its column's name.
    pub fn value_of(&self, name: &str) -> Option<ValueRef<'a>> {
        self.value(self.columns.position(name)?)
    }

    /// Reads a cell, counted from 0.
    ///
    /// # Errors
    /// [`Error::NoSuchColumn`] behind the last, [`Error::Conversion`] where it is of another kind.
    #[inline]
    pub fn get<T: FromValue<'a>>(&self, index: usize) -> Result<T> {
        if let Source::Packet { form: Form::Binary, packet, cells } = self.source
            && let (Some(column), Some(cell)) = (self.columns.get(index), cells.get(index))
            && let Some(bytes) = cell.of(packet)
            && let Some(value) = T::from_plain(column.plain(bytes))
        {
            return Ok(value);
        }
        self.get_value(index)
    }

    /// Reads a cell by way of its value, which every kind has.
    fn get_value<T: FromValue<'a>>(&self, index: usize) -> Result<T> {
        match self.value(index) {
            Some(value) => T::from_value(value).map_err(|_| self.mismatch(index, value, T::WANTED)),
            None => Err(Error::NoSuchColumn(format!("number {index}"))),
        }
    }

    /// Reads a cell by its column's name.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn get_named<T: FromValue<'a>>(&self, name: &str) -> Result<T> {
        self.get_near(0, name)
    }

    /// Reads a cell by its column's name, which is looked for at `expected` first.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    #[inline]
    pub fn get_near<T: FromValue<'a>>(&self, expected: usize, name: &str) -> Result<T> {
        self.get(self.columns.position_near(expected, name)?).map_err(|error| match error {
            // The name is the caller's own word, so it can be shown whatever the column is.
            Error::Conversion { found, wanted, .. } => {
                Error::Conversion { column: format!("column '{name}'"), found, wanted }
            }
            error => error,
        })
    }

    /// Reads the whole row.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    #[inline]
    pub fn read<T: FromRow<'a>>(&self) -> Result<T> {
        T::from_row(*self)
    }

    /// The values of all cells.
    pub fn values(&self) -> impl Iterator<Item = ValueRef<'a>> + use<'a> {
        let row = *self;
        (0..row.len()).map(move |index| row.value(index).unwrap_or_default())
    }

    /// A row of its own.
    pub fn to_owned(&self) -> Row {
        let cells = match self.source {
            Source::Packet { form, packet, cells } => Kept::Packet { form, bytes: keep(packet, cells) },
            Source::Kept { form, bytes } => Kept::Packet { form, bytes: bytes.into() },
            Source::Values(values) => Kept::Values(values.into()),
        };
        Row { columns: self.columns.clone(), cells }
    }

    #[cold]
    fn mismatch(&self, index: usize, value: ValueRef<'_>, wanted: &'static str) -> Error {
        // A computed column without an alias is named by its expression, and `SELECT 'x'` by its value.
        let name =
            self.columns.get(index).filter(|column| !column.original_name().is_empty()).map(Column::name);
        let column = name.map_or_else(|| format!("column {index}"), |name| format!("column '{name}'"));
        Error::Conversion { column, found: value.kind(), wanted }
    }
}

impl fmt::Debug for RowRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.columns.as_slice().iter().map(Column::name).zip(self.values())).finish()
    }
}

/// Bytes of one cell's place in a kept row.
const PLACE: usize = 8;

/// A kept row's bytes: the places of all cells, then the packet.
fn keep(packet: &[u8], cells: &[Cell]) -> Box<[u8]> {
    let head = cells.len() * PLACE;
    let mut bytes = Vec::with_capacity(head + packet.len());
    for cell in cells {
        // From the start of the kept bytes on.
        bytes.extend_from_slice(&cell.start.saturating_add(head as u32).to_le_bytes());
        bytes.extend_from_slice(&cell.length.to_le_bytes());
    }
    bytes.extend_from_slice(packet);
    bytes.into_boxed_slice()
}

#[inline]
fn kept_cell(bytes: &[u8], index: usize) -> Option<&[u8]> {
    let place: &[u8; PLACE] = bytes.get(index * PLACE..)?.first_chunk()?;
    let [a, b, c, d, e, f, g, h] = *place;
    Cell { start: u32::from_le_bytes([a, b, c, d]), length: u32::from_le_bytes([e, f, g, h]) }.of(bytes)
}

/// A row of its own.
#[derive(Clone)]
pub struct Row {
    columns: Arc<Columns>,
    cells: Kept,
}

#[derive(Clone)]
enum Kept {
    Packet { form: Form, bytes: Box<[u8]> },
    Values(Box<[Value]>),
}

impl Row {
    /// A row of values. Missing values are NULL.
    pub fn from_values(columns: Arc<Columns>, values: Vec<Value>) -> Row {
        Row { columns, cells: Kept::Values(values.into()) }
    }

    /// The row as a borrowed one, which has all ways to read it.
    #[inline]
    pub fn as_ref(&self) -> RowRef<'_> {
        let source = match &self.cells {
            Kept::Packet { form, bytes } => Source::Kept { form: *form, bytes },
            Kept::Values(values) => Source::Values(values),
        };
        RowRef { columns: &self.columns, source }
    }

    /// The columns that all rows of the result have.
    pub fn columns(&self) -> &Arc<Columns> {
        &self.columns
    }

    /// How many cells it has.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// Whether it has no cells.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Reads a cell, counted from 0; see [`RowRef::get`].
    #[inline]
    pub fn get<'a, T: FromValue<'a>>(&'a self, index: usize) -> Result<T> {
        self.as_ref().get(index)
    }

    /// Reads a cell by its column's name; see [`RowRef::get_named`].
    pub fn get_named<'a, T: FromValue<'a>>(&'a self, name: &str) -> Result<T> {
        self.as_ref().get_named(name)
    }

    /// Reads the whole row.
    pub fn read<'a, T: FromRow<'a>>(&'a self) -> Result<T> {
        self.as_ref().read()
    }

    /// The values of all cells.
    pub fn values(&self) -> impl Iterator<Item = ValueRef<'_>> {
        self.as_ref().values()
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}

impl PartialEq for Row {
    fn eq(&self, other: &Row) -> bool {
        self.columns == other.columns && self.values().eq(other.values())
    }
}

/// A type that a whole row can be read as. `'a` is how long the row lives.
///
/// Tuples are read by position, structs by the names of their columns:
///
/// ```
/// use rustydb_mysql::{Column, Columns, FromRow, Row, Value};
/// use rustydb_value::ProtocolType;
///
/// #[derive(FromRow, Debug, PartialEq)]
/// struct Film<'r> {
///     film_id: u16,
///     title: &'r str,
///     #[mysql(rename = "rental_rate")]
///     rate: Option<f64>,
///     #[mysql(default)]
///     rating: Option<String>,
///     #[mysql(skip)]
///     seen: bool,
/// }
///
/// let column = |name| Column::simple(name, ProtocolType::VarString);
/// let columns = Columns::new(vec![column("title"), column("film_id"), column("rental_rate")]);
/// let row = Row::from_values(columns.into(), vec!["Heat".into(), 7.into(), Value::Null]);
/// let film: Film<'_> = row.read()?;
/// assert_eq!(film, Film { film_id: 7, title: "Heat", rate: None, rating: None, seen: false });
/// # Ok::<(), rustydb_mysql::Error>(())
/// ```
pub trait FromRow<'a>: Sized {
    /// Reads the row.
    ///
    /// # Errors
    /// [`Error::NoSuchColumn`] and [`Error::Conversion`].
    fn from_row(row: RowRef<'a>) -> Result<Self>;
}

impl FromRow<'_> for Row {
    #[inline]
    fn from_row(row: RowRef<'_>) -> Result<Row> {
        Ok(row.to_owned())
    }
}

impl<'a> FromRow<'a> for RowRef<'a> {
    #[inline]
    fn from_row(row: RowRef<'a>) -> Result<RowRef<'a>> {
        Ok(row)
    }
}

macro_rules! tuples {
    ($($($name:ident $index:literal)*;)*) => {$(
        impl<'a, $($name: FromValue<'a>),*> FromRow<'a> for ($($name,)*) {
            #[inline]
            fn from_row(row: RowRef<'a>) -> Result<Self> {
                Ok(($(row.get::<$name>($index)?,)*))
            }
        }
    )*};
}

tuples! {
    A 0;
    A 0 B 1;
    A 0 B 1 C 2;
    A 0 B 1 C 2 D 3;
    A 0 B 1 C 2 D 3 E 4;
    A 0 B 1 C 2 D 3 E 4 F 5;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10;
    A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rustydb_mysql_protocol::wire::Put;
    use rustydb_value::ProtocolType;

    fn columns() -> Arc<Columns> {
        Arc::new(Columns::new(vec![
            Column::simple("id", ProtocolType::LongLong),
            Column::simple("name", ProtocolType::VarString),
            Column::simple("seen", ProtocolType::DateTime),
        ]))
    }

    fn binary_row() -> Vec<u8> {
        let mut packet = vec![0, 0];
        packet.put_u64(7);
        packet.put_lenenc_bytes(b"ann");
        packet.put_bytes(&[4, 0xe8, 7, 2, 29]);
        packet
    }

    #[test]
    fn cells_are_read_by_number_by_name_and_whole() {
        let (columns, mut cells) = (columns(), Vec::new());
        let packet = binary_row();
        split(Form::Binary, &packet, &columns, &mut cells).unwrap();
        let row = RowRef::from_packet(&columns, Form::Binary, &packet, &cells);
        assert_eq!(row.get::<i64>(0).unwrap(), 7);
        assert_eq!(row.get_named::<&str>("NAME").unwrap(), "ann");
        let (id, name, seen): (u8, String, Option<crate::value::DateTime>) = row.read().unwrap();
        assert_eq!(
            (id, name.as_str(), seen.unwrap().to_string().as_str()),
            (7, "ann", "2024-02-29 00:00:00")
        );
        let kept = row.to_owned();
        assert_eq!(kept.get::<&str>(1).unwrap(), "ann");
        assert_eq!(kept.as_ref().to_owned(), kept);
        assert_eq!(kept, Row::from_values(columns.clone(), kept.values().map(ValueRef::to_owned).collect()));
        assert!(matches!(row.get::<i64>(1), Err(Error::Conversion { found: "String", wanted: "i64", .. })));
        assert!(matches!(row.get::<i64>(3), Err(Error::NoSuchColumn(_))));
    }

    proptest! {
        #[test]
        fn what_is_read_at_once_is_what_its_value_says(
            bytes in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..14),
                proptest::collection::vec(0_u8..24, 0..12),
                "[a-zä]{0,9}".prop_map(String::into_bytes),
            ],
            decimals in 0_u8..8,
            flags in prop_oneof![Just(0_u16), Just(rustydb_value::column_flags::UNSIGNED)],
            wire in 0_u8..=255,
            collation in prop_oneof![Just(63_u16), Just(224)],
        ) {
            let parts = Column::simple("c", ProtocolType::Long);
            let parts = crate::column::ColumnParts { decimals, flags, wire_type: wire, collation, ..parts.parts() };
            let columns = Arc::new(Columns::new(vec![Column::new(parts)]));
            let cell = Cell { start: 0, length: bytes.len() as u32 };
            // As many bytes as a packet of this type is split into.
            match columns.get(0).map(Column::width) {
                Some(Width::Fixed(width)) => prop_assume!(bytes.len() == usize::from(width)),
                Some(Width::Moment) => prop_assume!(bytes.len() <= 12),
                _ => {}
            }
            let cells = [cell];
            let row = RowRef::from_packet(&columns, Form::Binary, &bytes, &cells);
            macro_rules! same {
                ($($type:ty)*) => {$(
                    let (fast, slow) = (row.get::<$type>(0), row.get_value::<$type>(0));
                    prop_assert_eq!(format!("{fast:?}"), format!("{slow:?}"));
                )*};
            }
            same!(i8 u8 i16 u16 i32 u32 i64 u64 usize f32 f64 bool &str String Vec<u8> &[u8] Box<str> Arc<str>);
            same!(std::borrow::Cow<'_, str> crate::value::DateTime crate::value::Date crate::value::Time);
            same!(Option<i64> Option<String> Option<crate::value::DateTime> Value ValueRef<'_>);
        }
    }

    #[test]
    fn a_cut_row_and_one_with_more_than_its_cells_are_refused() {
        let (columns, mut cells) = (columns(), Vec::new());
        let packet = binary_row();
        for cut in 0..packet.len() {
            assert!(split(Form::Binary, &packet[..cut], &columns, &mut cells).is_err(), "{cut}");
        }
        let longer = [&packet[..], &[0]].concat();
        assert!(split(Form::Binary, &longer, &columns, &mut cells).is_err());
        assert!(split(Form::Text, b"\x011\xfb", &columns, &mut cells).is_err());
        assert!(split(Form::Text, b"\x011\xfb\xfb", &columns, &mut cells).is_ok());
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let (columns, mut cells) = (columns(), Vec::new());
            for form in [Form::Text, Form::Binary] {
                if split(form, &bytes, &columns, &mut cells).is_ok() {
                    let row = RowRef::from_packet(&columns, form, &bytes, &cells);
                    let kept = row.to_owned();
                    for index in 0..4 {
                        prop_assert_eq!(row.value(index), kept.as_ref().value(index));
                    }
                }
            }
        }
    }
}
