//! From a query to a plan: bind, shape, improve.
//!
//! ```text
//! ast::Query --select, from, grouping--> Plan (algebra over positions of columns)
//!            --rules, one file each-----> the same Plan with access paths, narrow scans, fewer sorts
//!            --crate::exec--------------> rows
//! ```
//!
//! A [`Plan`] is a tree of relational operators. Columns are positions in the row that the operator below
//! gives; names are gone. The rules only ever annotate or move: what a plan means does not change.
//! A finished [`SelectPlan`] is immutable and can be run any number of times, by several sessions, with
//! other parameter values; everything that depends on a value (key ranges, LIMIT) is evaluated when it runs.

pub mod aggregate;
pub mod cost;
pub mod dependencies;
mod display;
pub mod estimate;
pub mod explain;
pub mod from;
pub mod grouping;
pub mod hints;
#[cfg(test)]
mod index_ways;
#[cfg(test)]
mod large;
mod locking;
pub mod named_types;
pub mod names;
pub mod recursive;
pub mod rules;
mod scan;
#[cfg(test)]
mod scripts;
pub mod select;
pub mod set_operation;
pub mod statistics;
pub mod walk;
pub mod window;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use rustydb_sql_parser::ast;
use rustydb_value::{Collation, Value};

pub use from::column_names_differ;
pub use scan::{
    Access, IndexAccess, IndexGroups, IndexHints, IndexMerge, KeyBounds, KeyEqual, Scan, VirtualAccess,
};
pub use select::{plan_query, prepare_result, prepare_select};

use crate::api::ColumnMeta;
use crate::context::TableUse;
use crate::exec::counted::Counter;
use crate::expr::planning::Planning;
use crate::expr::types::{Class, ExprType};
use crate::expr::{BoundExpr, Node, average};
use aggregate::AggregateCall;

/// A query that is ready to run.
#[derive(Debug, Clone)]
pub struct SelectPlan {
    /// What a client is told of the columns.
    pub(crate) columns: Vec<ColumnMeta>,
    /// Types of the columns of `root`.
    pub(crate) types: Vec<ExprType>,
    /// The operators.
    pub(crate) root: Plan,
    /// Subqueries, in the numbering of [`Node::Subquery`].
    pub(crate) subplans: Vec<Arc<SelectPlan>>,
    /// Which of its columns fix which.
    pub(crate) dependencies: Vec<dependencies::Dependency>,
    /// Whether the plan holds nothing of the session that bound it.
    pub(crate) cacheable: bool,
    /// Warnings of every execution: hints that were ignored.
    pub(crate) warnings: Vec<crate::error::SqlError>,
}

/// A table that a plan reads.
#[derive(Debug, Clone)]
pub struct PlanTable {
    /// Its database.
    pub database: String,
    /// Its name.
    pub name: String,
    /// The version of its definition that the plan was made for.
    pub version: u64,
    /// Which metadata lock running the plan needs.
    pub usage: TableUse,
}

impl SelectPlan {
    /// The columns of the result.
    pub fn columns(&self) -> &[ColumnMeta] {
        &self.columns
    }

    /// The types of the columns.
    pub fn types(&self) -> &[ExprType] {
        &self.types
    }

    /// Whether the plan may be kept and run again, by this session or another with the same settings.
    pub fn is_cacheable(&self) -> bool {
        self.cacheable
    }

    /// The tables that it reads, each once per mention.
    pub fn tables(&self) -> Vec<PlanTable> {
        let mut out = Vec::new();
        self.each_scan(&mut |scan| {
            out.push(PlanTable {
                database: scan.table.def.database.clone(),
                name: scan.table.def.name.clone(),
                version: scan.table.def.version,
                usage: if scan.lock.is_some_and(|l| l.exclusive) { TableUse::Write } else { TableUse::Read },
            });
        });
        out
    }

    /// How long what it was made with holds, of each of its tables that was looked at.
    pub(crate) fn freshness(&self) -> Vec<Arc<statistics::Freshness>> {
        let mut out: Vec<Arc<statistics::Freshness>> = Vec::new();
        self.each_scan(&mut |scan| {
            let found = scan.table.statistics.as_ref().and_then(|all| all.freshness(&scan.table.def));
            if let Some(found) = found.filter(|found| !out.iter().any(|known| Arc::ptr_eq(known, found))) {
                out.push(found);
            }
        });
        out
    }

