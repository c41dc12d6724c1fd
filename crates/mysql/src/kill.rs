//! Ending a statement at the server when nobody waits for it any more.
//!
//! A deadline that passes, or a future that is dropped, leaves the server working. A [`Killer`] ends that work
//! over a connection of its own, and takes care to end nothing else:
//!
//! - **the right server**: the second connection has to reach the server that the first one reached, by its
//!   unique id, or where it has none by host name, `server_id` and version. Behind a balancer it may not.
//! - **the right statement**: the process list has to show the connection's number with the statement's text.
//!   The session that was cut is broken, so no other statement can come to run on its connection meanwhile;
//!   numbers are not given twice while a server runs, and a restart shows in the text.
//!
//! What is killed is the connection, not only the statement: it is of no use any more, and its transaction has
//! to be rolled back. Kills are few at a time and have a deadline; one that cannot be made is given up and
//! told to the log, without the statement's text.

use crate::driver::{Credential, Driver, Endpoint, ServerIdentity, Session, SessionStatus};
use crate::error::{Error, Result};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Kills at the same time, each of which takes a connection.
const AT_ONCE: usize = 4;
/// How much of a statement's text has to be the same.
const COMPARED: usize = 64;
/// The server knows no connection of this number.
const NO_SUCH_THREAD: u16 = 1094;

/// How a kill ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Killed {
    /// The statement's connection was ended.
    Ended,
    /// It had ended by itself.
    AlreadyOver,
    /// The connection runs another statement: nothing was ended.
    OtherStatement,
    /// Another server answered: nothing was ended.
    OtherServer,
}

/// What kills have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KillStats {
    /// Connections ended.
    pub ended: u64,
    /// Statements that had ended by themselves.
    pub already_over: u64,
    /// Nothing was ended, because server or statement were not the right ones.
    pub spared: u64,
    /// Kills that could not be made.
    pub failed: u64,
}

/// Ends statements of one endpoint. Cloning it is cheap.
pub struct Killer<D: Driver> {
    inner: Arc<Inner<D>>,
}

struct Inner<D> {
    driver: D,
    endpoint: Endpoint,
    credential: Mutex<Credential>,
    patience: Duration,
    permits: Semaphore,
    ended: AtomicU64,
    already_over: AtomicU64,
    spared: AtomicU64,
    failed: AtomicU64,
}

impl<D: Driver> Clone for Killer<D> {
    fn clone(&self) -> Killer<D> {
        Killer { inner: Arc::clone(&self.inner) }
    }
}

impl<D: Driver> std::fmt::Debug for Killer<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Killer")
            .field("endpoint", &self.inner.endpoint)
            .field("stats", &self.stats())
            .finish()
    }
}

impl<D: Driver> Killer<D> {
    /// Kills at this endpoint, by this account (which has to be the statement's own, or a privileged one). Each
    /// kill has `patience`, waiting for others included.
    pub fn new(driver: D, endpoint: Endpoint, credential: Credential, patience: Duration) -> Killer<D> {
        Killer {
            inner: Arc::new(Inner {
                driver,
                endpoint,
                credential: Mutex::new(credential),
                patience,
                permits: Semaphore::new(AT_ONCE),
                ended: AtomicU64::new(0),
                already_over: AtomicU64::new(0),
                spared: AtomicU64::new(0),
                failed: AtomicU64::new(0),
            }),
        }
    }

    /// Takes another credential from now on.
    pub fn rotate(&self, credential: Credential) {
        *self.inner.credential.lock() = credential;
    }

    /// What was done.
    pub fn stats(&self) -> KillStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let inner = &self.inner;
        KillStats {
            ended: read(&inner.ended),
            already_over: read(&inner.already_over),
            spared: read(&inner.spared),
            failed: read(&inner.failed),
        }
    }

    /// Watches a request that is about to be made on this session: dropped before [`Watch::done`], its
    /// statement is ended.
    pub fn watch<'a>(&'a self, status: &SessionStatus, sql: &'a str) -> Watch<'a, D> {
        Watch {
            killer: self,
            connection_id: status.connection_id,
            server: Some(Arc::clone(&status.server)),
            sql,
        }
    }

    /// Ends the connection that runs this statement.
    ///
    /// # Errors
    /// Of connecting, of the process list and of KILL.
    pub async fn kill(&self, connection_id: u64, server: &ServerIdentity, sql: &str) -> Result<Killed> {
        let inner = &self.inner;
        let deadline = Instant::now() + inner.patience;
        let told = tokio::time::timeout_at(deadline, async {
            let _permit = inner.permits.acquire().await.map_err(|_| Error::Timeout { during: "kill" })?;
            let credential = inner.credential.lock().clone();
            let mut session = inner.driver.connect(&inner.endpoint, &credential, deadline).await?;
            let told = kill_over(&mut session, connection_id, server, sql, deadline).await;
            session.close(deadline).await;
            told
        })
        .await
        .unwrap_or(Err(Error::Timeout { during: "kill" }));
        let counter = match told {
            Ok(Killed::Ended) => &inner.ended,
            Ok(Killed::AlreadyOver) => &inner.already_over,
            Ok(Killed::OtherStatement | Killed::OtherServer) => &inner.spared,
            Err(_) => &inner.failed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        told
    }
}

