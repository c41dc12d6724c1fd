//! One session over a whole cluster: reads on replicas while nothing ties it, all on one connection of the primary
//! while something does.
//!
//! What ties it is a transaction or state that lives in a server's session (variables, temporary tables, locks,
//! prepared names), by the statement's text and by what the server says ([`SessionPin`]). From then on every
//! statement goes to the connection that has it, until the transaction ends or [`SplitSession::reset`] lets the
//! state go.
//!
//! Promises:
//!
//! - What ties it is never lost silently. Where the connection that had it is lost, or a future was dropped in
//!   the middle of a statement on it, a statement fails: the one that lost it, or else the next one. Only then
//!   the session begins anew.
//! - Reads while nothing ties it are those of the [`Client`]: repeated where that is safe, causal where the
//!   client is. Nothing else is repeated.
//!
//! State that a read leaves on a replica by a function nobody knows of does not tie: the replica's connection is
//! cleaned up as it goes back.

use super::{Client, Connection, ExecuteResult, ResultSet};
use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::replicas::ServedBy;
use crate::routing::{Decision, Marks, SessionPin, Target};
use crate::row::Row;
use crate::value::ToValue;

/// A session whose statements go where they may; see [`Client::session`].
pub struct SplitSession<D: Driver + Clone> {
    client: Client<D>,
    pin: SessionPin,
    /// The connection of the statement under way, and from then on while it has what ties the session.
    held: Option<Connection<D>>,
    served_by: Option<ServedBy>,
}

impl<D: Driver + Clone> Client<D> {
    /// A session over all servers: reads go to replicas, and everything to one connection of the primary while
    /// a transaction is open or the session has state. Nothing is connected before its first statement.
    ///
    /// ```no_run
    /// # use rustydb_mysql::client::Client;
    /// # use rustydb_mysql::value::NO_PARAMETERS;
    /// # use rustydb_mysql::{Driver, Error, params};
    /// # async fn f<D: Driver + Clone>(client: Client<D>, id: i64) -> Result<(), Error> {
    /// let mut session = client.session();
    /// session.query("SELECT name FROM account WHERE id = ?", &params![id]).await?; // a replica
    /// session.execute("BEGIN", NO_PARAMETERS).await?; // the primary, and all that follows
    /// session.query("SELECT b FROM account WHERE id = ?", &params![id]).await?;
    /// session.execute("COMMIT", NO_PARAMETERS).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn session(&self) -> SplitSession<D> {
        SplitSession { client: self.clone(), pin: SessionPin::FREE, held: None, served_by: None }
    }
}

impl<D: Driver + Clone> SplitSession<D> {
    /// Runs a statement to its end and says what it did.
    ///
    /// # Errors
    /// As [`Client::execute`]; [`Error::Broken`] where what tied the session was lost before.
    pub async fn execute<P: ToValue + Sync>(&mut self, sql: &str, parameters: &[P]) -> Result<ExecuteResult> {
        let decision = self.decide(sql)?;
        if decision.target == Target::Replica {
            return self.served(self.client.execute_served(sql, parameters).await);
        }
        let outcome = self.connection().await?.execute(sql, parameters).await;
        self.ran(decision, outcome)
    }

    /// Runs a statement and gives all its rows.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub async fn query<P: ToValue + Sync>(&mut self, sql: &str, parameters: &[P]) -> Result<ResultSet> {
        let decision = self.decide(sql)?;
        if decision.target == Target::Replica {
            return self.served(self.client.query_served(sql, parameters).await);
        }
        let outcome = self.connection().await?.query(sql, parameters).await;
        self.ran(decision, outcome)
    }

    /// Runs a statement and gives its first row.
    ///
    /// # Errors
    /// As [`execute`](Self::execute).
    pub async fn query_one<P: ToValue + Sync>(&mut self, sql: &str, parameters: &[P]) -> Result<Option<Row>> {
        let decision = self.decide(sql)?;
        if decision.target == Target::Replica {
            return self.served(self.client.query_one_served(sql, parameters).await);
        }
        let outcome = self.connection().await?.query_one(sql, parameters).await;
        self.ran(decision, outcome)
    }

    /// What ties it.
    pub fn pin(&self) -> SessionPin {
        self.pin
    }

    /// Who served the last statement that was answered.
    pub fn served_by(&self) -> Option<ServedBy> {
        self.served_by
    }

    /// Lets everything go that ties it: an open transaction is rolled back, state is cleaned up by the pool.
    pub fn reset(&mut self) {
        self.held = None;
        self.pin.reset();
    }

    /// Where a statement goes.
    fn decide(&mut self, sql: &str) -> Result<Decision> {
        if self.held.as_ref().is_none_or(|held| held.status().broken) {
            let was_tied = self.pin.holds();
            self.reset();
            if was_tied {
                return Err(Error::Broken);
            }
        }
        Ok(self.client.router().decide(sql, self.pin))
    }

    /// The connection that has what ties the session, else one of the primary.
    async fn connection(&mut self) -> Result<&mut Connection<D>> {
        let held = match self.held.take() {
            Some(held) => held,
            None => self.client.get_primary().await?,
        };
        Ok(self.held.insert(held))
    }

    /// Learns from a statement that a client's read served.
    fn served<T>(&mut self, outcome: Result<(T, ServedBy)>) -> Result<T> {
        let (outcome, served_by) = outcome?;
        self.served_by = Some(served_by);
        Ok(outcome)
    }

    /// Learns from a statement on the held connection, and lets that go if nothing ties the session.
    fn ran<T>(&mut self, decision: Decision, outcome: Result<T>) -> Result<T> {
        let Some(held) = &self.held else { return outcome };
        self.served_by = Some(held.served_by());
        let status = held.status();
        if status.broken {
            // What tied the session is gone with its connection, and the outcome says so.
            self.reset();
            return outcome;
        }
        let changed = status.tracks_state && status.dirty;
        // A statement that failed left nothing that the server did not tell.
        let class = match outcome.is_ok() {
            true => decision.class,
            false => decision.class.without(Marks::SESSION_STATE),
        };
        self.pin.ran(class, status.in_transaction, changed);
        if !self.pin.holds() {
            self.held = None;
        }
        outcome
    }
}

impl<D: Driver + Clone> std::fmt::Debug for SplitSession<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SplitSession")
            .field("pin", &self.pin)
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}