    /// Whether it takes row locks (FOR UPDATE, FOR SHARE).
    pub fn locks_rows(&self) -> bool {
        let mut any = false;
        self.each_scan(&mut |scan| any |= scan.lock.is_some());
        any
    }

    /// Whether some table is read from end to end.
    pub fn scans_fully(&self) -> bool {
        let mut any = false;
        self.each_scan(&mut |scan| any |= scan.is_full());
        any
    }

    fn each_scan(&self, f: &mut dyn FnMut(&Scan)) {
        self.root.each_scan(f);
        for subplan in &self.subplans {
            subplan.each_scan(f);
        }
    }

    /// The type that each parameter marker is used as; None for one that the plan does not use.
    pub fn parameter_types(&self, count: usize) -> Vec<Option<ExprType>> {
        let mut out = vec![None; count];
        self.each_expr(&mut |expr| {
            expr.visit(&mut |e| {
                if let Node::Parameter(index) = e.node
                    && let Some(slot) = out.get_mut(index)
                {
                    *slot = Some(e.ty.clone());
                }
            });
        });
        out
    }

    /// Whether values of these kinds can be used as the types the plan was made for without loss. If not,
    /// the statement is planned again with the values at hand.
    pub fn accepts(&self, params: &[Value]) -> bool {
        let types = self.parameter_types(params.len());
        params.iter().zip(&types).all(|(value, ty)| ty.as_ref().is_none_or(|ty| fits(value, ty)))
    }

    /// Calls `f` with every expression of its operators and subqueries.
    pub(crate) fn each_expr(&self, f: &mut dyn FnMut(&BoundExpr)) {
        self.root.each_expr(f);
        for subplan in &self.subplans {
            subplan.each_expr(f);
        }
    }

    /// A subquery of which only the existence of a row matters needs no more than one.
    pub(crate) fn limit_for_existence(&mut self, only_existence: bool) {
        if only_existence {
            let input = Box::new(std::mem::replace(&mut self.root, Plan::Dual));
            let limit = RowLimit { offset: RowCount::Fixed(0), count: RowCount::Fixed(1) };
            self.root = Plan::Limit { input, limit, counts: false };
        }
    }

    /// Converts its columns, given as one expression over each.
    pub(crate) fn convert_columns(&mut self, exprs: Vec<BoundExpr>) {
        if exprs.iter().all(|expr| matches!(expr.node, Node::Column(_))) {
            return;
        }
        self.types = exprs.iter().map(|expr| expr.ty.clone()).collect();
        self.dependencies = Vec::new();
        let input = Box::new(std::mem::replace(&mut self.root, Plan::Dual));
        self.root = Plan::Project { input, exprs };
    }

    /// Gives averages among its columns all of their digits where they are `wanted`: for whoever takes the one value of a
    /// subquery, or puts them where there is room for more than they show.
    pub(crate) fn uncover_averages(&mut self, wanted: &dyn Fn(usize, &ExprType) -> bool) {
        let mut root = &mut self.root;
        while let Plan::Limit { input, .. } = root {
            root = input;
        }
        let Plan::Project { exprs, .. } = root else { return };
        for (at, (expr, ty)) in exprs.iter_mut().zip(&mut self.types).enumerate() {
            if let Some(wide) = average::uncovered(expr).filter(|_| wanted(at, ty)) {
                *ty = wide.ty.clone();
                *expr = wide;
            }
        }
    }

    /// Whether it reads the row of a query around it.
    pub(crate) fn has_outer(&self) -> bool {
        self.root.has_outer()
    }
}

