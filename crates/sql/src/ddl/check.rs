//! CHECK constraints in CREATE and ALTER TABLE: names given, expressions checked.
//!
//! Names are one name space per database, without regard to case; one that is not written is
//! `<table>_chk_<n>`, with the next free n.

use rustydb_catalog::definitions::same_name;
use rustydb_catalog::{CheckDef, ForeignKeyDef, NewColumn, ReferenceAction, TableDef};
use rustydb_sql_parser::ast::CheckConstraint;

use super::expression::{self, Place};
use super::names;
use crate::canonical::{self, walk};
use crate::error::SqlError;
use crate::session::SessionState;

/// A CHECK on its way into a table, and the column that it was written at.
pub(crate) struct NewCheck<'a> {
    pub(crate) constraint: &'a CheckConstraint,
    pub(crate) column: Option<&'a str>,
}

/// Appends new constraints to those that a table has. `others` are the other tables of the database.
pub(crate) fn add(
    new: &[NewCheck<'_>],
    table: &str,
    columns: &[NewColumn],
    checks: &mut Vec<CheckDef>,
    others: &[std::sync::Arc<TableDef>],
    session: &SessionState,
) -> Result<(), SqlError> {
    let mut number = last_number(checks.iter().map(|c| c.name.as_str()), table, "_chk_");
    for check in new {
        let written = check.constraint.constraint.as_ref().and_then(Option::as_ref);
        let name = match written {
            Some(name) => {
                names::check_constraint(name.as_str())?;
                name.as_str().to_owned()
            }
            None => {
                number += 1;
                format!("{table}_chk_{number}")
            }
        };
        let taken = checks.iter().chain(others.iter().flat_map(|t| &t.checks));
        if taken.into_iter().any(|c| same_name(&c.name, &name)) {
            return Err(SqlError::duplicate_check(&name));
        }
        let place = Place::Check(&name, check.column);
        let expression = expression::text(&check.constraint.expr, place, columns, session)?;
        checks.push(CheckDef { name, expression, enforced: check.constraint.enforced });
    }
    Ok(())
}

/// The largest number behind made-up names of a table: `t_chk_3` counts, `other_chk_7` does not.
pub(crate) fn last_number<'n>(list: impl Iterator<Item = &'n str>, table: &str, middle: &str) -> u32 {
    let prefix = format!("{table}{middle}").to_lowercase();
    let number = |name: &str| name.to_lowercase().strip_prefix(&prefix).and_then(|n| n.parse::<u32>().ok());
    list.filter_map(number).max().unwrap_or(0)
}

/// The names of the columns that a kept expression uses.
pub(crate) fn uses(expression: &str, column: &str) -> Result<bool, SqlError> {
    let expr = canonical::read(expression)?;
    Ok(walk::columns(&expr).iter().any(|name| same_name(name.name.as_str(), column)))
}

/// Refuses a CHECK on a column that a foreign key changes by itself (3823).
pub(crate) fn check_against_actions(
    checks: &[CheckDef],
    foreign_keys: &[ForeignKeyDef],
    columns: &[NewColumn],
) -> Result<(), SqlError> {
    for key in foreign_keys {
        // ON DELETE CASCADE removes the row: there is nothing left to be checked.
        let changes = key.on_delete == ReferenceAction::SetNull
            || matches!(key.on_update, ReferenceAction::SetNull | ReferenceAction::Cascade);
        if !changes {
            continue;
        }
        for name in key.columns.iter().filter_map(|at| columns.get(*at)).map(|c| c.name.as_str()) {
            for check in checks {
                if uses(&check.expression, name)? {
                    return Err(SqlError::check_in_foreign_key(name, &check.name, &key.name));
                }
            }
        }
    }
    Ok(())
}
