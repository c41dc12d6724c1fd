//! Trying again, by the kind of error.
//!
//! A [`RetryPolicy`] looks at an error and answers with a [`Schedule`] (how many retries in all, how long between
//! them) or with nothing, which means: give the error to the caller at once. [`ByClass`] is the plain policy:
//! retryable errors up to three tries with growing waits, a lost connection one retry at once, anything
//! else none. A commit of unknown outcome is never tried again by any policy that asks [`Class`].
//!
//! [`Retry`] runs it. It gives up, with the error of the last try, when the schedule of that error is used up,
//! when the [`RetryBudget`] is spent, or when the deadline would pass during the wait: the caller has the
//! error while there is time left to do something about it.
//!
//! The work itself is not cut off at the deadline: it is given the deadline by the caller and stops in order.

use crate::backoff::Backoff;
use crate::budget::RetryBudget;
use crate::class::{Class, Classify};
use crate::deadline::Deadline;
use crate::randomness::Randomness;
use std::time::Duration;

/// How often and after which waits an error is met by another try.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    retries: u32,
    backoff: Backoff,
}

impl Schedule {
    /// At most `retries` tries after the first one.
    pub const fn retries(retries: u32, backoff: Backoff) -> Schedule {
        Schedule { retries, backoff }
    }

    /// At most `attempts` tries, the first one counted.
    pub const fn attempts(attempts: u32, backoff: Backoff) -> Schedule {
        Schedule { retries: attempts.saturating_sub(1), backoff }
    }

    /// One more try, at once.
    pub const fn once() -> Schedule {
        Schedule::retries(1, Backoff::NONE)
    }
}

/// Which errors are met by another try, and how.
pub trait RetryPolicy<E> {
    /// The schedule for this error; None gives it to the caller at once. Errors may change from try to
    /// try: the tries already made count against whatever schedule the last error has.
    fn schedule(&self, error: &E) -> Option<Schedule>;

    /// A wait that the error itself asks for; the schedule's wait is at least this long.
    fn at_least(&self, _error: &E) -> Option<Duration> {
        None
    }
}

/// Any function from an error to a schedule is a policy.
impl<E, F: Fn(&E) -> Option<Schedule>> RetryPolicy<E> for F {
    fn schedule(&self, error: &E) -> Option<Schedule> {
        self(error)
    }
}

/// One schedule for each class that can be retried.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ByClass {
    /// For [`Class::Retryable`]
    pub retryable: Schedule,
    /// For [`Class::Connection`]
    pub connection: Schedule,
}

impl Default for ByClass {
    /// Three tries from 50 ms to 500 ms apart; a lost connection is replaced once, at once.
    fn default() -> ByClass {
        let backoff = Backoff::exponential(Duration::from_millis(50), Duration::from_millis(500));
        ByClass { retryable: Schedule::attempts(3, backoff), connection: Schedule::once() }
    }
}

impl<E: Classify> RetryPolicy<E> for ByClass {
    fn schedule(&self, error: &E) -> Option<Schedule> {
        match error.class() {
            Class::Retryable => Some(self.retryable),
            Class::Connection => Some(self.connection),
            Class::Terminal | Class::UnknownOutcome => None,
        }
    }

    fn at_least(&self, error: &E) -> Option<Duration> {
        error.retry_after()
    }
}

/// One operation that may be tried several times: how, until when, and out of whose budget.
///
/// Work that is a function of its own goes to [`run`](Retry::run); work that borrows what it changes is written
/// as a loop over [`Attempts`]. (An `AsyncFnMut` would join the two, but a future made of one that borrows is
/// not known to be `Send` yet.)
///
/// ```
/// use rustydb_resilience::{Backoff, Deadline, Retry, Schedule};
/// use std::time::Duration;
///
/// # async fn book(tries: &mut u32) -> Result<u32, &'static str> {
/// #     *tries += 1;
/// #     if *tries < 3 { Err("busy") } else { Ok(42) }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let policy = |error: &&str| (*error == "busy").then(|| Schedule::attempts(3, Backoff::NONE));
/// let mut tries = 0;
/// let mut attempts = Retry::new(&policy).deadline(Deadline::after(Duration::from_secs(1))).begin();
/// let answer = loop {
///     match book(&mut tries).await {
///         Ok(answer) => break Ok(answer),
///         Err(error) => match attempts.after(error).await {
///             Ok(()) => {}
///             Err(error) => break Err(error),
///         },
///     }
/// };
/// assert_eq!((answer, tries), (Ok(42), 3));
/// # }
/// ```
#[must_use = "nothing is done before `run` or `begin`"]
#[derive(Debug)]
pub struct Retry<'a, P> {
    policy: &'a P,
    deadline: Deadline,
    budget: Option<&'a RetryBudget>,
    random: Option<&'a Randomness>,
}