/// Ends a statement over another session with its server.
async fn kill_over<S: Session>(
    session: &mut S,
    connection_id: u64,
    server: &ServerIdentity,
    sql: &str,
    deadline: Instant,
) -> Result<Killed> {
    if !is_same(&session.status().server, server) {
        return Ok(Killed::OtherServer);
    }
    // The number is the server's own, so it may stand in the text.
    let look = format!("SELECT INFO FROM information_schema.PROCESSLIST WHERE ID = {connection_id}");
    let running: Option<(Option<String>,)> = session.query(&look, deadline).await?.first().await?;
    match running {
        Some((Some(text),)) if runs(&text, sql) => {}
        Some((Some(_),)) => return Ok(Killed::OtherStatement),
        Some((None,)) | None => return Ok(Killed::AlreadyOver),
    }
    match session.run(&format!("KILL {connection_id}"), deadline).await {
        Ok(_) => Ok(Killed::Ended),
        Err(error) if error.code() == Some(NO_SUCH_THREAD) => Ok(Killed::AlreadyOver),
        Err(error) => Err(error),
    }
}

/// Whether two sessions reached the same server.
fn is_same(one: &ServerIdentity, other: &ServerIdentity) -> bool {
    match (&one.unique_id, &other.unique_id) {
        (Some(one), Some(other)) => one == other,
        _ => {
            let known = one.hostname.is_some() || one.server_id.is_some();
            known
                && (one.hostname.as_ref(), one.server_id, &one.version)
                    == (other.hostname.as_ref(), other.server_id, &other.version)
        }
    }
}

/// Whether the process list's text is that of the statement. Servers show parameters as `?` or as their
/// values, so the texts are compared up to the first one, and up to a bound.
fn runs(shown: &str, sql: &str) -> bool {
    let (shown, sql) = (shown.trim_start(), sql.trim_start());
    let fixed = sql.find('?').unwrap_or(sql.len()).min(COMPARED);
    let (shown, sql) = (shown.as_bytes(), sql.as_bytes());
    match sql.get(..fixed) {
        Some(head) if fixed > 0 => shown.get(..fixed) == Some(head),
        _ => false,
    }
}

/// A request that is ended at the server if it is given up; see [`Killer::watch`].
#[must_use = "dropping it ends the statement; say done() where it has ended"]
pub struct Watch<'a, D: Driver> {
    killer: &'a Killer<D>,
    connection_id: u64,
    /// None once the request is over.
    server: Option<Arc<ServerIdentity>>,
    sql: &'a str,
}

impl<D: Driver> Watch<'_, D> {
    /// The request is over: there is nothing to end.
    pub fn done(mut self) {
        self.server = None;
    }
}

impl<D: Driver> std::fmt::Debug for Watch<'_, D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("connection_id", &self.connection_id).finish_non_exhaustive()
    }
}

impl<D: Driver> Drop for Watch<'_, D> {
    fn drop(&mut self) {
        let Some(server) = self.server.take() else { return };
        // Without a runtime there is nobody to do it, and the program is ending.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let (killer, connection_id, sql) =
            (self.killer.clone(), self.connection_id, Box::<str>::from(self.sql));
        runtime.spawn(async move {
            if let Err(error) = killer.kill(connection_id, &server, &sql).await {
                let endpoint = killer.inner.endpoint.name();
                tracing::warn!(%endpoint, connection_id, %error, "a statement that was given up goes on");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_compared_up_to_the_first_parameter() {
        assert!(runs("SELECT SLEEP(10)", "SELECT SLEEP(?)"));
        assert!(runs("SELECT SLEEP(?)", " SELECT SLEEP(?)"));
        assert!(!runs("SELECT 1", "SELECT SLEEP(?)"));
        assert!(!runs("SELECT", "SELECT SLEEP(?)"));
        assert!(!runs("anything", "?"));
        let long = format!("SELECT '{}'", "x".repeat(500));
        assert!(runs(&long[..300], &long));
    }

    #[test]
    fn a_server_that_says_nothing_of_itself_is_never_taken_for_another() {
        let named = |id: Option<&str>, host: Option<&str>| ServerIdentity {
            unique_id: id.map(str::to_owned),
            hostname: host.map(str::to_owned),
            ..ServerIdentity::default()
        };
        assert!(is_same(&named(Some("a"), None), &named(Some("a"), Some("x"))));
        assert!(!is_same(&named(Some("a"), Some("x")), &named(Some("b"), Some("x"))));
        assert!(is_same(&named(None, Some("x")), &named(None, Some("x"))));
        assert!(!is_same(&named(None, Some("x")), &named(None, Some("y"))));
        assert!(!is_same(&named(None, None), &named(None, None)));
    }
}
