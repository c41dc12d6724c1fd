//! Conditions move down: to the scan whose columns they read, to one side of a join, or into its ON.
//!
//! What is above a semi or anti join reads the left side only and moves there; so does what ON of a semi join asks of
//! the left side, but not what ON of an anti join does.
//! A condition on the inner side of an outer join stays above it, except when it cannot be true for the
//! NULLs that the join makes up: then the join is an inner one. The right side of a LATERAL join is left as it is.

use super::push_into_derived;
use super::{Rule, RuleSet};
use crate::expr::{BoundExpr, Comparison, Node};
use crate::plan::{Join, JoinKind, Plan};

/// Pushes all filters of a plan down.
pub fn push_filters(plan: Plan, rules: RuleSet) -> Plan {
    Push { into_blocks: rules.has(Rule::PushIntoDerived) }.push(plan, Vec::new())
}

fn wrap(plan: Plan, conditions: Vec<BoundExpr>) -> Plan {
    if conditions.is_empty() { plan } else { Plan::Filter { input: Box::new(plan), predicates: conditions } }
}

struct Push {
    /// Conditions go below groups and into derived tables.
    into_blocks: bool,
}

impl Push {
    fn push(&self, plan: Plan, mut conditions: Vec<BoundExpr>) -> Plan {
        match plan {
            Plan::Filter { input, predicates } => {
                // What stood lower is tested first.
                let mut all = predicates;
                all.append(&mut conditions);
                all.sort_by_key(BoundExpr::has_subquery);
                self.push(*input, all)
            }
            Plan::Scan(mut scan) => {
                let (stay, go): (Vec<_>, Vec<_>) =
                    conditions.into_iter().partition(BoundExpr::has_side_effects);
                scan.filter.extend(go);
                // What runs queries is tested last.
                scan.filter.sort_by_key(BoundExpr::has_subquery);
                wrap(Plan::Scan(scan), stay)
            }
            Plan::Join(join) => self.push_into_join(*join, conditions),
            other => {
                let (mut other, stay) = match self.into_blocks {
                    true => sunk(other, conditions),
                    false => (other, conditions),
                };
                other.each_input_mut(&mut |input| {
                    let taken = std::mem::replace(input, Plan::Dual);
                    *input = self.push(taken, Vec::new());
                });
                wrap(other, stay)
            }
        }
    }
}

/// Conditions that go below an operator are put there; the others are given back.
fn sunk(mut plan: Plan, conditions: Vec<BoundExpr>) -> (Plan, Vec<BoundExpr>) {
    let mut stay = Vec::new();
    for condition in conditions {
        if !condition.is_movable() {
            stay.push(condition);
            continue;
        }
        plan = match push_into_derived::sink(plan, condition.clone()) {
            Ok(plan) => plan,
            Err(plan) => {
                stay.push(condition);
                plan
            }
        };
    }
    (plan, stay)
}

/// Whether a condition runs a subquery again and again: it is better asked after a semi or anti join has left fewer rows.
fn runs_for_rows(condition: &BoundExpr) -> bool {
    condition.any(&mut |e| matches!(&e.node, Node::Subquery { captures, .. } if !captures.is_empty()))
}

/// Which side of a join an expression reads: left, right, both or neither.
pub fn sides(expr: &BoundExpr, left_width: usize) -> (bool, bool) {
    let mut columns = Vec::new();
    expr.columns(&mut columns);
    (columns.iter().any(|c| *c < left_width), columns.iter().any(|c| *c >= left_width))
}

/// Functions that give NULL where their first argument is NULL.
const STRICT: &[&str] = &["+", "-", "*", "/", "%", "div", "abs", "round", "lower", "upper", "year", "month"];

