//! What kind of failure an error is, which decides what may be done about it.

use std::time::Duration;

/// The kinds of failure. The question each answers is: "may I do it again, and where?"
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// Nothing happened and the same request may succeed on the same connection after a pause: a deadlock,
    /// a lock wait that ran out, a server with too many connections
    Retryable,
    /// The request itself is wrong or forbidden; it fails the same way every time
    Terminal,
    /// The connection is gone or was never made; nothing of the request took effect, and another
    /// connection may serve it
    Connection,
    /// The answer was lost after the request may have taken effect (a commit whose OK never came). Doing it
    /// again could do it twice: only the caller can decide
    UnknownOutcome,
}

/// An error that knows its [`Class`].
pub trait Classify {
    /// What may be done about this error.
    fn class(&self) -> Class;

    /// How long the other side asked to be left alone, where it said so (a breaker that is open, a rate
    /// limit). A retry waits at least this long.
    fn retry_after(&self) -> Option<Duration> {
        None
    }
}
