//! What must hold of a table's definition, however it came about.
//!
//! The rest of the program indexes columns by the positions in a definition and trusts its ids; so both a
//! definition that is made and one that is read from disk pass here.

use std::collections::HashSet;

use rustydb_storage::TreeId;
use rustydb_value::TypeKind;

use crate::definitions::{
    ColumnDef, ColumnDefault, IndexDef, MAX_COLUMNS, MAX_INDEX_COLUMNS, MAX_INDEXES, TableDef,
};
use crate::names::check_name;

type Check = Result<(), &'static str>;

fn ensure(holds: bool, otherwise: &'static str) -> Check {
    if holds { Ok(()) } else { Err(otherwise) }
}

/// Checks a definition; the error says what does not hold.
pub(crate) fn table(def: &TableDef) -> Check {
    ensure(!def.columns.is_empty(), "a table has no columns")?;
    ensure(def.columns.len() <= MAX_COLUMNS, "a table has too many columns")?;
    let mut ids = HashSet::new();
    let mut names = HashSet::new();
    for column in &def.columns {
        self::column(column)?;
        ensure(ids.insert(column.id), "two columns have the same id")?;
        ensure(names.insert(folded(&column.name)), "two columns have the same name")?;
    }
    layouts(def, &ids)?;

    let mut automatic = def.columns.iter().enumerate().filter(|(_, column)| column.auto_increment);
    ensure(automatic.next().map(|(at, _)| at) == def.auto_increment, "the AUTO_INCREMENT column is another")?;
    ensure(automatic.next().is_none(), "two columns are AUTO_INCREMENT")?;

    ensure(def.indexes.len() <= MAX_INDEXES, "a table has too many indexes")?;
    ensure(def.primary.id == 0 && def.primary.unique, "the primary key")?;
    ensure(def.primary.visible || def.has_hidden_key(), "the primary key is invisible")?;
    let mut ids = HashSet::new();
    let mut names = HashSet::new();
    let mut trees = HashSet::new();
    for key in &def.recorded {
        ensure(ids.insert(key.id), "two indexes have the same id")?;
        ensure(names.insert(folded(&key.name)), "two indexes have the same name")?;
        ensure(key.columns.iter().all(|at| *at < def.columns.len()), "a key has an unknown column")?;
        ensure(!key.columns.is_empty(), "a key has no columns")?;
    }
    for index in def.all_indexes() {
        self::index(def, index)?;
        ensure(ids.insert(index.id), "two indexes have the same id")?;
        ensure(names.insert(folded(&index.name)), "two indexes have the same name")?;
        ensure(trees.insert(index.tree), "two indexes share a tree")?;
    }
    let in_key = |part: &crate::IndexColumn| def.columns.get(part.column).is_some_and(|c| c.nullable);
    ensure(!def.primary.columns.iter().any(in_key), "a column of the primary key may be NULL")?;
    ensure(def.indexes.iter().all(|index| !index.columns.is_empty()), "an index has no columns")?;
    constraints(def)
}

fn constraints(def: &TableDef) -> Check {
    let mut names = HashSet::new();
    for key in &def.foreign_keys {
        ensure(
            check_name(&key.name).is_ok() && names.insert(folded(&key.name)),
            "the name of a foreign key",
        )?;
        ensure(!key.columns.is_empty(), "a foreign key has no columns")?;
        ensure(key.columns.len() == key.parent_columns.len(), "a foreign key has columns without a partner")?;
        ensure(key.columns.iter().all(|at| *at < def.columns.len()), "a foreign key has an unknown column")?;
    }
    let mut names = HashSet::new();
    for check in &def.checks {
        ensure(check_name(&check.name).is_ok() && names.insert(folded(&check.name)), "the name of a CHECK")?;
    }
    Ok(())
}

fn layouts(def: &TableDef, known: &HashSet<u32>) -> Check {
    ensure(
        def.layouts.last().is_some_and(|last| last.schema_version == def.schema_version),
        "the last layout is not the current one",
    )?;
    ensure(
        def.layouts.windows(2).all(|pair| matches!(pair, [a, b] if a.schema_version < b.schema_version)),
        "the layouts are not in order",
    )?;
    for layout in &def.layouts {
        let mut ids = HashSet::new();
        ensure(layout.columns.iter().all(|id| ids.insert(*id)), "a layout has a column twice")?;
    }
    let current = def.layouts.last().map(|layout| layout.columns.as_slice()).unwrap_or_default();
    ensure(current.len() == known.len(), "the current layout is not that of the columns")?;
    ensure(current.iter().all(|id| known.contains(id)), "the current layout has an unknown column")
}

fn column(def: &ColumnDef) -> Check {
    ensure(check_name(&def.name).is_ok(), "the name of a column")?;
    ensure(def.on_update_now.is_none_or(|fsp| fsp <= 6), "the fractional digits of ON UPDATE")?;
    ensure(
        !matches!(def.default, Some(ColumnDefault::CurrentTimestamp { fsp }) if fsp > 6),
        "the fractional digits of CURRENT_TIMESTAMP",
    )?;
    ensure(
        !matches!(def.ty.kind, TypeKind::Set { ref members } if members.len() > 64),
        "a SET is too large",
    )?;
    ensure(!(def.generated.is_some() && def.default.is_some()), "a generated column has a default")?;
    ensure(!(def.generated.is_some() && def.auto_increment), "a generated column is AUTO_INCREMENT")?;
    ensure(!(def.auto_increment && def.default.is_some()), "an AUTO_INCREMENT column has a default")
}

fn index(table: &TableDef, def: &IndexDef) -> Check {
    ensure(check_name(&def.name).is_ok(), "the name of an index")?;
    ensure(def.tree >= TreeId::FIRST, "an index is in a tree of the system")?;
    ensure(def.columns.len() <= MAX_INDEX_COLUMNS, "an index has too many columns")?;
    let mut parts = HashSet::new();
    for part in &def.columns {
        ensure(part.column < table.columns.len(), "an index has an unknown column")?;
        ensure(part.prefix != Some(0), "an index has a prefix of no characters")?;
        ensure(parts.insert(part.column), "an index has a column twice")?;
    }
    Ok(())
}

/// A name without regard to case, as [`crate::definitions::same_name`] compares.
fn folded(name: &str) -> String {
    name.chars().flat_map(char::to_lowercase).collect()
}
