//! A connection that is out, and what its drop decides.
//!
//! The drop is synchronous and does no I/O. A session that its own status calls clean goes to the first
//! waiter or to the idle ones at once. One that was left in a transaction or that changed goes into the
//! pool's care, in a task; one that was cut in the middle of an exchange is closed, and what its server still does
//! for it is ended (`kills.rs`).

use super::Inner;
use super::entry::Entry;
use super::reason::CloseReason;
use super::state::{CheckOut, Origin};
use crate::driver::{Driver, Session};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use tokio::time::Instant;

/// A connection on its way to a user, which goes back unused when dropped.
pub(super) struct Lease<D: Driver> {
    inner: Arc<Inner<D>>,
    entry: Option<Box<Entry<D::Session>>>,
}

impl<D: Driver> Lease<D> {
    /// Of an entry that counts as active.
    pub(super) fn new(inner: Arc<Inner<D>>, entry: Box<Entry<D::Session>>) -> Lease<D> {
        Lease { inner, entry: Some(entry) }
    }

    /// The server's number for the connection.
    pub(super) fn connection_id(&self) -> u64 {
        self.entry.as_ref().map_or(0, |entry| entry.session().status().connection_id)
    }

    /// The entry, to be handed to somebody else.
    pub(super) fn into_entry(mut self) -> Option<Box<Entry<D::Session>>> {
        self.entry.take()
    }
}

impl<D: Driver> Drop for Lease<D> {
    fn drop(&mut self) {
        if let Some(entry) = self.entry.take() {
            self.inner.settle(entry, Origin::Active, None);
        }
    }
}

/// What the session of a connection that is out is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionState {
    /// In the pool
    Idle,
    /// Out, no transaction open
    InUse,
    /// Out, with a transaction open
    InTransaction,
    /// Of no further use; it is closed when it comes back
    Closed,
}

/// A connection that is out. It goes back to its pool when dropped, wherever that happens.
#[must_use = "the connection goes back when it is dropped"]
pub struct PooledConnection<D: Driver> {
    inner: Arc<Inner<D>>,
    /// None only while it is dropped
    entry: Option<Box<Entry<D::Session>>>,
    /// Its number for the leak detector
    slot: Option<usize>,
    fate: Fate,
    /// What its session left the server with is being ended
    is_ended: bool,
}

/// What its user said about the time after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Nothing: its status decides
    Open,
    /// Its session has to be reset
    Reset,
    /// It has to be closed
    Close(CloseReason),
}

impl<D: Driver> PooledConnection<D> {
    /// Of an entry that counts as active, filed as `slot`.
    pub(super) fn new(inner: Arc<Inner<D>>, entry: Box<Entry<D::Session>>, slot: Option<usize>) -> Self {
        PooledConnection { inner, entry: Some(entry), slot, fate: Fate::Open, is_ended: false }
    }

    /// Of a connection that was handed over.
    pub(super) fn handed(mut lease: Lease<D>, check_out: Option<CheckOut>) -> Option<Self> {
        let entry = lease.entry.take()?;
        let inner = Arc::clone(&lease.inner);
        let slot = check_out.map(|check_out| inner.state.lock().out.add(check_out));
        Some(PooledConnection { inner, entry: Some(entry), slot, fate: Fate::Open, is_ended: false })
    }

    /// Has the session reset when the connection goes back, whatever its status says.
    pub fn reset_on_return(&mut self) {
        if self.fate == Fate::Open {
            self.fate = Fate::Reset;
        }
    }

    /// Takes back what [`reset_on_return`](Self::reset_on_return) asked.
    pub fn keep_on_return(&mut self) {
        if self.fate == Fate::Reset {
            self.fate = Fate::Open;
        }
    }

    /// Has the connection closed when it goes back.
    pub fn close_on_return(&mut self, reason: CloseReason) {
        self.fate = Fate::Close(reason);
    }

    /// Has what a broken session left its server with ended there now, and not only when the connection goes
    /// back.
    pub(crate) fn end_abandoned(&mut self) {
        let Some(entry) = &self.entry else { return };
        if entry.session().status().broken && !self.is_ended {
            self.is_ended = true;
            self.inner.end_abandoned(entry.session());
        }
    }

    /// The connection for one request: when that is dropped half way, what the server does for it is ended.
    pub(crate) fn request(&mut self) -> UnderWay<'_, D> {
        UnderWay { connection: self }
    }

    /// What its session is in.
    pub fn state(&self) -> ConnectionState {
        let status = self.status();
        if status.broken {
            ConnectionState::Closed
        } else if status.in_transaction {
            ConnectionState::InTransaction
        } else {
            ConnectionState::InUse
        }
    }

    /// The name of its pool.
    pub fn pool_name(&self) -> &str {
        &self.inner.name
    }
}

impl<D: Driver> Deref for PooledConnection<D> {
    type Target = D::Session;

    fn deref(&self) -> &D::Session {
        match &self.entry {
            Some(entry) => entry.session(),
            // The entry leaves only in `drop`, behind which nothing can be borrowed.
            None => unreachable!("a connection is used while it is dropped"),
        }
    }
}

impl<D: Driver> DerefMut for PooledConnection<D> {
    fn deref_mut(&mut self) -> &mut D::Session {
        match &mut self.entry {
            Some(entry) => entry.session_mut(),
            None => unreachable!("a connection is used while it is dropped"),
        }
    }
}

impl<D: Driver> Drop for PooledConnection<D> {
    fn drop(&mut self) {
        let Some(mut entry) = self.entry.take() else { return };
        let _span = tracing::debug_span!("mysql.pool.release").entered();
        let status = entry.session().status();
        let needs_care = self.inner.needs_care(status);
        let ends = match self.fate {
            _ if status.broken => Some(CloseReason::Broken),
            Fate::Close(reason) => Some(reason),
            Fate::Open | Fate::Reset => None,
        };
        if let Some(reason) = ends {
            if !self.is_ended {
                self.inner.end_abandoned(entry.session());
            }
            return self.inner.close(entry.into_session(), Origin::Active, self.slot, reason);
        }
        let asked = self.fate == Fate::Reset;
        if asked || needs_care {
            return self.inner.restore(entry, self.slot, asked);
        }
        let now = Instant::now();
        (entry.idle_since, entry.checked) = (now, now);
        self.inner.settle(entry, Origin::Active, self.slot);
    }
}

/// A connection during one request; see [`PooledConnection::request`].
pub(crate) struct UnderWay<'a, D: Driver> {
    connection: &'a mut PooledConnection<D>,
}

impl<D: Driver> Deref for UnderWay<'_, D> {
    type Target = D::Session;

    fn deref(&self) -> &D::Session {
        self.connection
    }
}

impl<D: Driver> DerefMut for UnderWay<'_, D> {
    fn deref_mut(&mut self) -> &mut D::Session {
        self.connection
    }
}

impl<D: Driver> Drop for UnderWay<'_, D> {
    fn drop(&mut self) {
        self.connection.end_abandoned();
    }
}

impl<D: Driver> std::fmt::Debug for PooledConnection<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PooledConnection")
            .field("pool", &self.inner.name)
            .field("connection_id", &self.status().connection_id)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
