//! A plan as a tree of steps: FORMAT=TREE, and FORMAT=JSON of version 2.
//!
//! A step is an operator in MySQL's words. Projections are none: MySQL computes them where they are read. What a scan
//! tests itself is told as a filter above it.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use super::blocks::steps_through_groups;
use super::scans::{self, Way};
use super::text::{number, short};
use super::{Change, json::Json};
use crate::exec::counted::Counter;
use crate::expr::{BoundExpr, Node};
use crate::plan::set_operation::Operator;
use crate::plan::{Join, JoinKey, JoinKind, Plan, RowCount, RowLimit, Scan, SelectPlan, SortKey};

/// An operator as it is told.
#[derive(Debug, Clone, Default)]
pub struct Step {
    /// What it does.
    pub operation: String,
    /// Rows and cost, as estimated.
    pub estimate: Option<(f64, f64)>,
    /// What was counted while it ran.
    pub counter: Option<Arc<Counter>>,
    /// Where its rows come from.
    pub inputs: Vec<Step>,
    /// What is told in a document beside that.
    pub facts: Vec<(&'static str, Json)>,
}

/// The steps of a plan: the first makes its rows, others are subqueries of what it computes for the client.
pub fn steps(plan: &SelectPlan, change: Option<&Change>) -> Vec<Step> {
    let mut walk = Walk { last: 1, ..Walk::default() };
    let mut steps = walk.block(plan);
    if let Some(change) = change {
        let inputs = std::mem::take(&mut steps);
        steps = vec![changed(change, inputs)];
    }
    steps
}

/// The text of some steps.
pub fn tree(steps: &[Step], analyzed: bool) -> String {
    let mut out = String::new();
    for step in steps {
        write(step, 0, analyzed, &mut out);
    }
    out
}

fn write(step: &Step, depth: usize, analyzed: bool, out: &mut String) {
    let _ = write!(out, "{:indent$}-> {}", "", step.operation, indent = depth * 4);
    if let Some((rows, cost)) = step.estimate {
        let _ = write!(out, "  (cost={} rows={})", number(cost), number(rows));
    }
    if analyzed && let Some(counter) = &step.counter {
        match counter.per_loop() {
            Some((first, last, rows, loops)) => {
                let (first, last) = (number(first * 1e3), number(last * 1e3));
                let space = if step.estimate.is_some() { " " } else { "  " };
                let _ =
                    write!(out, "{space}(actual time={first}..{last} rows={} loops={loops})", number(rows));
            }
            None => out.push_str(" (never executed)"),
        }
    }
    out.push('\n');
    for input in &step.inputs {
        write(input, depth + 1, analyzed, out);
    }
}

#[derive(Default)]
struct Walk {
    last: usize,
    /// Of the subqueries of the block that is looked at.
    ids: Vec<usize>,
    /// Names of work tables.
    work: HashMap<usize, String>,
    /// Shared tables that were told already.
    told: Vec<usize>,
}

impl Walk {
    fn block(&mut self, plan: &SelectPlan) -> Vec<Step> {
        let ids = (0..plan.subplans.len()).map(|at| self.last + 1 + at).collect();
        self.last += plan.subplans.len();
        let around = std::mem::replace(&mut self.ids, ids);
        let mut out = vec![self.step(&plan.root)];
        let ids = std::mem::replace(&mut self.ids, around);
        for (at, (subplan, id)) in plan.subplans.iter().zip(ids).enumerate() {
            let how = if subplan.has_outer() { "dependent" } else { "run only once" };
            let place = if in_condition(&plan.root, at) { "condition" } else { "projection" };
            let inputs = self.block(subplan);
            let operation = format!("Select #{id} (subquery in {place}; {how})");
            let step = Step { operation, inputs, ..Step::default() };
            let runner = match place {
                "condition" => out.first_mut().and_then(|root| runner(root, id)),
                _ => None,
            };
            match runner {
                Some(filter) => filter.inputs.push(step),
                None => out.push(step),
            }
        }
        out
    }

    fn text(&self, expr: &BoundExpr) -> String {
        short(&expr.to_string(), &self.ids)
    }

