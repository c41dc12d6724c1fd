//! What this crate counts: statements by kind, their latency, errors, cache hits.
//!
//! The same figures serve Prometheus (through the registry) and SHOW STATUS.

use std::time::Duration;

use rustydb_telemetry::{Counter, Histogram, Registry};

/// The kinds of statement that are counted apart, with the names that SHOW STATUS and the metrics give
/// them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum StatementKind {
    /// SELECT and other queries
    Select,
    /// INSERT
    Insert,
    /// REPLACE
    Replace,
    /// UPDATE
    Update,
    /// DELETE
    Delete,
    /// BEGIN, START TRANSACTION
    Begin,
    /// COMMIT
    Commit,
    /// ROLLBACK
    Rollback,
    /// SET
    Set,
    /// SHOW and DESCRIBE
    Show,
    /// CREATE, ALTER, DROP, TRUNCATE, RENAME
    Definition,
    /// USE
    Use,
    /// Everything else
    Other,
}

impl StatementKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [StatementKind; 13] = [
        StatementKind::Select,
        StatementKind::Insert,
        StatementKind::Replace,
        StatementKind::Update,
        StatementKind::Delete,
        StatementKind::Begin,
        StatementKind::Commit,
        StatementKind::Rollback,
        StatementKind::Set,
        StatementKind::Show,
        StatementKind::Definition,
        StatementKind::Use,
        StatementKind::Other,
    ];

    /// Its label in the metrics.
    pub fn label(self) -> &'static str {
        match self {
            StatementKind::Select => "select",
            StatementKind::Insert => "insert",
            StatementKind::Replace => "replace",
            StatementKind::Update => "update",
            StatementKind::Delete => "delete",
            StatementKind::Begin => "begin",
            StatementKind::Commit => "commit",
            StatementKind::Rollback => "rollback",
            StatementKind::Set => "set",
            StatementKind::Show => "show",
            StatementKind::Definition => "definition",
            StatementKind::Use => "use",
            StatementKind::Other => "other",
        }
    }
}

/// The instruments.
pub struct Metrics {
    statements: Vec<Counter>,
    latency: Vec<Histogram>,
    pub(crate) errors: Counter,
    pub(crate) slow: Counter,
    pub(crate) rows_sent: Counter,
    pub(crate) rows_changed: Counter,
    pub(crate) cache_hits: Counter,
    pub(crate) cache_misses: Counter,
    pub(crate) point_statements: Counter,
    pub(crate) prepared: Counter,
    pub(crate) idle_transactions: Counter,
}

impl Metrics {
    /// Registers all instruments.
    pub(crate) fn new(registry: &Registry) -> Metrics {
        let mut statements = Vec::new();
        let mut latency = Vec::new();
        for kind in StatementKind::ALL {
            let labels = [("kind", kind.label())];
            statements.push(registry.counter("rustydb_statements_total", "Statements by kind", &labels));
            latency.push(registry.histogram("rustydb_statement_seconds", "Time of a statement", &labels));
        }
        let counter = |name, help| registry.counter(name, help, &[]);
        Metrics {
            statements,
            latency,
            errors: counter("rustydb_statement_errors_total", "Statements that failed"),
            slow: counter("rustydb_slow_statements_total", "Statements slower than long_query_time"),
            rows_sent: counter("rustydb_rows_sent_total", "Rows of result sets"),
            rows_changed: counter("rustydb_rows_changed_total", "Rows inserted, changed or deleted"),
            cache_hits: counter("rustydb_statement_cache_hits_total", "Statements found parsed and planned"),
            cache_misses: counter("rustydb_statement_cache_misses_total", "Statements that had to be parsed"),
            point_statements: counter(
                "rustydb_point_statements_total",
                "Statements run by the point executor",
            ),
            prepared: counter("rustydb_prepares_total", "Statements prepared"),
            idle_transactions: counter(
                "rustydb_idle_transactions_rolled_back_total",
                "Transactions rolled back because they were idle for too long",
            ),
        }
    }

    /// Counts a statement that has ended.
    pub(crate) fn statement(&self, kind: StatementKind, took: Duration) {
        if let Some(counter) = self.statements.get(kind as usize) {
            counter.inc(1);
        }
        if let Some(histogram) = self.latency.get(kind as usize) {
            histogram.record(took);
        }
    }

    /// How many statements of a kind there were.
    pub fn count(&self, kind: StatementKind) -> u64 {
        self.statements.get(kind as usize).map_or(0, Counter::get)
    }

    /// How many statements there were.
    pub fn total(&self) -> u64 {
        self.statements.iter().map(Counter::get).sum()
    }
}
