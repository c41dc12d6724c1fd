//! The spread of a latency or a size, in log-linear buckets.
//!
//! Each power of two is cut into 16 equal buckets, so a quantile is off by at most 1/16 of its value at
//! any size, from nanoseconds to hours, in a fixed 976 buckets (7.6 KiB a shard):
//!
//! ```text
//! value   0  1 .. 15 | 16 17 .. 31 | 32 34 36 .. 62 | 64 68 72 ..
//! bucket  0  1 .. 15 | 16 17 .. 31 | 32 33 34 .. 47 | 48 49 50 ..      index = (octave - 4) * 16 + top five bits
//! ```
//!
//! Invariants: buckets are contiguous and ordered; `count` is the sum of all buckets, never a number of
//! its own that could disagree with them. A record is two relaxed adds (bucket, sum) plus a maximum that
//! is written only when it is beaten. Shards are made at their first use, so an instrument that one thread
//! records in costs one shard.

use crate::shard::{Padded, SHARDS, current};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// log2 of the buckets per power of two.
const PRECISION: u32 = 4;
const SUB: usize = 1 << PRECISION;
const BUCKETS: usize = (64 - PRECISION as usize) * SUB + SUB;

/// What the recorded numbers are, which decides how they are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Nanoseconds, shown in seconds
    Nanoseconds,
    /// Nanoseconds, shown in milliseconds
    Milliseconds,
    /// Plain numbers
    Plain,
}

impl Unit {
    /// How many recorded ones make one that is shown.
    pub(crate) fn scale(self) -> f64 {
        match self {
            Unit::Nanoseconds => 1e9,
            Unit::Milliseconds => 1e6,
            Unit::Plain => 1.0,
        }
    }
}

struct Shard {
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
    max: AtomicU64,
}

impl Shard {
    fn new() -> Shard {
        Shard {
            buckets: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
            max: AtomicU64::new(0),
        }
    }
}

/// A histogram of durations or sizes. Clones share the records.
#[derive(Clone, Default)]
pub struct Histogram {
    shards: Arc<[Padded<OnceLock<Shard>>; SHARDS]>,
}

impl Histogram {
    /// Records a duration, in nanoseconds.
    #[inline]
    pub fn record(&self, duration: Duration) {
        self.record_value(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Records a plain number (bytes, rows, members of a group).
    #[inline]
    pub fn record_value(&self, value: u64) {
        let shard = self.shards[current()].0.get_or_init(Shard::new);
        shard.buckets[bucket_of(value)].fetch_add(1, Ordering::Relaxed);
        shard.sum.fetch_add(value, Ordering::Relaxed);
        if value > shard.max.load(Ordering::Relaxed) {
            shard.max.fetch_max(value, Ordering::Relaxed);
        }
    }

    /// A copy of everything recorded so far, to read quantiles from.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary { buckets: vec![0; BUCKETS], count: 0, sum: 0, max: 0 };
        for shard in self.shards.iter().filter_map(|shard| shard.0.get()) {
            for (total, bucket) in summary.buckets.iter_mut().zip(&shard.buckets) {
                let n = bucket.load(Ordering::Relaxed);
                *total += n;
                summary.count += n;
            }
            summary.sum = summary.sum.wrapping_add(shard.sum.load(Ordering::Relaxed));
            summary.max = summary.max.max(shard.max.load(Ordering::Relaxed));
        }
        summary
    }
}

impl std::fmt::Debug for Histogram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let summary = self.summary();
        f.debug_struct("Histogram").field("count", &summary.count).field("sum", &summary.sum).finish()
    }
}

/// What a histogram held at one moment.
#[derive(Debug, Clone)]
pub struct Summary {
    buckets: Vec<u64>,
    /// Number of records
    pub count: u64,
    /// Sum of all records, in their unit; wraps at 2^64
    pub sum: u64,
    /// Largest record, exact
    pub max: u64,
}

impl Summary {
    /// The value that the fraction `q` (0 to 1) of records do not exceed: the upper end of its bucket, at
    /// most 1/16 too high, never above the largest record. 0 when nothing is recorded.
    pub fn quantile(&self, q: f64) -> u64 {
        let rank = ((self.count as f64 * q.clamp(0.0, 1.0)).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, n) in self.buckets.iter().enumerate() {
            seen += n;
            if seen >= rank {
                return highest_in(index).min(self.max);
            }
        }
        0
    }

    /// How many records are at most `bound`, counting a bucket only when it lies wholly below.
    pub(crate) fn at_most(&self, bound: u64) -> u64 {
        self.buckets.iter().enumerate().take_while(|(i, _)| highest_in(*i) <= bound).map(|(_, n)| n).sum()
    }
}

#[inline]
fn bucket_of(value: u64) -> usize {
    if value < SUB as u64 {
        return value as usize;
    }
    let octave = 63 - value.leading_zeros();
    let within = (value >> (octave - PRECISION)) as usize & (SUB - 1);
    (octave - PRECISION + 1) as usize * SUB + within
}

/// The largest value that falls into bucket `index`.
fn highest_in(index: usize) -> u64 {
    if index < SUB {
        return index as u64;
    }
    let shift = (index / SUB - 1) as u32;
    let lowest = ((SUB + index % SUB) as u64) << shift;
    lowest + ((1u64 << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bucket_begins_where_the_last_one_ended() {
        let mut next = 0u64;
        for index in 0..BUCKETS {
            assert_eq!(bucket_of(next), index, "lowest of bucket {index}");
            let highest = highest_in(index);
            assert_eq!(bucket_of(highest), index, "highest of bucket {index}");
            if index + 1 < BUCKETS {
                next = highest + 1;
            } else {
                assert_eq!(highest, u64::MAX);
            }
        }
    }

    #[test]
    fn quantiles_are_within_a_sixteenth() {
        let histogram = Histogram::default();
        (1..=100_000u64).for_each(|n| histogram.record_value(n));
        let summary = histogram.summary();
        for (q, exact) in [(0.5, 50_000.0), (0.95, 95_000.0), (0.99, 99_000.0), (1.0, 100_000.0)] {
            let found = summary.quantile(q) as f64;
            assert!(found >= exact && found <= exact * (1.0 + 1.0 / 16.0), "q{q}: {found} for {exact}");
        }
        assert_eq!((summary.count, summary.sum, summary.max), (100_000, 5_000_050_000, 100_000));
    }

    #[test]
    fn extremes_are_counted_and_not_lost() {
        let histogram = Histogram::default();
        assert_eq!(histogram.summary().quantile(0.5), 0);
        histogram.record(Duration::MAX);
        histogram.record(Duration::ZERO);
        let summary = histogram.summary();
        assert_eq!((summary.quantile(0.0), summary.quantile(1.0)), (0, u64::MAX));
        assert_eq!(summary.at_most(u64::MAX), 2);
    }

    #[test]
    fn threads_beyond_the_shards_lose_no_record() {
        let histogram = Histogram::default();
        std::thread::scope(|scope| {
            for _ in 0..SHARDS * 2 {
                scope.spawn(|| (0..500).for_each(|n| histogram.record_value(n)));
            }
        });
        assert_eq!(histogram.summary().count, (SHARDS * 2 * 500) as u64);
    }
}