fn fits(value: &Value, ty: &ExprType) -> bool {
    match (value, ty.class()) {
        (Value::Null, _) => true,
        (_, Class::Null) => false,
        (Value::Int(v), Class::UInt) => *v >= 0,
        (Value::UInt(v), Class::Int) => i64::try_from(*v).is_ok(),
        (Value::Int(_), Class::Int | Class::Decimal | Class::Double) => true,
        (Value::UInt(_) | Value::Bit(_), Class::UInt | Class::Decimal | Class::Double) => true,
        (Value::Year(_), Class::Int | Class::UInt | Class::Decimal | Class::Double) => true,
        (Value::Decimal(d), Class::Decimal) => {
            let (int, scale) = ty.digits();
            d.scale() <= scale && u32::from(d.integer_digits()) <= int
        }
        (Value::Decimal(_) | Value::Float(_) | Value::Double(_), Class::Double) => true,
        (Value::Text(_), Class::Text) | (Value::Text(_) | Value::Bytes(_), Class::Binary) => true,
        (Value::Date(_), Class::Date | Class::DateTime) => true,
        (Value::DateTime(d), Class::DateTime) => d.fsp() <= ty.decimals,
        (Value::Time(t), Class::Time) => t.fsp() <= ty.decimals,
        // Drivers send dates as text; one that is none is a warning either way.
        (Value::Text(_), Class::Date | Class::DateTime | Class::Time) => true,
        _ => false,
    }
}

/// A tree of operators.
#[derive(Debug, Clone)]
pub enum Plan {
    /// One row without columns: SELECT without FROM.
    Dual,
    /// Rows given as expressions: VALUES ROW(...).
    Values(Vec<Vec<BoundExpr>>),
    /// A table.
    Scan(Box<Scan>),
    /// A subquery in FROM.
    Derived(Box<SelectPlan>),
    /// A subquery that the statement makes once for all that read it.
    Shared(Arc<SharedTable>),
    /// The rows of the round before in a recursive query.
    Work {
        /// By which they are found.
        number: usize,
        /// Number of columns.
        width: usize,
    },
    /// Two inputs; the columns of the left come first, and are the only ones of semi and anti joins.
    Join(Box<Join>),
    /// The rows for which all are true.
    Filter {
        /// Where the rows come from.
        input: Box<Plan>,
        /// Over the input's columns.
        predicates: Vec<BoundExpr>,
    },
    /// One row per group: the keys, then the aggregates.
    Aggregate(Box<Aggregate>),
    /// Window functions: a column for each behind those of the input.
    Windows(Box<window::Windows>),
    /// One column per expression.
    Project {
        /// Where the rows come from.
        input: Box<Plan>,
        /// Over the input's columns.
        exprs: Vec<BoundExpr>,
    },
    /// Every row once.
    Distinct {
        /// Where the rows come from.
        input: Box<Plan>,
        /// Types of the columns.
        types: Vec<ExprType>,
        /// Equal rows come one after the other.
        sorted: bool,
    },
    /// In order.
    Sort {
        /// Where the rows come from.
        input: Box<Plan>,
        /// Most significant first.
        keys: Vec<SortKey>,
        /// How many rows anybody will read, if that is known when it runs.
        limit: Option<RowLimit>,
    },
    /// Some of the rows.
    Limit {
        /// Where the rows come from.
        input: Box<Plan>,
        /// Which.
        limit: RowLimit,
        /// SQL_CALC_FOUND_ROWS: the rest is counted.
        counts: bool,
    },
    /// Only the first columns: drops what was computed for sorting.
    Narrow {
        /// Where the rows come from.
        input: Box<Plan>,
        /// Columns kept.
        width: usize,
    },
    /// UNION, EXCEPT, INTERSECT.
    SetOperation(Box<set_operation::SetOperation>),
    /// EXPLAIN ANALYZE: what the input gives is counted.
    Counted {
        /// Where the rows come from.
        input: Box<Plan>,
        /// What is counted.
        counter: Arc<Counter>,
    },
}

/// A column to sort by.
#[derive(Debug, Clone)]
pub struct SortKey {
    /// Position in the input.
    pub column: usize,
    /// Its type.
    pub ty: ExprType,
    /// From large to small.
    pub descending: bool,
}

/// A number of rows.
#[derive(Debug, Clone)]
pub enum RowCount {
    /// As written.
    Fixed(u64),
    /// A parameter marker.
    Parameter(usize),
}

