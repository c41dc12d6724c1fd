//! The warnings, notes and errors of the last statement, as SHOW WARNINGS lists them.
//!
//! The list is cleared when the next statement that can warn begins, and holds at most
//! `max_error_count` entries while `@@warning_count` goes on counting.

use crate::error::SqlError;

/// How grave a condition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Information only; not recorded when `sql_notes` is off
    Note,
    /// The statement went on with a changed value
    Warning,
    /// The statement failed
    Error,
}

impl Level {
    /// As SHOW WARNINGS prints it.
    pub fn name(self) -> &'static str {
        match self {
            Level::Note => "Note",
            Level::Warning => "Warning",
            Level::Error => "Error",
        }
    }
}

/// One entry of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// How grave.
    pub level: Level,
    /// MySQL's error number.
    pub code: u16,
    /// Text.
    pub message: String,
}

/// The conditions of a statement.
#[derive(Debug, Default, Clone)]
pub struct Diagnostics {
    conditions: Vec<Condition>,
    total: u64,
    errors: u64,
}

impl Diagnostics {
    /// Forgets all conditions.
    pub fn clear(&mut self) {
        self.conditions.clear();
        self.total = 0;
        self.errors = 0;
    }

    /// Records a condition; `limit` is `max_error_count`.
    pub fn push(&mut self, level: Level, code: u16, message: String, limit: usize) {
        self.total += 1;
        if level == Level::Error {
            self.errors += 1;
        }
        if self.conditions.len() < limit {
            self.conditions.push(Condition { level, code, message });
        }
    }

    /// Adds what another thread recorded for the same statement.
    pub fn append(&mut self, other: Diagnostics, limit: usize) {
        self.total += other.total;
        self.errors += other.errors;
        let room = limit.saturating_sub(self.conditions.len());
        self.conditions.extend(other.conditions.into_iter().take(room));
    }

    /// Records an error as a condition of this level.
    pub fn push_error(&mut self, level: Level, error: &SqlError, limit: usize) {
        self.push(level, error.code, error.message.clone(), limit);
    }

    /// The recorded conditions, oldest first.
    pub fn conditions(&self) -> &[Condition] {
        &self.conditions
    }

    /// How many conditions arose, recorded or not.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// How many of them were errors.
    pub fn errors(&self) -> u64 {
        self.errors
    }

    /// The count that the protocol sends.
    pub fn count(&self) -> u16 {
        u16::try_from(self.total).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_go_on_past_the_limit() {
        let mut list = Diagnostics::default();
        for n in 0..5 {
            list.push(Level::Warning, 1265, format!("w{n}"), 2);
        }
        list.push_error(Level::Error, &SqlError::deadlock(), 2);
        assert_eq!((list.conditions().len(), list.total(), list.errors()), (2, 6, 1));
        list.clear();
        assert_eq!((list.conditions().len(), list.count()), (0, 0));
    }
}
