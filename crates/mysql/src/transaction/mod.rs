//! Transactions: begun with options, ended once, nested by savepoints, repeated where that is safe.
//!
//! ```text
//!  None --begin--> Active --commit--> CommitPending ----> Committed --+
//!                  |    ^                                             |
//!                  |    +--rollback to--+                             +--> Done (connection released)
//!                  +--savepoint--> SavepointCreated                   |
//!                  +--rollback--> RollbackPending ----> RolledBack ---+
//!                  +--lost, deadlock--> Error ------------------------+
//! ```
//!
//! | file | its idea |
//! |---|---|
//! | `core.rs` | what a transaction owns, and what its statements do to it |
//! | `options.rs` | isolation, access mode, snapshot |
//! | `state.rs` | the states and the stack of savepoints, without a server |
//! | `scope.rs` | savepoints nested by closures, and what becomes of one that is dropped half way |
//! | `retry.rs` | the whole closure again, after a deadlock or a lock wait |
//!
//! Promises:
//!
//! - A [`Transaction`] that is dropped is rolled back by its pool, before anybody else has its connection.
//! - When the server has ended the transaction (a deadlock, a lost connection, a statement that commits
//!   implicitly), nothing more runs on the connection as if it were still open: statements are refused with
//!   [`Error::TransactionEnded`].
//! - A COMMIT whose answer is lost is [`Error::UnknownOutcome`] and never repeated. After a READ ONLY
//!   transaction there is nothing unknown: the connection's own error is given.
//! - A connection that is lost in the middle is never silently replaced.
//!
//! Left to others: which server (`client.rs`), what statements are (`routing`).

mod core;
mod options;
mod retry;
mod scope;
mod state;

#[cfg(test)]
mod tests;

pub use options::{AccessMode, IsolationLevel, TransactionOptions};
pub use retry::{TransactionRetry, with_transaction};
pub use state::TransactionState;

use self::core::Core;
use crate::driver::{Driver, Results, Summary};
use crate::error::{Error, Result};
use crate::pool::PooledConnection;
use crate::row::FromRow;
use crate::statements::BulkInsert;
use crate::value::ToValue;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// What a transaction runs on: a connection, with whatever its owner wants to learn from its use.
pub trait Held: Send {
    /// The driver of its pool.
    type Driver: Driver;

    /// The connection.
    fn connection(&mut self) -> &mut PooledConnection<Self::Driver>;

    /// Learns how something ended that took `time`.
    fn observe<T>(&mut self, time: Duration, outcome: &Result<T>);

    /// Whether a statement may be sent, and the span that it runs in.
    ///
    /// # Errors
    /// When it may not.
    fn admit(&mut self, _sql: &str) -> Result<tracing::Span> {
        Ok(tracing::Span::none())
    }

    /// Learns how a statement ended that took `time` in the span that it was given.
    fn observe_statement<T, P: ToValue>(
        &mut self,
        _sql: &str,
        _parameters: &[P],
        _span: &tracing::Span,
        time: Duration,
        outcome: &Result<T>,
    ) {
        self.observe(time, outcome);
    }

    /// Learns that a transaction ended that was open for `time`, and whether it was committed.
    fn ended(&mut self, _committed: bool, _time: Duration) {}
}

impl<D: Driver> Held for PooledConnection<D> {
    type Driver = D;

    fn connection(&mut self) -> &mut PooledConnection<D> {
        self
    }

    fn observe<T>(&mut self, _: Duration, _: &Result<T>) {}
}

/// The session of what is held.
pub type SessionOf<H> = <<H as Held>::Driver as Driver>::Session;

/// A transaction. Dropped before its end it is rolled back, unless a closure was lent it: then it goes back
/// to who lent it.
#[must_use = "a transaction that is dropped is rolled back"]
pub struct Transaction<H: Held> {
    /// None once it is over, or while it is lent
    core: Option<Box<Core<H>>>,
    /// Who lent it
    home: Option<Home<H>>,
}

/// Where a transaction that was lent is put back.
type Home<H> = Arc<Mutex<Option<Box<Core<H>>>>>;

impl<H: Held> Transaction<H> {
    /// Begins a transaction on a connection that has none. Each of its statements may take
    /// `statement_timeout`, where the options say nothing else.
    ///
    /// # Errors
    /// As the server has them; the connection goes back to its pool.
    pub async fn begin(
        held: H,
        options: TransactionOptions,
        statement_timeout: Duration,
    ) -> Result<Transaction<H>> {
        let core = Core::begin(held, options, statement_timeout).await?;
        Ok(Transaction { core: Some(core), home: None })
    }

