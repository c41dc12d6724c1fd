//! What retries and circuit breakers are told about errors of this crate.
//!
//! | kind | tries again | waits |
//! |---|---|---|
//! | deadlock, too many connections | up to three tries in all | 50 to 500 ms; 500 to 2,000 ms |
//! | lock wait | up to three tries in all | 100 to 1,000 ms |
//! | connection lost | twice | 100 to 1,000 ms |
//! | refused, gone away, timed out | once | at once, or 100 ms for a refusal |
//! | a commit of unknown outcome, and everything terminal | never | |
//!
//! Whether a unit of work may be repeated at all (it read only, or nothing of it was applied) is known to whoever
//! runs it: within a transaction a lost connection is never tried again, whatever stands here.

use crate::error::{Error, ErrorClass, ErrorKind};
use rustydb_resilience::{Backoff, Class, Classify, RetryPolicy, Schedule};

/// The most tries of one unit of work that failed with a retryable error, the first one counted.
const MOST_TRIES: u32 = 3;

impl Classify for Error {
    fn class(&self) -> Class {
        match Error::class(self) {
            ErrorClass::Retryable => Class::Retryable,
            ErrorClass::Terminal => Class::Terminal,
            ErrorClass::Connection => Class::Connection,
            ErrorClass::UnknownOutcome => Class::UnknownOutcome,
        }
    }
}

/// Tries again by the kind of error, after the table above.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ByKind;

impl RetryPolicy<Error> for ByKind {
    fn schedule(&self, error: &Error) -> Option<Schedule> {
        let rule = error.kind().retry_rule()?;
        let retries = rule.retries.min(MOST_TRIES - 1);
        Some(Schedule::retries(retries, Backoff::exponential(rule.first, rule.longest).jitter(rule.jitter)))
    }
}

/// Whether an error speaks against the server, for its circuit breaker: it refused, was lost, has no room, or
/// (where `timeouts_count`) did not answer in time. An error that it answered with does not.
pub fn speaks_against_server(error: &Error, timeouts_count: bool) -> bool {
    match error.kind() {
        ErrorKind::ConnectionRefused
        | ErrorKind::ConnectionLost
        | ErrorKind::GoneAway
        | ErrorKind::TooManyConnections
        | ErrorKind::Protocol
        | ErrorKind::UnknownOutcome => true,
        ErrorKind::QueryTimeout => timeouts_count,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ServerError;
    use rustydb_resilience::with_retry;
    use std::time::Duration;
    use tokio::time::Instant;

    fn server(code: u16) -> Error {
        ServerError::new(code, None, "x").into()
    }

    /// Tries that end in this error, and the time that they take.
    async fn tries(code: u16) -> (u32, Duration) {
        let (begun, mut tries) = (Instant::now(), 0);
        let _ = with_retry(&ByKind, |_| {
            tries += 1;
            async move { Err::<(), _>(server(code)) }
        })
        .await;
        (tries, begun.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn each_error_is_tried_as_often_as_the_table_says() {
        let ms = Duration::from_millis;
        let within = |(tries, time): (u32, Duration), expected, from, to| {
            assert_eq!(tries, expected);
            assert!((ms(from)..=ms(to)).contains(&time), "{time:?}");
        };
        within(tries(1213).await, 3, 120, 182);
        within(tries(1205).await, 3, 240, 362);
        within(tries(1040).await, 3, 1_200, 1_802);
        within(tries(2013).await, 3, 240, 362);
        within(tries(2006).await, 2, 0, 2);
        within(tries(2003).await, 2, 80, 122);
        for code in [1064, 1062, 1451, 1406, 1049, 1146, 1142, 1792, 1180, 1045] {
            within(tries(code).await, 1, 0, 2);
        }
        let lost = Error::Lost { during: "COMMIT", source: std::io::ErrorKind::UnexpectedEof.into() };
        let unknown = Error::UnknownOutcome { during: "COMMIT", source: Box::new(lost) };
        assert_eq!(ByKind.schedule(&unknown), None);
        assert_eq!(Classify::class(&unknown), Class::UnknownOutcome);
    }

    #[test]
    fn only_what_the_server_did_not_answer_speaks_against_it() {
        for code in [2003, 2013, 2006, 1040] {
            assert!(speaks_against_server(&server(code), false), "{code}");
        }
        for code in [1213, 1205, 1064, 1062, 1045, 1290] {
            assert!(!speaks_against_server(&server(code), true), "{code}");
        }
        let timeout = Error::Timeout { during: "query" };
        assert!(speaks_against_server(&timeout, true) && !speaks_against_server(&timeout, false));
    }
}