impl RowCount {
    /// The number, given the parameters.
    pub fn resolve(&self, params: &[Value]) -> Result<u64, crate::error::SqlError> {
        match self {
            RowCount::Fixed(n) => Ok(*n),
            RowCount::Parameter(at) => match params.get(*at) {
                Some(Value::Int(n)) if *n >= 0 => Ok(*n as u64),
                Some(Value::UInt(n)) => Ok(*n),
                Some(Value::Null) => Ok(0),
                _ => Err(crate::error::SqlError::wrong_arguments("LIMIT")),
            },
        }
    }
}

/// LIMIT and OFFSET.
#[derive(Debug, Clone)]
pub struct RowLimit {
    /// Rows skipped.
    pub offset: RowCount,
    /// Rows given.
    pub count: RowCount,
}

/// How rows are locked as they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowLock {
    /// FOR UPDATE rather than FOR SHARE.
    pub exclusive: bool,
    /// What to do about a row that is locked.
    pub wait: ast::LockWait,
}

/// Which rows a join gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinKind {
    /// Every pair that matches.
    Inner,
    /// Every pair that matches; left rows without a match appear once, with NULLs.
    Left,
    /// Left rows that have a match, each once and alone: EXISTS, IN.
    Semi,
    /// Left rows that have no match, alone: NOT EXISTS.
    Anti,
    /// The same for NOT IN, where a NULL on either side may be a match: see [`Join::not_in`].
    NullAwareAnti,
}

impl JoinKind {
    /// Whether the right columns are part of its rows, behind those of the left.
    pub fn gives_right(self) -> bool {
        matches!(self, JoinKind::Inner | JoinKind::Left)
    }

    /// As plans are shown.
    pub fn name(self) -> &'static str {
        match self {
            JoinKind::Inner => "join",
            JoinKind::Left => "left join",
            JoinKind::Semi => "semi join",
            JoinKind::Anti => "anti join",
            JoinKind::NullAwareAnti => "null-aware anti join",
        }
    }
}

/// A join of two inputs.
#[derive(Debug, Clone)]
pub struct Join {
    /// Left input.
    pub left: Plan,
    /// Right input.
    pub right: Plan,
    /// Which rows it gives.
    pub kind: JoinKind,
    /// Over the columns of both; two rows match if all are true, those of the `keys` too.
    pub on: Vec<BoundExpr>,
    /// Number of columns of the left.
    pub left_width: usize,
    /// Types of the right columns.
    pub right_types: Vec<ExprType>,
    /// Equalities between the two, by which matches are found without comparing all pairs: expressions
    /// over the left columns and over the right ones, of one class.
    pub keys: Vec<JoinKey>,
    /// Of [`JoinKind::NullAwareAnti`], and empty for all others: what `NOT IN` compares. Two rows match if,
    /// beside `on` and `keys`, none of these is false: each is equal, or has NULL on either side.
    pub not_in: Vec<JoinKey>,
    /// The right side is an index lookup whose key expressions are over the left columns.
    pub lookup: bool,
    /// LATERAL: the right side is run for every left row, with these values of it as its row around.
    pub lateral: Option<Vec<BoundExpr>>,
    /// STRAIGHT_JOIN: the left side is read first.
    pub straight: bool,
}

impl Join {
    /// Every pair of both, as kept by `kind`: no condition, no way to matches.
    pub fn new(kind: JoinKind, left: Plan, right: Plan, right_types: Vec<ExprType>) -> Join {
        Join {
            left_width: left.width(),
            left,
            right,
            kind,
            on: Vec::new(),
            right_types,
            keys: Vec::new(),
            not_in: Vec::new(),
            lookup: false,
            lateral: None,
            straight: false,
        }
    }
}

/// A subquery in FROM that is read in several places, or again and again.
#[derive(Debug)]
pub struct SharedTable {
    /// By which a running statement finds its rows.
    pub number: usize,
    /// As WITH calls it; empty if it is another kind of table.
    pub name: Arc<str>,
    /// What makes them, or the first of them.
    pub plan: SelectPlan,
    /// WITH RECURSIVE: what makes more of them.
    pub recursion: Option<recursive::Recursion>,
    /// How many places read it; with a single one the rows need not be kept.
    pub readers: AtomicUsize,
}

impl SharedTable {
    /// The members of a recursive query.
    pub fn members(&self) -> impl Iterator<Item = &Plan> {
        self.recursion.iter().flat_map(|recursion| &recursion.members).map(|member| &member.plan)
    }

