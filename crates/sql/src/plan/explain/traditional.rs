//! FORMAT=TRADITIONAL: twelve columns, a row for each table.

use rustydb_value::Value;

use super::Change;
use super::blocks::{Block, Table};

/// A row of the result: id, select_type, table, partitions, type, possible_keys, key, key_len, ref, rows, filtered,
/// Extra.
pub type Row = Vec<Value>;

/// The rows for some blocks.
pub fn rows(block: &Block, change: Option<&Change>) -> Vec<Row> {
    let mut out = Vec::new();
    if let Some(change) = change
        && change.from_query
    {
        let table = Table {
            name: Some(change.table.clone()),
            way: super::scans::Way { kind: "ALL", ..Default::default() },
            ..Table::default()
        };
        out.push(row(Some(1), change.word, &table));
    }
    add(block, &mut out);
    out
}

fn add(block: &Block, out: &mut Vec<Row>) {
    let mut nested: Vec<&Block> = Vec::new();
    if block.operands.is_empty() || !block.tables.is_empty() {
        for table in &block.tables {
            out.push(row(Some(block.id), block.select_type, table));
            nested.extend(table.block.as_deref());
        }
    }
    for operand in &block.operands {
        add(operand, out);
    }
    nested.extend(&block.subqueries);
    for block in nested {
        add(block, out);
    }
    if let Some((id, name)) = &block.result {
        let mut extra = vec!["Using temporary".to_owned()];
        if block.sorts {
            extra.push("Using filesort".to_owned());
        }
        let table = Table {
            name: Some(name.clone()),
            way: super::scans::Way { kind: "ALL", ..Default::default() },
            extra,
            ..Table::default()
        };
        let word = match name.get(1..2) {
            Some("e") => "EXCEPT RESULT",
            Some("i") => "INTERSECT RESULT",
            _ => "UNION RESULT",
        };
        out.push(row(Some(*id), word, &table));
    }
}

fn row(id: Option<usize>, select_type: &str, table: &Table) -> Row {
    let text = |text: String| if text.is_empty() { Value::Null } else { Value::Text(text) };
    let way = &table.way;
    vec![
        id.map_or(Value::Null, |id| Value::UInt(id as u64)),
        text(select_type.to_owned()),
        text(table.name.clone().unwrap_or_default()),
        Value::Null,
        text(way.kind.to_owned()),
        text(table.possible_keys.join(",")),
        text(way.key.clone().unwrap_or_default()),
        text(way.key_lengths()),
        text(way.references.join(",")),
        table.rows.map_or(Value::Null, |rows| Value::UInt(rows.max(1.0) as u64)),
        table.filtered.map_or(Value::Null, |percent| Value::Double((percent * 100.0).round() / 100.0)),
        text(table.extra.join("; ")),
    ]
}
