//! CREATE VIEW, ALTER VIEW and DROP VIEW.

use std::sync::Arc;

use rustydb_catalog::{SqlSecurity, ViewAlgorithm, ViewCheck, ViewDef};
use rustydb_sql_parser::ast::{
    AccountName, CheckOption, CreateView, DropView, ExprKind, Part, Query, QueryBody, Select,
    SqlSecurity as Security, ViewAlgorithm as Algorithm,
};
use rustydb_transaction::locks::{MdlKey, MdlMode};

use super::{Definition, names};
use crate::context::BindContext;
use crate::error::SqlError;
use crate::expr::planning::Planning;
use crate::plan;
use crate::session::tables::{Bounds, Tables};
use crate::view::{print, qualify};

/// The canonical query and its text.
struct Meaning {
    query: Query,
    text: String,
}

impl Definition<'_> {
    pub(super) fn create_view(&mut self, what: &CreateView, sql: &str) -> Result<u64, SqlError> {
        let (database, name) = {
            let (database, name) = names::resolve(&what.name, self.state)?;
            (database.to_owned(), name.to_owned())
        };
        self.check_changeable(&database)?;
        names::check_table(&name)?;
        check_query(&what.query)?;
        let locks = vec![
            (MdlKey::database(&database), MdlMode::IntentionExclusive),
            (MdlKey::table(&database, &name), MdlMode::Exclusive),
        ];
        self.lock(locks)?;
        let catalog = Arc::clone(self.database.catalog());
        if catalog.database(&database).is_none() {
            return Err(SqlError::unknown_database(&database));
        }
        let old = catalog.view(&database, &name);
        let table = catalog.table(&database, &name).is_some();
        if table && (what.alter || what.or_replace) {
            return Err(SqlError::wrong_object(&database, &name, "VIEW"));
        }
        if what.alter && old.is_none() {
            return Err(SqlError::no_such_table(&database, &name));
        }
        if table || (old.is_some() && !what.alter && !what.or_replace) {
            let exists = SqlError::table_exists(&name);
            if what.if_not_exists {
                self.state.note(&exists);
                return Ok(0);
            }
            return Err(exists);
        }
        let meaning = self.meaning(what, (&database, &name), sql)?;
        let updatable = crate::view::is_updatable(&meaning.query, &catalog);
        if what.check_option.is_some() && !updatable {
            return Err(SqlError::view_check_not_updatable(&database, &name));
        }
        let definer = self.definer(what, old.as_deref())?;
        let def = ViewDef {
            id: 0,
            version: 0,
            created_micros: 0,
            columns: what.columns.iter().map(|c| c.as_str().to_owned()).collect(),
            query: meaning.text,
            algorithm: self.algorithm(what, old.as_deref(), &meaning.query),
            definer,
            security: match (what.security, &old) {
                (Some(Security::Invoker), _) => SqlSecurity::Invoker,
                (None, Some(old)) if what.alter => old.security,
                _ => SqlSecurity::Definer,
            },
            check: what.check_option.map(|check| match check {
                CheckOption::Local => ViewCheck::Local,
                CheckOption::Cascaded => ViewCheck::Cascaded,
            }),
            updatable,
            character_set_client: self.state.settings.character_set_client.name().to_owned(),
            collation_connection: self.state.settings.collation_connection.name().to_owned(),
            database,
            name,
        };
        self.change(|this, txn, change| {
            *change = this.database.catalog().put_view(txn, def)?;
            Ok(())
        })?;
        Ok(0)
    }

    /// What the query means here and now: its canonical text, and the check that it can be planned.
    fn meaning(&mut self, what: &CreateView, own: (&str, &str), sql: &str) -> Result<Meaning, SqlError> {
        let bounds = Bounds::none();
        let mut tables = Tables::new(self.database, self.owner, self.wait.clone(), self.temporary, bounds);
        tables.hide(own.0, own.1);
        let mut query = what.query.clone();
        let mut bind = BindContext { tables: &mut tables, session: self.state };
        let mut planning = Planning::new(&mut bind, sql, Some(&[]));
        qualify::qualify(&mut query, &mut planning)?;
        let plan = plan::plan_query(&query, &mut planning)?;
        if tables.temporary_used {
            let name = self.temporary_in(&mut query);
            return Err(SqlError::view_temporary_table(name));
        }
        let mut columns: Vec<String> = plan.columns().iter().map(|c| c.name.clone()).collect();
        if !what.columns.is_empty() {
            if what.columns.len() != columns.len() {
                return Err(plan::column_names_differ());
            }
            columns = what.columns.iter().map(|c| c.as_str().to_owned()).collect();
        }
        for (at, column) in columns.iter().enumerate() {
            names::check_column(column)?;
            let again = columns.iter().take(at).any(|c| rustydb_catalog::definitions::same_name(c, column));
            if again {
                return Err(SqlError::duplicate_column(column));
            }
        }
        let text = print::query_text(&query, None)?;
        Ok(Meaning { query, text })
    }

    /// The first temporary table that a query names.
    fn temporary_in(&self, query: &mut Query) -> String {
        let mut found = String::new();
        print::each_table(query, &mut |name, _| {
            let database = name.database.as_ref().map_or("", |d| d.as_str());
            if found.is_empty() && self.temporary.find(database, name.name.as_str()).is_some() {
                found = name.name.as_str().to_owned();
            }
        });
        found
    }

    fn definer(&mut self, what: &CreateView, old: Option<&ViewDef>) -> Result<(String, String), SqlError> {
        let definer = match (&what.definer, old) {
            (Some(AccountName::Named { user, host }), _) => {
                (user.to_string(), host.as_deref().unwrap_or("%").to_owned())
            }
            (None, Some(old)) if what.alter => old.definer.clone(),
            _ => self.state.account.clone(),
        };
        if self.database.catalog().account(&definer.0, &definer.1).is_none() {
            self.state.note(&SqlError::no_such_definer(&definer.0, &definer.1));
        }
        Ok(definer)
    }

    fn algorithm(&mut self, what: &CreateView, old: Option<&ViewDef>, query: &Query) -> ViewAlgorithm {
        match (what.algorithm, old) {
            (Some(Algorithm::TempTable), _) => ViewAlgorithm::TempTable,
            (Some(Algorithm::Merge), _) if crate::view::is_mergeable(query) => ViewAlgorithm::Merge,
            (Some(Algorithm::Merge), _) => {
                self.state.warn(&SqlError::view_merge_impossible());
                ViewAlgorithm::Undefined
            }
            (None, Some(old)) if what.alter => old.algorithm,
            _ => ViewAlgorithm::Undefined,
        }
    }

    pub(super) fn drop_view(&mut self, what: &DropView) -> Result<u64, SqlError> {
        let mut wanted: Vec<(String, String)> = Vec::with_capacity(what.views.len());
        let mut locks = Vec::new();
        for name in &what.views {
            let (database, name) = {
                let (database, name) = names::resolve(name, self.state)?;
                (database.to_owned(), name.to_owned())
            };
            self.check_changeable(&database)?;
            if wanted.contains(&(database.clone(), name.clone())) {
                return Err(SqlError::table_not_unique(name));
            }
            locks.push((MdlKey::database(&database), MdlMode::IntentionExclusive));
            locks.push((MdlKey::table(&database, &name), MdlMode::Exclusive));
            wanted.push((database, name));
        }
        self.lock(locks)?;
        let catalog = Arc::clone(self.database.catalog());
        let mut missing: Vec<String> = Vec::new();
        let mut found = Vec::new();
        for (database, name) in &wanted {
            if catalog.view(database, name).is_some() {
                found.push((database.as_str(), name.as_str()));
            } else if catalog.table(database, name).is_some() {
                return Err(SqlError::wrong_object(database, name, "VIEW"));
            } else {
                missing.push(format!("{database}.{name}"));
            }
        }
        if !missing.is_empty() && !what.if_exists {
            return Err(SqlError::unknown_tables(missing.join(",")));
        }
        for name in missing {
            self.state.note(&SqlError::unknown_tables(name));
        }
        if found.is_empty() {
            return Ok(0);
        }
        self.change(|_, txn, change| {
            for (database, name) in found {
                change.join(catalog.drop_view(txn, database, name)?);
            }
            Ok(())
        })?;
        Ok(0)
    }
}

