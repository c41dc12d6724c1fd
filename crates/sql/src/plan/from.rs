//! FROM: tables, derived tables and joins as a plan and a scope.
//!
//! Joins are planned in the order they are written; ON conditions of inner joins become filters, which the
//! rules push down again. RIGHT JOIN is a LEFT JOIN with its sides exchanged and its columns put back.

use rustydb_sql_parser::ast::{self, JoinConstraint, JoinKind, TableReference};

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::locking::{self, lock_of};
use super::named_types::{columns_of, settle_nulls};
use super::recursive::plan_recursive;
use super::{
    Access, IndexAccess, IndexHints, Join, JoinKind as Kind, Plan, RowLock, Scan, SharedTable, VirtualAccess,
};
use crate::api::ColumnMeta;
use crate::context::{TableRows, TableUse};
use crate::error::SqlError;
use crate::expr::bind::{AggregateUse, Binder};
use crate::expr::outer::Level;
use crate::expr::planning::{NamedQuery, Planning};
use crate::expr::scope::{Scope, derived_table, row_key_column, same_tables, stored_table};
use crate::expr::types::ExprType;
use crate::expr::{BoundExpr, Comparison};
use crate::variables::OptimizerSwitch;

/// What FROM gives.
pub struct Source {
    /// Its rows.
    pub plan: Plan,
    /// The names of their columns.
    pub scope: Scope,
}

/// Locks that the query asks for: which tables (all if none are named) and how.
pub type Locking<'q> = &'q [ast::Locking];

/// Plans the table references of a query block.
pub fn plan_from(
    references: &[TableReference],
    locking: Locking<'_>,
    planning: &mut Planning<'_, '_>,
) -> Result<Source, SqlError> {
    // Only the tables of this FROM: not those of its derived tables and subqueries.
    let keys = std::mem::take(&mut planning.row_keys);
    locking::check(references, locking, planning.session().database.as_deref())?;
    let out = plan_list(references, From { locking, keys }, planning)?;
    if keys {
        planning.row_key_scope = Some(out.scope.clone());
    }
    Ok(out)
}

/// What all parts of one FROM share.
#[derive(Clone, Copy)]
struct From<'q> {
    locking: Locking<'q>,
    /// Tables give the keys of their rows as a hidden column.
    keys: bool,
}

fn plan_list(
    references: &[TableReference],
    of: From<'_>,
    planning: &mut Planning<'_, '_>,
) -> Result<Source, SqlError> {
    let mut out: Option<Source> = None;
    for reference in references {
        out = Some(match out {
            None => plan_reference(reference, of, planning)?,
            Some(left) => {
                let (next, lateral) = plan_beside(reference, &left.scope, of, planning)?;
                join(left, next, Kind::Inner, Vec::new(), lateral)?
            }
        });
    }
    Ok(out.unwrap_or(Source { plan: Plan::Dual, scope: Scope::empty() }))
}

fn plan_reference(
    reference: &TableReference,
    of: From<'_>,
    planning: &mut Planning<'_, '_>,
) -> Result<Source, SqlError> {
    match reference {
        TableReference::Table(source) => plan_table(source, of, planning),
        TableReference::Derived(table) => {
            let plan = super::plan_query(&table.query, planning)?;
            derived(plan, &table.query, &table.alias, &table.columns)
        }
        TableReference::JsonTable(_) => Err(SqlError::not_supported("JSON_TABLE")),
        TableReference::Join(node) => plan_join(node, of, planning),
        TableReference::List(list) => plan_list(list, of, planning),
    }
}

/// Error 1353.
pub fn column_names_differ() -> SqlError {
    SqlError::new(
        1353,
        b"HY000",
        "In definition of view, derived table or common table expression, SELECT list and column names list have different column counts",
    )
}

/// Plans the right operand of a join or comma. A LATERAL one may read the row on the left: what it reads is
/// given too.
fn plan_beside(
    reference: &TableReference,
    left: &Scope,
    of: From<'_>,
    planning: &mut Planning<'_, '_>,
) -> Result<(Source, Option<Vec<BoundExpr>>), SqlError> {
    match reference {
        TableReference::Derived(table) if table.lateral => {
            planning.levels.push(Level::new(left.clone(), &[], AggregateUse::Refused));
            let source = plan_reference(reference, of, planning);
            let level = planning.levels.pop();
            let captures = level.map_or_else(Vec::new, |level| level.captures);
            let source = source?;
            if captures.is_empty() {
                return Ok((source, None));
            }
            Ok((source, Some(captures)))
        }
        _ => Ok((plan_reference(reference, of, planning)?, None)),
    }
}

