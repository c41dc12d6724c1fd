//! Random statements of the shapes that the point executor takes or nearly takes.

use rustydb_value::Value;

use super::Random;
use super::tables::{Column, Kind, Table, literal, parameter};

/// How a statement is sent.
#[derive(Debug, Clone)]
pub(super) enum Form {
    Text,
    Prepared(Vec<Value>),
}

/// A statement.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    pub(super) sql: String,
    pub(super) form: Form,
    pub(super) writes: bool,
    /// Whether its rows may come in any order
    pub(super) unordered: bool,
}

impl Statement {
    fn plain(sql: impl Into<String>) -> Statement {
        Statement { sql: sql.into(), form: Form::Text, writes: false, unordered: false }
    }

    /// As a person reads it.
    pub(super) fn shown(&self) -> String {
        match &self.form {
            Form::Text => self.sql.clone(),
            Form::Prepared(params) => format!("{} with {params:?}", self.sql),
        }
    }
}

/// Values that become literals or parameters.
struct Values<'r> {
    random: &'r mut Random,
    /// The parameters so far, of a prepared statement
    params: Option<Vec<Value>>,
}

impl Values<'_> {
    fn value(&mut self, column: &Column) -> String {
        self.of(column.kind)
    }

    fn of(&mut self, kind: Kind) -> String {
        // Some literals stay in prepared statements.
        let literal_anyway = self.random.once_in(6);
        match &mut self.params {
            Some(params) if !literal_anyway => {
                params.push(parameter(self.random, kind));
                "?".into()
            }
            _ => literal(self.random, kind),
        }
    }

    /// `a = 1 AND b = 2`
    fn equalities(&mut self, table: &Table, key: &[usize]) -> String {
        let mut parts = Vec::new();
        for at in key {
            let column = &table.columns[*at];
            let value = self.value(column);
            parts.push(match self.random.once_in(8) {
                true => format!("{value} = {}", column.name),
                false => format!("{} = {value}", column.name),
            });
        }
        if parts.len() > 1 && self.random.once_in(4) {
            parts.reverse();
        }
        parts.join(" AND ")
    }

    fn row(&mut self, columns: &[&Column]) -> String {
        let values: Vec<String> = columns
            .iter()
            .map(|column| match self.random.below(20) {
                0 => "DEFAULT".to_owned(),
                1 => "NULL".to_owned(),
                _ => self.value(column),
            })
            .collect();
        format!("({})", values.join(", "))
    }

    fn assignments(&mut self, table: &Table) -> String {
        let mut sets = Vec::new();
        for _ in 0..=self.random.below(2) {
            let column = self.random.pick(&table.columns).clone();
            let value = self.value(&column);
            let name = &column.name;
            let number = matches!(
                column.kind,
                Kind::Int | Kind::Unsigned | Kind::Small | Kind::Decimal | Kind::Double
            );
            sets.push(match number && self.random.once_in(2) {
                true => format!("{name} = {name} {} {value}", self.random.pick(&["+", "-"])),
                false => format!("{name} = {value}"),
            });
        }
        sets.join(", ")
    }
}

/// What a statement may do now.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around {
    pub(super) may_write: bool,
    /// Whether the session is in a transaction
    pub(super) open: bool,
    pub(super) may_define: bool,
}

/// Settings on which the meaning of a short statement depends.
const SETTINGS: &[&str] = &[
    "SET sql_mode = ''",
    "SET sql_mode = default",
    "SET sql_mode = 'STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO'",
    "SET sql_mode = 'ANSI,STRICT_TRANS_TABLES'",
    "SET sql_mode = 'PAD_CHAR_TO_FULL_LENGTH'",
    "SET foreign_key_checks = 0",
    "SET foreign_key_checks = 1",
    "SET NAMES utf8mb4 COLLATE utf8mb4_bin",
    "SET NAMES utf8mb4 COLLATE utf8mb4_general_ci",
    "SET NAMES utf8mb4",
    "SET time_zone = '+05:30'",
    "SET time_zone = '+00:00'",
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
    "SET sql_select_limit = 2",
    "SET sql_select_limit = default",
];

