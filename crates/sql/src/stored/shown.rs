//! Columns of stored rows as a client sees them: TIMESTAMP in the session's zone, ENUM and SET as text, everything else
//! as it lies in the row.

use rustydb_catalog::TableDef;
use rustydb_value::{ColumnType, TimeZone, TypeKind, ValueRef};
use smallvec::SmallVec;

use crate::error::SqlError;

/// How a column of the row becomes a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// As it is stored
    Plain,
    /// UTC to the session's zone
    Timestamp,
    /// A number to the text of its member
    Enum,
    /// A number to the texts of its members
    Set,
}

impl Shown {
    /// Of a column of this type.
    pub(crate) fn of(ty: &ColumnType) -> Shown {
        match ty.kind {
            TypeKind::Timestamp { .. } => Shown::Timestamp,
            TypeKind::Enum { .. } => Shown::Enum,
            TypeKind::Set { .. } => Shown::Set,
            _ => Shown::Plain,
        }
    }
}

/// Which columns of a table are shown, in which order.
#[derive(Debug, Clone)]
pub(crate) struct ShownColumns {
    /// Each with its position in the table.
    list: Vec<(usize, Shown)>,
    has_sets: bool,
}

impl ShownColumns {
    /// These columns; None if the table does not have one of them.
    pub(crate) fn new(def: &TableDef, columns: &[usize]) -> Option<ShownColumns> {
        let shown = |at: &usize| Some((*at, Shown::of(&def.columns.get(*at)?.ty)));
        let list: Vec<(usize, Shown)> = columns.iter().map(shown).collect::<Option<_>>()?;
        let has_sets = list.iter().any(|(_, shown)| *shown == Shown::Set);
        Some(ShownColumns { list, has_sets })
    }

    /// Their positions in the table.
    pub(crate) fn positions(&self) -> impl Iterator<Item = usize> {
        self.list.iter().map(|(at, _)| *at)
    }

    /// Hands a row to `sink`, given the stored values of its columns in their order.
    pub(crate) fn give<'v>(
        &self,
        def: &TableDef,
        zone: TimeZone,
        values: impl Iterator<Item = Result<ValueRef<'v>, SqlError>>,
        sink: &mut dyn FnMut(&[ValueRef<'_>]) -> Result<(), SqlError>,
    ) -> Result<(), SqlError> {
        // The cells borrow what is made here.
        let mut texts: SmallVec<[String; 1]> = SmallVec::new();
        let mut cells: SmallVec<[ValueRef<'_>; 16]> = SmallVec::new();
        for ((at, shown), value) in self.list.iter().zip(values) {
            cells.push(match (shown, value?) {
                (Shown::Timestamp, ValueRef::DateTime(utc)) => {
                    ValueRef::DateTime(utc.to_local(zone).unwrap_or(utc).with_fsp(utc.fsp()))
                }
                (Shown::Enum, ValueRef::UInt(index)) => {
                    ValueRef::Text(def.columns.get(*at).map_or("", |c| c.ty.enum_text(index)))
                }
                (_, value) => value,
            });
        }
        if !self.has_sets {
            return sink(&cells);
        }
        for ((at, shown), cell) in self.list.iter().zip(&cells) {
            if let (Shown::Set, ValueRef::UInt(mask), Some(column)) = (shown, cell, def.columns.get(*at)) {
                let mut text = Vec::new();
                column.ty.write_set_text(*mask, &mut text);
                texts.push(String::from_utf8_lossy(&text).into_owned());
            }
        }
        let mut made = texts.iter();
        for ((_, shown), cell) in self.list.iter().zip(&mut cells) {
            if let (Shown::Set, ValueRef::UInt(_)) = (shown, &cell) {
                *cell = ValueRef::Text(made.next().map_or("", String::as_str));
            }
        }
        sink(&cells)
    }
}
