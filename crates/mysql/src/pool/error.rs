//! Why there is no connection.
//!
//! "Timed out" is what happened to the caller, not why: each variant carries the figures of the moment and,
//! where connecting fails, the last error of connecting.

use crate::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Why the last connect failed.
#[derive(Debug)]
pub(super) struct Obstacle {
    pub(super) error: Error,
}

/// The last error of connecting, shared by all whom it kept waiting.
#[derive(Debug, Clone)]
pub struct ConnectCause(pub(super) Arc<Obstacle>);

impl ConnectCause {
    /// The error.
    pub fn error(&self) -> &Error {
        &self.0.error
    }
}

/// An acquire that failed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum AcquireError {
    /// Nothing came free in time
    Timeout {
        /// The pool
        pool: Arc<str>,
        /// How long it waited
        waited: Duration,
        /// Connections that were out
        active: usize,
        /// Connections that may exist
        max: usize,
        /// Connects that were under way
        opening: usize,
        /// Why the last connect failed, if it did
        cause: Option<ConnectCause>,
    },
    /// Too many waited already
    Rejected {
        /// The pool
        pool: Arc<str>,
        /// How many waited
        waiting: usize,
        /// How many may
        limit: usize,
        /// Why the last connect failed, if it did
        cause: Option<ConnectCause>,
    },
    /// Connecting failed, and there was no other connection to wait for
    Connect {
        /// The pool
        pool: Arc<str>,
        /// Why
        cause: ConnectCause,
    },
    /// The pool was closed
    Closed {
        /// The pool
        pool: Arc<str>,
    },
}

impl AcquireError {
    /// The error of connecting behind this one.
    pub fn cause(&self) -> Option<&Error> {
        match self {
            AcquireError::Timeout { cause, .. } | AcquireError::Rejected { cause, .. } => {
                cause.as_ref().map(ConnectCause::error)
            }
            AcquireError::Connect { cause, .. } => Some(cause.error()),
            AcquireError::Closed { .. } => None,
        }
    }
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AcquireError::Timeout { pool, waited, active, max, opening, cause } => {
                write!(f, "pool {pool}: no connection within {waited:?}: {active} of {max} are in use")?;
                if *opening > 0 {
                    write!(f, ", {opening} are being opened")?;
                }
                write_cause(f, cause)
            }
            AcquireError::Rejected { pool, waiting, limit, cause } => {
                write!(f, "pool {pool}: turned away, {waiting} wait already and {limit} may")?;
                write_cause(f, cause)
            }
            AcquireError::Connect { pool, cause } => write!(f, "pool {pool}: {}", cause.error()),
            AcquireError::Closed { pool } => write!(f, "pool {pool} is closed"),
        }
    }
}

fn write_cause(f: &mut fmt::Formatter<'_>, cause: &Option<ConnectCause>) -> fmt::Result {
    match cause {
        Some(cause) => write!(f, "; the last connect failed: {}", cause.error()),
        None => Ok(()),
    }
}

impl std::error::Error for AcquireError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause().map(|error| error as _)
    }
}
