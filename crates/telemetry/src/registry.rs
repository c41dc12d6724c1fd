//! The list of instruments of one database.
//!
//! Families (a name with its help and kind) hold series (one per set of labels). Asking again for the
//! same name and labels gives the same instrument, so two owners may share one.
//!
//! Names and labels are fixed by our own code, never by what a client sends: that keeps the number of
//! series bounded, and makes a bad name a defect. A defect must not stop a server, so it yields an
//! instrument that works but is not shown, and is listed in [`Registry::conflicts`], which a test of the
//! whole product asserts to be empty.
//!
//! Names and labels may have dots, as OpenTelemetry writes them (`mysql.queries.latency_ms`, `db.system.name`).
//! [`Registry::samples`] gives them as they are; Prometheus' text has an underscore for each dot, so a name
//! with dots and the same name with underscores are one.
//!
//! [`Registry::emit_metric`] takes names and tags that are only known at run time. There a bound holds: beyond
//! [`MOST_SERIES`] no new series is made.
//!
//! The one lock (`families`) is taken to register and to render, never to record. Functions given to
//! `*_from` run under it, so they must not register instruments.

use crate::counter::{Counter, Gauge};
use crate::histogram::{Histogram, Summary, Unit};
use crate::text;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A function read at scrape time.
pub(crate) type Reading = Arc<dyn Fn() -> f64 + Send + Sync>;

/// One instrument as the registry keeps it.
#[derive(Clone)]
pub(crate) enum Instrument {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram, Unit),
    Reading(Reading),
}

/// The kind of a family, as its TYPE line says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

pub(crate) struct Family {
    /// As it was registered, dots and all
    name: String,
    pub(crate) help: String,
    pub(crate) kind: Kind,
    /// By rendered labels, so that the output has a fixed order
    pub(crate) series: BTreeMap<String, Series>,
}

pub(crate) struct Series {
    labels: Vec<(String, String)>,
    pub(crate) instrument: Instrument,
}

/// Series that [`Registry::emit_metric`] makes at most, counted over all families.
pub const MOST_SERIES: usize = 10_000;

/// What one instrument held at one moment.
#[derive(Debug, Clone)]
pub struct Sample {
    /// As it was registered, dots and all
    pub name: String,
    /// As they were registered, in their order
    pub labels: Vec<(String, String)>,
    /// What it held
    pub value: SampleValue,
}

/// What an instrument held.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum SampleValue {
    /// A total
    Counter(f64),
    /// A level
    Gauge(f64),
    /// A spread, of nanoseconds or of plain numbers
    Histogram(Summary),
}

impl SampleValue {
    /// The total, the level, or how many records the spread has.
    pub fn number(&self) -> f64 {
        match self {
            SampleValue::Counter(number) | SampleValue::Gauge(number) => *number,
            SampleValue::Histogram(summary) => summary.count as f64,
        }
    }
}

/// Why an instrument is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Conflict {
    /// The name, or the name of a label, is not one that Prometheus takes
    InvalidName,
    /// The name is of another kind already, or its series is read from somewhere else
    Taken,
    /// There are [`MOST_SERIES`] series
    TooMany,
}

#[derive(Default)]
struct Families {
    /// By the name that Prometheus' text has
    by_name: BTreeMap<String, Family>,
    series: usize,
    conflicts: Vec<(String, Conflict)>,
}

impl Families {
    /// Notes a defect of the caller. Only so many: names may come from a loop.
    fn conflict(&mut self, name: &str, conflict: Conflict) {
        if self.conflicts.len() < 100 {
            self.conflicts.push((name.to_owned(), conflict));
        }
    }
}

/// The instruments of one database. Clones share them.
#[derive(Clone, Default)]
pub struct Registry {
    families: Arc<Mutex<Families>>,
}

impl Registry {
    /// An empty registry.
    pub fn new() -> Registry {
        Registry::default()
    }