/// A planned subquery under a name in FROM.
fn derived(
    mut plan: super::SelectPlan,
    query: &ast::Query,
    alias: &ast::Ident,
    names: &[ast::Ident],
) -> Result<Source, SqlError> {
    settle_nulls(query, &mut plan);
    let (columns, types) = columns_of(query, &plan);
    let mut source = named_source(Plan::Dual, &columns, &types, alias, names)?;
    source.plan = Plan::Derived(Box::new(plan));
    Ok(source)
}

/// The rows of `plan` under a name.
fn named_source(
    plan: Plan,
    columns: &[ColumnMeta],
    types: &[ExprType],
    alias: &ast::Ident,
    names: &[ast::Ident],
) -> Result<Source, SqlError> {
    if !names.is_empty() && names.len() != types.len() {
        return Err(column_names_differ());
    }
    let mut scope = Scope::empty();
    scope.add(derived_table(alias.as_str(), columns, types, names));
    check_duplicate_names(&scope)?;
    Ok(Source { plan, scope })
}

fn check_duplicate_names(scope: &Scope) -> Result<(), SqlError> {
    for table in &scope.tables {
        for (at, column) in table.columns.iter().enumerate() {
            let again = table
                .columns
                .iter()
                .take(at)
                .any(|c| rustydb_catalog::definitions::same_name(&c.name, &column.name));
            if again {
                return Err(SqlError::duplicate_column(&column.name));
            }
        }
    }
    Ok(())
}

fn plan_table(
    source: &ast::TableSource,
    of: From<'_>,
    planning: &mut Planning<'_, '_>,
) -> Result<Source, SqlError> {
    if !source.partitions.is_empty() {
        return Err(SqlError::not_supported("PARTITION clause"));
    }
    if source.name.database.is_none()
        && let Some(at) = planning.named.iter().rposition(|n| n.table.name.value == source.name.name.value)
    {
        return plan_named_query(at, source.alias.as_ref(), planning);
    }
    let database = match &source.name.database {
        Some(database) => database.as_str().to_string(),
        None => planning.context.database()?.to_string(),
    };
    let alias = source.alias.as_ref().map(ast::Ident::as_str);
    let asked = lock_of(of.locking, &database, alias.unwrap_or(source.name.name.as_str()));
    if let Some(view) = planning.context.tables.view(&database, source.name.name.as_str())? {
        let locking =
            asked.map(|lock| ast::Locking { exclusive: lock.exclusive, tables: Vec::new(), wait: lock.wait });
        let locking = locking.into_iter().collect();
        let (plan, scope) = crate::view::expand::plan_view(&view, alias, locking, planning)?;
        return Ok(Source { plan, scope });
    }
    let shared = RowLock { exclusive: false, wait: ast::LockWait::Wait };
    let lock = asked.or(planning.context.session.shares_reads.then_some(shared));
    let usage = if lock.is_some_and(|l| l.exclusive) { TableUse::Write } else { TableUse::Read };
    let name = source.name.name.as_str();
    let table = planning.context.tables.table_as(&database, name, alias.unwrap_or(name), usage)?;
    let mut scope = Scope::empty();
    let mut names = stored_table(&table.def, alias);
    let mut columns: Vec<usize> = (0..table.def.columns.len()).collect();
    if of.keys && matches!(table.rows, TableRows::Stored) {
        names.columns.push(row_key_column(&table.def));
        columns.push(table.def.columns.len());
    }
    scope.add(names);
    let access = match table.rows {
        TableRows::Stored => Access::Index(IndexAccess::all(0)),
        TableRows::Virtual(_) if asked.is_some() => {
            let session = planning.session();
            return Err(SqlError::locking_denied(&session.user, &session.host, &table.def.name));
        }
        TableRows::Virtual(_) => Access::Virtual(VirtualAccess::default()),
    };
    let mut hints = index_hints(source, &table.def)?;
    let switch = planning.session().settings.optimizer_switch;
    hints.invisible = switch.has(OptimizerSwitch::USE_INVISIBLE_INDEXES);
    hints.no_hash = !switch.has(OptimizerSwitch::BLOCK_NESTED_LOOP);
    let scan = Scan {
        alias: alias.unwrap_or(&table.def.name).into(),
        columns,
        filter: Vec::new(),
        access,
        reverse: false,
        limit: None,
        one_by_one: false,
        lock,
        hints,
        estimate: None,
        table,
    };
    Ok(Source { plan: Plan::Scan(Box::new(scan)), scope })
}

