//! Random tables and views with rows, small enough that a join of four of them is answered at once.
//!
//! Values come from small domains, so that keys meet. In a *folded* database texts that a collation holds for
//! equal occur in several forms (`a`, `A`, `a `): there the generator leaves out what picks one of equal texts, such as
//! GROUP BY.

use super::rewordings::{with_kept_subqueries, with_room_for_replaced};
use super::tree::{Kind, Tree};
use rustydb_testkit::random::Random;

/// A column that queries can name.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    ty: String,
    nullable: bool,
}

/// A table, or a view when `rows` is None.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) name: String,
    pub(super) columns: Vec<Column>,
    /// Whether `id` tells its rows apart
    pub(super) keyed: bool,
    pub(super) definition: String,
    /// A view's query
    pub(super) view: Option<Tree>,
    /// Each a list of values in parentheses
    pub(super) rows: Option<Vec<String>>,
}

/// A random database.
#[derive(Debug, Clone)]
pub(super) struct Schema {
    pub(super) tables: Vec<Table>,
    pub(super) folded: bool,
    /// Of most columns and of literals
    pub(super) collation: &'static str,
}

impl Table {
    /// A view with another query.
    pub(super) fn with_view(&self, query: Tree) -> Table {
        Table { definition: view(&self.name, &query), view: Some(query), ..self.clone() }
    }
}

impl Schema {
    pub(super) fn new(random: &mut Random) -> Schema {
        let folded = random.once_in(3);
        let collation = *pick(
            random,
            &[
                "utf8mb4_0900_ai_ci",
                "utf8mb4_0900_ai_ci",
                "utf8mb4_general_ci",
                "utf8mb4_bin",
                "utf8mb4_0900_as_cs",
            ],
        );
        let count = 2 + random.below(3);
        let tables = (0..count).map(|n| table(random, n, collation, folded)).collect();
        Schema { tables, folded, collation }
    }

    /// Adds a view whose query is given.
    pub(super) fn add_view(&mut self, query: Tree, columns: Vec<(String, Kind)>) {
        let name = format!("v{}", self.tables.len());
        let definition = view(&name, &query);
        let column = |(name, kind)| Column { name, kind, ty: String::new(), nullable: true };
        let columns = columns.into_iter().map(column).collect();
        self.tables.push(Table { name, columns, keyed: false, definition, view: Some(query), rows: None });
    }

    /// The statements that make it.
    pub(super) fn script(&self) -> Vec<String> {
        let mut script = Vec::new();
        for table in &self.tables {
            script.push(table.definition.clone());
            if let Some(rows) = table.rows.as_ref().filter(|rows| !rows.is_empty()) {
                script.push(format!("INSERT IGNORE INTO {} VALUES {}", table.name, rows.join(", ")));
            }
        }
        script
    }
}

/// The definition of a view, in a form that MySQL answers rightly: a query of the view cannot be asked in another one. DISTINCT
/// beside HAVING is left out, which loses groups there.
fn view(name: &str, query: &Tree) -> String {
    let query = query.to_string();
    let mut query = with_room_for_replaced(&query).unwrap_or(query);
    if query.contains(" HAVING ") {
        query = query.replace("SELECT DISTINCT ", "SELECT ");
        query = with_kept_subqueries(&query).unwrap_or(query);
    }
    format!("CREATE VIEW {name} AS {query}")
}

pub(super) fn pick<'a, T>(random: &mut Random, from: &'a [T]) -> &'a T {
    &from[random.below(from.len() as u64) as usize]
}

fn table(random: &mut Random, n: u64, collation: &str, folded: bool) -> Table {
    let name = format!("t{n}");
    let keyed = !random.once_in(6);
    let mut columns = vec![Column { name: "id".into(), kind: Kind::Int, ty: "INT".into(), nullable: !keyed }];
    let count = 2 + random.below(5);
    for c in 0..count {
        let kind = *pick(random, &Kind::COLUMNS);
        let ty = column_type(random, kind);
        let nullable = !random.once_in(3);
        columns.push(Column { name: format!("c{c}"), kind, ty, nullable });
    }
    let mut parts: Vec<String> = columns
        .iter()
        .map(|column| {
            format!("{} {}{}", column.name, column.ty, if column.nullable { "" } else { " NOT NULL" })
        })
        .collect();
    if keyed {
        parts.push("PRIMARY KEY (id)".into());
    }
    for _ in 0..random.below(4) {
        let mut chosen: Vec<&str> = Vec::new();
        for _ in 0..=random.below(2) {
            let column = pick(random, &columns);
            // By an index, MySQL gives MIN and MAX of members by their number, else by their text.
            let members = column.ty.starts_with("ENUM") || column.ty.starts_with("SET");
            if !chosen.contains(&column.name.as_str()) && column.ty != "TEXT" && !members {
                chosen.push(&column.name);
            }
        }
        if !chosen.is_empty() {
            let direction = if random.once_in(5) { " DESC" } else { "" };
            let unique = if random.once_in(6) { "UNIQUE " } else { "" };
            parts.push(format!("{unique}KEY ({}{direction})", chosen.join(", ")));
        }
    }
    let definition = format!("CREATE TABLE {name} ({}) COLLATE {collation}", parts.join(", "));
    let count = if random.once_in(10) { 0 } else { 1 + random.below(12) };
    let rows = (0..count)
        .map(|row| {
            let values: Vec<String> = columns
                .iter()
                .enumerate()
                .map(|(n, column)| match n {
                    0 if keyed => (row + 1).to_string(),
                    _ if column.nullable && random.once_in(5) => "NULL".into(),
                    _ => value(random, column, folded),
                })
                .collect();
            format!("({})", values.join(", "))
        })
        .collect();
    Table { name, columns, keyed, definition, view: None, rows: Some(rows) }
}