    fn list(&self, exprs: &[BoundExpr]) -> String {
        let parts: Vec<String> = exprs.iter().map(|e| self.text(e)).collect();
        if let [only] = parts.as_slice() { only.clone() } else { format!("({})", parts.join(" and ")) }
    }

    fn step(&mut self, plan: &Plan) -> Step {
        let mut step = match plan {
            Plan::Counted { input, counter } => {
                let mut step = self.step(input);
                // A projection is told by what is below it, and so is a derived table.
                step.counter.get_or_insert_with(|| Arc::clone(counter));
                return step;
            }
            Plan::Project { input, .. } | Plan::Narrow { input, .. } => return self.step(input),
            Plan::Derived(derived) => {
                let mut steps = self.block(derived);
                let mut first = if steps.is_empty() { Step::default() } else { steps.remove(0) };
                first.inputs.extend(steps);
                return first;
            }
            Plan::Dual | Plan::Values(_) => Step {
                operation: "Rows fetched before execution".to_owned(),
                facts: vec![("access_type", "rows_fetched_before_execution".into())],
                ..Step::default()
            },
            Plan::Scan(scan) => return self.scan(scan, false, scans::estimate(plan)),
            Plan::Shared(table) => self.shared(table),
            Plan::Work { number, .. } => {
                let name = self.work.get(number).cloned().unwrap_or_default();
                Step { operation: format!("Scan new records on {name}"), ..Step::default() }
            }
            Plan::Join(join) => self.join(join),
            Plan::Filter { input, predicates } => {
                let input = self.step(input);
                self.filter(input, predicates)
            }
            Plan::Aggregate(node) if !node.keys.is_empty() && steps_through_groups(&node.input) => {
                return self.step(&node.input);
            }
            Plan::Distinct { input, .. } if steps_through_groups(input) => {
                let mut step = self.step(input);
                rename_groups(&mut step);
                return step;
            }
            Plan::Aggregate(node) => {
                let calls: Vec<String> =
                    node.calls.iter().map(|call| short(&call.to_string(), &self.ids)).collect();
                let calls = if calls.is_empty() { String::new() } else { format!(": {}", calls.join(", ")) };
                let facts = vec![("access_type", "aggregate".into())];
                let mut inputs = vec![self.step(&node.input)];
                if node.keys.is_empty() {
                    inputs.iter_mut().for_each(rename_groups);
                    Step { operation: format!("Aggregate{calls}"), inputs, facts, ..Step::default() }
                } else if node.rollup {
                    let operation = format!("Group aggregate with rollup{calls}");
                    Step { operation, inputs, facts, ..Step::default() }
                } else {
                    let operation = "Aggregate using temporary table".to_owned();
                    temporary(Step { operation, inputs, facts, ..Step::default() })
                }
            }
            Plan::Windows(node) => {
                let calls: Vec<String> =
                    node.calls.iter().map(|call| short(&call.to_string(), &self.ids)).collect();
                Step {
                    operation: format!("Window aggregate: {}", calls.join(", ")),
                    inputs: vec![self.step(&node.input)],
                    facts: vec![("access_type", "window".into())],
                    ..Step::default()
                }
            }
            Plan::Distinct { input, sorted: true, .. } => {
                let mut step = self.step(input);
                step.operation = step.operation.replacen("Sort:", "Sort with duplicate removal:", 1);
                step
            }
            Plan::Distinct { input, .. } => temporary(Step {
                operation: "Temporary table with deduplication".to_owned(),
                inputs: vec![self.step(input)],
                facts: vec![("access_type", "materialize".into())],
                ..Step::default()
            }),
            Plan::Sort { input, keys, limit } => self.sort(input, keys, limit.as_ref()),
            Plan::Limit { input, limit, .. } => Step {
                operation: limit_text(limit),
                inputs: vec![self.step(input)],
                facts: vec![("access_type", "limit".into())],
                ..Step::default()
            },
            Plan::SetOperation(operation) => {
                let inputs = operation.inputs.iter().map(|input| self.step(&input.plan)).collect();
                let rest: Vec<_> = operation.inputs.iter().skip(1).collect();
                let facts = vec![("access_type", "union".into())];
                if rest.iter().all(|input| input.operator == Operator::Union && input.all) {
                    Step { operation: "Append".to_owned(), inputs, facts, ..Step::default() }
                } else {
                    let (word, table) = match rest.first().map(|input| input.operator) {
                        Some(Operator::Except) => ("Except", "<except temporary>"),
                        Some(Operator::Intersect) => ("Intersect", "<intersect temporary>"),
                        _ => ("Union", "<union temporary>"),
                    };
                    let made = format!("{word} materialize with deduplication");
                    let made = Step { operation: made, inputs, facts, ..Step::default() };
                    table_scan(table, vec![made])
                }
            }
        };
        step.estimate = scans::estimate(plan);
        step
    }

