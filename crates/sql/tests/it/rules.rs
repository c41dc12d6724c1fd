//! Every rule of the planner on and off: random queries over small tables with NULLs give the same rows.
//!
//! A query is made of parts that the rules look for: subqueries of all forms, derived tables, outer joins, ORs of ANDs,
//! equalities between columns. Rows are compared as sorted lists. The numbers come from fixed seeds, so that a failure
//! repeats.

use std::fmt::Write as _;

use crate::console::{ask, database, session, setup};

/// Numbers from a seed (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list.get(self.below(list.len())).copied().unwrap_or("")
    }
}

/// The rules, as `optimizer_disabled_rules` names them.
const RULES: &[&str] = &[
    "lift_projections",
    "merge_derived",
    "decorrelate",
    "fold_conditions",
    "fold_constants",
    "factor_or",
    "infer_conditions",
    "push_into_derived",
    "semi_to_inner",
    "unneeded",
    "push_top",
    "push_filters",
    "join_order",
    "join_keys",
    "access_path",
    "prune_columns",
    "index_order",
    "min_max",
    "sort_distinct",
    "index_merge",
    "skip_scan",
    "loose_scan",
    "merge_derived,decorrelate,factor_or,infer_conditions,push_into_derived,unneeded",
];

const TABLES: &[&str] = &["p", "q", "r"];
const COLUMNS: &[&str] = &["id", "a", "b", "s"];
const COMPARISONS: &[&str] = &["=", "<>", "<", "<=", ">", ">="];

/// Writes queries; every table in FROM has an alias of its own.
struct Writer {
    random: Random,
    aliases: usize,
}

