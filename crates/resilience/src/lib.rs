//! What a caller of something that can fail needs: when to try again, when to stop trying, how long to
//! wait, and how much work to let in.
//!
//! ```text
//!            Bulkhead / Queue        Breaker            Retry                Deadline
//! caller ->  is there room?     ->   is it worth it? -> try, wait, try  ->   until here, never beyond
//!            RateLimit               (per endpoint)     (RetryBudget)
//! ```
//!
//! | piece | question it answers |
//! |---|---|
//! | [`Class`], [`Classify`] | what kind of failure is this, so what may be done about it |
//! | [`Retry`], [`with_retry`], [`RetryPolicy`] | try again? after how long? |
//! | [`Backoff`], [`Randomness`] | how the waits grow, and how they are spread |
//! | [`RetryBudget`] | may retries take this share of the load? |
//! | [`Breaker`], [`Breakers`] | is the other side so ill that asking it is pointless? |
//! | [`Deadline`] | how much time is left, for the whole of what was asked |
//! | [`Queue`], [`Bulkhead`] | is there room, and how many may wait for it |
//! | [`RateLimit`], [`KeyedRateLimit`] | is this more often than was agreed |
//!
//! Invariants: nothing here waits without a deadline that the caller can set; every wait can be dropped
//! at any point and leaves no permit, probe or place in a queue behind; nothing is global, so figures
//! reach instruments only through functions that the caller passes in. Time is tokio's, so a test with
//! paused time moves it.
//!
//! Left to others: what an error means (whoever owns the error type says so by [`Classify`]), and
//! metrics (whoever builds a breaker gives it a function to call).

mod backoff;
mod breaker;
mod budget;
mod bulkhead;
mod class;
mod deadline;
mod queue;
mod randomness;
mod rate;
mod retry;

pub use backoff::Backoff;
pub use breaker::{Breaker, BreakerSettings, BreakerState, Breakers, Permit, Rejected};
pub use budget::RetryBudget;
pub use bulkhead::{Bulkhead, BulkheadFull, Slot};
pub use class::{Class, Classify};
pub use deadline::{Deadline, DeadlineExceeded};
pub use queue::{PushError, Queue};
pub use randomness::Randomness;
pub use rate::{KeyedRateLimit, RateLimit, RateLimited};
pub use retry::{Attempts, ByClass, Retry, RetryPolicy, Schedule, with_retry};