    /// Whether it reads the row of a query around it, so that it is another table for every such row.
    pub fn has_outer(&self) -> bool {
        let mut any = self.plan.has_outer();
        self.members().for_each(|member| member.each_expr(&mut |expr| any |= expr.has_outer()));
        any
    }
}

/// Lets the derived tables of a subquery that is run for many rows be made once, where they are the same
/// for all of them.
pub(crate) fn share_fixed_parts(plan: &mut SelectPlan, planning: &mut Planning<'_, '_>) {
    fn walk(plan: &mut Plan, planning: &mut Planning<'_, '_>) {
        if let Plan::Join(join) = plan
            && join.lateral.is_some()
        {
            // It is another table for every row on its left.
            walk(&mut join.left, planning);
            return;
        }
        if let Plan::Derived(derived) = plan {
            let mut working = false;
            derived.root.each_work(&mut |_| working = true);
            if working || derived.has_outer() || derived.locks_rows() {
                return;
            }
            if let Plan::Derived(derived) = std::mem::replace(plan, Plan::Dual) {
                *plan = Plan::Shared(Arc::new(SharedTable {
                    number: planning.next_shared(),
                    name: "".into(),
                    plan: *derived,
                    recursion: None,
                    readers: AtomicUsize::new(usize::MAX),
                }));
            }
            return;
        }
        plan.each_input_mut(&mut |input| walk(input, planning));
    }
    walk(&mut plan.root, planning);
}

/// An equality between the sides of a join.
#[derive(Debug, Clone)]
pub struct JoinKey {
    /// Over the left columns.
    pub left: BoundExpr,
    /// Over the right columns.
    pub right: BoundExpr,
    /// Of text.
    pub collation: Collation,
}

/// Grouping.
#[derive(Debug, Clone)]
pub struct Aggregate {
    /// Where the rows come from.
    pub input: Plan,
    /// Grouping expressions.
    pub keys: Vec<BoundExpr>,
    /// Aggregates.
    pub calls: Vec<AggregateCall>,
    /// Whether there is one group even without rows (no GROUP BY).
    pub scalar: bool,
    /// WITH ROLLUP: groups by fewer and fewer of the keys follow those by all of them, and the last column says
    /// by how many.
    pub rollup: bool,
}

impl Aggregate {
    /// Number of columns.
    pub fn width(&self) -> usize {
        self.keys.len() + self.calls.len() + usize::from(self.rollup)
    }

    /// The keys, then the arguments of all aggregates.
    pub fn exprs(&self) -> impl Iterator<Item = &BoundExpr> {
        self.keys.iter().chain(self.calls.iter().flat_map(|call| &call.args))
    }
}

impl Plan {
    /// Number of columns.
    pub fn width(&self) -> usize {
        match self {
            Plan::Dual => 0,
            Plan::Values(rows) => rows.first().map_or(0, Vec::len),
            Plan::Scan(scan) => scan.columns.len(),
            Plan::Derived(plan) => plan.types.len(),
            Plan::Shared(table) => table.plan.types.len(),
            Plan::Work { width, .. } => *width,
            Plan::Join(join) if join.kind.gives_right() => join.left_width + join.right_types.len(),
            Plan::Join(join) => join.left_width,
            Plan::Filter { input, .. }
            | Plan::Distinct { input, .. }
            | Plan::Sort { input, .. }
            | Plan::Limit { input, .. }
            | Plan::Counted { input, .. } => input.width(),
            Plan::Aggregate(aggregate) => aggregate.width(),
            Plan::Windows(windows) => windows.input.width() + windows.calls.len(),
            Plan::Project { exprs, .. } => exprs.len(),
            Plan::Narrow { width, .. } => *width,
            Plan::SetOperation(operation) => operation.types.len(),
        }
    }

    /// The operator itself where it is counted.
    pub fn bare(&self) -> &Plan {
        match self {
            Plan::Counted { input, .. } => input.bare(),
            other => other,
        }
    }

    /// What counts it, if something does.
    pub fn counter(&self) -> Option<&Counter> {
        match self {
            Plan::Counted { counter, .. } => Some(counter),
            _ => None,
        }
    }
}
