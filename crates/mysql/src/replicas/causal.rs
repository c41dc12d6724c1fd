//! Reading one's own writes on any connection of any server.
//!
//! A server names each transaction that a session commits (session tracking). [`CausalToken`] collects these
//! names for a client; a read that needs to see them asks its replica to wait until it has them, and goes to the
//! primary when that takes longer than it may. What a replica is known to have needs no asking.
//!
//! A token can be taken out as text and put into another client: a service that writes can hand it to the one
//! that reads.
//!
//! The lock (`position`) is a leaf: nothing is called under it.

use super::gtid::Position;
use crate::driver::Flavor;
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What its holder's reads must see. Clones are the same token.
#[derive(Clone, Default)]
pub struct CausalToken {
    position: Arc<Mutex<Arc<Position>>>,
}

impl CausalToken {
    /// A token that asks for nothing.
    pub fn new() -> CausalToken {
        CausalToken::default()
    }

    /// The token that another client wrote with `to_string`; `None` when it is not one.
    pub fn parse(text: &str) -> Option<CausalToken> {
        let position = Arc::new(Position::parse(text)?);
        Some(CausalToken { position: Arc::new(Mutex::new(position)) })
    }

    /// Reads must see the transactions that a server named, too.
    pub fn add(&self, gtids: &str) {
        let Some(new) = Position::parse(gtids) else { return };
        let mut position = self.position.lock();
        if !position.contains(&new) {
            let known = Arc::make_mut(&mut position);
            known.add(&new);
            known.collapse();
        }
    }

    /// Reads must see what `other` asks for, too.
    pub fn merge(&self, other: &CausalToken) {
        let other = other.position();
        let mut position = self.position.lock();
        if !position.contains(&other) {
            Arc::make_mut(&mut position).add(&other);
        }
    }

    /// What reads must see.
    pub fn position(&self) -> Arc<Position> {
        self.position.lock().clone()
    }

    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        self.position.lock().is_empty()
    }

    /// A new primary has only these transactions: what was lost with the old one cannot be waited for.
    pub(super) fn forget_lost(&self, of_primary: &Position) {
        let mut position = self.position.lock();
        if !of_primary.contains(&position) {
            Arc::make_mut(&mut position).retain(of_primary);
        }
    }
}

impl fmt::Display for CausalToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.position.lock().fmt(f)
    }
}

impl fmt::Debug for CausalToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CausalToken({})", self.position.lock())
    }
}

/// The statement by which a replica waits until it has `position`, for `longest` at most. Its one value is 0 when
/// it has it.
pub(super) fn wait_statement(flavor: Flavor, position: &Position, longest: Duration) -> Option<String> {
    // 0 would be for ever.
    let seconds = longest.max(Duration::from_millis(1)).as_secs_f64();
    match (flavor, position) {
        (Flavor::MySql, Position::Set(_)) => {
            Some(format!("SELECT WAIT_FOR_EXECUTED_GTID_SET('{position}', {seconds:.3})"))
        }
        (Flavor::MariaDb, Position::Domains(_)) => {
            Some(format!("SELECT MASTER_GTID_WAIT('{position}', {seconds:.3})"))
        }
        // One server, or one of another product than the token's: only the primary will do.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_grows_by_what_servers_name_and_travels_as_text() {
        let token = CausalToken::new();
        assert!(token.is_empty());
        token.add("0-1-5");
        token.add("0-1-4");
        token.add("not a gtid");
        assert_eq!(token.to_string(), "0-1-5");
        let other = CausalToken::parse("1-1-1").unwrap();
        other.merge(&token);
        assert_eq!(other.to_string(), "0-1-5,1-1-1");
        other.forget_lost(&Position::parse("0-2-3,1-1-9").unwrap());
        assert_eq!(other.to_string(), "0-2-3,1-1-1");
    }

    #[test]
    fn each_product_waits_by_its_own_function() {
        let set = Position::parse("3e11fa47-71ca-11e1-9e33-c80aa9429562:7").unwrap();
        let domains = Position::parse("0-1-7").unwrap();
        let half = Duration::from_millis(500);
        assert_eq!(
            wait_statement(Flavor::MySql, &set, half).unwrap(),
            "SELECT WAIT_FOR_EXECUTED_GTID_SET('3e11fa47-71ca-11e1-9e33-c80aa9429562:7', 0.500)"
        );
        assert_eq!(
            wait_statement(Flavor::MariaDb, &domains, Duration::ZERO).unwrap(),
            "SELECT MASTER_GTID_WAIT('0-1-7', 0.001)"
        );
        assert_eq!(wait_statement(Flavor::MariaDb, &set, half), None);
        assert_eq!(wait_statement(Flavor::RustyDb, &set, half), None);
    }
}
