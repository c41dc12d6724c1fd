//! Which names an expression may use: the columns of the tables in FROM, in order.
//!
//! Every column has a position in the row that the tables make together; the planner later narrows that
//! row to what is read. Tables are found by alias (case-sensitive), columns by name (not).

use std::sync::Arc;

use rustydb_catalog::{TableDef, definitions::same_name};
use rustydb_sql_parser::ast;

use super::types::ExprType;
use super::{BoundExpr, Kind};
use crate::api::{ColumnMeta, column_flags};
use crate::error::SqlError;

/// The name of the hidden column that holds the key of a table's row, for statements that change the rows they
/// find: no identifier of SQL can be this one.
pub const ROW_KEY: &str = "\0row";

/// A column that can be named.
#[derive(Debug, Clone)]
pub struct ScopeColumn {
    /// Its name.
    pub name: Arc<str>,
    /// As messages show it.
    pub shown: Arc<str>,
    /// Its type.
    pub ty: ExprType,
    /// What a client is told about it.
    pub meta: ColumnMeta,
    /// Whether `*` leaves it out (INVISIBLE, or the second of a USING pair).
    pub hidden: bool,
    /// Whether the bare name does not find it (the second of a USING pair).
    pub qualified_only: bool,
    /// What `DEFAULT(column)` is.
    pub default: DefaultValue,
}

/// The default of a column that can be named.
#[derive(Debug, Clone, PartialEq)]
pub enum DefaultValue {
    /// A constant, or NULL.
    Known(rustydb_value::Value),
    /// There is none: error 1364.
    Missing,
    /// Computed for each row, or of a table without stored columns.
    Computed,
}

/// A table that can be named.
#[derive(Debug, Clone)]
pub struct ScopeTable {
    /// Its database; empty for a derived table.
    pub database: Arc<str>,
    /// Its alias or name.
    pub name: Arc<str>,
    /// Its columns.
    pub columns: Vec<ScopeColumn>,
    /// Position of its first column in the row of all tables.
    pub offset: usize,
}

/// The names of one query block.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// In the order of FROM.
    pub tables: Vec<ScopeTable>,
    /// The columns that `*` stands for, in its order.
    pub star: Vec<usize>,
}

impl Scope {
    /// No tables.
    pub fn empty() -> Scope {
        Scope::default()
    }

    /// One stored (or virtual) table under its name or an alias.
    pub fn of_table(def: &TableDef, alias: Option<&str>) -> Scope {
        let mut scope = Scope::default();
        scope.add(stored_table(def, alias));
        scope
    }

    /// Adds a table behind the others.
    pub fn add(&mut self, mut table: ScopeTable) {
        table.offset = self.width();
        let visible = table.columns.iter().enumerate().filter(|(_, c)| !c.hidden);
        self.star.extend(visible.map(|(at, _)| table.offset + at));
        self.tables.push(table);
    }

    /// Number of columns of all tables.
    pub fn width(&self) -> usize {
        self.tables.last().map_or(0, |t| t.offset + t.columns.len())
    }

    /// The column at a position.
    pub fn column(&self, index: usize) -> Option<&ScopeColumn> {
        self.tables
            .iter()
            .find(|t| index >= t.offset && index < t.offset + t.columns.len())
            .and_then(|t| t.columns.get(index - t.offset))
    }

    /// Makes every column of a table nullable: the inner side of an outer join.
    pub fn make_nullable(&mut self, table: usize) {
        if let Some(table) = self.tables.get_mut(table) {
            for column in &mut table.columns {
                column.ty.nullable = true;
                column.meta.flags &= !column_flags::NOT_NULL;
            }
        }
    }

