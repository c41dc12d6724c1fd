//! What the columns of a plan are called, for those who show plans.

use super::Plan;
use crate::expr::{BoundExpr, Node};

/// A text for each column: its name, or the expression that it is.
pub fn of(plan: &Plan) -> Vec<String> {
    match plan {
        Plan::Dual => Vec::new(),
        Plan::Values(rows) => {
            (0..rows.first().map_or(0, Vec::len)).map(|at| format!("column_{at}")).collect()
        }
        Plan::Scan(scan) => {
            let def = &scan.table.def;
            let name = |at: &usize| def.columns.get(*at).map_or("", |column| column.name.as_str());
            scan.columns
                .iter()
                .map(|at| format!("`{}`.`{}`.`{}`", def.database, scan.alias, name(at)))
                .collect()
        }
        Plan::Derived(plan) => plan.columns.iter().map(|column| format!("`{}`", column.name)).collect(),
        Plan::Shared(table) => {
            let columns = table.plan.columns.iter();
            columns.map(|column| format!("`{}`.`{}`", table.name, column.name)).collect()
        }
        Plan::Work { width, .. } => vec![String::new(); *width],
        Plan::Join(join) => {
            let mut names = of(&join.left);
            if join.kind.gives_right() {
                names.extend(of(&join.right));
            }
            names
        }
        Plan::Filter { input, .. }
        | Plan::Sort { input, .. }
        | Plan::Limit { input, .. }
        | Plan::Distinct { input, .. }
        | Plan::Narrow { input, .. }
        | Plan::Counted { input, .. } => of(input),
        Plan::Project { input, exprs } => {
            let below = of(input);
            exprs.iter().map(|expr| shown(expr, &below)).collect()
        }
        Plan::Aggregate(node) => {
            let below = of(&node.input);
            let keys = node.keys.iter().map(|key| shown(key, &below));
            let level = node.rollup.then(|| "GROUPING".to_owned());
            keys.chain(level).chain(node.calls.iter().map(ToString::to_string)).collect()
        }
        Plan::Windows(node) => {
            let mut names = of(&node.input);
            names.extend(node.calls.iter().map(ToString::to_string));
            names
        }
        Plan::SetOperation(operation) => {
            operation.inputs.first().map_or_else(Vec::new, |input| of(&input.plan))
        }
    }
}

fn shown(expr: &BoundExpr, below: &[String]) -> String {
    match &expr.node {
        Node::Column(column) if column.name.is_empty() => {
            below.get(column.index).cloned().unwrap_or_default()
        }
        _ => expr.to_string(),
    }
}
