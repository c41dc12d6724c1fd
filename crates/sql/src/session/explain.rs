//! EXPLAIN of a statement or of what another connection runs.
//!
//! A query is planned as it would be to run it, and that plan is told. An UPDATE or DELETE is told by the query that
//! finds its rows. EXPLAIN ANALYZE runs the query, throws its rows away and tells what the operators counted.
//!
//! The statement as it was understood is a note (1003) where MySQL gives one: names in full, no more.
//!
//! Limits: EXPLAIN FOR CONNECTION plans the other connection's text anew, in its database and with this session's
//! settings; EXPLAIN ANALYZE runs no statement that changes rows.

use std::sync::Arc;

use rustydb_sql_parser::ast::{
    Delete, DeleteTarget, Explain, ExplainTarget, Expr, Insert, InsertSource, Limit, Query, QueryBody,
    Select, SelectItem, Span, Statement, TableReference, Update,
};
use rustydb_sql_parser::parse;
use rustydb_value::{Decimal, Value};

use super::Session;
use super::query::{Left, Scope};
use super::run::Running;
use crate::api::{ColumnMeta, ResultSink};
use crate::context::BindContext;
use crate::error::SqlError;
use crate::exec::{self, counted};
use crate::expr::eval::value_type;
use crate::expr::planning::Planning;
use crate::plan::explain::{Change, Format, blocks, json, steps, traditional};
use crate::plan::{self, SelectPlan};
use crate::show::{Cell, Listing};
use crate::variables::registry::position;
use crate::view::{print, qualify};

/// The columns of FORMAT=TRADITIONAL.
const COLUMNS: [(&str, Cell); 12] = [
    ("id", Cell::Number),
    ("select_type", Cell::Text(19)),
    ("table", Cell::Text(64)),
    ("partitions", Cell::Text(16_383)),
    ("type", Cell::Text(10)),
    ("possible_keys", Cell::Text(4096)),
    ("key", Cell::Text(64)),
    ("key_len", Cell::Text(4096)),
    ("ref", Cell::Text(1024)),
    ("rows", Cell::Number),
    ("filtered", Cell::Percent),
    ("Extra", Cell::Text(255)),
];

/// What is planned for a statement.
struct Subject {
    /// The query that makes or finds the rows; None where rows are given as values.
    query: Option<Query>,
    /// What is done with them.
    change: Option<Change>,
    /// In a document.
    word: &'static str,
    /// One table is changed by what is found in it.
    single: bool,
}

/// What EXPLAIN found.
struct Found {
    plan: Option<SelectPlan>,
    meaning: Option<String>,
}

impl Session {
    /// Runs EXPLAIN.
    pub(super) fn run_explain(
        &mut self,
        explain: &Explain,
        running: &Running<'_>,
        sink: &mut dyn ResultSink,
    ) -> Result<(), SqlError> {
        let format = self.explain_format(explain)?;
        let (subject, text, database) = match &explain.target {
            ExplainTarget::Statement(statement) => {
                (subject_of(statement)?, Arc::clone(&running.statement.sql), None)
            }
            ExplainTarget::Connection(id) => {
                let (statement, text, database) = self.of_connection(*id)?;
                (subject_of(&statement)?, text, database)
            }
        };
        let database = match &explain.schema {
            Some(schema) => Some(schema.as_str().to_owned()),
            None => database,
        };
        if let Some(name) = &explain.schema
            && self.database.catalog().database(name.as_str()).is_none()
        {
            return Err(SqlError::unknown_database(name.as_str()));
        }
        let around = match database {
            Some(database) => self.state.database.replace(database),
            None => self.state.database.clone(),
        };
        let found = self.explained(&subject, &text, running.params, explain.analyze);
        self.state.database = around;
        let found = found?;
        let listing = self.told(&subject, &found, format, explain.analyze);
        if let Some(meaning) = &found.meaning
            && matches!(format, Format::Traditional | Format::Json { version: 1 })
        {
            self.state.note(&SqlError::new(1003, b"HY000", meaning.clone()));
        }
        if let Some(name) = &explain.into {
            let value = listing.rows.into_iter().flatten().next().unwrap_or(Value::Null);
            let ty = value_type(&value);
            self.state.set_user_variable(name.as_str(), value.as_ref(), &ty)?;
            return self.finish_ok(running, 0, sink);
        }
        self.send_listing(&listing, running, sink)
    }

    /// The columns that EXPLAIN will answer with.
    pub(super) fn explain_columns(&self, explain: &Explain) -> Result<Vec<ColumnMeta>, SqlError> {
        Ok(match self.explain_format(explain)? {
            _ if explain.into.is_some() => Vec::new(),
            Format::Traditional => Listing::new(&COLUMNS).columns,
            _ => Listing::new(&[("EXPLAIN", Cell::Text(16_777_215))]).columns,
        })
    }

