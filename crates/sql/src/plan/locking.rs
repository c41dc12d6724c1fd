//! FOR UPDATE and FOR SHARE: which clause locks which table of a query block.
//!
//! A clause locks the tables of its own block: all of them, or those that OF names by the name or alias they go by
//! there. It does not reach into derived tables and subqueries, which have clauses of their own, but into a view,
//! whose tables stand for it. A table may be named by one clause only (3569), and OF only tables of the block (3568).
//!
//! Behind a set operation a clause belongs to the last operand; behind parentheses, to the query in them.

use rustydb_sql_parser::ast::{self, TableReference};

use super::RowLock;
use crate::error::SqlError;

/// A table of a block, by the name it goes by.
struct Named<'q> {
    database: Option<&'q str>,
    name: &'q str,
    is_derived: bool,
    locked: bool,
}

fn collect<'q>(references: &'q [TableReference], default: Option<&'q str>, out: &mut Vec<Named<'q>>) {
    for reference in references {
        match reference {
            TableReference::Table(source) => {
                let database = source.name.database.as_ref().map(ast::Ident::as_str).or(default);
                let name = source.alias.as_ref().unwrap_or(&source.name.name).as_str();
                out.push(Named { database, name, is_derived: false, locked: false });
            }
            TableReference::Derived(table) => {
                let name = table.alias.as_str();
                out.push(Named { database: None, name, is_derived: true, locked: false });
            }
            TableReference::JsonTable(_) => {}
            TableReference::Join(join) => {
                collect(std::slice::from_ref(&join.left), default, out);
                collect(std::slice::from_ref(&join.right), default, out);
            }
            TableReference::List(list) => collect(list, default, out),
        }
    }
}

/// Checks the clauses of a block against its tables.
pub(super) fn check(
    references: &[TableReference],
    clauses: &[ast::Locking],
    default: Option<&str>,
) -> Result<(), SqlError> {
    if clauses.is_empty() {
        return Ok(());
    }
    let mut tables = Vec::new();
    collect(references, default, &mut tables);
    for clause in clauses {
        if clause.tables.is_empty() {
            for table in tables.iter_mut().filter(|table| !table.is_derived) {
                if std::mem::replace(&mut table.locked, true) {
                    return Err(SqlError::locked_twice(table.name));
                }
            }
        }
        for named in &clause.tables {
            let database = named.database.as_ref().map(ast::Ident::as_str);
            let found = tables.iter_mut().find(|table| {
                table.name == named.name.as_str()
                    && database.is_none_or(|wanted| table.database == Some(wanted))
            });
            let Some(table) = found else {
                let path = match database {
                    Some(database) => format!("`{database}`.`{}`", named.name.as_str()),
                    None => format!("`{}`", named.name.as_str()),
                };
                return Err(SqlError::unresolved_locked_table(path));
            };
            // MySQL has a derived table locked by its own query already.
            if table.is_derived || std::mem::replace(&mut table.locked, true) {
                return Err(SqlError::locked_twice(format!("`{}`", table.name)));
            }
        }
    }
    Ok(())
}

/// How the table of this database that goes by `name` is locked.
pub(super) fn lock_of(clauses: &[ast::Locking], database: &str, name: &str) -> Option<RowLock> {
    let is_it = |t: &ast::ObjectName| {
        t.name.as_str() == name && t.database.as_ref().is_none_or(|wanted| wanted.as_str() == database)
    };
    let named = |c: &&ast::Locking| c.tables.is_empty() || c.tables.iter().any(is_it);
    clauses.iter().find(named).map(|clause| RowLock { exclusive: clause.exclusive, wait: clause.wait })
}
