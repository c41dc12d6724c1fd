//! Subqueries become joins.
//!
//! ```text
//! Filter(EXISTS (S), x)      -> Semi(x, rows of S) on the conditions of S that read x
//! Filter(NOT EXISTS (S), x)  -> Anti(x, rows of S)
//! Filter(a IN (S), x)        -> Semi(x, rows of S) on a = value too
//! Filter(a NOT IN (S), x)    -> NullAwareAnti(x, rows of S), or Anti where no NULL can be met
//! Filter(a > ANY (S), x)     -> Semi; > ALL: Anti on what is not greater, or may be NULL; by MIN or MAX if S is one
//!                               for all rows
//! (SELECT f(b) FROM t WHERE t.c = x.c)  -> Left(x, groups of t by c), COUNT of no group being 0
//! (SELECT b FROM t WHERE t.key = x.c)   -> Left(x, t), since a whole unique key finds one row at most
//! x, LATERAL (S)             -> the same joins
//! ```
//!
//! A subquery stays as it is, and runs for each row whose values are new, where this would change what is seen: it calls
//! RAND() and the like, assigns variables, locks rows, has a LIMIT, stands under OR or in CASE as a condition, or may
//! give two rows where one is allowed (error 1242). One without captures that is only asked for a value or for existence
//! stays too: it runs once. So does a correlated aggregate whose rows an index finds, where that is cheaper than
//! groups of a whole table.

use std::sync::Arc;

use rustydb_value::Collation;

use super::blocks::Statement;
use super::hoist::{self, Hoisted, Peel, columns_of};
use super::lift_projections::{lift, substitute, types};
use super::run_or_group::runs_are_cheaper;
use super::single_values::{Place, groups, only_row};
use crate::expr::build::literal_int;
use crate::expr::types::Class;
use crate::expr::{BoundExpr, Comparison, ExprType, Node, SubqueryForm};
use crate::function;
use crate::plan::aggregate::{AggregateCall, Operation};
use crate::plan::{Aggregate, Join, JoinKey, JoinKind, Plan, SelectPlan};

/// Turns the subqueries of a block into joins, where that is safe.
pub fn decorrelate(plan: &mut SelectPlan, statement: &mut Statement<'_, '_, '_>) {
    if plan.locks_rows() {
        return;
    }
    let mut block = Block { subplans: std::mem::take(&mut plan.subplans), statement };
    let root = std::mem::replace(&mut plan.root, Plan::Dual);
    plan.root = block.walk(root);
    plan.subplans = block.subplans;
}

struct Block<'s, 'p, 'a, 'c> {
    subplans: Vec<Arc<SelectPlan>>,
    statement: &'s mut Statement<'p, 'a, 'c>,
}

/// What a condition asks of a subquery.
struct Asked<'e> {
    index: usize,
    captures: &'e [BoundExpr],
    form: &'e SubqueryForm,
    /// NOT stands before it.
    not: bool,
}

fn asked(condition: &BoundExpr) -> Option<Asked<'_>> {
    match &condition.node {
        Node::Subquery { index, captures, form } => Some(Asked { index: *index, captures, form, not: false }),
        Node::Call { function, args } if function.name == "not" => {
            let inner = asked(args.first()?)?;
            Some(Asked { not: !inner.not, ..inner })
        }
        _ => None,
    }
}

/// Values of the row on the left that a subquery was joined for, by its number.
type Joined = Vec<(usize, Vec<BoundExpr>)>;

impl Block<'_, '_, '_, '_> {
    fn walk(&mut self, mut plan: Plan) -> Plan {
        plan.each_input_mut(&mut |input| {
            let taken = std::mem::replace(input, Plan::Dual);
            *input = self.walk(taken);
        });
        match plan {
            Plan::Filter { input, predicates } => self.walk_filter(*input, predicates),
            Plan::Join(mut join) => {
                let mut above = Vec::new();
                if join.kind == JoinKind::Inner && join.lateral.is_none() {
                    let (runs, on) =
                        std::mem::take(&mut join.on).into_iter().partition(BoundExpr::has_subquery);
                    (above, join.on) = (runs, on);
                }
                let plan = match join.lateral.is_some() {
                    true => self.lateral(join),
                    false => Plan::Join(join),
                };
                if above.is_empty() { plan } else { self.walk_filter(plan, above) }
            }
            Plan::Project { input, mut exprs } => {
                let mut input = *input;
                let mut joined = Vec::new();
                exprs.iter_mut().for_each(|expr| self.values(expr, &mut input, &mut joined));
                Plan::Project { input: Box::new(input), exprs }
            }
            Plan::Aggregate(mut node) => {
                let mut input = std::mem::replace(&mut node.input, Plan::Dual);
                let mut joined = Vec::new();
                let args = node.calls.iter_mut().flat_map(|call| &mut call.args);
                node.keys.iter_mut().chain(args).for_each(|e| self.values(e, &mut input, &mut joined));
                node.input = input;
                Plan::Aggregate(node)
            }
            other => other,
        }
    }

