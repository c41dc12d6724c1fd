//! The moment by which everything that was asked has to be done.
//!
//! A deadline is passed down whole, never as a fresh timeout per step: three steps with a timeout of a
//! second each take up to three seconds, three steps with one deadline take one.

use std::time::Duration;
use tokio::time::Instant;

/// A moment in tokio's time, or never.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// None: never
    at: Option<Instant>,
}

/// The deadline passed before the work was done; the work was dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the deadline passed")]
pub struct DeadlineExceeded;

impl Deadline {
    /// No limit.
    pub const NEVER: Deadline = Deadline { at: None };

    /// `limit` from now. A limit beyond what the clock can count is no limit.
    pub fn after(limit: Duration) -> Deadline {
        Deadline { at: Instant::now().checked_add(limit) }
    }

    /// At this moment.
    pub fn at(moment: Instant) -> Deadline {
        Deadline { at: Some(moment) }
    }

    /// The moment; None when there is no limit.
    pub fn instant(&self) -> Option<Instant> {
        self.at
    }

    /// What comes first of the two.
    pub fn earlier(self, other: Deadline) -> Deadline {
        match (self.at, other.at) {
            (Some(a), Some(b)) => Deadline { at: Some(a.min(b)) },
            (at, None) | (None, at) => Deadline { at },
        }
    }

    /// This deadline, or `limit` from now if that comes first.
    pub fn within(self, limit: Duration) -> Deadline {
        self.earlier(Deadline::after(limit))
    }

    /// The time left: zero when it has passed, None when there is no limit.
    pub fn remaining(&self) -> Option<Duration> {
        self.at.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// Whether the moment has come.
    pub fn has_passed(&self) -> bool {
        self.at.is_some_and(|at| at <= Instant::now())
    }

    /// Whether a wait of `wait` from now ends before the deadline.
    pub fn allows(&self, wait: Duration) -> bool {
        match self.remaining() {
            Some(remaining) => wait < remaining,
            None => true,
        }
    }

    /// Runs `work` until it is done or the deadline passes, in which case it is dropped. Work that is ready
    /// at once is done even when the deadline has passed.
    pub async fn bound<F: Future>(self, work: F) -> Result<F::Output, DeadlineExceeded> {
        match self.at {
            Some(at) => tokio::time::timeout_at(at, work).await.map_err(|_| DeadlineExceeded),
            None => Ok(work.await),
        }
    }
}

impl Default for Deadline {
    fn default() -> Deadline {
        Deadline::NEVER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_beyond_the_deadline_is_dropped() {
        let begun = Instant::now();
        let deadline = Deadline::after(Duration::from_secs(1));
        assert_eq!(deadline.bound(std::future::pending::<()>()).await, Err(DeadlineExceeded));
        assert_eq!(begun.elapsed(), Duration::from_secs(1));
        assert!(deadline.has_passed());
        assert_eq!(deadline.bound(async { 7 }).await, Ok(7), "ready at once");
    }

    #[tokio::test(start_paused = true)]
    async fn the_earlier_of_two_counts_and_never_is_never() {
        let near = Deadline::after(Duration::from_secs(1));
        let far = Deadline::after(Duration::from_secs(9));
        assert_eq!(near.earlier(far), near);
        assert_eq!(far.earlier(near), near);
        assert_eq!(Deadline::NEVER.earlier(near), near);
        assert_eq!(near.within(Duration::MAX), near);
        assert_eq!(Deadline::after(Duration::MAX).remaining(), None);
        assert!(Deadline::NEVER.allows(Duration::MAX) && !near.allows(Duration::from_secs(1)));
        assert!(near.allows(Duration::from_millis(999)));
    }
}
