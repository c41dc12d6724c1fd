//! SHOW and DESCRIBE: listings of what the catalog, the session and the server know.
//!
//! A listing is small and made as a whole: its columns, its rows, then LIKE (on the first column) or WHERE
//! (an expression over the listing's own columns, by the same evaluator as any other).

mod catalog;
pub(crate) mod create;
mod innodb_status;
pub(crate) mod quote;
mod server;
mod status;

use rustydb_sql_parser::ast::{Describe, Expr, Show, ShowCreateKind, ShowFilter, VariableScope};
use rustydb_value::{Collation, Value};

use crate::api::{ColumnMeta, FieldType, column_flags};
use crate::context::{BindContext, EvalContext};
use crate::error::SqlError;
use crate::expr::like::Pattern;
use crate::expr::planning::Planning;
use crate::expr::scope::derived_table;
use crate::expr::types::Coercibility;
use crate::expr::vector::Builder;
use crate::expr::{self, ExprType, Scope, Vector};
use crate::session::Session;
use crate::session::tables::Tables;

/// A column of a listing.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cell {
    /// Text of at most so many characters
    Text(u32),
    /// A number without a sign
    Number,
    /// A moment
    Moment,
    /// A number with two digits behind the point
    Percent,
}

/// The answer of a SHOW.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listing {
    pub(crate) columns: Vec<ColumnMeta>,
    types: Vec<ExprType>,
    pub(crate) rows: Vec<Vec<Value>>,
}

impl Listing {
    /// A listing of these columns, without rows yet.
    pub(crate) fn new(columns: &[(&str, Cell)]) -> Listing {
        let mut listing = Listing::default();
        for (name, cell) in columns {
            let ty = match cell {
                Cell::Text(length) => {
                    ExprType::text(*length, Collation::UTF8MB4_0900_AI_CI, Coercibility::Implicit)
                }
                Cell::Number => ExprType::uint(20),
                Cell::Moment => ExprType::datetime(0),
                Cell::Percent => ExprType::decimal(5, 2, false),
            };
            listing.columns.push(meta(name, *cell));
            listing.types.push(ty);
        }
        listing
    }

    /// Adds a row; there is a value for each column.
    pub(crate) fn push(&mut self, row: Vec<Value>) {
        self.rows.push(row);
    }

    /// Keeps the rows that LIKE or WHERE lets through.
    fn filtered(
        mut self,
        filter: Option<&ShowFilter>,
        session: &mut Session,
        sql: &str,
    ) -> Result<Listing, SqlError> {
        match filter {
            None => {}
            Some(ShowFilter::Like(pattern)) => {
                let pattern = String::from_utf8_lossy(&pattern.value).into_owned();
                let pattern = Pattern::new(&pattern, Some('\\'), Collation::UTF8MB4_0900_AI_CI);
                self.rows.retain(|row| match row.first() {
                    Some(Value::Text(text)) => pattern.matches(text),
                    _ => false,
                });
            }
            Some(ShowFilter::Where(condition)) => self.keep_where(condition, session, sql)?,
        }
        Ok(self)
    }

    fn keep_where(&mut self, condition: &Expr, session: &mut Session, sql: &str) -> Result<(), SqlError> {
        let mut scope = Scope::empty();
        scope.add(derived_table("", &self.columns, &self.types, &[]));
        let types = &self.types;
        let rows = std::mem::take(&mut self.rows);
        self.rows = session.with_tables(|tables: &mut Tables<'_>, state, cancel| {
            let bound = {
                let mut bind = BindContext { tables, session: state };
                let mut planning = Planning::new(&mut bind, sql, Some(&[]));
                expr::bind(condition, &scope, &mut planning)?
            };
            let bound = expr::coerce::to_truth(bound);
            let mut kept = Vec::new();
            for row in rows {
                let vectors: Vec<Vector> = types
                    .iter()
                    .zip(&row)
                    .map(|(ty, value)| {
                        let mut builder = Builder::of(ty, 1);
                        builder.push(value.as_ref());
                        builder.finish()
                    })
                    .collect();
                let mut context =
                    EvalContext { params: &[], session: &mut *state, cancel, row: 0, store: None };
                let truth = expr::evaluate_row(&bound, &vectors, &mut context)?;
                if matches!(truth, Value::Int(n) if n != 0) || matches!(truth, Value::UInt(n) if n != 0) {
                    kept.push(row);
                }
            }
            Ok(kept)
        })?;
        Ok(())
    }
}

fn meta(name: &str, cell: Cell) -> ColumnMeta {
    match cell {
        Cell::Text(length) => ColumnMeta::expression(
            name,
            if length > 16_383 { FieldType::Blob } else { FieldType::VarString },
            Collation::UTF8MB4_0900_AI_CI.id(),
            length.saturating_mul(4),
        ),
        Cell::Number => {
            let mut meta = ColumnMeta::expression(name, FieldType::LongLong, Collation::BINARY.id(), 21);
            meta.flags = column_flags::UNSIGNED | column_flags::NUM | column_flags::BINARY;
            meta
        }
        Cell::Moment => {
            let mut meta = ColumnMeta::expression(name, FieldType::DateTime, Collation::BINARY.id(), 19);
            meta.flags = column_flags::BINARY;
            meta
        }
        Cell::Percent => ExprType::decimal(5, 2, false).meta(name),
    }
}

