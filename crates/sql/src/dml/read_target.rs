//! Error 1093: a subquery of a change may not read the table that changes.
//!
//! The rule is MySQL's own: a table directly in the FROM of a subquery counts, however deep the subquery lies; one
//! inside a derived table or a query of WITH does not, because its rows are collected first. In the values of an INSERT
//! it may be read under another name, and then has the rows inserted before.

use rustydb_sql_parser::ast::{Expr, Ident, ObjectName, Part, Query, Select, TableReference, With};

use super::joined::Target;
use crate::error::SqlError;
use crate::session::SessionState;

/// Calls its argument with every expression of a statement.
pub(super) type EachExpr<'e> = &'e mut dyn FnMut(&mut dyn FnMut(&Expr));

/// Checks the subqueries of all expressions that `each` hands over.
pub(super) fn check_subqueries(
    targets: &[Target],
    with: Option<&With>,
    each: EachExpr<'_>,
    session: &SessionState,
) -> Result<(), SqlError> {
    let named = with.map(names_of).unwrap_or_default();
    let mut check = Check { targets, session, by_alias: false, found: None };
    each(&mut |expr| check.expression(&mut expr.clone(), &named));
    check.result()
}

/// Checks the subqueries of a value that is inserted.
pub(super) fn check_inserted(target: &Target, value: &Expr, session: &SessionState) -> Result<(), SqlError> {
    let mut check = Check { targets: std::slice::from_ref(target), session, by_alias: true, found: None };
    check.expression(&mut value.clone(), &[]);
    check.result()
}

fn names_of(with: &With) -> Vec<String> {
    with.tables.iter().map(|t| t.name.as_str().to_owned()).collect()
}

struct Check<'a> {
    targets: &'a [Target],
    session: &'a SessionState,
    /// Whether only a table of the target's alias counts
    by_alias: bool,
    found: Option<String>,
}

impl Check<'_> {
    fn result(self) -> Result<(), SqlError> {
        match self.found {
            Some(name) => Err(SqlError::update_table_used(name)),
            None => Ok(()),
        }
    }

    fn expression(&mut self, expr: &mut Expr, named: &[String]) {
        expr.each_part(&mut |part| match part {
            Part::Expr(inner) => self.expression(inner, named),
            Part::Query(query) => self.query(query, named),
            Part::Column(_) => {}
        });
    }

    fn query(&mut self, query: &mut Query, named: &[String]) {
        let mut named = named.to_vec();
        if let Some(with) = &query.with {
            named.extend(names_of(with));
        }
        query.body.each_select(&mut |select| self.select(select, &named));
        for item in &mut query.order_by {
            self.expression(&mut item.expr, &named);
        }
    }

    fn select(&mut self, select: &mut Select, named: &[String]) {
        for reference in &mut select.from {
            reference.each_leaf(&mut |leaf| {
                let TableReference::Table(source) = leaf else { return };
                let name = source.name.name.as_str();
                let database = source.name.database.as_ref().map(Ident::as_str);
                if database.is_none() && named.iter().any(|n| n == name) {
                    return;
                }
                let database = database.or(self.session.database.as_deref());
                let alias = source.alias.as_ref().map_or(name, Ident::as_str);
                let hit = self.targets.iter().find(|t| {
                    t.def.name == name
                        && Some(t.def.database.as_str()) == database
                        && (!self.by_alias || t.alias == alias)
                });
                if let Some(target) = hit {
                    self.found.get_or_insert_with(|| target.alias.clone());
                }
            });
            reference.each_condition(&mut |condition| self.expression(condition, named));
        }
        select.each_part(&mut |part| {
            if let Part::Expr(expr) = part {
                self.expression(expr, named);
            }
        });
    }
}

/// Whether the subqueries of an expression might read a table that changes: one that has its name stands somewhere in them,
/// or a view, in which it may stand.
pub(super) fn may_read(
    targets: &[Target],
    expr: &Expr,
    is_view: &mut dyn FnMut(&ObjectName) -> bool,
) -> bool {
    let mut search = Search { targets, is_view, found: false };
    search.expression(&mut expr.clone());
    search.found
}

struct Search<'a> {
    targets: &'a [Target],
    is_view: &'a mut dyn FnMut(&ObjectName) -> bool,
    found: bool,
}

impl Search<'_> {
    fn expression(&mut self, expr: &mut Expr) {
        expr.each_part(&mut |part| match part {
            Part::Expr(inner) => self.expression(inner),
            Part::Query(query) => self.query(query),
            Part::Column(_) => {}
        });
    }

    fn query(&mut self, query: &mut Query) {
        for table in query.with.iter_mut().flat_map(|with| &mut with.tables) {
            self.query(&mut table.query);
        }
        query.body.each_select(&mut |select| self.select(select));
        for item in &mut query.order_by {
            self.expression(&mut item.expr);
        }
    }

    fn select(&mut self, select: &mut Select) {
        for reference in &mut select.from {
            reference.each_leaf(&mut |leaf| match leaf {
                TableReference::Table(source) => {
                    let is_target = self.targets.iter().any(|t| t.def.name == source.name.name.as_str());
                    self.found |= is_target || (self.is_view)(&source.name);
                }
                TableReference::Derived(derived) => self.query(&mut derived.query),
                _ => self.found = true,
            });
            reference.each_condition(&mut |condition| self.expression(condition));
        }
        select.each_part(&mut |part| {
            if let Part::Expr(expr) = part {
                self.expression(expr);
            }
        });
    }
}
