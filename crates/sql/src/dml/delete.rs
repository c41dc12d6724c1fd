//! DELETE from one table, its rows found and deleted in one pass; others go through [`joined`].

use std::sync::Arc;

use rustydb_sql_parser::ast::{Delete, DeleteTarget};
use rustydb_transaction::LockMode;

use super::Changes;
use super::forgive;
use super::insert::target_table;
use super::joined::{self, has_subquery};
use super::update::limit_count;
use super::writer::TableWriter;
use crate::context::{BindContext, ExecContext, TableLookup};
use crate::error::SqlError;
use crate::exec::{self, Matching};
use crate::expr::Scope;
use crate::view;

/// Runs a DELETE.
pub(crate) fn delete(
    statement: &Delete,
    sql: &str,
    tables: &mut dyn TableLookup,
    context: &mut ExecContext<'_>,
) -> Result<Changes, SqlError> {
    let rewritten = view::change::delete(statement, tables, context)?;
    let statement = rewritten.as_ref().unwrap_or(statement);
    let DeleteTarget::Single(source) = &statement.target else {
        return joined::delete(statement, sql, tables, context);
    };
    let conditions = statement.filter.iter().chain(statement.order_by.iter().map(|item| &item.expr));
    if statement.with.is_some() || conditions.into_iter().any(has_subquery) {
        return joined::delete(statement, sql, tables, context);
    }
    if !source.partitions.is_empty() {
        return Err(SqlError::not_supported("PARTITION clause"));
    }
    let table = target_table("DELETE", &source.name, source.alias.as_ref(), tables, context)?;
    let scope = Scope::of_table(&table, source.alias.as_ref().map(|a| a.as_str()));
    let limit = limit_count(statement.limit.as_ref(), context.eval.params)?;
    let mut matching = {
        let mut bind = BindContext { tables, session: context.eval.session };
        Matching::bind(
            &table,
            &scope,
            statement.filter.as_ref(),
            &statement.order_by,
            limit,
            sql,
            Some(context.eval.params),
            context.database.statistics(),
            &mut bind,
        )?
    };
    let mut writer = TableWriter::open(&table, tables, context)?;
    let cascades = writer.cascades();
    let mut rows = exec::matching_rows(&mut matching, context)?;
    let mut deleted = 0u64;
    while let Some((key, bytes)) = rows.next(context)? {
        context.eval.row = deleted + 1;
        // A cascade may have deleted the row already, or changed it.
        let bytes = match cascades {
            true => match context.txn.get_locked(&writer.trees().primary, &key, LockMode::Exclusive)? {
                Some(bytes) => bytes,
                None => continue,
            },
            false => bytes,
        };
        if delete_row(&mut writer, &key, &bytes, statement.ignore, context)? {
            deleted += 1;
        }
    }
    Ok(Changes { affected: deleted, ..Changes::default() })
}

/// Deletes one row that is locked; whether it is gone now.
pub(super) fn delete_row(
    writer: &mut TableWriter,
    key: &[u8],
    bytes: &[u8],
    ignore: bool,
    context: &mut ExecContext<'_>,
) -> Result<bool, SqlError> {
    let before = ignore.then(|| context.txn.savepoint());
    let trees = Arc::clone(writer.trees());
    match writer.delete(context, key, &trees.reader.row(bytes)?) {
        Ok(()) => Ok(true),
        Err(refused) => forgive(refused, before, context).map(|()| false),
    }
}