/// A mention of a query of WITH: a derived table that sees only the queries before it.
fn plan_named_query(
    at: usize,
    alias: Option<&ast::Ident>,
    planning: &mut Planning<'_, '_>,
) -> Result<Source, SqlError> {
    let Some(named) = planning.named.get(at).cloned() else { return Err(SqlError::unknown("WITH")) };
    let alias = alias.unwrap_or(&named.table.name);
    let names = &named.table.columns;
    if let Some(work) = &named.work {
        let plan = Plan::Work { number: work.number, width: work.types.len() };
        return named_source(plan, &work.columns, &work.types, alias, names);
    }
    let shared = match &named.planned {
        Some(shared) => {
            shared.readers.fetch_add(1, Ordering::Relaxed);
            Arc::clone(shared)
        }
        None => plan_common_table(at, &named, planning)?,
    };
    let (columns, types) = columns_of(&named.table.query, &shared.plan);
    named_source(Plan::Shared(Arc::clone(&shared)), &columns, &types, alias, names)
}

/// Plans a query of WITH at its first mention.
fn plan_common_table(
    at: usize,
    named: &NamedQuery,
    planning: &mut Planning<'_, '_>,
) -> Result<Arc<SharedTable>, SqlError> {
    // It sees the queries before it, itself if it is recursive, and what is around its own query.
    let later = planning.named.split_off(named.visible + usize::from(named.recursive));
    let inside = planning.levels.split_off(named.depth.min(planning.levels.len()));
    let around = std::mem::take(&mut planning.subplans);
    let planned = if named.recursive { plan_recursive(&named.table, at, planning) } else { Ok(None) };
    let planned = match planned {
        Ok(Some(shared)) => Ok(shared),
        Ok(None) => super::plan_query(&named.table.query, planning).map(|mut plan| {
            settle_nulls(&named.table.query, &mut plan);
            let number = planning.next_shared();
            let name = named.table.name.as_str().into();
            Arc::new(SharedTable { number, name, plan, recursion: None, readers: AtomicUsize::new(1) })
        }),
        Err(error) => Err(error),
    };
    planning.subplans = around;
    let deeper = !inside.is_empty();
    planning.levels.extend(inside);
    planning.named.extend(later);
    let shared = planned?;
    if shared.has_outer() && deeper {
        return Err(SqlError::not_supported("a common table expression that looks out of its query"));
    }
    if let Some(slot) = planning.named.get_mut(at) {
        slot.work = None;
        slot.planned = Some(Arc::clone(&shared));
    }
    Ok(shared)
}

fn index_hints(source: &ast::TableSource, def: &rustydb_catalog::TableDef) -> Result<IndexHints, SqlError> {
    let mut hints = IndexHints::default();
    let has = |kind| source.index_hints.iter().any(|hint| hint.kind == kind);
    if has(ast::IndexHintKind::Use) && has(ast::IndexHintKind::Force) {
        return Err(SqlError::incorrect_usage("USE INDEX", "FORCE INDEX"));
    }
    for hint in &source.index_hints {
        let mut ids = Vec::new();
        for name in &hint.indexes {
            let Some(index) = def.index(name.as_str()) else {
                let table = source.alias.as_ref().map_or(def.name.as_str(), ast::Ident::as_str);
                return Err(SqlError::key_missing(name.as_str(), table));
            };
            ids.push(index.id);
        }
        match hint.kind {
            ast::IndexHintKind::Use | ast::IndexHintKind::Force => {
                let list = match hint.scope {
                    None | Some(ast::IndexHintScope::Join) => &mut hints.only,
                    Some(ast::IndexHintScope::OrderBy) => &mut hints.order_only,
                    // Groups are not made through an index.
                    Some(ast::IndexHintScope::GroupBy) => continue,
                };
                list.get_or_insert_with(Vec::new).extend(ids);
            }
            ast::IndexHintKind::Ignore => match hint.scope {
                None | Some(ast::IndexHintScope::Join) => hints.never.extend(ids),
                Some(ast::IndexHintScope::OrderBy) => hints.order_never.extend(ids),
                Some(ast::IndexHintScope::GroupBy) => {}
            },
        }
    }
    Ok(hints)
}