impl<'a, P> Retry<'a, P> {
    /// Tries as `policy` says, without a deadline or a budget.
    pub fn new(policy: &'a P) -> Retry<'a, P> {
        Retry { policy, deadline: Deadline::NEVER, budget: None, random: None }
    }

    /// Begins no wait that this deadline would cut short.
    pub fn deadline(self, deadline: Deadline) -> Retry<'a, P> {
        Retry { deadline, ..self }
    }

    /// Takes a token of `budget` for each retry, and gives it its share for the first try.
    pub fn budget(self, budget: &'a RetryBudget) -> Retry<'a, P> {
        Retry { budget: Some(budget), ..self }
    }

    /// Spreads waits by these numbers instead of fresh ones.
    pub fn randomness(self, random: &'a Randomness) -> Retry<'a, P> {
        Retry { random: Some(random), ..self }
    }

    /// Counts the first try; the caller makes it.
    pub fn begin(self) -> Attempts<'a, P> {
        if let Some(budget) = self.budget {
            budget.deposit();
        }
        Attempts { retry: self, before: 0, fresh: None }
    }

    /// Runs `work` until it succeeds or gives up, with the error of the last try. `work` is told how many
    /// tries came before: 0, 1, ...
    pub async fn run<T, E, F>(self, mut work: impl FnMut(u32) -> F) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
        P: RetryPolicy<E>,
    {
        let mut attempts = self.begin();
        loop {
            match work(attempts.before()).await {
                Ok(done) => return Ok(done),
                Err(error) => attempts.after(error).await?,
            }
        }
    }
}

/// The tries of one operation so far.
#[derive(Debug)]
pub struct Attempts<'a, P> {
    retry: Retry<'a, P>,
    before: u32,
    /// Made at the first wait that needs one, where none was given
    fresh: Option<Randomness>,
}

impl<P> Attempts<'_, P> {
    /// How many tries failed.
    pub fn before(&self) -> u32 {
        self.before
    }

    /// A try ended with `error`: the wait before the next one, or the error back when there is none. A token
    /// of the budget is taken.
    pub fn decide<E>(&mut self, error: E) -> Result<(E, Duration), E>
    where
        P: RetryPolicy<E>,
    {
        let Some(schedule) = self.retry.policy.schedule(&error) else { return Err(error) };
        if self.before >= schedule.retries {
            return Err(error);
        }
        let random = match self.retry.random {
            Some(random) => random,
            None => self.fresh.get_or_insert_with(Randomness::new),
        };
        let asked = self.retry.policy.at_least(&error).unwrap_or_default();
        let wait = schedule.backoff.wait(self.before, random).max(asked);
        if !self.retry.deadline.allows(wait) || !self.retry.budget.is_none_or(RetryBudget::withdraw) {
            return Err(error);
        }
        self.before += 1;
        Ok((error, wait))
    }

    /// A try ended with `error`: waits until the next one is due, or gives the error back when there is none.
    pub async fn after<E>(&mut self, error: E) -> Result<(), E>
    where
        P: RetryPolicy<E>,
    {
        // The error goes before the wait: it may hold a connection.
        let (error, wait) = self.decide(error)?;
        drop(error);
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }
}

/// Runs `work`, and again as `policy` says: [`Retry`] without deadline or budget.
pub async fn with_retry<T, E, F>(policy: &impl RetryPolicy<E>, work: impl FnMut(u32) -> F) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    Retry::new(policy).run(work).await
}
