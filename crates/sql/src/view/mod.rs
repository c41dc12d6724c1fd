//! Views: a query under a name, kept as text and read anew by every statement that uses it.
//!
//! ```text
//! CREATE VIEW --qualify--> every name with its table and database --print--> the text in the catalog
//! SELECT FROM v --expand--> the text's plan, joined into the plan around it (merge) or run first (materialise)
//! SHOW CREATE VIEW --print--> MySQL's text, without the database where it is the session's own
//! ```
//!
//! The text is MySQL's to the byte ([`crate::canonical`] has the expressions). A plan that uses a view records it
//! beside its tables, so that changing a view, or a table under it, makes the plan anew. A view whose text no longer
//! means anything is error 1356, whatever the cause.
//!
//! Limits: a view with subqueries outside of FROM is materialised; definer and invoker differ in nothing while every
//! account may do everything.

pub(crate) mod change;
pub(crate) mod columns;
pub(crate) mod expand;
pub(crate) mod print;
pub(crate) mod qualify;

use rustydb_catalog::{Catalog, ViewDef};
use rustydb_sql_parser::ParseOptions;
use rustydb_sql_parser::ast::{
    ExprKind, Ident, Query, QueryBody, Select, SelectItem, Statement, TableReference,
};

use crate::error::SqlError;

/// The query of a view.
pub(crate) fn read(view: &ViewDef) -> Result<Query, SqlError> {
    match rustydb_sql_parser::parse(&view.query, &ParseOptions::default()) {
        Ok(Statement::Query(query)) => Ok(*query),
        _ => Err(SqlError::view_invalid(&view.database, &view.name)),
    }
}

/// The SELECT of a query whose rows are rows of its tables, one for one: such a view can be merged.
fn plain_select(query: &Query) -> Option<&Select> {
    let QueryBody::Select(select) = &query.body else { return None };
    let plain = query.limit.is_none()
        && !select.options.distinct
        && select.group_by.is_none()
        && select.having.is_none()
        && !select.from.is_empty();
    let computed = |item: &SelectItem| match item {
        SelectItem::Expr { expr, .. } => expr.any(&mut |e| {
            matches!(
                e.kind,
                ExprKind::Aggregate(_)
                    | ExprKind::Window(_)
                    | ExprKind::Subquery(_)
                    | ExprKind::Exists(_)
                    | ExprKind::InSubquery { .. }
                    | ExprKind::Quantified(_)
            )
        }),
        SelectItem::Wildcard { .. } => false,
    };
    (plain && !select.items.iter().any(computed)).then_some(select)
}

/// Whether MySQL would take ALGORITHM=MERGE for this query.
pub(crate) fn is_mergeable(query: &Query) -> bool {
    plain_select(query).is_some()
}

/// Whether rows may be changed through a view of this query: what `information_schema.VIEWS` calls updatable.
pub(crate) fn is_updatable(query: &Query, catalog: &Catalog) -> bool {
    let Some(select) = plain_select(query) else { return false };
    let mut any = false;
    for reference in &select.from {
        reference.clone().each_leaf(&mut |leaf| {
            any |= match leaf {
                TableReference::Table(source) => {
                    let database = source.name.database.as_ref().map_or("", Ident::as_str);
                    catalog.view(database, source.name.name.as_str()).is_none_or(|view| view.updatable)
                }
                _ => true,
            };
        });
    }
    any
}

/// The text of SHOW CREATE VIEW in a session with this default database.
pub(crate) fn create_statement(view: &ViewDef, database: Option<&str>) -> Result<String, SqlError> {
    use rustydb_catalog::{SqlSecurity, ViewAlgorithm, ViewCheck};
    let mut query = read(view)?;
    let here = database == Some(view.database.as_str());
    let compact = here && print::is_all_in(&mut query, &view.database);
    let without = compact.then_some(view.database.as_str());
    let mut out = String::from("CREATE ALGORITHM=");
    out.push_str(match view.algorithm {
        ViewAlgorithm::Undefined => "UNDEFINED",
        ViewAlgorithm::Merge => "MERGE",
        ViewAlgorithm::TempTable => "TEMPTABLE",
    });
    out.push_str(" DEFINER=");
    crate::canonical::identifier(&view.definer.0, &mut out);
    out.push('@');
    crate::canonical::identifier(&view.definer.1, &mut out);
    out.push_str(match view.security {
        SqlSecurity::Definer => " SQL SECURITY DEFINER VIEW ",
        SqlSecurity::Invoker => " SQL SECURITY INVOKER VIEW ",
    });
    if !here {
        crate::canonical::identifier(&view.database, &mut out);
        out.push('.');
    }
    crate::canonical::identifier(&view.name, &mut out);
    for (at, column) in view.columns.iter().enumerate() {
        out.push_str(if at == 0 { " (" } else { "," });
        crate::canonical::identifier(column, &mut out);
    }
    if !view.columns.is_empty() {
        out.push(')');
    }
    out.push_str(" AS ");
    out.push_str(&print::query_text(&query, without)?);
    out.push_str(match view.check {
        None => "",
        Some(ViewCheck::Local) => " WITH LOCAL CHECK OPTION",
        Some(ViewCheck::Cascaded) => " WITH CASCADED CHECK OPTION",
    });
    Ok(out)
}