    /// The counter of this name and these labels. Prometheus expects the name to end in `_total`.
    pub fn counter(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Counter {
        let fresh = Counter::default();
        match self.register(name, help, labels, Kind::Counter, Instrument::Counter(fresh.clone())) {
            Some(Instrument::Counter(counter)) => counter,
            _ => fresh,
        }
    }

    /// The gauge of this name and these labels.
    pub fn gauge(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Gauge {
        let fresh = Gauge::default();
        match self.register(name, help, labels, Kind::Gauge, Instrument::Gauge(fresh.clone())) {
            Some(Instrument::Gauge(gauge)) => gauge,
            _ => fresh,
        }
    }

    /// The histogram of durations of this name and these labels, shown in seconds; the name should end in
    /// `_seconds`.
    pub fn histogram(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Histogram {
        self.spread(name, help, labels, Unit::Nanoseconds)
    }

    /// The histogram of durations of this name and these labels, shown in milliseconds; the name should end
    /// in `_ms`.
    pub fn histogram_ms(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Histogram {
        self.spread(name, help, labels, Unit::Milliseconds)
    }

    /// The histogram of plain numbers of this name and these labels (rows, bytes, members of a group).
    pub fn distribution(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Histogram {
        self.spread(name, help, labels, Unit::Plain)
    }

    /// Shows a histogram of durations that is recorded under another name, in seconds: one record serves both.
    pub fn histogram_from(&self, name: &str, help: &str, labels: &[(&str, &str)], histogram: &Histogram) {
        let shown = Instrument::Histogram(histogram.clone(), Unit::Nanoseconds);
        self.register(name, help, labels, Kind::Histogram, shown);
    }

    /// Shows a total that somebody keeps already; `read` runs at each scrape and must only read.
    pub fn counter_from<F>(&self, name: &str, help: &str, labels: &[(&str, &str)], read: F)
    where
        F: Fn() -> f64 + Send + Sync + 'static,
    {
        self.register(name, help, labels, Kind::Counter, Instrument::Reading(Arc::new(read)));
    }

    /// Shows a level that somebody keeps already; `read` runs at each scrape and must only read.
    pub fn gauge_from<F>(&self, name: &str, help: &str, labels: &[(&str, &str)], read: F)
    where
        F: Fn() -> f64 + Send + Sync + 'static,
    {
        self.register(name, help, labels, Kind::Gauge, Instrument::Reading(Arc::new(read)));
    }

    /// Records `value` in the instrument of this name and these tags: adds it to a counter, sets a gauge,
    /// records it in a histogram, in the unit that the histogram is shown in. A name that nobody registered
    /// becomes a gauge. For names known only at run time: it looks the instrument up, under the lock. A value
    /// that is negative or no number changes no counter and no histogram.
    pub fn emit_metric(&self, name: &str, value: f64, tags: &[(&str, &str)]) {
        let instrument = self.find_or_make(name, tags);
        let whole = if value > 0.0 { value.round() as u64 } else { 0 };
        match instrument {
            Some(Instrument::Counter(counter)) => counter.inc(whole),
            Some(Instrument::Gauge(gauge)) if !value.is_nan() => gauge.set(value.round() as i64),
            Some(Instrument::Histogram(histogram, unit)) if value >= 0.0 => {
                histogram.record_value((value * unit.scale()).round() as u64);
            }
            _ => {}
        }
    }

    /// The instrument of a family and these tags, made if there is room.
    fn find_or_make(&self, name: &str, tags: &[(&str, &str)]) -> Option<Instrument> {
        let mut families = self.families.lock();
        let families = &mut *families;
        let (shown, labels) = (text::shown_name(name), text::labels(tags));
        let family = families.by_name.get(&shown);
        if let Some(series) = family.and_then(|family| family.series.get(&labels)) {
            return Some(series.instrument.clone());
        }
        if !are_valid(name, tags) {
            families.conflict(name, Conflict::InvalidName);
            return None;
        }
        if families.series >= MOST_SERIES {
            families.conflict(name, Conflict::TooMany);
            return None;
        }
        let instrument = match family {
            None => Instrument::Gauge(Gauge::default()),
            Some(family) => match (family.kind, family.series.values().next().map(|s| &s.instrument)) {
                (Kind::Counter, _) => Instrument::Counter(Counter::default()),
                (Kind::Gauge, _) => Instrument::Gauge(Gauge::default()),
                (Kind::Histogram, Some(Instrument::Histogram(_, unit))) => {
                    Instrument::Histogram(Histogram::default(), *unit)
                }
                (Kind::Histogram, _) => Instrument::Histogram(Histogram::default(), Unit::Plain),
            },
        };
        families.series += 1;
        let family = families.by_name.entry(shown).or_insert_with(|| Family {
            name: name.to_owned(),
            help: String::new(),
            kind: Kind::Gauge,
            series: BTreeMap::new(),
        });
        family.series.insert(labels, Series { labels: owned(tags), instrument: instrument.clone() });
        Some(instrument)
    }

    /// What every instrument holds now, by the names that they were registered with.
    pub fn samples(&self) -> Vec<Sample> {
        let families = self.families.lock();
        let mut samples = Vec::new();
        for family in families.by_name.values() {
            for series in family.series.values() {
                let value = match (&series.instrument, family.kind) {
                    (Instrument::Counter(counter), _) => SampleValue::Counter(counter.get() as f64),
                    (Instrument::Gauge(gauge), _) => SampleValue::Gauge(gauge.get() as f64),
                    (Instrument::Histogram(histogram, _), _) => SampleValue::Histogram(histogram.summary()),
                    (Instrument::Reading(read), Kind::Counter) => SampleValue::Counter(read()),
                    (Instrument::Reading(read), _) => SampleValue::Gauge(read()),
                };
                samples.push(Sample { name: family.name.clone(), labels: series.labels.clone(), value });
            }
        }
        samples
    }

    /// Every instrument in Prometheus' text format 0.0.4, families and series in a fixed order.
    pub fn render(&self) -> String {
        let families = self.families.lock();
        let mut out = String::with_capacity(16 * 1024);
        for (name, family) in &families.by_name {
            text::write_family(&mut out, name, family);
        }
        out
    }

    /// The instruments that are not shown, with the reason: defects of the caller.
    pub fn conflicts(&self) -> Vec<(String, Conflict)> {
        self.families.lock().conflicts.clone()
    }

    fn spread(&self, name: &str, help: &str, labels: &[(&str, &str)], unit: Unit) -> Histogram {
        let fresh = Histogram::default();
        let instrument = Instrument::Histogram(fresh.clone(), unit);
        match self.register(name, help, labels, Kind::Histogram, instrument) {
            Some(Instrument::Histogram(histogram, _)) => histogram,
            _ => fresh,
        }
    }

    /// Files `fresh`, or finds the one that is there. None when it cannot be shown.
    fn register(
        &self,
        name: &str,
        help: &str,
        labels: &[(&str, &str)],
        kind: Kind,
        fresh: Instrument,
    ) -> Option<Instrument> {
        let mut families = self.families.lock();
        let families = &mut *families;
        if !are_valid(name, labels) {
            families.conflict(name, Conflict::InvalidName);
            return None;
        }
        let shown = text::shown_name(name);
        let family = families.by_name.entry(shown.clone()).or_insert_with(|| Family {
            name: name.to_owned(),
            help: help.to_owned(),
            kind,
            series: BTreeMap::new(),
        });
        let series = &mut families.series;
        let found = family.series.entry(text::labels(labels)).or_insert_with(|| {
            *series += 1;
            Series { labels: owned(labels), instrument: fresh.clone() }
        });
        let same = match (&found.instrument, &fresh) {
            (Instrument::Histogram(_, a), Instrument::Histogram(_, b)) => a == b,
            (Instrument::Reading(a), Instrument::Reading(b)) => Arc::ptr_eq(a, b),
            (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
        };
        if family.kind == kind && same {
            return Some(found.instrument.clone());
        }
        if family.series.is_empty() {
            families.by_name.remove(&shown);
        }
        families.conflict(name, Conflict::Taken);
        None
    }
}

fn are_valid(name: &str, labels: &[(&str, &str)]) -> bool {
    text::is_metric_name(name) && labels.iter().all(|(label, _)| text::is_label_name(label))
}

fn owned(labels: &[(&str, &str)]) -> Vec<(String, String)> {
    labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("families", &self.families.lock().by_name.len()).finish()
    }
}
