//! DELETE from one table.

use std::sync::Arc;

use rustydb_sql_parser::ast::{Delete, DeleteTarget};

use super::Changes;
use super::insert::target_table;
use super::update::limit_count;
use super::writer::TableWriter;
use crate::context::{BindContext, ExecContext, TableLookup};
use crate::error::SqlError;
use crate::exec::{self, Matching};
use crate::expr::Scope;

/// Runs a DELETE.
pub(crate) fn delete(
    statement: &Delete,
    sql: &str,
    tables: &mut dyn TableLookup,
    context: &mut ExecContext<'_>,
) -> Result<Changes, SqlError> {
    if statement.with.is_some() {
        return Err(SqlError::not_supported("WITH before DELETE"));
    }
    let DeleteTarget::Single(source) = &statement.target else {
        return Err(SqlError::not_supported("DELETE from several tables"));
    };
    if !source.partitions.is_empty() {
        return Err(SqlError::not_supported("PARTITION clause"));
    }
    let table = target_table(&source.name, tables, context)?;
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
            &mut bind,
        )?
    };
    let mut writer = TableWriter::open(context.engine(), &table)?;
    let mut rows = exec::matching_rows(&mut matching, context)?;
    let mut deleted = 0u64;
    while let Some((key, bytes)) = rows.next(context)? {
        context.eval.row = deleted + 1;
        let trees = Arc::clone(writer.trees());
        writer.delete(context.txn, &key, &trees.reader.row(&bytes)?)?;
        deleted += 1;
    }
    Ok(Changes { affected: deleted, ..Changes::default() })
}
