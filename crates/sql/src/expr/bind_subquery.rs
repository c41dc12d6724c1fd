//! Binding subqueries, and rows `(a, b)` beside each other or beside a subquery.
//!
//! A row is an operand of several columns: a list in parentheses, or a subquery that gives several. Rows are
//! compared column by column: `=` holds if all are equal, `<` by the first columns that differ.

use rustydb_sql_parser::ast::{self, ExprKind as E};
use rustydb_value::Collation;

use super::average;
use super::bind::{Binder, comparison_of};
use super::build::{finish, in_one_sign};
use super::collations::collations_meet;
use super::compare::{unify, year_beside};
use super::outer::Level;
use super::types::ExprType;
use super::{BoundExpr, Comparison, Node, SubqueryForm};
use crate::error::SqlError;
use crate::plan::SelectPlan;

/// Number of a subquery and what it captures.
type Numbered = (usize, Vec<BoundExpr>);

impl Binder<'_, '_, '_> {
    /// Plans a subquery: its plan and what it reads of this block.
    fn planned(&mut self, query: &ast::Query) -> Result<(SelectPlan, Vec<BoundExpr>), SqlError> {
        let aliases = if self.aliases.is_empty() { self.earlier } else { self.aliases };
        self.planning.levels.push(Level::new(self.scope.clone(), aliases, self.aggregates));
        let plan = crate::plan::plan_query(query, self.planning);
        let level = self.planning.levels.pop();
        let captures = level.map_or_else(Vec::new, |level| level.captures);
        Ok((plan?, captures))
    }

    fn numbered(&mut self, plan: SelectPlan, captures: Vec<BoundExpr>) -> Numbered {
        self.planning.subplans.push(plan.into());
        (self.planning.subplans.len() - 1, captures)
    }

    /// Plans a subquery of which only the existence of a row matters.
    pub(super) fn exists_subquery(&mut self, query: &ast::Query) -> Result<Numbered, SqlError> {
        let (mut plan, captures) = self.planned(query)?;
        plan.limit_for_existence(true);
        Ok(self.numbered(plan, captures))
    }

    /// The columns of an operand: those of a row or of a subquery, or itself.
    fn operand(&mut self, expr: &ast::Expr) -> Result<Vec<BoundExpr>, SqlError> {
        match &expr.kind {
            E::Row(list) => {
                let mut out = Vec::with_capacity(list.len());
                for item in list {
                    out.push(self.bind(item)?);
                }
                Ok(out)
            }
            E::Subquery(query) => self.subquery_columns(query),
            _ => Ok(vec![self.bind(expr)?]),
        }
    }

    /// How many columns an operand has.
    pub(super) fn operand_width(&mut self, expr: &ast::Expr) -> Result<usize, SqlError> {
        match &expr.kind {
            E::Row(list) => Ok(list.len()),
            E::Subquery(query) => {
                let (plan, _) = self.planned(query)?;
                Ok(plan.types().len())
            }
            _ => Ok(1),
        }
    }

    /// The values of a subquery's only row.
    fn subquery_columns(&mut self, query: &ast::Query) -> Result<Vec<BoundExpr>, SqlError> {
        let (mut plan, captures) = self.planned(query)?;
        let shown: Vec<ExprType> = plan.types().to_vec();
        plan.uncover_averages(&|_, _| true);
        let types: Vec<ExprType> = plan.types().to_vec();
        let (index, captures) = self.numbered(plan, captures);
        let mut out = Vec::with_capacity(types.len());
        for (column, (ty, shown)) in types.into_iter().zip(shown).enumerate() {
            let form = SubqueryForm::Scalar { column };
            let node = Node::Subquery { index, captures: captures.clone(), form };
            let covered = ty.decimals != shown.decimals;
            let value = BoundExpr { node, ty: ty.computed().with_nullable(true) };
            out.push(if covered { average::shown(value, shown.with_nullable(true)) } else { value });
        }
        Ok(out)
    }

    /// A subquery as a value.
    pub(super) fn scalar_subquery(&mut self, query: &ast::Query) -> Result<BoundExpr, SqlError> {
        let columns = self.subquery_columns(query)?;
        match <[BoundExpr; 1]>::try_from(columns) {
            Ok([only]) => Ok(only),
            Err(_) => Err(SqlError::operand_columns(1)),
        }
    }

    /// A comparison of two operands, rows among them.
    pub(super) fn comparison(
        &mut self,
        op: Comparison,
        left: &ast::Expr,
        right: &ast::Expr,
    ) -> Result<BoundExpr, SqlError> {
        let is_row = |e: &ast::Expr| matches!(e.kind, E::Row(_) | E::Subquery(_));
        if let (E::Row(a), E::Row(b)) = (&left.kind, &right.kind) {
            return self.row_comparison(op, a, b);
        }
        if !is_row(left) && !is_row(right) {
            let (left, right) = (self.bind(left)?, self.bind(right)?);
            return self.compare(op, left, right);
        }
        let (left, right) = (self.operand(left)?, self.operand(right)?);
        if left.len() != right.len() {
            return Err(SqlError::operand_columns(left.len()));
        }
        let pairs: Vec<_> = left.into_iter().zip(right).collect();
        self.compare_pairs(op, &pairs)
    }

    fn row_comparison(
        &mut self,
        op: Comparison,
        a: &[ast::Expr],
        b: &[ast::Expr],
    ) -> Result<BoundExpr, SqlError> {
        if a.len() != b.len() {
            return Err(SqlError::operand_columns(a.len()));
        }
        let nested = a.iter().chain(b).any(|e| matches!(e.kind, E::Row(_)));
        if nested {
            let all = match op {
                Comparison::Equal | Comparison::NullSafeEqual => true,
                Comparison::NotEqual => false,
                _ => return Err(SqlError::not_supported("order of nested rows")),
            };
            let mut parts = Vec::with_capacity(a.len());
            for (x, y) in a.iter().zip(b) {
                parts.push(self.comparison(op, x, y)?);
            }
            return Ok(joined(parts, all));
        }
        let mut pairs = Vec::with_capacity(a.len());
        for (x, y) in a.iter().zip(b) {
            pairs.push((self.bind(x)?, self.bind(y)?));
        }
        self.compare_pairs(op, &pairs)
    }

    /// Compares two rows whose columns are given in pairs.
    fn compare_pairs(
        &mut self,
        op: Comparison,
        pairs: &[(BoundExpr, BoundExpr)],
    ) -> Result<BoundExpr, SqlError> {
        if let [(left, right)] = pairs {
            return self.compare(op, left.clone(), right.clone());
        }
        let mut parts = Vec::with_capacity(pairs.len());
        match op {
            Comparison::Equal | Comparison::NullSafeEqual | Comparison::NotEqual => {
                for (left, right) in pairs {
                    parts.push(self.compare(op, left.clone(), right.clone())?);
                }
                Ok(joined(parts, op != Comparison::NotEqual))
            }
            _ => {
                // The first columns that differ decide.
                let strict = match op {
                    Comparison::LessEqual => Comparison::Less,
                    Comparison::GreaterEqual => Comparison::Greater,
                    other => other,
                };
                for (at, (left, right)) in pairs.iter().enumerate() {
                    let mut all = Vec::with_capacity(at + 1);
                    for (x, y) in pairs.iter().take(at) {
                        all.push(self.compare(Comparison::Equal, x.clone(), y.clone())?);
                    }
                    let here = if at + 1 == pairs.len() { op } else { strict };
                    all.push(self.compare(here, left.clone(), right.clone())?);
                    parts.push(joined(all, true));
                }
                Ok(joined(parts, false))
            }
        }
    }

    /// `(a, b) IN ((1, 2), (3, 4))`
    pub(super) fn row_in_list(
        &mut self,
        expr: &ast::Expr,
        list: &[ast::Expr],
        negated: bool,
    ) -> Result<BoundExpr, SqlError> {
        let mut options = Vec::with_capacity(list.len());
        for item in list {
            options.push(self.comparison(Comparison::Equal, expr, item)?);
        }
        let any = joined(options, false);
        if negated { self.call("not", vec![any]) } else { Ok(any) }
    }

    /// `a IN (SELECT ..)`, `(a, b) IN (SELECT ..)`
    pub(super) fn in_subquery(
        &mut self,
        expr: &ast::Expr,
        query: &ast::Query,
        negated: bool,
    ) -> Result<BoundExpr, SqlError> {
        let (numbered, mut needles, mut collations, nullable) =
            self.subquery_beside(expr, Comparison::Equal, query)?;
        let (index, captures) = numbered;
        let form = match (needles.len(), needles.pop(), collations.pop()) {
            (1, Some(needle), Some(collation)) => {
                SubqueryForm::In { needle: Box::new(needle), negated, collation }
            }
            (_, Some(needle), Some(collation)) => {
                needles.push(needle);
                collations.push(collation);
                SubqueryForm::RowIn { needles, negated, collations }
            }
            _ => return Err(SqlError::operand_columns(1)),
        };
        let ty = ExprType::boolean().with_nullable(nullable);
        Ok(BoundExpr { node: Node::Subquery { index, captures, form }, ty })
    }

    /// Plans a subquery and brings its columns and the operands beside it to one class each: the subquery,
    /// the operands, the collations that compare them, and whether NULL can be met.
    fn subquery_beside(
        &mut self,
        expr: &ast::Expr,
        op: Comparison,
        query: &ast::Query,
    ) -> Result<(Numbered, Vec<BoundExpr>, Vec<Collation>, bool), SqlError> {
        if has_limit(query) {
            return Err(SqlError::not_supported("LIMIT & IN/ALL/ANY/SOME subquery"));
        }
        let session = self.planning.session();
        let operands = self.operand(expr)?;
        let (mut plan, captures) = self.planned(query)?;
        if plan.types().len() != operands.len() {
            return Err(SqlError::operand_columns(operands.len()));
        }
        let mut values = Vec::with_capacity(operands.len());
        let mut needles = Vec::with_capacity(operands.len());
        let mut collations = Vec::with_capacity(operands.len());
        let mut nullable = false;
        for (at, (operand, ty)) in operands.into_iter().zip(plan.types()).enumerate() {
            // Both meet in one class; the subquery converts its column.
            let mut sides = [finish(operand, session), BoundExpr::column(at, "subquery", ty.clone())];
            collations_meet(&[&sides[0].ty, ty], op.symbol(), session)?;
            // Unlike in a list, a constant that equals years is one of them.
            if op == Comparison::Equal
                && let Some(year) = year_beside(&sides[1], &sides[0], session)
            {
                sides[0] = year;
            }
            collations.push(unify(&mut sides, " IN ", session)?);
            let [needle, value] = in_one_sign(sides, op == Comparison::Equal);
            nullable |= needle.ty.nullable || value.ty.nullable;
            needles.push(needle);
            values.push(value);
        }
        plan.convert_columns(values);
        Ok((self.numbered(plan, captures), needles, collations, nullable))
    }

    /// `a > ALL (SELECT ..)` and the like.
    pub(super) fn quantified(&mut self, quantified: &ast::Quantified) -> Result<BoundExpr, SqlError> {
        match (quantified.op, quantified.all) {
            (ast::BinaryOp::Equal, false) => self.in_subquery(&quantified.left, &quantified.query, false),
            (ast::BinaryOp::NotEqual, true) => self.in_subquery(&quantified.left, &quantified.query, true),
            (op, all) => {
                let Some(op) = comparison_of(op) else { return Err(SqlError::syntax_usage()) };
                let (numbered, needles, collations, _) =
                    self.subquery_beside(&quantified.left, op, &quantified.query)?;
                let (index, captures) = numbered;
                let ([needle], [collation]) = (needles.as_slice(), collations.as_slice()) else {
                    return Err(SqlError::operand_columns(1));
                };
                let form = SubqueryForm::Compare {
                    needle: Box::new(needle.clone()),
                    op,
                    all,
                    collation: *collation,
                };
                Ok(BoundExpr { node: Node::Subquery { index, captures, form }, ty: ExprType::boolean() })
            }
        }
    }
}

/// Whether a query or an operand of it has a LIMIT.
fn has_limit(query: &ast::Query) -> bool {
    fn in_body(body: &ast::QueryBody) -> bool {
        match body {
            ast::QueryBody::Nested(query) => has_limit(query),
            ast::QueryBody::SetOperation(chain) => {
                in_body(&chain.first) || chain.rest.iter().any(|operand| in_body(&operand.body))
            }
            _ => false,
        }
    }
    query.limit.is_some() || in_body(&query.body)
}

/// All of some conditions, or any of them.
fn joined(parts: Vec<BoundExpr>, all: bool) -> BoundExpr {
    let nullable = parts.iter().any(|p| p.ty.nullable);
    let node = if all { Node::And(parts) } else { Node::Or(parts) };
    BoundExpr { node, ty: ExprType::boolean().with_nullable(nullable) }
}
