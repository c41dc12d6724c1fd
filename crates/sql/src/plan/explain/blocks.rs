//! A plan as query blocks with the tables that each reads: the rows of FORMAT=TRADITIONAL.
//!
//! A block is a SELECT that was left after the rules; what was merged into another has none. The right side of a join
//! that is more than a table (groups, a LIMIT, several tables of a semi join) is a block too, whichever way it came to
//! be.

use std::collections::HashMap;

use super::Change;
use super::scans::{self, Way};
use crate::expr::{BoundExpr, Node};
use crate::plan::set_operation::Operator;
use crate::plan::{Access, Join, JoinKind, Plan, RowCount, Scan, SelectPlan};

/// A table that a block reads.
#[derive(Debug, Clone, Default)]
pub struct Table {
    /// Its alias; `<derived2>` for a block; None if there is none.
    pub name: Option<String>,
    /// The way to its rows.
    pub way: Way,
    /// Indexes that could be used.
    pub possible_keys: Vec<String>,
    /// Rows that are read each time, as estimated.
    pub rows: Option<f64>,
    /// The percentage of them that the conditions let through, as estimated.
    pub filtered: Option<f64>,
    /// In the last column.
    pub extra: Vec<String>,
    /// The conditions on it.
    pub conditions: Vec<String>,
    /// Columns that are read.
    pub columns: Vec<String>,
    /// The block whose rows these are.
    pub block: Option<Box<Block>>,
}

/// A query block.
#[derive(Debug, Clone, Default)]
pub struct Block {
    /// Its number.
    pub id: usize,
    /// `SIMPLE`, `PRIMARY`, `SUBQUERY`, ...
    pub select_type: &'static str,
    /// It is run again for rows of a block around it.
    pub dependent: bool,
    /// It is a subquery of a condition, rather than of what is computed.
    pub in_condition: bool,
    /// In the order they are read.
    pub tables: Vec<Table>,
    /// What is sorted, grouped or made distinct.
    pub sorts: bool,
    /// GROUP BY
    pub groups: bool,
    /// DISTINCT
    pub distinct: bool,
    /// Window functions
    pub windows: bool,
    /// Subqueries of its expressions.
    pub subqueries: Vec<Block>,
    /// The operands of a set operation, and the name of its result.
    pub operands: Vec<Block>,
    /// What collects the rows of the operands: number and name.
    pub result: Option<(usize, String)>,
    /// The estimated cost.
    pub cost: Option<f64>,
}

/// The blocks of a plan.
pub fn blocks(plan: &SelectPlan, change: Option<&Change>) -> Block {
    let mut walk = Walk::default();
    let first = walk.next();
    let mut block = walk.block(plan, first, "PRIMARY", false);
    let nested = !block.operands.is_empty()
        || !block.subqueries.is_empty()
        || block.tables.iter().any(|t| t.block.as_ref().is_some_and(|b| b.select_type != "MATERIALIZED"));
    if !nested {
        block.select_type = "SIMPLE";
    }
    if let Some(change) = change
        && !change.from_query
    {
        block.select_type = change.word;
        // What MySQL finds to change in one table it finds by ranges.
        if let [only] = block.tables.as_mut_slice()
            && matches!(only.way.kind, "const" | "ref")
        {
            only.way.kind = "range";
            add(&mut only.extra, "Using where");
        }
    }
    block
}

#[derive(Default)]
struct Walk {
    last: usize,
    /// Numbers of the tables that several places read.
    shared: HashMap<usize, usize>,
    /// Names of work tables.
    work: HashMap<usize, String>,
    /// Of the subqueries of the block that is looked at.
    ids: Vec<usize>,
}

impl Walk {
    fn next(&mut self) -> usize {
        self.last += 1;
        self.last
    }