fn column_type(random: &mut Random, kind: Kind) -> String {
    let types: &[&str] = match kind {
        Kind::Int | Kind::Truth => {
            &["INT", "INT", "BIGINT", "TINYINT", "SMALLINT UNSIGNED", "BIGINT UNSIGNED", "YEAR", "MEDIUMINT"]
        }
        Kind::Decimal => &["DECIMAL(10,2)", "DECIMAL(20,5)", "DECIMAL(5,0)", "DECIMAL(30,10)"],
        Kind::Double => &["DOUBLE", "DOUBLE", "FLOAT"],
        Kind::Text => &[
            "VARCHAR(20)",
            "VARCHAR(20)",
            "CHAR(8)",
            "TEXT",
            "ENUM('a','b','c','ab','x')",
            "SET('a','b','c')",
            "VARCHAR(10) CHARACTER SET latin1",
            "VARCHAR(20) COLLATE utf8mb4_bin",
        ],
        Kind::Date => &["DATE"],
        Kind::DateTime => &["DATETIME", "DATETIME(3)", "TIMESTAMP"],
        Kind::Time => &["TIME", "TIME(2)"],
    };
    let ty = *pick(random, types);
    // A timestamp that is NULL needs saying so where others would be filled in.
    if ty == "TIMESTAMP" { "TIMESTAMP NULL".into() } else { ty.into() }
}

fn value(random: &mut Random, column: &Column, folded: bool) -> String {
    match column.ty.as_str() {
        "YEAR" => return (2020 + random.below(6)).to_string(),
        ty if ty.contains("UNSIGNED") => return random.below(9).to_string(),
        ty if ty.starts_with("ENUM") => {
            return pick(random, &["'a'", "'b'", "'c'", "'ab'", "'x'"]).to_string();
        }
        ty if ty.starts_with("SET") => {
            return pick(random, &["''", "'a'", "'a,b'", "'b,c'", "'c'"]).to_string();
        }
        "TIMESTAMP NULL" => return format!("'2024-0{}-1{} 10:00:00'", 1 + random.below(4), random.below(3)),
        _ => {}
    }
    literal(random, column.kind, folded)
}

/// A value as it is written.
pub(super) fn literal(random: &mut Random, kind: Kind, folded: bool) -> String {
    match kind {
        Kind::Int => match random.below(30) {
            0 => "100".into(),
            1 => "-7".into(),
            _ => (random.below(9) as i64 - 2).to_string(),
        },
        Kind::Truth => (*pick(random, &["TRUE", "FALSE", "NULL", "1", "0"])).into(),
        Kind::Decimal => {
            format!("{}.{}", random.below(6) as i64 - 1, pick(random, &["0", "5", "25", "50", "125"]))
        }
        Kind::Double => format!("{}.{}e0", random.below(6) as i64 - 1, pick(random, &["0", "5", "25", "75"])),
        Kind::Text => {
            let plain = ["a", "b", "c", "ab", "abc", "x", "xy", "1", "2", "10", "", "a b", "%", "2024-01-01"];
            let word = *pick(random, &plain);
            match (folded, random.below(6)) {
                (true, 0) => format!("'{}'", word.to_uppercase()),
                (true, 1) => format!("'{word} '"),
                (true, 2) => format!("'{}'", word.replace('a', "á")),
                _ => format!("'{word}'"),
            }
        }
        Kind::Date => format!("'2024-{:02}-{:02}'", 1 + random.below(4), *pick(random, &[1, 10, 15, 29]))
            .replace("02-29", "02-28"),
        Kind::DateTime => format!(
            "'2024-0{}-1{} {}'",
            1 + random.below(4),
            random.below(3),
            pick(random, &["00:00:00", "10:30:00", "23:59:59"])
        ),
        Kind::Time => {
            (*pick(random, &["'00:00:00'", "'10:30:00'", "'-01:00:00'", "'23:59:59'", "'09:00:00'"])).into()
        }
    }
}
