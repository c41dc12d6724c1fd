//! The columns of ALTER TABLE: the old ones, less those that go, with what changes in them, and the new ones.
//!
//! Every change names a column as it was before the statement; FIRST and AFTER speak of the columns as they are by
//! then, in the order in which the statement places them.

use rustydb_catalog::definitions::{MAX_COLUMNS, same_name};
use rustydb_catalog::{ColumnDefault, NewColumn, TableDef};
use rustydb_sql_parser::ast::{ColumnDefinition, ColumnPosition, Ident, TableChange};
use rustydb_value::{Collation, LobSize, TypeKind};

use super::super::table::{column_again, column_default, new_column};
use crate::error::SqlError;
use crate::session::SessionState;

/// A column on its way.
pub(super) struct DraftColumn<'a> {
    pub(super) column: NewColumn,
    /// The position that it had.
    pub(super) origin: Option<usize>,
    /// How the statement defines it; None: it stays what it was.
    pub(super) source: Option<&'a ColumnDefinition>,
    /// What its default is to be computed from, if only that was set.
    pub(super) default: Option<&'a rustydb_sql_parser::ast::Expr>,
}

/// What a change of one old column is.
enum Fate<'a> {
    Drop,
    Redefine(&'a ColumnDefinition, Option<&'a ColumnPosition>),
}

/// The columns that the table is to have. `collation` is its default from now on.
pub(super) fn columns<'a>(
    old: &TableDef,
    changes: &'a [TableChange],
    collation: Collation,
    session: &mut SessionState,
) -> Result<Vec<DraftColumn<'a>>, SqlError> {
    let mut columns: Vec<DraftColumn<'a>> = Vec::with_capacity(old.columns.len() + changes.len());
    let mut moved: Vec<(&'a ColumnDefinition, DraftColumn<'a>)> = Vec::new();
    let fates = fates(old, changes)?;
    for (at, (column, fate)) in old.columns.iter().zip(fates).enumerate() {
        match fate {
            Some(Fate::Drop) => {}
            Some(Fate::Redefine(source, position)) => {
                let new = new_column(source, collation, session)?;
                let draft =
                    DraftColumn { column: new, origin: Some(at), source: Some(source), default: None };
                match position {
                    Some(_) => moved.push((source, draft)),
                    None => columns.push(draft),
                }
            }
            None => {
                let mut draft = DraftColumn {
                    column: column_again(column),
                    origin: Some(at),
                    source: None,
                    default: None,
                };
                adjust(&mut draft, &column.name, changes, session)?;
                columns.push(draft);
            }
        }
    }
    for change in changes {
        let (source, position) = match change {
            TableChange::AddColumn { column, position }
            | TableChange::ModifyColumn { column, position }
            | TableChange::ChangeColumn { column, position, .. } => (&**column, position.as_ref()),
            _ => continue,
        };
        let draft = match change {
            TableChange::AddColumn { .. } => {
                let column = new_column(source, collation, session)?;
                DraftColumn { column, origin: None, source: Some(source), default: None }
            }
            _ => match moved.iter().position(|(of, _)| std::ptr::eq(*of, source)) {
                Some(at) => moved.swap_remove(at).1,
                None => continue,
            },
        };
        let at = match position {
            None => columns.len(),
            Some(ColumnPosition::First) => 0,
            Some(ColumnPosition::After(name)) => {
                let found = columns.iter().position(|c| same_name(&c.column.name, name.as_str()));
                1 + found.ok_or_else(|| SqlError::unknown_column(name.as_str(), &old.name))?
            }
        };
        columns.insert(at, draft);
    }
    for (at, draft) in columns.iter().enumerate() {
        if columns.iter().take(at).any(|c| same_name(&c.column.name, &draft.column.name)) {
            return Err(SqlError::duplicate_column(&draft.column.name));
        }
    }
    if !columns.iter().any(|c| !c.column.functional) {
        return Err(SqlError::cannot_remove_all());
    }
    if columns.len() > MAX_COLUMNS {
        return Err(SqlError::too_many_columns());
    }
    Ok(columns)
}

