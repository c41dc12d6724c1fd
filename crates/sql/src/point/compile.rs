//! Recognising the shapes and compiling them.
//!
//! Everything here answers None on the slightest doubt; the general planner then takes the statement and is
//! the one to complain about it. A table is looked up (and locked) only once the shape fits.

use std::sync::Arc;

use rustydb_catalog::TableDef;
use rustydb_catalog::definitions::same_name;
use rustydb_sql_parser::ast::{
    BinaryOp, ColumnName, Delete, DeleteTarget, Expr, ExprKind, Insert, InsertSource as AstSource, Query,
    QueryBody, Select, SelectItem, Statement, TableReference, TableSource, Update,
};
use rustydb_value::Value;

use super::change::{PointDelete, PointInsert, PointUpdate, UpdateSource};
use super::key::{Constant, Key};
use super::read::PointGet;
use super::{Body, PointPlan};
use crate::api::ColumnMeta;
use crate::context::{TableLookup, TableRows, TableUse};
use crate::ddl::names;
use crate::dml::defaults::needs_value;
use crate::dml::foreign_keys::Relations;
use crate::dml::rules::has_rules;
use crate::dml::writer::TableTrees;
use crate::error::SqlError;
use crate::expr::Scope as Names;
use crate::literal;
use crate::plan::rules::Rule;
use crate::session::SessionState;
use crate::session::tables::Tables;
use crate::stored::ShownColumns;

/// The most rows of an INSERT that is compiled.
const MOST_ROWS: usize = 1_000;

/// Compiles a query, if it is a get.
pub(crate) fn compile_query(
    query: &Query,
    tables: &mut Tables<'_>,
    session: &SessionState,
) -> Result<Option<PointPlan>, SqlError> {
    if !session.settings.rules.has(Rule::PointExecutor) {
        return Ok(None);
    }
    let Some((select, source, filter)) = get_shape(query) else { return Ok(None) };
    let conditions = match equalities(filter) {
        Some(conditions) => conditions,
        None => return Ok(None),
    };
    let Some(def) = find_table(source, TableUse::Read, tables, session)? else { return Ok(None) };
    let alias = source.alias.as_ref().map(|a| a.as_str());
    let Some(names) = Conditions::new(&def, alias, source, conditions) else { return Ok(None) };
    let Some(outputs) = outputs(select, &def, alias, source) else { return Ok(None) };
    let Some((key, index)) = names.unique_key(&def) else { return Ok(None) };
    let trees = TableTrees::open(tables.database().engine(), &def)?;
    let index = match index {
        Some(tree) => Some(tables.database().engine().tree(tree)?),
        None => None,
    };
    let (columns, outputs) = outputs;
    let body = Body::Get(PointGet { trees, key, index, outputs });
    Ok(Some(PointPlan { columns, body }))
}

/// `SELECT columns FROM t WHERE ..` without anything else.
fn get_shape(query: &Query) -> Option<(&Select, &TableSource, &Expr)> {
    let plain = query.with.is_none()
        && query.order_by.is_empty()
        && query.limit.is_none()
        && query.locking.is_empty()
        && query.into.is_none();
    let QueryBody::Select(select) = &query.body else { return None };
    let simple = !select.options.distinct
        && !select.options.sql_calc_found_rows
        && select.group_by.is_none()
        && select.having.is_none()
        && select.into.is_none()
        && select.windows.is_empty()
        && select.hints.is_empty();
    if !plain || !simple {
        return None;
    }
    let [TableReference::Table(source)] = select.from.as_slice() else { return None };
    Some((select, source, select.filter.as_ref()?))
}

/// The stored table of a plain reference.
fn find_table(
    source: &TableSource,
    usage: TableUse,
    tables: &mut Tables<'_>,
    session: &SessionState,
) -> Result<Option<Arc<TableDef>>, SqlError> {
    if !source.partitions.is_empty() || !source.index_hints.is_empty() {
        return Ok(None);
    }
    let Ok((database, name)) = names::resolve(&source.name, session) else { return Ok(None) };
    if names::is_system_database(database) {
        return Ok(None);
    }
    if tables.is_temporary(database, name) || tables.database().catalog().view(database, name).is_some() {
        return Ok(None);
    }
    let alias = source.alias.as_ref().map_or(name, |alias| alias.as_str());
    let found = tables.table_as(database, name, alias, usage)?;
    Ok(matches!(found.rows, TableRows::Stored).then_some(found.def))
}