    /// Where it stands.
    pub fn state(&self) -> TransactionState {
        self.core.as_ref().map_or(TransactionState::Done, |core| core.progress.state())
    }

    /// The savepoints that exist, the oldest first.
    pub fn savepoints(&self) -> &[String] {
        self.core.as_ref().map_or(&[], |core| core.progress.savepoints())
    }

    /// How many savepoints exist.
    pub fn depth(&self) -> usize {
        self.savepoints().len()
    }

    /// How long it is open.
    pub fn age(&self) -> Duration {
        self.core.as_ref().map_or(Duration::ZERO, |core| core.begun.elapsed())
    }

    /// Runs a statement and gives its results, to be read before the next one. Without parameters it goes as
    /// text, with them it is prepared.
    ///
    /// # Errors
    /// As the server has them, and [`Error::TransactionEnded`].
    pub async fn query<P: ToValue + Sync>(
        &mut self,
        sql: &str,
        parameters: &[P],
    ) -> Result<Results<'_, SessionOf<H>>> {
        self.core()?.query(sql, parameters).await
    }

    /// Runs a statement to its end and says what it did.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn execute<P: ToValue + Sync>(&mut self, sql: &str, parameters: &[P]) -> Result<Summary> {
        self.core()?.execute(sql, parameters).await
    }

    /// Inserts many rows.
    ///
    /// # Errors
    /// As [`execute`](Self::execute), and [`Error::Parameters`] where the values make
    /// no whole rows.
    pub async fn bulk_insert<P: ToValue + Sync>(
        &mut self,
        insert: &BulkInsert,
        values: &[P],
    ) -> Result<Summary> {
        let mut batches = insert.batches(values)?;
        while let Some((sql, values)) = batches.next_batch() {
            let outcome = self.execute(&sql, values).await;
            batches.ended(outcome)?;
        }
        Ok(batches.into_sum())
    }

    /// Runs a statement and gives its first row.
    ///
    /// # Errors
    /// As [`query`](Self::query), and where the row cannot be read as a `T`.
    pub async fn query_one<T, P>(&mut self, sql: &str, parameters: &[P]) -> Result<Option<T>>
    where
        T: for<'r> FromRow<'r>,
        P: ToValue + Sync,
    {
        self.query(sql, parameters).await?.first().await
    }

    /// Sets a savepoint. One of the same name is replaced.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn savepoint(&mut self, name: &str) -> Result<()> {
        self.core()?.savepoint(name).await
    }

    /// Undoes what was done since a savepoint, which stays; those set after it are gone.
    ///
    /// # Errors
    /// As [`query`](Self::query), and 1305 when there is none of this name.
    pub async fn rollback_to_savepoint(&mut self, name: &str) -> Result<()> {
        self.core()?.rollback_to_savepoint(name).await
    }

    /// Forgets a savepoint and those set after it, and keeps what was done since.
    ///
    /// # Errors
    /// As [`rollback_to_savepoint`](Self::rollback_to_savepoint).
    pub async fn release_savepoint(&mut self, name: &str) -> Result<()> {
        self.core()?.release_savepoint(name).await
    }

    /// Commits, and gives the connection back.
    ///
    /// # Errors
    /// [`Error::UnknownOutcome`] when the answer was lost: the transaction may be committed or not.
    pub async fn commit(mut self) -> Result<()> {
        self.core()?.commit().await
    }

    /// Rolls back, and gives the connection back.
    ///
    /// # Errors
    /// When the connection is lost; the server rolls back then as well, once it notices.
    pub async fn rollback(mut self) -> Result<()> {
        self.core()?.rollback().await
    }

    fn core(&mut self) -> Result<&mut Core<H>> {
        self.core.as_deref_mut().ok_or(Error::TransactionEnded { how: "handed to somebody else" })
    }

    /// What a closure is lent, which goes to `home` when it is dropped.
    fn lent(core: Box<Core<H>>, home: &Home<H>) -> Transaction<H> {
        Transaction { core: Some(core), home: Some(Arc::clone(home)) }
    }
}

impl<H: Held> Drop for Transaction<H> {
    fn drop(&mut self) {
        if let Some(home) = self.home.take() {
            *home.lock() = self.core.take();
        }
    }
}

/// A name in backticks.
fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

impl<H: Held> std::fmt::Debug for Transaction<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction")
            .field("state", &self.state())
            .field("savepoints", &self.depth())
            .finish_non_exhaustive()
    }
}
