//! The change log: what was committed, in the order of commits, with the rows before and after.
//!
//! ```text
//!   write-ahead log -> Follower (storage) -> Assembly: rows by transaction -> Consumer: at each commit, its rows
//! ```
//! It is no second log: consumers read the write-ahead log. Nothing is written for them, and one that is slow
//! holds nothing up. What is promised:
//!
//! - Every commit appears once, in the order of its number, with its rows in the order in which they were
//!   changed and nothing of what was taken back. Only what is durable appears.
//! - A [`Position`] can be kept and come back to, after a crash of the server or the consumer: what follows is
//!   what would have followed. Where the log no longer reaches back that far, [`Error::ChangeLogTruncated`]
//!   says so at once; there is never a gap.
//! - The log is kept by size and by age ([`ChangeLogOptions`]), in whole segments; what recovery needs is kept
//!   in any case. Age counts only the time in which the store was open, by the monotonic clock: no jump of the
//!   wall clock lets the log go.
//! - A consumer holds at most its limit in rows, and as much again for the transaction being read; larger
//!   transactions are read a second time from the log.
//!
//! Left to others: what a tree and its bytes mean (`rustydb-catalog`, `rustydb-sql`).

mod assembly;
mod consumer;
mod position;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustydb_storage::Lsn;
use rustydb_storage::sync::Mutex;
use rustydb_storage::wal::Mark;

pub use consumer::{Consumer, ConsumerOptions, RowChange, TransactionHead};
pub use position::{NoPosition, Position};

use crate::engine::Engine;
use crate::error::{Error, Result};

/// How long the log is kept for consumers: until either limit is passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangeLogOptions {
    /// Bytes of log, as it lies on the disk.
    pub bytes: u64,
    /// Time for which the store was open since.
    pub age: Duration,
}

impl Default for ChangeLogOptions {
    fn default() -> ChangeLogOptions {
        ChangeLogOptions { bytes: 1 << 30, age: Duration::from_secs(24 * 60 * 60) }
    }
}

/// Where a consumer begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the oldest commit that is kept.
    Oldest,
    /// With the next commit.
    Now,
    /// Behind what was seen before.
    After(Position),
    /// With the first commit that is not before this time, in microseconds since 1970 UTC.
    At(u64),
    /// Behind the commit with this number in its global transaction id.
    AfterNumber(u64),
}

/// Figures of the change log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChangeLogStatistics {
    /// The last commit before the oldest that is kept.
    pub oldest_csn: u64,
    /// That commit's time, in microseconds since 1970 UTC.
    pub oldest_time: u64,
    /// That commit's number in its global transaction id.
    pub oldest_number: u64,
    /// Bytes of log that are kept.
    pub bytes: u64,
    /// Consumers there are.
    pub consumers: usize,
    /// How many commits the slowest of them is behind.
    pub lag_commits: u64,
    /// How many bytes of log the slowest of them is behind.
    pub lag_bytes: u64,
}

/// How far each consumer is.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    consumers: Mutex<HashMap<u64, Arc<Progress>>>,
    next_id: AtomicU64,
}

#[derive(Debug, Default)]
struct Progress {
    csn: AtomicU64,
    read_to: AtomicU64,
}

/// The change log of an engine.
#[derive(Clone, Debug)]
pub struct ChangeLog {
    engine: Arc<Engine>,
}

impl ChangeLog {
    pub(crate) fn new(engine: Arc<Engine>) -> ChangeLog {
        ChangeLog { engine }
    }

    /// Begins to read.
    ///
    /// # Errors
    /// [`Error::ChangeLogTruncated`] when the log no longer reaches back that far;
    /// [`Error::ChangeLogPosition`] for a position of another store, or one that this store has not reached.
    pub fn subscribe(&self, start: Start, options: ConsumerOptions) -> Result<Consumer> {
        let (position, threshold) = match start {
            Start::Oldest => (self.oldest(), None),
            Start::Now => (self.now(), None),
            Start::After(position) => (position, None),
            Start::At(time) => (self.last_before(|mark| mark.time < time)?, Some(Start::At(time))),
            Start::AfterNumber(number) => {
                (self.last_before(|mark| mark.number <= number)?, Some(Start::AfterNumber(number)))
            }
        };
        self.check(&position)?;
        Ok(Consumer::new(self.engine.clone(), position, threshold, options))
    }

