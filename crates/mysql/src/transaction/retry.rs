//! The whole closure again, after a deadlock or a lock wait.
//!
//! What is repeated is all of it, on a fresh transaction: the server has rolled back what was done (a
//! deadlock), or it is rolled back here (a lock wait). What decides is what the transaction saw last, not
//! the closure's error type: a closure may wrap errors in its own. Nothing else is repeated: a connection
//! lost in the middle may have committed nothing, but its caller has to know that time passed and locks
//! were lost; a lost COMMIT may have happened.

use super::core::Core;
use super::scope::handed_away;
use super::{Held, Home, Transaction, TransactionOptions};
use crate::error::{Error, ErrorKind, Result};
use parking_lot::Mutex;
use rustydb_resilience::{Backoff, Randomness, RetryBudget};
use std::time::Duration;

/// Which failures are met by another try: deadlocks three times, lock waits twice, after the pauses of
/// [`ErrorKind::retry_rule`].
#[derive(Debug, Clone, Default)]
pub struct TransactionRetry {
    budget: Option<RetryBudget>,
    random: Randomness,
}

impl TransactionRetry {
    /// As long as `budget` has tokens.
    pub fn within(budget: RetryBudget) -> TransactionRetry {
        TransactionRetry { budget: Some(budget), random: Randomness::new() }
    }

    /// The pause before another try, after `retries` that were made; none ends it.
    fn pause(&self, seen: Option<ErrorKind>, retries: u32) -> Option<Duration> {
        let kind = seen.filter(|kind| matches!(kind, ErrorKind::Deadlock | ErrorKind::LockWait))?;
        let rule = kind.retry_rule().filter(|rule| retries < rule.retries)?;
        if !self.budget.as_ref().is_none_or(RetryBudget::withdraw) {
            return None;
        }
        let backoff = Backoff::exponential(rule.first, rule.longest).jitter(rule.jitter);
        Some(backoff.wait(retries, &self.random))
    }
}

/// Lends `work` a transaction on what `connect` gives, commits when it gives `Ok`, rolls back when it
/// gives `Err`, and begins anew after deadlocks and lock waits.
///
/// # Errors
/// Those of `work`, of `connect`, and of beginning and committing.
pub async fn with_transaction<H, T, E, C, CFut, F, Fut>(
    retry: TransactionRetry,
    options: TransactionOptions,
    statement_timeout: Duration,
    mut connect: C,
    mut work: F,
) -> Result<T, E>
where
    H: Held,
    E: From<Error>,
    C: FnMut() -> CFut,
    CFut: Future<Output = Result<H>>,
    F: FnMut(Transaction<H>) -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    if let Some(budget) = &retry.budget {
        budget.deposit();
    }
    let mut retries = 0;
    loop {
        let core = Core::begin(connect().await?, options.clone(), statement_timeout).await?;
        let home = Home::<H>::new(Mutex::new(None));
        let outcome = work(Transaction::lent(core, &home)).await;
        let back = home.lock().take();
        // Whoever has it may still use it: nothing is known of its end.
        let Some(mut core) = back else { return Err(handed_away().into()) };
        let outcome = match outcome {
            // The closure may have ended it itself.
            Ok(done) if core.progress.is_over() => Ok(done),
            Ok(done) => core.commit().await.map(|()| done).map_err(E::from),
            Err(error) => {
                let seen = core.seen();
                if !core.progress.is_over() {
                    // Where this fails the connection is lost, and the server rolls back by itself.
                    let _ = core.rollback().await;
                }
                core.last_failure = seen;
                Err(error)
            }
        };
        let seen = core.last_failure;
        // Its connection goes back before the pause.
        drop(core);
        let error = match outcome {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let Some(pause) = retry.pause(seen, retries) else { return Err(error) };
        drop(error);
        tracing::debug!(
            kind = seen.map(ErrorKind::as_str),
            pause_ms = pause.as_millis() as u64,
            "transaction again"
        );
        tokio::time::sleep(pause).await;
        retries += 1;
    }
}
