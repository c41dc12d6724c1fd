//! Which errors are tried again, how often, after which waits, and when it is given up.

use rustydb_resilience::{
    Backoff, ByClass, Class, Classify, Deadline, Randomness, Retry, RetryBudget, Schedule, with_retry,
};
use std::time::Duration;
use tokio::time::Instant;

const MS: Duration = Duration::from_millis(1);

#[derive(Debug, PartialEq, Clone)]
enum Error {
    Deadlock,
    Syntax,
    Lost,
    CommitUnknown,
    Busy(Duration),
}

impl Classify for Error {
    fn class(&self) -> Class {
        match self {
            Error::Deadlock | Error::Busy(_) => Class::Retryable,
            Error::Syntax => Class::Terminal,
            Error::Lost => Class::Connection,
            Error::CommitUnknown => Class::UnknownOutcome,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Error::Busy(wait) => Some(*wait),
            _ => None,
        }
    }
}

/// Fails with the errors in turn, then succeeds; says how many tries there were.
async fn tries_of(errors: &[Error]) -> (Result<(), Error>, u32) {
    let mut tries = 0;
    let result = with_retry(&ByClass::default(), |before| {
        assert_eq!(before, tries);
        tries += 1;
        async move { errors.get(before as usize).cloned().map_or(Ok(()), Err) }
    })
    .await;
    (result, tries)
}

#[tokio::test(start_paused = true)]
async fn each_class_has_its_own_number_of_tries() {
    use Error::*;
    assert_eq!(tries_of(&[]).await, (Ok(()), 1));
    assert_eq!(tries_of(&[Deadlock, Deadlock]).await, (Ok(()), 3));
    assert_eq!(tries_of(&[Deadlock, Deadlock, Deadlock]).await, (Err(Deadlock), 3));
    assert_eq!(tries_of(&[Syntax]).await, (Err(Syntax), 1));
    assert_eq!(tries_of(&[Lost]).await, (Ok(()), 2));
    assert_eq!(tries_of(&[Lost, Lost]).await, (Err(Lost), 2));
    assert_eq!(tries_of(&[CommitUnknown]).await, (Err(CommitUnknown), 1));
    // A syntax error after a deadlock is final; a loss after a deadlock has used up its one retry.
    assert_eq!(tries_of(&[Deadlock, Syntax]).await, (Err(Syntax), 2));
    assert_eq!(tries_of(&[Deadlock, Lost]).await, (Err(Lost), 2));
}

#[tokio::test(start_paused = true)]
async fn waits_grow_to_their_maximum() {
    let schedule = Schedule::attempts(4, Backoff::exponential(50 * MS, 150 * MS).jitter(0.0));
    let policy = |_: &Error| Some(schedule);
    let mut attempts = Retry::new(&policy).begin();
    let waits: Vec<_> = std::iter::from_fn(|| attempts.decide(Error::Deadlock).ok()).collect();
    assert_eq!(waits, [50, 100, 150].map(|wait| (Error::Deadlock, wait * MS)));
    assert_eq!(attempts.before(), 3);
    let begun = Instant::now();
    assert_eq!(with_retry(&policy, async |_| Err::<(), _>(Error::Deadlock)).await, Err(Error::Deadlock));
    assert_eq!(begun.elapsed(), 300 * MS);
}

#[tokio::test(start_paused = true)]
async fn no_wait_begins_that_the_deadline_would_cut() {
    let policy = |_: &Error| Some(Schedule::attempts(10, Backoff::constant(100 * MS).jitter(0.0)));
    let begun = Instant::now();
    let mut tries = 0;
    let failed = Retry::new(&policy)
        .deadline(Deadline::after(250 * MS))
        .run(|_| {
            tries += 1;
            async { Err::<(), _>(Error::Deadlock) }
        })
        .await;
    assert_eq!((failed, tries, begun.elapsed()), (Err(Error::Deadlock), 3, 200 * MS));
}

#[tokio::test(start_paused = true)]
async fn a_wait_asked_for_by_the_error_is_kept() {
    let begun = Instant::now();
    let random = Randomness::seeded(1);
    let policy = ByClass::default();
    let done = Retry::new(&policy)
        .randomness(&random)
        .run(async |before| match before {
            0 => Err(Error::Busy(Duration::from_secs(3))),
            _ => Ok(()),
        })
        .await;
    assert_eq!((done, begun.elapsed()), (Ok(()), Duration::from_secs(3)));
}

#[tokio::test(start_paused = true)]
async fn a_spent_budget_ends_retries_for_everybody_who_shares_it() {
    let policy = |_: &Error| Some(Schedule::attempts(3, Backoff::NONE));
    let budget = RetryBudget::new(0.1, 0.0);
    let mut tries = 0;
    for _ in 0..1_000 {
        let _ = Retry::new(&policy)
            .budget(&budget)
            .run(|_| {
                tries += 1;
                async { Err::<(), _>(Error::Deadlock) }
            })
            .await;
    }
    // 1,000 first tries, a tenth of them in retries, and what the bucket held at the beginning.
    assert!((1_100..=1_111).contains(&tries), "{tries}");
}

/// Something that a try changes, borrowed over its waits.
struct Connection {
    asked: u32,
}

impl Connection {
    async fn ask(&mut self, texts: &[String]) -> Result<usize, Error> {
        self.asked += 1;
        tokio::task::yield_now().await;
        if self.asked == 1 { Err(Error::Lost) } else { Ok(texts.len()) }
    }
}

#[tokio::test(start_paused = true)]
async fn tries_may_borrow_and_move_between_threads() {
    let texts = vec![String::from("a"), String::from("b")];
    let task = tokio::spawn(async move {
        let mut connection = Connection { asked: 0 };
        let policy = ByClass::default();
        let mut attempts = Retry::new(&policy).begin();
        let first = loop {
            match connection.ask(&texts).await {
                Ok(answer) => break answer,
                Err(error) => attempts.after(error).await?,
            }
        };
        let second = with_retry(&policy, |_| async { Ok::<_, Error>(texts.len()) }).await?;
        Ok::<_, Error>((first, second, connection.asked))
    });
    assert_eq!(task.await.expect("no panic"), Ok((2, 2, 2)));
}