/// What happens to each old column; 1091 and 1054 for names that are none.
fn fates<'a>(old: &TableDef, changes: &'a [TableChange]) -> Result<Vec<Option<Fate<'a>>>, SqlError> {
    let mut fates: Vec<Option<Fate<'a>>> = old.columns.iter().map(|_| None).collect();
    let find =
        |name: &Ident| old.columns.iter().position(|c| !c.functional && same_name(&c.name, name.as_str()));
    let unknown = |name: &Ident| SqlError::unknown_column(name.as_str(), &old.name);
    let goes = |name: &str| {
        changes.iter().any(|c| matches!(c, TableChange::DropColumn(gone) if same_name(gone.as_str(), name)))
    };
    let comes = changes.iter().any(|c| matches!(c, TableChange::AddColumn { .. }));
    if !comes && old.columns.iter().filter(|c| !c.functional).all(|c| goes(&c.name)) {
        return Err(SqlError::cannot_remove_all());
    }
    for change in changes {
        let (at, fate) = match change {
            TableChange::DropColumn(name) => {
                (find(name).ok_or_else(|| SqlError::cannot_drop(name.as_str()))?, Fate::Drop)
            }
            TableChange::ModifyColumn { column, position } => {
                let at = find(&column.name).ok_or_else(|| unknown(&column.name))?;
                (at, Fate::Redefine(column, position.as_ref()))
            }
            TableChange::ChangeColumn { old_name, column, position } => {
                let at = find(old_name).ok_or_else(|| unknown(old_name))?;
                (at, Fate::Redefine(column, position.as_ref()))
            }
            TableChange::RenameColumn { from: name, .. }
            | TableChange::SetDefault { column: name, .. }
            | TableChange::DropDefault(name)
            | TableChange::SetColumnVisible { column: name, .. } => {
                find(name).ok_or_else(|| unknown(name))?;
                continue;
            }
            _ => continue,
        };
        match fates.get_mut(at) {
            Some(slot @ None) => *slot = Some(fate),
            _ => {
                let name = old.columns.get(at).map_or("", |c| c.name.as_str());
                return Err(match change {
                    TableChange::DropColumn(_) => SqlError::cannot_drop(name),
                    _ => SqlError::unknown_column(name, &old.name),
                });
            }
        }
    }
    Ok(fates)
}

/// RENAME COLUMN, and ALTER COLUMN with its SET and DROP, of a column that stays.
fn adjust<'a>(
    draft: &mut DraftColumn<'a>,
    name: &str,
    changes: &'a [TableChange],
    session: &mut SessionState,
) -> Result<(), SqlError> {
    let own = |ident: &Ident| same_name(ident.as_str(), name);
    let column = &mut draft.column;
    for change in changes {
        match change {
            TableChange::RenameColumn { from, to } if own(from) => {
                super::super::names::check_column(to.as_str())?;
                column.name = to.as_str().to_owned();
            }
            TableChange::SetDefault { column: target, default } if own(target) => {
                if column.generated.is_some() {
                    return Err(SqlError::incorrect_usage("DEFAULT", "generated column"));
                }
                if column.auto_increment {
                    return Err(SqlError::invalid_default(name));
                }
                column.default = column_default(name, &column.ty, column.nullable, default, session)?;
                if let rustydb_sql_parser::ast::ColumnDefaultValue::Expression(expr) = &**default {
                    draft.default = Some(expr);
                }
            }
            TableChange::DropDefault(target) if own(target) => {
                if column.generated.is_some() {
                    return Err(SqlError::incorrect_usage("DEFAULT", "generated column"));
                }
                column.default =
                    (column.nullable && !column.auto_increment).then_some(ColumnDefault::Dropped);
            }
            TableChange::SetColumnVisible { column: target, visible } if own(target) => {
                column.visible = *visible;
            }
            _ => {}
        }
    }
    Ok(())
}

/// CONVERT TO CHARACTER SET: the column's text in another collation; TEXT that may need more bytes for the same
/// characters becomes larger.
pub(super) fn convert(column: &mut NewColumn, to: Collation) {
    if !column.ty.kind.is_text() {
        return;
    }
    let before = u64::from(column.ty.collation.charset().max_bytes_per_char());
    let after = u64::from(to.charset().max_bytes_per_char());
    if let TypeKind::Text { size } = &mut column.ty.kind
        && after > before
    {
        let bytes = u64::from(size.max_bytes()) / before * after;
        *size = match bytes {
            0..=0xff => LobSize::Tiny,
            0x100..=0xffff => LobSize::Regular,
            0x1_0000..=0xff_ffff => LobSize::Medium,
            _ => LobSize::Long,
        };
    }
    column.ty.collation = to;
}
