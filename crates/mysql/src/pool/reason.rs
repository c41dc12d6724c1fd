//! Why a connection was closed.

/// Why a pool closed a connection: a label of `mysql.connections.closed`, not a line of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CloseReason {
    /// Nobody used it for the idle timeout, and there are more than the minimum
    IdleTimeout,
    /// It was open for its lifetime
    MaxLifetime,
    /// The validation query failed, or had no answer in time
    ValidationFailed,
    /// Its session could not be reset or rolled back, or not in time
    ResetFailed,
    /// An exchange on it was cut, or the server closed it
    Broken,
    /// It was found closed when somebody wanted to take it
    LostWhileIdle,
    /// It was opened with a credential that is not the current one
    CredentialRotated,
    /// All connections of its time were called in: its server changed its role or address
    Retired,
    /// The maximum was lowered
    AboveMaximum,
    /// The pool was drained or closed
    PoolClosed,
    /// The task that looked after it was stopped
    Abandoned,
    /// Its user asked for it
    Requested,
}

impl CloseReason {
    /// Every reason, in the order of their numbers.
    pub const ALL: [CloseReason; 12] = [
        CloseReason::IdleTimeout,
        CloseReason::MaxLifetime,
        CloseReason::ValidationFailed,
        CloseReason::ResetFailed,
        CloseReason::Broken,
        CloseReason::LostWhileIdle,
        CloseReason::CredentialRotated,
        CloseReason::Retired,
        CloseReason::AboveMaximum,
        CloseReason::PoolClosed,
        CloseReason::Abandoned,
        CloseReason::Requested,
    ];

    /// Its name in metrics, spans and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            CloseReason::IdleTimeout => "idle_timeout",
            CloseReason::MaxLifetime => "max_lifetime",
            CloseReason::ValidationFailed => "validation_failed",
            CloseReason::ResetFailed => "reset_failed",
            CloseReason::Broken => "broken",
            CloseReason::LostWhileIdle => "lost_while_idle",
            CloseReason::CredentialRotated => "credential_rotated",
            CloseReason::Retired => "retired",
            CloseReason::AboveMaximum => "above_maximum",
            CloseReason::PoolClosed => "pool_closed",
            CloseReason::Abandoned => "abandoned",
            CloseReason::Requested => "requested",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_numbered_in_the_order_of_the_list() {
        for (number, reason) in CloseReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, number);
        }
    }
}