    fn walk_filter(&mut self, input: Plan, predicates: Vec<BoundExpr>) -> Plan {
        let width = input.width();
        let (runs, mut plain): (Vec<_>, Vec<_>) = predicates.into_iter().partition(BoundExpr::has_subquery);
        if runs.is_empty() {
            return Plan::Filter { input: Box::new(input), predicates: plain };
        }
        // What runs no query is tested first.
        let mut plan = input;
        if !plain.iter().any(BoundExpr::has_side_effects) && !plain.is_empty() {
            plan = Plan::Filter { input: Box::new(plan), predicates: std::mem::take(&mut plain) };
        }
        let mut rest = plain;
        let mut joined = Vec::new();
        for mut condition in runs {
            if let Some(ordered) = self.as_extreme(&condition) {
                rest.push(ordered);
                continue;
            }
            if let Some(compared) = self.as_comparison(&condition) {
                condition = compared;
            }
            if !self.condition(&condition, &mut plan) {
                rest.push(condition);
            }
        }
        for condition in &mut rest {
            self.values(condition, &mut plan, &mut joined);
        }
        if !rest.is_empty() {
            plan = Plan::Filter { input: Box::new(plan), predicates: rest };
        }
        first_columns(plan, width)
    }

    /// The plan of a subquery, if it may be run in another way at all.
    fn movable(&self, index: usize, captures: &[BoundExpr]) -> Option<Arc<SelectPlan>> {
        let subplan = self.subplans.get(index)?;
        let still =
            subplan.is_volatile() || subplan.locks_rows() || !captures.iter().all(BoundExpr::is_movable);
        if still { None } else { Some(Arc::clone(subplan)) }
    }

    /// Takes the subqueries of a subquery that is joined over into this block.
    fn adopt(&mut self, subplan: &SelectPlan) -> usize {
        let base = self.subplans.len();
        self.subplans.extend(subplan.subplans.iter().cloned());
        base
    }

    /// `a IN (SELECT MAX(b) ..)` as `a = (SELECT MAX(b) ..)`: there is one row, whatever it was grouped from.
    fn as_comparison(&self, condition: &BoundExpr) -> Option<BoundExpr> {
        let Asked { index, captures, form, not } = asked(condition)?;
        if captures.is_empty() {
            return None;
        }
        let (needle, op, collation) = match form {
            SubqueryForm::In { needle, negated, collation } => {
                let op = if *negated { Comparison::NotEqual } else { Comparison::Equal };
                (needle, op, *collation)
            }
            SubqueryForm::Compare { needle, op, collation, .. } => (needle, *op, *collation),
            _ => return None,
        };
        let subplan = self.movable(index, captures)?;
        let (rows, _) = hoist::peeled(subplan.root.clone(), Peel::Order)?;
        if !matches!(rows, Plan::Aggregate(node) if node.scalar && !node.rollup) {
            return None;
        }
        let ty = subplan.types.first()?.clone().with_nullable(true);
        let value =
            Node::Subquery { index, captures: captures.to_vec(), form: SubqueryForm::Scalar { column: 0 } };
        let value = BoundExpr { node: value, ty };
        let op = if not { negated(op) } else { op };
        Some(compare(op, plain_integer(needle), value, collation))
    }

