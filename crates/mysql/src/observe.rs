//! What is measured: instruments by their dotted names, and spans.
//!
//! | instrument | kind | labels |
//! |---|---|---|
//! | `mysql.connections.{total,active,idle,waiting}` | gauge, read from the pool when scraped | server |
//! | `mysql.connections.{created,closed}` | counter, read from the pool | server; reason of closing |
//! | `mysql.connections.acquire_time` | histogram, ms | server |
//! | `mysql.pool.{rejected,timeout,leaked}`, `mysql.transaction.orphaned` | counter, read from the pool | server |
//! | `mysql.queries.count`, `mysql.queries.latency_ms` | counter, histogram | operation |
//! | `mysql.queries.errors` | counter | type |
//! | `mysql.queries.killed` | counter, read from the pool | server; outcome of ending a statement given up |
//! | `mysql.queries.slow`, `mysql.query.unbounded_warning` | counter | |
//! | `mysql.transactions.{count,duration_ms,rollbacks}` | counter, histogram, counter | |
//! | `mysql.deadlock.detected` | counter | |
//! | `db.client.operation.duration` | histogram, s | `db.system.name`, `db.operation.name` |
//!
//! `mysql.replica.*` and `mysql.circuit_breaker.state` are those of `replicas`. `mysql.pool.connections.*` are
//! the first rows of the table under another name, and not exported twice.
//!
//! Spans: `mysql.query` (with OpenTelemetry's stable `db.*` attributes; its text is the statement's shape,
//! never a value) around `mysql.router.decide`, `mysql.pool.acquire` > `mysql.connection.create`,
//! `mysql.connection.execute` > `mysql.statement.prepare`, `mysql.protocol.send`, then `mysql.result.parse`
//! and `mysql.pool.release`; `mysql.transaction` around `mysql.pool.acquire`, `mysql.connection.begin`,
//! `mysql.query`s, `mysql.connection.commit` or `rollback`, and `mysql.pool.release`. The outer two are at
//! level INFO, those within at DEBUG.
//!
//! What costs: an instrument per operation is looked up by number, not by name, and made at its first use; one
//! record of a statement's time serves two of them;
//! what a pool counts anyway is read at scrape time. A text's shape is only made for a span that somebody
//! listens to, and kept where the router keeps its class.

use crate::driver::Driver;
use crate::error::{Error, ErrorKind};
use crate::pool::{CloseReason, KillStats, Pool, PoolStats};
use crate::routing::{StatementClass, StatementKind};
use parking_lot::Mutex;
use rustydb_telemetry::{Counter, Histogram, Registry};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Kinds of statements and errors that have a number here, at most.
const KINDS: usize = 64;

/// The instruments of a client's statements and transactions. Clones share them.
#[derive(Clone)]
pub struct ClientMetrics {
    shared: Arc<Instruments>,
}

struct Instruments {
    registry: Registry,
    operations: [OnceLock<Operation>; KINDS],
    errors: [OnceLock<Counter>; KINDS],
    slow: Counter,
    unbounded: Counter,
    transactions: Counter,
    transaction_time: Histogram,
    rollbacks: Counter,
    deadlocks: Counter,
}

struct Operation {
    count: Counter,
    /// Shown in milliseconds, and in seconds under OpenTelemetry's name.
    time: Histogram,
}

impl ClientMetrics {
    /// The instruments in `registry`.
    pub fn new(registry: &Registry) -> ClientMetrics {
        let counter = |name, help| registry.counter(name, help, &[]);
        let shared = Instruments {
            registry: registry.clone(),
            operations: [const { OnceLock::new() }; KINDS],
            errors: [const { OnceLock::new() }; KINDS],
            slow: counter("mysql.queries.slow", "Statements slower than the limit"),
            unbounded: counter(
                "mysql.query.unbounded_warning",
                "Statements that read or change all rows of a table",
            ),
            transactions: counter("mysql.transactions.count", "Transactions that ended"),
            transaction_time: registry.histogram_ms(
                "mysql.transactions.duration_ms",
                "Time from begin to end of a transaction, in milliseconds",
                &[],
            ),
            rollbacks: counter("mysql.transactions.rollbacks", "Transactions that were not committed"),
            deadlocks: counter("mysql.deadlock.detected", "Deadlocks that servers ended"),
        };
        ClientMetrics { shared: Arc::new(shared) }
    }