    /// The position of a named column; 1054 if there is none, 1052 if there are several.
    pub fn find(&self, name: &ast::ColumnName, clause: &str) -> Result<usize, SqlError> {
        let mut found = None;
        for table in &self.tables {
            if let Some(qualifier) = name.table_name() {
                if table.name.as_ref() != qualifier {
                    continue;
                }
                if let Some(database) = name.database_name()
                    && table.database.as_ref() != database
                {
                    continue;
                }
            }
            for (at, column) in table.columns.iter().enumerate() {
                if column.qualified_only && name.table.is_none() {
                    continue;
                }
                if same_name(&column.name, name.name.as_str()) {
                    if found.is_some() {
                        return Err(SqlError::ambiguous_column(shown_name(name), clause));
                    }
                    found = Some(table.offset + at);
                }
            }
        }
        found.ok_or_else(|| no_such_column(name, clause))
    }

    /// A column as an expression.
    pub fn expression(&self, index: usize) -> Option<BoundExpr> {
        self.column(index).map(|c| BoundExpr::column(index, c.shown.clone(), c.ty.clone()))
    }

    /// The positions of the columns that `*` or `table.*` stands for.
    pub fn wildcard(&self, table: Option<&ast::ObjectName>) -> Result<Vec<usize>, SqlError> {
        if table.is_none() {
            if self.tables.is_empty() {
                return Err(SqlError::no_tables_used());
            }
            return Ok(self.star.clone());
        }
        let mut out = Vec::new();
        let mut any = false;
        for entry in &self.tables {
            if let Some(wanted) = table {
                let database_differs =
                    wanted.database.as_ref().is_some_and(|d| d.as_str() != entry.database.as_ref());
                if wanted.name.as_str() != entry.name.as_ref() || database_differs {
                    continue;
                }
            }
            any = true;
            for (at, column) in entry.columns.iter().enumerate() {
                // A qualified wildcard shows both columns of a USING pair.
                if !column.hidden || (table.is_some() && column.qualified_only && &*column.name != ROW_KEY) {
                    out.push(entry.offset + at);
                }
            }
        }
        match table {
            Some(table) if !any => {
                Err(SqlError::new(1051, b"42S02", format!("Unknown table '{}'", shown_table(table))))
            }
            _ => Ok(out),
        }
    }
}

/// Error 1054.
pub fn no_such_column(name: &ast::ColumnName, clause: &str) -> SqlError {
    SqlError::unknown_column(shown_name(name), clause)
}

fn shown_name(name: &ast::ColumnName) -> String {
    match (name.database_name(), name.table_name()) {
        (Some(database), Some(table)) => format!("{database}.{table}.{}", name.name.as_str()),
        (None, Some(table)) => format!("{table}.{}", name.name.as_str()),
        _ => name.name.as_str().to_string(),
    }
}

fn shown_table(name: &ast::ObjectName) -> String {
    match &name.database {
        Some(database) => format!("{}.{}", database.as_str(), name.name.as_str()),
        None => name.name.as_str().to_string(),
    }
}

/// The names of a stored table.
pub fn stored_table(def: &TableDef, alias: Option<&str>) -> ScopeTable {
    let name = alias.unwrap_or(&def.name);
    let columns = def
        .columns
        .iter()
        .enumerate()
        .map(|(at, column)| {
            let ty = ExprType::of_column(&column.ty, column.nullable);
            ScopeColumn {
                name: column.name.as_str().into(),
                shown: format!("`{}`.`{}`.`{}`", def.database, name, column.name).into(),
                meta: column_meta(def, at, name, &ty),
                ty,
                hidden: !column.visible,
                qualified_only: false,
                default: match &column.default {
                    Some(rustydb_catalog::ColumnDefault::Literal(value)) => {
                        DefaultValue::Known(value.clone())
                    }
                    Some(_) => DefaultValue::Computed,
                    None if column.nullable => DefaultValue::Known(rustydb_value::Value::Null),
                    None => DefaultValue::Missing,
                },
            }
        })
        .collect();
    ScopeTable { database: def.database.as_str().into(), name: name.into(), columns, offset: 0 }
}

/// The hidden column behind a stored table's own: the key of the row.
pub fn row_key_column(def: &TableDef) -> ScopeColumn {
    let ty = row_key_type();
    ScopeColumn {
        name: ROW_KEY.into(),
        shown: ROW_KEY.into(),
        meta: ColumnMeta { schema: def.database.clone(), org_table: def.name.clone(), ..ty.meta(ROW_KEY) },
        ty,
        hidden: true,
        qualified_only: true,
        default: DefaultValue::Computed,
    }
}

