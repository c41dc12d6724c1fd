//! FORMAT=JSON: of version 1 the tables of each block, of version 2 the steps.

use std::fmt::Write;

use super::Change;
use super::blocks::{Block, Table};
use super::steps::Step;

/// A document in the making: names stay in the order in which they are added.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `true`, `false`
    Bool(bool),
    /// A number without a fraction.
    Int(u64),
    /// Any number.
    Number(f64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// Names and values.
    Object(Vec<(String, Json)>),
}

impl From<&str> for Json {
    fn from(text: &str) -> Json {
        Json::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Json {
        Json::Text(text)
    }
}

impl Json {
    /// As text, indented by two.
    pub fn text(&self) -> String {
        let mut out = String::new();
        self.write(0, &mut out);
        out
    }

    fn write(&self, depth: usize, out: &mut String) {
        match self {
            Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Json::Int(value) => {
                let _ = write!(out, "{value}");
            }
            Json::Number(value) if value.is_finite() => {
                let _ = write!(out, "{value:?}");
            }
            Json::Number(_) => out.push_str("0.0"),
            Json::Text(text) => quote(text, out),
            Json::List(items) => {
                out.push_str("[\n");
                for (at, item) in items.iter().enumerate() {
                    indent(depth + 1, out);
                    item.write(depth + 1, out);
                    out.push_str(if at + 1 < items.len() { ",\n" } else { "\n" });
                }
                indent(depth, out);
                out.push(']');
            }
            Json::Object(members) => {
                out.push_str("{\n");
                for (at, (name, value)) in members.iter().enumerate() {
                    indent(depth + 1, out);
                    quote(name, out);
                    out.push_str(": ");
                    value.write(depth + 1, out);
                    out.push_str(if at + 1 < members.len() { ",\n" } else { "\n" });
                }
                indent(depth, out);
                out.push('}');
            }
        }
    }
}

fn indent(depth: usize, out: &mut String) {
    (0..depth).for_each(|_| out.push_str("  "));
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// The document of version 2. `query` is the statement as it was understood, if that can be told.
pub fn of_steps(steps: &[Step], query: Option<&str>, query_type: &str, analyzed: bool) -> Json {
    let mut members = Vec::new();
    if let Some(query) = query {
        members.push(("query".to_owned(), query.into()));
    }
    if let Some((first, others)) = steps.split_first() {
        let mut first = first.clone();
        first.inputs.extend(others.iter().cloned());
        members.push(("query_plan".to_owned(), of_step(&first, analyzed)));
    }
    members.push(("query_type".to_owned(), query_type.into()));
    members.push(("json_schema_version".to_owned(), "2.0".into()));
    ordered(members)
}

fn of_step(step: &Step, analyzed: bool) -> Json {
    let mut members: Vec<(String, Json)> = vec![("operation".to_owned(), step.operation.as_str().into())];
    members.extend(step.facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    if let Some((rows, cost)) = step.estimate {
        members.push(("estimated_rows".to_owned(), Json::Number(rows)));
        members.push(("estimated_total_cost".to_owned(), Json::Number(cost)));
    }
    if analyzed && let Some(counter) = &step.counter {
        let (first, last, rows, loops) = counter.per_loop().unwrap_or_default();
        members.push(("actual_rows".to_owned(), Json::Number(rows)));
        members.push(("actual_loops".to_owned(), Json::Int(loops)));
        members.push(("actual_first_row_ms".to_owned(), Json::Number(first * 1e3)));
        members.push(("actual_last_row_ms".to_owned(), Json::Number(last * 1e3)));
    }
    if !step.inputs.is_empty() {
        let inputs = step.inputs.iter().map(|input| of_step(input, analyzed)).collect();
        members.push(("inputs".to_owned(), Json::List(inputs)));
    }
    ordered(members)
}

/// Members in MySQL's order: shorter names first.
fn ordered(mut members: Vec<(String, Json)>) -> Json {
    members.sort_by(|a, b| (a.0.len(), &a.0).cmp(&(b.0.len(), &b.0)));
    Json::Object(members)
}

/// The document of version 1.
pub fn of_blocks(block: &Block, change: Option<&Change>) -> Json {
    let mut inner = of_block(block);
    if let Some(change) = change {
        let word = change.word.to_lowercase();
        if change.from_query {
            let table = Json::Object(vec![
                (word.clone(), Json::Bool(true)),
                ("table_name".to_owned(), change.table.as_str().into()),
                ("access_type".to_owned(), "ALL".into()),
            ]);
            let mut members = vec![("select_id".to_owned(), Json::Int(1)), ("table".to_owned(), table)];
            if let (Json::Object(query), true) = (inner, block.tables.iter().any(|t| t.name.is_some())) {
                let rest = query.into_iter().filter(|(name, _)| name != "select_id").collect();
                members.push((format!("{word}_from"), Json::Object(rest)));
            }
            inner = Json::Object(members);
        } else if let Json::Object(members) = &mut inner
            && let Some((_, Json::Object(table))) = members.iter_mut().find(|(name, _)| name == "table")
        {
            table.insert(0, (word, Json::Bool(true)));
        }
    }
    Json::Object(vec![("query_block".to_owned(), inner)])
}

fn of_block(block: &Block) -> Json {
    let mut members = vec![("select_id".to_owned(), Json::Int(block.id as u64))];
    if !block.operands.is_empty() && block.tables.is_empty() {
        let operands = block.operands.iter().map(specification).collect();
        let mut result = vec![("using_temporary_table".to_owned(), Json::Bool(block.result.is_some()))];
        if let Some((_, name)) = &block.result {
            result.push(("table_name".to_owned(), name.as_str().into()));
            result.push(("access_type".to_owned(), "ALL".into()));
        }
        result.push(("query_specifications".to_owned(), Json::List(operands)));
        return Json::Object(vec![("union_result".to_owned(), Json::Object(result))]);
    }
    if let Some(cost) = block.cost
        && block.tables.iter().any(|table| table.name.is_some())
    {
        let cost = Json::Object(vec![("query_cost".to_owned(), format!("{cost:.2}").into())]);
        members.push(("cost_info".to_owned(), cost));
    }
    let mut inner = tables(block);
    let wrap = |inner: Vec<(String, Json)>, name: &str, facts: &[(&str, bool)]| {
        let facts = facts.iter().map(|(name, value)| ((*name).to_owned(), Json::Bool(*value)));
        vec![(name.to_owned(), Json::Object(facts.chain(inner).collect()))]
    };
    if block.groups {
        let facts = [("using_temporary_table", true), ("using_filesort", false)];
        inner = wrap(inner, "grouping_operation", &facts);
    }
    if block.windows {
        inner = wrap(inner, "windowing", &[("using_filesort", true)]);
    }
    if block.distinct {
        inner = wrap(inner, "duplicates_removal", &[("using_temporary_table", true)]);
    }
    if block.sorts {
        inner = wrap(inner, "ordering_operation", &[("using_filesort", true)]);
    }
    members.extend(inner);
    for (name, in_condition) in [("attached_subqueries", true), ("select_list_subqueries", false)] {
        let subqueries = block.subqueries.iter().filter(|subquery| subquery.in_condition == in_condition);
        let subqueries: Vec<Json> = subqueries.map(specification).collect();
        if !subqueries.is_empty() {
            members.push((name.to_owned(), Json::List(subqueries)));
        }
    }
    Json::Object(members)
}

fn specification(block: &Block) -> Json {
    Json::Object(vec![
        ("dependent".to_owned(), Json::Bool(block.dependent)),
        ("cacheable".to_owned(), Json::Bool(!block.dependent)),
        ("query_block".to_owned(), of_block(block)),
    ])
}

fn tables(block: &Block) -> Vec<(String, Json)> {
    match block.tables.as_slice() {
        [] => Vec::new(),
        [only] => match &only.name {
            None => vec![("message".to_owned(), only.extra.join("; ").into())],
            Some(_) => vec![("table".to_owned(), of_table(only))],
        },
        several => {
            let tables =
                several.iter().map(|table| Json::Object(vec![("table".to_owned(), of_table(table))]));
            vec![("nested_loop".to_owned(), Json::List(tables.collect()))]
        }
    }
}

fn of_table(table: &Table) -> Json {
    let list = |texts: &[String]| Json::List(texts.iter().map(|text| text.as_str().into()).collect());
    let mut members: Vec<(String, Json)> = Vec::new();
    let mut add = |name: &str, value: Json| members.push((name.to_owned(), value));
    add("table_name", table.name.clone().unwrap_or_default().into());
    add("access_type", table.way.kind.into());
    if !table.possible_keys.is_empty() {
        add("possible_keys", list(&table.possible_keys));
    }
    if let Some(key) = &table.way.key {
        add("key", key.as_str().into());
        if !table.way.key_parts.is_empty() {
            add("used_key_parts", list(&table.way.key_parts));
        }
        add("key_length", table.way.key_length.to_string().into());
    }
    if !table.way.references.is_empty() {
        add("ref", list(&table.way.references));
    }
    if let Some(rows) = table.rows {
        add("rows_examined_per_scan", Json::Int(rows.max(1.0) as u64));
        let given = rows * table.filtered.unwrap_or(100.0) / 100.0;
        add("rows_produced_per_join", Json::Int(given.max(1.0) as u64));
    }
    if let Some(percent) = table.filtered {
        add("filtered", format!("{percent:.2}").into());
    }
    if table.way.covering {
        add("using_index", Json::Bool(true));
    }
    if table.extra.iter().any(|text| text.starts_with("Using join buffer")) {
        add("using_join_buffer", "hash join".into());
    }
    if table.extra.iter().any(|text| text == "Not exists") {
        add("not_exists", Json::Bool(true));
    }
    if let Some(first) = table.extra.iter().find_map(|text| text.strip_prefix("FirstMatch(")) {
        add("first_match", first.trim_end_matches(')').into());
    }
    if !table.columns.is_empty() {
        add("used_columns", list(&table.columns));
    }
    if !table.conditions.is_empty() {
        let text = match table.conditions.as_slice() {
            [only] => only.clone(),
            several => format!("({})", several.join(" and ")),
        };
        add("attached_condition", text.into());
    }
    if let Some(block) = &table.block {
        let made = vec![
            ("using_temporary_table".to_owned(), Json::Bool(true)),
            ("dependent".to_owned(), Json::Bool(block.dependent)),
            ("cacheable".to_owned(), Json::Bool(!block.dependent)),
            ("query_block".to_owned(), of_block(block)),
        ];
        add("materialized_from_subquery", Json::Object(made));
    }
    Json::Object(members)
}
