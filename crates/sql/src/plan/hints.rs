//! Optimizer hints of a query block: `/*+ JOIN_ORDER(a, b) NO_INDEX(b k) QB_NAME(q) .. */`.
//!
//! What a hint says of a table is left in the table's scan ([`super::IndexHints`]), where the rules find it. A hint with
//! `@name` is for the block of that name, be it given by QB_NAME or MySQL's own, `select#n`; it must stand in a block
//! around that one or in it. As in MySQL a hint never fails a statement: one that contradicts an earlier one is ignored
//! with warning 3126, one for a name that is not there with 3127 or 3128.
//!
//! Hints that choose among strategies which this planner does not have (BKA, MRR, NO_ICP, SUBQUERY, ..) are taken and
//! change nothing; `docs/planning.md` lists them. MAX_EXECUTION_TIME and SET_VAR are the session's. What stands behind a
//! hint that cannot be read is not seen here; the parser has stopped there.

use std::fmt::Write;
use std::sync::Arc;

use rustydb_catalog::TableDef;
use rustydb_sql_parser::ast::{Hint, HintArgument, Ident, Select};

use super::Plan;
use crate::error::SqlError;
use crate::expr::Scope;
use crate::expr::planning::Planning;

/// The hints of one block.
#[derive(Debug, Default)]
pub struct BlockHints {
    name: String,
    hints: Vec<Hint>,
}

/// A hint of an outer block for one further in.
#[derive(Debug, Clone)]
pub struct Waiting {
    block: Box<str>,
    hint: Hint,
}

fn is(hint: &Hint, name: &str) -> bool {
    hint.name.value.eq_ignore_ascii_case(name)
}

fn ignored(hint: &Hint) -> SqlError {
    SqlError::new(3126, b"HY000", format!("Hint {} is ignored as conflicting/duplicated", shown(hint)))
}

fn unresolved(what: &str, hint: &Hint) -> SqlError {
    let name = hint.name.value.to_uppercase();
    SqlError::new(3128, b"HY000", format!("Unresolved name {what} for {name} hint"))
}

/// A hint as warnings show it.
fn shown(hint: &Hint) -> String {
    let mut out = hint.name.value.to_uppercase();
    out.push('(');
    let orders = out.starts_with("JOIN_") && !out.ends_with("INDEX(");
    for (at, argument) in hint.arguments.iter().enumerate() {
        let HintArgument::Name { name, query_block } = argument else { continue };
        let block = query_block.as_ref().map_or(String::new(), |block| format!("@`{}`", block.value));
        let _ = match (orders, at) {
            (_, _) if is(hint, "QB_NAME") => write!(out, "`{}`", name.value),
            (true, 0) => write!(out, " `{}`{block}", name.value),
            (true, _) => write!(out, ",`{}`{block}", name.value),
            (false, 0) => write!(out, "`{}`{block} ", name.value),
            (false, 1) => write!(out, " `{}`", name.value),
            (false, _) => write!(out, ", `{}`", name.value),
        };
    }
    out.push(')');
    out
}

fn names(hint: &Hint) -> impl Iterator<Item = &Ident> {
    hint.arguments.iter().filter_map(|argument| match argument {
        HintArgument::Name { name, .. } => Some(name),
        _ => None,
    })
}

/// The block that a hint is for: a leading `@name`, or that of its first table.
fn block_of(hint: &Hint) -> Option<&str> {
    let first = hint.arguments.first().and_then(|argument| match argument {
        HintArgument::Name { query_block, .. } => query_block.as_ref(),
        _ => None,
    });
    hint.query_block.as_ref().or(first).map(|block| &*block.value)
}

impl BlockHints {
    /// The hints for the block of this SELECT; those for blocks in it wait.
    pub fn of(select: &Select, planning: &mut Planning<'_, '_>) -> BlockHints {
        planning.blocks += 1;
        let own = format!("select#{}", planning.blocks);
        if select.hints.is_empty() && planning.hints.is_empty() {
            return BlockHints { name: own, hints: Vec::new() };
        }
        let mut given: Option<&str> = None;
        for hint in select.hints.iter().filter(|hint| is(hint, "QB_NAME")) {
            match (given, names(hint).next()) {
                (None, Some(name)) => given = Some(&name.value),
                _ => planning.warnings.push(ignored(hint)),
            }
        }
        let is_own = |block: &str| block.eq_ignore_ascii_case(&own) || given.is_some_and(|g| g == block);
        let mut hints = Vec::new();
        for hint in &select.hints {
            let elsewhere = ["QB_NAME", "MAX_EXECUTION_TIME", "SET_VAR", "RESOURCE_GROUP"];
            if elsewhere.iter().any(|name| is(hint, name)) {
                continue;
            }
            match block_of(hint) {
                Some(block) if !is_own(block) => {
                    planning.hints.push(Waiting { block: block.into(), hint: hint.clone() });
                }
                _ => hints.push(hint.clone()),
            }
        }
        planning.hints.retain(|waiting| {
            let here = is_own(&waiting.block);
            if here {
                hints.push(waiting.hint.clone());
            }
            !here
        });
        BlockHints { name: given.map_or(own, str::to_owned), hints }
    }

