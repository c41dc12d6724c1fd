//! GROUP BY: turns expressions over rows into expressions over groups.
//!
//! A group's row is its keys followed by its aggregates. Every expression of the select list, HAVING and ORDER BY is
//! rewritten: what equals a key becomes that key's column, an aggregate becomes its column. A plain column that is
//! left must depend on the keys ([`super::dependencies`]), else it is error 1055, or 1140 without GROUP BY; without
//! ONLY_FULL_GROUP_BY its value is that of some row of the group.

use rustydb_value::Collation;

use super::aggregate::{AggregateCall, Operation};
use super::dependencies::{Dependency, closure};
use crate::error::SqlError;
use crate::expr::average;
use crate::expr::build::literal_int;
use crate::expr::coerce::coerce;
use crate::expr::scope::Scope;
use crate::expr::{BoundExpr, Comparison, ExprType, Node};
use crate::function::Function;

/// GROUPING(): its place in a query of groups is taken by what [`Grouping`] makes of it.
pub static GROUPING: Function = Function::new(
    "grouping",
    (1, 64),
    "Which keys are rolled up in a row of WITH ROLLUP",
    |_| Ok(ExprType::int(21).not_null()),
    |_, _, _| Err(SqlError::invalid_group_function()),
);

/// The keys and aggregates of a query block, as they are found.
pub struct Grouping<'s> {
    /// Names of the rows that are grouped.
    pub scope: &'s Scope,
    /// Grouping expressions.
    pub keys: Vec<BoundExpr>,
    /// Aggregates, each once.
    pub calls: Vec<AggregateCall>,
    /// Columns that the keys or the WHERE clause determine.
    pub determined: Vec<usize>,
    /// ONLY_FULL_GROUP_BY.
    pub strict: bool,
    /// There is a GROUP BY clause.
    pub grouped: bool,
    /// WITH ROLLUP: the level of a group stands between its keys and its aggregates.
    pub rollup: bool,
}

impl<'s> Grouping<'s> {
    /// Of these keys; `dependencies` are those of the rows that are grouped.
    pub fn new(
        scope: &'s Scope,
        keys: Vec<BoundExpr>,
        grouped: bool,
        strict: bool,
        rollup: bool,
        dependencies: &[Dependency],
    ) -> Grouping<'s> {
        let named: Vec<usize> = keys
            .iter()
            .filter_map(|key| match &key.node {
                Node::Column(column) => Some(column.index),
                _ => None,
            })
            .collect();
        // The row of all groups together has no key.
        let determined = if rollup { named } else { closure(&named, dependencies) };
        Grouping { scope, keys, calls: Vec::new(), determined, strict, grouped, rollup }
    }

    /// The keys and the aggregates.
    pub fn finish(self) -> (Vec<BoundExpr>, Vec<AggregateCall>) {
        (self.keys, self.calls)
    }

    /// GROUPING(keys): a bit for each that is rolled up, the first the most significant.
    fn rolled_up(&self, args: &[BoundExpr]) -> Result<BoundExpr, SqlError> {
        let mut places = Vec::with_capacity(args.len());
        for (number, arg) in (1..).zip(args) {
            match self.keys.iter().position(|key| key.same(arg)) {
                Some(at) => places.push(at),
                None => return Err(SqlError::grouping_argument(number)),
            }
        }
        if !self.rollup {
            return Ok(literal_int(0));
        }
        // The level of a row says how many keys it is grouped by; every key from there on is rolled up.
        let mut branches = Vec::with_capacity(self.keys.len());
        for level in 0..self.keys.len() {
            let bits = places.iter().fold(0i64, |bits, at| bits << 1 | i64::from(level <= *at));
            let here = BoundExpr::column(self.keys.len(), "grouping", ExprType::int(21).not_null());
            let sides = Box::new([here, literal_int(i64::try_from(level).unwrap_or(i64::MAX))]);
            let node = Node::Compare { op: Comparison::Equal, sides, collation: Collation::BINARY };
            branches.push((BoundExpr { node, ty: ExprType::boolean().not_null() }, literal_int(bits)));
        }
        let node = Node::Case { branches, otherwise: Some(Box::new(literal_int(0))) };
        Ok(BoundExpr { node, ty: ExprType::int(21).not_null() })
    }

    /// The column of the first aggregate.
    fn base(&self) -> usize {
        self.keys.len() + usize::from(self.rollup)
    }

    /// Rewrites an expression over rows into one over groups. `position` and `clause` are for errors.
    pub fn rewrite(
        &mut self,
        expr: &BoundExpr,
        position: usize,
        clause: &str,
    ) -> Result<BoundExpr, SqlError> {
        if let Some(at) = self.keys.iter().position(|key| key.same(expr)) {
            let nullable = expr.ty.nullable || self.rollup;
            return Ok(BoundExpr::column(at, expr.to_string(), expr.ty.clone().with_nullable(nullable)));
        }
        match &expr.node {
            Node::Aggregate(call) => {
                // The groups of a table, which ROLLUP and DISTINCT do without.
                let words = if self.grouped && !self.rollup { average::in_words(call) } else { None };
                if let Some(words) = words {
                    let ty = words.ty.clone();
                    let words = BoundExpr { node: Node::Aggregate(Box::new(words)), ty };
                    return Ok(coerce(self.rewrite(&words, position, clause)?, expr.ty.clone()));
                }
                let at = match self.calls.iter().position(|known| known.same(call)) {
                    Some(at) => at,
                    None => {
                        self.calls.push(call.as_ref().clone());
                        self.calls.len() - 1
                    }
                };
                Ok(BoundExpr::column(self.base() + at, expr.to_string(), expr.ty.clone()))
            }
            Node::Call { function, args } if function.name == "any_value" => {
                let Some(arg) = args.first() else { return Err(SqlError::invalid_group_function()) };
                Ok(self.first(arg, expr))
            }
            Node::Call { function, args } if std::ptr::eq(*function, &GROUPING) => self.rolled_up(args),
            Node::Column(column) => {
                if self.strict && !self.determined.contains(&column.index) {
                    let name = self.scope.column(column.index).map_or_else(String::new, |c| shown(&c.shown));
                    return Err(if self.grouped {
                        SqlError::not_grouped(position, clause, name)
                    } else {
                        SqlError::mixed_grouping(position, clause, name)
                    });
                }
                Ok(self.first(expr, expr))
            }
            _ => {
                let mut out = expr.clone();
                let mut failed = None;
                out.for_children_mut(&mut |child| {
                    if failed.is_none() {
                        match self.rewrite(child, position, clause) {
                            Ok(rewritten) => *child = rewritten,
                            Err(error) => failed = Some(error),
                        }
                    }
                });
                match failed {
                    Some(error) => Err(error),
                    None => Ok(out),
                }
            }
        }
    }

    /// The value of some row of the group.
    fn first(&mut self, arg: &BoundExpr, whole: &BoundExpr) -> BoundExpr {
        // Without GROUP BY there may be no row at all.
        let nullable = arg.ty.nullable || !self.grouped || self.rollup;
        let ty = arg.ty.clone().with_nullable(nullable);
        let call = AggregateCall::plain(Operation::First, vec![arg.clone()], ty.clone());
        let at = match self.calls.iter().position(|known| known.same(&call)) {
            Some(at) => at,
            None => {
                self.calls.push(call);
                self.calls.len() - 1
            }
        };
        BoundExpr::column(self.base() + at, whole.to_string(), ty)
    }
}

/// `` `db`.`t`.`a` `` as `db.t.a`.
fn shown(name: &str) -> String {
    name.replace('`', "")
}