/// Whether a condition is never true when all columns from `from` on, before `to`, are NULL.
fn rejects_nulls(condition: &BoundExpr, from: usize, to: usize) -> bool {
    fn strict(expr: &BoundExpr, from: usize, to: usize) -> bool {
        match &expr.node {
            Node::Coerce(inner) => strict(inner, from, to),
            Node::Column(column) => (from..to).contains(&column.index),
            Node::Call { function, args } if STRICT.contains(&function.name) => {
                args.iter().any(|arg| strict(arg, from, to))
            }
            _ => false,
        }
    }
    match &condition.node {
        Node::Compare { op, sides, .. } => {
            *op != Comparison::NullSafeEqual && sides.iter().any(|side| strict(side, from, to))
        }
        Node::In { needle, .. } => strict(needle, from, to),
        Node::Call { function, args } => {
            matches!(function.name, "is not null" | "like" | "is true")
                && args.first().is_some_and(|arg| strict(arg, from, to))
        }
        Node::Or(list) => list.iter().all(|branch| rejects_nulls(branch, from, to)),
        Node::And(list) => list.iter().any(|part| rejects_nulls(part, from, to)),
        _ => false,
    }
}

/// Makes the left joins of a plan inner ones whose NULLs a condition rejects; the plan's columns begin at `base`.
fn reject(plan: &mut Plan, condition: &BoundExpr, base: usize) {
    match plan {
        Plan::Join(join) => {
            let middle = base + join.left_width;
            if join.kind == JoinKind::Left
                && rejects_nulls(condition, middle, middle + join.right_types.len())
            {
                join.kind = JoinKind::Inner;
            }
            reject(&mut join.left, condition, base);
            if join.kind == JoinKind::Inner && join.lateral.is_none() {
                reject(&mut join.right, condition, middle);
            }
        }
        Plan::Filter { input, .. } => reject(input, condition, base),
        _ => {}
    }
}

impl Push {
    fn push_into_join(&self, mut join: Join, conditions: Vec<BoundExpr>) -> Plan {
        let width = join.left_width;
        if join.kind == JoinKind::Left
            && conditions.iter().any(|c| rejects_nulls(c, width, width + join.right_types.len()))
        {
            join.kind = JoinKind::Inner;
        }
        for condition in &conditions {
            reject(&mut join.left, condition, 0);
            if join.kind == JoinKind::Inner && join.lateral.is_none() {
                reject(&mut join.right, condition, width);
            }
        }
        for condition in &join.on {
            if matches!(join.kind, JoinKind::Inner | JoinKind::Semi) {
                reject(&mut join.left, condition, 0);
            }
            if join.lateral.is_none() {
                reject(&mut join.right, condition, width);
            }
        }
        let (mut left, mut right, mut above) = (Vec::new(), Vec::new(), Vec::new());
        let on = std::mem::take(&mut join.on);
        if matches!(join.kind, JoinKind::Left | JoinKind::Anti | JoinKind::NullAwareAnti) {
            for condition in on {
                match sides(&condition, width) {
                    (false, true) if join.lateral.is_none() => right.push(shifted(condition, width)),
                    _ => join.on.push(condition),
                }
            }
            for condition in conditions {
                let last = join.kind != JoinKind::Left && runs_for_rows(&condition);
                match sides(&condition, width) {
                    (_, true) => above.push(condition),
                    _ if condition.has_side_effects() || last => above.push(condition),
                    _ => left.push(condition),
                }
            }
        } else {
            for condition in on.into_iter().chain(conditions) {
                let last = join.kind == JoinKind::Semi && runs_for_rows(&condition);
                if condition.has_side_effects() || last {
                    above.push(condition);
                    continue;
                }
                match sides(&condition, width) {
                    (false, true) if join.lateral.is_none() => right.push(shifted(condition, width)),
                    (_, true) => join.on.push(condition),
                    _ => left.push(condition),
                }
            }
        }
        let taken = std::mem::replace(&mut join.left, Plan::Dual);
        join.left = self.push(taken, left);
        let taken = std::mem::replace(&mut join.right, Plan::Dual);
        join.right = self.push(taken, right);
        wrap(Plan::Join(Box::new(join)), above)
    }
}

fn shifted(mut condition: BoundExpr, width: usize) -> BoundExpr {
    condition.remap(&|at| at.saturating_sub(width));
    condition
}