    fn explain_format(&self, explain: &Explain) -> Result<Format, SqlError> {
        let get = |at: usize| self.state.session_value(at);
        let version = get(const { position("explain_json_format_version") }).as_u64();
        let usual = get(const { position("explain_format") });
        let usual = usual.as_text();
        let named = explain.format.as_ref().map(|name| name.as_str());
        let is = |name: &str, word: &str| name.eq_ignore_ascii_case(word);
        let word = match named {
            Some(name) => name,
            None if explain.analyze && !is(usual, "JSON") => "TREE",
            None => usual,
        };
        let format = if is(word, "JSON") {
            Format::Json { version }
        } else if is(word, "TREE") {
            Format::Tree
        } else {
            Format::Traditional
        };
        if explain.into.is_some() {
            if named.is_none() {
                let text = "EXPLAIN INTO does not support implicit FORMAT.";
                return Err(SqlError::new(6006, b"0A000", text));
            }
            if !matches!(format, Format::Json { .. }) {
                let text = format!("EXPLAIN INTO does not support FORMAT={}.", word.to_uppercase());
                return Err(SqlError::new(6007, b"0A000", text));
            }
        }
        if explain.analyze {
            match format {
                Format::Traditional => {
                    return Err(SqlError::not_supported("EXPLAIN ANALYZE with TRADITIONAL format"));
                }
                Format::Json { version: 1 } => {
                    let text =
                        "EXPLAIN ANALYZE does not support FORMAT=JSON with explain_json_format_version=1.";
                    return Err(SqlError::new(6412, b"0A000", text));
                }
                _ => {}
            }
        }
        Ok(format)
    }

    /// The statement that another connection runs, its text and its database.
    fn of_connection(&self, id: u64) -> Result<(Statement, Arc<str>, Option<String>), SqlError> {
        let now = self.database.clock().monotonic();
        let process = self.database.processes().list(now).into_iter().find(|process| process.id == id);
        let process = process.ok_or_else(|| SqlError::no_such_thread(id))?;
        let refused = || {
            let text =
                "EXPLAIN FOR CONNECTION command is supported only for SELECT/UPDATE/INSERT/DELETE/REPLACE";
            SqlError::new(3012, b"HY000", text)
        };
        let text: Arc<str> = process.statement.ok_or_else(refused)?.into();
        let statement = parse(&text, &self.parse_options(false)).map_err(|_| refused())?;
        match statement {
            Statement::Query(_) | Statement::Insert(_) | Statement::Update(_) | Statement::Delete(_) => {
                Ok((statement, text, process.database))
            }
            _ => Err(refused()),
        }
    }

    /// Plans what is explained, and runs it if that was asked for.
    fn explained(
        &mut self,
        subject: &Subject,
        sql: &str,
        params: &[Value],
        analyze: bool,
    ) -> Result<Found, SqlError> {
        if analyze && subject.change.is_some() && !subject.single && subject.query.is_some() {
            return Err(SqlError::not_supported("EXPLAIN ANALYZE of a statement that changes rows"));
        }
        let Some(query) = &subject.query else { return Ok(Found { plan: None, meaning: None }) };
        self.within(|scope| {
            let given = if params.is_empty() { None } else { Some(params) };
            let mut plan = {
                let mut bind = BindContext { tables: &mut scope.tables, session: scope.state };
                plan::prepare_select(query, sql, given, &mut bind)?
            };
            plan::estimate::annotate(&mut plan, scope.state);
            let meaning = if subject.change.is_none() { meaning(query, sql, scope) } else { None };
            if !analyze || subject.change.is_some() {
                return Ok(Left::Untouched(Found { plan: Some(plan), meaning }));
            }
            let counted = counted::instrumented(&plan);
            let found_rows = scope.state.found_rows;
            let (mut context, _) = scope.exec(params);
            exec::run(&counted, &mut context, &mut |_| Ok(()))?;
            scope.state.found_rows = found_rows;
            Ok(Left::Used(Found { plan: Some(counted), meaning }))
        })
    }

    fn told(&self, subject: &Subject, found: &Found, format: Format, analyzed: bool) -> Listing {
        let change = subject.change.as_ref();
        let empty = || blocks::Block { id: 1, select_type: "SIMPLE", ..blocks::Block::default() };
        let block = || found.plan.as_ref().map_or_else(empty, |plan| blocks::blocks(plan, change));
        let text = match format {
            Format::Traditional => {
                let mut listing = Listing::new(&COLUMNS);
                for mut row in traditional::rows(&block(), change) {
                    if let Some(filtered) = row.get_mut(10)
                        && let Value::Double(percent) = filtered
                    {
                        let hundredths = (*percent * 100.0).round() as i128;
                        *filtered = Decimal::new(hundredths, 2).map_or(Value::Null, Value::Decimal);
                    }
                    listing.push(row);
                }
                return listing;
            }
            Format::Tree if subject.single => "-> <not executable by iterator executor>\n".to_owned(),
            Format::Tree => steps::tree(&self.steps(subject, found), analyzed),
            Format::Json { version: 2 } => {
                let steps = self.steps(subject, found);
                json::of_steps(&steps, found.meaning.as_deref(), subject.word, analyzed).text()
            }
            Format::Json { .. } => json::of_blocks(&block(), change).text(),
        };
        let mut listing = Listing::new(&[("EXPLAIN", Cell::Text(16_777_215))]);
        listing.push(vec![Value::Text(text)]);
        listing
    }