    fn block(&mut self, plan: &SelectPlan, id: usize, select_type: &'static str, dependent: bool) -> Block {
        let mut block = Block { id, select_type, dependent, ..Block::default() };
        block.cost = super::scans::estimate(&plan.root).map(|(_, cost)| cost);
        // Their numbers come behind those of the tables; expressions name them before.
        let around = std::mem::take(&mut self.ids);
        let mut inside = Walk {
            last: self.last,
            shared: std::mem::take(&mut self.shared),
            work: std::mem::take(&mut self.work),
            ids: Vec::new(),
        };
        let before = count_derived(&plan.root);
        inside.ids = (0..plan.subplans.len()).map(|at| self.last + before + 1 + at).collect();
        inside.operators(&plan.root, &mut block);
        if block.tables.is_empty() && block.operands.is_empty() {
            block.tables.push(Table { extra: vec!["No tables used".to_owned()], ..Table::default() });
        }
        for (at, subplan) in plan.subplans.iter().enumerate() {
            let number = inside.next();
            if let Some(slot) = inside.ids.get_mut(at) {
                *slot = number;
            }
            let outer = subplan.has_outer();
            let kind = match (subplan.is_volatile(), outer) {
                (true, _) => "UNCACHEABLE SUBQUERY",
                (false, true) => "DEPENDENT SUBQUERY",
                (false, false) => "SUBQUERY",
            };
            let mut subquery = inside.block(subplan, number, kind, outer);
            subquery.in_condition = super::steps::in_condition(&plan.root, at);
            block.subqueries.push(subquery);
        }
        self.last = inside.last;
        self.shared = inside.shared;
        self.work = inside.work;
        self.ids = around;
        block
    }

    fn operators(&mut self, plan: &Plan, block: &mut Block) {
        match plan {
            Plan::Dual | Plan::Values(_) => {}
            Plan::Counted { input, .. } | Plan::Project { input, .. } | Plan::Narrow { input, .. } => {
                self.operators(input, block);
            }
            Plan::Limit { input, limit, .. } => {
                self.operators(input, block);
                if matches!(limit.count, RowCount::Fixed(0)) {
                    block.tables = vec![message("Zero limit")];
                }
            }
            Plan::Filter { input, predicates } => {
                let from = block.tables.len();
                self.operators(input, block);
                if predicates.iter().any(is_false) {
                    block.tables.truncate(from);
                    block.tables.push(message("Impossible WHERE"));
                } else if let Some(table) = block.tables.last_mut() {
                    add(&mut table.extra, "Using where");
                    table
                        .conditions
                        .extend(predicates.iter().map(|p| super::text::with_ids(&p.to_string(), &self.ids)));
                }
            }
            Plan::Sort { input, .. } => {
                self.operators(input, block);
                block.sorts = true;
                note_first(block, "Using filesort");
                if block.tables.is_empty() && !block.operands.is_empty() && block.result.is_none() {
                    let ids: Vec<String> = block.operands.iter().map(|b| b.id.to_string()).collect();
                    block.result = Some((self.next(), format!("<union{}>", ids.join(","))));
                }
            }
            Plan::Windows(node) => {
                self.operators(&node.input, block);
                block.windows = true;
                note_first(block, "Using filesort");
            }
            Plan::Distinct { input, sorted, .. } => {
                self.operators(input, block);
                if steps_through_groups(input) {
                    return;
                }
                block.distinct = true;
                if !sorted {
                    note_first(block, "Using temporary");
                }
            }
            Plan::Aggregate(node) => {
                self.operators(&node.input, block);
                if !node.keys.is_empty() && !steps_through_groups(&node.input) {
                    block.groups = true;
                    note_first(block, if node.rollup { "Using filesort" } else { "Using temporary" });
                }
                if let (true, Plan::Scan(scan)) = (node.scalar, node.input.bare())
                    && scan.limit.as_ref().is_some_and(|limit| matches!(limit.count, RowCount::Fixed(1)))
                    && block.tables.len() == 1
                {
                    block.tables = vec![message("Select tables optimized away")];
                }
            }
            Plan::Scan(scan) => {
                let table = self.scan(scan, false, &[]);
                block.tables.push(table);
            }
            Plan::Join(join) => self.join(join, block),
            Plan::Derived(derived) => {
                let id = self.next();
                let inner = self.block(derived, id, "DERIVED", derived.has_outer());
                block.tables.push(of_block(inner, format!("<derived{id}>")));
            }
            Plan::Shared(shared) => {
                if let Some(id) = self.shared.get(&shared.number) {
                    let estimate = super::scans::estimate(plan).map(|(rows, _)| rows);
                    block.tables.push(Table {
                        name: Some(format!("<derived{id}>")),
                        way: Way { kind: "ALL", ..Way::default() },
                        rows: estimate,
                        filtered: Some(100.0),
                        ..Table::default()
                    });
                    return;
                }
                let id = self.next();
                self.shared.insert(shared.number, id);
                let mut inner = self.block(&shared.plan, id, "DERIVED", shared.has_outer());
                if let Some(recursion) = &shared.recursion {
                    self.work.insert(recursion.work, shared.name.to_string());
                    for member in &recursion.members {
                        let id = self.next();
                        let mut operand = Block { id, select_type: "UNION", ..Block::default() };
                        self.operand(&member.plan, &mut operand);
                        inner.operands.push(operand);
                    }
                }
                block.tables.push(of_block(inner, format!("<derived{id}>")));
            }
            Plan::Work { number, .. } => {
                block.tables.push(Table {
                    name: self.work.get(number).cloned(),
                    way: Way { kind: "ALL", ..Way::default() },
                    rows: super::scans::estimate(plan).map(|(rows, _)| rows),
                    filtered: Some(100.0),
                    extra: vec!["Recursive".to_owned()],
                    ..Table::default()
                });
            }
            Plan::SetOperation(operation) => {
                let mut ids = Vec::new();
                for (at, input) in operation.inputs.iter().enumerate() {
                    let id = if at == 0 { block.id } else { self.next() };
                    ids.push(id.to_string());
                    let dependent = input.plan.has_outer();
                    let (word, dependent_word) = match input.operator {
                        Operator::First => (block.select_type, block.select_type),
                        Operator::Union => ("UNION", "DEPENDENT UNION"),
                        Operator::Except => ("EXCEPT", "DEPENDENT EXCEPT"),
                        Operator::Intersect => ("INTERSECT", "DEPENDENT INTERSECT"),
                    };
                    let select_type = if dependent { dependent_word } else { word };
                    let mut operand = Block { id, select_type, dependent, ..Block::default() };
                    self.operand(&input.plan, &mut operand);
                    block.operands.push(operand);
                }
                let streams = operation.inputs.iter().skip(1).all(|i| i.operator == Operator::Union && i.all);
                let word = match operation.inputs.get(1).map(|i| i.operator) {
                    Some(Operator::Except) => "except",
                    Some(Operator::Intersect) => "intersect",
                    _ => "union",
                };
                if !streams {
                    let id = self.next();
                    block.result = Some((id, format!("<{word}{}>", ids.join(","))));
                }
            }
        }
    }

