//! The text format, line by line, and what happens to instruments that cannot be shown.

use rustydb_telemetry::{Conflict, MOST_SERIES, Registry};
use std::time::Duration;

#[test]
fn counters_and_gauges_render_with_help_type_and_labels() {
    let registry = Registry::new();
    registry.counter("statements_total", "Statements", &[("kind", "select")]).inc(3);
    registry.counter("statements_total", "Statements", &[("kind", "insert")]).inc(1);
    registry.gauge("connections", "Open connections", &[]).set(-2);
    registry.gauge_from("hit_ratio", "Hits\nof reads", &[], || 0.25);
    registry.counter_from("pages_total", "Pages", &[], || 9.0);
    assert_eq!(
        registry.render(),
        "# HELP connections Open connections\n# TYPE connections gauge\nconnections -2\n\
         # HELP hit_ratio Hits\\nof reads\n# TYPE hit_ratio gauge\nhit_ratio 0.25\n\
         # HELP pages_total Pages\n# TYPE pages_total counter\npages_total 9\n\
         # HELP statements_total Statements\n# TYPE statements_total counter\n\
         statements_total{kind=\"insert\"} 1\nstatements_total{kind=\"select\"} 3\n"
    );
}

#[test]
fn the_same_name_and_labels_share_one_instrument() {
    let registry = Registry::new();
    registry.counter("a_total", "A", &[("x", "1")]).inc(1);
    registry.clone().counter("a_total", "A", &[("x", "1")]).inc(1);
    assert!(registry.render().contains("a_total{x=\"1\"} 2\n"));
    assert!(registry.conflicts().is_empty());
}

#[test]
fn label_values_are_escaped() {
    let registry = Registry::new();
    registry.counter("a_total", "A", &[("text", "say \"hi\"\\\n")]).inc(1);
    assert!(registry.render().contains("a_total{text=\"say \\\"hi\\\"\\\\\\n\"} 1\n"));
}

#[test]
fn histogram_buckets_are_cumulative_and_in_seconds() {
    let registry = Registry::new();
    let latency = registry.histogram("wait_seconds", "Waits", &[("lock", "row")]);
    latency.record(Duration::from_nanos(1_000));
    latency.record(Duration::from_nanos(1_500));
    latency.record(Duration::from_secs(100));
    let text = registry.render();
    assert!(text.contains("wait_seconds_bucket{lock=\"row\",le=\"0.000001024\"} 1\n"), "{text}");
    assert!(text.contains("wait_seconds_bucket{lock=\"row\",le=\"0.000002048\"} 2\n"), "{text}");
    assert!(text.contains("wait_seconds_bucket{lock=\"row\",le=\"68.719476736\"} 2\n"), "{text}");
    assert!(text.contains("wait_seconds_bucket{lock=\"row\",le=\"+Inf\"} 3\n"), "{text}");
    assert!(text.contains("wait_seconds_count{lock=\"row\"} 3\n"), "{text}");
    assert!(text.contains("wait_seconds_sum{lock=\"row\"} 100.0000025\n"), "{text}");
}

#[test]
fn small_sizes_are_counted_exactly() {
    let registry = Registry::new();
    let groups = registry.distribution("group_size", "Commits per flush", &[]);
    [1, 1, 2, 3, 4].into_iter().for_each(|n| groups.record_value(n));
    let text = registry.render();
    for line in ["le=\"1\"} 2\n", "le=\"2\"} 3\n", "le=\"4\"} 5\n"] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[test]
fn a_name_that_cannot_be_shown_still_counts_and_is_reported() {
    let registry = Registry::new();
    let bad = registry.counter("9 lives", "Cats", &[]);
    bad.inc(9);
    assert_eq!(bad.get(), 9);
    registry.gauge("depth", "Depth", &[]);
    registry.counter("depth", "Depth", &[]).inc(1);
    registry.gauge_from("level", "Level", &[], || 1.0);
    registry.gauge_from("level", "Level", &[], || 2.0);
    registry.gauge("other", "Reserved label", &[("le", "1")]);
    assert_eq!(
        registry.conflicts(),
        [
            ("9 lives".to_owned(), Conflict::InvalidName),
            ("depth".to_owned(), Conflict::Taken),
            ("level".to_owned(), Conflict::Taken),
            ("other".to_owned(), Conflict::InvalidName),
        ]
    );
    assert_eq!(
        registry.render(),
        "# HELP depth Depth\n# TYPE depth gauge\ndepth 0\n\
         # HELP level Level\n# TYPE level gauge\nlevel 1\n"
    );
}

#[test]
fn names_with_dots_keep_them_for_readers_and_lose_them_for_prometheus() {
    let registry = Registry::new();
    registry.counter("mysql.queries.count", "Queries", &[("db.operation.name", "select")]).inc(2);
    let latency = registry.histogram_ms("mysql.queries.latency_ms", "Latency", &[]);
    latency.record(Duration::from_millis(3));
    let text = registry.render();
    assert!(text.contains("mysql_queries_count{db_operation_name=\"select\"} 2\n"), "{text}");
    assert!(text.contains("mysql_queries_latency_ms_sum 3\n"), "{text}");
    assert!(text.contains("mysql_queries_latency_ms_bucket{le=\"4.194304\"} 1\n"), "{text}");
    let samples = registry.samples();
    assert_eq!(samples[0].name, "mysql.queries.count");
    assert_eq!(samples[0].labels, [("db.operation.name".to_owned(), "select".to_owned())]);
    assert_eq!((samples[0].value.number(), samples[1].value.number()), (2.0, 1.0));
    registry.gauge("mysql_queries_count", "The same to Prometheus", &[]);
    for bad in ["mysql..x", ".x", "x.", "1.x"] {
        registry.counter(bad, "Bad", &[]);
    }
    let reasons: Vec<_> = registry.conflicts().into_iter().map(|(_, reason)| reason).collect();
    assert_eq!(reasons[0], Conflict::Taken);
    assert_eq!(reasons[1..], [Conflict::InvalidName; 4]);
}

#[test]
fn a_metric_emitted_by_name_reaches_the_instrument_of_its_kind() {
    let registry = Registry::new();
    let counter = registry.counter("a.count", "A", &[]);
    let latency = registry.histogram_ms("a.latency_ms", "A", &[]);
    registry.emit_metric("a.count", 3.0, &[]);
    registry.emit_metric("a.count", -3.0, &[]);
    registry.emit_metric("a.count", f64::NAN, &[]);
    registry.emit_metric("a.count", 4.0, &[("kind", "x")]);
    registry.emit_metric("a.latency_ms", 1.5, &[]);
    registry.emit_metric("a.level", -2.0, &[]);
    assert_eq!((counter.get(), latency.summary().max), (3, 1_500_000));
    let text = registry.render();
    assert!(text.contains("a_count{kind=\"x\"} 4\n") && text.contains("a_level -2\n"), "{text}");
    assert!(registry.conflicts().is_empty());
}

#[test]
fn series_made_at_run_time_have_a_bound() {
    let registry = Registry::new();
    for n in 0..MOST_SERIES + 500 {
        registry.emit_metric("a.level", 1.0, &[("n", &n.to_string())]);
    }
    assert_eq!(registry.samples().len(), MOST_SERIES);
    let conflicts = registry.conflicts();
    assert!(conflicts.len() <= 100 && conflicts.iter().all(|(_, reason)| *reason == Conflict::TooMany));
    registry.emit_metric("a.level", 7.0, &[("n", "5")]);
    assert!(registry.render().contains("a_level{n=\"5\"} 7\n"), "those that are there go on");
}
