//! Prometheus' text exposition format, version 0.0.4.
//!
//! A histogram is shown with one bucket per power of two over the range that has a meaning (1 us to 67 s
//! for durations, 1 to 1,048,576 for sizes): the fine buckets stay inside, where quantiles are read.

use crate::histogram::{Histogram, Unit};
use crate::registry::{Family, Instrument, Kind};
use std::fmt::Write;

/// A name as the format takes it: an underscore for each dot.
pub(crate) fn shown_name(name: &str) -> String {
    name.replace('.', "_")
}

/// Whether `name` matches `[a-zA-Z_:][a-zA-Z0-9_:]*`, with single dots between parts.
pub(crate) fn is_metric_name(name: &str) -> bool {
    is_name(name, |c| c == ':')
}

/// Whether `name` matches `[a-zA-Z_][a-zA-Z0-9_]*`, with single dots between parts, and is not one that the format writes itself.
pub(crate) fn is_label_name(name: &str) -> bool {
    is_name(name, |_| false) && name != "le" && !name.starts_with("__")
}

fn is_name(name: &str, also: impl Fn(char) -> bool) -> bool {
    let is_part = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || also(c))
    };
    !name.starts_with(|c: char| c.is_ascii_digit()) && name.split('.').all(is_part)
}

/// Labels without their braces: `kind="select",door="mysql"`.
pub(crate) fn labels(labels: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (name, value) in labels {
        if !out.is_empty() {
            out.push(',');
        }
        let _ = write!(out, "{}=\"", shown_name(name));
        escape(&mut out, value, true);
        out.push('"');
    }
    out
}

fn escape(out: &mut String, text: &str, quotes: bool) {
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if quotes => out.push_str("\\\""),
            _ => out.push(c),
        }
    }
}

/// Writes HELP, TYPE and every series of one family.
pub(crate) fn write_family(out: &mut String, name: &str, family: &Family) {
    let _ = write!(out, "# HELP {name} ");
    escape(out, &family.help, false);
    let kind = match family.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    let _ = writeln!(out, "\n# TYPE {name} {kind}");
    for (labels, series) in &family.series {
        match &series.instrument {
            Instrument::Counter(counter) => write_sample(out, name, "", labels, counter.get()),
            Instrument::Gauge(gauge) => write_sample(out, name, "", labels, gauge.get()),
            Instrument::Reading(read) => write_sample(out, name, "", labels, Number(read())),
            Instrument::Histogram(histogram, unit) => write_histogram(out, name, labels, histogram, *unit),
        }
    }
}

fn write_histogram(out: &mut String, name: &str, labels: &str, histogram: &Histogram, unit: Unit) {
    let summary = histogram.summary();
    let scale = unit.scale();
    let powers = match unit {
        Unit::Nanoseconds | Unit::Milliseconds => 10..=36,
        Unit::Plain => 0..=20,
    };
    let comma = if labels.is_empty() { "" } else { "," };
    for power in powers {
        let bound = 1u64 << power;
        // From 32 on a fine bucket begins at each power of two, so the bound itself counts as above.
        let within = summary.at_most(bound);
        let le = Number(bound as f64 / scale);
        let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"{le}\"}} {within}");
    }
    let _ = writeln!(out, "{name}_bucket{{{labels}{comma}le=\"+Inf\"}} {}", summary.count);
    write_sample(out, name, "_sum", labels, Number(summary.sum as f64 / scale));
    write_sample(out, name, "_count", labels, summary.count);
}

fn write_sample(out: &mut String, name: &str, suffix: &str, labels: &str, value: impl std::fmt::Display) {
    let _ = match labels {
        "" => writeln!(out, "{name}{suffix} {value}"),
        _ => writeln!(out, "{name}{suffix}{{{labels}}} {value}"),
    };
}

/// A float as the format spells it.
struct Number(f64);

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            n if n.is_nan() => f.write_str("NaN"),
            n if n == f64::INFINITY => f.write_str("+Inf"),
            n if n == f64::NEG_INFINITY => f.write_str("-Inf"),
            n => write!(f, "{n}"),
        }
    }
}