/// The type of [`row_key_column`].
pub fn row_key_type() -> ExprType {
    ExprType::text(3072, rustydb_value::Collation::BINARY, super::types::Coercibility::Implicit)
        .with_nullable(true)
}

/// The names of a derived table.
pub fn derived_table(
    alias: &str,
    columns: &[ColumnMeta],
    types: &[ExprType],
    names: &[ast::Ident],
) -> ScopeTable {
    let columns = columns
        .iter()
        .zip(types)
        .enumerate()
        .map(|(at, (meta, ty))| {
            let name = names.get(at).map_or(meta.name.as_str(), ast::Ident::as_str);
            ScopeColumn {
                name: name.into(),
                shown: format!("`{alias}`.`{name}`").into(),
                meta: ColumnMeta {
                    schema: String::new(),
                    table: alias.to_string(),
                    org_table: String::new(),
                    name: name.to_string(),
                    org_name: String::new(),
                    ..meta.clone()
                },
                ty: ty.clone(),
                hidden: false,
                qualified_only: false,
                default: DefaultValue::Computed,
            }
        })
        .collect();
    ScopeTable { database: "".into(), name: alias.into(), columns, offset: 0 }
}

/// The column definition of a column of a table, with the flags of its keys.
fn column_meta(def: &TableDef, at: usize, alias: &str, ty: &ExprType) -> ColumnMeta {
    let mut meta = ty.meta("");
    let Some(column) = def.columns.get(at) else { return meta };
    let first = |index: &rustydb_catalog::IndexDef| index.columns.first().is_some_and(|c| c.column == at);
    if def.primary.columns.iter().any(|c| c.column == at) {
        meta.flags |= column_flags::PRIMARY_KEY;
    }
    for index in &def.indexes {
        if first(index) {
            meta.flags |= if index.unique && index.columns.len() == 1 {
                column_flags::UNIQUE_KEY
            } else {
                column_flags::MULTIPLE_KEY
            };
        }
    }
    if column.ty.is_numeric() || matches!(ty.kind, Kind::Year | Kind::Bit) {
        meta.flags &= !column_flags::BINARY;
    }
    let indexed = def.all_indexes().any(|i| i.columns.iter().any(|c| c.column == at));
    if indexed {
        meta.flags |= column_flags::PART_KEY;
    }
    if column.ty.zerofill {
        meta.flags |= column_flags::ZEROFILL;
    }
    if column.auto_increment {
        meta.flags |= column_flags::AUTO_INCREMENT;
    } else if !column.nullable && column.default.is_none() {
        meta.flags |= column_flags::NO_DEFAULT_VALUE;
    }
    if column.on_update_now.is_some() {
        meta.flags |= column_flags::ON_UPDATE_NOW;
    }
    if matches!(ty.kind, Kind::Year) {
        meta.flags |= column_flags::ZEROFILL;
    }
    if matches!(ty.kind, Kind::Timestamp)
        && (column.on_update_now.is_some()
            || matches!(column.default, Some(rustydb_catalog::ColumnDefault::CurrentTimestamp { .. })))
    {
        meta.flags |= column_flags::TIMESTAMP;
    }
    ColumnMeta {
        schema: def.database.clone(),
        table: alias.to_string(),
        org_table: def.name.clone(),
        name: column.name.clone(),
        org_name: column.name.clone(),
        ..meta
    }
}

/// Whether two tables in FROM have the same name, which is error 1066.
pub fn same_tables(a: &ScopeTable, b: &ScopeTable) -> bool {
    a.name == b.name && (a.database == b.database || a.database.is_empty() || b.database.is_empty())
}

impl Scope {
    /// Takes a column out of what its bare name finds: the second of a USING pair.
    pub fn hide(&mut self, index: usize) {
        for table in &mut self.tables {
            if index >= table.offset
                && let Some(column) = table.columns.get_mut(index - table.offset)
            {
                column.hidden = true;
                column.qualified_only = true;
            }
        }
    }
}
