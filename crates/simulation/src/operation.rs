//! What was done, in order, within a bound: for tests that look back at what a client asked.
//!
//! The log lives in memory and holds values as they were; it is made for doubles of a server, not for
//! production. When it is full the oldest operation goes and is counted.

use crate::exchange::Failure;
use crate::value::Value;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

/// One thing that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// When it began
    pub timestamp: SystemTime,
    /// What kind, in the driver's words
    pub operation_type: String,
    /// The statement or command
    pub text: String,
    /// Its parameters
    pub params: Vec<Value>,
    /// How it ended
    pub result: Outcome,
    /// How long it took
    pub latency: Duration,
    /// On which session
    pub session: u64,
    /// On which server
    pub endpoint: String,
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// So many rows came
    Rows(u64),
    /// It was done, and changed so many rows
    Done(u64),
    /// It failed
    Failed(Failure),
}

/// Operations in the order in which they ended.
#[derive(Debug)]
pub struct OperationLog {
    capacity: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    operations: VecDeque<Operation>,
    dropped: u64,
}

impl OperationLog {
    /// A log of the newest `capacity` operations.
    pub fn new(capacity: usize) -> OperationLog {
        OperationLog { capacity, held: Mutex::default() }
    }

    /// Notes an operation.
    pub fn push(&self, operation: Operation) {
        let mut held = self.held.lock();
        held.operations.push_back(operation);
        if held.operations.len() > self.capacity {
            held.operations.pop_front();
            held.dropped += 1;
        }
    }

    /// What is in the log, oldest first.
    pub fn operations(&self) -> Vec<Operation> {
        self.held.lock().operations.iter().cloned().collect()
    }

    /// How many operations are no longer in it.
    pub fn dropped(&self) -> u64 {
        self.held.lock().dropped
    }

    /// Forgets everything.
    pub fn clear(&self) {
        *self.held.lock() = Held::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_stay() {
        let log = OperationLog::new(2);
        for session in 1..=3 {
            log.push(Operation {
                timestamp: SystemTime::UNIX_EPOCH,
                operation_type: "query".into(),
                text: "SELECT 1".into(),
                params: vec![],
                result: Outcome::Rows(1),
                latency: Duration::ZERO,
                session,
                endpoint: String::new(),
            });
        }
        assert_eq!(log.operations().iter().map(|o| o.session).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(log.dropped(), 1);
        log.clear();
        assert_eq!((log.operations().len(), log.dropped()), (0, 0));
    }
}
