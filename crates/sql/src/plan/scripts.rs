//! Plans of the queries in `testscripts/plans`, one section per rule, over the tables of
//! `testscripts/select/setup.sql`. `RUSTYDB_WRITE_PLANS=path` writes the file anew, to be read before it is kept.

use std::fmt::Write;
use std::sync::Arc;

use rustydb_sql_parser::ast;

use super::prepare_select;
use super::rules::RuleSet;
use crate::context::{BindContext, TableLookup, TableRef, TableRows, TableUse};
use crate::database::Database;
use crate::error::SqlError;
use crate::exec::scripts::{answer, set_up};

struct FromCatalog(Arc<Database>);

impl TableLookup for FromCatalog {
    fn table(&mut self, database: &str, name: &str, _: TableUse) -> Result<TableRef, SqlError> {
        let def = self.0.catalog().table(database, name);
        let def = def.ok_or_else(|| SqlError::no_such_table(database, name))?;
        Ok(TableRef { def, rows: TableRows::Stored, statistics: None })
    }
}

fn plan_text(database: &Arc<Database>, sql: &str, rules: RuleSet) -> String {
    let mut session = crate::expr::scripts::session();
    session.settings.rules = rules;
    session.database = Some("t1".into());
    let options = rustydb_sql_parser::ParseOptions { parameters: true, ..Default::default() };
    let statement = match rustydb_sql_parser::parse(sql, &options) {
        Ok(statement) => statement,
        Err(error) => return format!("{error}\n"),
    };
    let ast::Statement::Query(query) = &statement else { return "not a query\n".into() };
    let mut tables = FromCatalog(Arc::clone(database));
    let mut context = BindContext { tables: &mut tables, session: &session };
    match prepare_select(query, sql, None, &mut context) {
        Ok(plan) => plan.to_string(),
        Err(error) => format!("{error}\n"),
    }
}

#[test]
fn plans_are_as_written() {
    let (database, mut session) = crate::exec::scripts::open();
    set_up(&mut session);
    // The scripts' tables hold no statistics: plans depend on definitions alone.
    assert_eq!(answer(&mut session, "select count(*) from a"), ["6"]);
    let script = include_str!("../../testscripts/plans");
    let mut written = String::new();
    for line in script.lines() {
        if let Some(query) = line.strip_prefix("> ") {
            let _ = write!(written, "> {query}\n{}", plan_text(&database, query, RuleSet::ALL));
        } else if line.starts_with('#') || line.is_empty() {
            let _ = writeln!(written, "{line}");
        }
    }
    if let Ok(path) = std::env::var("RUSTYDB_WRITE_PLANS") {
        std::fs::write(path, &written).unwrap();
    }
    for (number, (given, expected)) in written.lines().zip(script.lines()).enumerate() {
        assert_eq!(given, expected, "line {} of testscripts/plans", number + 1);
    }
    assert_eq!(written.lines().count(), script.lines().count());
}

/// Not of the plans of the script: the point executor has none, and the ways that statistics decide about have theirs in
/// [`super::index_ways`].
const ELSEWHERE: [&str; 4] = ["point_executor", "index_merge", "skip_scan", "loose_scan"];

/// A rule without a plan in the script that it changes is one that nothing shows.
#[test]
fn every_rule_changes_a_plan_of_the_script() {
    let (database, mut session) = crate::exec::scripts::open();
    set_up(&mut session);
    let script = include_str!("../../testscripts/plans");
    let queries: Vec<&str> = script.lines().filter_map(|line| line.strip_prefix("> ")).collect();
    let whole: Vec<String> = queries.iter().map(|query| plan_text(&database, query, RuleSet::ALL)).collect();
    for name in RuleSet::NONE.missing().split(',').filter(|name| !ELSEWHERE.contains(name)) {
        let without = RuleSet::all_but(name).unwrap();
        let changed =
            queries.iter().zip(&whole).any(|(query, plan)| plan_text(&database, query, without) != *plan);
        assert!(changed, "no plan of testscripts/plans is made by {name}");
    }
}
