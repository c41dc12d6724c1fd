//! AUTO_INCREMENT: where values come from, and what explicit ones do to the counter.
//!
//! A statement reserves values for all of its rows at its first need and gives them out in order; an
//! explicit value at or above the next one moves past it, and the counter with it. What was reserved and
//! not used is lost, as in MySQL. Counters are not part of transactions, so no value is given out twice.
//!
//! With `auto_increment_increment` and `auto_increment_offset` values are the numbers
//! `offset + n * increment`.

use rustydb_catalog::TableDef;
use rustydb_storage::TreeId;
use rustydb_transaction::Engine;
use rustydb_value::Value;

use crate::error::SqlError;
use crate::session::SessionState;
use crate::variables::SqlMode;

/// The tree whose counter feeds the AUTO_INCREMENT column. A table without a declared primary key numbers its
/// hidden row ids with the primary tree's, so there it is that of the index which the column leads.
pub(crate) fn counter_tree(def: &TableDef) -> TreeId {
    let Some(column) = def.auto_increment else { return def.primary.tree };
    if !def.has_hidden_key() {
        return def.primary.tree;
    }
    let leads =
        |index: &&rustydb_catalog::IndexDef| index.columns.first().is_some_and(|p| p.column == column);
    def.indexes.iter().find(leads).map_or(def.primary.tree, |index| index.tree)
}

/// The AUTO_INCREMENT values of one statement.
pub(crate) struct AutoIncrement {
    column: usize,
    tree: TreeId,
    largest: u64,
    next: u64,
    /// Past the last reserved value.
    end: u64,
    /// What the counter was raised to by explicit values, for now.
    raised: u64,
    /// The first value that was generated.
    pub(crate) first: Option<u64>,
    /// The value that the last row has in the column, generated or not.
    pub(crate) last: u64,
}

impl AutoIncrement {
    /// For a table that has such a column.
    pub(crate) fn of(def: &TableDef) -> Option<AutoIncrement> {
        let column = def.auto_increment?;
        let largest = def.columns.get(column)?.ty.kind.integer_range()?.1;
        Some(AutoIncrement {
            column,
            tree: counter_tree(def),
            largest,
            next: 0,
            end: 0,
            raised: 0,
            first: None,
            last: 0,
        })
    }

    /// The column.
    pub(crate) fn column(&self) -> usize {
        self.column
    }

    /// Gives the row its value if it asks for one (NULL, or 0 unless NO_AUTO_VALUE_ON_ZERO); an explicit one
    /// moves the counter. `rows` is how many rows of the statement may still need values, this one included.
    pub(crate) fn fill(
        &mut self,
        engine: &Engine,
        session: &mut SessionState,
        values: &mut [Value],
        rows: u64,
    ) -> Result<(), SqlError> {
        let Some(slot) = values.get_mut(self.column) else { return Ok(()) };
        let zero_asks = !session.settings.sql_mode.has(SqlMode::NO_AUTO_VALUE_ON_ZERO);
        let asks = match slot {
            Value::Null => true,
            Value::Int(0) | Value::UInt(0) => zero_asks,
            _ => false,
        };
        if asks {
            let value = self.generate(engine, session, rows)?;
            let signed = i64::try_from(value).is_ok() && self.largest <= i64::MAX as u64;
            *slot = if signed { Value::Int(value as i64) } else { Value::UInt(value) };
            if self.first.is_none() {
                self.first = Some(value);
            }
            self.last = value;
            return Ok(());
        }
        let explicit = match slot {
            Value::Int(n) => *n,
            Value::UInt(n) => *n as i64,
            _ => 0,
        };
        // The protocol has no sign for it; MySQL sends a negative value all the same.
        self.last = explicit as u64;
        match slot {
            Value::Int(n) if *n < 0 => Ok(()),
            _ => self.raise(engine, explicit as u64),
        }
    }

    /// Moves the counter past a value that a row holds; [`AutoIncrement::settle`] follows behind the last row.
    pub(crate) fn raise(&mut self, engine: &Engine, value: u64) -> Result<(), SqlError> {
        if value == 0 {
            return Ok(());
        }
        let next = value.saturating_add(1);
        if self.end > self.next && value >= self.next {
            self.next = next;
        }
        // For others at once, in the log once a statement.
        engine.counter_raise_for_now(self.tree, next)?;
        self.raised = self.raised.max(next);
        Ok(())
    }

    /// Makes what the rows have raised outlive a crash, whatever became of them. Before their commit.
    pub(crate) fn settle(&self, engine: &Engine) -> Result<(), SqlError> {
        if self.raised > 0 {
            engine.counter_raise(self.tree, self.raised)?;
        }
        Ok(())
    }

    fn generate(&mut self, engine: &Engine, session: &mut SessionState, rows: u64) -> Result<u64, SqlError> {
        if let Some(value) = session.insert_id.take() {
            engine.counter_raise(self.tree, value.saturating_add(1))?;
            (self.next, self.end) = (value.saturating_add(1), value.saturating_add(1));
            return Ok(value);
        }
        let increment = session.settings.auto_increment_increment;
        let offset = session.settings.auto_increment_offset;
        // An offset above the increment is ignored, as MySQL does.
        let offset = if offset > increment { 1 } else { offset };
        let aligned = |at: u64| -> Option<u64> {
            if at <= offset {
                return Some(offset);
            }
            (at - offset).div_ceil(increment).checked_mul(increment)?.checked_add(offset)
        };
        for _ in 0..16 {
            if self.next < self.end {
                let value = aligned(self.next).ok_or_else(SqlError::auto_increment_failed)?;
                if value < self.end {
                    self.next = value.checked_add(1).ok_or_else(SqlError::auto_increment_failed)?;
                    return self.within(value);
                }
            }
            let at_least = aligned(self.next.max(1)).ok_or_else(SqlError::auto_increment_failed)?;
            let count = rows.max(1).saturating_mul(increment);
            let known = engine.counter_value(self.tree)?.max(at_least);
            if known > self.largest || known == u64::MAX {
                return self.within(known);
            }
            let count = count.min((u64::MAX - known).max(1));
            let first = engine.counter_reserve(self.tree, count, at_least)?;
            (self.next, self.end) = (first, first.saturating_add(count));
        }
        Err(SqlError::auto_increment_failed())
    }

    /// The value, or the column's largest where the counter is past it: the row then collides, and the error
    /// names the key, as in MySQL. BIGINT UNSIGNED has no room for that and fails at once.
    fn within(&self, value: u64) -> Result<u64, SqlError> {
        if self.largest == u64::MAX && value == u64::MAX {
            return Err(SqlError::auto_increment_failed());
        }
        Ok(value.min(self.largest))
    }
}