    fn filter(&mut self, input: Step, predicates: &[BoundExpr]) -> Step {
        let condition = self.list(predicates);
        Step {
            operation: format!("Filter: {condition}"),
            inputs: vec![input],
            facts: vec![("access_type", "filter".into()), ("condition", condition.into())],
            ..Step::default()
        }
    }

    fn scan(&mut self, scan: &Scan, lookup: bool, estimate: Option<(f64, f64)>) -> Step {
        let way = scans::way(scan, lookup, &self.ids);
        let mut step = Step { operation: scan_text(scan, &way), ..Step::default() };
        step.facts = scan_facts(scan, &way);
        if let Some((word, parts)) = &way.merged {
            let of_part = |way: &Way| {
                let way = Way { kind: "range", ..way.clone() };
                let facts = scan_facts(scan, &way);
                Step { operation: scan_text(scan, &way), facts, ..Step::default() }
            };
            step.inputs = parts.iter().map(of_part).collect();
            let kind = match *word {
                "intersect" => "rowid_intersection",
                "union" => "rowid_union",
                _ => "index_merge",
            };
            step.facts = vec![("access_type", kind.into())];
        }
        step.estimate = estimate;
        if scan.filter.is_empty() {
            return step;
        }
        if let (Some((read, _)), Some((_, cost))) = (scans::rows(scan), estimate) {
            step.estimate = Some((read, cost));
        }
        let mut filter = self.filter(step, &scan.filter);
        filter.estimate = estimate;
        filter
    }

    fn join(&mut self, join: &Join) -> Step {
        let mut left = self.step(&join.left);
        if left.operation.is_empty() {
            left.operation = "Rows fetched before execution".to_owned();
        }
        let estimate = scans::estimate(join.right.bare());
        let mut right = match (join.right.bare(), &join.right) {
            (Plan::Scan(scan), outer) if join.lookup => {
                let mut step = self.scan(scan, true, estimate);
                if let Plan::Counted { counter, .. } = outer {
                    step.counter = Some(Arc::clone(counter));
                }
                step
            }
            _ => self.step(&join.right),
        };
        let word = match join.kind {
            JoinKind::Inner => "inner join",
            JoinKind::Left => "left join",
            JoinKind::Semi => "semijoin",
            JoinKind::Anti | JoinKind::NullAwareAnti => "antijoin",
        };
        let mut facts = vec![("access_type", "join".into()), ("join_type", word.into())];
        if join.lookup || join.lateral.is_some() {
            if !join.on.is_empty() {
                let counter = right.counter.clone();
                right = self.filter(right, &join.on);
                right.counter = counter;
            }
            facts.push(("join_algorithm", "nested_loop".into()));
            let operation = format!("Nested loop {word}");
            return Step { operation, inputs: vec![left, right], facts, ..Step::default() };
        }
        facts.push(("join_algorithm", "hash".into()));
        let key = |key: &JoinKey| format!("({} = {})", self.text(&key.left), self.text(&key.right));
        let keys: Vec<String> = join.keys.iter().chain(&join.not_in).map(key).collect();
        let keys = if keys.is_empty() { "(no condition)".to_owned() } else { keys.join(", ") };
        let extra = match join.on.as_slice() {
            [] => String::new(),
            on => format!(", extra conditions: {}", self.list(on)),
        };
        let name = match join.kind {
            JoinKind::Inner => "Inner hash join",
            JoinKind::Left => "Left hash join",
            JoinKind::Semi => "Hash semijoin",
            JoinKind::Anti => "Hash antijoin",
            JoinKind::NullAwareAnti => "Null-aware hash antijoin",
        };
        let hash = Step { operation: "Hash".to_owned(), inputs: vec![right], ..Step::default() };
        Step {
            operation: format!("{name} {keys}{extra}"),
            inputs: vec![left, hash],
            facts,
            ..Step::default()
        }
    }