    /// Leaves what they say in the scans of the block.
    pub fn apply(&self, plan: &mut Plan, scope: &Scope, planning: &mut Planning<'_, '_>) {
        if self.hints.is_empty() {
            return;
        }
        let mut taken: Vec<(String, String)> = Vec::new();
        let mut order =
            Order { tables: scope.tables.iter().map(|t| t.name.to_string()).collect(), before: Vec::new() };
        let mut fixed = false;
        for hint in &self.hints {
            let name = hint.name.value.to_uppercase();
            match name.as_str() {
                "JOIN_FIXED_ORDER" => {
                    fixed = true;
                    plan.keep_join_order();
                }
                "JOIN_ORDER" | "JOIN_PREFIX" | "JOIN_SUFFIX" => {
                    let twice = name != "JOIN_ORDER" && taken.iter().any(|(class, _)| *class == name);
                    if fixed || twice {
                        planning.warnings.push(ignored(hint));
                        continue;
                    }
                    taken.push((name.clone(), String::new()));
                    if self.check_tables(hint, scope, names(hint), planning) {
                        order.add(&name, hint);
                    }
                }
                _ => self.table_hint(&name, hint, plan, scope, &mut taken, planning),
            }
        }
        if !order.before.is_empty() {
            each_scan(plan, &mut |scan| {
                let first = order.before.iter().filter(|(_, after)| **after == *scan.alias);
                scan.hints.after = first.map(|(before, _)| before.as_str().into()).collect();
            });
        }
    }

    /// Warns of tables that the block does not have; whether all are there.
    fn check_tables<'h>(
        &self,
        hint: &Hint,
        scope: &Scope,
        tables: impl Iterator<Item = &'h Ident>,
        planning: &mut Planning<'_, '_>,
    ) -> bool {
        let mut all = true;
        for table in tables {
            if !scope.tables.iter().any(|known| *known.name == *table.value) {
                all = false;
                planning.warnings.push(unresolved(&format!("`{}`@`{}`", table.value, self.name), hint));
            }
        }
        all
    }

    fn table_hint(
        &self,
        name: &str,
        hint: &Hint,
        plan: &mut Plan,
        scope: &Scope,
        taken: &mut Vec<(String, String)>,
        planning: &mut Planning<'_, '_>,
    ) {
        let positive = name.strip_prefix("NO_").unwrap_or(name);
        let by_index = positive.ends_with("INDEX")
            || matches!(positive, "INDEX_MERGE" | "SKIP_SCAN" | "RANGE_OPTIMIZATION" | "MRR" | "ICP");
        let by_table =
            matches!(positive, "BNL" | "BKA" | "HASH_JOIN" | "MERGE" | "DERIVED_CONDITION_PUSHDOWN");
        if !by_index && !by_table {
            return;
        }
        let mut list = names(hint);
        let tables: Vec<&Ident> =
            if by_index { list.next().into_iter().collect() } else { list.by_ref().collect() };
        let indexes: Vec<&Ident> = list.collect();
        // `HINT(@block)` is for all tables of the block.
        let all: Vec<String> = match tables.is_empty() {
            true => scope.tables.iter().map(|t| t.name.to_string()).collect(),
            false => tables.iter().map(|t| t.value.to_string()).collect(),
        };
        if name == "INDEX_MERGE" && indexes.len() == 1 {
            let text = format!("Invalid number of arguments for hint {}", shown(hint));
            planning.warnings.push(SqlError::new(3614, b"HY000", text));
            return;
        }
        if !tables.is_empty() && !self.check_tables(hint, scope, tables.into_iter(), planning) {
            let table = all.first().map_or("", String::as_str);
            for index in indexes {
                let what = format!("`{table}`@`{}` `{}`", self.name, index.value);
                planning.warnings.push(unresolved(&what, hint));
            }
            return;
        }
        for table in all {
            let clashes = |class: &str| match (positive, class) {
                (a, b) if a == b => true,
                ("INDEX", "JOIN_INDEX" | "GROUP_INDEX" | "ORDER_INDEX") => true,
                ("JOIN_INDEX" | "GROUP_INDEX" | "ORDER_INDEX", "INDEX") => true,
                _ => false,
            };
            if taken.iter().any(|(class, of)| clashes(class) && *of == table) {
                planning.warnings.push(ignored(hint));
                return;
            }
            taken.push((positive.to_owned(), table.clone()));
            let mut missing: Vec<&str> = Vec::new();
            each_scan(plan, &mut |scan| {
                if *scan.alias != *table {
                    return;
                }
                let ids = index_ids(&scan.table.def, &indexes, &mut missing);
                let hints = &mut scan.hints;
                match name {
                    "INDEX" | "JOIN_INDEX" => hints.only.get_or_insert_with(Vec::new).extend(ids),
                    "NO_INDEX" | "NO_JOIN_INDEX" => hints.never.extend(ids),
                    "NO_RANGE_OPTIMIZATION" => hints.no_range.extend(ids),
                    "GROUP_INDEX" => hints.group_only.get_or_insert_with(Vec::new).extend(ids),
                    "NO_GROUP_INDEX" => hints.group_never.extend(ids),
                    "ORDER_INDEX" => hints.order_only.get_or_insert_with(Vec::new).extend(ids),
                    "NO_ORDER_INDEX" => hints.order_never.extend(ids),
                    "NO_BNL" | "NO_HASH_JOIN" => hints.no_hash = true,
                    "BNL" => hints.hash = true,
                    "INDEX_MERGE" => hints.merge = Some(true),
                    "NO_INDEX_MERGE" => hints.merge = Some(false),
                    "SKIP_SCAN" => hints.skip_scan = Some(true),
                    "NO_SKIP_SCAN" => hints.skip_scan = Some(false),
                    _ => {}
                }
            });
            for index in missing {
                planning.warnings.push(unresolved(&format!("`{table}`@`{}` `{index}`", self.name), hint));
            }
        }
    }
}