fn plan_join(node: &ast::Join, of: From<'_>, planning: &mut Planning<'_, '_>) -> Result<Source, SqlError> {
    let left = plan_reference(&node.left, of, planning)?;
    let (right, lateral) = plan_beside(&node.right, &left.scope, of, planning)?;
    if lateral.is_some() && node.kind == JoinKind::Right {
        return Err(SqlError::not_supported("LATERAL on the right of RIGHT JOIN"));
    }
    let left_width = left.scope.width();
    let outer = matches!(node.kind, JoinKind::Left | JoinKind::Right);
    // USING and NATURAL: pairs of columns, by position in each side.
    let mut pairs = Vec::new();
    match &node.constraint {
        JoinConstraint::Using(names) => {
            for name in names {
                let column = ast::ColumnName { table: None, name: name.clone() };
                pairs.push((
                    left.scope.find(&column, "from clause")?,
                    right.scope.find(&column, "from clause")?,
                ));
            }
        }
        JoinConstraint::Natural => {
            for at in 0..left_width {
                let Some(column) = left.scope.column(at).filter(|c| !c.hidden) else { continue };
                let name = ast::ColumnName { table: None, name: ast::Ident::new(&*column.name) };
                if let Ok(other) = right.scope.find(&name, "from clause") {
                    left.scope.find(&name, "from clause")?;
                    pairs.push((at, other));
                }
            }
        }
        JoinConstraint::None | JoinConstraint::On(_) => {}
    }
    let mut joined = join_scopes(&left.scope, &right.scope)?;
    if outer {
        let (first, last) = if node.kind == JoinKind::Left {
            (left.scope.tables.len(), joined.tables.len())
        } else {
            (0, left.scope.tables.len())
        };
        for table in first..last {
            joined.make_nullable(table);
        }
    }
    let mut on = Vec::new();
    if let JoinConstraint::On(condition) = &node.constraint {
        let mut binder = Binder::new(planning, &joined, "on clause");
        on = binder.bind_condition(condition)?;
    }
    for (a, b) in &pairs {
        let (Some(x), Some(y)) = (joined.expression(*a), joined.expression(left_width + b)) else { continue };
        on.push(crate::expr::build::compare(Comparison::Equal, x, y, planning.session())?);
    }
    // The bare name means the left column (the right one of a RIGHT JOIN); the other is found by table.
    // `*` begins with the columns in common.
    let right_star: Vec<usize> = right.scope.star.iter().map(|at| at + left_width).collect();
    let (first, second) = if node.kind == JoinKind::Right {
        (right_star, left.scope.star.clone())
    } else {
        (left.scope.star.clone(), right_star)
    };
    let mut star = Vec::new();
    for (a, b) in &pairs {
        let (kept, other) =
            if node.kind == JoinKind::Right { (left_width + b, *a) } else { (*a, left_width + b) };
        joined.hide(other);
        star.push(kept);
    }
    let paired: Vec<usize> = pairs.iter().flat_map(|(a, b)| [*a, left_width + b]).collect();
    let plain = !pairs.is_empty()
        || node.kind == JoinKind::Right && !matches!(node.constraint, JoinConstraint::On(_));
    if plain {
        star.sort_by_key(|at| first.iter().position(|f| f == at));
        star.extend(first.iter().chain(&second).filter(|at| !paired.contains(at)));
        joined.star = star;
    }
    let plan = if node.kind == JoinKind::Right {
        swapped(left, right, on)?
    } else {
        let kind = if node.kind == JoinKind::Left { Kind::Left } else { Kind::Inner };
        let mut joined = join(left, right, kind, on, lateral)?.plan;
        if let Plan::Join(join) = &mut joined {
            join.straight = node.kind == JoinKind::Straight;
        }
        joined
    };
    Ok(Source { plan, scope: joined })
}

/// Both scopes as one; 1066 if two tables have the same name.
fn join_scopes(left: &Scope, right: &Scope) -> Result<Scope, SqlError> {
    let mut joined = left.clone();
    for table in &right.tables {
        if let Some(other) = joined.tables.iter().find(|t| same_tables(t, table)) {
            return Err(SqlError::table_not_unique(&other.name));
        }
        joined.add(table.clone());
    }
    joined.star = left.star.clone();
    joined.star.extend(right.star.iter().map(|at| at + left.width()));
    Ok(joined)
}

fn join(
    left: Source,
    right: Source,
    kind: Kind,
    on: Vec<BoundExpr>,
    lateral: Option<Vec<BoundExpr>>,
) -> Result<Source, SqlError> {
    let scope = join_scopes(&left.scope, &right.scope)?;
    let right_types = types_of(&right.scope);
    let node = Join { on, lateral, ..Join::new(kind, left.plan, right.plan, right_types) };
    Ok(Source { plan: Plan::Join(Box::new(node)), scope })
}

fn types_of(scope: &Scope) -> Vec<ExprType> {
    (0..scope.width()).filter_map(|at| scope.column(at)).map(|c| c.ty.clone()).collect()
}

/// `left RIGHT JOIN right`: a left join of the other order, then the columns in the written order.
fn swapped(left: Source, right: Source, mut on: Vec<BoundExpr>) -> Result<Plan, SqlError> {
    let (left_width, right_width) = (left.scope.width(), right.scope.width());
    for condition in &mut on {
        condition.remap(&|at| if at < left_width { at + right_width } else { at - left_width });
    }
    let mut exprs = Vec::with_capacity(left_width + right_width);
    let joined = join_scopes(&right.scope, &left.scope)?;
    for at in (right_width..right_width + left_width).chain(0..right_width) {
        let Some(mut column) = joined.expression(at) else { continue };
        column.ty.nullable |= at >= right_width;
        exprs.push(column);
    }
    let node = join(right, left, Kind::Left, on, None)?;
    Ok(Plan::Project { input: Box::new(node.plan), exprs })
}
