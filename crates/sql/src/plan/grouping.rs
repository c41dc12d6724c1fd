//! GROUP BY: turns expressions over rows into expressions over groups.
//!
//! A group's row is its keys followed by its aggregates. Every expression of the select list, HAVING and
//! ORDER BY is rewritten: what equals a key becomes that key's column, an aggregate becomes its column. A
//! plain column that is left must depend on the keys (they hold its table's whole primary key, or the
//! WHERE clause fixes it), else it is error 1055, or 1140 without GROUP BY; without ONLY_FULL_GROUP_BY
//! its value is that of some row of the group.

use super::aggregate::{AggregateCall, Operation};
use crate::error::SqlError;
use crate::expr::scope::Scope;
use crate::expr::{BoundExpr, Comparison, Node};

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
}

impl<'s> Grouping<'s> {
    /// Of these keys; `conditions` are the conjuncts of WHERE. `primary_keys` holds, for every table, the
    /// positions of its columns and of those of its primary key.
    pub fn new(
        scope: &'s Scope,
        keys: Vec<BoundExpr>,
        grouped: bool,
        strict: bool,
        conditions: &[BoundExpr],
        primary_keys: &[(Vec<usize>, Vec<usize>)],
    ) -> Grouping<'s> {
        let mut determined: Vec<usize> = Vec::new();
        for key in &keys {
            if let Node::Column(column) = &key.node {
                determined.push(column.index);
            }
        }
        for condition in conditions {
            if let Some(column) = fixed_column(condition) {
                determined.push(column);
            }
        }
        // Equal columns determine each other; whole primary keys determine their tables.
        loop {
            let before = determined.len();
            for condition in conditions {
                if let Some((a, b)) = equal_columns(condition) {
                    match (determined.contains(&a), determined.contains(&b)) {
                        (true, false) => determined.push(b),
                        (false, true) => determined.push(a),
                        _ => {}
                    }
                }
            }
            for (columns, key) in primary_keys {
                if !key.is_empty() && key.iter().all(|c| determined.contains(c)) {
                    for column in columns {
                        if !determined.contains(column) {
                            determined.push(*column);
                        }
                    }
                }
            }
            if determined.len() == before {
                break;
            }
        }
        Grouping { scope, keys, calls: Vec::new(), determined, strict, grouped }
    }

    /// Rewrites an expression over rows into one over groups. `position` and `clause` are for errors.
    pub fn rewrite(
        &mut self,
        expr: &BoundExpr,
        position: usize,
        clause: &str,
    ) -> Result<BoundExpr, SqlError> {
        if let Some(at) = self.keys.iter().position(|key| key.same(expr)) {
            return Ok(BoundExpr::column(at, expr.to_string(), expr.ty.clone()));
        }
        match &expr.node {
            Node::Aggregate(call) => {
                let at = match self.calls.iter().position(|known| known.same(call)) {
                    Some(at) => at,
                    None => {
                        self.calls.push(call.as_ref().clone());
                        self.calls.len() - 1
                    }
                };
                Ok(BoundExpr::column(self.keys.len() + at, expr.to_string(), expr.ty.clone()))
            }
            Node::Call { function, args } if function.name == "any_value" => {
                let Some(arg) = args.first() else { return Err(SqlError::invalid_group_function()) };
                Ok(self.first(arg, expr))
            }
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
        let nullable = arg.ty.nullable || !self.grouped;
        let ty = arg.ty.clone().with_nullable(nullable);
        let call = AggregateCall::plain(Operation::First, vec![arg.clone()], ty.clone());
        let at = match self.calls.iter().position(|known| known.same(&call)) {
            Some(at) => at,
            None => {
                self.calls.push(call);
                self.calls.len() - 1
            }
        };
        BoundExpr::column(self.keys.len() + at, whole.to_string(), ty)
    }
}

/// `` `db`.`t`.`a` `` as `db.t.a`.
fn shown(name: &str) -> String {
    name.replace('`', "")
}

/// The column that a condition makes equal to something that does not change.
fn fixed_column(condition: &BoundExpr) -> Option<usize> {
    let Node::Compare { op: Comparison::Equal, sides, .. } = &condition.node else { return None };
    let [a, b] = sides.as_ref();
    match (&a.node, &b.node) {
        (Node::Column(column), _) if b.is_row_free() => Some(column.index),
        (_, Node::Column(column)) if a.is_row_free() => Some(column.index),
        _ => None,
    }
}

/// The two columns that a condition makes equal.
fn equal_columns(condition: &BoundExpr) -> Option<(usize, usize)> {
    let Node::Compare { op: Comparison::Equal, sides, .. } = &condition.node else { return None };
    let [a, b] = sides.as_ref();
    match (&a.node, &b.node) {
        (Node::Column(x), Node::Column(y)) => Some((x.index, y.index)),
        _ => None,
    }
}