/// Warns of hints whose block never came.
pub fn warn_of_waiting(planning: &mut Planning<'_, '_>) {
    for waiting in std::mem::take(&mut planning.hints) {
        let name = waiting.hint.name.value.to_uppercase();
        let text = format!("Query block name `{}` is not found for {name} hint", waiting.block);
        planning.warnings.push(SqlError::new(3127, b"HY000", text));
    }
}

/// The ids of indexes by name; without names those of all.
fn index_ids<'n>(def: &Arc<TableDef>, names: &[&'n Ident], missing: &mut Vec<&'n str>) -> Vec<u32> {
    if names.is_empty() {
        return def.all_indexes().map(|index| index.id).collect();
    }
    let mut ids = Vec::with_capacity(names.len());
    for name in names {
        match def.index(&name.value) {
            Some(index) => ids.push(index.id),
            None => missing.push(&name.value),
        }
    }
    ids
}

/// Calls `f` with every scan of a block.
fn each_scan(plan: &mut Plan, f: &mut dyn FnMut(&mut super::Scan)) {
    match plan {
        Plan::Scan(scan) => f(scan),
        other => other.each_input_mut(&mut |input| each_scan(input, f)),
    }
}

/// Which tables come before which.
struct Order {
    tables: Vec<String>,
    before: Vec<(String, String)>,
}

impl Order {
    fn add(&mut self, kind: &str, hint: &Hint) {
        let named: Vec<String> = names(hint).map(|name| name.value.to_string()).collect();
        let others = self.tables.iter().filter(|table| !named.contains(table));
        let mut pairs: Vec<(String, String)> = Vec::new();
        for (at, after) in named.iter().enumerate() {
            pairs.extend(named.iter().take(at).map(|before| (before.clone(), after.clone())));
        }
        for other in others {
            for table in &named {
                match kind {
                    "JOIN_PREFIX" => pairs.push((table.clone(), other.clone())),
                    "JOIN_SUFFIX" => pairs.push((other.clone(), table.clone())),
                    _ => {}
                }
            }
        }
        // One that asks for the opposite of what is asked already is not followed.
        let contradicts = pairs.iter().any(|(before, after)| before == after || self.leads(after, before));
        if !contradicts {
            self.before.extend(pairs);
        }
    }

    /// Whether one table is known to come before another.
    fn leads(&self, first: &str, last: &str) -> bool {
        let (mut reached, mut at) = (vec![first.to_owned()], 0);
        while let Some(table) = reached.get(at).cloned() {
            at += 1;
            for (before, after) in &self.before {
                if *before == table && !reached.contains(after) {
                    reached.push(after.clone());
                }
            }
        }
        first != last && reached.iter().any(|table| table == last)
    }
}