impl Writer {
    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("t{}", self.aliases)
    }

    fn number(&mut self, scope: &[String]) -> String {
        match self.random.below(6) {
            0 => self.random.below(5).to_string(),
            1 => "NULL".into(),
            _ => self.column(scope, &["id", "a", "b"]),
        }
    }

    fn column(&mut self, scope: &[String], names: &[&str]) -> String {
        let alias = scope.get(self.random.below(scope.len())).cloned().unwrap_or_default();
        format!("{alias}.{}", self.random.pick(names))
    }

    /// A condition over the tables in scope.
    fn condition(&mut self, scope: &[String], depth: usize) -> String {
        let choices = if depth == 0 { 9 } else { 15 };
        match self.random.below(choices) {
            0..=2 => {
                let (a, b) = (self.number(scope), self.number(scope));
                format!("{a} {} {b}", self.random.pick(COMPARISONS))
            }
            3 => {
                let column = self.column(scope, &["s"]);
                match self.random.below(2) {
                    0 => format!("{column} = '{}'", self.random.pick(&["x", "Y", "z"])),
                    _ => format!("{column} = {}", self.column(scope, &["s"])),
                }
            }
            4 => format!("{} IN (1, {})", self.column(scope, &["id", "a", "b"]), self.random.below(4)),
            5 => {
                let not = self.random.pick(&["", "NOT "]);
                format!("{} IS {not}NULL", self.column(scope, COLUMNS))
            }
            6 | 7 => {
                let common = self.condition(scope, 0);
                let (a, b) = (self.condition(scope, 0), self.condition(scope, 0));
                match self.random.below(3) {
                    0 => format!("({common} AND {a} OR {common} AND {b})"),
                    1 => format!("({a} OR {b})"),
                    _ => format!("NOT ({a} AND {b})"),
                }
            }
            8 => format!(
                "{} = {}",
                self.column(scope, &["id", "a", "b"]),
                self.column(scope, &["id", "a", "b"])
            ),
            9 => {
                let not = self.random.pick(&["", "NOT "]);
                format!("{not}EXISTS ({})", self.subquery(scope, "1", depth))
            }
            10 | 11 => {
                let not = self.random.pick(&["", "NOT "]);
                let needle = self.number(scope);
                let column = self.random.pick(&["id", "a", "b", "MAX(a)", "a + 1", "COUNT(*)"]);
                format!("{needle} {not}IN ({})", self.subquery(scope, column, depth))
            }
            12 => {
                let needle = self.number(scope);
                let how = self.random.pick(&["ANY", "ALL"]);
                let op = self.random.pick(COMPARISONS);
                format!("{needle} {op} {how} ({})", self.subquery(scope, "b", depth))
            }
            13 => {
                let not = self.random.pick(&["", "NOT "]);
                let (a, b) = (self.number(scope), self.number(scope));
                format!("({a}, {b}) {not}IN ({})", self.subquery(scope, "a, b", depth))
            }
            _ => {
                let value = self.number(scope);
                let op = self.random.pick(COMPARISONS);
                let aggregate =
                    self.random.pick(&["COUNT(*)", "SUM(b)", "MIN(a) + 1", "COALESCE(MAX(b), 2)"]);
                format!("{value} {op} ({})", self.subquery(scope, aggregate, depth))
            }
        }
    }

    /// `SELECT columns FROM a table WHERE ..`, which may look out.
    fn subquery(&mut self, scope: &[String], columns: &str, depth: usize) -> String {
        let alias = self.alias();
        let table = self.random.pick(TABLES);
        let mut wider = scope.to_vec();
        wider.push(alias.clone());
        let mut out = format!("SELECT {columns} FROM {table} {alias}");
        // Names without a table mean this one's.
        let mut conditions = Vec::new();
        if self.random.below(4) > 0 {
            let outer = self.column(scope, &["id", "a", "b"]);
            conditions.push(format!("{alias}.{} = {outer}", self.random.pick(&["id", "a", "b"])));
        }
        if self.random.below(2) == 0 {
            conditions.push(self.condition(&wider, depth - 1));
        }
        if !conditions.is_empty() {
            let _ = write!(out, " WHERE {}", conditions.join(" AND "));
        }
        out
    }

    /// Something that stands in FROM.
    fn source(&mut self, depth: usize) -> (String, String) {
        let alias = self.alias();
        let table = self.random.pick(TABLES);
        let inner = self.alias();
        let scope = [inner.clone()];
        let text = match self.random.below(if depth == 0 { 3 } else { 9 }) {
            3 => {
                let condition = self.condition(&scope, depth - 1);
                format!("(SELECT * FROM {table} {inner} WHERE {condition}) {alias}")
            }
            4 => {
                let condition = self.condition(&scope, depth - 1);
                format!(
                    "(SELECT MIN(id) id, a, COUNT(*) b, MAX(s) s FROM {table} {inner} WHERE {condition} GROUP BY a) {alias}"
                )
            }
            5 => format!("(SELECT DISTINCT id, a, b, s FROM {table}) {alias}"),
            6 => format!("(SELECT id, a, b, s FROM p UNION SELECT id, b, a, s FROM {table}) {alias}"),
            7 => {
                format!("(SELECT id, a, ROW_NUMBER() OVER (PARTITION BY a ORDER BY id) b, s FROM p) {alias}")
            }
            8 => format!("(SELECT id, a, b, s FROM q ORDER BY id LIMIT 3) {alias}"),
            _ => format!("{table} {alias}"),
        };
        (text, alias)
    }

    fn query(&mut self) -> String {
        self.aliases = 0;
        let mut scope = Vec::new();
        let (mut from, first) = self.source(2);
        scope.push(first);
        for _ in 0..self.random.below(3) {
            let (text, alias) = self.source(1);
            scope.push(alias);
            let kind = self.random.pick(&["JOIN", "LEFT JOIN", "LEFT JOIN", "RIGHT JOIN"]);
            let on = self.condition(&scope, self.random.0 as usize % 2);
            let _ = write!(from, " {kind} {text} ON {on}");
        }
        if self.random.below(8) == 0 {
            let outer = self.column(&scope, &["id", "a"]);
            let alias = self.alias();
            let what = self.random.pick(&["COUNT(*) id, MAX(a) a, SUM(b) b, MIN(s) s", "id, a, b, s"]);
            let _ = write!(
                from,
                " {} LATERAL (SELECT {what} FROM r WHERE r.a = {outer}) {alias} ON TRUE",
                self.random.pick(&["JOIN", "LEFT JOIN"])
            );
            scope.push(alias);
        }
        let mut out = String::from("SELECT ");
        let grouped = self.random.below(4) == 0;
        let key = self.column(&scope, COLUMNS);
        if grouped {
            let value = self.column(&scope, &["a", "b"]);
            let _ = write!(out, "{key} k, COUNT(*) n, SUM({value}) x");
        } else {
            let distinct = self.random.pick(&["", "", "DISTINCT "]);
            let shown: Vec<String> = (0..3).map(|_| self.column(&scope, COLUMNS)).collect();
            let _ = write!(out, "{distinct}{}", shown.join(", "));
            if self.random.below(4) == 0 && distinct.is_empty() {
                let value = self.random.pick(&["COUNT(*)", "SUM(b)", "MAX(s)"]);
                let _ = write!(out, ", ({})", self.subquery(&scope, value, 1));
            }
        }
        let _ = write!(out, " FROM {from}");
        if self.random.below(5) > 0 {
            let condition = self.condition(&scope, 2);
            let _ = write!(out, " WHERE {condition}");
            if self.random.below(2) == 0 {
                let condition = self.condition(&scope, 1);
                let _ = write!(out, " AND {condition}");
            }
        }
        if grouped {
            let _ = write!(out, " GROUP BY {key}");
            if self.random.below(2) == 0 {
                let _ = write!(
                    out,
                    " HAVING {}",
                    self.random.pick(&["k IS NOT NULL", "n > 1", "k = 1 AND n > 0"])
                );
            }
        }
        out
    }
}

