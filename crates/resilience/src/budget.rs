//! How much of the load may be retries.
//!
//! Retries help when a few requests fail and hurt when all do: three tries each make a server that cannot
//! keep up see three times the load. A budget is a bucket of tokens that first tries fill (`share` of a token
//! each) and retries empty (one token each), so that over time retries are at most `share` of the load.
//! A trickle of tokens by the second lets a caller with little traffic retry at all.
//!
//! Limits: at most `most` tokens are kept, so that a quiet night does not pay for a storm in the morning.

use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A bucket of retries shared by everybody who calls the same thing. Clones share it.
#[derive(Debug, Clone)]
pub struct RetryBudget {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    share: f64,
    trickle: f64,
    most: f64,
    bucket: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl RetryBudget {
    /// Retries may be `share` (0 to 1) of first tries, plus `trickle` a second, saved up for at most ten
    /// seconds of trickle or a hundred tries' share, whichever is more. The bucket begins full.
    pub fn new(share: f64, trickle: f64) -> RetryBudget {
        let share = if share > 0.0 { share.min(1.0) } else { 0.0 };
        let trickle = if trickle > 0.0 { trickle.min(1e9) } else { 0.0 };
        let most = (10.0 * trickle).max(100.0 * share);
        let bucket = Mutex::new(Bucket { tokens: most, filled: Instant::now() });
        RetryBudget { shared: Arc::new(Shared { share, trickle, most, bucket }) }
    }

    /// Counts a first try.
    pub fn deposit(&self) {
        let mut bucket = self.shared.bucket.lock();
        bucket.tokens = (bucket.tokens + self.shared.share).min(self.shared.most);
    }

    /// Takes a token for a retry. False: the budget is spent, and the error should be returned instead.
    pub fn withdraw(&self) -> bool {
        let mut bucket = self.shared.bucket.lock();
        let now = Instant::now();
        let passed: Duration = now.saturating_duration_since(bucket.filled);
        bucket.filled = now;
        bucket.tokens = (bucket.tokens + passed.as_secs_f64() * self.shared.trickle).min(self.shared.most);
        // A hair of tolerance, because five times a fifth is not quite one.
        if bucket.tokens < 1.0 - 1e-9 {
            return false;
        }
        bucket.tokens = (bucket.tokens - 1.0).max(0.0);
        true
    }
}

impl Default for RetryBudget {
    /// A fifth of the load, and ten retries a second.
    fn default() -> RetryBudget {
        RetryBudget::new(0.2, 10.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn retries_are_a_share_of_first_tries() {
        let budget = RetryBudget::new(0.2, 0.0);
        let saved = (0..1_000).take_while(|_| budget.withdraw()).count();
        assert_eq!(saved, 20, "what a full bucket holds");
        let mut allowed = 0;
        for _ in 0..1_000 {
            budget.deposit();
            allowed += usize::from(budget.withdraw());
        }
        assert_eq!(allowed, 200);
    }

    #[tokio::test(start_paused = true)]
    async fn a_trickle_lets_a_quiet_caller_retry() {
        let budget = RetryBudget::new(0.0, 2.0);
        while budget.withdraw() {}
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((0..10).filter(|_| budget.withdraw()).count(), 2);
        tokio::time::advance(Duration::from_secs(3_600)).await;
        assert_eq!((0..100).filter(|_| budget.withdraw()).count(), 20, "an hour is not saved up");
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_given_is_nothing_taken() {
        assert!(!RetryBudget::new(f64::NAN, -1.0).withdraw());
    }
}
