//! UNION, EXCEPT and INTERSECT.
//!
//! Operands are evaluated from the left; each is converted to the merged types first. A DISTINCT operator
//! makes everything before it distinct, as in SQL.

use rustydb_sql_parser::ast;

use super::{Plan, SelectPlan};
use crate::error::SqlError;
use crate::expr::merge::merge_types;
use crate::expr::planning::Planning;
use crate::expr::types::{Class, ExprType, Kind};
use crate::expr::{BoundExpr, cast};

/// The operator between what is before and an operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// The first operand: nothing is before it.
    First,
    /// Rows of both.
    Union,
    /// Rows of what is before that the operand does not have.
    Except,
    /// Rows that both have.
    Intersect,
}

/// An operand and the operator before it.
#[derive(Debug, Clone)]
pub struct Input {
    /// The operator.
    pub operator: Operator,
    /// Duplicates are kept.
    pub all: bool,
    /// The operand's rows, of the merged types.
    pub plan: Plan,
}

/// A chain of set operations.
#[derive(Debug, Clone)]
pub struct SetOperation {
    /// From the left.
    pub inputs: Vec<Input>,
    /// Types of the columns.
    pub types: Vec<ExprType>,
}

/// Plans a chain.
pub fn plan_set_operation(
    operation: &ast::SetOperation,
    locking: &[ast::Locking],
    planning: &mut Planning<'_, '_>,
) -> Result<SelectPlan, SqlError> {
    let mut plans = vec![(Operator::First, true, super::select::plan_body(&operation.first, &[], planning)?)];
    for (at, operand) in operation.rest.iter().enumerate() {
        // FOR UPDATE behind all of them is the last one's.
        let locking = if at + 1 == operation.rest.len() { locking } else { &[] };
        let operator = match operand.op {
            ast::SetOperator::Union => Operator::Union,
            ast::SetOperator::Except => Operator::Except,
            ast::SetOperator::Intersect => Operator::Intersect,
        };
        plans.push((operator, operand.all, super::select::plan_body(&operand.body, locking, planning)?));
    }
    let width = plans.first().map_or(0, |(_, _, p)| p.types.len());
    if plans.iter().any(|(_, _, p)| p.types.len() != width) {
        return Err(SqlError::different_column_counts());
    }
    let session = planning.session();
    let mut types = Vec::with_capacity(width);
    for column in 0..width {
        let operands: Vec<&ExprType> = plans.iter().filter_map(|(_, _, p)| p.types.get(column)).collect();
        types.push(merge_types(&operands, "UNION", session)?.stored());
    }
    let mut columns = Vec::with_capacity(width);
    if let Some((_, _, first)) = plans.first() {
        for (column, ty) in first.columns.iter().zip(&types) {
            columns.push(ty.stored_meta(&column.name));
        }
    }
    let mut inputs = Vec::with_capacity(plans.len());
    let mut cacheable = true;
    for (operator, all, plan) in plans {
        cacheable &= plan.cacheable;
        let operand = converted(plan, &types);
        inputs.push(Input { operator, all, plan: operand });
    }
    Ok(SelectPlan {
        columns,
        types: types.clone(),
        root: Plan::SetOperation(Box::new(SetOperation { inputs, types })),
        subplans: Vec::new(),
        dependencies: Vec::new(),
        cacheable,
        warnings: Vec::new(),
    })
}

/// An operand with its columns converted where their types differ.
pub fn converted(mut plan: SelectPlan, types: &[ExprType]) -> Plan {
    plan.uncover_averages(&|at, ty| {
        let room = |to: &ExprType| match to.class() {
            Class::Decimal => to.decimals > ty.decimals,
            class => class == Class::Double,
        };
        types.get(at).is_some_and(room)
    });
    let exprs: Vec<BoundExpr> = plan
        .types
        .iter()
        .enumerate()
        .zip(types)
        .map(|((at, from), to)| {
            let column = BoundExpr::column(at, "", from.clone());
            // Beside a short text bits are a number, beside a long one bytes.
            let number = from.kind == Kind::Bit && matches!(to.kind, Kind::VarString | Kind::String);
            let column = if number { cast::force(column, ExprType::uint(20)) } else { column };
            cast::as_type(column, to)
        })
        .collect();
    let plain = exprs.iter().all(|e| matches!(e.node, crate::expr::Node::Column(_)));
    let input = Plan::Derived(Box::new(plan));
    if plain { input } else { Plan::Project { input: Box::new(input), exprs } }
}
