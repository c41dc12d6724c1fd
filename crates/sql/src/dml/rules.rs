//! What a table computes and demands of its rows: expression defaults, generated columns, CHECK constraints.
//!
//! The expressions are kept as text; a statement that writes the table binds them once. Rows are complete when
//! they pass here: first the defaults of columns that the statement left out, in their order, then the generated
//! columns, in theirs, then the constraints by name, of which the first that is false is the error.

use rustydb_catalog::{ColumnDefault, TableDef};
use rustydb_value::{StoreMode, Value};

use super::conversion::to_column;
use super::evaluation::{evaluate_for, row_vectors};
use crate::canonical;
use crate::context::EvalContext;
use crate::ddl::expression;
use crate::ddl::table::implicit_default;
use crate::error::SqlError;
use crate::expr::{self, BoundExpr};
use crate::session::SessionState;

/// The bound rules of one table.
#[derive(Debug)]
pub(crate) struct RowRules {
    defaults: Vec<(usize, BoundExpr)>,
    generated: Vec<(usize, BoundExpr)>,
    checks: Vec<(String, BoundExpr)>,
}

/// Whether the table computes or demands anything of its rows.
pub(crate) fn has_rules(table: &TableDef) -> bool {
    table.checks.iter().any(|c| c.enforced)
        || table
            .columns
            .iter()
            .any(|c| c.generated.is_some() || matches!(c.default, Some(ColumnDefault::Expression(_))))
}

impl RowRules {
    /// The rules of a table; None if it has none.
    pub(crate) fn bind(table: &TableDef, session: &SessionState) -> Result<Option<RowRules>, SqlError> {
        if !has_rules(table) {
            return Ok(None);
        }
        let bind = |text: &str| expression::bind(&canonical::read(text)?, table, session);
        let mut rules = RowRules { defaults: Vec::new(), generated: Vec::new(), checks: Vec::new() };
        for (at, column) in table.columns.iter().enumerate() {
            if let Some(generated) = &column.generated {
                rules.generated.push((at, bind(&generated.expression)?));
            }
            if let Some(ColumnDefault::Expression(text)) = &column.default {
                rules.defaults.push((at, bind(text)?));
            }
        }
        let mut checks: Vec<_> = table.checks.iter().filter(|c| c.enforced).collect();
        checks.sort_by_key(|c| c.name.to_lowercase());
        for check in checks {
            rules.checks.push((check.name.clone(), bind(&check.expression)?));
        }
        Ok(Some(rules))
    }

    /// Gives columns that the statement left out (all but `given`) their expression defaults.
    pub(crate) fn fill_defaults(
        &self,
        table: &TableDef,
        given: &[usize],
        values: &mut [Value],
        mode: &StoreMode,
        context: &mut EvalContext<'_>,
    ) -> Result<(), SqlError> {
        for (at, bound) in self.defaults.iter().filter(|(at, _)| !given.contains(at)) {
            compute(table, *at, bound, values, mode, context)?;
        }
        Ok(())
    }

    /// The keyword DEFAULT for a column whose default is an expression, over the row as it is by now.
    pub(crate) fn fill_default(
        &self,
        table: &TableDef,
        column: usize,
        values: &mut [Value],
        mode: &StoreMode,
        context: &mut EvalContext<'_>,
    ) -> Result<(), SqlError> {
        match self.defaults.iter().find(|(at, _)| *at == column) {
            Some((at, bound)) => compute(table, *at, bound, values, mode, context),
            None => Ok(()),
        }
    }

    /// Computes the generated columns of a row.
    pub(crate) fn complete(
        &self,
        table: &TableDef,
        values: &mut [Value],
        mode: &StoreMode,
        context: &mut EvalContext<'_>,
    ) -> Result<(), SqlError> {
        for (at, bound) in &self.generated {
            compute(table, *at, bound, values, mode, context)?;
        }
        Ok(())
    }

    /// Error 3819 for the first constraint that the row breaks.
    pub(crate) fn check(
        &self,
        table: &TableDef,
        values: &[Value],
        context: &mut EvalContext<'_>,
    ) -> Result<(), SqlError> {
        if self.checks.is_empty() {
            return Ok(());
        }
        let zone = context.session.settings.time_zone;
        let row = row_vectors(table, values, zone);
        for (name, bound) in &self.checks {
            let is_false = match expr::evaluate_row(bound, &row, context) {
                Ok(Value::Int(n)) => n == 0,
                Ok(Value::UInt(n)) => n == 0,
                Ok(Value::Double(x)) => x == 0.0,
                Ok(_) => false,
                Err(stopped) if matches!(stopped.code, 1317 | 3024) => return Err(stopped),
                // What cannot be evaluated is not fulfilled.
                Err(_) => true,
            };
            if is_false {
                return Err(SqlError::check_violated(name));
            }
        }
        Ok(())
    }
}

/// Evaluates a column's expression over the row and puts the value into it, as if it had been assigned.
fn compute(
    table: &TableDef,
    at: usize,
    bound: &BoundExpr,
    values: &mut [Value],
    mode: &StoreMode,
    context: &mut EvalContext<'_>,
) -> Result<(), SqlError> {
    let Some(column) = table.columns.get(at) else { return Ok(()) };
    let zone = context.session.settings.time_zone;
    let row = row_vectors(table, values, zone);
    let value = evaluate_for(bound, &row, &column.ty, context)?;
    let number = context.row.max(1);
    let mut value = to_column(&value, column, number, mode, context.session)?;
    if value.is_null() && !column.nullable {
        let refused = SqlError::column_null(&column.name);
        if mode.strict {
            return Err(refused);
        }
        context.session.warn(&refused);
        value = implicit_default(&column.ty);
    }
    if let Some(slot) = values.get_mut(at) {
        *slot = value;
    }
    Ok(())
}
