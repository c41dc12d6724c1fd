//! The hints of a statement that concern the session: MAX_EXECUTION_TIME and SET_VAR.
//!
//! SET_VAR gives variables other values while its statement runs. Which variables take part is MySQL's choice; what
//! cannot be set is a warning and the statement runs without it. MAX_EXECUTION_TIME limits a SELECT in place of
//! `max_execution_time`. Both are read from the first query block of a statement.

use std::time::Duration;

use rustydb_sql_parser::ast::{Hint, HintArgument, Literal, Query, QueryBody, Statement};
use rustydb_value::Value;

use super::Session;
use crate::error::SqlError;
use crate::variables::{self, SystemValue};

/// The variables that SET_VAR may set, of those that are here.
const SETTABLE: &[&str] = &[
    "auto_increment_increment",
    "auto_increment_offset",
    "big_tables",
    "bulk_insert_buffer_size",
    "cte_max_recursion_depth",
    "div_precision_increment",
    "end_markers_in_json",
    "eq_range_index_dive_limit",
    "foreign_key_checks",
    "group_concat_max_len",
    "insert_id",
    "internal_tmp_mem_storage_engine",
    "join_buffer_size",
    "lock_wait_timeout",
    "max_error_count",
    "max_execution_time",
    "max_heap_table_size",
    "max_join_size",
    "max_length_for_sort_data",
    "max_points_in_geometry",
    "max_seeks_for_key",
    "max_sort_length",
    "optimizer_disabled_rules",
    "optimizer_prune_level",
    "optimizer_search_depth",
    "optimizer_switch",
    "range_alloc_block_size",
    "range_optimizer_max_mem_size",
    "read_buffer_size",
    "read_rnd_buffer_size",
    "sort_buffer_size",
    "sql_auto_is_null",
    "sql_big_selects",
    "sql_buffer_result",
    "sql_mode",
    "sql_require_primary_key",
    "sql_safe_updates",
    "sql_select_limit",
    "time_zone",
    "timestamp",
    "tmp_table_size",
    "unique_checks",
    "updatable_views_with_limit",
    "windowing_use_high_precision",
];

/// What is to be put back when the statement has ended.
pub(super) type Before = Vec<(usize, SystemValue)>;

/// The hints of a statement's first block.
fn hints_of(statement: &Statement) -> &[Hint] {
    fn of_query(query: &Query) -> &[Hint] {
        of_body(&query.body)
    }
    fn of_body(body: &QueryBody) -> &[Hint] {
        match body {
            QueryBody::Select(select) => &select.hints,
            QueryBody::Nested(query) => of_query(query),
            QueryBody::SetOperation(operation) => of_body(&operation.first),
            _ => &[],
        }
    }
    match statement {
        Statement::Query(query) => of_query(query),
        Statement::Insert(insert) => &insert.hints,
        Statement::Update(update) => &update.hints,
        Statement::Delete(delete) => &delete.hints,
        _ => &[],
    }
}

fn duplicate(hint: &str) -> SqlError {
    SqlError::new(3126, b"HY000", format!("Hint {hint} is ignored as conflicting/duplicated"))
}

impl Session {
    /// The time that a SELECT may take: its hint's, or the session's.
    pub(super) fn time_limit(&mut self, statement: &Statement) -> Option<Duration> {
        let Statement::Query(_) = statement else { return None };
        let mut limit: Option<u64> = None;
        for hint in
            hints_of(statement).iter().filter(|h| h.name.value.eq_ignore_ascii_case("max_execution_time"))
        {
            let Some(HintArgument::Number(millis)) = hint.arguments.first() else { continue };
            match limit {
                None => limit = Some(*millis),
                Some(_) => self.state.warn(&duplicate(&format!("MAX_EXECUTION_TIME({millis})"))),
            }
        }
        match limit {
            None => self.state.settings.max_execution_time,
            Some(0) => None,
            Some(millis) => Some(Duration::from_millis(millis)),
        }
    }

    /// Sets the variables that the statement's hints name; gives what they were.
    pub(super) fn set_hinted(&mut self, statement: &Statement) -> Before {
        let mut before = Before::new();
        for hint in hints_of(statement).iter().filter(|h| h.name.value.eq_ignore_ascii_case("set_var")) {
            for argument in &hint.arguments {
                let HintArgument::Assignment { name, value } = argument else { continue };
                let (value, shown) = given(value);
                match self.hinted_value(&name.value, &value) {
                    Ok((at, _)) if before.iter().any(|(known, _)| *known == at) => {
                        self.state.warn(&duplicate(&format!("SET_VAR({}={shown}) ", name.value)));
                    }
                    Ok((at, new)) => {
                        before.push((at, self.state.session_value(at)));
                        self.state.set_session_value(at, new);
                    }
                    Err(error) => self.state.warn(&error),
                }
            }
        }
        before
    }

    fn hinted_value(&self, name: &str, value: &Value) -> Result<(usize, SystemValue), SqlError> {
        let unknown = || SqlError::new(3128, b"HY000", format!("Unresolved name '{name}' for SET_VAR hint"));
        let (at, variable) = variables::find(name).ok_or_else(unknown)?;
        if SETTABLE.binary_search(&variable.name).is_err() {
            let text = format!("Variable '{}' cannot be set using SET_VAR hint.", variable.name);
            return Err(SqlError::new(3637, b"HY000", text));
        }
        let assigned = variables::convert(variable, value, &self.state.session_value(at))?;
        Ok((at, assigned.value))
    }

    /// Puts back what hints had set.
    pub(super) fn restore_hinted(&mut self, before: Before) {
        for (at, value) in before {
            self.state.set_session_value(at, value);
        }
    }
}

/// The value of an assignment, and as a warning shows it.
fn given(literal: &Literal) -> (Value, String) {
    match literal {
        Literal::Integer(number) => (Value::UInt(*number), number.to_string()),
        Literal::String(text) => {
            let text = String::from_utf8_lossy(&text.value).into_owned();
            (Value::Text(text.clone()), text)
        }
        Literal::Decimal(text) | Literal::Float(text) => {
            let number = text.parse::<f64>().unwrap_or(0.0);
            (Value::Double(number), text.to_string())
        }
        _ => (Value::Null, String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_order() {
        assert!(SETTABLE.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
