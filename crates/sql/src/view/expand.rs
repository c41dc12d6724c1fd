//! A view in FROM: its query's plan under the view's names.
//!
//! A query without subqueries of its own becomes part of the plan around it: conditions of the outer query reach its
//! tables' indexes, joins are chosen over both (the rule `lift_projections` takes the seam out). Others run as a
//! derived table does.

use std::sync::Arc;

use rustydb_catalog::{ViewAlgorithm, ViewDef};
use rustydb_sql_parser::ast::{Ident, Locking, Query};

use super::read;
use crate::error::SqlError;
use crate::expr::bind::collation_named;
use crate::expr::planning::Planning;
use crate::expr::scope::{Scope, ScopeTable, derived_table};
use crate::plan::named_types::{columns_of, settle_nulls};
use crate::plan::{self, Plan, SelectPlan};
use crate::session::SessionState;

/// The plan of a view and its names.
pub(crate) fn plan_view(
    view: &Arc<ViewDef>,
    alias: Option<&str>,
    locking: Vec<Locking>,
    planning: &mut Planning<'_, '_>,
) -> Result<(Plan, Scope), SqlError> {
    let path = (view.database.clone(), view.name.clone());
    if planning.views.contains(&path) {
        return Err(SqlError::view_recursion(&view.database, &view.name));
    }
    let mut query = read(view)?;
    query.locking = locking;
    planning.views.push(path);
    // A view sees no query of WITH around it; all its names are qualified, so no column either.
    let named = std::mem::take(&mut planning.named);
    let planned = match session_of(view, planning.session()) {
        None => plan::plan_query(&query, planning),
        Some(session) => planning.with_session(&session, |planning| plan::plan_query(&query, planning)),
    };
    planning.named = named;
    planning.views.pop();
    let mut plan = planned.map_err(|error| invalid(view, error))?;
    settle_nulls(&query, &mut plan);
    let mut scope = Scope::empty();
    scope.add(names(view, &query, alias, &plan)?);
    let root = if view.algorithm == ViewAlgorithm::TempTable || !plan.subplans.is_empty() {
        Plan::Derived(Box::new(plan))
    } else {
        plan.root
    };
    Ok((root, scope))
}

/// The session that a view's query means something in where it is not the one that asks: literals have the collation of
/// the connection that made the view.
pub(super) fn session_of(view: &ViewDef, session: &SessionState) -> Option<SessionState> {
    let kept = collation_named(&view.collation_connection).ok()?;
    if kept == session.settings.collation_connection {
        return None;
    }
    let mut own = session.for_worker();
    own.settings.collation_connection = kept;
    Some(own)
}

fn names(
    view: &ViewDef,
    query: &Query,
    alias: Option<&str>,
    plan: &SelectPlan,
) -> Result<ScopeTable, SqlError> {
    let given: Vec<Ident> = view.columns.iter().map(|name| Ident::new(name.as_str())).collect();
    if !given.is_empty() && given.len() != plan.types().len() {
        return Err(SqlError::view_invalid(&view.database, &view.name));
    }
    let alias = alias.unwrap_or(&view.name);
    let (columns, types) = columns_of(query, plan);
    let mut table = derived_table(alias, &columns, &types, &given);
    table.database = view.database.as_str().into();
    for column in &mut table.columns {
        column.shown = format!("`{}`.`{alias}`.`{}`", view.database, column.name).into();
        column.meta.schema.clone_from(&view.database);
        column.meta.org_table.clone_from(&view.name);
        column.meta.org_name = column.name.to_string();
    }
    Ok(table)
}

/// What is wrong inside a view is told of the view as a whole.
pub(crate) fn invalid(view: &ViewDef, error: SqlError) -> SqlError {
    match error.code {
        1049 | 1054 | 1109 | 1143 | 1142 | 1146 | 1305 | 1356 | 1449 => {
            SqlError::view_invalid(&view.database, &view.name)
        }
        _ => error,
    }
}
