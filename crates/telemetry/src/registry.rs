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
//! The one lock (`families`) is taken to register and to render, never to record. Functions given to
//! `*_from` run under it, so they must not register instruments.

use crate::counter::{Counter, Gauge};
use crate::histogram::{Histogram, Unit};
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
    pub(crate) help: String,
    pub(crate) kind: Kind,
    /// By rendered labels, so that the output has a fixed order
    pub(crate) series: BTreeMap<String, Instrument>,
}

/// Why an instrument is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Conflict {
    /// The name, or the name of a label, is not one that Prometheus takes
    InvalidName,
    /// The name is of another kind already, or its series is read from somewhere else
    Taken,
}

#[derive(Default)]
struct Families {
    by_name: BTreeMap<String, Family>,
    conflicts: Vec<(String, Conflict)>,
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

    /// The histogram of plain numbers of this name and these labels (rows, bytes, members of a group).
    pub fn distribution(&self, name: &str, help: &str, labels: &[(&str, &str)]) -> Histogram {
        self.spread(name, help, labels, Unit::Plain)
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
        if !text::is_metric_name(name) || !labels.iter().all(|(label, _)| text::is_label_name(label)) {
            families.conflicts.push((name.to_owned(), Conflict::InvalidName));
            return None;
        }
        let family = families.by_name.entry(name.to_owned()).or_insert_with(|| Family {
            help: help.to_owned(),
            kind,
            series: BTreeMap::new(),
        });
        let found = family.series.entry(text::labels(labels)).or_insert_with(|| fresh.clone());
        let same = match (&*found, &fresh) {
            (Instrument::Histogram(_, a), Instrument::Histogram(_, b)) => a == b,
            (Instrument::Reading(a), Instrument::Reading(b)) => Arc::ptr_eq(a, b),
            (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
        };
        if family.kind == kind && same {
            return Some(found.clone());
        }
        if family.series.is_empty() {
            families.by_name.remove(name);
        }
        families.conflicts.push((name.to_owned(), Conflict::Taken));
        None
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("families", &self.families.lock().by_name.len()).finish()
    }
}