    fn sort(&mut self, input: &Plan, keys: &[SortKey], limit: Option<&RowLimit>) -> Step {
        let names = crate::plan::names::of(input);
        let fields: Vec<String> = keys
            .iter()
            .map(|key| {
                let name = names.get(key.column).map(|name| short(name, &self.ids)).unwrap_or_default();
                format!("{name}{}", if key.descending { " DESC" } else { "" })
            })
            .collect();
        let mut operation = format!("Sort: {}", fields.join(", "));
        if let Some(RowLimit { count: RowCount::Fixed(count), offset }) = limit {
            let skipped = if let RowCount::Fixed(skipped) = offset { *skipped } else { 0 };
            let _ = write!(operation, ", limit input to {} row(s) per chunk", count.saturating_add(skipped));
        }
        let fields = Json::List(fields.into_iter().map(Json::from).collect());
        let facts = vec![("access_type", "sort".into()), ("sort_fields", fields)];
        Step { operation, inputs: vec![self.step(input)], facts, ..Step::default() }
    }

    fn shared(&mut self, table: &crate::plan::SharedTable) -> Step {
        let name = if table.name.is_empty() { "<temporary>" } else { table.name.as_ref() };
        if self.told.contains(&table.number) {
            let told = "Materialize (query plan printed elsewhere)".to_owned();
            return table_scan(name, vec![Step { operation: told, ..Step::default() }]);
        }
        self.told.push(table.number);
        let mut inputs = self.block(&table.plan);
        let operation = match &table.recursion {
            None => format!("Materialize CTE {name} if needed"),
            Some(recursion) => {
                self.work.insert(recursion.work, name.to_owned());
                let members = recursion.members.iter().map(|member| self.step(&member.plan)).collect();
                let again = "Repeat until convergence".to_owned();
                inputs.push(Step { operation: again, inputs: members, ..Step::default() });
                format!("Materialize recursive CTE {name}")
            }
        };
        let facts = vec![("access_type", "materialize".into())];
        table_scan(name, vec![Step { operation, inputs, facts, ..Step::default() }])
    }
}

/// An index scan for groups is one for deduplication where no values are made of the groups.
fn rename_groups(step: &mut Step) {
    step.operation = step.operation.replace("skip scan for grouping", "skip scan for deduplication");
    step.inputs.iter_mut().for_each(rename_groups);
}

fn table_scan(name: &str, inputs: Vec<Step>) -> Step {
    let facts = vec![("access_type", "table".into()), ("table_name", name.into())];
    Step { operation: format!("Table scan on {name}"), inputs, facts, ..Step::default() }
}

fn temporary(step: Step) -> Step {
    table_scan("<temporary>", vec![step])
}

fn limit_text(limit: &RowLimit) -> String {
    let shown = |count: &RowCount| match count {
        RowCount::Fixed(n) => n.to_string(),
        RowCount::Parameter(_) => "?".to_owned(),
    };
    match &limit.offset {
        RowCount::Fixed(0) => format!("Limit: {} row(s)", shown(&limit.count)),
        offset => format!("Limit/Offset: {}/{} row(s)", shown(&limit.count), shown(offset)),
    }
}

fn scan_text(scan: &Scan, way: &Way) -> String {
    let (alias, key) = (&scan.alias, way.key.as_deref().unwrap_or(""));
    let reverse = if scan.reverse { " (reverse)" } else { "" };
    let covering = |word: &str| match way.covering {
        true => format!("Covering {}", word.to_lowercase()),
        false => word.to_owned(),
    };
    let lookups = way.lookups.join(", ");
    match way.kind {
        "ALL" => format!("Table scan on {alias}"),
        "index" => format!("{} on {alias} using {key}{reverse}", covering("Index scan")),
        "index_merge" => match &way.merged {
            Some(("intersect", _)) => "Intersect rows sorted by row ID".to_owned(),
            Some(("union", _)) => "Deduplicate rows sorted by row ID".to_owned(),
            _ => "Sort-deduplicate by row ID".to_owned(),
        },
        "range" if way.steps.is_some() => {
            let purpose = if way.steps == Some("group-by") { " for grouping" } else { "" };
            let over = match way.ranges.is_empty() {
                true => String::new(),
                false => format!(" over {}", way.ranges.join(" OR ")),
            };
            format!("{} on {alias} using {key}{over}", covering(&format!("Index skip scan{purpose}")))
        }
        "range" => {
            let ranges = way.ranges.join(" OR ");
            format!("{} on {alias} using {key} over {ranges}{reverse}", covering("Index range scan"))
        }
        "ref" => format!("{} on {alias} using {key} ({lookups}){reverse}", covering("Index lookup")),
        _ if way.covering => {
            format!("Single-row covering index lookup on {alias} using {key} ({lookups})")
        }
        _ => format!("Single-row index lookup on {alias} using {key} ({lookups})"),
    }
}

fn scan_facts(scan: &Scan, way: &Way) -> Vec<(&'static str, Json)> {
    let def = &scan.table.def;
    let columns = scan.columns.iter().filter_map(|at| def.columns.get(*at));
    let columns = Json::List(columns.map(|column| column.name.as_str().into()).collect());
    let mut facts = vec![
        ("table_name", Json::from(scan.alias.as_ref())),
        ("schema_name", def.database.as_str().into()),
        ("used_columns", columns),
        ("access_type", if way.kind == "ALL" { "table" } else { "index" }.into()),
    ];
    let texts = |texts: &[String]| Json::List(texts.iter().map(|text| text.as_str().into()).collect());
    if let Some(key) = &way.key {
        facts.push(("index_name", key.as_str().into()));
        facts.push(("covering", Json::Bool(way.covering)));
        facts.push(("key_columns", texts(&way.key_parts)));
        let kind = match way.kind {
            "index" => "index_scan",
            "range" => match way.steps {
                Some("group-by") => "group_index_skip_scan",
                Some(_) => "index_skip_scan",
                None => "index_range_scan",
            },
            _ => "index_lookup",
        };
        facts.push(("index_access_type", kind.into()));
        match way.kind {
            "range" => facts.push(("ranges", texts(&way.ranges))),
            "index" => {}
            _ => {
                facts.push(("lookup_condition", way.lookups.join(", ").into()));
                facts.push(("lookup_references", texts(&way.references)));
            }
        }
    }
    facts
}

/// Whether a subquery stands in a condition rather than in what is computed.
pub fn in_condition(plan: &Plan, index: usize) -> bool {
    let conditions: &[BoundExpr] = match plan {
        Plan::Filter { predicates, .. } => predicates,
        Plan::Scan(scan) => &scan.filter,
        Plan::Join(join) => &join.on,
        _ => &[],
    };
    let runs = |e: &BoundExpr| matches!(&e.node, Node::Subquery { index: at, .. } if *at == index);
    let mut found = conditions.iter().any(|condition| condition.any(&mut |e| runs(e)));
    plan.each_input(&mut |input| found |= in_condition(input, index));
    found
}

/// The filter that runs a subquery.
fn runner(step: &mut Step, id: usize) -> Option<&mut Step> {
    if step.operation.contains(&format!("select #{id})")) {
        return Some(step);
    }
    step.inputs.iter_mut().find_map(|input| runner(input, id))
}

/// The steps of a change whose rows are given as values.
pub fn of_values(change: Option<&Change>) -> Vec<Step> {
    let values = Step { operation: "Rows fetched before execution".to_owned(), ..Step::default() };
    match change {
        Some(change) => vec![changed(change, vec![values])],
        None => vec![values],
    }
}

fn changed(change: &Change, inputs: Vec<Step>) -> Step {
    let word = match change.word {
        "INSERT" => "Insert into",
        "REPLACE" => "Replace into",
        "UPDATE" => "Update",
        _ => "Delete from",
    };
    Step { operation: format!("{word} {}", change.table), inputs, ..Step::default() }
}
