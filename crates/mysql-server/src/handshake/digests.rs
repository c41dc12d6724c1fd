//! Digests of passwords that were proven, against which the quick proof of `caching_sha2_password` is checked.
//!
//! An entry is used only for the account's version that it was made under, so changing a password or dropping
//! an account makes it worthless. The number of accounts that have logged in bounds the cache, and a fixed
//! limit above that empties it.

use crate::backend::Account;
use hashbrown::HashMap;
use parking_lot::Mutex;
use rustydb_mysql_protocol::auth::Scramble;
use rustydb_mysql_protocol::auth::caching_sha2::CachedDigest;

const MOST_ACCOUNTS: usize = 10_000;

/// Digests by account (user, host).
#[derive(Default)]
pub(crate) struct Digests {
    by_account: Mutex<HashMap<(String, String), (u64, CachedDigest)>>,
}

impl Digests {
    /// Whether `answer` is the quick proof of a password that was proven before.
    pub(crate) fn accept(&self, account: &Account, scramble: &Scramble, answer: &[u8]) -> bool {
        let key = (account.user.clone(), account.host.clone());
        let digest = match self.by_account.lock().get(&key) {
            Some((version, digest)) if *version == account.version => digest.clone(),
            _ => return false,
        };
        digest.accepts(scramble, answer)
    }

    /// Keeps the digest of a password that was just proven.
    pub(crate) fn keep(&self, account: &Account, password: &[u8]) {
        let digest = CachedDigest::new(password);
        let mut by_account = self.by_account.lock();
        if by_account.len() >= MOST_ACCOUNTS {
            by_account.clear();
        }
        by_account.insert((account.user.clone(), account.host.clone()), (account.version, digest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::{AuthMethod, Credential};
    use rustydb_mysql_protocol::auth::caching_sha2::response;

    #[test]
    fn a_digest_serves_the_account_and_version_it_was_made_for() {
        let account = |user: &str, version| Account {
            user: user.into(),
            host: "%".into(),
            method: AuthMethod::CachingSha2,
            credential: Credential::Unusable,
            locked: false,
            password_expired: false,
            require_tls: false,
            version,
        };
        let digests = Digests::default();
        let scramble = Scramble::random().unwrap();
        let answer = response(b"secret", scramble.bytes());
        assert!(!digests.accept(&account("ann", 1), &scramble, &answer));
        digests.keep(&account("ann", 1), b"secret");
        assert!(digests.accept(&account("ann", 1), &scramble, &answer));
        assert!(!digests.accept(&account("ann", 2), &scramble, &answer), "the password has changed");
        assert!(!digests.accept(&account("bob", 1), &scramble, &answer));
        assert!(!digests.accept(&account("ann", 1), &scramble, &response(b"other", scramble.bytes())));
    }
}