/// `a = 1 AND b = ?` as columns and constants.
fn equalities(filter: &Expr) -> Option<Vec<(&ColumnName, Constant)>> {
    match &filter.kind {
        ExprKind::And(list) => list.iter().map(equality).collect(),
        _ => Some(vec![equality(filter)?]),
    }
}

fn equality(expr: &Expr) -> Option<(&ColumnName, Constant)> {
    let ExprKind::Binary { op: BinaryOp::Equal, left, right } = &expr.kind else { return None };
    match (&left.kind, &right.kind) {
        (ExprKind::Column(column), _) => Some((column, constant(right)?)),
        (_, ExprKind::Column(column)) => Some((column, constant(left)?)),
        _ => None,
    }
}

fn constant(expr: &Expr) -> Option<Constant> {
    if let ExprKind::Parameter(n) = expr.kind {
        return Some(Constant::Parameter(n as usize));
    }
    match literal::constant(expr, &[]) {
        Ok(Some(value)) => Some(Constant::Value(value)),
        _ => None,
    }
}

/// The position of a column that a name in this statement means.
fn column_of(def: &TableDef, alias: Option<&str>, source: &TableSource, name: &ColumnName) -> Option<usize> {
    if let Some(table) = name.table_name()
        && table != alias.unwrap_or(source.name.name.as_str())
    {
        return None;
    }
    if let Some(database) = name.database_name()
        && (database != def.database || alias.is_some())
    {
        return None;
    }
    def.columns.iter().position(|c| same_name(&c.name, name.name.as_str()))
}

/// Columns that equal constants, each named once.
struct Conditions {
    list: Vec<(usize, Constant)>,
}

impl Conditions {
    fn new(
        def: &TableDef,
        alias: Option<&str>,
        source: &TableSource,
        conditions: Vec<(&ColumnName, Constant)>,
    ) -> Option<Conditions> {
        let mut list: Vec<(usize, Constant)> = Vec::with_capacity(conditions.len());
        for (name, constant) in conditions {
            let at = column_of(def, alias, source, name)?;
            if list.iter().any(|(known, _)| *known == at) {
                return None;
            }
            list.push((at, constant));
        }
        Some(Conditions { list })
    }

    fn key_of(&self, def: &TableDef, index: &rustydb_catalog::IndexDef) -> Option<Key> {
        if index.columns.len() != self.list.len() || index.columns.is_empty() {
            return None;
        }
        let mut constants = Vec::with_capacity(index.columns.len());
        for part in &index.columns {
            let (_, constant) = self.list.iter().find(|(at, _)| *at == part.column)?;
            constants.push(constant.clone());
        }
        Key::new(def, &index.columns, constants)
    }

    fn primary_key(&self, def: &TableDef) -> Option<Key> {
        self.key_of(def, &def.primary)
    }

    /// The key, and the tree of its index unless it is the primary key.
    fn unique_key(&self, def: &TableDef) -> Option<(Key, Option<rustydb_storage::TreeId>)> {
        if let Some(key) = self.primary_key(def) {
            return Some((key, None));
        }
        let usable = def.indexes.iter().filter(|i| i.unique && i.visible);
        usable.filter_map(|i| self.key_of(def, i).map(|key| (key, Some(i.tree)))).next()
    }
}

type Outputs = (Vec<ColumnMeta>, ShownColumns);

/// The select list, if it is made of plain columns.
fn outputs(select: &Select, def: &TableDef, alias: Option<&str>, source: &TableSource) -> Option<Outputs> {
    let names = Names::of_table(def, alias);
    let mut metas = Vec::new();
    let mut list = Vec::new();
    let mut push = |at: usize, heading: Option<&str>| -> Option<()> {
        let mut meta = names.column(at)?.meta.clone();
        if let Some(heading) = heading {
            meta.name = heading.to_owned();
        }
        metas.push(meta);
        list.push(at);
        Some(())
    };
    for item in &select.items {
        match item {
            SelectItem::Wildcard { table: None, .. } => {
                for (at, _) in def.columns.iter().enumerate().filter(|(_, c)| c.visible) {
                    push(at, None)?;
                }
            }
            SelectItem::Wildcard { .. } => return None,
            SelectItem::Expr { expr, alias: heading } => {
                let ExprKind::Column(name) = &expr.kind else { return None };
                let at = column_of(def, alias, source, name)?;
                let heading = heading.as_ref().map_or(name.name.as_str(), |h| h.as_str());
                push(at, Some(heading))?;
            }
        }
    }
    Some((metas, ShownColumns::new(def, &list)?))
}

