//! Instruments that cost a few nanoseconds, and the registry that shows them to Prometheus.
//!
//! A floor that wants to be observed takes a [`Registry`] when it is built, asks it for the instruments
//! that it needs, and keeps them: recording never looks anything up. There is no global registry, so a
//! test builds its own, and two databases in one process do not mix their figures.
//!
//! | instrument | what it holds | cost of one record |
//! |---|---|---|
//! | [`Counter`] | a total that only grows | one relaxed add on this thread's shard |
//! | [`Gauge`] | a level that goes up and down | one relaxed add or store |
//! | [`Histogram`] | a spread of latencies or sizes, within 1/16 | two relaxed adds and a compare on this thread's shard |
//!
//! What is named at run time goes through [`Registry::emit_metric`], [`start_span`] and [`log_structured`], at
//! the price of a look-up or a formatted field; hot paths keep instruments and use `tracing` directly.
//!
//! Figures that somebody counts already are read at scrape time instead: [`Registry::counter_from`] and
//! [`Registry::gauge_from`].
//!
//! Invariants: recording never locks, allocates or fails; a reader sees every record that happened before
//! the read began, but not one instant across instruments. Limits: values are `u64` (nanoseconds or
//! counts), so a histogram saturates at 2^64 - 1. Left to others: where logs and spans go (a `tracing`
//! subscriber, set up by the binary) and the HTTP door that serves the text.
//!
//! ```
//! use rustydb_telemetry::Registry;
//! use std::time::Duration;
//!
//! let registry = Registry::new();
//! let commits = registry.counter("rustydb_commits_total", "Transactions committed", &[]);
//! let latency = registry.histogram("rustydb_commit_seconds", "Time from COMMIT to durable", &[]);
//! commits.inc(1);
//! latency.record(Duration::from_micros(120));
//! assert!(registry.render().contains("rustydb_commits_total 1\n"));
//! ```

mod counter;
mod histogram;
mod registry;
mod shard;
mod spans;
mod text;

pub use counter::{Counter, Gauge};
pub use histogram::{Histogram, Summary};
pub use registry::{Conflict, MOST_SERIES, Registry, Sample, SampleValue};
pub use spans::{LogLevel, log_structured, start_span};
