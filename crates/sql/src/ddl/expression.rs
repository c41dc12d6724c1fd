//! Expressions in definitions: generated columns, defaults, CHECK constraints and index parts.
//!
//! An expression comes in as it was written, is checked for what MySQL allows of it in its place, is bound to the
//! columns of the table so that a function or a type that this server does not have is refused now and not with
//! the first row, and is kept as canonical text ([`crate::canonical`]).

use rustydb_catalog::definitions::same_name;
use rustydb_catalog::{ColumnDef, ColumnDefault, IndexDef, NewColumn, RowLayout, TableDef, TableOptions};
use rustydb_sql_parser::ast::{Expr, ExprKind};
use rustydb_storage::TreeId;
use rustydb_value::{Collation, Value};

use crate::canonical::{self, BareNames, Introducers, function, walk};
use crate::context::{BindContext, TableLookup, TableRef, TableUse};
use crate::error::SqlError;
use crate::expr::planning::Planning;
use crate::expr::{self, BoundExpr, Scope};
use crate::session::SessionState;

/// What an expression is for; decides what it may hold and how errors name it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'a> {
    /// The value of this generated column, at this position.
    Generated(&'a str, usize),
    /// The default of this column, at this position.
    Default(&'a str, usize),
    /// This CHECK constraint; one that was written at a column may name only that.
    Check(&'a str, Option<&'a str>),
}

/// Functions whose value depends on more than their arguments, or that act.
const CHANGING: &[&str] = &[
    "benchmark",
    "connection_id",
    "curdate",
    "current_role",
    "current_user",
    "curtime",
    "database",
    "found_rows",
    "get_lock",
    "is_free_lock",
    "is_used_lock",
    "last_insert_id",
    "load_file",
    "name_const",
    "now",
    "rand",
    "random_bytes",
    "release_all_locks",
    "release_lock",
    "row_count",
    "sleep",
    "sysdate",
    "unix_timestamp",
    "user",
    "utc_date",
    "utc_time",
    "utc_timestamp",
    "uuid",
    "uuid_short",
    "version",
    "wait_for_executed_gtid_set",
];

/// Those of them that a default may use.
const ALLOWED_IN_DEFAULTS: &[&str] = &[
    "connection_id",
    "curdate",
    "current_role",
    "current_user",
    "curtime",
    "database",
    "now",
    "rand",
    "random_bytes",
    "sysdate",
    "unix_timestamp",
    "user",
    "utc_date",
    "utc_time",
    "utc_timestamp",
    "uuid",
    "uuid_short",
    "version",
];

/// Checks an expression of a table with these columns and gives its canonical text.
pub(crate) fn text(
    expr: &Expr,
    place: Place<'_>,
    columns: &[NewColumn],
    session: &SessionState,
) -> Result<String, SqlError> {
    let mut refused = Ok(());
    walk::all(expr, &mut |part| {
        if refused.is_ok() {
            refused = check_part(part, place);
        }
    });
    refused?;
    for name in walk::columns(expr) {
        check_column(name.name.as_str(), place, columns)?;
    }
    if let Place::Check(name, _) = place
        && !canonical::is_condition(expr)
    {
        return Err(SqlError::check_not_boolean(name));
    }
    bind(expr, &shell("", "", columns), session)?;
    let charset = session.settings.collation_connection.charset().name();
    canonical::expression(expr, Introducers::Always(charset), &mut BareNames)
}

/// Refuses a part of an expression for what it is.
fn check_part(part: &Expr, place: Place<'_>) -> Result<(), SqlError> {
    let name = match &part.kind {
        ExprKind::UserVariable(_) | ExprKind::SystemVariable(_) | ExprKind::Assign { .. } => {
            return Err(match place {
                Place::Check(name, _) => SqlError::check_variable(name),
                Place::Generated(name, _) | Place::Default(name, _) => SqlError::default_variable(name),
            });
        }
        ExprKind::Subquery(_)
        | ExprKind::Exists(_)
        | ExprKind::InSubquery { .. }
        | ExprKind::Quantified(_) => {
            return Err(match place {
                Place::Check(name, _) => SqlError::check_disallowed(name),
                Place::Generated(name, _) => SqlError::generated_disallowed(name),
                Place::Default(name, _) => SqlError::default_disallowed(name),
            });
        }
        ExprKind::Aggregate(_) => return Err(SqlError::invalid_group_function()),
        ExprKind::InsertValue(_) => "values".to_owned(),
        ExprKind::Function(call) if call.database.is_none() => {
            let name = function::canonical_name(call.name.as_str());
            let changing = CHANGING.contains(&name.as_str());
            let allowed = matches!(place, Place::Default(..)) && ALLOWED_IN_DEFAULTS.contains(&name.as_str());
            if !changing || allowed {
                return Ok(());
            }
            name
        }
        ExprKind::Function(_) => return Err(SqlError::not_supported("stored functions")),
        _ => return Ok(()),
    };
    Err(match place {
        Place::Check(check, _) => SqlError::check_function(check, name),
        Place::Generated(column, _) => SqlError::generated_function(column, name),
        Place::Default(column, _) => SqlError::default_function(column, name),
    })
}

/// Refuses a column that may not be named here.
fn check_column(name: &str, place: Place<'_>, columns: &[NewColumn]) -> Result<(), SqlError> {
    let found = columns.iter().position(|c| !c.functional && same_name(&c.name, name));
    let missing = || match place {
        Place::Check(check, _) => SqlError::check_unknown_column(check, name),
        Place::Generated(..) => SqlError::unknown_column(name, "generated column function"),
        Place::Default(..) => SqlError::unknown_column(name, "default value expression"),
    };
    let at = found.ok_or_else(missing)?;
    let Some(column) = columns.get(at) else { return Ok(()) };
    if column.auto_increment {
        return Err(match place {
            Place::Check(check, _) => SqlError::check_auto_increment(check),
            Place::Generated(column, _) => SqlError::generated_auto_increment(column),
            Place::Default(column, _) => SqlError::default_auto_increment(column),
        });
    }
    match place {
        Place::Check(check, Some(own)) if !same_name(own, name) => Err(SqlError::check_other_column(check)),
        Place::Generated(_, own) if column.generated.is_some() && at >= own => {
            Err(SqlError::generated_order())
        }
        Place::Default(own_name, own) if at >= own => {
            let computed =
                column.generated.is_some() || matches!(column.default, Some(ColumnDefault::Expression(_)));
            if computed { Err(SqlError::default_order(own_name)) } else { Ok(()) }
        }
        _ => Ok(()),
    }
}

/// Binds an expression over the columns of a table.
pub(crate) fn bind(expr: &Expr, table: &TableDef, session: &SessionState) -> Result<BoundExpr, SqlError> {
    let scope = Scope::of_table(table, None);
    let mut tables = NoTables;
    let mut context = BindContext { tables: &mut tables, session };
    let mut planning = Planning::new(&mut context, "", Some(&[]));
    // Columns are named bare: what qualified them was this table.
    expr::bind(&unqualified(expr), &scope, &mut planning)
}

fn unqualified(expr: &Expr) -> Expr {
    let charset = Collation::default().charset().name();
    match canonical::expression(expr, Introducers::Always(charset), &mut BareNames) {
        Ok(text) => canonical::read(&text).unwrap_or_else(|_| expr.clone()),
        Err(_) => expr.clone(),
    }
}

/// An expression of a definition knows no tables.
struct NoTables;

impl TableLookup for NoTables {
    fn table(&mut self, database: &str, name: &str, _: TableUse) -> Result<TableRef, SqlError> {
        Err(SqlError::no_such_table(database, name))
    }
}

/// A table that has nothing but these columns, to bind expressions to.
pub(crate) fn shell(database: &str, name: &str, columns: &[NewColumn]) -> TableDef {
    let list: Vec<ColumnDef> = (1..)
        .zip(columns)
        .map(|(id, c)| ColumnDef {
            id,
            name: c.name.clone(),
            ty: c.ty.clone(),
            nullable: c.nullable,
            default: c.default.clone(),
            on_update_now: c.on_update_now,
            auto_increment: c.auto_increment,
            visible: c.visible,
            comment: String::new(),
            generated: c.generated.clone(),
            explicit_collation: c.explicit_collation,
            functional: c.functional,
            absent: Value::Null,
        })
        .collect();
    TableDef {
        id: 0,
        database: database.to_owned(),
        name: name.to_owned(),
        schema_version: 1,
        version: 0,
        layouts: vec![RowLayout { schema_version: 1, columns: list.iter().map(|c| c.id).collect() }],
        columns: list,
        primary: IndexDef {
            id: 0,
            name: rustydb_catalog::HIDDEN_PRIMARY.to_owned(),
            tree: TreeId(0),
            unique: true,
            columns: Vec::new(),
            visible: true,
            comment: String::new(),
            collation_versions: Vec::new(),
            made_for_foreign_key: false,
        },
        indexes: Vec::new(),
        recorded: Vec::new(),
        foreign_keys: Vec::new(),
        checks: Vec::new(),
        auto_increment: None,
        collation: Collation::default(),
        comment: String::new(),
        options: TableOptions::default(),
        created_micros: 0,
        histograms: Vec::new(),
    }
}