/// The names that the planner's own list has.
fn all_rules() -> String {
    let code = include_str!("../../src/plan/rules/switch.rs");
    let list =
        code.split_once("rules! {\n").and_then(|(_, rest)| rest.split_once('}')).map_or("", |(l, _)| l);
    list.split('"').skip(1).step_by(2).collect::<Vec<_>>().join(",")
}

#[test]
fn every_rule_is_turned_off() {
    for rule in all_rules().split(',').filter(|rule| *rule != "point_executor") {
        assert!(RULES.contains(&rule), "{rule} is not turned off by itself");
    }
}

fn sorted(answer: &str) -> Vec<&str> {
    // How often a conversion warns depends on how often it is made.
    let mut lines: Vec<&str> = answer.lines().filter(|line| !line.ends_with("warning(s)")).collect();
    if let Some((_, rows)) = lines.split_first_mut() {
        rows.sort_unstable();
    }
    lines
}

/// How many queries of each seed.
const QUERIES: usize = 100;

#[test]
fn rules_on_and_off_give_the_same_rows() {
    let (mut with_rows, mut refused) = (0, 0);
    for seed in 0..6 {
        let database = database();
        let mut session = session(&database, 1);
        setup(
            &mut session,
            &[
                "CREATE DATABASE test",
                "USE test",
                "CREATE TABLE p (id INT PRIMARY KEY, a INT, b INT, s VARCHAR(5), KEY (b))",
                "CREATE TABLE q (id INT PRIMARY KEY, a INT, b INT NOT NULL, s VARCHAR(5), UNIQUE KEY (a), KEY (s))",
                "CREATE TABLE r (id INT, a INT, b INT, s VARCHAR(5))",
            ],
        );
        let mut writer = Writer { random: Random(seed), aliases: 0 };
        for (table, rows) in [("p", 7), ("q", 6), ("r", 8)] {
            for id in 0..rows {
                let mut small = |null: &str| match writer.random.below(5) {
                    0 => null.to_string(),
                    n => n.to_string(),
                };
                let (a, b) = (small("NULL"), small(if table == "q" { "0" } else { "NULL" }));
                let s = writer.random.pick(&["'x'", "'X'", "'y'", "NULL"]);
                ask(&mut session, &format!("INSERT IGNORE INTO {table} VALUES ({id}, {a}, {b}, {s})"));
            }
        }
        for number in 0..QUERIES {
            let query = writer.query();
            setup(&mut session, &["SET optimizer_disabled_rules = ''"]);
            let all = ask(&mut session, &query);
            with_rows += usize::from(all.lines().count() > 1);
            refused += usize::from(all.contains("ERROR"));
            for rules in RULES.iter().copied().chain([all_rules().as_str()]) {
                setup(&mut session, &[&format!("SET optimizer_disabled_rules = '{rules}'")]);
                let without = ask(&mut session, &query);
                assert_eq!(
                    sorted(&all),
                    sorted(&without),
                    "seed {seed}, query {number}, without {rules}\n{query}"
                );
            }
        }
    }
    assert!(with_rows > 150, "{with_rows} queries gave rows");
    assert!(refused < 60, "{refused} queries were refused");
}