/// A change of a table's definition, which may be refused.
fn definition(random: &mut Random, table: &Table) -> String {
    let name = &table.name;
    let column = &random.pick(&table.columns).name;
    match random.below(8) {
        0 => format!("ALTER TABLE {name} ADD COLUMN extra INT DEFAULT 3 INVISIBLE"),
        1 => format!("ALTER TABLE {name} DROP COLUMN extra"),
        2 => format!("CREATE INDEX more ON {name} ({column})"),
        3 => format!("CREATE UNIQUE INDEX more ON {name} ({column})"),
        4 => format!("DROP INDEX more ON {name}"),
        5 => format!("ALTER TABLE {name} ALTER INDEX more INVISIBLE"),
        6 => format!("ALTER TABLE {name} ALTER INDEX more VISIBLE"),
        _ => format!("ALTER TABLE {name} ALTER COLUMN {column} SET DEFAULT 1"),
    }
}

/// The next statement of a session.
pub(super) fn draw(random: &mut Random, tables: &[Table], around: Around) -> Statement {
    let Around { may_write, open, may_define } = around;
    let table = random.pick(tables);
    match random.below(40) {
        0 if !open => return Statement::plain("BEGIN"),
        1 if !open => return Statement::plain("START TRANSACTION WITH CONSISTENT SNAPSHOT"),
        0..=2 if open => return Statement::plain("COMMIT"),
        3 if open => return Statement::plain("ROLLBACK"),
        4 if open && may_write => return Statement::plain("SAVEPOINT s"),
        5 if open && may_write => return Statement::plain("ROLLBACK TO SAVEPOINT s"),
        6 if random.once_in(2) => return Statement::plain(*random.pick(SETTINGS)),
        7 => return Statement::plain("SELECT LAST_INSERT_ID(), ROW_COUNT(), FOUND_ROWS()"),
        8 if may_define && random.once_in(2) => return Statement::plain(definition(random, table)),
        _ => {}
    }
    let params = random.once_in(2).then(Vec::new);
    let shape = random.below(if may_write { 20 } else { 10 });
    let mut values = Values { random, params };
    let (sql, unordered) = match shape {
        0..=9 => query(&mut values, table, may_write),
        10..=13 => (insert(&mut values, table), false),
        14..=17 => {
            let set = values.assignments(table);
            let key =
                if values.random.once_in(5) { table.some_key(values.random) } else { table.key.clone() };
            let filter = filter(&mut values, table, &key);
            (format!("UPDATE {} SET {set} WHERE {filter}", reference(values.random, &table.name).0), false)
        }
        _ => {
            let filter = filter(&mut values, table, &table.key);
            (format!("DELETE FROM {} WHERE {filter}", reference(values.random, &table.name).0), false)
        }
    };
    let form = values.params.map_or(Form::Text, Form::Prepared);
    let writes = shape > 9 || sql.contains("FOR ");
    Statement { sql, form, writes, unordered }
}

/// A key, now and then with a condition beside it, several keys, or a range.
fn filter(values: &mut Values<'_>, table: &Table, key: &[usize]) -> String {
    let first = &table.columns[key[0]];
    match values.random.below(12) {
        0 => {
            let column = values.random.pick(&table.columns).clone();
            let more = values.value(&column);
            format!("{} AND {} = {more}", values.equalities(table, key), column.name)
        }
        1 => {
            let list: Vec<String> = (0..2 + values.random.below(3)).map(|_| values.value(first)).collect();
            format!("{} IN ({})", first.name, list.join(", "))
        }
        2 => {
            let [low, high] = [values.value(first), values.value(first)];
            format!("{} BETWEEN {low} AND {high}", first.name)
        }
        _ => values.equalities(table, key),
    }
}

/// A table as it is named in a statement, and by which name its columns are qualified.
fn reference(random: &mut Random, name: &str) -> (String, String) {
    match random.below(8) {
        0 => (format!("{name} AS x"), "x".into()),
        1 => (format!("test.{name}"), name.to_owned()),
        2 => (format!("test.{name} y"), "y".into()),
        _ => (name.to_owned(), name.to_owned()),
    }
}

