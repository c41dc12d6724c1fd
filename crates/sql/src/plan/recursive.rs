//! WITH RECURSIVE: a query of WITH that reads itself.
//!
//! Its UNION is split into the seed (the operands that do not mention it) and the members that do. A member
//! reads the *work table*, the rows that the round before made, and its rows are brought to the types of the
//! seed, which alone decide those of the result. Rounds go on until one makes nothing new.
//!
//! MySQL's restrictions are errors 3573 to 3577, 4114 and 1235.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use rustydb_sql_parser::ast::{self, Part, TableReference};

use super::select::{plan_body, row_limit};
use super::set_operation::{converted, plan_set_operation};
use super::{Plan, RowLimit, SelectPlan, SharedTable};
use crate::api::{ColumnMeta, column_flags};
use crate::error::SqlError;
use crate::expr::planning::Planning;
use crate::expr::types::{ExprType, Kind};

/// How a table goes on from its seed.
#[derive(Debug, Clone)]
pub struct Recursion {
    /// By which the members find the rows of the round before.
    pub work: usize,
    /// The operands that read the work table, of the types of the seed.
    pub members: Vec<Member>,
    /// Rows of the seed are there once.
    pub distinct_seed: bool,
    /// How many rows are made at all.
    pub limit: Option<RowLimit>,
    /// The names of the columns, for messages.
    pub columns: Vec<String>,
}

/// An operand that reads the work table.
#[derive(Debug, Clone)]
pub struct Member {
    /// Makes rows from those of the round before.
    pub plan: Plan,
    /// Rows that are there already are left out.
    pub distinct: bool,
}

/// What a member sees of the table that it belongs to.
#[derive(Clone)]
pub struct WorkTable {
    /// By which a running statement finds it.
    pub number: usize,
    /// Its columns.
    pub columns: Vec<ColumnMeta>,
    /// Their types.
    pub types: Vec<ExprType>,
}

/// Plans a table that mentions itself, which stands at `at` among the named queries; None if it does not.
pub fn plan_recursive(
    table: &ast::CommonTable,
    at: usize,
    planning: &mut Planning<'_, '_>,
) -> Result<Option<Arc<SharedTable>>, SqlError> {
    let name = table.name.as_str();
    if mentions(&table.query.body, name) == (Mentions { direct: 0, inside: 0 }) {
        return Ok(None);
    }
    if table.query.with.is_some() {
        return Err(SqlError::not_supported("WITH inside a recursive common table expression"));
    }
    if !table.query.order_by.is_empty() {
        return Err(SqlError::not_supported("ORDER BY over UNION in recursive Common Table Expression"));
    }
    let ast::QueryBody::SetOperation(chain) = &table.query.body else {
        return Err(SqlError::recursion_without_union(name));
    };
    if chain.rest.iter().any(|operand| operand.op != ast::SetOperator::Union) {
        return Err(SqlError::recursion_without_union(name));
    }
    let operands: Vec<&ast::QueryBody> =
        std::iter::once(&chain.first).chain(chain.rest.iter().map(|operand| &operand.body)).collect();
    let reads: Vec<bool> = operands.iter().map(|body| mentions(body, name).any()).collect();
    let seeds = reads.iter().take_while(|reads| !**reads).count();
    if seeds == 0 || !reads.iter().skip(seeds).all(|reads| *reads) {
        return Err(SqlError::recursion_without_seed(name));
    }
    for body in operands.iter().skip(seeds) {
        check_member(body, name)?;
    }
    // Everything before the last DISTINCT operator is made distinct by it.
    let last_distinct = chain.rest.iter().rposition(|operand| !operand.all).map_or(0, |at| at + 1);
    let mut seed = if seeds == 1 {
        plan_body(&chain.first, &[], planning)?
    } else {
        let rest = chain.rest.iter().take(seeds - 1).cloned().collect();
        plan_set_operation(&ast::SetOperation { first: chain.first.clone(), rest }, &[], planning)?
    };
    for (column, ty) in seed.columns.iter_mut().zip(&mut seed.types) {
        if ty.kind == Kind::Null {
            *ty = ExprType::binary(0);
        }
        ty.nullable = true;
        column.flags &= !column_flags::NOT_NULL;
    }
    let work = WorkTable {
        number: planning.next_shared(),
        columns: seed.columns.clone(),
        types: seed.types.clone(),
    };
    let number = work.number;
    if let Some(named) = planning.named.get_mut(at) {
        named.work = Some(work);
    }
    let mut members = Vec::with_capacity(operands.len() - seeds);
    for (place, body) in operands.iter().enumerate().skip(seeds) {
        let member = plan_body(body, &[], planning)?;
        if member.types.len() != seed.types.len() {
            return Err(SqlError::different_column_counts());
        }
        members.push(Member { plan: converted(member, &seed.types), distinct: place <= last_distinct });
    }
    let columns = (0..seed.types.len()).map(|at| column_name(table, &seed, at)).collect();
    let recursion = Recursion {
        work: number,
        members,
        distinct_seed: last_distinct >= seeds,
        limit: row_limit(table.query.limit.as_ref())?,
        columns,
    };
    Ok(Some(Arc::new(SharedTable {
        number: planning.next_shared(),
        name: name.into(),
        plan: seed,
        recursion: Some(recursion),
        readers: AtomicUsize::new(1),
    })))
}

