//! Passwords of accounts: verifiers made and stored.

use rustydb_catalog::{AuthPlugin, Verifier};
use rustydb_mysql_protocol::auth::{caching_sha2, native};
use rustydb_transaction::Isolation;

use super::Database;
use crate::error::SqlError;

impl Database {
    /// Sets the password of an account (1396 if there is none): stores what the named method checks it against.
    /// An empty password takes it away. Also what the first start does for root.
    pub fn set_password(
        &self,
        user: &str,
        host: &str,
        plugin: AuthPlugin,
        password: &[u8],
    ) -> Result<(), SqlError> {
        let verifiers = if password.is_empty() {
            Vec::new()
        } else {
            let text = match plugin {
                AuthPlugin::CachingSha2Password => {
                    caching_sha2::Verifier::new(password).map_err(SqlError::storage)?.text()
                }
                AuthPlugin::MysqlNativePassword => native::Verifier::new(password).text().into_bytes(),
            };
            vec![Verifier { plugin, text }]
        };
        let mut txn = self.engine().begin(Isolation::ReadCommitted, false);
        let change = self.catalog().set_verifiers(&mut txn, user, host, plugin, verifiers)?;
        self.catalog().commit(txn, change)?;
        Ok(())
    }
}