/// Compiles an INSERT of constants, or an UPDATE or DELETE by primary key.
pub(crate) fn compile_change(
    statement: &Statement,
    tables: &mut Tables<'_>,
    session: &SessionState,
) -> Result<Option<PointPlan>, SqlError> {
    if !session.settings.rules.has(Rule::PointExecutor) {
        return Ok(None);
    }
    let body = match statement {
        Statement::Insert(insert) => compile_insert(insert, tables, session)?,
        Statement::Update(update) => compile_update(update, tables, session)?,
        Statement::Delete(delete) => compile_delete(delete, tables, session)?,
        _ => None,
    };
    Ok(body.map(|body| PointPlan { columns: Vec::new(), body }))
}

fn compile_insert(
    insert: &Insert,
    tables: &mut Tables<'_>,
    session: &SessionState,
) -> Result<Option<Body>, SqlError> {
    let plain = !insert.replace
        && !insert.ignore
        && insert.partitions.is_empty()
        && insert.row_alias.is_none()
        && insert.on_duplicate.is_empty();
    let AstSource::Values(rows) = &insert.source else { return Ok(None) };
    let Some(width) = rows.first().map(Vec::len).filter(|width| *width > 0) else { return Ok(None) };
    let constants = rows.iter().flatten().all(|expr| {
        matches!(expr.kind, ExprKind::Default(None)) || constant(expr).is_some() || is_bits(expr)
    });
    // Texts with the values of many rows hardly come again, and compiling them is work.
    let comes_again =
        rows.len() == 1 || rows.iter().flatten().any(|expr| matches!(expr.kind, ExprKind::Parameter(_)));
    let is_even = rows.len() <= MOST_ROWS && rows.iter().all(|row| row.len() == width);
    let shaped = constants && comes_again && is_even;
    if !plain || !shaped {
        return Ok(None);
    }
    let source = TableSource {
        name: insert.table.clone(),
        partitions: Vec::new(),
        alias: None,
        index_hints: Vec::new(),
    };
    let Some(def) = find_table(&source, TableUse::Write, tables, session)? else { return Ok(None) };
    let mut targets: Vec<usize> = Vec::with_capacity(width);
    if insert.columns.is_empty() {
        targets.extend(def.columns.iter().enumerate().filter(|(_, c)| c.visible).map(|(at, _)| at));
    }
    for name in &insert.columns {
        match column_of(&def, None, &source, name) {
            Some(at) if !targets.contains(&at) => targets.push(at),
            _ => return Ok(None),
        }
    }
    if targets.len() != width {
        return Ok(None);
    }
    let mut compiled = Vec::with_capacity(rows.len());
    for row in rows {
        let mut given: Vec<(usize, Constant)> = Vec::with_capacity(width);
        for (at, expr) in targets.iter().zip(row) {
            let Some(column) = def.columns.get(*at) else { return Ok(None) };
            let constant = match &expr.kind {
                ExprKind::Default(None) => continue,
                ExprKind::Parameter(n) => Constant::Parameter(*n as usize),
                _ => match literal::for_column(expr, &[], &column.ty)? {
                    Some(value) => Constant::Value(value),
                    None => return Ok(None),
                },
            };
            given.push((*at, constant));
        }
        // A missing default is the general executor's to complain about.
        let unserved = |(at, column): (usize, &rustydb_catalog::ColumnDef)| {
            needs_value(column) && !given.iter().any(|(target, _)| *target == at)
        };
        if def.columns.iter().enumerate().any(unserved) {
            return Ok(None);
        }
        compiled.push(given);
    }
    let Some((trees, relations)) = writable(&def, tables, session)? else { return Ok(None) };
    Ok(Some(Body::Insert(PointInsert { trees, relations, rows: compiled })))
}

type Writable = (Arc<TableTrees>, Option<Arc<Relations>>);

/// The trees of a table and what its foreign keys lead to. None where rows have to be computed or checked, or a
/// parent is missing that may come any time: the general executor does that.
fn writable(
    def: &Arc<TableDef>,
    tables: &mut Tables<'_>,
    session: &SessionState,
) -> Result<Option<Writable>, SqlError> {
    if has_rules(def) {
        return Ok(None);
    }
    let engine = Arc::clone(tables.database().engine());
    let trees = TableTrees::open(&engine, def)?;
    let relations = Relations::open(&trees, &engine, tables, session)?;
    if relations.as_ref().is_some_and(|relations| relations.parent_missing) {
        return Ok(None);
    }
    Ok(Some((trees, relations)))
}

fn is_bits(expr: &Expr) -> bool {
    use rustydb_sql_parser::ast::Literal;
    matches!(expr.kind, ExprKind::Literal(Literal::Hex(_) | Literal::Bit(_)))
}