    /// `a > ANY (S)` as `a > (SELECT MIN(..) FROM S)`, and `a > ALL (S)` as more than the greatest of S, where S holds
    /// no NULL, or nothing at all. S reads nothing of the rows around it and so runs once.
    fn as_extreme(&mut self, condition: &BoundExpr) -> Option<BoundExpr> {
        use Comparison as C;
        let Asked { index, captures, form, not } = asked(condition)?;
        let SubqueryForm::Compare { needle, op, all, collation } = form else { return None };
        let (op, all) = if not { (negated(*op), !*all) } else { (*op, *all) };
        if !captures.is_empty() || !matches!(op, C::Less | C::LessEqual | C::Greater | C::GreaterEqual) {
            return None;
        }
        let subplan = self.movable(index, captures)?;
        let ty = subplan.types.first()?.clone();
        let ordered = match ty.class() {
            Class::Text => ty.collation == *collation,
            Class::Json | Class::Null => false,
            _ => true,
        };
        if !ordered {
            return None;
        }
        let greatest = matches!(op, C::Greater | C::GreaterEqual) == all;
        let column = BoundExpr::column(0, "value", ty.clone());
        let number = ExprType::int(21).not_null();
        let extreme = if greatest { Operation::Max } else { Operation::Min };
        let extreme_type = ty.clone().with_nullable(true);
        let mut calls = vec![AggregateCall::plain(extreme, vec![column.clone()], extreme_type)];
        if all {
            calls.push(AggregateCall::plain(Operation::Count, Vec::new(), number.clone()));
            calls.push(AggregateCall::plain(Operation::Count, vec![column], number));
        }
        let types: Vec<ExprType> = calls.iter().map(|call| call.ty.clone()).collect();
        let input = Plan::Derived(Box::new(subplan.as_ref().clone()));
        let aggregate = Aggregate { input, keys: Vec::new(), calls, scalar: true, rollup: false };
        let plan = SelectPlan {
            columns: types.iter().map(|ty| ty.meta("value")).collect(),
            types: types.clone(),
            root: Plan::Aggregate(Box::new(aggregate)),
            subplans: Vec::new(),
            dependencies: Vec::new(),
            ..subplan.as_ref().clone()
        };
        let index = self.subplans.len();
        self.subplans.push(Arc::new(plan));
        let value = |column: usize| {
            let node = Node::Subquery { index, captures: Vec::new(), form: SubqueryForm::Scalar { column } };
            let ty = types.get(column).cloned().unwrap_or_else(ExprType::null).with_nullable(true);
            BoundExpr { node, ty }
        };
        let beyond = compare(op, plain_integer(needle), value(0), *collation);
        if !all {
            return Some(beyond);
        }
        let empty = compare(C::Equal, value(1), literal_int(0), Collation::BINARY);
        let solid = compare(C::Equal, value(1), value(2), Collation::BINARY);
        let both = BoundExpr { node: Node::And(vec![solid, beyond]), ty: ExprType::boolean() };
        Some(BoundExpr { node: Node::Or(vec![empty, both]), ty: ExprType::boolean() })
    }

    /// Turns a condition into a join around `input`; false if it stays.
    fn condition(&mut self, condition: &BoundExpr, input: &mut Plan) -> bool {
        self.join_condition(condition, input).is_some()
    }

    fn join_condition(&mut self, condition: &BoundExpr, input: &mut Plan) -> Option<()> {
        let Asked { index, captures, form, not } = asked(condition)?;
        if !form.needles().iter().all(BoundExpr::is_movable) {
            return None;
        }
        let subplan = self.movable(index, captures)?;
        let exists = matches!(form, SubqueryForm::Exists { .. });
        if matches!(form, SubqueryForm::Scalar { .. }) || exists && captures.is_empty() {
            return None;
        }
        let Hoisted { rows, conditions, values } = hoist::as_set(&subplan.root, exists)?;
        let right_types = types(&rows)?;
        let left_width = input.width();
        let mut join = Join { left_width, ..Join::new(JoinKind::Semi, Plan::Dual, rows, right_types) };
        let place = Place { captures, left_width };
        join.on = conditions.into_iter().map(|c| place.over_both(c)).collect();
        let pairs: Vec<(BoundExpr, BoundExpr)> = form
            .needles()
            .iter()
            .map(plain_integer)
            .zip(values.into_iter().map(|v| place.over_both(v)))
            .collect();
        if pairs.len() != form.needles().len() {
            return None;
        }
        match form {
            SubqueryForm::Exists { negated } => {
                join.kind = if *negated != not { JoinKind::Anti } else { JoinKind::Semi };
            }
            SubqueryForm::In { negated, collation, .. } => {
                member(&mut join, pairs, &[*collation], *negated != not)?;
            }
            SubqueryForm::RowIn { negated, collations, .. } => {
                member(&mut join, pairs, collations, *negated != not)?;
            }
            SubqueryForm::Compare { op, all, collation, .. } => {
                let (needle, value) = pairs.into_iter().next()?;
                // NOT (a > ANY (..)) is a <= ALL (..).
                let (op, all) = if not { (self::negated(*op), !*all) } else { (*op, *all) };
                if all {
                    join.kind = JoinKind::Anti;
                    join.on.push(may_be_false(op, needle, value, *collation)?);
                } else {
                    join.on.push(compare(op, needle, value, *collation));
                }
            }
            SubqueryForm::Scalar { .. } => return None,
        }
        let base = self.adopt(&subplan);
        join.right.shift_subqueries(base);
        join.left = std::mem::replace(input, Plan::Dual);
        *input = Plan::Join(Box::new(join));
        Some(())
    }

