//! The text format, line by line, and what happens to instruments that cannot be shown.

use rustydb_telemetry::{Conflict, Registry};
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