/// What may not stand in a view at all: INTO (1350), variables and parameters (1351).
fn check_query(query: &Query) -> Result<(), SqlError> {
    let mut into = query.into.is_some();
    query.body.clone().each_select(&mut |select| into |= select.into.is_some());
    if into {
        return Err(SqlError::view_select_clause("INTO"));
    }
    let mut found = false;
    in_query(&mut query.clone(), &mut found);
    if found { Err(SqlError::view_variable()) } else { Ok(()) }
}

fn in_query(query: &mut Query, found: &mut bool) {
    if let Some(with) = &mut query.with {
        with.tables.iter_mut().for_each(|t| in_query(&mut t.query, found));
    }
    in_body(&mut query.body, found);
    query.order_by.iter_mut().for_each(|item| in_part(Part::Expr(&mut item.expr), found));
}

fn in_body(body: &mut QueryBody, found: &mut bool) {
    match body {
        QueryBody::Select(select) => in_select(select, found),
        QueryBody::SetOperation(operation) => {
            in_body(&mut operation.first, found);
            operation.rest.iter_mut().for_each(|o| in_body(&mut o.body, found));
        }
        QueryBody::Nested(query) => in_query(query, found),
        QueryBody::Values(rows) => rows.iter_mut().flatten().for_each(|e| in_part(Part::Expr(e), found)),
        QueryBody::Table(_) => {}
    }
}

fn in_select(select: &mut Select, found: &mut bool) {
    for reference in &mut select.from {
        reference.each_leaf(&mut |leaf| {
            if let rustydb_sql_parser::ast::TableReference::Derived(derived) = leaf {
                in_query(&mut derived.query, found);
            }
        });
        reference.each_condition(&mut |on| in_part(Part::Expr(on), found));
    }
    select.each_part(&mut |part| in_part(part, found));
}

fn in_part(part: Part<'_>, found: &mut bool) {
    match part {
        Part::Expr(expr) => {
            *found |= matches!(
                expr.kind,
                ExprKind::UserVariable(_)
                    | ExprKind::SystemVariable(_)
                    | ExprKind::Assign { .. }
                    | ExprKind::Parameter(_)
            );
            expr.each_part(&mut |part| in_part(part, found));
        }
        Part::Query(query) => in_query(query, found),
        Part::Column(_) => {}
    }
}
