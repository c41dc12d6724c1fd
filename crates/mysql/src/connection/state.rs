//! What the server tells of a session's state, and what it does not tell.
//!
//! MySQL tells of variables, user variables, the default database, temporary tables and SQL-level prepared
//! statements (`session_track_state_change`). Locks taken by name, tables locked and handlers opened are told
//! nowhere, and user variables set inside an expression only by some versions: such statements are known by
//! their text, and make the session dirty whatever the server says.

use crate::driver::SessionStatus;
use rustydb_mysql_protocol::response::{OkPacket, SessionStateChange};
use rustydb_mysql_protocol::status;
use std::sync::Arc;

/// The variable by which MariaDB tells the GTID of a commit.
const LAST_GTID: &[u8] = b"last_gtid";

/// Takes the status bits of an OK or EOF.
#[inline]
pub(super) fn apply_bits(session: &mut SessionStatus, bits: u16) {
    session.in_transaction = bits & status::IN_TRANSACTION != 0;
    session.read_only_transaction = bits & status::IN_READ_ONLY_TRANSACTION != 0;
    session.autocommit = bits & status::AUTOCOMMIT != 0;
    session.no_backslash_escapes = bits & status::NO_BACKSLASH_ESCAPES != 0;
}

/// Takes what an OK says of the session; gives the GTIDs that the statement committed.
#[inline]
pub(super) fn apply(
    session: &mut SessionStatus,
    ok: &OkPacket<'_>,
    database: Option<&str>,
) -> Option<Arc<str>> {
    apply_bits(session, ok.status);
    if ok.state_changes.is_empty() {
        return None;
    }
    apply_changes(session, ok, database)
}

#[cold]
fn apply_changes(session: &mut SessionStatus, ok: &OkPacket<'_>, database: Option<&str>) -> Option<Arc<str>> {
    let mut gtid = None;
    for change in ok.state_changes.iter() {
        match change {
            SessionStateChange::SystemVariable { name: LAST_GTID, value }
            | SessionStateChange::Gtids(value) => {
                gtid = Some(Arc::from(String::from_utf8_lossy(value)))
                    .filter(|text: &Arc<str>| !text.is_empty());
            }
            SessionStateChange::SystemVariable { .. } => session.dirty = true,
            SessionStateChange::Schema(name) => {
                let name = String::from_utf8_lossy(name);
                session.dirty |= database != Some(&*name);
                session.schema = Some(Arc::from(name)).filter(|name: &Arc<str>| !name.is_empty());
            }
            SessionStateChange::StateChanged(changed) => session.dirty |= changed,
            SessionStateChange::TransactionCharacteristics(_)
            | SessionStateChange::TransactionState(_)
            | SessionStateChange::Unknown { .. } => {}
        }
    }
    if gtid.is_some() {
        session.last_gtid.clone_from(&gtid);
    }
    gtid
}

/// Whether a statement may leave state behind that the server does not tell of.
pub(crate) fn leaves_state(sql: &str) -> bool {
    let bytes = sql.as_bytes();
    const WORDS: [&str; 7] = ["LOCK", "HANDLER", "FLUSH", "XA", "CALL", "DO", "PREPARE"];
    let first = first_word(sql);
    WORDS.iter().any(|word| word.eq_ignore_ascii_case(first))
        || bytes.windows(2).any(|pair| pair == b":=")
        || bytes.windows(9).any(|word| word.eq_ignore_ascii_case(b"GET_LOCK("))
        || bytes.windows(9).any(|word| word.eq_ignore_ascii_case(b"TEMPORARY"))
}

/// Whether a statement certainly prepares no statement of its own, which would take a number: dynamic SQL is
/// not allowed inside functions and triggers, so only these words have to be known.
pub(crate) fn keeps_statement_numbers(sql: &str) -> bool {
    const WORDS: [&str; 20] = [
        "SELECT",
        "INSERT",
        "UPDATE",
        "DELETE",
        "REPLACE",
        "WITH",
        "SET",
        "BEGIN",
        "START",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT",
        "RELEASE",
        "SHOW",
        "EXPLAIN",
        "DESCRIBE",
        "DESC",
        "USE",
        "TABLE",
        "VALUES",
    ];
    let first = first_word(sql);
    WORDS.iter().any(|word| word.eq_ignore_ascii_case(first)) && !sql.contains(';')
}

/// The first word of a statement; empty where it begins with something else, a comment among it.
fn first_word(sql: &str) -> &str {
    let sql = sql.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '(');
    let end = sql.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(sql.len());
    sql.get(..end.min(16)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustydb_mysql_protocol::response::SessionStateChanges;

    fn told(session: &mut SessionStatus, changes: &[SessionStateChange<'_>]) -> Option<Arc<str>> {
        let mut encoded = Vec::new();
        changes.iter().for_each(|change| change.write(&mut encoded));
        let ok = OkPacket {
            status: status::AUTOCOMMIT,
            state_changes: SessionStateChanges::from_encoded(&encoded),
            ..OkPacket::default()
        };
        apply(session, &ok, Some("shop"))
    }

    #[test]
    fn gtids_are_kept_and_are_no_state() {
        let mut session = SessionStatus::default();
        assert_eq!(told(&mut session, &[SessionStateChange::Gtids(b"a:1-5")]).as_deref(), Some("a:1-5"));
        let name = b"last_gtid";
        let maria = SessionStateChange::SystemVariable { name, value: b"0-1-7" };
        assert_eq!(told(&mut session, &[maria]).as_deref(), Some("0-1-7"));
        assert_eq!(told(&mut session, &[]), None);
        assert_eq!(session.last_gtid.as_deref(), Some("0-1-7"));
        assert!(!session.dirty && session.autocommit);
    }

    #[test]
    fn what_changed_makes_the_session_dirty() {
        for (change, dirty) in [
            (SessionStateChange::StateChanged(true), true),
            (SessionStateChange::StateChanged(false), false),
            (SessionStateChange::Schema(b"other"), true),
            (SessionStateChange::Schema(b"shop"), false),
            (SessionStateChange::SystemVariable { name: b"time_zone", value: b"UTC" }, true),
            (SessionStateChange::TransactionState(b"T_______"), false),
        ] {
            let mut session = SessionStatus::default();
            told(&mut session, &[change]);
            assert_eq!(session.dirty, dirty, "{change:?}");
        }
    }

    #[test]
    fn what_is_not_told_is_known_by_its_text() {
        for sql in
            ["LOCK TABLES t READ", "select get_lock('a', 1)", "SELECT @a := 1", "call p()", "do sleep(0)"]
        {
            assert!(leaves_state(sql), "{sql}");
        }
        for sql in ["SELECT 1", "INSERT INTO t VALUES (1)", "  (SELECT 1)", ""] {
            assert!(!leaves_state(sql), "{sql}");
        }
        for sql in ["PREPARE s FROM 'x'", "CALL p()", "/* x */ SELECT 1", "SELECT 1; CALL p()", ""] {
            assert!(!keeps_statement_numbers(sql), "{sql}");
        }
        assert!(keeps_statement_numbers(" select * from t"));
    }
}
