//! Not more often than agreed.
//!
//! `governor`'s GCRA: a limit of `n` per period with a burst lets `burst` calls through at once and then one
//! every `period / n`. A caller that is turned away is told when to come back.
//!
//! [`KeyedRateLimit`] keeps one such state per key (an account, an address). Keys come from outside, so their
//! number is bounded: beyond `most_keys` those states go first that are nearest to a fresh one, and whoever
//! owned one of them begins with a full burst again.
//!
//! Time is tokio's. Those who wait are not in line: whoever asks first after the moment passes.

use crate::deadline::Deadline;
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed, StateStore};
use governor::{Quota, RateLimiter};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::time::Duration;
use tokio::time::Instant;

/// More often than agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more often than the rate limit allows")]
pub struct RateLimited {
    /// When the next call will be let through, from now
    pub retry_after: Duration,
}

/// Time since the limit was made, as `governor` wants it.
#[derive(Debug, Clone)]
struct SinceStart {
    start: Instant,
}

impl Clock for SinceStart {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.start.elapsed()
    }
}

type Limiter<K, S> = RateLimiter<K, S, SinceStart, NoOpMiddleware<Duration>>;

/// `count` calls per `period`, `burst` of them at once, within what the arithmetic of nanoseconds holds.
fn quota(count: NonZeroU32, period: Duration, burst: NonZeroU32) -> Quota {
    const DAY: Duration = Duration::from_secs(86_400);
    let interval = (period / count.get()).clamp(Duration::from_nanos(1), DAY);
    let most = u64::MAX / 4 / u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
    let burst =
        NonZeroU32::new(u32::try_from(most).unwrap_or(u32::MAX).min(burst.get())).unwrap_or(NonZeroU32::MIN);
    Quota::with_period(interval).unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(burst)
}

fn clock() -> SinceStart {
    SinceStart { start: Instant::now() }
}

/// One limit for everybody who shares it.
#[derive(Debug)]
pub struct RateLimit {
    limiter: Limiter<NotKeyed, InMemoryState>,
}

impl RateLimit {
    /// `count` calls per `period`; up to `burst` at once after a rest. An interval between calls counts as
    /// at most a day.
    pub fn new(count: NonZeroU32, period: Duration, burst: NonZeroU32) -> RateLimit {
        let quota = quota(count, period, burst);
        RateLimit { limiter: RateLimiter::new(quota, InMemoryState::default(), clock()) }
    }

    /// `count` calls per second, all of them at once if need be.
    pub fn per_second(count: NonZeroU32) -> RateLimit {
        RateLimit::new(count, Duration::from_secs(1), count)
    }

    /// Whether a call may be made now; if so it counts.
    pub fn check(&self) -> Result<(), RateLimited> {
        let now = self.limiter.clock().now();
        self.limiter.check().map_err(|not| RateLimited { retry_after: not.wait_time_from(now) })
    }

    /// Waits until a call may be made, and counts it. Does not begin a wait that the deadline would cut.
    pub async fn until_allowed(&self, deadline: Deadline) -> Result<(), RateLimited> {
        loop {
            let Err(limited) = self.check() else { return Ok(()) };
            if !deadline.allows(limited.retry_after) {
                return Err(limited);
            }
            tokio::time::sleep(limited.retry_after).await;
        }
    }
}

/// One limit for each key.
#[derive(Debug)]
pub struct KeyedRateLimit<K: Hash + Eq + Clone> {
    limiter: Limiter<K, BoundedStates<K>>,
}

impl<K: Hash + Eq + Clone> KeyedRateLimit<K> {
    /// As [`RateLimit::new`] for each key, for at most `most_keys` (one at least) keys at a time.
    pub fn new(
        count: NonZeroU32,
        period: Duration,
        burst: NonZeroU32,
        most_keys: usize,
    ) -> KeyedRateLimit<K> {
        let states = BoundedStates { by_key: Mutex::default(), most: most_keys.max(1) };
        KeyedRateLimit { limiter: RateLimiter::new(quota(count, period, burst), states, clock()) }
    }

    /// Whether this key may make a call now; if so it counts.
    pub fn check(&self, key: &K) -> Result<(), RateLimited> {
        let now = self.limiter.clock().now();
        self.limiter.check_key(key).map_err(|not| RateLimited { retry_after: not.wait_time_from(now) })
    }
}

/// When each key's next call is due, for a bounded number of keys.
#[derive(Debug)]
struct BoundedStates<K> {
    by_key: Mutex<HashMap<K, Nanos>>,
    most: usize,
}

impl<K: Hash + Eq + Clone> StateStore for BoundedStates<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut by_key = self.by_key.lock();
        if let Some(due) = by_key.get_mut(key) {
            let (outcome, next) = measure(Some(*due))?;
            *due = next;
            return Ok(outcome);
        }
        let (outcome, due) = measure(None)?;
        if by_key.len() >= self.most {
            forget_a_quarter(&mut by_key);
        }
        by_key.insert(key.clone(), due);
        Ok(outcome)
    }
}

/// Drops the quarter (one at least) of the states whose next call is due first: they differ least from a
/// fresh one. A quarter at a time, so that the search is paid by the many keys that fit afterwards.
fn forget_a_quarter<K: Hash + Eq>(by_key: &mut HashMap<K, Nanos>) {
    let mut due: Vec<Nanos> = by_key.values().copied().collect();
    if due.is_empty() {
        return;
    }
    let quarter = due.len() / 4;
    let (_, bound, _) = due.select_nth_unstable(quarter);
    let bound = *bound;
    by_key.retain(|_, due| *due > bound);
}
