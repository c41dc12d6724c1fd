//! Functions that make a read unfit for a replica: they write, take locks of one server, or read what only one
//! session knows.
//!
//! The list holds MySQL's and MariaDB's own functions and known plugins. A stored function is known by nobody
//! but its server: name those that write in the router's configuration. One that was not named is refused by a
//! read-only replica, and the router learns it from that.

use super::class::Reason;

/// What a function needs of its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Need {
    pub(super) reason: Reason,
    /// It leaves something in its session.
    pub(super) keeps_state: bool,
}

const WRITES: Need = Need { reason: Reason::Function, keeps_state: false };
const LOCKS: Need = Need { reason: Reason::Function, keeps_state: true };
const SESSION: Need = Need { reason: Reason::SessionState, keeps_state: false };

/// Longest name looked up.
const LONGEST: usize = 48;

/// What the built-in or well-known function `name` needs; `None` when any server will do.
pub(super) fn known(name: &[u8]) -> Option<Need> {
    // The first letters of all names below, so that most words end here.
    if name.len() < 7 || name.len() > 64 || !b"aAfFgGiIkKlLmMnNrRsSvV".contains(&name[0]) {
        return None;
    }
    let mut lower = [0; LONGEST];
    let length = name.len().min(LONGEST);
    lower[..length].copy_from_slice(&name[..length]);
    lower.make_ascii_lowercase();
    let lower = &lower[..length];
    match lower {
        b"get_lock" => Some(LOCKS),
        b"release_lock" | b"release_all_locks" | b"is_free_lock" | b"is_used_lock" => Some(WRITES),
        b"nextval" | b"setval" => Some(WRITES),
        b"lastval" | b"last_insert_id" | b"found_rows" | b"row_count" => Some(SESSION),
        // The file is on one machine.
        b"load_file" => Some(WRITES),
        b"sys_exec" | b"sys_eval" | b"sys_set" => Some(WRITES),
        b"service_get_read_locks" | b"service_get_write_locks" => Some(LOCKS),
        b"service_release_locks" => Some(WRITES),
        _ => PREFIXES.iter().any(|prefix| lower.starts_with(prefix)).then_some(WRITES),
    }
}

/// Families of functions that operate a server.
const PREFIXES: [&[u8]; 8] = [
    b"group_replication_",
    b"asynchronous_connection_failover_",
    b"audit_log_",
    b"keyring_",
    b"mysql_firewall_",
    b"masking_dictionary_",
    b"version_tokens_",
    b"spider_",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_known_in_any_case_and_others_are_not() {
        for name in ["GET_LOCK", "NextVal", "group_replication_set_as_primary", "LAST_INSERT_ID"] {
            assert!(known(name.as_bytes()).is_some(), "{name}");
        }
        for name in ["count", "GREATEST", "now", "get_lockX", "json_value", "format", "st_distance_sphere"] {
            assert_eq!(known(name.as_bytes()), None, "{name}");
        }
    }
}