    /// Counts a statement that took `time` and ended so.
    pub fn statement(&self, class: StatementClass, time: Duration, error: Option<&Error>, slow: Duration) {
        let operation = self.operation(class.kind);
        operation.count.inc(1);
        operation.time.record(time);
        if time >= slow {
            self.shared.slow.inc(1);
        }
        if class.is_unbounded_read() || class.is_unbounded_write() {
            self.shared.unbounded.inc(1);
        }
        if let Some(error) = error {
            self.error(error.kind());
        }
    }

    /// Counts an error.
    pub fn error(&self, kind: ErrorKind) {
        if kind == ErrorKind::Deadlock {
            self.shared.deadlocks.inc(1);
        }
        if let Some(cell) = self.shared.errors.get(kind as usize) {
            let labels = [("type", kind.as_str())];
            let make =
                || self.shared.registry.counter("mysql.queries.errors", "Statements that failed", &labels);
            cell.get_or_init(make).inc(1);
        }
    }

    /// Counts a transaction that was open for `time`.
    pub fn transaction(&self, committed: bool, time: Duration) {
        self.shared.transactions.inc(1);
        self.shared.transaction_time.record(time);
        if !committed {
            self.shared.rollbacks.inc(1);
        }
    }

    fn operation(&self, kind: StatementKind) -> &Operation {
        let registry = &self.shared.registry;
        let make = || {
            let labels = [("operation", kind.name())];
            let semantic = [("db.operation.name", kind.name()), ("db.system.name", "mysql")];
            let time = registry.histogram_ms(
                "mysql.queries.latency_ms",
                "Time of a statement to its last row, in milliseconds",
                &labels,
            );
            registry.histogram_from(
                "db.client.operation.duration",
                "Time of a database client's operation, in seconds",
                &semantic,
                &time,
            );
            let count = registry.counter("mysql.queries.count", "Statements by operation", &labels);
            Operation { count, time }
        };
        // There are fewer kinds than numbers; a kind beyond them would share the last.
        let number = (kind as usize).min(KINDS - 1);
        self.shared.operations[number].get_or_init(make)
    }
}

impl std::fmt::Debug for ClientMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientMetrics").finish_non_exhaustive()
    }
}

/// Reads a pool's figures.
type Figures = Arc<dyn Fn() -> Option<PoolStats> + Send + Sync>;

/// The instruments of pools: one series per server, which follows the server's present pool.
#[derive(Clone, Default)]
pub struct PoolMetrics {
    by_server: Arc<Mutex<BTreeMap<String, Arc<Mutex<Figures>>>>>,
}

impl PoolMetrics {
    /// Shows a pool in `registry`, in the place of the one of this name before it. The pool is not kept
    /// alive by that.
    pub fn watch<D: Driver>(&self, registry: &Registry, pool: &Pool<D>) {
        let name = pool.name().to_owned();
        let labels = [("server", name.as_str())];
        pool.record_acquires_in(registry.histogram_ms(
            "mysql.connections.acquire_time",
            "Time to get a connection, in milliseconds",
            &labels,
        ));
        let figures: Figures = Arc::new(pool.figures_reader());
        let mut by_server = self.by_server.lock();
        if let Some(known) = by_server.get(&name) {
            *known.lock() = figures;
            return;
        }
        let slot = Arc::new(Mutex::new(figures));
        by_server.insert(name.clone(), Arc::clone(&slot));
        drop(by_server);
        register(registry, &name, &slot);
    }
}

impl std::fmt::Debug for PoolMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.by_server.lock().keys()).finish()
    }
}