/// A row of a name and a text.
fn text_row(name: &str, value: String) -> Vec<Value> {
    vec![Value::Text(name.to_owned()), Value::Text(value)]
}

/// Runs a SHOW.
pub(crate) fn show(what: &Show, session: &mut Session, sql: &str) -> Result<Listing, SqlError> {
    let listing = match what {
        Show::Databases(filter) => {
            let pattern = match filter {
                Some(ShowFilter::Like(text)) => Some(String::from_utf8_lossy(&text.value).into_owned()),
                _ => None,
            };
            catalog::databases(session, pattern.as_deref()).filtered(filter.as_ref(), session, sql)?
        }
        Show::Tables { extended: _, full, database, filter } => {
            let database = catalog::wanted_database(database.as_ref(), session)?;
            let pattern = match filter {
                Some(ShowFilter::Like(text)) => Some(String::from_utf8_lossy(&text.value).into_owned()),
                _ => None,
            };
            catalog::tables(session, &database, *full, pattern.as_deref()).filtered(
                filter.as_ref(),
                session,
                sql,
            )?
        }
        Show::TableStatus { database, filter } => {
            let database = catalog::wanted_database(database.as_ref(), session)?;
            catalog::table_status(session, &database)?.filtered(filter.as_ref(), session, sql)?
        }
        Show::OpenTables { filter, .. } => {
            Listing::new(&OPEN_TABLES).filtered(filter.as_ref(), session, sql)?
        }
        Show::Columns { extended, full, table, filter } => {
            if *extended {
                return Err(SqlError::not_supported("SHOW EXTENDED COLUMNS"));
            }
            catalog::columns(session, table, *full)?.filtered(filter.as_ref(), session, sql)?
        }
        Show::Index { extended, table, filter } => {
            if *extended {
                return Err(SqlError::not_supported("SHOW EXTENDED INDEX"));
            }
            let filter = filter.as_ref().map(|f| ShowFilter::Where(f.clone()));
            catalog::indexes(session, table)?.filtered(filter.as_ref(), session, sql)?
        }
        Show::CreateDatabase { if_not_exists, name } => {
            catalog::create_database(session, name.as_str(), *if_not_exists)?
        }
        Show::Create { kind: ShowCreateKind::Table, name } => catalog::create_table(session, name)?,
        Show::Create { kind: ShowCreateKind::View, name } => match catalog::create_view(session, name)? {
            Some(listing) => listing,
            None => return Err(catalog::no_such_object(ShowCreateKind::View, name, session)),
        },
        Show::Create { kind, name } => return Err(catalog::no_such_object(*kind, name, session)),
        Show::Variables { scope, filter } => {
            server::variables(session, *scope).filtered(filter.as_ref(), session, sql)?
        }
        Show::Status { scope, filter } => {
            let global = *scope == Some(VariableScope::Global);
            status::status(session, global).filtered(filter.as_ref(), session, sql)?
        }
        Show::Warnings(limit) => server::conditions(session, limit.as_ref(), false),
        Show::Errors(limit) => server::conditions(session, limit.as_ref(), true),
        Show::WarningCount => server::count("@@session.warning_count", session.state().warnings.total()),
        Show::ErrorCount => server::count("@@session.error_count", session.state().warnings.errors()),
        Show::CharacterSets(filter) => server::character_sets().filtered(filter.as_ref(), session, sql)?,
        Show::Collations(filter) => server::collations().filtered(filter.as_ref(), session, sql)?,
        Show::Engines => server::engines(),
        Show::Plugins => server::plugins(),
        Show::Privileges => server::privileges(),
        Show::ProcessList { full } => server::process_list(session, *full),
        Show::Grants { user, using } => {
            if !using.is_empty() {
                return Err(SqlError::not_supported("roles"));
            }
            server::grants(session, user.as_ref())?
        }
        Show::Triggers { filter, .. } => Listing::new(&TRIGGERS).filtered(filter.as_ref(), session, sql)?,
        Show::Events { filter, .. } => Listing::new(&EVENTS).filtered(filter.as_ref(), session, sql)?,
        Show::ProcedureStatus(filter) | Show::FunctionStatus(filter) => {
            Listing::new(&ROUTINES).filtered(filter.as_ref(), session, sql)?
        }
        // What a server without a binary log says.
        Show::BinaryLogStatus => Listing::new(&BINARY_LOG_STATUS),
        Show::BinaryLogs | Show::LogEvents { .. } => {
            return Err(SqlError::no_binary_log());
        }
        Show::Replicas => Listing::new(&REPLICAS),
        Show::ReplicaStatus { .. } => return Err(SqlError::not_supported("SHOW REPLICA STATUS")),
        Show::CreateUser(_) => return Err(SqlError::not_supported("SHOW CREATE USER")),
        Show::Engine { name, what } => innodb_status::engine(session, name.as_ref(), *what)?,
        Show::ProcedureCode(_) | Show::FunctionCode(_) => {
            return Err(SqlError::not_supported("SHOW PROCEDURE CODE"));
        }
        Show::Profiles | Show::Profile { .. } => return Err(SqlError::not_supported("SHOW PROFILE")),
    };
    Ok(listing)
}