    fn steps(&self, subject: &Subject, found: &Found) -> Vec<steps::Step> {
        match &found.plan {
            Some(plan) => steps::steps(plan, subject.change.as_ref()),
            None => steps::of_values(subject.change.as_ref()),
        }
    }
}

/// A query as it was understood; None if it cannot be told.
fn meaning(query: &Query, sql: &str, scope: &mut Scope<'_>) -> Option<String> {
    let mut query = query.clone();
    let mut bind = BindContext { tables: &mut scope.tables, session: scope.state };
    let mut planning = Planning::new(&mut bind, sql, Some(&[]));
    qualify::qualify(&mut query, &mut planning).ok()?;
    Some(format!("/* select#1 */ {}", print::query_text(&query, None).ok()?))
}

fn subject_of(statement: &Statement) -> Result<Subject, SqlError> {
    Ok(match statement {
        Statement::Query(query) => {
            let mut query = query.as_ref().clone();
            query.into = None;
            if let QueryBody::Select(select) = &mut query.body {
                select.into = None;
            }
            Subject { query: Some(query), change: None, word: "select", single: false }
        }
        Statement::Insert(insert) => of_insert(insert),
        Statement::Update(update) => of_update(update),
        Statement::Delete(delete) => of_delete(delete),
        _ => return Err(SqlError::not_supported("EXPLAIN of this statement")),
    })
}

fn of_insert(insert: &Insert) -> Subject {
    let (word, lower) = if insert.replace { ("REPLACE", "replace") } else { ("INSERT", "insert") };
    let query = match &insert.source {
        InsertSource::Query(query) => Some(query.as_ref().clone()),
        InsertSource::Values(_) => None,
    };
    let change = Change { word, table: insert.table.name.as_str().to_owned(), from_query: true };
    Subject { query, change: Some(change), word: lower, single: false }
}

fn of_update(update: &Update) -> Subject {
    let single = matches!(update.tables.as_slice(), [TableReference::Table(_)]);
    let table = update.tables.first().map_or_else(String::new, first_name);
    let query = finds(
        update.with.clone(),
        update.tables.clone(),
        update.filter.clone(),
        &update.order_by,
        update.limit.clone(),
    );
    let change = Change { word: "UPDATE", table, from_query: false };
    Subject { query: Some(query), change: Some(change), word: "update", single }
}

fn of_delete(delete: &Delete) -> Subject {
    let (from, table, single) = match &delete.target {
        DeleteTarget::Single(source) => {
            let from = vec![TableReference::Table(source.clone())];
            let name = from.first().map_or_else(String::new, first_name);
            (from, name, true)
        }
        DeleteTarget::Multiple { targets, from } => {
            let name = targets.first().map_or_else(String::new, |name| name.name.as_str().to_owned());
            (from.clone(), name, false)
        }
    };
    let query =
        finds(delete.with.clone(), from, delete.filter.clone(), &delete.order_by, delete.limit.clone());
    let change = Change { word: "DELETE", table, from_query: false };
    Subject { query: Some(query), change: Some(change), word: "delete", single }
}

/// The name of the first table of a FROM.
fn first_name(reference: &TableReference) -> String {
    match reference {
        TableReference::Table(source) => {
            source.alias.as_ref().unwrap_or(&source.name.name).as_str().to_owned()
        }
        TableReference::Derived(derived) => derived.alias.as_str().to_owned(),
        TableReference::Join(join) => first_name(&join.left),
        TableReference::List(list) => list.first().map_or_else(String::new, first_name),
        TableReference::JsonTable(_) => String::new(),
    }
}

/// The query that finds the rows of a change.
fn finds(
    with: Option<rustydb_sql_parser::ast::With>,
    from: Vec<TableReference>,
    filter: Option<Expr>,
    order_by: &[rustydb_sql_parser::ast::OrderItem],
    limit: Option<rustydb_sql_parser::ast::LimitValue>,
) -> Query {
    let all = SelectItem::Wildcard { table: None, span: Span::default() };
    let select = Select { items: vec![all], from, filter, ..Select::default() };
    Query {
        with,
        body: QueryBody::Select(Box::new(select)),
        order_by: order_by.to_vec(),
        limit: limit.map(|count| Limit { count, offset: None }),
        locking: Vec::new(),
        into: None,
        span: Span::default(),
    }
}
