//! Totals and levels.
//!
//! A [`Counter`] is sharded per thread because hot paths add to it; a [`Gauge`] is one number because a
//! level has to be readable at once and is changed at the slower pace of connections and transactions.

use crate::shard::{Padded, SHARDS, current};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// A total that only grows. Clones share the total.
#[derive(Debug, Clone, Default)]
pub struct Counter {
    shards: Arc<[Padded<AtomicU64>; SHARDS]>,
}

impl Counter {
    /// Adds `n`. Wraps at 2^64, which Prometheus reads as a restart.
    #[inline]
    pub fn inc(&self, n: u64) {
        self.shards[current()].0.fetch_add(n, Ordering::Relaxed);
    }

    /// The total so far.
    pub fn get(&self) -> u64 {
        self.shards.iter().fold(0, |sum: u64, shard| sum.wrapping_add(shard.0.load(Ordering::Relaxed)))
    }
}

/// A level that goes up and down. Clones share the level.
#[derive(Debug, Clone, Default)]
pub struct Gauge {
    level: Arc<AtomicI64>,
}

impl Gauge {
    /// Raises the level by `n`.
    #[inline]
    pub fn add(&self, n: i64) {
        self.level.fetch_add(n, Ordering::Relaxed);
    }

    /// Lowers the level by `n`.
    #[inline]
    pub fn sub(&self, n: i64) {
        self.level.fetch_sub(n, Ordering::Relaxed);
    }

    /// Sets the level.
    #[inline]
    pub fn set(&self, level: i64) {
        self.level.store(level, Ordering::Relaxed);
    }

    /// The level now.
    pub fn get(&self) -> i64 {
        self.level.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counter_loses_no_add_among_more_threads_than_shards() {
        let counter = Counter::default();
        std::thread::scope(|scope| {
            for _ in 0..SHARDS * 3 {
                scope.spawn(|| (0..1_000).for_each(|_| counter.inc(2)));
            }
        });
        assert_eq!(counter.get(), (SHARDS * 3 * 1_000 * 2) as u64);
    }

    #[test]
    fn counter_wraps_instead_of_failing() {
        let counter = Counter::default();
        counter.inc(u64::MAX);
        counter.inc(2);
        assert_eq!(counter.get(), 1);
    }

    #[test]
    fn gauge_goes_below_zero_and_back() {
        let gauge = Gauge::default();
        gauge.add(2);
        gauge.sub(5);
        assert_eq!(gauge.get(), -3);
        gauge.clone().set(7);
        assert_eq!(gauge.get(), 7);
    }
}