    /// An operand of a set operation: its own block, whose number is known.
    fn operand(&mut self, plan: &Plan, block: &mut Block) {
        match plan {
            Plan::Derived(derived) => {
                let (id, kind, dependent) = (block.id, block.select_type, block.dependent);
                *block = self.block(derived, id, kind, dependent);
            }
            Plan::Project { input, .. } | Plan::Filter { input, .. } | Plan::Counted { input, .. } => {
                self.operand(input, block);
            }
            other => self.operators(other, block),
        }
    }

    fn join(&mut self, join: &Join, block: &mut Block) {
        self.operators(&join.left, block);
        let before = block.tables.last().and_then(|table| table.name.clone()).unwrap_or_default();
        let from = block.tables.len();
        let set = !join.kind.gives_right();
        match table_below(&join.right) {
            Some((scan, predicates)) => {
                let mut others: Vec<usize> = Vec::new();
                for key in join.keys.iter().chain(&join.not_in) {
                    if let Node::Column(column) = &key.right.node {
                        others.extend(scan.columns.get(column.index));
                    }
                }
                let mut table = self.scan(scan, join.lookup, &others);
                if !predicates.is_empty() {
                    add(&mut table.extra, "Using where");
                    let texts = predicates.iter().map(|p| super::text::with_ids(&p.to_string(), &self.ids));
                    table.conditions.extend(texts);
                }
                block.tables.push(table);
            }
            None if set || !is_joined(&join.right) => {
                let id = self.next();
                let (word, name) = if set {
                    ("MATERIALIZED", format!("<subquery{id}>"))
                } else {
                    ("DERIVED", format!("<derived{id}>"))
                };
                let mut inner = Block { id, select_type: word, ..Block::default() };
                match join.right.bare() {
                    Plan::Derived(derived) => {
                        let dependent = join.lateral.is_some();
                        let word = if dependent { "DEPENDENT DERIVED" } else { word };
                        inner = self.block(derived, id, word, dependent);
                    }
                    other => self.operators(other, &mut inner),
                }
                block.tables.push(of_block(inner, name));
            }
            None => self.operators(&join.right, block),
        }
        let conditions: Vec<String> =
            join.on.iter().map(|c| super::text::with_ids(&c.to_string(), &self.ids)).collect();
        if let Some(table) = block.tables.get_mut(from) {
            if !conditions.is_empty() || !join.not_in.is_empty() {
                add(&mut table.extra, "Using where");
                table.conditions.extend(conditions);
            }
            match join.kind {
                JoinKind::Anti | JoinKind::NullAwareAnti => add(&mut table.extra, "Not exists"),
                JoinKind::Semi if join.lookup => add(&mut table.extra, &format!("FirstMatch({before})")),
                _ => {}
            }
            if !join.lookup && join.lateral.is_none() {
                add(&mut table.extra, "Using join buffer (hash join)");
            }
        }
    }