    /// Puts columns of joins in the place of the correlated values in an expression over the first columns of `input`.
    fn values(&mut self, expr: &mut BoundExpr, input: &mut Plan, joined: &mut Joined) {
        if let Node::Subquery { index, captures, form: SubqueryForm::Scalar { column } } = &expr.node
            && !captures.is_empty()
        {
            let known = joined.iter().find(|(known, _)| known == index).map(|(_, values)| values.clone());
            let values = known.or_else(|| {
                let values = self.join_value(*index, captures, input)?;
                joined.push((*index, values.clone()));
                Some(values)
            });
            if let Some(mut value) = values.and_then(|values| values.get(*column).cloned()) {
                value.ty = expr.ty.clone();
                *expr = value;
                return;
            }
        }
        expr.for_children_mut(&mut |child| self.values(child, input, joined));
    }

    /// Joins a subquery that gives one row at most; what its columns are over the joined rows.
    fn join_value(
        &mut self,
        index: usize,
        captures: &[BoundExpr],
        input: &mut Plan,
    ) -> Option<Vec<BoundExpr>> {
        let subplan = self.movable(index, captures)?;
        let mut root = subplan.root.clone();
        lift(&mut root);
        let (rows, values) = hoist::peeled(root, Peel::Order)?;
        let width = input.width();
        let (mut join, values) = match rows {
            Plan::Aggregate(node) => {
                let mut stays = |grouped: &Aggregate| {
                    runs_are_cheaper(&subplan, grouped, input, captures, self.statement)
                };
                groups(*node, values, captures, &mut stays, width)?
            }
            rows => only_row(rows, values, captures, width)?,
        };
        let base = self.adopt(&subplan);
        join.right.shift_subqueries(base);
        join.left = std::mem::replace(input, Plan::Dual);
        *input = Plan::Join(Box::new(join));
        Some(values)
    }

    /// A join whose right side is a subquery over the row on the left.
    fn lateral(&mut self, join: Box<Join>) -> Plan {
        match self.lateral_joined(&join) {
            Some(plan) => plan,
            None => Plan::Join(join),
        }
    }

    fn lateral_joined(&mut self, join: &Join) -> Option<Plan> {
        let (Some(captures), Plan::Derived(subplan)) = (&join.lateral, &join.right) else { return None };
        let left_types = types(&join.left)?;
        let moves = captures.iter().chain(&join.on).all(BoundExpr::is_movable);
        if subplan.is_volatile() || !moves || !subplan.subplans.is_empty() {
            return None;
        }
        let mut root = subplan.root.clone();
        lift(&mut root);
        let (rows, values) = hoist::peeled(root, Peel::Order)?;
        let width = join.left_width;
        let mut above = columns_of(&left_types, width);
        let scalar = matches!(&rows, Plan::Aggregate(node) if node.scalar && !node.rollup);
        if let (Plan::Aggregate(node), true) = (&rows, scalar) {
            if join.kind == JoinKind::Left && !join.on.is_empty() {
                return None;
            }
            let mut stays = |grouped: &Aggregate| {
                runs_are_cheaper(subplan, grouped, &join.left, captures, self.statement)
            };
            let (mut joined, values) = groups(node.as_ref().clone(), values, captures, &mut stays, width)?;
            joined.left = join.left.clone();
            above.extend(values);
            let plan = Plan::Project { input: Box::new(Plan::Join(Box::new(joined))), exprs: above };
            let predicates = join.on.clone();
            let plan =
                if predicates.is_empty() { plan } else { Plan::Filter { input: Box::new(plan), predicates } };
            return Some(plan);
        }
        let mut conditions = Vec::new();
        let rows = hoist::hoist(rows, &mut conditions)?;
        let outer = join.kind == JoinKind::Left;
        // What a missing row's columns are is NULL, whatever an expression would make of NULLs.
        if outer && !values.iter().all(|value| matches!(value.node, Node::Column(_)))
            || !join.kind.gives_right()
        {
            return None;
        }
        let place = Place { captures, left_width: width };
        above.extend(values.into_iter().map(|value| {
            let mut value = place.over_both(value);
            value.ty.nullable |= outer;
            value
        }));
        let mut on: Vec<BoundExpr> = conditions.into_iter().map(|c| place.over_both(c)).collect();
        for condition in &join.on {
            let mut condition = condition.clone();
            substitute(&mut condition, &above);
            on.push(condition);
        }
        let joined = Join { right_types: types(&rows)?, right: rows, on, lateral: None, ..join.clone() };
        Some(Plan::Project { input: Box::new(Plan::Join(Box::new(joined))), exprs: above })
    }
}

