//! Spans and log lines whose names and fields are only known at run time.
//!
//! `tracing` wants names at compile time. Here a span is an `operation` with its name in `otel.name`, which
//! OpenTelemetry layers show as the span's own, and all fields go into one, as `key=value` pairs. Values are
//! quoted where they hold anything but letters, digits and a little punctuation, so that a value cannot
//! pretend to be another field or line.
//!
//! What may be in a field is the caller's duty: never a value of a statement, never a secret.

use std::fmt;
use tracing::span::Span;

/// How important a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// For finding a fault step by step
    Trace,
    /// For finding a fault
    Debug,
    /// What normally happens and is worth a line
    Info,
    /// Something that should be looked at
    Warn,
    /// Something failed
    Error,
}

/// Begins a span of this name. It is entered with `span.enter()`, or given to a future with
/// `tracing::Instrument`, and ends when its last clone is dropped.
#[must_use = "a span ends when it is dropped"]
pub fn start_span(name: &str, tags: &[(&str, &str)]) -> Span {
    tracing::info_span!("operation", otel.name = name, tags = %Pairs(tags))
}

/// Writes one line with its fields.
pub fn log_structured(level: LogLevel, message: &str, fields: &[(&str, &str)]) {
    let fields = Pairs(fields);
    match level {
        LogLevel::Trace => tracing::trace!(%fields, "{message}"),
        LogLevel::Debug => tracing::debug!(%fields, "{message}"),
        LogLevel::Info => tracing::info!(%fields, "{message}"),
        LogLevel::Warn => tracing::warn!(%fields, "{message}"),
        LogLevel::Error => tracing::error!(%fields, "{message}"),
    }
}

struct Pairs<'a>(&'a [(&'a str, &'a str)]);

impl fmt::Display for Pairs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | ':' | '+');
        for (n, (key, value)) in self.0.iter().enumerate() {
            let space = if n == 0 { "" } else { " " };
            if !value.is_empty() && value.chars().all(is_plain) {
                write!(f, "{space}{key}={value}")?;
            } else {
                write!(f, "{space}{key}={value:?}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parking_lot::Mutex;
    use std::io::Write;
    use std::sync::Arc;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_has_its_level_its_span_and_its_fields() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_ansi(false)
            .without_time()
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let span = start_span("mysql.query", &[("db.system.name", "mysql")]);
            let _inside = span.enter();
            log_structured(
                LogLevel::Warn,
                "slow",
                &[("ms", "1200"), ("shape", "SELECT ?\nkey=x"), ("none", "")],
            );
            log_structured(LogLevel::Trace, "not shown", &[]);
        });
        let text = String::from_utf8(lines.0.lock().clone()).expect("text");
        assert_eq!(
            text.trim(),
            "WARN operation{otel.name=\"mysql.query\" tags=db.system.name=mysql}: \
             rustydb_telemetry::spans: slow fields=ms=1200 shape=\"SELECT ?\\nkey=x\" none=\"\""
        );
    }
}
