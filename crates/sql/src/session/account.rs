//! Passwords: a user may change the own one; other account statements are refused until grants are built.

use rustydb_catalog::AuthPlugin;
use rustydb_sql_parser::ast::{AccountName, Authentication, CreateUser, Secret, SetPassword, UserSpec};

use super::Session;
use crate::error::SqlError;

impl Session {
    /// `SET PASSWORD [FOR user] = '..'`
    pub(super) fn set_password(&mut self, statement: &SetPassword) -> Result<(), SqlError> {
        if statement.retain_current {
            return Err(SqlError::not_supported("RETAIN CURRENT PASSWORD"));
        }
        if let Some(user) = &statement.user {
            self.check_own(user)?;
        }
        let Some(password) = &statement.password else {
            return Err(SqlError::not_supported("SET PASSWORD TO RANDOM"));
        };
        self.change_password(&password.value, None)
    }

    /// `ALTER USER root@localhost IDENTIFIED [WITH plugin] BY '..'`; CREATE USER is refused.
    pub(super) fn alter_user(&mut self, statement: &CreateUser) -> Result<(), SqlError> {
        if !statement.alter {
            return Err(SqlError::not_supported("CREATE USER"));
        }
        let plain = statement.default_role.is_none()
            && statement.require.is_none()
            && statement.resources.is_empty()
            && statement.options.is_empty()
            && statement.attribute.is_none();
        let [user] = statement.users.as_slice() else {
            return Err(SqlError::not_supported("ALTER USER of several accounts"));
        };
        if !plain || user.retain_current || user.discard_old || !user.factors.is_empty() {
            return Err(SqlError::not_supported("this option of ALTER USER"));
        }
        self.check_own(&user.name)?;
        let (plugin, password) = identified(user)?;
        self.change_password(password, plugin)
    }

    fn check_own(&self, account: &AccountName) -> Result<(), SqlError> {
        match account {
            AccountName::CurrentUser => Ok(()),
            AccountName::Named { user, host } => {
                let host = host.as_deref().unwrap_or("%");
                let (own_user, own_host) = &self.state.account;
                if own_user == user.as_ref() && own_host.eq_ignore_ascii_case(host) {
                    Ok(())
                } else {
                    Err(SqlError::cannot_user("ALTER USER", format_args!("'{user}'@'{host}'")))
                }
            }
        }
    }

    fn change_password(&mut self, password: &[u8], plugin: Option<AuthPlugin>) -> Result<(), SqlError> {
        self.commit_implicitly()?;
        self.check_may_write()?;
        self.begin_definition()?;
        let (user, host) = self.state.account.clone();
        let plugin = plugin.unwrap_or_else(|| {
            let own = self.database.catalog().account(&user, &host);
            own.map_or(AuthPlugin::CachingSha2Password, |u| u.plugin)
        });
        let done = self.database.set_password(&user, &host, plugin, password);
        self.database.engine().metadata_locks().release_transaction(&mut self.owner);
        done
    }
}

fn identified(user: &UserSpec) -> Result<(Option<AuthPlugin>, &[u8]), SqlError> {
    let [Authentication { plugin, secret }] = user.authentication.as_slice() else {
        return Err(SqlError::not_supported("ALTER USER without IDENTIFIED BY"));
    };
    let plugin = match plugin {
        None => None,
        Some(name) => {
            let known = AuthPlugin::from_name(name.as_str());
            Some(known.ok_or_else(|| SqlError::plugin_not_loaded(name.as_str()))?)
        }
    };
    match secret {
        Some(Secret::Password(password)) => Ok((plugin, &password.value)),
        _ => Err(SqlError::not_supported("ALTER USER without a password")),
    }
}