    /// The position behind the last commit that is visible.
    #[must_use]
    pub fn now(&self) -> Position {
        let log = self.engine.log();
        let mark = self.engine.commits.mark(log);
        // What is not durable yet may be lost and replaced: no position points behind it.
        self.position(&Mark { low: mark.low.min(log.durable()), ..mark })
    }

    /// The oldest position that can be read from.
    #[must_use]
    pub fn oldest(&self) -> Position {
        self.oldest_mark().map_or_else(|| self.now(), |mark| self.position(&mark))
    }

    fn oldest_mark(&self) -> Option<Mark> {
        let log = self.engine.log();
        let oldest = log.retained_from();
        let marks = log.segments().into_iter().filter_map(|(_, mark)| mark);
        marks.chain(log.newest_mark()).find(|mark| mark.low >= oldest)
    }

    /// The last position that is known to satisfy `is_before`.
    fn last_before(&self, is_before: impl Fn(&Mark) -> bool) -> Result<Position> {
        let log = self.engine.log();
        let oldest = log.retained_from();
        let marks = log.segments().into_iter().filter_map(|(_, mark)| mark);
        let found = marks.filter(|mark| mark.low >= oldest && is_before(mark)).last();
        // The very first mark has nothing before it, whatever is asked for.
        let found = found.or_else(|| self.oldest_mark().filter(|mark| mark.csn == 0));
        match found {
            Some(mark) => Ok(self.position(&mark)),
            None => Err(Error::ChangeLogTruncated { after: None, oldest: self.oldest().csn() }),
        }
    }

    fn position(&self, mark: &Mark) -> Position {
        Position { store: self.store(), csn: mark.csn, low: mark.low }
    }

    /// Tells stores apart.
    fn store(&self) -> u32 {
        crc32c::crc32c(&self.engine.store().database_id())
    }

    fn check(&self, position: &Position) -> Result<()> {
        let refuse = |detail: &str| Err(Error::ChangeLogPosition { detail: detail.to_owned() });
        let log = self.engine.log();
        if position.store != self.store() {
            return refuse("it is another store's");
        }
        // A commit that is durable may be seen here a moment before it is published.
        if position.csn > self.engine.commits.last().0 || position.low > log.durable() {
            return refuse("it is of a commit that this store has not seen");
        }
        if position.low < log.retained_from() {
            return Err(Error::ChangeLogTruncated { after: Some(position.csn), oldest: self.oldest().csn() });
        }
        Ok(())
    }

    /// Figures of now.
    #[must_use]
    pub fn statistics(&self) -> ChangeLogStatistics {
        let log = self.engine.log();
        let oldest = self.oldest_mark().unwrap_or_default();
        let (durable, visible) = (log.durable().0, self.engine.commits.visible());
        let consumers = self.engine.change_consumers.consumers.lock();
        let lag = |of: fn(&Progress) -> &AtomicU64, end: u64| {
            let slowest = consumers.values().map(|consumer| of(consumer).load(Ordering::Relaxed)).min();
            slowest.map_or(0, |slowest| end.saturating_sub(slowest))
        };
        ChangeLogStatistics {
            oldest_csn: oldest.csn,
            oldest_time: oldest.time,
            oldest_number: oldest.number,
            bytes: log.end().0.saturating_sub(log.retained_from().0),
            consumers: consumers.len(),
            lag_commits: lag(|consumer| &consumer.csn, visible),
            lag_bytes: lag(|consumer| &consumer.read_to, durable),
        }
    }
}

impl Engine {
    /// The change log.
    #[must_use]
    pub fn change_log(self: &Arc<Self>) -> ChangeLog {
        ChangeLog::new(self.clone())
    }

    /// From where on the log is kept for consumers.
    pub(crate) fn keep_change_log_from(&self, options: &ChangeLogOptions) -> Lsn {
        let log = self.log();
        let (end, now) = (log.end().0, self.commits.running());
        let limit = u64::try_from(options.age.as_micros()).unwrap_or(u64::MAX);
        let segments = log.segments();
        let mut keep = end;
        for (index, (first, _)) in segments.iter().enumerate().rev() {
            // What a segment holds is as old as what follows it.
            let ended = segments.get(index + 1).and_then(|(_, mark)| *mark).map(|mark| mark.running);
            let is_too_old = ended.is_some_and(|ended| now.saturating_sub(ended) > limit);
            if end.saturating_sub(first.0) > options.bytes || is_too_old {
                break;
            }
            keep = first.0;
        }
        Lsn(keep)
    }
}