    fn scan(&mut self, scan: &Scan, lookup: bool, others: &[usize]) -> Table {
        let def = &scan.table.def;
        let mut table = Table {
            name: Some(scan.alias.to_string()),
            way: scans::way(scan, lookup, &self.ids),
            possible_keys: scans::possible_keys(scan, others),
            columns: scan
                .columns
                .iter()
                .filter_map(|at| def.columns.get(*at))
                .map(|c| c.name.clone())
                .collect(),
            ..Table::default()
        };
        if let Some((read, given)) = scans::rows(scan) {
            table.rows = Some(read);
            table.filtered = Some(if read > 0.0 { (given / read * 100.0).min(100.0) } else { 100.0 });
        }
        if scan.filter.iter().any(is_false) {
            return message("Impossible WHERE");
        }
        if let Some((word, parts)) = &table.way.merged {
            let keys: Vec<&str> = parts.iter().filter_map(|way| way.key.as_deref()).collect();
            let text = format!("Using {word}({})", keys.join(","));
            add(&mut table.extra, &text);
        }
        let bounded = table.way.kind == "range" && !table.way.ranges.is_empty();
        if !scan.filter.is_empty() || bounded {
            add(&mut table.extra, "Using where");
            table.conditions =
                scan.filter.iter().map(|c| super::text::with_ids(&c.to_string(), &self.ids)).collect();
        }
        if scan.reverse {
            add(&mut table.extra, "Backward index scan");
        }
        match table.way.steps {
            Some(what) => add(&mut table.extra, &format!("Using index for {what}")),
            None if table.way.covering => add(&mut table.extra, "Using index"),
            None => {}
        }
        table
    }
}

/// Whether an index gives the groups of an operator above.
pub fn steps_through_groups(plan: &Plan) -> bool {
    match plan.bare() {
        Plan::Project { input, .. } | Plan::Sort { input, .. } => steps_through_groups(input),
        Plan::Scan(scan) => matches!(&scan.access, Access::Index(access) if access.groups.is_some()),
        _ => false,
    }
}

/// The table that a plan reads alone, and the conditions above it.
fn table_below(plan: &Plan) -> Option<(&Scan, Vec<&BoundExpr>)> {
    match plan {
        Plan::Scan(scan) => Some((scan, Vec::new())),
        Plan::Filter { input, predicates } => {
            let (scan, mut all) = table_below(input)?;
            all.extend(predicates);
            Some((scan, all))
        }
        Plan::Project { input, .. } | Plan::Counted { input, .. } => table_below(input),
        _ => None,
    }
}

/// Whether a plan is only tables and joins.
fn is_joined(plan: &Plan) -> bool {
    match plan {
        Plan::Scan(_) => true,
        Plan::Join(join) => is_joined(&join.left) && (is_joined(&join.right) || !join.kind.gives_right()),
        Plan::Filter { input, .. } | Plan::Project { input, .. } | Plan::Counted { input, .. } => {
            is_joined(input)
        }
        _ => false,
    }
}

/// How many numbers the blocks inside FROM take.
fn count_derived(plan: &Plan) -> usize {
    let mut walk = Walk::default();
    let mut block = Block::default();
    walk.operators(plan, &mut block);
    walk.last
}

fn of_block(block: Block, name: String) -> Table {
    let rows = block.tables.iter().filter_map(|table| table.rows).reduce(|a, b| a * b.max(1.0));
    Table {
        name: Some(name),
        way: Way { kind: "ALL", ..Way::default() },
        rows,
        filtered: Some(100.0),
        block: Some(Box::new(block)),
        ..Table::default()
    }
}

fn message(text: &str) -> Table {
    Table { extra: vec![text.to_owned()], ..Table::default() }
}

fn add(extra: &mut Vec<String>, text: &str) {
    if !extra.iter().any(|known| known == text) {
        extra.push(text.to_owned());
    }
}

/// Says something of the whole block beside its first table.
fn note_first(block: &mut Block, text: &str) {
    if let Some(table) = block.tables.first_mut() {
        add(&mut table.extra, text);
    }
}

/// Whether a condition is a constant that lets nothing through.
fn is_false(condition: &BoundExpr) -> bool {
    let Node::Literal(value) = &condition.node else { return false };
    value.is_null(0) || condition.ty.class() == crate::expr::Class::Int && value.as_ints().at(0) == 0
}

/// Whether a scan is of a table that is computed.
pub fn is_virtual(scan: &Scan) -> bool {
    matches!(scan.access, Access::Virtual(_))
}