fn compile_update(
    update: &Update,
    tables: &mut Tables<'_>,
    session: &SessionState,
) -> Result<Option<Body>, SqlError> {
    let plain =
        update.with.is_none() && !update.ignore && update.order_by.is_empty() && update.limit.is_none();
    let [TableReference::Table(source)] = update.tables.as_slice() else { return Ok(None) };
    let Some(conditions) = update.filter.as_ref().and_then(equalities).filter(|_| plain) else {
        return Ok(None);
    };
    let shaped = update.assignments.iter().all(|a| constant(&a.value).is_some() || sum(&a.value).is_some());
    if !shaped {
        return Ok(None);
    }
    let Some(def) = find_table(source, TableUse::Write, tables, session)? else { return Ok(None) };
    let alias = source.alias.as_ref().map(|a| a.as_str());
    let Some(conditions) = Conditions::new(&def, alias, source, conditions) else { return Ok(None) };
    let Some(key) = conditions.primary_key(&def) else { return Ok(None) };
    // Columns that follow the clock or the counter take the general way.
    if def.columns.iter().any(|c| c.on_update_now.is_some()) {
        return Ok(None);
    }
    let mut assignments: Vec<(usize, UpdateSource)> = Vec::with_capacity(update.assignments.len());
    for assignment in &update.assignments {
        let Some(at) = column_of(&def, alias, source, &assignment.column) else { return Ok(None) };
        let Some(column) = def.columns.get(at) else { return Ok(None) };
        if column.auto_increment || assignments.iter().any(|(known, _)| *known == at) {
            return Ok(None);
        }
        let from = match (constant(&assignment.value), sum(&assignment.value)) {
            (Some(Constant::Parameter(n)), _) => UpdateSource::Constant(Constant::Parameter(n)),
            (Some(_), _) => match literal::for_column(&assignment.value, &[], &column.ty)? {
                Some(value) => UpdateSource::Constant(Constant::Value(value)),
                None => return Ok(None),
            },
            (None, Some((name, constant, minus))) => {
                let Some(from) = column_of(&def, alias, source, name) else { return Ok(None) };
                let integers = column.ty.kind.is_integer()
                    && def.columns.get(from).is_some_and(|c| c.ty.kind.is_integer());
                // An earlier assignment of the same column would have to be seen.
                let assigned = assignments.iter().any(|(known, _)| *known == from);
                let number = match &constant {
                    Constant::Value(Value::Int(_) | Value::UInt(_)) | Constant::Parameter(_) => true,
                    Constant::Value(_) => false,
                };
                if !integers || assigned || !number {
                    return Ok(None);
                }
                UpdateSource::Sum { column: from, constant, minus }
            }
            (None, None) => return Ok(None),
        };
        assignments.push((at, from));
    }
    let Some((trees, relations)) = writable(&def, tables, session)? else { return Ok(None) };
    Ok(Some(Body::Update(PointUpdate { trees, relations, key, assignments })))
}

/// `column + constant`, `constant + column`, `column - constant`.
fn sum(expr: &Expr) -> Option<(&ColumnName, Constant, bool)> {
    let ExprKind::Binary { op, left, right } = &expr.kind else { return None };
    match (op, &left.kind, &right.kind) {
        (BinaryOp::Add, ExprKind::Column(column), _) => Some((column, constant(right)?, false)),
        (BinaryOp::Add, _, ExprKind::Column(column)) => Some((column, constant(left)?, false)),
        (BinaryOp::Subtract, ExprKind::Column(column), _) => Some((column, constant(right)?, true)),
        _ => None,
    }
}

fn compile_delete(
    delete: &Delete,
    tables: &mut Tables<'_>,
    session: &SessionState,
) -> Result<Option<Body>, SqlError> {
    let plain =
        delete.with.is_none() && !delete.ignore && delete.order_by.is_empty() && delete.limit.is_none();
    let DeleteTarget::Single(source) = &delete.target else { return Ok(None) };
    let Some(conditions) = delete.filter.as_ref().and_then(equalities).filter(|_| plain) else {
        return Ok(None);
    };
    let Some(def) = find_table(source, TableUse::Write, tables, session)? else { return Ok(None) };
    let alias = source.alias.as_ref().map(|a| a.as_str());
    let Some(conditions) = Conditions::new(&def, alias, source, conditions) else { return Ok(None) };
    let Some(key) = conditions.primary_key(&def) else { return Ok(None) };
    let Some((trees, relations)) = writable(&def, tables, session)? else { return Ok(None) };
    Ok(Some(Body::Delete(PointDelete { trees, relations, key })))
}