/// Shows the figures of `slot`.
fn register(registry: &Registry, server: &str, slot: &Arc<Mutex<Figures>>) {
    let labels = [("server", server)];
    let read = |figure: fn(&PoolStats) -> u64| {
        let slot = Arc::clone(slot);
        move || {
            let figures = Arc::clone(&slot.lock());
            figures().map_or(0.0, |stats| figure(&stats) as f64)
        }
    };
    type Row = (&'static str, &'static str, fn(&PoolStats) -> u64);
    let gauges: [Row; 4] = [
        ("mysql.connections.total", "Connections of a pool", |s| s.total_connections as u64),
        ("mysql.connections.active", "Connections that are out", |s| s.active_connections as u64),
        ("mysql.connections.idle", "Connections that can be taken", |s| s.idle_connections as u64),
        ("mysql.connections.waiting", "Acquires that wait", |s| s.waiting_requests as u64),
    ];
    for (name, help, figure) in gauges {
        registry.gauge_from(name, help, &labels, read(figure));
    }
    let counters: [Row; 5] = [
        ("mysql.connections.created", "Connections opened", |s| s.figures.created),
        ("mysql.pool.rejected", "Acquires turned away because too many waited", |s| s.figures.rejected),
        ("mysql.pool.timeout", "Acquires that timed out", |s| s.figures.timeouts),
        ("mysql.pool.leaked", "Connections out for longer than the leak threshold", |s| s.figures.leaked),
        ("mysql.transaction.orphaned", "Transactions left open and rolled back", |s| s.figures.orphaned),
    ];
    for (name, help, figure) in counters {
        registry.counter_from(name, help, &labels, read(figure));
    }
    type Outcome = (&'static str, fn(&KillStats) -> u64);
    let kills: [Outcome; 5] = [
        ("ended", |kills| kills.ended),
        ("already_over", |kills| kills.already_over),
        ("spared", |kills| kills.spared),
        ("failed", |kills| kills.failed),
        ("turned_away", |kills| kills.turned_away),
    ];
    for (outcome, figure) in kills {
        let labels = [("server", server), ("outcome", outcome)];
        let slot = Arc::clone(slot);
        registry.counter_from(
            "mysql.queries.killed",
            "Statements given up by their callers",
            &labels,
            move || {
                let figures = Arc::clone(&slot.lock());
                figures().map_or(0.0, |stats| figure(&stats.figures.kills) as f64)
            },
        );
    }
    for reason in CloseReason::ALL {
        let labels = [("server", server), ("reason", reason.as_str())];
        let slot = Arc::clone(slot);
        registry.counter_from("mysql.connections.closed", "Connections closed", &labels, move || {
            let figures = Arc::clone(&slot.lock());
            figures().map_or(0.0, |stats| stats.figures.closed_for(reason) as f64)
        });
    }
}

/// The span of a statement. `text` is called only when somebody listens, `server` is given where it is known
/// before a connection is taken.
pub(crate) fn query_span(
    class: StatementClass,
    database: Option<&str>,
    server: Option<&str>,
    text: impl Fn() -> Arc<str>,
) -> tracing::Span {
    // Fields are made only for a span that somebody listens to.
    tracing::info_span!(
        "mysql.query",
        otel.kind = "client",
        db.system.name = "mysql",
        db.operation.name = class.kind.name(),
        db.namespace = database,
        db.query.text = &*text(),
        db.response.status_code = tracing::field::Empty,
        error.r#type = tracing::field::Empty,
        server.address = server,
    )
}

/// Notes on a statement's span which server it went to.
pub(crate) fn note_server(span: &tracing::Span, server: &Arc<str>) {
    if !span.is_disabled() {
        span.record("server.address", &**server);
    }
}

/// Notes on a statement's span how it ended.
pub(crate) fn note_error(span: &tracing::Span, error: &Error) {
    if span.is_disabled() {
        return;
    }
    span.record("error.type", error.kind().as_str());
    if let Some(code) = error.code() {
        span.record("db.response.status_code", code);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::tests::{pool, settle};
    use crate::scripted::Server;

    #[test]
    fn every_kind_has_a_number_of_its_own() {
        assert!(ErrorKind::ALL.len() <= KINDS);
        assert!((StatementKind::Other as usize) < KINDS);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pool_is_shown_under_its_dotted_names_and_its_successor_in_its_place() {
        let (registry, metrics, server) = (Registry::new(), PoolMetrics::default(), Server::new());
        let read = |name: &str| {
            let found = registry.samples().into_iter().filter(|sample| sample.name == name);
            found.map(|sample| sample.value.number()).sum::<f64>()
        };
        let first = pool(&server, 2, 4);
        metrics.watch(&registry, &first);
        settle().await;
        let held = first.acquire().await.unwrap();
        assert_eq!(read("mysql.connections.total"), 2.0);
        assert_eq!((read("mysql.connections.active"), read("mysql.connections.idle")), (1.0, 1.0));
        assert_eq!((read("mysql.connections.created"), read("mysql.connections.acquire_time")), (2.0, 1.0));
        drop((held, first));
        settle().await;
        assert_eq!(read("mysql.connections.total"), 0.0);
        let second = pool(&server, 3, 4);
        metrics.watch(&registry, &second);
        settle().await;
        assert_eq!(read("mysql.connections.total"), 3.0);
        assert_eq!(registry.conflicts(), []);
    }
}