/// Adds what IN or NOT IN compares to a join.
fn member(
    join: &mut Join,
    pairs: Vec<(BoundExpr, BoundExpr)>,
    collations: &[Collation],
    negated: bool,
) -> Option<()> {
    if pairs.len() != collations.len() {
        return None;
    }
    let solid = pairs.iter().all(|(a, b)| !a.ty.nullable && !b.ty.nullable);
    if !negated || solid {
        join.kind = if negated { JoinKind::Anti } else { JoinKind::Semi };
        let pairs = pairs.into_iter().zip(collations);
        join.on.extend(pairs.map(|((a, b), collation)| compare(Comparison::Equal, a, b, *collation)));
        return Some(());
    }
    join.kind = JoinKind::NullAwareAnti;
    for ((left, mut right), collation) in pairs.into_iter().zip(collations) {
        let (_, reads_right) = super::push_filters::sides(&left, join.left_width);
        let (reads_left, _) = super::push_filters::sides(&right, join.left_width);
        if reads_left || reads_right || right.has_outer() {
            return None;
        }
        right.remap(&|at| at.saturating_sub(join.left_width));
        let (left, right) = super::join_keys::one_class(left, right)?;
        join.not_in.push(JoinKey { left, right, collation: *collation });
    }
    Some(())
}

/// An integer without the conversion to the sign of the values that it is looked for among.
fn plain_integer(expr: &BoundExpr) -> BoundExpr {
    match &expr.node {
        Node::Coerce(inner) if inner.ty.class().is_integer() && expr.ty.class().is_integer() => {
            inner.as_ref().clone()
        }
        _ => expr.clone(),
    }
}

fn compare(op: Comparison, left: BoundExpr, right: BoundExpr, collation: Collation) -> BoundExpr {
    let nullable = left.ty.nullable || right.ty.nullable;
    let node = Node::Compare { op, sides: Box::new([left, right]), collation };
    BoundExpr { node, ty: ExprType::boolean().with_nullable(nullable) }
}

fn negated(op: Comparison) -> Comparison {
    match op {
        Comparison::Equal | Comparison::NullSafeEqual => Comparison::NotEqual,
        Comparison::NotEqual => Comparison::Equal,
        Comparison::Less => Comparison::GreaterEqual,
        Comparison::LessEqual => Comparison::Greater,
        Comparison::Greater => Comparison::LessEqual,
        Comparison::GreaterEqual => Comparison::Less,
    }
}

/// True where `left op right` is false or NULL.
fn may_be_false(
    op: Comparison,
    left: BoundExpr,
    right: BoundExpr,
    collation: Collation,
) -> Option<BoundExpr> {
    let mut parts = vec![compare(negated(op), left.clone(), right.clone(), collation)];
    for side in [left, right] {
        if side.ty.nullable {
            let node = Node::Call { function: function::find("isnull")?, args: vec![side] };
            parts.push(BoundExpr { node, ty: ExprType::boolean().not_null() });
        }
    }
    if parts.len() == 1 {
        return parts.pop();
    }
    Some(BoundExpr { node: Node::Or(parts), ty: ExprType::boolean() })
}

/// The first columns of a plan.
pub fn first_columns(plan: Plan, width: usize) -> Plan {
    if plan.width() == width {
        return plan;
    }
    match types(&plan) {
        Some(types) => Plan::Project { exprs: columns_of(&types, width), input: Box::new(plan) },
        None => Plan::Narrow { input: Box::new(plan), width },
    }
}
