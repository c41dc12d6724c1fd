//! Names of the query blocks around a subquery.
//!
//! Subqueries are closures: what one reads of the row around it is listed as its *captures*, expressions of
//! the enclosing block, and inside it stands a [`Node::Outer`] with the position in that list. A name that
//! belongs further out is captured by every block between, so that each run needs the values of one row only.
//!
//! An aggregate whose arguments are all of the block around belongs to that block (as SQL says): it is
//! captured whole.

use std::sync::Arc;

use rustydb_sql_parser::ast;

use super::bind::AggregateUse;
use super::planning::Planning;
use super::scope::Scope;
use super::{BoundExpr, Node};
use crate::error::SqlError;

/// A query block around the one that is being bound, as seen from the clause in which a subquery stands.
pub struct Level {
    /// Columns of its tables.
    pub scope: Scope,
    /// Names of its select list, where the clause may use them.
    pub aliases: Vec<(Arc<str>, BoundExpr)>,
    /// Whether aggregates may stand in the clause.
    pub aggregates: AggregateUse,
    /// What the subquery reads of it, over its own columns.
    pub captures: Vec<BoundExpr>,
}

impl Level {
    /// A block of which nothing has been read yet.
    pub fn new(scope: Scope, aliases: &[(Arc<str>, BoundExpr)], aggregates: AggregateUse) -> Level {
        Level { scope, aliases: aliases.to_vec(), aggregates, captures: Vec::new() }
    }

    fn find(&self, name: &ast::ColumnName) -> Result<Option<BoundExpr>, SqlError> {
        match self.scope.find(name, "field list") {
            Ok(index) => return Ok(self.scope.expression(index)),
            Err(error) if error.code != 1054 => return Err(error),
            Err(_) => {}
        }
        if name.table.is_some() {
            return Ok(None);
        }
        let wanted = name.name.as_str();
        let alias = self.aliases.iter().find(|(a, _)| rustydb_catalog::definitions::same_name(a, wanted));
        match alias {
            Some((_, expr)) if expr.has_aggregate() => {
                Err(SqlError::illegal_reference(wanted, "reference to group function"))
            }
            other => Ok(other.map(|(_, expr)| expr.clone())),
        }
    }

    fn capture(&mut self, expr: BoundExpr) -> usize {
        match self.captures.iter().position(|known| known.same(&expr)) {
            Some(at) => at,
            None => {
                self.captures.push(expr);
                self.captures.len() - 1
            }
        }
    }
}

impl Planning<'_, '_> {
    /// A column of a block around the current one, as an expression of the current one.
    pub fn outer_column(&mut self, name: &ast::ColumnName) -> Result<Option<BoundExpr>, SqlError> {
        for depth in (0..self.levels.len()).rev() {
            let found = match self.levels.get(depth) {
                Some(level) => level.find(name)?,
                None => None,
            };
            if let Some(expr) = found {
                return Ok(Some(self.carried_in(expr, depth)));
            }
        }
        Ok(None)
    }

    /// Carries an expression of the block at `depth` into the current one.
    fn carried_in(&mut self, mut expr: BoundExpr, depth: usize) -> BoundExpr {
        for level in self.levels.iter_mut().skip(depth) {
            let (shown, ty) = (expr.to_string(), expr.ty.clone());
            expr = BoundExpr::outer(level.capture(expr), shown, ty);
        }
        expr
    }

    /// How many captures every level has, to undo later ones.
    pub fn mark_captures(&self) -> Vec<usize> {
        self.levels.iter().map(|level| level.captures.len()).collect()
    }

    /// An aggregate that belongs to a block around the current one, carried in from there; None if it is the
    /// current block's own. `mark` is from before its arguments were bound.
    pub fn outer_aggregate(&mut self, aggregate: &BoundExpr, mark: &[usize]) -> Option<BoundExpr> {
        let mut expr = aggregate.clone();
        let mut depth = self.levels.len();
        while depth > 0
            && expr.has_outer()
            && !expr.any(&mut |e| matches!(e.node, Node::Column(_) | Node::Subquery { .. }))
        {
            let level = self.levels.get(depth - 1)?;
            if !to_captured(&mut expr, &level.captures) {
                return None;
            }
            depth -= 1;
        }
        let level = self.levels.get(depth)?;
        if level.aggregates == AggregateUse::Refused {
            return None;
        }
        // Its columns alone are not read any more.
        for (level, kept) in self.levels.iter_mut().zip(mark) {
            level.captures.truncate(*kept);
        }
        Some(self.carried_in(expr, depth))
    }
}

/// Puts what was captured in the place of the captures' values.
fn to_captured(expr: &mut BoundExpr, captures: &[BoundExpr]) -> bool {
    if let Node::Outer(column) = &expr.node {
        return match captures.get(column.index) {
            Some(captured) => {
                *expr = captured.clone();
                true
            }
            None => false,
        };
    }
    let mut all = true;
    expr.for_children_mut(&mut |child| all &= to_captured(child, captures));
    all
}