/// A query and whether its rows may come in any order.
fn query(values: &mut Values<'_>, table: &Table, may_lock: bool) -> (String, bool) {
    let key = table.some_key(values.random);
    let first = table.columns[key[0]].clone();
    let (name, qualifier) = reference(values.random, &table.name);
    let items = match values.random.below(7) {
        0 => "*".to_owned(),
        1 => "COUNT(*)".to_owned(),
        2 => format!("{}, {} AS x", values.random.pick(&table.columns).name, first.name),
        3 => format!("{qualifier}.*, {qualifier}.{}", first.name),
        4 => format!("{qualifier}.{}", first.name),
        5 if table.computed.is_some() => table.computed.unwrap_or_default().to_owned(),
        _ => values.random.pick(&table.columns).name.clone(),
    };
    let lock = match may_lock && values.random.once_in(8) {
        true => *values.random.pick(&[" FOR UPDATE", " FOR SHARE", " LOCK IN SHARE MODE"]),
        false => "",
    };
    let lock = lock.replace(" LOCK IN SHARE MODE", " FOR SHARE");
    match values.random.below(10) {
        0..=4 => {
            let filter = values.equalities(table, &key);
            let limit = *values.random.pick(&["", "", "", " LIMIT 1", " LIMIT 0"]);
            // Of rows with the same key of an index any may be the first.
            let limit = if key == table.key { limit } else { "" };
            (format!("SELECT {items} FROM {name} WHERE {filter}{limit}{lock}"), true)
        }
        5 | 6 => {
            let list: Vec<String> = (0..1 + values.random.below(5)).map(|_| values.value(&first)).collect();
            let end = match items == "COUNT(*)" {
                true => String::new(),
                false => order(values, table),
            };
            (
                format!(
                    "SELECT {items} FROM {name} WHERE {} IN ({}){end}{lock}",
                    first.name,
                    list.join(", ")
                ),
                true,
            )
        }
        7 => {
            let operator = *values.random.pick(&["<", "<=", ">", ">="]);
            let value = values.value(&first);
            let end = if items == "COUNT(*)" { String::new() } else { order(values, table) };
            let unordered = end.is_empty();
            (
                format!("SELECT {items} FROM {name} WHERE {} {operator} {value}{end}{lock}", first.name),
                unordered,
            )
        }
        8 => {
            let [low, high] = [values.value(&first), values.value(&first)];
            let end = if items == "COUNT(*)" { String::new() } else { order(values, table) };
            let unordered = end.is_empty();
            (
                format!(
                    "SELECT {items} FROM {name} WHERE {} BETWEEN {low} AND {high}{end}{lock}",
                    first.name
                ),
                unordered,
            )
        }
        _ => {
            let [low, high] = [values.value(&first), values.value(&first)];
            let column = values.random.pick(&table.columns).name.clone();
            let form = *values.random.pick(&["SUM", "MIN", "MAX", "COUNT"]);
            (
                format!("SELECT {form}({column}) FROM {name} WHERE {} BETWEEN {low} AND {high}", first.name),
                true,
            )
        }
    }
}

/// ORDER BY the whole primary key, with LIMIT at times, or nothing.
fn order(values: &mut Values<'_>, table: &Table) -> String {
    if values.random.once_in(3) {
        return String::new();
    }
    let direction = *values.random.pick(&["", " DESC"]);
    let names: Vec<String> =
        table.key.iter().map(|at| format!("{}{direction}", table.columns[*at].name)).collect();
    let limit = match values.random.below(4) {
        0 => format!(" LIMIT {}", values.random.below(5)),
        1 => format!(" LIMIT {} OFFSET 1", values.random.below(5)),
        _ => String::new(),
    };
    format!(" ORDER BY {}{limit}", names.join(", "))
}

fn insert(values: &mut Values<'_>, table: &Table) -> String {
    let mut columns: Vec<&Column> = table.columns.iter().collect();
    let mut list = String::new();
    if values.random.once_in(3) {
        let drop = values.random.below(columns.len() as u64) as usize;
        columns.remove(drop);
        if values.random.once_in(2) {
            columns.reverse();
        }
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        list = format!(" ({})", names.join(", "));
    }
    let count = if values.random.once_in(3) { 2 + values.random.below(4) } else { 1 };
    let rows: Vec<String> = (0..count).map(|_| values.row(&columns)).collect();
    let (verb, end) = match values.random.below(10) {
        0 => ("INSERT IGNORE", String::new()),
        1 => ("REPLACE", String::new()),
        2 => {
            let set = values.assignments(table);
            ("INSERT", format!(" ON DUPLICATE KEY UPDATE {set}"))
        }
        _ => ("INSERT", String::new()),
    };
    format!("{verb} INTO {}{list} VALUES {}{end}", table.name, rows.join(", "))
}