fn column_name(table: &ast::CommonTable, seed: &SelectPlan, at: usize) -> String {
    match (table.columns.get(at), seed.columns.get(at)) {
        (Some(name), _) => name.as_str().to_owned(),
        (None, Some(column)) => column.name.clone(),
        (None, None) => String::new(),
    }
}

/// How often a table is mentioned in FROM itself, and inside derived tables and subqueries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mentions {
    direct: usize,
    inside: usize,
}

impl Mentions {
    fn any(self) -> bool {
        self.direct + self.inside > 0
    }
}

fn mentions(body: &ast::QueryBody, name: &str) -> Mentions {
    let mut out = Mentions { direct: 0, inside: 0 };
    let mut body = body.clone();
    if let ast::QueryBody::Table(table) = &body {
        out.direct += usize::from(table.database.is_none() && table.name.as_str() == name);
    }
    body.each_select(&mut |select| {
        for reference in &mut select.from {
            reference.each_leaf(&mut |leaf| match leaf {
                TableReference::Table(source) => {
                    let is = source.name.database.is_none() && source.name.name.as_str() == name;
                    out.direct += usize::from(is);
                }
                TableReference::Derived(derived) => {
                    let within = mentions(&derived.query.body, name);
                    out.inside += within.direct + within.inside;
                }
                _ => {}
            });
            reference.each_condition(&mut |condition| out.inside += in_expression(condition, name));
        }
        select.each_part(&mut |part| {
            if let Part::Expr(expr) = part {
                out.inside += in_expression(expr, name);
            }
        });
    });
    out
}

fn in_expression(expr: &mut ast::Expr, name: &str) -> usize {
    let mut count = 0;
    expr.each_part(&mut |part| match part {
        Part::Expr(inner) => count += in_expression(inner, name),
        Part::Query(query) => {
            let within = mentions(&query.body, name);
            count += within.direct + within.inside;
        }
        Part::Column(_) => {}
    });
    count
}

/// What MySQL does not allow in an operand that reads the table.
fn check_member(body: &ast::QueryBody, name: &str) -> Result<(), SqlError> {
    let refused = || {
        SqlError::not_supported(
            "ORDER BY / LIMIT / SELECT DISTINCT in recursive query block of Common Table Expression",
        )
    };
    let select = match body {
        ast::QueryBody::Select(select) => select,
        ast::QueryBody::Nested(query) if !query.order_by.is_empty() || query.limit.is_some() => {
            return Err(refused());
        }
        ast::QueryBody::Nested(query) => return check_member(&query.body, name),
        ast::QueryBody::SetOperation(_) => return Err(SqlError::recursion_in_set_operation()),
        ast::QueryBody::Table(_) | ast::QueryBody::Values(_) => return Ok(()),
    };
    if select.options.distinct {
        return Err(refused());
    }
    let count = mentions(body, name);
    if count.direct != 1 || count.inside > 0 {
        return Err(SqlError::recursion_mentioned_again(name));
    }
    let mut groups = select.group_by.is_some();
    select.clone().each_part(&mut |part| {
        if let Part::Expr(expr) = part {
            groups |=
                expr.any(&mut |e| matches!(e.kind, ast::ExprKind::Aggregate(_) | ast::ExprKind::Window(_)));
        }
    });
    if groups {
        return Err(SqlError::recursion_with_groups(name));
    }
    if select.from.iter().any(|reference| on_inner_side(reference, name)) {
        return Err(SqlError::recursion_join_order(name));
    }
    Ok(())
}

fn holds(reference: &TableReference, name: &str) -> bool {
    match reference {
        TableReference::Table(source) => source.name.database.is_none() && source.name.name.as_str() == name,
        TableReference::Join(join) => holds(&join.left, name) || holds(&join.right, name),
        TableReference::List(list) => list.iter().any(|reference| holds(reference, name)),
        TableReference::Derived(_) | TableReference::JsonTable(_) => false,
    }
}

/// Whether a table stands where an outer join makes up NULLs.
fn on_inner_side(reference: &TableReference, name: &str) -> bool {
    match reference {
        TableReference::Join(join) => {
            let here = match join.kind {
                ast::JoinKind::Left => holds(&join.right, name),
                ast::JoinKind::Right => holds(&join.left, name),
                ast::JoinKind::Inner | ast::JoinKind::Straight => false,
            };
            here || on_inner_side(&join.left, name) || on_inner_side(&join.right, name)
        }
        TableReference::List(list) => list.iter().any(|reference| on_inner_side(reference, name)),
        _ => false,
    }
}