/// DESCRIBE of a table, a column, or the columns of a pattern.
pub(crate) fn describe(what: &Describe, session: &mut Session, sql: &str) -> Result<Listing, SqlError> {
    let filter = what.column.clone().map(ShowFilter::Like);
    catalog::columns(session, &what.table, false)?.filtered(filter.as_ref(), session, sql)
}

/// The columns of a SHOW, for who prepares one.
pub(crate) fn columns(what: &Show) -> Vec<ColumnMeta> {
    let listing = match what {
        Show::Databases(_) => Listing::new(&[("Database", Cell::Text(64))]),
        Show::TableStatus { .. } => Listing::new(&catalog::TABLE_STATUS),
        Show::Columns { full: true, .. } => Listing::new(&catalog::FULL_COLUMNS),
        Show::Columns { .. } => Listing::new(&catalog::COLUMNS),
        Show::Index { .. } => Listing::new(&catalog::INDEXES),
        Show::Variables { .. } | Show::Status { .. } => Listing::new(&server::VARIABLES),
        Show::Create { kind: ShowCreateKind::View, .. } => Listing::new(&catalog::CREATE_VIEW),
        Show::Create { .. } => Listing::new(&catalog::CREATE_TABLE),
        Show::CreateDatabase { .. } => Listing::new(&catalog::CREATE_DATABASE),
        Show::ProcessList { .. } => Listing::new(&server::PROCESS_LIST),
        // Others are described when they run: their columns depend on the session.
        _ => Listing::default(),
    };
    listing.columns
}

/// The columns of a DESCRIBE.
pub(crate) fn describe_columns() -> Vec<ColumnMeta> {
    Listing::new(&catalog::COLUMNS).columns
}

const OPEN_TABLES: [(&str, Cell); 4] = [
    ("Database", Cell::Text(64)),
    ("Table", Cell::Text(64)),
    ("In_use", Cell::Number),
    ("Name_locked", Cell::Number),
];

const TRIGGERS: [(&str, Cell); 11] = [
    ("Trigger", Cell::Text(64)),
    ("Event", Cell::Text(6)),
    ("Table", Cell::Text(64)),
    ("Statement", Cell::Text(65_535)),
    ("Timing", Cell::Text(6)),
    ("Created", Cell::Moment),
    ("sql_mode", Cell::Text(520)),
    ("Definer", Cell::Text(288)),
    ("character_set_client", Cell::Text(64)),
    ("collation_connection", Cell::Text(64)),
    ("Database Collation", Cell::Text(64)),
];

const EVENTS: [(&str, Cell); 15] = [
    ("Db", Cell::Text(64)),
    ("Name", Cell::Text(64)),
    ("Definer", Cell::Text(288)),
    ("Time zone", Cell::Text(64)),
    ("Type", Cell::Text(9)),
    ("Execute at", Cell::Moment),
    ("Interval value", Cell::Text(256)),
    ("Interval field", Cell::Text(18)),
    ("Starts", Cell::Moment),
    ("Ends", Cell::Moment),
    ("Status", Cell::Text(21)),
    ("Originator", Cell::Number),
    ("character_set_client", Cell::Text(64)),
    ("collation_connection", Cell::Text(64)),
    ("Database Collation", Cell::Text(64)),
];

const ROUTINES: [(&str, Cell); 12] = [
    ("Db", Cell::Text(64)),
    ("Name", Cell::Text(64)),
    ("Type", Cell::Text(9)),
    ("Language", Cell::Text(64)),
    ("Definer", Cell::Text(288)),
    ("Modified", Cell::Moment),
    ("Created", Cell::Moment),
    ("Security_type", Cell::Text(7)),
    ("Comment", Cell::Text(65_535)),
    ("character_set_client", Cell::Text(64)),
    ("collation_connection", Cell::Text(64)),
    ("Database Collation", Cell::Text(64)),
];

const BINARY_LOG_STATUS: [(&str, Cell); 5] = [
    ("File", Cell::Text(255)),
    ("Position", Cell::Number),
    ("Binlog_Do_DB", Cell::Text(255)),
    ("Binlog_Ignore_DB", Cell::Text(255)),
    ("Executed_Gtid_Set", Cell::Text(255)),
];

const REPLICAS: [(&str, Cell); 5] = [
    ("Server_Id", Cell::Number),
    ("Host", Cell::Text(60)),
    ("Port", Cell::Number),
    ("Source_Id", Cell::Number),
    ("Replica_UUID", Cell::Text(36)),
];
