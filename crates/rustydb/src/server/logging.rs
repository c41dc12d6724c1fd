//! Where log lines go: standard error, as text for a person and as JSON for a program.
//!
//! Libraries speak through `tracing` and never choose; this is the one place that does. Levels may be given
//! by target (`info,rustydb_storage=debug`). Values of statements are never logged, whatever the level.

use crate::settings::LogFormat;
use std::io::IsTerminal;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// Starts logging for the whole process. The error is a sentence about `levels`, or says that somebody else
/// did it already.
pub(crate) fn start(format: LogFormat, levels: &str) -> Result<(), String> {
    let targets: Targets = levels.parse().map_err(|why| format!("--log-level '{levels}': {why}"))?;
    let terminal = std::io::stderr().is_terminal();
    let lines = match format {
        LogFormat::Text => lines(terminal),
        LogFormat::Auto if terminal => lines(terminal),
        LogFormat::Auto | LogFormat::Json => {
            fmt::layer().json().flatten_event(true).with_writer(std::io::stderr).boxed()
        }
    };
    tracing_subscriber::registry().with(lines.with_filter(targets)).try_init().map_err(|why| why.to_string())
}

fn lines<S>(colours: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
{
    fmt::layer().with_ansi(colours).with_writer(std::io::stderr).boxed()
}
