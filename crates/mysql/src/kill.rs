//! Ending a statement at the server when nobody waits for it any more.
//!
//! A deadline that passes, or a future that is dropped, leaves the server working. What it may still be at, a
//! session tells as [`Abandoned`]; [`end`] ends that over another session, and takes care to end nothing else:
//!
//! - **the right server**: the other session has to have reached the same one, by its unique id, or where it has
//!   none by host name, `server_id` and version. Behind a balancer it may not.
//! - **the right connection**: numbers are not given twice while a server runs. Where the server runs for longer
//!   than the abandoned connection was open, the number is that connection, whatever statement the server shows
//!   for it (in a procedure, that of the procedure). Where that cannot be known, or somebody stands in between who
//!   gives one connection to many (the number in the greeting is not the server's), the process list has to show
//!   the statement's own text.
//! - **no later statement**: an abandoned session is closed and never used again, so nothing else comes to run on
//!   its connection.
//!
//! What is killed is the connection, not only the statement: it is of no use any more, and its transaction has
//! to be rolled back.
//!
//! Left to others: when and how often (the pool, `pool/kills.rs`). A server's uptime is by its wall clock: one
//! that is set forward by more than the age of a connection, and restarted, is taken for one that was not.

use crate::driver::{ServerIdentity, Session};
use crate::error::Result;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How much of a statement's text has to be the same.
const COMPARED: usize = 64;
/// The server knows no connection of this number.
const NO_SUCH_THREAD: u16 = 1094;
/// How often a connection is looked at that runs nothing: its request may not have been read yet.
const LOOKS: u32 = 3;
/// The time between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);
/// What uptimes and ages may differ by without meaning anything.
const TOLERANCE: Duration = Duration::from_secs(2);

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

/// The beginning of a statement's text, kept without allocating. Shown without its words.
#[derive(Clone, Copy)]
pub struct StatementHead {
    bytes: [u8; COMPARED],
    length: u8,
}

impl StatementHead {
    /// Of this statement.
    #[inline]
    pub fn new(sql: &str) -> StatementHead {
        let text = sql.trim_start().as_bytes();
        let length = text.len().min(COMPARED);
        let mut bytes = [0; COMPARED];
        bytes[..length].copy_from_slice(&text[..length]);
        StatementHead { bytes, length: length as u8 }
    }

    /// Whether the process list's text is that of the statement. Servers show parameters as `?` or as their
    /// values, so the texts are compared up to the first one.
    fn is_of(&self, shown: &str) -> bool {
        let head = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        let fixed = head.iter().position(|&byte| byte == b'?').unwrap_or(head.len());
        fixed > 0 && shown.trim_start().as_bytes().get(..fixed) == head.get(..fixed)
    }
}

impl fmt::Debug for StatementHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StatementHead({} bytes)", self.length)
    }
}

/// What a server may still be at for a session that is given up; see [`Session::abandoned`].
#[derive(Debug, Clone)]
pub struct Abandoned {
    /// The server's number for the connection
    pub connection_id: u64,
    /// The server
    pub server: Arc<ServerIdentity>,
    /// When the connection was made
    pub since: Instant,
    /// Whether the number is known to be this connection's alone
    pub is_direct: bool,
    /// What it was asked to do last
    pub statement: StatementHead,
}

/// Ends the connection that was abandoned, over another session with its server. To be called only once the
/// abandoned session is closed, or will be without being used again.
///
/// # Errors
/// Of asking the server and of KILL.
pub async fn end<S: Session>(session: &mut S, abandoned: &Abandoned, deadline: Instant) -> Result<Killed> {
    if !is_same(&session.status().server, &abandoned.server) {
        return Ok(Killed::OtherServer);
    }
    let certain = match abandoned.is_direct {
        true => runs_since(session, abandoned.since, deadline).await?,
        false => None,
    };
    match certain {
        Some(true) => {}
        Some(false) => return Ok(Killed::AlreadyOver),
        None => {
            if let Some(spared) = look(session, abandoned, deadline).await? {
                return Ok(spared);
            }
        }
    }
    // The number is the server's own, so it may stand in the text.
    match session.run(&format!("KILL {}", abandoned.connection_id), deadline).await {
        Ok(_) => Ok(Killed::Ended),
        Err(error) if error.code() == Some(NO_SUCH_THREAD) => Ok(Killed::AlreadyOver),
        Err(error) => Err(error),
    }
}

/// Whether the server runs without a break since `since`; none where that is too close to say.
async fn runs_since<S: Session>(session: &mut S, since: Instant, deadline: Instant) -> Result<Option<bool>> {
    let asked = session.query("SHOW GLOBAL STATUS LIKE 'Uptime'", deadline).await?;
    let uptime: Option<(String, String)> = asked.first().await?;
    Ok(uptime
        .and_then(|(_, seconds)| seconds.parse().ok())
        .and_then(|seconds| was_up(Duration::from_secs(seconds), since.elapsed())))
}

/// Whether a server of this uptime was up for the whole `age` of a connection; none where that is too close to
/// say.
fn was_up(uptime: Duration, age: Duration) -> Option<bool> {
    if uptime > age {
        Some(true)
    } else if uptime + TOLERANCE < age {
        Some(false)
    } else {
        None
    }
}

/// Whether the process list shows the statement; why not, if it does not.
async fn look<S: Session>(
    session: &mut S,
    abandoned: &Abandoned,
    deadline: Instant,
) -> Result<Option<Killed>> {
    let sql =
        format!("SELECT INFO FROM information_schema.PROCESSLIST WHERE ID = {}", abandoned.connection_id);
    for round in 1.. {
        let running: Option<(Option<String>,)> = session.query(&sql, deadline).await?.first().await?;
        match running {
            Some((Some(text),)) if abandoned.statement.is_of(&text) => return Ok(None),
            Some((Some(_),)) => return Ok(Some(Killed::OtherStatement)),
            Some((None,)) if round < LOOKS => sleep(BETWEEN_LOOKS).await,
            Some((None,)) | None => break,
        }
    }
    Ok(Some(Killed::AlreadyOver))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(shown: &str, sql: &str) -> bool {
        StatementHead::new(sql).is_of(shown)
    }

    #[test]
    fn texts_are_compared_up_to_the_first_parameter() {
        assert!(runs("SELECT SLEEP(10)", "SELECT SLEEP(?)"));
        assert!(runs("SELECT SLEEP(?)", " SELECT SLEEP(?)"));
        assert!(!runs("SELECT 1", "SELECT SLEEP(?)"));
        assert!(!runs("SELECT", "SELECT SLEEP(?)"));
        assert!(!runs("anything", "?"));
        let long = format!("SELECT '{}'", "ü".repeat(500));
        assert!(runs(long.get(..308).unwrap(), &long));
        assert!(!format!("{:?}", StatementHead::new("SELECT 'marked'")).contains("marked"));
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

    #[test]
    fn a_server_that_started_after_the_connection_was_made_does_not_have_it() {
        let seconds = Duration::from_secs;
        assert_eq!(was_up(seconds(10), Duration::from_millis(9_900)), Some(true));
        assert_eq!(was_up(seconds(10), seconds(10)), None);
        assert_eq!(was_up(seconds(10), seconds(12)), None);
        assert_eq!(was_up(seconds(10), Duration::from_millis(12_100)), Some(false));
    }
}
